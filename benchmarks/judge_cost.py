"""What asking was expected to cost after a probe of 30 rows, beside what it cost.

    python benchmarks/judge_cost.py ../shared/data/alpaca_9k.json --write     # into docs/judges.md; some five minutes

The server is the one of the tests, on 127.0.0.1; its judge writes explanations of very different lengths, and one reply
in twenty says no score, so that the row is asked about again. Each seed is another random part of the rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from _browser_table import _cpu  # noqa: E402
from _sections import write_section  # noqa: E402

from curation.core.dataset import Dataset  # noqa: E402
from curation.core.errors import CapReached  # noqa: E402
from curation.core.method import find  # noqa: E402
from curation.core.runtime import Runtime  # noqa: E402
from curation.core.spending import Caps, Meter  # noqa: E402
from curation.estimates.asking import Cost, compare, probe  # noqa: E402
from curation.estimates.extrapolate import Range  # noqa: E402
from curation.models.chat.asking import Asking  # noqa: E402
from curation.workspace import Workspace  # noqa: E402
from tests.loopback import Loopback  # noqa: E402
from tests.loopback.judges import Asked, Said, evolve, scored  # noqa: E402
from tests.loopback.script import drawn  # noqa: E402

PAGE, SECTION, HEADING = ROOT / "docs" / "judges.md", "estimates", "## Estimate, cap, actual"
PRICES = {"input": 0.15, "output": 0.6, "currency": "USD"}
UNREADABLE = 0.05
WORDS = (
    "the",
    "answer",
    "is",
    "right",
    "but",
    "says",
    "more",
    "than",
    "was",
    "asked",
    "and",
    "leaves",
    "out",
    "a",
    "step",
)


def talkative(asked: Asked) -> Said:
    """A score by a hash, and an explanation whose length is spread like a log-normal; one in twenty has no score."""
    if drawn(asked.text, "unreadable") < UNREADABLE:
        return Said("I would rather not put a number on this.")
    spread = sum(drawn(asked.text, place) for place in range(12)) - 6  # nearly normal
    words = max(3, round(math.exp(3.3 + 0.6 * spread)))
    why = " ".join(WORDS[(place * 7) % len(WORDS)] for place in range(min(words, 200)))
    return scored(asked, int(drawn(asked.text) * 11) / 2, why)


def families(asked: Asked) -> Said | str:
    """As the judge of the tests that writes harder variants and ranks them."""
    return evolve(asked)


def say(text: str) -> None:
    """Tell what happens, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def measured(use: str, fields: dict[str, Any], pool: Dataset, folder: Path) -> tuple[Cost, dict[str, Any], float]:
    """Probe, then ask about the rest: the expected cost, what was spent after the probe, and seconds."""
    method = find(use)(**fields)
    assert isinstance(method, Asking)
    runtime = Runtime(replies=folder / f"{time.monotonic_ns()}.sqlite")
    cost = probe(method, pool, runtime)
    meter, start = Meter(), time.perf_counter()
    resolved = method.resolve(runtime)
    getattr(resolved, resolved.verb)(pool, dataclasses.replace(runtime, meter=meter))
    return cost, meter.facts(), time.perf_counter() - start


def capped(pool: Dataset, money: float, folder: Path) -> Meter:
    """What is spent under a cap that does not suffice."""
    method, meter = find("scorer/alpagasus")(), Meter()
    runtime = Runtime(replies=folder / "capped.sqlite", caps=Caps(money=money), meter=meter)
    try:
        method.resolve(runtime).score(pool, runtime)  # type: ignore[attr-defined]
    except CapReached:
        return meter
    raise RuntimeError("the cap was not reached")


def span(of: Range, digits: int) -> str:
    """A number with its interval."""
    return f"{of.value:,.{digits}f} ({of.low:,.{digits}f} – {of.high:,.{digits}f})"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1500, help="of each seed's part")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-whole", action="store_true", help="leave out the run over all rows")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pool = Workspace.open(folder / "ws").add(given.file).dataset
        lines = [*head(), *table(pool, folder, given)]
    lines += ["", about(given)]
    print("\n".join(lines))
    if given.write:
        write_section(PAGE, SECTION, "\n".join(lines), HEADING)


def table(pool: Dataset, folder: Path, given: argparse.Namespace) -> list[str]:
    """A line for every run, then what all came to."""
    runs: list[tuple[str, Cost, dict[str, Any], float]] = []
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")])
    with Loopback(judge="judge_cost:talkative", latency=0.05) as server:
        os.environ["CURATION_CONNECTIONS"] = str(server.write_connections(folder / "c.yaml", prices=PRICES))
        for seed in range(given.seeds):
            say(f"seed {seed}")
            rows = np.sort(np.random.default_rng(seed).choice(len(pool), min(given.rows, len(pool)), replace=False))
            part = pool.take(rows)
            runs.append(
                (f"alpagasus, {len(part):,} rows, seed {seed}", *measured("scorer/alpagasus", {}, part, folder))
            )
        if not given.no_whole:
            say("all rows")
            runs.append((f"alpagasus, all {len(pool):,} rows", *measured("scorer/alpagasus", {}, pool, folder)))
        say("a cap")
        cap = 0.05
        spent = capped(pool, cap, folder)
    with Loopback(judge="judge_cost:families", latency=0.05) as server:
        os.environ["CURATION_CONNECTIONS"] = str(server.write_connections(folder / "c.yaml", prices=PRICES))
        for seed in range(2):
            say(f"families, seed {seed}")
            rows = np.sort(np.random.default_rng(seed).choice(len(pool), 200, replace=False))
            made = measured("generator/evol-complexity", {}, pool.take(rows), folder)
            runs.append((f"evol-complexity, 200 rows, seed {seed}", *made))
    made = [line(*run) for run in runs]
    inside = [each.inside for _, cost, facts, _ in runs for each in compare(cost, facts)]
    off = [abs(each.off) for _, cost, facts, _ in runs for each in compare(cost, facts) if each.name == "money"]
    return [
        *made,
        "",
        f"{sum(inside)} of {len(inside)} intervals hold what came (95 % are promised); money was off by "
        f"{100 * float(np.median(off)):.1f} % in the middle and {100 * max(off):.1f} % at most. Under a cap of "
        f"{cap:.2f} USD, too little for the whole file, {spent.money:.4f} USD were spent in {spent.calls:,} calls.",
    ]


def head() -> list[str]:
    """Of the table."""
    names = ["run", "requests", "tokens read", "tokens written", "USD", "off", "seconds"]
    return ["Expected (95 % interval) → actual.", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def line(name: str, cost: Cost, facts: dict[str, Any], seconds: float) -> str:
    """One run."""
    cells = []
    for each in compare(cost, facts):
        digits = 4 if each.name == "money" else 0
        mark = "" if each.inside else " ✗"
        cells.append(f"{span(each.expected, digits)} → {each.actual:,.{digits}f}{mark}")
    off = next(each.off for each in compare(cost, facts) if each.name == "money")
    assert cost.seconds is not None
    times = f"{cost.seconds.low:,.0f} – {cost.seconds.high:,.0f} → {seconds:,.0f}"
    return f"| {' | '.join([name, *cells, f'{100 * off:+.1f} %', times])} |"


def about(given: argparse.Namespace) -> str:
    """Where, when and how it was measured."""
    machine = f"{os.cpu_count()} CPU cores ({_cpu()}), load {os.getloadavg()[0]:.1f} at the end"
    versions = f"Python {platform.python_version()}, openai {version('openai')}"
    return (
        f"`python benchmarks/judge_cost.py {given.file} --write`, {time.strftime('%Y-%m-%d')}: server on the same "
        f"machine, replies after 50 ms; {machine}; {versions}. ✗: outside its interval. Seconds: from as many requests "
        "at once as the connection allows to as many as in the probe."
    )


if __name__ == "__main__":
    main()
