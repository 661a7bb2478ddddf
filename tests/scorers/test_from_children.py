"""Scores of made rows brought back to their parents, against a loop; in a recipe, with rows that have no children."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import NO_ROW, Missing, Score
from curation.core.dataset import Dataset, Row, from_pairs, in_memory
from curation.core.errors import CurationError, RecipeError
from curation.core.generated import Made
from curation.core.method import Generator, Method, find
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.recipe import planning as planning_module
from curation.scorers.from_children import CHILDLESS, FromChildren, of_parents
from curation.workspace import Workspace

AGGREGATES = ("first", "mean", "min", "max")


def of_parents_naive(values, parents, n, aggregate):
    out, counts = np.full(n, np.nan), np.zeros(n, int)
    for parent in range(n):
        mine = [v for v, p in zip(values, parents, strict=True) if p == parent]
        counts[parent] = len(mine)
        good = mine[:1] if aggregate == "first" else [v for v in mine if np.isfinite(v)]
        if good:
            out[parent] = {"first": good[0], "mean": np.mean(good), "min": min(good), "max": max(good)}[aggregate]
    return out, counts


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("seed", range(5))
def test_it_equals_the_loop(aggregate, seed):
    rng = np.random.default_rng(seed)
    m, n = int(rng.integers(0, 60)), int(rng.integers(1, 25))
    parents = rng.integers(NO_ROW, n, m)
    values = np.where(rng.random(m) < 0.3, np.nan, rng.normal(size=m))
    found, children, first = of_parents(values, parents, n, aggregate)
    expected, counts = of_parents_naive(values, parents, n, aggregate)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(children, counts)
    assert all(parents[first[i]] == i and i not in parents[: first[i]] for i in range(n) if counts[i])
    assert (first[counts == 0] == NO_ROW).all()


def made_of(pool: Dataset, parents: list[int | None]) -> Dataset:
    rows = []
    for i, parent in enumerate(parents):
        turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": f"a {i}"}]
        rows.append(Row(turns, "{}", "made", i, "messages", None, None if parent is None else pool.row_id(parent)))
    return in_memory(rows, "made")


POOL = from_pairs([("same", "same"), ("same", "same"), ("b", "c"), ("d", "e")])  # the first two are copies
PARENTS = [2, 0, None, 1, 2, 0, 2]


def scores(made: Dataset, values: list[float], reason: str = "the answer is empty") -> Score:
    found = np.array(values)
    return Score(made.fingerprint, found, Missing.where(np.isnan(found), reason), "reward", True, info={"model": "m"})


def test_permuted_parents_copies_and_several_children():
    made = made_of(POOL, PARENTS)
    score = scores(made, [5.0, 1.0, 99.0, 7.0, np.nan, 3.0, 2.0])
    expected = {"first": [1, 7, 5], "mean": [2, 7, 3.5], "min": [1, 7, 2], "max": [3, 7, 5]}
    for aggregate, values in expected.items():
        found = FromChildren(aggregate=aggregate).score(POOL, Runtime(), score=score, made=made)
        assert found.values[:3].tolist() == values
        assert np.isnan(found.values[3])
        assert found.missing.reason(3) == CHILDLESS
        assert found.columns["children"].tolist() == [2, 1, 3, 0]
        assert found.columns["scored"].tolist() == [2, 1, 2, 0]
        assert (found.name, found.higher_is_better) == ("reward of made rows", True)
        assert found.info["model"] == "m"
    order = np.random.default_rng(0).permutation(len(PARENTS))
    again = made.take(order)
    moved = score.take(order, again.fingerprint)
    for aggregate in ("mean", "min", "max"):
        found = FromChildren(aggregate=aggregate).score(POOL, Runtime(), score=moved, made=again)
        assert found.values[:3].tolist() == expected[aggregate]


def test_children_without_a_score_say_why():
    made = made_of(POOL, [0, 0, 1])
    score = scores(made, [np.nan, 4.0, np.nan])
    first = FromChildren().score(POOL, Runtime(), score=score, made=made)
    assert first.missing.reason(0) == "made row: the answer is empty"
    assert first.missing.mask.tolist() == [True] * 4
    most = FromChildren(aggregate="max").score(POOL, Runtime(), score=score, made=made)
    assert most.values[0] == 4.0
    assert most.missing.counts() == {"made row: the answer is empty": 1, CHILDLESS: 2}


def test_rows_that_do_not_belong_together_are_refused():
    made = made_of(POOL, [0, 1])
    with pytest.raises(CurationError, match="the score is not one of the made rows"):
        FromChildren().score(POOL, Runtime(), score=scores(POOL, [1.0] * 4), made=made)
    other = from_pairs([("x", "y")])
    with pytest.raises(CurationError, match="was made from these rows"):
        FromChildren().score(other, Runtime(), score=scores(made, [1.0, 2.0]), made=made)


# ---------------------------------------------------------------------- in a recipe


class Backwards(Generator):
    """The rows from the last to the first, two of each, but none of those that say "no"."""

    def generate(self, pool: Dataset, runtime: Runtime) -> Made:
        """Two rows for each."""
        rows, parents = [], []
        for row in reversed(range(len(pool))):
            for times in (1, 2) if pool.texts("prompt")[row] != "no" else ():
                answer = pool.texts("response")[row] * times
                turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
                record = {"instruction": "?", "output": answer, "size": len(answer), "of": pool.row_id(row)}
                rows.append(Row(turns, json.dumps(record), "", 0, "alpaca"))
                parents.append(row)
        reasons = ["says no" if text == "no" else None for text in pool.texts("prompt")]
        return Made(rows, np.array(parents, np.int64), Missing.from_list(reasons), "backwards")


USE = Backwards.use()
RECIPE = f"""
inputs: {{pool: Dataset}}
steps:
  some: {{use: selector/rows, on: $pool, rows: "0,1,2,4"}}
  more: {{use: {USE}, on: $pool, within: $some}}
  size: {{use: scorer/column, on: $more, field: size}}
  back: {{use: scorer/from-children, on: $pool, within: $some, score: $size, made: $more, aggregate: max}}
  low:  {{use: selector/threshold, score: $back, below: 7.0}}
result: $low
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(planning_module, "find", lambda use: _ours(use))
    ws = Workspace.open(tmp_path / "ws")
    records = [{"instruction": q, "output": "x" * (i + 1)} for i, q in enumerate(("a", "no", "c", "d", "e"))]
    (tmp_path / "pool.json").write_text(json.dumps(records))
    ws.add(tmp_path / "pool.json")
    return ws


def _ours(use: str) -> type[Method]:
    return Backwards if use == USE else find(use)


def test_in_a_recipe_it_reads_the_rows_that_a_step_makes(workspace):
    done = run(plan(Recipe.read(RECIPE), workspace, {"pool": "pool"}), workspace)
    back = done.artifact("back")
    np.testing.assert_array_equal(back.values, [2, np.nan, 6, np.nan, 10])
    assert [back.missing.reason(i) for i in (1, 3)] == [CHILDLESS, "outside `some`: not named"]
    assert done.artifact("low").order.tolist() == [0, 2]
    again = run(plan(Recipe.read(RECIPE), workspace, {"pool": "pool"}), workspace)
    assert all(step.reused for step in again.steps)


def test_the_made_rows_must_be_named(workspace):
    with pytest.raises(RecipeError, match="needs 'made'"):
        plan(Recipe.read(RECIPE.replace("made: $more, ", "")), workspace)
    with pytest.raises(RecipeError, match="wants Dataset"):
        plan(Recipe.read(RECIPE.replace("made: $more", "made: $size")), workspace)
