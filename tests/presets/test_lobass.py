"""The LoBaSS preset from end to end, with a scratch model of a few thousand weights."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from curation.core.artifacts import Score, Selection
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.scorers._causal import SEEN
from curation.scorers.learnability import Learnability, learnability
from curation.workspace import Workspace

ROWS = 48
COLOURS = ("green", "blue", "red", "white", "brown", "grey")
THINGS = ("river", "stone", "lamp", "window", "bread", "engine", "cloud", "paper")
SMALL = (
    "base.training_tokens=6000", "base.layers=1", "base.width=32", "base.vocabulary=300", "base.window=64",
    "before.max_tokens=64", "after.max_tokens=64", "tune.max_tokens=64", "tune.epochs=4", "tune.batch_rows=8",
    "pick.budget=25%",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """48 rows of one template, and one without an answer."""
    rows = [
        {"instruction": f"What is the {thing} like?", "output": f"The {thing} is {colour}, as every {thing} is."}
        for thing in THINGS
        for colour in COLOURS
    ]
    file = tmp_path_factory.mktemp("lobass") / "rows.json"
    file.write_text(json.dumps([*rows, {"instruction": "And the sea?", "output": ""}]))
    made = Workspace.open(file.parent / "workspace")
    made.add(file, name="rows")
    return made


def go(workspace: Workspace, *settings: str, runtime: Runtime | None = None):
    recipe = Recipe.read("lobass").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "rows"}), workspace, runtime or Runtime())


@pytest.fixture(scope="module")
def as_published(workspace):
    return go(workspace)


@pytest.fixture(scope="module")
def cross_fit(workspace):
    return go(workspace, "tune.folds=2")


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("lobass").about
    assert "2310.13008" in about["source"]
    assert about["method_class"] == "zero-order"
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    assert Recipe.read("lobass").steps["pick"]["budget"] == "6%"


def test_the_score_is_made_of_the_losses_of_the_two_models(as_published):
    before, after, learn = (as_published.artifact(name) for name in ("before", "after", "learn"))
    np.testing.assert_array_equal(learn.values, learnability(before.values, after.values))
    assert np.nanmedian(after.values) < np.nanmedian(before.values), "the template can be learnt"
    assert np.nanmedian(learn.values) > 0.05
    assert (learn.info["initial_model"], learn.info["weak"], learn.info["reference_folds"]) == ("scratch", True, 1)
    assert learn.info["tokens_differ"] == 0
    assert learn.info["length"] == "tokens"


def test_rows_the_initial_model_was_made_from_and_empty_answers_have_no_score(as_published, workspace):
    learn, base = as_published.artifact("learn"), as_published.artifact("base")
    contents = workspace.dataset("rows").contents
    seen = np.isin(contents, base.seen)
    assert seen.any()
    assert {learn.missing.reason(i) for i in np.flatnonzero(seen)} == {f"initial loss: {SEEN}"}
    if not seen[ROWS]:
        assert "empty" in str(learn.missing.reason(ROWS))


def test_the_most_learnable_rows_are_picked_in_order(as_published):
    learn, pick = as_published.artifact("learn"), as_published.artifact("pick")
    assert isinstance(pick, Selection)
    eligible = np.flatnonzero(np.isfinite(learn.values))
    best = eligible[np.argsort(-learn.values[eligible], kind="stable")]
    assert pick.order.tolist() == best[: int(0.25 * len(eligible) + 0.5)].tolist()


def test_cross_fit_scores_no_row_by_a_model_that_saw_it(cross_fit, as_published, workspace):
    """Only the reference losses are others; each is that of the network of the row's own fold."""
    tune, after, learn = (cross_fit.artifact(name) for name in ("tune", "after", "learn"))
    assert (tune.folds, learn.info["reference_folds"]) == (2, 2)
    np.testing.assert_array_equal(cross_fit.artifact("before").values, as_published.artifact("before").values)
    folds = tune.fold_of(workspace.dataset("rows").contents)
    scored = np.isfinite(after.values)
    assert set(folds[scored]) == {0, 1}
    for fold in (0, 1):
        alone = dataclasses.replace(tune, path=str(tune.folder(fold)), folds=1)
        method = plan(Recipe.read("lobass").with_settings(SMALL), workspace, {"pool": "rows"}).step("after").method
        losses = method.score(workspace.dataset("rows"), Runtime(), model=alone).values
        mine = scored & (folds == fold)
        np.testing.assert_allclose(after.values[mine], losses[mine], rtol=1e-4)


def test_the_same_model_before_and_after_teaches_nothing(as_published, workspace):
    before = as_published.artifact("before")
    assert isinstance(before, Score)
    made = Learnability().score(workspace.dataset("rows"), Runtime(), initial=before, reference=before)
    assert (made.values[np.isfinite(made.values)] == 0).all()


def test_a_row_does_not_depend_on_the_rows_beside_it(as_published, workspace):
    pool = workspace.dataset("rows")
    planned = plan(Recipe.read("lobass").with_settings(SMALL), workspace, {"pool": "rows"})
    base, tune = as_published.artifact("base"), as_published.artifact("tune")
    runtime = Runtime(batch_size=3)
    first = planned.step("before").method.score(pool, runtime, model=base)
    second = planned.step("after").method.score(pool, runtime, model=tune)
    again = Learnability().score(pool, runtime, initial=first, reference=second)
    np.testing.assert_allclose(again.values, as_published.artifact("learn").values, atol=1e-5)


def test_a_larger_budget_computes_nothing_anew(as_published, workspace):
    more = go(workspace, "pick.budget=50%")
    assert {s.name for s in more.steps if not s.reused} == {"pick"}
    picked = as_published.artifact("pick").order
    assert more.artifact("pick").order[: len(picked)].tolist() == picked.tolist()


def test_answers_of_noise_are_the_least_learnable_by_models_that_did_not_see_them(tmp_path, tiny_causal):
    """Ten answers of random letters among 90 of one template: cross-fit, they are the lowest tenth."""
    rng = np.random.default_rng(0)
    rows = [
        {"instruction": f"say {i}", "output": f"a {THINGS[i % 8]} runs over {COLOURS[i % 6]} stone"} for i in range(90)
    ]
    rows += [
        {"instruction": f"say {90 + i}", "output": "".join(map(chr, rng.integers(33, 127, 25)))} for i in range(10)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    made = Workspace.open(tmp_path / "workspace")
    made.add(tmp_path / "rows.json", name="rows")
    tune = ("tune.folds=2", "tune.epochs=6", "tune.batch_rows=8", "tune.max_tokens=96", "tune.learning_rate=0.005")
    read = ("before.max_tokens=96", "after.max_tokens=96", f"base.name={tiny_causal}", "pick.budget=90")
    recipe = Recipe.read("lobass").with_settings((*tune, *read))
    done = run(plan(recipe, made, {"pool": "rows"}), made, Runtime())
    learn = done.artifact("learn").values
    assert np.isfinite(learn).all()
    assert set(np.argsort(learn)[:10]) == set(range(90, 100))
    assert done.artifact("pick").order.max() < 90
