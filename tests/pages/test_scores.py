"""The Scores page: choosing indicators, the live threshold, the formula."""

import numpy as np
import pytest

from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


def metric(at, label):
    return next(m.value for m in at.metric if m.label == label)


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("scores", empty_workspace)
    assert not at.exception
    assert any("There are no rows here yet" in m.value for m in at.markdown)


def test_all_indicators_become_one_job(open_page, few_rows, tmp_path, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("scores", workspace.root)
    assert not at.exception
    at.button(key="scores.fast").click().run()
    assert not at.exception
    at.button(key="scores.run").click().run()
    recipe, _, title = started[0]
    uses = {s["use"] for s in recipe.steps.values()}
    assert title == "Scores: few"
    assert {"scorer/length", "scorer/mtld", "scorer/readability", "labeller/language"} <= uses
    assert "encoder/sentence" not in uses
    at.button(key="scores.all").click().run()
    at.button(key="scores.run").click().run()
    assert {"encoder/sentence", "scorer/knn-distance"} <= {s["use"] for s in started[1][0].steps.values()}


def test_a_field_has_to_be_named(open_page, few_rows, tmp_path, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("scores", workspace.root)
    at.multiselect(key="scores.chosen").set_value(["scorer/column"]).run()
    at.text_input(key="scores.form.scorer/column.field").set_value("").run()
    assert not at.exception
    assert any("Still to be set" in w.value for w in at.warning)


@pytest.fixture
def filled(open_page, made_workspace):
    at = open_page("scores", made_workspace)
    assert not at.exception
    return at


def stored(made_workspace, step):
    ws = Workspace.open(made_workspace)
    info = next(r for r in ws.results() if r.step == step)
    return info.key, ws.load(info.key)


def test_the_threshold_shows_what_it_keeps_at_once(filled, made_workspace, started):
    key, score = stored(made_workspace, "compression")
    at = filled.segmented_control(key=f"score.cut.{key}.None.side").set_value("above").run()
    cut = at.number_input(key=f"score.cut.{key}.None.exact.above")
    values = score.values[np.isfinite(score.values)]
    middle = float(np.median(values))
    at = cut.set_value(middle).run()
    assert not at.exception
    assert metric(at, "Kept") == str(int((values >= middle).sum()))
    assert metric(at, "Dropped") == str(int((values < middle).sum()))
    at.button(key=f"score.keep.{key}").click().run()
    recipe, bindings, _ = started[0]
    kept = recipe.steps[recipe.result[1:]]
    assert kept["use"] == "selector/threshold"
    assert kept["above"] == middle
    assert set(bindings) == {"pool"}, "the recipe makes the score itself, so it runs anywhere"


def test_a_formula_is_checked_while_it_is_written(filled, started):
    at = filled.text_input(key="formula.text").set_value("zscore(length) + nonsense").run()
    assert any("nonsense" in e.value for e in at.error)
    at.text_input(key="formula.text").set_value("zscore(length) + 2 * compression").run()
    assert not at.error
    assert not at.exception
    at.button(key="formula.keep").click().run()
    recipe, _, title = started[0]
    assert title == "Formula: made"
    step = recipe.steps[recipe.result[1:]]
    assert set(step["columns"]) == {"length", "compression"}
    assert {s["use"] for s in recipe.steps.values()} == {"scorer/length", "scorer/compression", "scorer/formula"}
