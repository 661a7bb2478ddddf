"""One recipe from file to export on a real file: time and peak memory of each step, again, and after appending rows.

python benchmarks/end_to_end.py ../shared/data/alpaca_9k.json [--append 100] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from _measure import Row, report

from curation import jobs
from curation.core.method import discover
from curation.engine import StepFact
from curation.recipe import Recipe
from curation.workspace import Workspace

NOT_INDICATORS = {"scorer/formula", "scorer/column"}  # they need an expression or a field's name


def recipe(budget: int) -> Recipe:
    """Embed, graph, layout, clusters, every indicator and label, k-center, coverage, export."""
    steps: dict = {
        "embed": {"use": "encoder/sentence", "on": "$pool"},
        "graph": {"use": "neighbours", "features": "$embed"},
        "map": {"use": "layout", "neighbours": "$graph", "features": "$embed"},
        "clusters": {"use": "labeller/clusters", "layout": "$map"},
    }
    for use, cls in discover().items():
        family, _, name = use.partition("/")
        if family != "scorer" and use not in (
            "labeller/language",
            "labeller/exact-duplicates",
            "labeller/near-duplicates",
            "labeller/semantic-duplicates",
        ):
            continue
        if use not in NOT_INDICATORS:
            needs = {"neighbours": "$graph"} if "neighbours" in cls.ports() else {"on": "$pool"}
            steps[name] = {"use": use, **needs}
    steps["pick"] = {"use": "selector/k-center", "features": "$embed", "budget": budget}
    steps["coverage"] = {"use": "coverage", "selection": "$pick", "features": "$embed", "labels": "$clusters"}
    scores = {n: f"${n}" for n, s in steps.items() if s["use"].startswith("scorer/")}
    steps["export"] = {"use": "exporter/alpaca", "selection": "$pick", "scores": scores, "coverage": "$coverage"}
    return Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$pick"})


def go(workspace: Workspace, file: Path, name: str, budget: int) -> tuple[float, float, list[StepFact]]:
    """Seconds of reading, seconds of everything after, and the steps."""
    start = time.perf_counter()
    dataset = workspace.add(file, name=name).dataset
    read = time.perf_counter() - start
    start = time.perf_counter()
    _, outcome = jobs.run_here(workspace, recipe(budget), {"pool": dataset.fingerprint})
    return read, time.perf_counter() - start, outcome.steps


def main() -> None:
    """Run it three times and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--append", type=int, default=100)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        workspace = Workspace.open(folder / "ws")
        read, first, steps = go(workspace, options.file, "whole", options.budget)
        _, second, again = go(workspace, options.file, "whole", options.budget)
        records = json.loads(options.file.read_text(encoding="utf-8"))
        rng = random.Random(0)
        more = [
            {**rng.choice(records), "output": f"New answer number {i}, of {rng.random()}."}
            for i in range(options.append)
        ]
        longer = folder / "longer.json"
        longer.write_text(json.dumps(records + more), encoding="utf-8")
        _, third, appended = go(workspace, longer, "longer", options.budget)
        table = [Row("read the file", None, read, 0.0, None)]
        table += [Row(s.name, None, s.seconds, s.peak_mb, None) for s in steps]
        whole = "first run"
        table.append(Row(whole, None, first, max(s.peak_mb for s in steps), None))
        table.append(Row("second run", first / second, second, max(s.peak_mb for s in again), whole))
        peak = max(s.peak_mb for s in appended)
        table.append(Row(f"after appending {options.append} rows", first / third, third, peak, whole))
        report(table, options.json)
        if not options.json:
            computed = {s.name: s.rows for s in appended if s.rows_key}
            sys.stdout.write(f"rows computed by row-wise steps after appending: {computed}\n")
            reused = sum(s.reused for s in again)
            sys.stdout.write(f"steps reused in the second run: {reused} of {len(again)} (the export always acts)\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
