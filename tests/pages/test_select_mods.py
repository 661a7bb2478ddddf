"""MoDS from the Select page: chosen, told to run offline, started; and what was started runs."""

from __future__ import annotations

import pytest

from curation import jobs
from curation.recipe import Recipe
from curation.workspace import Workspace
from tests.presets.test_mods import TINY

pytestmark = pytest.mark.usefixtures("no_measuring")


def test_it_is_started_from_the_page_and_runs(open_page, few_rows, tmp_path, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("select", workspace.root)
    at = at.selectbox(key="select.use").set_value("mods").run()
    assert not at.exception
    settings = [*Recipe.read("mods").about["without_network"], *TINY]
    at = at.text_area(key="select.preset.mods.more").set_value("\n".join(settings)).run()
    assert not at.exception
    at = at.toggle(key="select.coverage").set_value(False).run()
    at = at.button(key="select.run").click().run()
    assert not at.exception
    recipe, bindings, title = started[0]
    assert recipe.steps[recipe.result[1:]]["use"] == "selector/union"
    _, outcome = jobs.run_here(workspace, recipe, bindings, title=title, device="cpu")
    picks = outcome.artifact("final")
    assert len(picks) > 6
    at = open_page("select", workspace.root, dataset="few")
    assert not at.exception
    assert str(len(picks)) in {m.value for m in at.metric}
    # the answers are a dataset of their own, not one of the pool's rows
    assert [d.name for d in workspace.datasets() if d.fingerprint != bindings["pool"]] == ["few (answers)"]
