"""The MoDS tab of the Influence page: a made-up run of the preset as a funnel, and other thresholds."""

import json
import shutil

import numpy as np
import pytest

from curation.core.artifacts import Missing, Score, Selection
from curation.recipe import Recipe, plan, preset_names
from curation.workspace import Workspace

pytestmark = [
    pytest.mark.usefixtures("no_measuring"),
    pytest.mark.skipif("mods" not in preset_names(), reason="this version has no preset mods"),
]


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.warning, at.info, at.success)
    return " ".join(str(e.value) for kind in kinds for e in kind)


def publish_mods(workspace):
    """A made-up run of the preset: rewards 0 to 59, of answers the other way round."""
    dataset = workspace.dataset("made")
    n, name, none = len(dataset), dataset.fingerprint, Missing.none(len(dataset))
    settings = [
        "quality.use=scorer/mtld", "answer_quality.use=scorer/mtld", "good.above=19.5", "weak.below=20.0",
        "seed.budget=10", "more.budget=5",
    ]  # fmt: skip
    recipe = Recipe.read("mods").with_settings(settings)
    planned = plan(recipe, workspace, {"pool": name})
    rewards = np.arange(n, dtype=np.float64)
    need = np.where(rewards > 19.5, n - 1 - rewards, np.nan)
    need[25] = np.nan
    gone = Missing.from_list(["outside `good`" if i < 20 else "made row: empty" if i == 25 else None for i in range(n)])
    weak = np.flatnonzero(need < 20)
    made = {
        "quality": Score(name, rewards, none, "reward", True),
        "good": Selection(name, n, np.arange(20, n)),
        "seed": Selection(name, n, np.arange(20, 30)),
        "need": Score(name, need, gone, "reward of made rows", True, {}, {"weak": True}),
        "weak": Selection(name, n, weak),
        "more": Selection(name, n, weak[:5]),
        "final": Selection(name, n, np.r_[np.arange(20, 30), weak[:5]]),
    }
    for step in planned.steps:
        if step.name in made:
            workspace.publish(step.key, made[step.name], {
                "use": step.use, "step": step.name, "parameters": step.method.model_dump(mode="json"),
                "ports": step.ports, "within": step.within, "recipe": planned.resolved_yaml(),
                "bindings": planned.bindings,
            })  # fmt: skip


def test_without_a_run_it_says_where_to_begin(open_page, made_workspace):
    at = open_page("influence", made_workspace)
    at = at.segmented_control(key="influence.part").set_value("mods").run()
    assert not at.exception
    assert "MoDS has not been run" in texts(at)


@pytest.fixture
def mods(open_page, made_workspace, tmp_path):
    shutil.copytree(made_workspace, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    publish_mods(workspace)
    at = open_page("influence", workspace.root)
    at = at.segmented_control(key="influence.part").set_value("mods").run()
    assert not at.exception
    return at


def test_stages_of_a_run_and_what_it_kept(mods):
    tiles = {m.label: m.value for m in mods.metric}
    assert tiles == {"Seed": "10", "Necessary": "5", "Kept": "15"}
    figure = json.loads(mods.get("plotly_chart")[0].proto.spec)
    assert [bar["text"] for bar in figure["data"] if bar["name"] == "left"] == [["60", "60", "40", "39", "20", "5"]]
    assert "1: made row" in texts(mods)
    assert any("scratch model gave these answers" in w.value for w in mods.warning)
    assert "Move a threshold" in texts(mods)


@pytest.mark.parametrize(("step", "reused"), [("weak", True), ("good", False)])
def test_another_threshold_is_another_run_that_reuses_the_steps_before_it(mods, started, tmp_path, step, reused):
    number = next(n for n in mods.number_input if n.key.startswith(f"influence.mods.{step}."))
    assert number.value == {"good": 19.5, "weak": 20.0}[step]
    at = number.set_value(25.0).run()
    at = at.button(key="influence.mods.again").click().run()
    assert not at.exception
    recipe, bindings, title = started[0]
    assert title == "MoDS: made"
    side = {"good": "above", "weak": "below"}[step]
    assert recipe.steps[step][side] == 25.0
    workspace = Workspace.open(tmp_path / "workspace")
    keys = {s.name: workspace.has(s.key) for s in plan(recipe, workspace, bindings).steps}
    assert keys["quality"] and not keys[step] and keys["need"] is reused
