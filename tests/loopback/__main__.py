"""`python -m tests.loopback`: serve until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.loopback.script import Script, mixed
from tests.loopback.server import Connection, Server


def main() -> None:
    """Read the words, serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.loopback", description="A chat server that misbehaves.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--script", help='JSON file with the words of script.Script; "-": one line of standard input, '
                        "and the server ends with that input")  # fmt: skip
    parser.add_argument("--judge", help="length, hashed, digit, schema, evolve, echo, planted or module:function")
    parser.add_argument("--planted", help="JSON file {text: score} for --judge planted")
    parser.add_argument("--latency", type=float, help="seconds for a reply")
    parser.add_argument("--jitter", type=float, help="seconds on top, at most")
    parser.add_argument("--capacity", type=int, help="requests served at once")
    parser.add_argument("--over", choices=("queue", "429"), help="what happens to more")
    parser.add_argument("--schema", choices=("follow", "ignore", "refuse", "object"), help="how JSON wishes are taken")
    parser.add_argument("--logprobs", choices=("follow", "ignore", "refuse"))
    parser.add_argument("--mixed", type=float, metavar="SHARE", help="share of calls that fail, in every way")
    parser.add_argument("--key-variable", metavar="NAME", help="variable with the secret that callers must send")
    given = parser.parse_args()
    said: dict[str, Any] = {}
    if given.script:
        said = json.loads(sys.stdin.readline() if given.script == "-" else Path(given.script).read_text("utf-8"))
    names = {f.name for f in fields(Script)}
    said |= {k: v for k, v in vars(given).items() if k in names and v is not None}
    if given.mixed:
        said["faults"] = [*said.get("faults", []), *mixed(given.mixed)]
    if given.key_variable:
        said["key"] = os.environ[given.key_variable]
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(Script.of(said), given.port, watch=given.script == "-"))


async def serve(script: Script, port: int, *, watch: bool) -> None:
    """Serve for ever, or until standard input ends."""
    loop = asyncio.get_running_loop()
    server = Server(script)
    made = await loop.create_server(lambda: Connection(server), "127.0.0.1", port, backlog=2048)
    print(f"http://127.0.0.1:{made.sockets[0].getsockname()[1]}/v1", flush=True)  # noqa: T201 - its one line
    if watch:
        await loop.run_in_executor(None, sys.stdin.read)
        return
    await made.serve_forever()


if __name__ == "__main__":
    main()
