"""The Compare page: what it offers without selections, what it shows with one or more, and what a link reproduces."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from curation import jobs
from curation.complete import with_coverage
from curation.recipe import Recipe
from curation.ui import compare_data, pool
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


def texts(at):
    kinds = (at.markdown, at.caption, at.text, at.info, at.warning, at.error)
    return " ".join(str(e.value) for kind in kinds for e in kind)


@pytest.fixture(scope="module")
def several(made_workspace, tmp_path_factory):
    """The made-up workspace with three selections: k-center, the longest with coverage, and 12 random rows."""
    root = tmp_path_factory.mktemp("several") / "workspace"
    shutil.copytree(made_workspace, root)
    workspace = Workspace.open(root)
    dataset = workspace.datasets()[0].fingerprint
    longest = {
        "length": {"use": "scorer/length", "on": "$pool"},
        "longest": {"use": "selector/top-k", "score": "$length", "keep": "highest", "budget": 20},
    }
    chance = {"few": {"use": "selector/random", "on": "$pool", "budget": 12, "seed": 9}}
    for steps, result in ((longest, "longest"), (chance, "few")):
        recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": f"${result}"})
        recipe = with_coverage(recipe) if result == "longest" else recipe
        jobs.run_here(workspace, recipe, {"pool": dataset}, title="Selection: made", device="cpu")
    return root


def key_of(root, use):
    return next(r.key for r in Workspace.open(root).results() if r.use == use and r.kind == "selection")


@pytest.fixture
def keys(several):
    return [key_of(several, use) for use in ("selector/k-center", "selector/top-k", "selector/random")]


@pytest.fixture
def opened(open_page, several, keys):
    def page(count=3, **query):
        at = open_page("compare", several, arms=",".join(k[:12] for k in keys[:count]), **query)
        assert not at.exception
        return at

    return page


# ------------------------------------------------------------------ empty states


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("compare", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


def test_without_selections_it_offers_every_preset_as_one_job(open_page, few_rows, tmp_path, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("compare", workspace.root)
    assert not at.exception
    assert "Nothing has been selected" in texts(at)
    at.number_input(key="compare.presets.budget").set_value(15).run()
    at.multiselect(key="compare.presets.names").set_value(["d4", "semdedup", "rds"]).run()
    assert "2 will run" in texts(at)
    assert "1 cannot run here" in " ".join(e.label for e in at.expander)
    at.button(key="compare.presets.run").click().run()
    recipe, _, title = started[0]
    assert title == "Comparison: few, 2 presets, 15 rows"
    assert set(recipe.about["arms"]) == {"d4", "semdedup"}
    assert sum(s["use"] == "selector/random" for s in recipe.steps.values()) >= 3
    assert recipe.steps[recipe.about["arms"]["d4"]]["budget"] == 15


def test_nothing_chosen_is_said(opened):
    at = opened()
    at.multiselect(key="compare.arms").set_value([]).run()
    assert not at.exception
    assert "Choose at least one selection" in texts(at)


def test_one_selection_has_only_random_beside_it(opened):
    at = opened(1)
    said = texts(at)
    assert "only random stands beside it" in said
    assert "A · k-center" in said
    assert "Rows to read" not in said


# ------------------------------------------------------------------ filled


def test_all_parts_stand_on_one_screen(opened):
    said = texts(opened())
    for heading in (
        "Where they pick", "Rows in common", "Coverage over the budget", "Who takes which rows",
        "Rows that most agree on", "Scores and length", "Groups", "Known weaknesses", "Rows to read",
        "Against an older selection", "Save as a report", "3 draws (seeds 0, 1, 2)",
    ):  # fmt: skip
        assert heading in said, heading


def test_a_link_reproduces_selections_and_size(opened, keys):
    at = opened(2, budget="7")
    assert at.multiselect(key="compare.arms").value == keys[:2]
    assert at.number_input(key="compare.rows").value == 7
    assert "**7** rows" in texts(at)
    at.multiselect(key="compare.arms").set_value([keys[2]]).run()
    assert at.query_params["arms"] == [keys[2][:12]] or at.query_params["arms"] == keys[2][:12]


@pytest.mark.parametrize(
    "arms", ["../../etc", "<b>", "abc", "%00", "'; drop table", "a" * 5_000, "ffffffffffff,0123456789ab"]
)
def test_a_link_with_anything_else_is_harmless(open_page, several, arms):
    at = open_page("compare", several, arms=arms, budget="-3")
    assert not at.exception
    assert "not stored here" in texts(at)
    assert at.multiselect(key="compare.arms").value == []


def test_the_choice_is_there_when_the_page_comes_back(opened, keys):
    at = opened(2)
    at.switch_page("pages/select.py").run()
    at.query_params.clear()
    at.switch_page("pages/compare.py").run()
    assert at.multiselect(key="compare.arms").value == keys[:2]


def test_without_a_link_the_newest_results_are_compared(open_page, several):
    at = open_page("compare", several)
    assert not at.exception
    chosen = at.multiselect(key="compare.arms").value
    assert 2 <= len(chosen) <= 3
    assert key_of(several, "selector/random") in chosen


def test_different_sizes_can_be_cut_with_one_click(opened):
    at = opened()
    assert "different sizes, from 12 to 20" in texts(at)
    at.button(key="compare.cut").click().run()
    assert not at.exception
    assert at.number_input(key="compare.rows").value == 12
    assert texts(at).count("**12** rows") == 3


def test_a_budget_beyond_what_is_stored_is_made_by_a_job(opened, started):
    at = opened(3, budget="20")
    assert "cannot be cut to 20 rows" in texts(at)
    at.button(key="compare.again.run").click().run()
    recipe, _, title = started[0]
    assert title == "Comparison: made, 20 rows each"
    assert {recipe.steps[s]["budget"] for s in recipe.about["arms"].values()} == {20}


def test_a_selection_without_a_budget_is_not_offered_again(open_page, few_rows, tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    dataset = workspace.add(few_rows, name="few").dataset
    recipes = {
        "above": {
            "length": {"use": "scorer/length", "on": "$pool"},
            "above": {"use": "selector/threshold", "score": "$length", "above": 1},
        },
        "few": {"few": {"use": "selector/random", "on": "$pool", "budget": 5, "seed": 9}},
    }
    for name, steps in recipes.items():
        recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": f"${name}"})
        jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title="Selection: few", device="cpu")
    arms = ",".join(r.key[:12] for r in workspace.results() if r.kind == "selection")
    at = open_page("compare", workspace.root, arms=arms, budget="5")
    assert not at.exception
    assert "threshold: takes no budget" in texts(at)
    assert "cannot be cut" not in texts(at)


def test_another_seed_is_one_click_away(opened, keys, started):
    at = opened()
    at.button(key=f"compare.seed.{keys[2][:12]}").click().run()
    recipe, _, title = started[0]
    assert title == "Selection: made, random with another seed"
    assert recipe.steps[recipe.result.removeprefix("$")]["seed"] == 10
    assert "No step behind it draws by chance" in texts(at)  # of the longest rows


def test_unmeasured_coverage_can_be_measured(opened, started):
    at = opened()
    assert "its coverage was not measured" in texts(at)
    at.button(key="compare.cover").click().run()
    recipe, _, title = started[0]
    assert title == "Coverage: made"
    assert sum(s["use"] == "coverage" for s in recipe.steps.values()) == 1


def test_any_number_and_any_group_can_be_chosen(opened):
    at = opened()
    names = at.selectbox(key="compare.number")
    at = names.select_index(1).run()
    assert not at.exception
    groups = at.selectbox(key="compare.group")
    assert "language (not computed yet)" in groups.options


def test_groups_that_are_missing_are_one_click_away(opened, started):
    at = opened()
    at.selectbox(key="compare.group").select("language").run()
    at.button(key="compare.group.make").click().run()
    recipe, _, title = started[0]
    assert title == "Groups: made, language"
    assert [s["use"] for s in recipe.steps.values()] == ["labeller/language"]


def test_the_slider_counts_and_keeps_a_consensus(opened, several, keys, started):
    at = opened(2)
    at.slider(key="compare.agree.2").set_value(1).run()
    workspace = Workspace.open(several)
    either = set().union(*(np.asarray(workspace.load(k).order).tolist() for k in keys[:2]))
    assert f"**{len(either)}** rows are chosen by at least **1** of 2" in texts(at)
    at.button(key="compare.keep").click().run()
    recipe, _, title = started[0]
    assert title == "Selection: made, chosen by at least 1"
    step = recipe.steps[recipe.result.removeprefix("$")]
    assert (step["use"], step["votes"], len(step["of"])) == ("selector/consensus", 1, 2)


def test_rows_that_one_takes_can_be_read(opened, several, keys):
    at = opened(2)
    at.segmented_control(key="compare.which").set_value("only 0").run()
    assert not at.exception
    workspace = Workspace.open(several)
    first, second = (set(np.asarray(workspace.load(k).order).tolist()) for k in keys[:2])
    assert f"{len(first - second)} rows that only k-center takes" in texts(at)


def test_a_clicked_point_opens_its_row(opened):
    at = opened(2)
    at.session_state["compare.map.0.inbox"] = [{"serial": 1, "clicked": {"row": 5}}]
    at.run()
    assert not at.exception
    assert "**Row 5**" in texts(at)
    at.button(key="compare.close").click().run()
    assert "**Row 5**" not in texts(at)


def test_an_older_selection_shows_what_changed(opened, several, keys):
    at = opened(2)
    at.selectbox(key="compare.older").select(keys[2]).run()
    assert not at.exception
    tiles = {m.label: m.value for m in at.metric}
    workspace = Workspace.open(several)
    newer, older = (set(np.asarray(workspace.load(k).order).tolist()) for k in (keys[0], keys[2]))
    assert tiles["Both take"] == str(len(newer & older))
    assert tiles["Added"] == str(len(newer - older))
    assert tiles["Removed"] == str(len(older - newer))


def test_colours_can_be_agreement_or_clusters(opened):
    at = opened(2)
    for colour in ("votes", "clusters"):
        at.segmented_control(key="compare.colour").set_value(colour).run()
        assert not at.exception


def test_without_a_map_the_rest_is_there(open_page, few_rows, tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    dataset = workspace.add(few_rows, name="few").dataset
    steps = {f"r{s}": {"use": "selector/random", "on": "$pool", "budget": 9, "seed": s} for s in (1, 2)}
    for name in steps:
        recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": {name: steps[name]}, "result": f"${name}"})
        jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title="Selection: few", device="cpu")
    at = open_page("compare", workspace.root, arms=",".join(r.key[:12] for r in workspace.results()))
    assert not at.exception
    assert "There is no map yet" in texts(at)
    assert "clusters (not computed yet)" in at.selectbox(key="compare.group").options


# ------------------------------------------------------------------ jobs and the report


def test_the_arms_of_a_finished_job_are_compared_once(open_page, few_rows, tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    dataset = workspace.add(few_rows, name="few").dataset
    steps = {f"r{s}": {"use": "selector/random", "on": "$pool", "budget": 9, "seed": s} for s in range(8)}
    about = {"title": "Comparison", "arms": {f"arm {s}": f"r{s}" for s in range(7)}}
    recipe = Recipe.read({"about": about, "inputs": {"pool": "Dataset"}, "steps": steps, "result": "$r7"})
    jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title="Comparison: few", device="cpu")
    at = open_page("compare", workspace.root)
    assert not at.exception
    chosen = at.multiselect(key="compare.arms").value
    assert [workspace.manifest(k)["step"] for k in chosen] == [f"r{s}" for s in range(6)]
    at.multiselect(key="compare.arms").set_value(chosen[:2]).run()
    assert at.multiselect(key="compare.arms").value == chosen[:2], "taken over once"


def test_arms_of_a_job_are_called_after_their_preset(several, monkeypatch):
    text = Recipe.read(
        {
            "about": {"title": "Comparison of presets", "arms": {"d4": "mine", "other": "second"}},
            "inputs": {"pool": "Dataset"},
            "steps": {
                n: {"use": "selector/random", "on": "$pool", "budget": 2, "seed": i}
                for i, n in enumerate(("mine", "second", "third"))
            },
            "result": "$third",
        }
    ).yaml()
    assert pool.preset_title("k1", "mine", text) == Recipe.read("d4").about["title"]
    assert pool.preset_title("k2", "second", text) == ""
    assert [pool.is_result(k, s, text) for k, s in (("a", "mine"), ("b", "second"), ("c", "third"))] == [
        True, True, False,
    ]  # fmt: skip


def test_the_report_can_be_saved(opened, several, keys):
    at = opened(2)
    assert "Save the report" in " ".join(b.label for b in at.get("download_button"))
    assert f"curate compare {keys[0]} {keys[1]}" in " ".join(c.value for c in at.code)


def test_a_command_says_the_budget():
    what = compare_data.Compared("root", ("a" * 64, "b" * 64), 5)
    assert compare_data.command_of(what) == f"curate compare {'a' * 64} {'b' * 64} --budget 5"


def test_names_of_choices_stay_as_time_goes_by(several, monkeypatch):
    infos = [r for r in Workspace.open(several).results() if r.kind == "selection"]
    monkeypatch.setenv("CURATION_WORKSPACE", str(several))
    before = [pool.selection_name(i) for i in infos]
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert [pool.selection_name(i) for i in infos] == before


def test_a_job_that_ends_while_a_link_is_open_is_taken_over(open_page, few_rows, tmp_path):
    workspace = Workspace.open(tmp_path / "ws")
    dataset = workspace.add(few_rows, name="few").dataset
    steps = {f"r{s}": {"use": "selector/random", "on": "$pool", "budget": 9, "seed": s} for s in range(4)}

    def run(*names, arms=None):
        about = {"about": {"title": "Comparison", "arms": arms}} if arms else {}
        recipe = Recipe.read(
            {**about, "inputs": {"pool": "Dataset"}, "steps": {n: steps[n] for n in names}, "result": f"${names[-1]}"}
        )
        title = "Comparison: few" if arms else "Selection: few"
        jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title=title, device="cpu")

    run("r0")
    at = open_page("compare", workspace.root, arms=workspace.results()[0].key[:12])
    assert len(at.multiselect(key="compare.arms").value) == 1
    run("r1", "r2", "r3", arms={"first": "r1", "second": "r2"})
    at.run()
    assert [workspace.manifest(k)["step"] for k in at.multiselect(key="compare.arms").value] == ["r1", "r2"]


def test_every_score_and_the_length_are_drawn_on_the_same_screen(opened, several):
    at = opened(2)
    workspace = Workspace.open(several)
    dataset = workspace.datasets()[0].fingerprint
    drawn = {e.key.rpartition(".")[2] for e in at.get("plotly_chart") if e.key and e.key.startswith("compare.all.")}
    wanted = {r.key for r in workspace.results(dataset) if r.kind == "score"} | {"length"}
    assert drawn == wanted
