"""Recipes of the Influence page: every kind of target, settings, and what is kept."""

import json

import pytest

from curation import jobs
from curation.core.errors import CurationError
from curation.core.method import discover
from curation.recipe import Recipe, plan, preset_names
from curation.ui.influence_recipe import MATCH, Target, Wish, disk_bytes, influence_recipe, keep_recipe
from curation.views import SOURCE, View, Words, WorkspaceSources

WISH = Wish(share=20, epochs=2, rank=4, batch=8, width=64)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A workspace with a pool and another dataset."""
    from curation.workspace import Workspace

    folder = tmp_path_factory.mktemp("influence")
    workspace = Workspace.open(folder / "ws")
    for name, count in (("pool", 40), ("aims", 6)):
        rows = [
            {"instruction": f"{name} question {i}", "output": f"answer {i}", "topic": ("sea", "moon")[i % 2]}
            for i in range(count)
        ]
        (folder / f"{name}.json").write_text(json.dumps(rows))
        workspace.add(folder / f"{name}.json", name=name)
    return workspace


def made(workspace, target, wish=WISH):
    dataset = workspace.dataset("pool")
    return influence_recipe(workspace, dataset.fingerprint, target, wish, WorkspaceSources(workspace, dataset))


def test_rows_of_another_dataset(here):
    aims = here.dataset("aims").fingerprint
    recipe, bindings = made(here, Target("dataset", dataset=aims))
    steps = recipe.steps
    assert bindings == {"pool": here.dataset("pool").fingerprint, "target": aims}
    assert recipe.result == "$value" and steps["value"]["use"] == "scorer/less"
    assert steps["aims"]["on"] == "$target" and "within" not in steps["aims"]
    assert steps["aims"]["direction"] == "sgd" and "direction" not in steps["rows"]
    assert steps["sample"]["budget"] == "20%" and steps["warm"]["within"] == "$sample"
    assert (steps["warm"]["epochs"], steps["warm"]["lora_rank"], steps["warm"]["lora_alpha"]) == (2, 4, 16)
    assert steps["rows"]["width"] == steps["aims"]["width"] == 64
    by_name = {step.name: step for step in plan(recipe, here, bindings).steps}
    assert by_name["aims"].dataset == aims and by_name["value"].dataset == bindings["pool"]


def test_a_few_of_them_in_subtasks_named_by_a_field(here):
    aims = here.dataset("aims").fingerprint
    recipe, bindings = made(here, Target("dataset", dataset=aims, most=4, subtasks="field:topic"))
    steps = recipe.steps
    assert steps["few"] == {"use": "selector/random", "on": "$target", "budget": 4}
    assert steps["aims"]["within"] == "$few"
    assert steps["subtasks"] == {"use": "labeller/column", "on": "$target", "field": "topic"}
    assert steps["value"]["subtasks"] == "$subtasks"
    plan(recipe, here, bindings)


def test_rows_with_a_label_of_this_dataset(here):
    recipe, bindings = made(here, Target("label", labels="field:topic", values=("sea",), most=5))
    steps = recipe.steps
    assert set(bindings) == {"pool"}
    assert steps["aim"]["values"] == ["sea"] and steps["few"]["within"] == "$aim"
    assert steps["aims"]["on"] == "$pool" and steps["aims"]["within"] == "$few"
    plan(recipe, here, bindings)
    source = made(here, Target("label", labels=SOURCE, values=("pool.json",)))[0]
    assert source.steps["aim-labels"] == {"use": "labeller/column", "on": "$pool"}
    with pytest.raises(CurationError, match="no label"):
        made(here, Target("label", labels="field:topic"))


def test_the_same_field_as_target_and_as_subtasks_is_read_once(here):
    target = Target("label", labels="field:topic", values=("sea", "moon"), subtasks="field:topic")
    recipe, bindings = made(here, target)
    columns = [name for name, step in recipe.steps.items() if step["use"] == "labeller/column"]
    assert len(columns) == 1
    assert recipe.steps["value"]["subtasks"] == recipe.steps["aim"]["labels"] == f"${columns[0]}"
    plan(recipe, here, bindings)


def test_what_is_in_view(here):
    recipe, bindings = made(here, Target("view", view=View().add(Words(text="question"))))
    within = recipe.steps["aims"]["within"].removeprefix("$")
    assert recipe.steps[within]["use"] == "selector/search"
    plan(recipe, here, bindings)


def test_a_stored_selection_brings_its_steps_also_when_names_are_taken(here):
    pool = here.dataset("pool").fingerprint
    steps = {"sample": {"use": "selector/random", "on": "$pool", "budget": 3}}
    drawn = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$sample"})
    jobs.run_here(here, drawn, {"pool": pool}, title="x", device="cpu")
    key = next(r.key for r in here.results(pool) if r.step == "sample")
    recipe, bindings = made(here, Target("selection", selection=key))
    steps = recipe.steps
    within = steps["aims"]["within"].removeprefix("$")
    assert steps[within]["budget"] == 3
    sample = steps["warm"]["within"].removeprefix("$")
    assert sample != within and steps[sample]["budget"] == "20%"
    plan(recipe, here, bindings)


def test_both_sides_are_read_alike(here):
    wish = Wish(values={"rows.max_tokens": 64, "rows.direction": "adam", "rows.seed": 3, "warm.learning_rate": 1e-3,
                        "value.aggregate": "mean_cos"}, checkpoints="last", epochs=3)  # fmt: skip
    recipe, bindings = made(here, Target("dataset", dataset=here.dataset("aims").fingerprint), wish)
    steps = recipe.steps
    assert steps["rows"]["max_tokens"] == steps["aims"]["max_tokens"] == steps["warm"]["max_tokens"] == 64
    assert steps["rows"]["seed"] == steps["aims"]["seed"] == 3 and "seed" not in steps["warm"]
    assert (steps["rows"]["direction"], steps["aims"]["direction"]) == ("adam", "sgd")
    assert steps["rows"]["checkpoints"] == steps["aims"]["checkpoints"] == "last"
    assert steps["warm"]["learning_rate"] == 1e-3 and steps["value"]["aggregate"] == "mean_cos"
    plan(recipe, here, bindings)


@pytest.mark.skipif(MATCH not in discover(), reason="this version has no scorer/gradient-match")
@pytest.mark.parametrize("other", [True, False])
def test_without_a_store_one_step_reads_targets_and_rows(here, other):
    aims = here.dataset("aims").fingerprint
    target = (
        Target("dataset", dataset=aims, subtasks="field:topic")
        if other
        else Target("label", labels="field:topic", values=("sea",), most=3)
    )
    wish = Wish(store=False, checkpoints="last", values={"rows.max_tokens": 64, "rows.direction": "sgd"})
    recipe, bindings = made(here, target, wish)
    value = recipe.steps["value"]
    assert not {"rows", "aims"} & set(recipe.steps)
    assert (value["use"], value["direction"], value["max_tokens"], value["checkpoints"]) == (MATCH, "sgd", 64, "last")
    assert recipe.steps["warm"]["max_tokens"] == 64
    assert value["target"] == ("$target" if other else "$pool")
    assert value.get("targets") == (None if other else "$few")
    plan(recipe, here, bindings)


@pytest.mark.skipif("less" not in preset_names(), reason="this version has no preset less")
def test_published_settings_are_those_of_the_preset(here):
    aims = here.dataset("aims").fingerprint
    recipe, bindings = made(here, Target("dataset", dataset=aims), Wish())
    keys = {step.name: step.key for step in plan(recipe, here, bindings).steps}
    preset = {step.name: step.key for step in plan(Recipe.read("less"), here, bindings).steps}
    assert {name: preset[name] for name in keys} == keys


def test_another_target_of_the_same_model_shares_the_costly_steps(here):
    plans = []
    for target in (
        Target("dataset", dataset=here.dataset("aims").fingerprint),
        Target("label", labels="field:topic", values=("sea",)),
    ):
        recipe, bindings = made(here, target)
        plans.append({step.name: step.key for step in plan(recipe, here, bindings).steps})
    assert all(plans[0][name] == plans[1][name] for name in ("base", "sample", "warm", "rows"))
    assert plans[0]["aims"] != plans[1]["aims"]


def manifest(workspace, recipe, bindings):
    planned = plan(recipe, workspace, bindings)
    return {
        "recipe": planned.resolved_yaml(), "bindings": planned.bindings, "step": "value",
        "dataset": workspace.dataset("pool").fingerprint,
    }  # fmt: skip


def test_what_is_kept_goes_on_from_the_same_recipe(here):
    recipe, bindings = made(here, Target("dataset", dataset=here.dataset("aims").fingerprint))
    kept, same = keep_recipe(manifest(here, recipe, bindings), 7)
    assert same == bindings and kept.steps["pick"] == {"use": "selector/top-k", "score": "$value", "budget": 7}
    keys = {step.name: step.key for step in plan(recipe, here, bindings).steps}
    again = {step.name: step.key for step in plan(kept, here, same).steps}
    assert {name: again[name] for name in keys} == keys


def test_target_rows_of_the_pool_can_be_left_out(here):
    recipe, bindings = made(here, Target("label", labels="field:topic", values=("sea",)))
    kept, same = keep_recipe(manifest(here, recipe, bindings), 7, "aim")
    others = kept.steps["pick"]["within"].removeprefix("$")
    assert kept.steps[others]["without"] == ["$aim"]
    plan(kept, here, same)


def test_what_the_gradients_take_on_disk():
    assert disk_bytes(270_679, 8192, 4, "all") == 17_739_218_944  # the published store, 17.7 GB
    assert disk_bytes(270_679, 8192, 4, "last") * 4 == 17_739_218_944
