"""Engine: second run computes nothing, appended rows only, budgets outside nested keys, reasons of rows left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Selection
from curation.core.dataset import Row
from curation.core.errors import RecipeError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace


def rows(n: int, start: int = 0) -> list[Row]:
    made = []
    for i in range(start, start + n):
        prompt, response = f"Question number {i}?", f"Answer {i} " + "word " * (i % 13)
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        made.append(Row(messages, json.dumps({"instruction": prompt, "output": response}), "rows", i, "alpaca"))
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


LENGTHS = """
inputs: {pool: Dataset}
steps:
  length: {use: scorer/length, on: $pool, unit: characters}
  short:  {use: selector/threshold, score: $length, below: 40}
  top:    {use: selector/top-k, score: $length, keep: highest, within: $short, budget: 10}
result: $top
"""


def go(workspace: Workspace, text: str = LENGTHS, settings: tuple[str, ...] = (), pool: str = "rows"):
    made = plan(Recipe.read(text).with_settings(settings), workspace, {"pool": pool})
    return run(made, workspace, Runtime())


def test_second_run_computes_nothing(workspace):
    workspace.add_rows(rows(60), "rows")
    first, second = go(workspace), go(workspace)
    assert not any(s.reused for s in first.steps)
    assert all(s.reused for s in second.steps)
    assert np.array_equal(first.artifact("top").order, second.artifact("top").order)


def test_appended_rows_only(workspace):
    workspace.add_rows(rows(60), "rows")
    go(workspace)
    workspace.add_rows(rows(65), "more")
    fact = go(workspace, pool="more").steps[0]
    assert (fact.rows, fact.rows_reused) == (5, 60)
    lengths = go(workspace, pool="more").artifact("length")
    expected = [len(r.messages[1]["content"]) for r in rows(65)]
    assert lengths.values.tolist() == expected


def test_budget_does_not_recompute_a_nested_order(workspace):
    workspace.add_rows(rows(60), "rows")
    long = go(workspace, settings=("top.budget=12",)).artifact("top")
    orders = list((workspace.root / "orders").iterdir())
    short = go(workspace, settings=("top.budget=5",)).artifact("top")
    assert list((workspace.root / "orders").iterdir()) == orders
    assert np.array_equal(short.order, long.order[:5])


def test_every_row_says_why(workspace):
    workspace.add_rows(rows(60), "rows")
    top = go(workspace).artifact("top")
    assert isinstance(top, Selection)
    texts = [top.why(i) for i in range(60)]
    assert sum(t.startswith("in") for t in texts) == 10
    assert any("outside `short`" in t for t in texts)
    assert all("not picked" not in t for t in texts)


def test_percent_budget_counts_eligible_rows(workspace):
    workspace.add_rows(rows(60), "rows")
    outcome = go(workspace, settings=("top.budget=50%",))
    eligible = len(outcome.artifact("short"))
    assert len(outcome.artifact("top")) == int(eligible / 2 + 0.5)


def test_half_written_result_is_invisible(workspace):
    workspace.add_rows(rows(20), "rows")
    key = plan(Recipe.read(LENGTHS), workspace, {"pool": "rows"}).steps[0].key
    (workspace.root / "results" / key).mkdir()
    assert not workspace.has(key)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("top.score=$lenght",), "did you mean $length"),
        (("top.budjet=3",), "did you mean 'budget'"),
        (("top.budget=-1",), "-1"),
        (("top.score=$short",), "wants Score"),
        (("top.within=$top",), "circle"),
        (("length.use=scorer/lenght",), "scorer/length"),
        (("top.on=$length",), "Dataset"),
    ],
)
def test_mistakes_are_told_before_anything_runs(workspace, settings, words):
    workspace.add_rows(rows(20), "rows")
    with pytest.raises(RecipeError) as caught:
        go(workspace, settings=settings)
    assert words in str(caught.value)
    assert not workspace.results()


def test_two_datasets_do_not_mix(workspace):
    workspace.add_rows(rows(20), "a")
    workspace.add_rows(rows(21), "b")
    text = """
inputs: {a: Dataset, b: Dataset}
steps:
  la: {use: scorer/length, on: $a}
  lb: {use: scorer/length, on: $b}
  f:  {use: scorer/formula, columns: {x: $la, y: $lb}, expression: x + y}
result: $f
"""
    with pytest.raises(RecipeError, match="mixes datasets"):
        plan(Recipe.read(text), workspace, {"a": "a", "b": "b"})
