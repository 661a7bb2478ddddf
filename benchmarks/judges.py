"""Asking judges: throughput against what a server bears and against a plain loop, faults, kills, and stored replies.

    python benchmarks/judges.py --write                  # all four parts, into docs/judges.md; under four minutes
    python benchmarks/judges.py --only faults,kills

The server is the one of the tests, on 127.0.0.1, in a process of its own; nothing else is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from _browser_table import _cpu  # noqa: E402
from _judge_ask import QUICK, requests  # noqa: E402
from _measure import measure  # noqa: E402
from _sections import write_section  # noqa: E402

from curation.core.errors import CurationError  # noqa: E402
from curation.core.runtime import Runtime  # noqa: E402
from curation.models.chat.client import ask_all  # noqa: E402
from curation.models.chat.connections import connection_of  # noqa: E402
from curation.models.chat.store import ReplyStore  # noqa: E402
from curation.models.chat.types import Reply  # noqa: E402
from tests.loopback import Loopback  # noqa: E402
from tests.loopback.script import mixed  # noqa: E402

PAGE = ROOT / "docs" / "judges.md"
LATENCY, CONCURRENCY = 0.5, 64
HEADINGS = {"faults": "## Faults", "kills": "## Kills", "throughput": "## Throughput", "cost": "## Cost"}


def say(text: str) -> None:
    """Tell what happens, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(HEADINGS), help=f"parts: {','.join(HEADINGS)}")
    parser.add_argument("--rows", type=int, default=2000, help="of the throughput part")
    parser.add_argument("--repeats", type=int, default=3, help="of the throughput part, ours and the loop in turn")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if set(wanted) - set(HEADINGS):
        parser.error(f"parts are {', '.join(HEADINGS)}")
    for part in HEADINGS:
        if part not in wanted:
            continue
        say(part)
        with tempfile.TemporaryDirectory() as folder:
            table = {"faults": faults, "kills": kills, "throughput": throughput, "cost": cost}[part](
                Path(folder), given
            )
        text = "\n".join([*table, "", about(part)])
        print(f"{HEADINGS[part]}\n\n{text}\n", flush=True)
        if given.write:
            write_section(PAGE, part, text, HEADINGS[part])


def about(part: str) -> str:
    """Where, when and how a table was measured."""
    machine = f"{os.cpu_count()} CPU cores ({_cpu()}), load {os.getloadavg()[0]:.1f} at the end"
    versions = f"Python {platform.python_version()}, openai {version('openai')}"
    return f"`python benchmarks/judges.py --only {part} --write`, {time.strftime('%Y-%m-%d')}: {machine}; {versions}."


def rows_of(header: str, lines: list[list[Any]]) -> list[str]:
    """A Markdown table."""
    names = header.split("|")
    body = [f"| {' | '.join(map(str, line))} |" for line in lines]
    return [f"| {' | '.join(n.strip() for n in names)} |", "|" + "---|" * len(names), *body]


# --------------------------------------------------------------------- throughput


def throughput(folder: Path, given: argparse.Namespace) -> list[str]:
    """Replies of 500 ms at concurrency 64: the server can give 128 a second."""
    capacity = CONCURRENCY / LATENCY
    found: dict[str, list[dict[str, Any]]] = {"engine": [], "plain": [], "stored": []}
    with Loopback(judge="hashed", latency=LATENCY, capacity=CONCURRENCY) as server:
        server.write_connections(folder / "c.yaml", concurrency=CONCURRENCY)
        for turn in range(given.repeats):
            replies = folder / f"{turn}.sqlite"
            for how in ("engine", "plain") if turn % 2 == 0 else ("plain", "engine"):
                say(f"  {how}, {given.rows:,} rows")
                found[how].append(_ask(folder, how, given.rows, "--replies", str(replies)))
            found["stored"].append(_ask(folder, "engine", given.rows, "--replies", str(replies)))
            if found["stored"][-1]["calls"]:
                raise RuntimeError("a second run asked again")
    names = {
        "engine": "this engine, every reply stored",
        "plain": "plain loop: `AsyncOpenAI` behind a semaphore, nothing stored or repeated",
        "stored": "this engine again, all replies stored",
    }
    lines = []
    for how, name in names.items():
        runs = found[how]
        speed = [given.rows / run["seconds"] for run in runs]
        share = f"{statistics.median(speed) / capacity:.1%}" if how != "stored" else "no call made"
        cpu = statistics.median(run["cpu"] for run in runs) / given.rows * 1e3
        peak, more = (statistics.median(run[k] for run in runs) for k in ("peak_mb", "before_mb"))
        lines.append(
            [name, f"{statistics.median(speed):,.1f} ({min(speed):,.1f} to {max(speed):,.1f})", share, f"{cpu:.2f} ms",
             f"{peak:.0f} MB (+{peak - more:.0f})"]
        )  # fmt: skip
    head = (
        f"{given.rows:,} rows, replies after {LATENCY * 1000:.0f} ms, {CONCURRENCY} at once: the server gives at most"
    )
    return [
        f"{head} {capacity:.0f} replies a second. Median of {given.repeats} runs, lowest and highest in brackets, the "
        "first second in which the engine feels its way up included. CPU is processor time of the asking process for a "
        "row; memory its peak, and what asking added.",
        "",
        *rows_of(" | replies/s | of capacity | CPU per row | peak memory", lines),
    ]


def _ask(folder: Path, how: str, rows: int, *words: str) -> dict[str, Any]:
    process = _start(folder, how, rows, *words)
    out, err = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(err)
    found: dict[str, Any] = json.loads(out)
    return found


def _start(folder: Path, how: str, rows: int, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "_judge_ask.py"), how, str(rows), *words]
    env = os.environ | {"CURATION_CONNECTIONS": str(folder / "c.yaml"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# ------------------------------------------------------------------------- faults

FAULTS = {
    "429": "429", "429 with Retry-After": "429", "500": "500", "503": "503", "408": "408",
    "connection closed before a byte": "closed", "cut off amid the body": "cut", "never answering": "never",
    "invalid JSON": "invalid-json", "empty body": "empty-body", "a proxy's page": "html",
    "content of a wrong type": "wrong-type", "no content": "null", "no choices": "no-choices",
    "empty content": "empty", "refusal": "refusal", "content filter": "filter", "cut by length": "length",
    "request too long (400)": "context", "400 by the filter": "filter-400", "400 of another kind": "400",
    "401": "401", "403": "403", "404, unknown model": "404", "quota used up": "quota",
}  # fmt: skip
ROWS = 24


def faults(folder: Path, _: argparse.Namespace) -> list[str]:
    """Each fault once for every row, each for good on some rows, and all of them mixed."""
    lines = []
    with Loopback(judge="hashed") as server:
        os.environ["CURATION_CONNECTIONS"] = str(
            server.write_connections(folder / "c.yaml", concurrency=CONCURRENCY, timeout=0.3)
        )
        for name, fault in FAULTS.items():
            rule = {"fault": fault} | ({"retry_after": 0.05} if "Retry" in name else {})
            once = _outcome(server, folder / f"{name}-once.sqlite", {**rule, "times": 1})
            always = _outcome(server, folder / f"{name}-always.sqlite", {**rule, "share": 0.25, "per": "text"})
            lines.append([name, once, always])
        table = rows_of(f"fault | once for each of {ROWS} rows | for good on a quarter of the rows", lines)
        server.write_connections(folder / "c.yaml", concurrency=CONCURRENCY)
        many = [_mixed(server, folder, share) for share in (0.0, 0.1, 0.2, 0.4)]
    words = "share of calls that fail | rows | with a reply | with a reason | calls | failed calls | paid twice | order"
    return [
        "What a fault leads to. Waits are short here; real ones begin at half a second and double.", "", *table, "",
        "All that a later try may mend, mixed, over 2,000 rows (slow replies among them, which do not fail):", "",
        *rows_of(words, many),
    ]  # fmt: skip


def _outcome(server: Loopback, replies: Path, rule: dict[str, Any]) -> str:
    server.tell(faults=[rule])
    server.reset()
    try:
        answers = ask_all(requests(ROWS), connection_of("judge"), Runtime(replies=replies), policy=QUICK)
    except CurationError as error:
        return (
            f"the run stops after {server.stats()['calls']} calls: {error.message.replace(server.address, 'ADDRESS')}"
        )
    calls = server.stats()["calls"]
    reasons = sorted({a.reason for a in answers if a.reply is None})
    answered = sum(a.reply is not None for a in answers)
    kinds = {(a.reply.finish, bool(a.reply.refusal)) for a in answers if a.reply} - {("stop", False)}
    kept = ["kept as a refusal" if refused else f"kept with finish `{finish}`" for finish, refused in sorted(kinds)]
    said = f"{answered} replies, {calls} calls" if answered else f"{calls} calls"
    missing = f"{ROWS - answered} missing: {', '.join(reasons)}" if reasons else ""
    return "; ".join(part for part in (said, *kept, missing) if part)


def _mixed(server: Loopback, folder: Path, share: float) -> list[Any]:
    from tests.loopback.judges import Asked, hashed

    server.tell(faults=mixed(share) if share else [], latency=0.002)
    server.reset()
    asked = requests(2000)
    answers = ask_all(asked, connection_of("judge"), Runtime(replies=folder / f"{share}.sqlite"), policy=QUICK)
    stats = server.stats(texts=True)
    right = all(
        a.reply is None
        or a.reply.text
        == hashed(Asked(list(r.messages), "\n".join(f"{role}: {text}" for role, text in r.messages))).text
        for r, a in zip(asked, answers, strict=True)
    )
    answered = sum(a.reply is not None for a in answers)
    reasons = sum(a.reply is None and bool(a.reason) for a in answers)
    failed = sum(count for fault, count in stats["faults"].items() if fault != "slow")
    twice = sum(count - 1 for count in stats["replied"].values())
    return [f"{share:.0%}", "2,000", f"{answered:,}", reasons, f"{stats['calls']:,}", failed, twice,
            "kept" if right else "**broken**"]  # fmt: skip


# -------------------------------------------------------------------------- kills


def kills(folder: Path, _: argparse.Namespace) -> list[str]:
    """Killed three times at random moments, then run to the end, and once more."""
    rows, lines = 1000, []
    for seed in range(5):
        share = 0.2 if seed % 2 else 0.0
        script = {"judge": "hashed", "latency": 0.02, "jitter": 0.02, "seed": seed, "faults": mixed(share)}
        with Loopback(**script) as server:
            server.write_connections(folder / "c.yaml", concurrency=CONCURRENCY)
            replies = folder / f"{seed}.sqlite"
            moments = sorted(random.Random(seed).sample(range(20, rows - 300), 3))
            words = ("engine", rows, "--replies", str(replies), "--quick")
            for moment in moments:
                before = server.stats()["calls"]
                process = _start(folder, *words)
                while (now := server.stats()["calls"]) < moment or now == before:
                    time.sleep(0.001)
                process.kill()
                process.communicate()
            last = _ask(folder, *words)
            stats = server.stats(texts=True)
            again = _ask(folder, *words)
        retries = sum(count for fault, count in stats["faults"].items() if fault != "slow")
        bound = rows + retries + 3 * CONCURRENCY
        twice = sum(count - 1 for count in stats["replied"].values())
        lines.append(
            [f"{share:.0%}", ", ".join(f"{m}" for m in moments), f"{stats['calls']:,}", retries, f"{bound:,}",
             "yes" if stats["calls"] <= bound else "**no**", twice, f"{last['answered']:,}", again["calls"]]
        )  # fmt: skip
    head = (
        "faults | killed at call | calls | retries | bound | held | paid twice | rows answered | calls of the next run"
    )
    return [
        f"{rows:,} rows, {CONCURRENCY} at once, `kill -9` three times, then run to the end. The bound is rows + "
        "retries + kills × concurrency; a reply is paid twice when it was under way at a kill.",
        "",
        *rows_of(head, lines),
    ]


# --------------------------------------------------------------------------- cost


def cost(folder: Path, _: argparse.Namespace) -> list[str]:
    """What storing takes."""
    count, identity = 50_000, {"endpoint": "http://127.0.0.1/v1", "model": "judge"}
    asked = requests(count)
    short = Reply("4.5\nThe answer is right and complete; one step could be clearer.", tokens_in=240, tokens_out=20)
    chances = tuple((str(k), -float(k)) for k in range(5))
    kinds = {
        "score and a sentence (64 characters)": short,
        "score and a paragraph (640 characters)": Reply(short.text * 10, tokens_in=240, tokens_out=200),
        "digit with 5 alternatives": Reply("4", tokens_in=240, tokens_out=1, first=(chances,)),
    }
    lines = []
    for number, (name, reply) in enumerate(kinds.items()):
        with ReplyStore(folder / f"{number}.sqlite") as store:
            keyed = measure(lambda: [request.key(identity) for request in asked])
            keys = keyed.result
            written = measure(
                lambda reply=reply, store=store, keys=keys: [
                    store.put(key, reply, request, identity)
                    for key, request in zip(keys, asked, strict=True)
                    if store.claim(key)
                ]
            )
            read = measure(lambda store=store, keys=keys: store.get(keys))
            known = measure(lambda store=store, keys=keys: store.has(keys))
            checked = measure(store.check)
            if len(read.result) != count or len(known.result) != count:
                raise RuntimeError("replies are missing")
            size = (folder / f"{number}.sqlite").stat().st_size
        lines.append(
            [name, f"{size / count:,.0f} bytes", *(f"{count / m.seconds:,.0f}" for m in (written, read, known, keyed)),
             f"{checked.seconds:.1f} s"]
        )  # fmt: skip
    head = "reply | on disk, each | claimed and stored/s | looked up/s | counted/s | keys made/s | whole file checked"
    return [f"{count:,} replies in one file, one process.", "", *rows_of(head, lines)]


if __name__ == "__main__":
    main()
