"""Recipes: strict, checked before anything runs, keys that say what made a result."""

from __future__ import annotations

import pytest

from curation.complete import complete, merge, with_coverage
from curation.core.errors import CurationError, RecipeError
from curation.core.method import parse_budget, resolve_count
from curation.recipe import Recipe, plan, preset_names
from curation.workspace import Workspace
from tests.test_workspace import rows

TEXT = """
inputs: {pool: Dataset}
steps:
  length: {use: scorer/length, on: $pool}
  top:    {use: selector/top-k, score: $length, keep: highest, budget: 2}
result: $top
"""


@pytest.fixture
def workspace(tmp_path):
    ws = Workspace.open(tmp_path / "ws")
    ws.add_rows(rows(["a", "b", "c"]), "d")
    return ws


def keys(workspace, *settings):
    made = plan(Recipe.read(TEXT).with_settings(settings), workspace, {"pool": "d"})
    return {s.name: s.key for s in made.steps}


def test_yaml_round_trip_keeps_the_word_on():
    recipe = Recipe.read(TEXT)
    assert recipe.steps["length"]["on"] == "$pool"
    assert Recipe.read(recipe.yaml()) == recipe


def test_every_parameter_enters_the_key_also_falsy_ones(workspace):
    base = keys(workspace)
    assert keys(workspace) == base
    for setting in ("length.text=both", "length.unit=words", "length.text=prompt"):
        changed = keys(workspace, setting)
        assert changed["length"] != base["length"]
        assert changed["top"] != base["top"]


def test_budget_changes_the_selection_but_not_its_order(workspace):
    a = plan(Recipe.read(TEXT), workspace, {"pool": "d"}).steps[1]
    b = plan(Recipe.read(TEXT).with_settings(["top.budget=1"]), workspace, {"pool": "d"}).steps[1]
    assert a.order_key == b.order_key
    assert a.key != b.key


def test_a_step_s_name_does_not_enter_its_key(workspace):
    renamed = TEXT.replace("length:", "len:").replace("$length", "$len")
    made = plan(Recipe.read(renamed), workspace, {"pool": "d"})
    assert {s.key for s in made.steps} == set(keys(workspace).values())


def test_resolved_recipe_has_the_same_keys(workspace):
    made = plan(Recipe.read(TEXT), workspace, {"pool": "d"})
    again = plan(Recipe.read(made.resolved_yaml()), workspace, {"pool": "d"})
    assert [s.key for s in again.steps] == [s.key for s in made.steps]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_plans(workspace, name):
    recipe = Recipe.read(name)
    assert recipe.about["title"]
    assert recipe.about["source"]
    assert recipe.about["scope"]
    offline = recipe.with_settings(recipe.about.get("without_network", ()))
    workspace.add_rows(rows(["x", "y"]), "other")
    others = {n: "other" for n, spec in recipe.inputs.items() if spec.type == "Dataset" and n != "pool"}
    assert plan(offline, workspace, {"pool": "d", **others}).steps


def test_the_only_dataset_is_the_pool_but_not_its_own_queries(workspace):
    with pytest.raises(RecipeError, match="input 'queries' is not bound"):
        plan(Recipe.read("rds"), workspace, {})
    workspace.add_rows(rows(["x", "y"]), "other")
    made = plan(Recipe.read("rds"), workspace, {"pool": "d", "queries": "other"})
    datasets = {s.name: s.dataset for s in made.steps}
    assert datasets["pick"] == datasets["embed"] != datasets["embed_queries"]


def test_another_method_in_a_steps_place_drops_what_it_has_no_field_for(workspace):
    recipe = Recipe.read("instruct-mining-v3").with_settings(("natural.use=scorer/column", "natural.field=nat"))
    assert recipe.steps["natural"] == {"use": "scorer/column", "on": "$pool", "field": "nat"}
    with pytest.raises(RecipeError, match="there is no method"):
        Recipe.read("modn").with_settings(("pick.use=selector/none-such",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: {a: {use: x}}", "result"),
        ("[1, 2]", "no mapping"),
        ("a: b: c", "not valid YAML"),
        (TEXT.replace("Dataset", "Datset"), "no input type"),
        (TEXT + "\nextra: 1\n", "extra"),
        (TEXT.replace("$top", "$tip"), "is no step"),
    ],
)
def test_broken_recipes_say_what_is_wrong(workspace, text, words):
    with pytest.raises(RecipeError) as caught:
        plan(Recipe.read(text + "\n"), workspace, {"pool": "d"})
    assert words in str(caught.value)


def test_artifact_inputs_are_typed(workspace):
    text = "inputs: {s: Selection}\nsteps: {u: {use: selector/union, of: [$s]}}\nresult: $u\n"
    with pytest.raises(RecipeError, match="not bound"):
        plan(Recipe.read(text), workspace, {})


def test_dataset_must_be_named_when_there_are_two(workspace):
    workspace.add_rows(rows(["z"]), "other")
    with pytest.raises(RecipeError, match="not bound to a dataset"):
        plan(Recipe.read(TEXT), workspace, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1000, ("rows", 1000)),
        ("1_000", ("rows", 1000)),
        ("1,000,000", ("rows", 1_000_000)),
        ("2,500k tokens", ("tokens", 2_500_000)),
        ("5%", ("percent", 5)),
        ("0.5 %", ("percent", 0.5)),
        ("200k tokens", ("tokens", 200_000)),
        ("2M tokens", ("tokens", 2_000_000)),
        ("30 rows", ("rows", 30)),
    ],
)
def test_budgets_are_read(value, expected):
    assert parse_budget(value) == expected


@pytest.mark.parametrize(
    "value", [0, -5, "101%", "abc", "", "1.5", "2,5%", "1,5", "0,050%", "2,5M tokens", "nan", "inf", "5 %%"]
)
def test_bad_budgets_are_refused(value):
    with pytest.raises(CurationError, match="budget"):
        parse_budget(value)


@pytest.mark.parametrize(
    ("budget", "eligible", "count"),
    [("5%", 10, 1), ("5%", 30, 2), ("25%", 10, 3), ("0.1%", 10, 1), ("100%", 7, 7), (9, 4, 4), (3, 10, 3)],
)
def test_percent_rounds_half_up_and_is_at_least_one(budget, eligible, count):
    assert resolve_count(budget, eligible) == count


def test_complete_adds_the_steps_a_method_needs():
    recipe = complete("selector/k-center", {"budget": 5})
    assert [s["use"] for s in recipe.steps.values()] == ["encoder/sentence", "selector/k-center"]
    tokens = complete("selector/k-center", {"budget": "2k tokens"})
    assert "scorer/length" in [s["use"] for s in tokens.steps.values()]
    covered = with_coverage(recipe)
    assert [s["use"] for s in covered.steps.values()].count("encoder/sentence") == 1
    copies = complete("selector/deduplicate", {})
    assert "labeller/near-duplicates" in [s["use"] for s in copies.steps.values()]
    with pytest.raises(RecipeError, match="needs 'score'"):
        complete("selector/top-k", {"budget": 5})


def test_complete_sets_fields_of_a_preset():
    recipe = complete("modn", {"budget": 7, "embed.text": "prompt"})
    assert recipe.steps[recipe.result[1:]]["budget"] == 7
    assert recipe.steps["embed"]["text"] == "prompt"


def test_merge_shares_equal_steps_and_renames_others():
    steps = {"embed": {"use": "encoder/sentence", "on": "$pool"}}
    more = {
        "embed": {"use": "encoder/tfidf", "on": "$pool"},
        "pick": {"use": "selector/k-center", "features": "$embed"},
    }
    assert merge(steps, more) == {"embed": "embed-2", "pick": "pick"}
    assert steps["pick"]["features"] == "$embed-2"
    assert merge(steps, {"again": {"use": "encoder/sentence", "on": "$pool"}}) == {"again": "embed"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("pick.budget=5%", "5%"),
        ("pick.budget=200k tokens", "200k tokens"),
        ("pick.budget=7", 7),
        ("pick.budget=", None),
        ("pick.on=$pool", "$pool"),
        ("pick.x=true", True),
        ("pick.x=no", "no"),
        ("pick.x=2024-01-01", "2024-01-01"),
        ("pick.x=[1, a]", [1, "a"]),
        ("pick.x=a=b", "a=b"),
        ("pick.x='@'", "@"),
        ("a.b.c=1", 1),
    ],
)
def test_settings_have_the_type_that_yaml_gives_them(setting, value):
    recipe = Recipe.read({"steps": {"pick": {"use": "x"}, "a.b": {"use": "x"}}, "result": "$pick"})
    place = setting.partition("=")[0].rpartition(".")
    assert recipe.with_settings([setting]).steps[place[0]][place[2]] == value


@pytest.mark.parametrize(
    "setting", ["pick.x=[1", "pick.x=@", "pick.x='", "pick.x={a", "pick", "pick=1", ".x=1", "no.x=1"]
)
def test_broken_settings_are_told_not_thrown(setting):
    recipe = Recipe.read({"steps": {"pick": {"use": "x"}}, "result": "$pick"})
    with pytest.raises(RecipeError):
        recipe.with_settings([setting])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00\x01", b"&a [*a, *a]", b"", b"- 1", b"a: {b: [}"])
def test_files_that_are_no_recipe(tmp_path, content):
    path = tmp_path / "r.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError):
        Recipe.read(path)


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody/r.yaml", "a\0b", "/", ""])
def test_names_that_are_no_recipe(name):
    with pytest.raises(CurationError):
        Recipe.read(name)


def test_a_step_written_twice_is_an_error():
    text = TEXT.replace("  top:", "  length: {use: scorer/mtld, on: $pool}\n  top:")
    with pytest.raises(RecipeError, match="'length' stands here twice"):
        Recipe.read(text)


def test_upto_keeps_what_a_step_needs():
    recipe = Recipe.read(TEXT)
    assert list(recipe.upto("length").steps) == ["length"]
    assert recipe.upto("length").result == "$length"
    part = Recipe.read("first-look").upto("pick").steps
    assert {"embed", "unique", "answered", "pick"} <= set(part)
    assert not {"export", "coverage", "map"} & set(part)


@pytest.mark.parametrize("given", ["", ".", "..", "../d", "~nobody", "a\0b", "x" * 5000])
def test_strange_dataset_bindings(workspace, given, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(CurationError):
        plan(Recipe.read(TEXT), workspace, {"pool": given})
