"""The Influence page, empty and filled; influence is made up and published, nothing is trained."""

import json
import shutil

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing, Score
from curation.recipe import plan
from curation.ui.influence_recipe import Target, Wish, influence_recipe
from curation.views import Rows, View, WorkspaceSources
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")

HOSTILE = "![x](http://evil.test/p.png) <b>bold</b> $x$"
TASKS = ("sums **big**", "ships", "songs")


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.warning, at.info, at.success)
    return " ".join(str(e.value) for kind in kinds for e in kind)


def table(at, column):
    """The last table with a column of this name."""
    return [d.value for d in at.dataframe if column in d.value.columns][-1]


# ---------------------------------------------------------------------- empty


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("influence", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


@pytest.fixture
def new(open_page, few_rows, tmp_path):
    """The page on rows without influence, and another dataset."""
    workspace = Workspace.open(tmp_path / "ws")
    (tmp_path / "aims.json").write_text(
        json.dumps([{"instruction": HOSTILE if i == 0 else f"aim {i}", "output": "yes", "task": TASKS[i % 2]}
                    for i in range(8)])
    )  # fmt: skip
    workspace.add(tmp_path / "aims.json", name="aims")
    workspace.add(few_rows, name="few")
    at = open_page("influence", workspace.root, dataset="few")
    assert not at.exception
    return at


def run(at, started):
    at = at.button(key="influence.run").click().run()
    assert not at.exception
    return started[-1]


def test_rows_of_another_dataset_are_the_target(new, started):
    assert "Nobody has asked yet" in texts(new)
    assert "**8 target rows** in aims" in texts(new)
    assert HOSTILE in table(new, "prompt")["prompt"].tolist()[0]
    recipe, bindings, title = run(new, started)
    assert title == "Influence: few"
    assert set(bindings) == {"pool", "target"}
    assert recipe.steps["base"]["name"] == "scratch"
    assert recipe.steps["aims"]["on"] == "$target" and "within" not in recipe.steps["aims"]


def test_subtasks_and_the_number_of_examples(new, started):
    boxes = [b for b in new.selectbox if b.label == "Subtasks"]
    at = boxes[0].set_value("field:task").run()
    few = next(n for n in at.number_input if n.label == "Examples used at most")
    at = few.set_value(3).run()
    assert "of which 3 are drawn at random" in texts(at)
    recipe, _, _ = run(at, started)
    assert recipe.steps["few"]["budget"] == 3
    assert recipe.steps["subtasks"]["field"] == "task"


def test_a_label_of_this_dataset(new, started):
    at = new.segmented_control(key="influence.target.way").set_value("label").run()
    at = at.selectbox(key="influence.target.label").set_value("field:topic").run()
    assert "Choose the values" in texts(at)
    assert not [b for b in at.button if b.key == "influence.run"]
    values = at.multiselect(key="influence.target.values.field:topic")
    at = values.set_value(values.options[:2]).run()
    recipe, bindings, _ = run(at, started)
    assert set(bindings) == {"pool"}
    assert recipe.steps["aim"]["values"] == values.options[:2]
    assert "subtasks" in recipe.steps["value"]


def test_what_is_in_view_and_selections_say_what_they_need(new):
    at = new.segmented_control(key="influence.target.way").set_value("view").run()
    assert "All rows are in view" in texts(at)
    at = at.segmented_control(key="influence.target.way").set_value("selection").run()
    assert "There is no selection" in texts(at)
    assert not at.exception


def test_the_view_is_the_target(open_page, few_rows, tmp_path, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    view = View().add(Rows(rows="3, 7-9"))
    at = open_page("influence", workspace.root, view=view.encode())
    assert "There is no other dataset yet" in texts(at)
    at = at.segmented_control(key="influence.target.way").set_value("view").run()
    assert "**4 target rows**" in texts(at)
    recipe, _, _ = run(at, started)
    within = recipe.steps["aims"]["within"].removeprefix("$")
    assert recipe.steps[within]["use"] == "selector/rows"


def test_disk_is_told_first_and_follows_width_and_checkpoints(new):
    rows = 120 + 8
    assert f"**{2 * rows * 4 * 512 * 2 / 1e6:.1f} MB on disk**: {rows} rows × 4 checkpoints × 512" in texts(new)
    at = new.number_input(key="influence.small.width").set_value(1024).run()
    at = at.selectbox(key="influence.small.checkpoints").set_value("last").run()
    assert f"**{2 * rows * 1024 * 2 / 1000:.1f} KB on disk**: {rows} rows × 1 checkpoint × 1,024" in texts(at)


def test_scratch_is_warned_of_and_a_named_model_has_the_published_settings(new, started):
    assert "Scratch knows next to nothing" in texts(new)
    at = new.segmented_control(key="influence.base.which").set_value("another").run()
    assert "Still to be set: the base model" in texts(at)
    assert at.number_input(key="influence.published.width").value == 8192
    assert at.number_input(key="influence.published.rank").value == 128
    assert at.number_input(key="influence.published.share").value == 5.0
    assert "Scratch knows" not in texts(at)


# ---------------------------------------------------------------------- filled


def publish(workspace, target, subtasks):
    """Made-up influence of the made-up workspace: rows 0 to 9 suit subtask 0 best, 10 to 19 the next, and so on."""
    dataset = workspace.dataset("made")
    wish = Wish(share=30, rank=8, batch=16, width=512)
    recipe, bindings = influence_recipe(
        workspace, dataset.fingerprint, target, wish, WorkspaceSources(workspace, dataset)
    )
    planned = plan(recipe, workspace, bindings)
    steps = {s.name: s for s in planned.steps}
    aims = target.dataset or dataset.fingerprint
    n, rows = len(dataset), np.arange(len(dataset))
    values = np.linspace(0.9, -0.2, n)
    values[n - 1] = np.nan
    missing = Missing.where(np.isnan(values), "no response")
    columns = {
        "subtask": (rows // 10 % len(subtasks)).astype(np.int32),
        "target": np.where(rows % 3 == 0, 0, rows % 3 + 1).astype(np.int64),
        "likeness": np.where(np.isnan(values), np.nan, values / 2),
    }
    facts = {
        "subtasks": list(subtasks), "targets": 8, "target_dataset": aims, "model": "scratch", "weak": True,
    }  # fmt: skip
    score = Score(dataset.fingerprint, values, missing, "influence", True, columns, facts)
    made = {"value": score}
    if not target.dataset:
        outside = np.ones(n, bool)
        outside[[0, 2, 3]] = False
        made["aims"] = Features(
            dataset.fingerprint, np.zeros((n, 4), np.float16), Missing.where(outside, "outside `aim`")
        )
    for name, artifact in made.items():
        step = steps[name]
        workspace.publish(step.key, artifact, {
            "use": step.use, "step": name, "parameters": step.method.model_dump(mode="json"), "ports": step.ports,
            "within": step.within, "recipe": planned.resolved_yaml(), "bindings": planned.bindings,
        })  # fmt: skip


@pytest.fixture(scope="module")
def with_influence(tmp_path_factory, made_workspace):
    """The made-up workspace with influence on another dataset, whose first row is hostile."""
    folder = tmp_path_factory.mktemp("influence")
    shutil.copytree(made_workspace, folder / "workspace")
    workspace = Workspace.open(folder / "workspace")
    rows = [{"instruction": HOSTILE if i == 0 else f"aim {i}", "output": "yes"} for i in range(8)]
    (folder / "aims.json").write_text(json.dumps(rows))
    aims = workspace.add(folder / "aims.json", name="aims").dataset.fingerprint
    publish(workspace, Target("dataset", dataset=aims), TASKS)
    return workspace.root


@pytest.fixture
def filled(open_page, with_influence):
    at = open_page("influence", with_influence, dataset="made")
    assert not at.exception
    return at


def influence_key(at):
    return at.selectbox(key="influence.result").value


def slider(at):
    return next(s for s in at.slider if s.label == "Budget")


def test_the_budget_acts_at_once_on_all_tables(filled):
    at = slider(filled).set_value(15).run()
    assert not at.exception
    lines = table(at, "rows it suits best")
    assert lines["subtask"].tolist() == list(TASKS)
    assert lines["chosen"].tolist() == [10, 5, 0]
    served = table(at, "target example")
    assert served["row"].tolist() == [0, 2, 3] and served["chosen rows"].tolist() == [5, 5, 5]
    assert served["strongest row"].tolist() == [0, 1, 2]
    assert "No chosen row serves “songs” best" in texts(at)
    at = slider(at).set_value(20).run()
    assert table(at, "rows it suits best")["chosen"].tolist() == [10, 10, 0]
    assert "Keep these 20 rows" in [b.label for b in at.button]


def test_hostile_text_is_text(filled):
    assert HOSTILE in table(filled, "target example")["target example"].tolist()
    assert "evil.test" not in " ".join(str(m.value) for m in [*filled.markdown, *filled.caption])
    assert TASKS[0] not in texts(filled)  # it would be bold


def test_a_scratch_result_says_so_loudly(filled):
    assert any("scratch model found these rows" in w.value for w in filled.warning)
    assert "1 rows: no response" in texts(filled)


def test_the_map_is_coloured_and_its_budget_moves_the_page(filled):
    at = filled.segmented_control(key="influence.map.colour").set_value("best subtask").run()
    assert not at.exception
    at.session_state[f"influence.map.{influence_key(at)}.inbox"] = [{"serial": 1, "budget": {"value": 12}}]
    at = at.run()
    assert slider(at).value == 12


def test_rows_that_serve_an_example_open_with_a_click(filled):
    at = slider(filled).set_value(15).run()
    key = f"influence.served.{influence_key(at)}"
    at.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": [(1, "target example")]}}
    at = at.run()
    assert not at.exception
    strongest = table(at, "likeness")
    assert strongest["row"].tolist() == [1, 4, 7, 10, 13]
    assert "aim 2" in " ".join(t.value for t in at.text)
    table_of = f"influence.strongest.{influence_key(at)}.2.table.0"
    at.session_state[table_of] = {"selection": {"rows": [], "columns": [], "cells": [(1, "prompt")]}}
    at = at.run()
    assert not at.exception
    assert "Row 4" in texts(at)
    at = at.button(key="influence.close").click().run()
    assert not [b for b in at.button if b.key == "influence.close"]


def test_kept_rows_go_on_from_the_recipe(filled, started, with_influence):
    at = slider(filled).set_value(9).run()
    at = at.button(key="influence.keep").click().run()
    assert not at.exception
    recipe, bindings, title = started[0]
    assert title == "Influence keeps: made"
    assert recipe.steps["pick"]["budget"] == 9 and "within" not in recipe.steps["pick"]
    assert set(bindings) == {"pool", "target"}
    assert influence_key(at) in {s.key for s in plan(recipe, Workspace.open(with_influence), bindings).steps}


def test_target_rows_of_the_pool_are_left_out_unless_wanted(open_page, made_workspace, tmp_path, started):
    shutil.copytree(made_workspace, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    publish(workspace, Target("label", labels="field:topic", values=("history",)), ("target",))
    at = open_page("influence", workspace.root)
    assert not at.exception
    toggle = next(t for t in at.toggle if "themselves out" in t.label)
    assert toggle.value and "3 target rows" in toggle.label
    at = slider(at).set_value(4).run()
    assert table(at, "target example")["strongest row"].tolist()[0] in (1, 4, 5, 6)
    at.button(key="influence.keep").click().run()
    within = started[0][0].steps["pick"]["within"].removeprefix("$")
    assert started[0][0].steps[within]["without"] == ["$aim"]
    at = next(t for t in at.toggle if "themselves out" in t.label).set_value(False).run()
    at.button(key="influence.keep").click().run()
    assert "within" not in started[1][0].steps["pick"]
