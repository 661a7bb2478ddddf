"""Recipes made by the pages: stored results bring their steps along, and nothing is computed twice."""

import json

import numpy as np
import pytest

from curation import jobs
from curation.complete.stored import Parts
from curation.core.artifacts import BEYOND_BUDGET, Selection
from curation.core.errors import RecipeError
from curation.recipe import Recipe, plan
from curation.ui.indicators import Ordered, indicators, indicators_recipe, preset
from curation.ui.select_recipe import Wish, selection_recipe
from curation.ui.select_why import at_budget, readable
from curation.ui.training import Rate
from curation.workspace import Workspace

SCORED = """
inputs: {rows: Dataset}
steps:
  long: {use: scorer/length, on: $rows}
  cut: {use: selector/threshold, score: $long, above: 10}
  other: {use: scorer/compression, on: $rows}
result: $cut
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, demo_file):
    """A workspace with a score and a cut, made by a recipe whose input has a name of its own."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "few.json").write_text(json.dumps(json.loads(demo_file.read_text())[:50]))
    workspace = Workspace.open(folder / "ws")
    dataset = workspace.add(folder / "few.json").dataset
    jobs.run_here(workspace, Recipe.read(SCORED), {"rows": "few"}, device="cpu")
    keys = {r.step: r.key for r in workspace.results()}
    return workspace, dataset.fingerprint, keys


def test_a_stored_result_brings_only_the_steps_it_needs(made):
    workspace, dataset, keys = made
    parts = Parts(workspace, dataset)
    recipe = parts.recipe(parts.add(keys["cut"]))
    assert {s["use"] for s in recipe.steps.values()} == {"scorer/length", "selector/threshold"}
    assert set(recipe.inputs) == {"pool"}
    assert all(workspace.has(s.key) for s in plan(recipe, workspace, parts.bindings).steps)


def test_a_result_of_other_inputs_becomes_an_input(made):
    workspace, dataset, keys = made
    step = "{use: selector/top-k, score: $given, budget: 5, keep: highest}"
    text = f"inputs: {{given: Score}}\nsteps: {{top: {step}}}\nresult: $top\n"
    jobs.run_here(workspace, Recipe.read(text), {"given": keys["long"]}, device="cpu")
    top = next(r.key for r in workspace.results() if r.step == "top")
    parts = Parts(workspace, dataset)
    reference = parts.add(top)
    assert parts.bindings[reference[1:]] == top
    assert parts.inputs[reference[1:]] == "Selection"


def test_the_same_method_with_the_same_parameters_is_one_step(made):
    workspace, dataset, keys = made
    wish = Wish("selector/top-k", {"budget": "200 tokens"}, {"score": keys["long"]}, coverage=False)
    recipe, bindings = selection_recipe(workspace, dataset, wish)
    lengths = [s for s in recipe.steps.values() if s["use"] == "scorer/length"]
    assert len(lengths) == 2, "tokens of the whole row are counted beside the length of the response"
    within = Wish("selector/random", {"budget": 5}, within=keys["cut"], coverage=False)
    recipe, bindings = selection_recipe(workspace, dataset, within)
    made_plan = plan(recipe, workspace, bindings)
    assert made_plan.step(made_plan.result).within[1] == keys["cut"]


def test_a_preset_is_limited_further_not_freed(made):
    workspace, dataset, keys = made
    recipe, _ = selection_recipe(workspace, dataset, Wish("first-look", {"budget": 5}, within=keys["cut"]))
    both = recipe.steps[recipe.steps[recipe.result[1:]]["within"][1:]]
    assert both["use"] == "selector/intersect"
    assert "$answered" in both["of"]
    assert not any(s["use"].startswith("exporter/") for s in recipe.steps.values())
    assert "coverage" in {s["use"] for s in recipe.steps.values()}


def test_duplicates_are_the_default_of_a_port_of_that_name(made):
    workspace, dataset, _ = made
    recipe, _ = selection_recipe(workspace, dataset, Wish("selector/deduplicate", {}, coverage=False))
    port = recipe.steps[recipe.result[1:]]["duplicates"]
    assert recipe.steps[port[1:]]["use"] == "labeller/near-duplicates"


def test_a_missing_input_is_an_error(made):
    workspace, dataset, _ = made
    with pytest.raises(RecipeError, match="score"):
        selection_recipe(workspace, dataset, Wish("selector/top-k", {"budget": 5}))


def test_all_indicators_make_one_plannable_recipe(made):
    workspace, dataset, _ = made
    uses = preset()
    assert {"scorer/length", "scorer/mtld", "labeller/language", "labeller/near-duplicates"} <= set(uses)
    recipe = indicators_recipe(Ordered(uses, {"scorer/length": {"unit": "words"}}))
    planned = plan(recipe, workspace, {"pool": dataset})
    assert set(uses) <= {s.use for s in planned.steps}
    assert [s.use for s in planned.steps].count("encoder/sentence") == 1
    assert planned.step("length").method.unit == "words"
    assert all(i.sentence for i in indicators())


# ------------------------------------------------------------------ budgets and costs


def order(length):
    stage = np.ones(8, np.int16)
    stage[[5, 3, 1, 0][:length]] = 0
    return Selection("d", 8, np.array([5, 3, 1, 0][:length]), stage=stage, stages=("stood for",), nested=True)


def test_another_budget_keeps_the_reasons_of_rows_that_were_never_eligible():
    long = order(4)
    stored = order(2)
    stage = np.array(stored.stage)
    stage[7] = 2
    stored = Selection("d", 8, stored.order, stage=stage, stages=("stood for", "outside `good`"), nested=True)
    shorter, longer = at_budget(stored, long, 1), at_budget(stored, long, 3)
    assert shorter.order.tolist() == [5]
    assert BEYOND_BUDGET in shorter.why(3)
    assert longer.order.tolist() == [5, 3, 1]
    assert BEYOND_BUDGET in longer.why(0)
    for selection in (shorter, longer):
        assert selection.why(7) == "out: outside `good`"
        assert selection.why(6).startswith("out: stood for")
    assert at_budget(stored, long, 2) is stored


def test_hours_and_cost():
    rate = Rate(tokens_per_second=1000, epochs=2, price=3.0)
    assert rate.hours(1_800_000) == pytest.approx(1.0)
    assert rate.cost(1_800_000) == pytest.approx(3.0)


def test_one_training_records_what_all_chosen_indicators_read():
    recipe = indicators_recipe(Ordered(["scorer/el2n", "scorer/aum", "scorer/learnability"], base="/a/folder"))
    tunes = [s for s in recipe.steps.values() if s["use"] == "trainer/causal"]
    assert len(tunes) == 1
    assert {"loss", "el2n", "margin"} <= set(tunes[0]["record"])
    assert [s["name"] for s in recipe.steps.values() if s["use"] == "trainer/base"] == ["/a/folder"]


def test_what_reads_a_classifiers_training_has_no_default():
    by_use = {i.use: i for i in indicators()}
    assert by_use["scorer/el2n"].whole
    assert not by_use["scorer/grand"].whole
    assert by_use["scorer/perplexity"].model
    assert not by_use["scorer/length"].model


def test_a_reason_names_its_step_without_code():
    assert readable("out: outside `answered`: empty response") == "out: not in the step “answered”: empty response"
    assert readable("beyond the budget") == "beyond the budget"
