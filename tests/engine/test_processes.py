"""Several processes in one workspace: one computes and the other waits; killed at any moment, nothing is done twice."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

RECIPE = """
inputs: {pool: Dataset}
steps:
  mtld:  {use: scorer/mtld, on: $pool, text: both}
  near:  {use: labeller/near-duplicates, on: $pool}
  top:   {use: selector/top-k, score: $mtld, keep: highest, budget: 50}
result: $top
"""
RUN = """
import json, sys
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
ws = Workspace.open(sys.argv[1])
made = plan(Recipe.read(open(sys.argv[2]).read()), ws, {"pool": sys.argv[3]})
print("go", flush=True)
sys.stdin.readline()
done = run(made, ws, Runtime())
print(json.dumps([[s.name, s.reused, s.rows, s.rows_reused] for s in done.steps]))
"""


def rows(n: int, start: int = 0, words: int = 150) -> list[Row]:
    made = []
    for i in range(start, start + n):
        text = " ".join(f"word{(i * 31 + k * k) % 997}" for k in range(words))
        messages = [{"role": "user", "content": f"Question {i}?"}, {"role": "assistant", "content": text}]
        record = json.dumps({"instruction": f"Question {i}?", "output": text})
        made.append(Row(messages, record, "rows", i, "alpaca"))
    return made


class Process:
    """`engine.run` in a process of its own, which begins when told."""

    def __init__(self, workspace: Workspace, recipe: Path, pool: str, segment: str = "0.05") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(workspace.root), str(recipe), pool],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"CURATION_SEGMENT_SECONDS": segment, "PATH": "/usr/bin:/bin"},
        )
        assert self.process.stdout.readline() == "go\n"

    def go(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def facts(self) -> dict[str, list]:
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return {name: rest for name, *rest in json.loads(out)}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "a folder")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def stored(workspace: Workspace) -> np.ndarray:
    """Content hashes of all stored row-wise results, one for each time that a row was computed."""
    found = [np.empty(0, "S16")]
    for file in (workspace.root / "rows").glob("*/*/ids.npy"):
        with contextlib.suppress(FileNotFoundError):  # segments are joined meanwhile
            found.append(np.load(file))
    return np.concatenate(found)


def test_two_processes_that_want_the_same_compute_it_once(workspace, recipe):
    workspace.add_rows(rows(600), "rows")
    both = [Process(workspace, recipe, "rows") for _ in range(2)]
    for process in both:
        process.go()
    facts = [process.facts() for process in both]
    for name in ("mtld", "near", "top"):
        assert sorted(f[name][0] for f in facts) == [False, True], name
    assert len(stored(workspace)) == 600


def test_two_datasets_that_share_rows_compute_the_shared_ones_once(workspace, recipe):
    workspace.add_rows(rows(600), "first")
    workspace.add_rows(rows(600, start=300), "second")
    both = [Process(workspace, recipe, "first"), Process(workspace, recipe, "second")]
    for process in both:
        process.go()
    computed = [process.facts()["mtld"][1] for process in both]
    assert sorted(computed) == [300, 600]
    ids = stored(workspace)
    assert len(ids) == len(np.unique(ids)) == 900


def test_killed_again_and_again_nothing_stored_is_computed_again(workspace, recipe, tmp_path):
    workspace.add_rows(rows(1200), "rows")
    rng = random.Random(5)
    kept: set[bytes] = set()
    for _ in range(5):
        process = Process(workspace, recipe, "rows", segment="0.02")
        process.go()
        wanted = min(len(kept) + rng.randrange(1, 200), 1200)
        while process.process.poll() is None and len(set(stored(workspace).tolist())) < wanted:
            time.sleep(0.003)
        time.sleep(rng.uniform(0, 0.02))
        process.process.kill()
        process.process.communicate()
        now = stored(workspace)
        assert kept <= set(now.tolist())
        kept = set(now.tolist())
        for folder in (workspace.root / "results").iterdir():
            workspace.load(folder.name)  # what can be seen is whole
    assert len(kept) > 100
    final = Process(workspace, recipe, "rows")
    final.go()
    facts = final.facts()
    assert facts["mtld"][0] or facts["mtld"][2] >= len(kept)
    quiet = Workspace.open(tmp_path / "undisturbed")
    quiet.add_rows(rows(1200), "rows")
    expected = run(plan(Recipe.read(RECIPE), quiet, {"pool": "rows"}), quiet, Runtime())
    got = run(plan(Recipe.read(RECIPE), workspace, {"pool": "rows"}), workspace, Runtime())
    assert all(s.reused for s in got.steps)
    assert np.array_equal(got.artifact("mtld").values, expected.artifact("mtld").values, equal_nan=True)
    assert np.array_equal(got.artifact("near").codes, expected.artifact("near").codes)
    assert np.array_equal(got.artifact("top").order, expected.artifact("top").order)
    workspace.prune()
    assert not list((workspace.root / "tmp").iterdir())
