"""Presets in forms: the base model, the field with the label and any other setting can be told."""

import json

import pytest

from curation.recipe import Recipe
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


@pytest.fixture
def select(open_page, tmp_path, demo_file):
    """The Select page on rows with a field `topic`; call with a preset."""
    rows = [{**row, "topic": "ab"[i % 2]} for i, row in enumerate(json.loads(demo_file.read_text())[:30])]
    (tmp_path / "few.json").write_text(json.dumps(rows))
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(tmp_path / "few.json")

    def opened(preset):
        at = open_page("select", workspace.root)
        at = at.selectbox(key="select.use").set_value(preset).run()
        assert not at.exception
        return at.toggle(key="select.coverage").set_value(False).run()

    return opened


def test_the_field_with_the_label_has_to_be_chosen_where_the_file_has_another(select, started):
    usual = Recipe.read("data-diet-el2n").steps["labels"]["field"]
    at = select("data-diet-el2n")
    field = at.selectbox(key="select.preset.data-diet-el2n.labels")
    assert usual not in field.options
    assert any("the field that holds the label" in w.value for w in at.warning)
    assert not any(b.key == "select.run" for b in at.button)
    at = field.set_value("topic").run()
    at.button(key="select.run").click().run()
    assert not at.exception
    assert started[0][0].steps["labels"]["field"] == "topic"


def test_the_base_model_and_other_settings(select, started, tiny_causal):
    at = select("lobass")
    assert any("no evidence about a real model" in c.value for c in at.caption)
    at = at.segmented_control(key="select.preset.lobass.base.which").set_value("another").run()
    assert any("the base model" in w.value for w in at.warning)
    at = at.text_input(key="select.preset.lobass.base.name").set_value(str(tiny_causal)).run()
    at = at.text_area(key="select.preset.lobass.more").set_value("--set tune.folds=2\n\n").run()
    at.button(key="select.run").click().run()
    assert not at.exception
    steps = started[0][0].steps
    assert steps["base"]["name"] == str(tiny_causal)
    assert steps["tune"]["folds"] == 2


def test_a_setting_of_a_step_that_is_not_there_is_an_error(select):
    at = select("lobass").text_area(key="select.preset.lobass.more").set_value("nothing.folds=2").run()
    assert not at.exception
    assert any("nothing" in e.value for e in at.error)


def test_a_preset_in_a_trial_is_told_the_same(open_page, made_workspace, started):
    at = open_page("trial", made_workspace)
    at = at.multiselect(key="trial.selections").set_value(["lobass"]).run()
    assert not at.exception
    at = at.text_area(key="trial.preset.lobass.more").set_value("tune.folds=2").run()
    at.button(key="trial.run").click().run()
    steps = started[0][0].steps
    assert [s["folds"] for s in steps.values() if s["use"] == "trainer/causal"] == [2]
    assert len([s for s in steps.values() if s["use"] == "trainer/base"]) == 1, "one scratch model serves both"


@pytest.fixture
def connected(tmp_path, monkeypatch):
    """Write a file of connections."""
    path = tmp_path / "connections.yaml"
    monkeypatch.setenv("CURATION_CONNECTIONS", str(path))
    return path.write_text


def test_without_a_connection_a_preset_that_asks_shows_the_way_to_one(select, connected):
    at = select("alpagasus")
    assert any("a connection to a chat model" in w.value for w in at.warning)
    assert any("No chat model is connected yet" in i.value for i in at.info)
    assert any(b.label == "Connect one" for b in at.button)
    at = at.selectbox(key="select.preset.alpagasus.connection").set_value("stand-in").run()
    assert not at.exception
    assert any(b.key == "select.run" for b in at.button)


def test_a_preset_asks_the_connection_that_is_there(select, connected, started):
    connected("mine: {kind: openai, address: 'http://127.0.0.1:9/v1', model: m}\n")
    at = select("alpagasus")
    assert at.selectbox(key="select.preset.alpagasus.connection").value == "mine"
    at.button(key="select.run").click().run()
    assert not at.exception
    assert started[0][0].steps["judge"]["connection"] == "mine"


def test_rows_that_a_preset_writes_itself_get_no_coverage_of_the_pool(select, connected, started):
    connected("mine: {kind: openai, address: 'http://127.0.0.1:9/v1', model: m}\n")
    at = select("lift").toggle(key="select.coverage").set_value(True).run()
    at.button(key="select.run").click().run()
    assert not at.exception
    steps = started[0][0].steps
    assert {steps["expand"]["connection"], steps["quality"]["connection"]} == {"mine"}
    assert not any(step["use"] == "coverage" for step in steps.values())


def test_a_recipe_that_asks_has_limits_and_others_have_none():
    from curation.recipe import Recipe
    from curation.ui.run_panel import asks_anybody

    assert asks_anybody(Recipe.read("alpagasus")) and asks_anybody(Recipe.read("lift"))
    assert not asks_anybody(Recipe.read("modn"))
