"""How well estimates do: every step's estimated against actual time, memory and disk.

    python benchmarks/estimates.py assets/demo.json ../shared/data/alpaca_9k.json

For each file twice, every time in a process of its own: in a new workspace (estimates from the calibration alone), then
with the results forgotten and the timings kept (estimates from history). `--json` prints the list that every benchmark
prints, `--markdown` the table of docs/estimates.md. `--cpu` counts processor seconds on both sides instead of wall
time: the only fair way on a machine that others use at the same time.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = """
inputs: {pool: Dataset}
steps:
  embed:       {use: encoder/sentence, on: $pool}
  tfidf:       {use: encoder/tfidf, on: $pool}
  graph:       {use: neighbours, features: $embed}
  map:         {use: layout, neighbours: $graph, features: $embed}
  clusters:    {use: labeller/clusters, layout: $map}
  kmeans:      {use: labeller/kmeans, features: $embed}
  length:      {use: scorer/length, on: $pool}
  mtld:        {use: scorer/mtld, on: $pool}
  ttr:         {use: scorer/type-token-ratio, on: $pool}
  compression: {use: scorer/compression, on: $pool}
  repetition:  {use: scorer/repetition, on: $pool}
  readability: {use: scorer/readability, on: $pool}
  overlap:     {use: scorer/overlap, on: $pool}
  boilerplate: {use: scorer/boilerplate, on: $pool}
  knn:         {use: scorer/knn-distance, neighbours: $graph}
  language:    {use: labeller/language, on: $pool}
  exact:       {use: labeller/exact-duplicates, on: $pool}
  near:        {use: labeller/near-duplicates, on: $pool}
  semantic:    {use: labeller/semantic-duplicates, neighbours: $graph}
  random:      {use: selector/random, on: $pool, budget: 10%}
  top:         {use: selector/top-k, score: $length, keep: highest, budget: 10%}
  center:      {use: selector/k-center, features: $embed, budget: 10%}
  coverage:    {use: coverage, selection: $center, features: $embed, labels: $clusters}
result: $center
"""
SLACK_S = 0.25
"""Steps below this are too short for a share: an error below it is counted as right."""


_CPU = """
import runpy, sys, time
time.perf_counter = time.process_time
runpy.run_module("curation.estimates", run_name="__main__")
"""


def count_processor_seconds() -> None:
    """From now on the engine and its calibration measure processor time."""
    import time

    from curation.estimates import calibration

    time.perf_counter = time.process_time
    start = subprocess.run

    def instead(command: list[str], **more: object) -> subprocess.CompletedProcess:
        return start([sys.executable, "-c", _CPU, *command[3:]], **more)

    calibration.subprocess = argparse.Namespace(run=instead, TimeoutExpired=subprocess.TimeoutExpired)


def one_run(root: str, name: str, cpu: bool) -> None:
    """Estimate, run, and print what was foreseen and what came, as JSON."""
    from curation.core.runtime import Runtime
    from curation.engine import run
    from curation.estimates import estimate
    from curation.recipe import Recipe, plan
    from curation.workspace import Workspace, folder_bytes

    if cpu:
        count_processor_seconds()
    workspace = Workspace.open(root)
    runtime = Runtime(workers=2)
    made = plan(Recipe.read(STEPS), workspace, {"pool": name}, runtime)
    foreseen = {e.step: e for e in estimate(made, workspace, runtime)}
    before: dict[str, float] = {}

    def resident(step: str, index: int, count: int) -> None:
        line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmRSS"))
        before[step] = int(line.split()[1]) / 1024

    lines = []
    for fact in run(made, workspace, runtime, on_step=resident).steps:
        e = foreseen[fact.name]
        disk = sum(
            folder_bytes(workspace.root / area / key)
            for area, key in (("results", fact.key), ("rows", fact.rows_key)) if key
        ) + sum(folder_bytes(f) for f in (workspace.root / "orders").glob(f"{fact.order_key}-*"))  # fmt: skip
        lines.append(
            {
                "step": fact.name,
                "use": fact.use,
                "estimated": e.seconds,
                "low": e.low,
                "high": e.high,
                "basis": e.basis,
                "seconds": fact.seconds,
                "memory": e.memory / 1e6,
                "peak_mb": max(fact.peak_mb - before[fact.name], 0.0),
                "disk": e.disk / 1e6,
                "disk_used": disk / 1e6,
            }  # fmt: skip
        )
    print(json.dumps(lines))


def right(line: dict) -> bool:
    """Within a quarter, or off by less than can be told."""
    return abs(line["estimated"] - line["seconds"]) <= max(0.25 * line["seconds"], SLACK_S)


def measure(file: str, cpu: bool) -> dict[str, list[dict]]:
    """Both runs of one file."""
    from curation.workspace import Workspace

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "ws")
        name = workspace.add(file).dataset.fingerprint
        for basis in ("calibration", "history"):
            command = [sys.executable, __file__, "--one-run", str(workspace.root), name, *(["--cpu"] if cpu else [])]
            done = subprocess.run(command, text=True, capture_output=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            found[basis] = json.loads(done.stdout)
            for area in ("results", "rows", "orders"):
                shutil.rmtree(workspace.root / area)
                (workspace.root / area).mkdir()
    return found


def show(title: str, lines: list[dict], markdown: bool) -> None:
    """Print one table."""
    good = sum(right(line) for line in lines)
    total, foreseen = sum(x["seconds"] for x in lines), sum(x["estimated"] for x in lines)
    print(f"\n{'## ' if markdown else ''}{title}\n")
    head = ("step", "estimated s", "actual s", "ratio", "memory MB: estimated", "peak above start", "disk MB", "used")
    if markdown:
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for x in lines:
        ratio = x["estimated"] / max(x["seconds"], 1e-9)
        cells = (
            x["step"], f"{x['estimated']:.2f}", f"{x['seconds']:.2f}", f"{ratio:.2f}{'' if right(x) else ' !'}",
            f"{x['memory']:.0f}", f"{x['peak_mb']:.0f}", f"{x['disk']:.2f}", f"{x['disk_used']:.2f}",
        )  # fmt: skip
        print("| " + " | ".join(cells) + " |" if markdown else "".join(f"{c:<14}" for c in cells))
    print(
        f"\n{good} of {len(lines)} steps within 25 % or {SLACK_S} s; together {foreseen:.1f} s estimated, "
        f"{total:.1f} s actual (ratio {foreseen / total:.2f})."
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--one-run", nargs=2, metavar=("WORKSPACE", "DATASET"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    args = parser.parse_args()
    if args.one_run:
        one_run(*args.one_run, args.cpu)
        return
    plain = []
    for file in args.files:
        for basis, lines in measure(file, args.cpu).items():
            if not args.json:
                show(f"{Path(file).name}, estimates from {basis}", lines, args.markdown)
            for x in lines:
                ratio = x["estimated"] / x["seconds"] if x["seconds"] else math.nan
                facts = {"ratio": ratio if math.isfinite(ratio) else None, "seconds": x["seconds"]}
                name = f"{Path(file).stem}: {x['step']} from {basis}"
                plain.append({"name": name, **facts, "peak_mb": x["peak_mb"], "baseline": "estimate / actual"})
    if args.json:
        print(json.dumps(plain))


if __name__ == "__main__":
    main()
