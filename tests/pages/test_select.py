"""The Select page: the form, and a selection with its live budget."""

import pytest

from curation import jobs
from curation.complete import selectors
from curation.recipe import Recipe
from curation.ui.method_choice import when_of
from curation.workspace import Workspace
from tests.pages.conftest import publish_made_up

pytestmark = pytest.mark.usefixtures("no_measuring")


def metric(at, label):
    return next(m.value for m in at.metric if m.label == label)


def texts(at):
    return " ".join(str(e.value) for kind in (at.markdown, at.caption) for e in kind)


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("select", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


@pytest.fixture
def fresh(open_page, few_rows, tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("select", workspace.root)
    assert not at.exception
    return at


def test_every_method_and_preset_has_a_form(fresh):
    box = fresh.selectbox(key="select.use")
    assert len(box.options) > 8
    for index in range(len(box.options)):
        at = fresh.selectbox(key="select.use").select_index(index).run()
        assert not at.exception, box.options[index]
        assert "Known weakness" in texts(at), box.options[index]


def test_the_defaults_run(fresh, started):
    at = fresh.button(key="select.run").click().run()
    assert not at.exception
    recipe, _, title = started[0]
    assert title.startswith("Selection: few")
    pick = recipe.steps[recipe.result[1:]]
    assert pick["use"] == "selector/k-center"
    assert pick["budget"] == "10%"
    assert "coverage" in {s["use"] for s in recipe.steps.values()}


def test_rows_are_held_out_before_anything_is_picked(fresh, started):
    at = fresh.toggle(key="select.hold").set_value(True).run()
    at.button(key="select.run").click().run()
    recipe = started[0][0]
    pick = recipe.steps[recipe.result[1:]]
    train = recipe.steps[pick["within"][1:]]
    assert train["use"] == "selector/where"
    assert train["values"] == ["train"]
    split = recipe.steps[train["labels"][1:]]
    assert split["share"] == pytest.approx(0.1)
    assert split["groups"], "copies of a held-out row are held out with it"


@pytest.fixture
def filled(open_page, made_workspace):
    at = open_page("select", made_workspace)
    assert not at.exception
    return at


def pick_key(made_workspace):
    return next(r.key for r in Workspace.open(made_workspace).results() if r.use == "selector/k-center")


def test_a_smaller_budget_is_there_at_once_and_said_to_be_unstored(filled, made_workspace, started):
    key = pick_key(made_workspace)
    assert metric(filled, "Selected rows") == "20"
    assert "out of date" not in texts(filled)
    at = filled.slider(key=f"select.budget.{key}.slider.rows").set_value(12).run()
    assert not at.exception
    assert metric(at, "Selected rows") == "12"
    assert "out of date until this one is stored" in texts(at)
    at.button(key="select.store").click().run()
    recipe = started[0][0]
    assert recipe.steps[recipe.result[1:]]["budget"] == 12


def test_the_budget_in_percent_and_tokens(filled, made_workspace):
    key = f"select.budget.{pick_key(made_workspace)}"
    at = filled.segmented_control(key=f"{key}.unit").set_value("percent").run()
    at.slider(key=f"{key}.slider.percent").set_value(10.0).run()
    assert metric(at, "Selected rows") == "6"
    at.segmented_control(key=f"{key}.unit").set_value("tokens").run()
    assert not at.exception
    assert metric(at, "Selected rows") == "6", "another unit is not another budget"
    at.number_input(key=f"{key}.exact").set_value(9).run()
    assert metric(at, "Selected rows") == "9"


def test_training_cost_follows_the_users_rate(filled):
    at = filled.number_input(key="training.price").set_value(0.0).run()
    assert metric(at, "Cost") == "0"
    slow = at.number_input(key="training.speed").set_value(1).run()
    assert "min" in metric(slow, "Training time") or "h" in metric(slow, "Training time")


def test_any_row_says_why(filled, made_workspace):
    workspace = Workspace.open(made_workspace)
    selection = workspace.load(pick_key(made_workspace))
    inside = int(selection.order[0])
    outside = int((~selection.mask).nonzero()[0][0])
    at = filled.number_input(key="select.row").set_value(inside).run()
    assert "in: pick 1 of 20" in texts(at)
    at.number_input(key="select.row").set_value(outside).run()
    assert "out: " in texts(at)
    assert f"**Row {int(selection.covered_by[outside])}**" in texts(at)


@pytest.mark.parametrize("view", ["picks", "shares", "recipe"])
def test_every_view_opens(filled, view):
    at = filled.segmented_control(key="select.more").set_value(view).run()
    assert not at.exception


def test_methods_are_grouped_by_what_they_are_for(fresh):
    at = fresh.button_group(key="select.purpose").set_value("duplicates").run()
    assert not at.exception
    options = at.selectbox(key="select.use").options
    assert "Remove duplicates" in options
    assert "k-center" not in options
    assert at.selectbox(key="select.use").value != "selector/k-center"
    assert "**When to use it.**" in texts(at)


def test_the_form_comes_back_as_it_was(fresh):
    at = fresh.button_group(key="select.purpose").set_value("diversity and quality").run()
    at = at.selectbox(key="select.use").set_value("selector/log-det").run()
    at = at.segmented_control(key="select.form.selector/log-det.metric").set_value("euclidean").run()
    at = at.switch_page("pages/data.py").run()
    assert not any(b.key == "select.use" for b in at.selectbox)
    at = at.switch_page("pages/select.py").run()
    assert not at.exception
    assert at.button_group(key="select.purpose").value == "diversity and quality"
    assert at.selectbox(key="select.use").value == "selector/log-det"
    assert at.segmented_control(key="select.form.selector/log-det.metric").value == "euclidean"


def test_a_sentence_of_when_does_not_begin_with_when():
    for use in selectors():
        assert when_of(use)
        assert not when_of(use).startswith("When "), use
        assert when_of(use)[0] == when_of(use)[0].upper()


def test_a_score_without_a_better_end_is_asked_for_one(open_page, tmp_path, few_rows, started):
    workspace = Workspace.open(tmp_path / "ws")
    dataset = workspace.add(few_rows, name="few").dataset
    recipe = {"inputs": {"pool": "Dataset"}, "steps": {"length": {"use": "scorer/length", "on": "$pool"}}}
    recipe = Recipe.read({**recipe, "result": "$length"})
    jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title="Scores: few", device="cpu")
    at = open_page("select", workspace.root)
    at = at.selectbox(key="select.use").set_value("selector/top-k").run()
    assert any("does not say which end is better" in w.value for w in at.warning)
    assert not any(b.key == "select.run" for b in at.button)
    at = at.segmented_control(key="select.form.selector/top-k.keep").set_value("lowest").run()
    assert not at.exception
    at.button(key="select.run").click().run()
    assert started[0][0].steps["top-k"]["keep"] == "lowest"


def test_quotas_by_a_word(fresh, started):
    at = fresh.selectbox(key="select.quota.of").set_value("language").run()
    assert not any(b.key == "select.run" for b in at.button), "a quota without a bound is none"
    at = at.text_input(key="select.quota.most").set_value("half").run()
    assert any("is no amount" in e.value for e in at.error)
    at = at.text_input(key="select.quota.most").set_value("50%").run()
    at.button(key="select.run").click().run()
    recipe = started[0][0]
    pick = recipe.steps[recipe.result[1:]]
    assert recipe.steps[pick["quota"][1:]]["use"] == "labeller/language"
    assert pick["at_most"] == {"*": "50%"}
    assert "at_least" not in pick


def test_quotas_by_stored_labels_in_a_preset(open_page, tmp_path, few_rows, started):
    workspace = Workspace.open(tmp_path / "ws")
    publish_made_up(workspace, workspace.add(few_rows).dataset)
    at = open_page("select", workspace.root)
    at = at.selectbox(key="select.use").set_value("modn").run()
    box = at.selectbox(key="select.quota.of")
    index = next(i for i, name in enumerate(box.options) if name.endswith("(stored)"))
    at = box.select_index(index).run()
    assert not at.exception
    at = at.text_input(key="select.quota.least").set_value("3").run()
    at.button(key="select.run").click().run()
    recipe = started[0][0]
    pick = recipe.steps[recipe.result[1:]]
    assert pick["use"] == "selector/modn"
    assert pick["at_least"] == {"*": "3"}
    assert recipe.steps[pick["quota"][1:]]["use"].startswith("labeller/")
