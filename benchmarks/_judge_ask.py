"""A process that asks a server about rows, by our engine or by a plain loop, and prints what that took as JSON.

Started by `judges.py`; the connection "judge" comes from $CURATION_CONNECTIONS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from _measure import peak_memory_mb  # noqa: E402

from curation.core.runtime import Runtime  # noqa: E402
from curation.models.chat.client import Policy, ask_all  # noqa: E402
from curation.models.chat.connections import Connection, connection_of  # noqa: E402
from curation.models.chat.types import Request  # noqa: E402

QUICK = Policy(backoff=0.005, longest=0.02)
"""Short waits, so that tables of faults take seconds."""


def requests(count: int, first: int = 0) -> list[Request]:
    """Requests of about 900 characters, the length of an Alpaca row in a judge's prompt."""
    filler = "The answer goes on about rivers, stones and lamps in plain words. " * 12
    system = ("system", "You rate answers. First line: a number from 0 to 5 alone.")
    return [Request((system, ("user", f"Answer {n}: {filler}")), 64) for n in range(first, first + count)]


async def plain(asked: Sequence[Request], connection: Connection) -> int:
    """The baseline: one task for each row over AsyncOpenAI behind a semaphore; nothing is stored or repeated."""
    import openai

    client = openai.AsyncOpenAI(base_url=connection.endpoint, api_key="none", max_retries=0)
    gate = asyncio.Semaphore(connection.concurrency)

    async def one(request: Request) -> str | None:
        messages: Any = [{"role": role, "content": text} for role, text in request.messages]
        async with gate:
            reply = await client.chat.completions.create(
                model=connection.model, messages=messages, max_tokens=request.max_tokens, temperature=0.0
            )
        return reply.choices[0].message.content

    texts = await asyncio.gather(*(one(request) for request in asked))
    await client.close()
    return sum(text is not None for text in texts)


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=("engine", "plain"))
    parser.add_argument("rows", type=int)
    parser.add_argument("--replies", type=Path)
    parser.add_argument("--quick", action="store_true", help="short waits after failures")
    given = parser.parse_args()
    import openai  # noqa: F401 - not timed

    connection, asked = connection_of("judge"), requests(given.rows)
    runtime = Runtime(replies=given.replies)
    before = peak_memory_mb()
    begun, cpu = time.perf_counter(), time.process_time()
    if given.how == "plain":
        answered = asyncio.run(plain(asked, connection))
    else:
        answers = ask_all(asked, connection, runtime, policy=QUICK if given.quick else Policy())
        answered = sum(answer.reply is not None for answer in answers)
    found = {
        "seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "peak_mb": peak_memory_mb(),
        "before_mb": before, "answered": answered, "calls": runtime.meter.calls, "reused": runtime.meter.reused,
    }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
