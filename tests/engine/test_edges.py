"""Edges of the engine: empty selections, missing rows, budgets of every unit, what a store remembers."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing, Score
from curation.core.dataset import Row
from curation.core.errors import CurationError, RecipeError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace, files

TOPICS = (
    "cats sleep on warm roofs",
    "stocks fell when rates rose",
    "bread needs yeast and time",
    "rivers reach the sea",
)


def rows(n: int, blank: tuple[int, ...] = (), start: int = 0) -> list[Row]:
    made = []
    for i in range(start, start + n):
        prompt, response = f"Question {i} about {TOPICS[i % 4]}?", f"{TOPICS[i % 4]} " * (1 + i % 9) + str(i)
        if i in blank:
            prompt = response = " "
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        made.append(Row(messages, json.dumps({"instruction": prompt, "output": response}), "rows", i, "alpaca"))
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    ws = Workspace.open(tmp_path / "ws")
    ws.add_rows(rows(60), "rows")
    return ws


def go(workspace: Workspace, text: str, *settings: str, pool: str = "rows", **bound: str):
    made = plan(Recipe.read(text).with_settings(settings), workspace, {"pool": pool, **bound})
    return run(made, workspace, Runtime())


WITHIN = """
inputs: {pool: Dataset}
steps:
  length: {use: scorer/length, on: $pool, unit: characters}
  short:  {use: selector/threshold, score: $length, below: 120}
  inner:  {use: selector/threshold, score: $length, above: 60, within: $short}
  rich:   {use: scorer/compression, on: $pool, within: $inner}
  words:  {use: encoder/tfidf, on: $pool, within: $inner}
result: $rich
"""


def test_row_wise_and_whole_steps_give_the_same_reasons_for_rows_outside(workspace):
    outcome = go(workspace, WITHIN)
    rich, words = outcome.artifact("rich"), outcome.artifact("words")
    length = outcome.artifact("length").values
    for row in range(60):
        expected = (
            "outside `short`: at or above 120" if length[row] >= 120 else
            "outside `inner`: at or below 60" if length[row] <= 60 else None
        )  # fmt: skip
        reasons = (rich.missing.reason(row), words.missing.reason(row))
        assert [r is None for r in reasons] == [expected is None] * 2, row
        if expected:
            assert all(r.split(":")[0] == expected.split(":")[0] for r in reasons), (row, reasons)
    assert np.isnan(rich.values[rich.missing.mask]).all()


def test_a_row_wise_step_within_nothing_says_so(workspace):
    with pytest.raises(CurationError, match="no row is left") as caught:
        go(workspace, WITHIN, "short.below=-1", "rich.within=$short", "inner.within=null")
    assert "short" in str(caught.value)


def test_names_and_reasons_do_not_depend_on_what_else_is_stored(workspace, tmp_path):
    text = "inputs: {pool: Dataset}\nsteps: {l: {use: labeller/language, on: $pool}}\nresult: $l\n"
    french = [
        {"role": "user", "content": "Pouvez-vous me dire où se trouve la gare la plus proche de cette ville ?"},
        {"role": "assistant", "content": "La gare se trouve derrière la mairie, à cinq minutes à pied d'ici."},
    ]
    other = Workspace.open(tmp_path / "other")
    for ws in (workspace, other):
        ws.add_rows(rows(30, blank=(3,)), "mine")
    workspace.add_rows([Row(french, "{}", "f", 0, "alpaca"), *rows(2, blank=(1,))], "french")
    go(workspace, text, pool="french")
    here, there = (go(ws, text, pool="mine").artifact("l") for ws in (workspace, other))
    assert here.names == there.names
    assert here.codes.tolist() == there.codes.tolist()
    assert here.missing.reasons == there.missing.reasons


CHAIN = """
inputs: {pool: Dataset}
steps:
  embed:    {use: encoder/tfidf, on: $pool}
  graph:    {use: neighbours, features: $embed, k: 8}
  map:      {use: layout, neighbours: $graph, features: $embed, neighbors: 5}
  clusters: {use: labeller/clusters, layout: $map}
  knn:      {use: scorer/knn-distance, neighbours: $graph}
  pick:     {use: selector/k-center, features: $embed, budget: 9}
  cover:    {use: coverage, selection: $pick, features: $embed, labels: $clusters}
result: $pick
"""


def test_rows_without_features_stay_missing_through_every_step(workspace):
    workspace.add_rows(rows(60, blank=(7, 20)), "gaps")
    outcome = go(workspace, CHAIN, pool="gaps")
    for name in ("embed", "graph", "map", "clusters", "knn"):
        missing = outcome.artifact(name).missing
        assert np.flatnonzero(missing.mask).tolist() == [7, 20], name
        assert missing.reason(7) == "no words", name
    pick = outcome.artifact("pick")
    assert not {7, 20} & set(pick.order.tolist())
    assert "no words" in pick.why(7)
    assert all(np.isfinite(v) for v in outcome.artifact("cover").table.values())


def test_features_that_are_zero_or_not_finite_break_nothing(workspace):
    fingerprint = workspace.dataset("rows").fingerprint
    values = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    values[3], values[5, 2], values[8, 0] = 0.0, np.nan, np.inf
    workspace.publish("f" * 32, Features(fingerprint, values, Missing.none(60)), {"use": "encoder/x"})
    text = CHAIN.replace("inputs: {pool: Dataset}", "inputs: {pool: Dataset, embed: Features}")
    text = text.replace("  embed:    {use: encoder/tfidf, on: $pool}\n", "")
    outcome = go(workspace, text, embed="f" * 32)
    assert not {3, 5, 8} & set(outcome.artifact("pick").order.tolist())
    assert np.isnan(outcome.artifact("map").xy[[3, 5, 8]]).all()
    assert np.isfinite(np.delete(outcome.artifact("map").xy, [3, 5, 8], axis=0)).all()


def test_one_row_goes_the_whole_way(workspace):
    workspace.add_rows(rows(1), "one")
    outcome = go(workspace, CHAIN, pool="one")
    assert outcome.artifact("pick").order.tolist() == [0]
    assert outcome.artifact("pick").short_by == 8


DUPLICATES = """
inputs: {pool: Dataset}
steps:
  embed: {use: encoder/tfidf, on: $pool}
  pick:  {use: selector/k-center, features: $embed, budget: 10}
result: $pick
"""


def test_an_order_that_ends_early_is_short_by_this_budget_whatever_was_asked_before(workspace):
    workspace.add_rows([*rows(12), *rows(12)], "twice")
    sizes = {b: go(workspace, DUPLICATES, f"pick.budget={b}", pool="twice").artifact("pick") for b in (20, 14, 24, 40)}
    for budget, pick in sizes.items():
        assert len(pick) == 12
        assert pick.short_by == budget - 12, budget
        assert "identical" in pick.short_reason


def test_a_longer_order_extends_and_replaces_the_shorter(workspace):
    short = go(workspace, DUPLICATES, "pick.budget=5").artifact("pick").order
    step = plan(Recipe.read(DUPLICATES), workspace, {"pool": "rows"}).step("pick")
    assert [f.name for f in (workspace.root / "orders").iterdir()] == [f"{step.order_key}-5"]
    long = go(workspace, DUPLICATES, "pick.budget=30").artifact("pick").order
    assert [f.name for f in (workspace.root / "orders").iterdir()] == [f"{step.order_key}-30"]
    assert long[:5].tolist() == short.tolist()


TOKENS = """
inputs: {pool: Dataset}
steps:
  length: {use: scorer/length, on: $pool, text: both}
  embed:  {use: encoder/tfidf, on: $pool}
  pick:   {use: selector/k-center, features: $embed, tokens: $length, budget: 100 tokens}
result: $pick
"""


@pytest.mark.parametrize("budget", [60, 100, 400, 900])
def test_token_budgets_take_picks_until_the_next_would_not_fit(workspace, budget):
    outcome = go(workspace, TOKENS, f"pick.budget={budget} tokens")
    whole = go(workspace, TOKENS, "pick.budget=60").artifact("pick").order
    counts = outcome.artifact("length").values
    spent = np.cumsum(counts[whole])
    fits = int(np.searchsorted(spent, budget, side="right"))
    assert outcome.artifact("pick").order.tolist() == whole[:fits].tolist()
    assert outcome.artifact("pick").info["tokens"] == spent[fits - 1]


def test_token_budgets_too_small_or_larger_than_everything(workspace):
    with pytest.raises(CurationError, match="not one row fits into 1 tokens"):
        go(workspace, TOKENS, "pick.budget=1 tokens")
    everything = go(workspace, TOKENS, "pick.budget=5M tokens")
    assert len(everything.artifact("pick")) == 60
    assert everything.artifact("pick").short_by == 0


def test_rows_without_a_token_count_are_not_free(workspace):
    counts = np.full(60, 10.0)
    counts[::2] = np.nan
    score = Score(
        workspace.dataset("rows").fingerprint, counts, Missing.where(np.isnan(counts), "not counted"), "tokens"
    )
    workspace.publish("a" * 32, score, {})
    text = TOKENS.replace("inputs: {pool: Dataset}", "inputs: {pool: Dataset, length: Score}")
    text = text.replace("  length: {use: scorer/length, on: $pool, text: both}\n", "")
    pick = go(workspace, text, length="a" * 32).artifact("pick")
    assert len(pick) == 10
    assert (pick.order % 2 == 1).all()
    assert {pick.why(i).split(";")[0] for i in range(0, 60, 2)} >= {"out: no token count"}


def test_a_token_budget_without_a_nested_order_is_refused_before_anything_runs(workspace):
    text = TOKENS.replace("selector/k-center, features: $embed", "selector/random, draw: uniform")
    made = Recipe.read(text)
    from curation.selectors.random import Random

    if Random(budget=5).is_nested():
        assert plan(made, workspace, {"pool": "rows"}).step("pick").order_key
    from curation.core.method import discover

    flat = [
        u for u, c in discover().items() if "budget" in c.model_fields and not c(**{}).is_nested() and not c.ports()
    ]
    for use in flat:
        with pytest.raises(RecipeError, match="nested"):
            plan(Recipe.read(text.replace("selector/random, draw: uniform", use)), workspace, {"pool": "rows"})


def test_percent_of_nearly_nothing_is_one_row(workspace):
    assert len(go(workspace, DUPLICATES, "pick.budget=0.001%").artifact("pick")) == 1
    assert len(go(workspace, DUPLICATES, "pick.budget=100%").artifact("pick")) == 60


def test_optional_inputs_may_stay_unbound(workspace):
    text = """
inputs: {pool: Dataset, first: {type: Selection, optional: true}}
steps:
  embed: {use: encoder/tfidf, on: $pool}
  pick:  {use: selector/k-center, features: $embed, within: $first, budget: 4}
result: $pick
"""
    free = go(workspace, text).artifact("pick")
    bound = go(workspace, DUPLICATES, "pick.budget=6")
    inside = go(workspace, text, first=bound.result.key).artifact("pick")
    assert len(free) == len(inside) == 4
    assert set(inside.order.tolist()) <= set(bound.artifact("pick").order.tolist())
    with pytest.raises(RecipeError, match="wants selection"):
        go(workspace, text, first=bound.steps[0].key)
    with pytest.raises(CurationError, match="no result nothing"):
        go(workspace, text, first="nothing")


def test_an_optional_dataset_left_unbound_is_told(workspace):
    text = """
inputs: {pool: Dataset, more: {type: Dataset, optional: true}}
steps: {l: {use: scorer/length, on: $more}}
result: $l
"""
    with pytest.raises(RecipeError, match="not bound"):
        go(workspace, text)


def test_a_full_disk_is_told_and_leaves_nothing_behind(workspace, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "publish", full)
    with pytest.raises(CurationError, match="step 'embed' .*the disk is full") as caught:
        go(workspace, DUPLICATES)
    assert "prune" in caught.value.hint
    assert not list((workspace.root / "tmp").iterdir())
    monkeypatch.undo()
    assert len(go(workspace, DUPLICATES).artifact("pick")) == 10


def test_a_row_wise_method_that_loses_rows_is_a_bug_not_a_result(workspace):
    store = workspace.row_store("r" * 32)
    ids = workspace.dataset("rows").contents
    with pytest.raises(AssertionError, match="59 results for 60 rows"):
        store.append(ids, Score("d", np.zeros(59), Missing.none(59), "x"))
