"""Methods that read of other rows: queries and an evaluation set from another dataset of the workspace."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Selection
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


@pytest.fixture
def workspace(tmp_path, demo_file) -> Workspace:
    """A pool that is the newest, another file, and vectors of both."""
    rows = json.loads(demo_file.read_text())
    (tmp_path / "asked.json").write_text(json.dumps(rows[40:48]))
    (tmp_path / "few.json").write_text(json.dumps(rows[:30]))
    made = Workspace.open(tmp_path / "ws")
    for name in ("asked", "few"):
        made.add(tmp_path / f"{name}.json")
        recipe = {"inputs": {"pool": "Dataset"}, "steps": {"embed": {"use": "encoder/tfidf", "on": "$pool", "dims": 4}}}
        run(plan(Recipe.read({**recipe, "result": "$embed"}), made, {"pool": name}), made, Runtime())
    return made


def vectors(workspace: Workspace, name: str) -> str:
    return next(r.key for r in workspace.results(workspace.dataset(name).fingerprint) if r.kind == "features")


def test_queries_are_chosen_among_results_of_other_datasets(open_page, workspace, started):
    at = open_page("select", workspace.root, dataset="few")
    at = at.selectbox(key="select.use").set_value("selector/rds").run()
    assert not at.exception
    assert any("what the rows are to be like" in w.value for w in at.warning)
    assert not any(b.key == "select.run" for b in at.button)
    queries = at.selectbox(key="select.port.selector/rds.queries")
    key = vectors(workspace, "asked")
    assert vectors(workspace, "few") not in queries.options
    assert any(option.endswith(", asked") for option in queries.options)
    at = queries.set_value(key).run()
    at = at.toggle(key="select.coverage").set_value(False).run()
    at.button(key="select.run").click().run()
    assert not at.exception
    recipe, bindings, _ = started[0]
    pick = recipe.steps[recipe.result[1:]]
    assert bindings[pick["queries"][1:]] == key
    planned = plan(recipe, workspace, bindings)
    assert planned.step(planned.result).dataset == workspace.dataset("few").fingerprint


def test_only_targeted_methods_need_an_aim(open_page, workspace, started):
    at = open_page("select", workspace.root, dataset="few")
    at = at.selectbox(key="select.use").set_value("selector/bayes-logdet").run()
    assert not at.warning
    at.button(key="select.run").click().run()
    assert not at.exception
    pick = started[0][0].steps["bayes-logdet"]
    assert pick.get("targets") is None
    assert pick.get("queries") is None


def test_an_evaluation_set_is_chosen_on_the_scores_page(open_page, workspace, started):
    at = open_page("scores", workspace.root, dataset="few")
    at = at.multiselect(key="scores.chosen").set_value(["labeller/contamination"]).run()
    assert not at.exception
    at.button(key="scores.run").click().run()
    assert not at.exception
    recipe, bindings, _ = started[0]
    step = recipe.steps[recipe.result[1:]]
    assert step["on"] == "$pool"
    assert bindings[step["evaluation"][1:]] == workspace.dataset("asked").fingerprint


def test_presets_ask_for_their_other_file(open_page, workspace, started):
    at = open_page("select", workspace.root, dataset="few")
    for preset, name in (("rds", "queries"), ("tsds", "queries"), ("decontaminate", "evaluation")):
        at = at.selectbox(key="select.use").set_value(preset).run()
        at.button(key="select.run").click().run()
        assert not at.exception, preset
        recipe, bindings, _ = started[-1]
        assert bindings[name] == workspace.dataset("asked").fingerprint
        planned = plan(recipe, workspace, bindings)
        coverage = next(s for s in planned.steps if s.use == "coverage")
        assert coverage.dataset == workspace.dataset("few").fingerprint


def test_a_step_made_with_two_datasets_says_which_rows_each_step_works_on(workspace):
    recipe = Recipe.read("decontaminate").with_settings(("check.features=null", "check.evaluation_features=null"))
    done = run(plan(recipe, workspace, {"pool": "few", "evaluation": "asked"}), workspace, Runtime())
    clean = done.artifact("clean")
    assert isinstance(clean, Selection)
    np.testing.assert_array_equal(clean.order, np.arange(30))
