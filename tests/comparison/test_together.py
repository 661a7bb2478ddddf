"""Presets as one recipe, run on a part of the demo dataset with those that need no language model."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest

from curation import jobs
from curation.comparison import keys_of, load_comparison, notes_of, recipe_of_presets
from curation.comparison.curves import coverage_curves
from curation.core.errors import CurationError
from curation.core.method import find
from curation.recipe import Recipe, plan, preset_names
from curation.workspace import Workspace

FAST = ["modn", "lift-variety", "prototype-pruning", "semdedup", "car", "bayes-logdet"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory, demo_file):
    folder = tmp_path_factory.mktemp("presets")
    (folder / "demo.json").write_text(json.dumps(json.loads(demo_file.read_text(encoding="utf-8"))[:240]))
    workspace = Workspace.open(folder / "ws")
    return workspace, workspace.add(folder / "demo.json", name="demo").dataset


def test_every_preset_is_either_an_arm_or_left_out_with_a_reason(demo):
    workspace, dataset = demo
    made = recipe_of_presets(workspace, dataset.fingerprint, {}, 100)
    left = {each.preset: each.reason for each in made.left_out}
    assert sorted([*made.arms, *left]) == preset_names()
    assert "'queries' (Dataset) is not bound" in left["rds"]
    assert "'category', which no record has" in left["data-diet-el2n"]
    assert all(left.values())
    assert {"modn", "superfiltering", "bayes-logdet"} <= set(made.arms)
    assert not workspace.results()  # nothing was computed


def test_equal_steps_are_one_and_cheap_arms_come_first(demo):
    workspace, dataset = demo
    made = recipe_of_presets(workspace, dataset.fingerprint, {}, 100)
    uses = [str(step["use"]) for step in made.recipe.steps.values()]
    assert uses.count("trainer/base") == 1
    assert uses.count("scorer/ifd") == 2  # of two superfilterings together, and of cherry
    planned = plan(made.recipe, workspace, made.bindings)
    assert len({step.key for step in planned.steps}) == len(planned.steps)
    order = list(made.arms)
    assert order.index("modn") < order.index("superfiltering") < order.index("cherry")
    names = list(made.recipe.steps)
    assert names.index("coverage-modn") == names.index("modn") + 1
    assert made.recipe.result == "$random-0"
    assert Recipe.read(made.recipe.yaml()) == made.recipe


def test_an_input_that_is_bound_brings_its_presets(demo):
    workspace, dataset = demo
    made = recipe_of_presets(workspace, dataset.fingerprint, {"queries": "demo"}, 50, ["rds", "modn"], coverage=False)
    assert set(made.arms) == {"rds", "modn"}
    assert not made.coverage


@pytest.mark.parametrize(
    ("presets", "budget", "words"),
    [(["nothing"], 10, "no preset 'nothing'"), (["rds"], 10, "no preset can run"), (["modn"], -3, "budget")],
)
def test_mistakes_are_told(demo, presets, budget, words):
    workspace, dataset = demo
    with pytest.raises(CurationError, match=words):
        recipe_of_presets(workspace, dataset.fingerprint, {}, budget, presets)


def test_a_budget_in_tokens_reaches_nested_arms_and_random(demo):
    workspace, dataset = demo
    made = recipe_of_presets(workspace, dataset.fingerprint, {}, "5k tokens", ["prototype-pruning", "lift-variety"])
    assert made.recipe.steps["random-0"]["budget"] == "5k tokens"
    assert "tokens" in made.recipe.steps["prototype-pruning"]
    assert set(made.own_size) == {"lift-variety"}


def test_presets_end_to_end_and_one_that_fails_does_not_lose_the_others(demo, monkeypatch):
    variety = find("scorer/variety")

    @functools.wraps(variety.score)  # ports are read from the signature
    def broken(self, *args, **more):
        raise CurationError("made to fail")

    monkeypatch.setattr(variety, "score", broken)
    workspace, dataset = demo
    made = recipe_of_presets(workspace, dataset.fingerprint, {}, 60, FAST)
    job, outcome = jobs.run_here(workspace, made.recipe, made.bindings, go_on=True)
    status = jobs.status(workspace, job.id)
    assert status.state == "done"
    assert {f["name"] for f in status.failed} == {
        "lift-variety-variety",
        "lift-variety",
        "coverage-lift-variety",
    }
    keys = keys_of(made, {step.name: step.key for step in outcome.steps})
    assert set(keys) == set(FAST) - {"lift-variety"}
    notes = notes_of(made, {f.name: f.message for f in outcome.failed})
    assert any(note.startswith("lift-variety failed") for note in notes)
    assert any(note.startswith("semdedup: it takes no budget") for note in notes)

    found = load_comparison(workspace, keys, budget=60)
    sizes = {arm.name: len(arm) for arm in found.arms}
    assert sizes["modn"] == sizes["prototype-pruning"] == sizes["bayes-logdet"] == 60
    assert sizes["semdedup"] > 150
    assert {arm.name: arm.method_class for arm in found.arms}["bayes-logdet"] == "bayesian"
    assert [arm.preset for arm in found.arms] == list(found.names)
    random = np.asarray(outcome.artifact("random-0").order)
    assert random.tolist() == found.random[0].order[:60].tolist()
    curves = coverage_curves(workspace, found)
    assert not curves.missing
    assert keys_of(made, {"modn": "x"}, ["modn"]) == {"modn 2": "x"}
