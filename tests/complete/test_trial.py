"""The recipe of a trial from a few words."""

from __future__ import annotations

import pytest

from curation.complete import complete
from curation.complete.trial import trial_bindings, trial_recipe
from curation.core.errors import RecipeError
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from tests.test_workspace import rows


def pick(budget=2, **more):
    return complete("selector/random", {"budget": budget, **more})


def uses(recipe):
    return {name: step["use"] for name, step in recipe.steps.items()}


def test_it_can_be_planned_and_holds_every_step_once(tmp_path):
    ws = Workspace.open(tmp_path)
    ws.add_rows(rows(["a", "b", "c"]), "d")
    recipe = trial_recipe({"one": pick(), "two": pick(3), "again": pick()}, evaluation="source=x")
    assert recipe.steps["trial"]["selections"] == {"one": "$random", "two": "$random-2", "again": "$random"}
    assert list(uses(recipe).values()).count("selector/random") == 2
    made = plan(recipe, ws, {})
    assert made.step("trial").use == "trial"
    assert {"trainer/base", "labeller/near-duplicates", "selector/where", "labeller/column"} <= set(
        uses(recipe).values()
    )


def test_evaluation_sets_in_all_ways():
    by_source = trial_recipe({"a": pick()}, evaluation="source=x=y.json")
    assert by_source.steps["sources"] == {"use": "labeller/column", "on": "$pool"}
    assert by_source.steps["trusted-rows"]["values"] == ["x=y.json"]
    by_label = trial_recipe({"a": pick()}, evaluation="label: topic = chemistry")
    assert by_label.steps["trusted-labels"]["field"] == "topic"
    assert by_label.steps["trusted-rows"]["values"] == ["chemistry"]
    by_file = trial_recipe({"a": pick()}, evaluation="file=there.json")
    assert by_file.inputs["trusted"].type == "Dataset"
    assert by_file.steps["trial"]["evaluation_file"] == "$trusted"
    assert trial_bindings("file=there.json") == {"trusted": "there.json"}
    assert trial_bindings("source=x") == trial_bindings("") == trial_bindings(pick()) == {}
    by_rows = trial_recipe({"a": pick()}, evaluation=pick(1, seed=4))
    assert by_rows.steps[by_rows.steps["trial"]["evaluation"][1:]]["seed"] == 4
    assert "evaluation" not in trial_recipe({"a": pick()}).steps["trial"]


@pytest.mark.parametrize("text", ["x", "source=", "label:=a", "label=a", "source:f=a", "folder=x"])
def test_other_words_are_refused(text):
    with pytest.raises(RecipeError, match="names no evaluation set"):
        trial_recipe({"a": pick()}, evaluation=text)


def test_a_pool_by_another_name_is_the_same_pool():
    other = Recipe.read(
        {
            "inputs": {"rows": "Dataset", "scores": "Score"},
            "steps": {"top": {"use": "selector/top-k", "score": "$scores", "budget": 2, "within": "$some"},
                      "some": {"use": "selector/random", "on": "$rows", "budget": 5},
                      "unused": {"use": "labeller/language", "on": "$rows"}},
            "result": "$top",
        }
    )  # fmt: skip
    recipe = trial_recipe({"top": other})
    assert set(recipe.inputs) == {"pool", "scores"}
    assert recipe.steps["some"]["on"] == "$pool"
    assert "unused" not in recipe.steps
    with pytest.raises(RecipeError, match="reads none"):
        trial_recipe({"a": other.model_copy(update={"inputs": {}})})


def test_queries_of_a_targeted_selection_stay_an_input(tmp_path):
    recipe = trial_recipe({"rds": Recipe.read("rds"), "random": pick()})
    assert {n: spec.type for n, spec in recipe.inputs.items()} == {"pool": "Dataset", "queries": "Dataset"}
    ws = Workspace.open(tmp_path)
    for name in ("d", "asked"):
        ws.add_rows(rows([name, "b", "c"]), name)
    made = plan(recipe, ws, {"pool": "d", "queries": "asked"})
    assert made.step("embed_queries").dataset == ws.dataset("asked").fingerprint
    assert made.step("trial").dataset == ws.dataset("d").fingerprint


def test_a_field_makes_it_a_classifier_a_name_another_model_and_clusters_are_reused():
    classes = trial_recipe({"a": pick()}, labels="topic", clusters=True, settings={"steps": 3})
    step = classes.steps["trial"]
    assert "model" not in step
    assert classes.steps[step["features"][1:]]["use"] == "encoder/sentence"
    assert classes.steps[step["labels"][1:]]["field"] == "topic"
    assert classes.steps[step["groups"]["cluster"][1:]]["use"] == "labeller/clusters"
    assert step["steps"] == 3
    assert trial_recipe({"a": pick()}, model="folder").steps["base"]["name"] == "folder"
    clustered = Recipe.read("first-look")
    assert trial_recipe({"a": clustered.upto("pick")}).steps["trial"].get("groups") is None
