"""The Map page: what it offers without a map, and what marking rows does."""

import numpy as np
import pytest

from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


def texts(at):
    return " ".join(str(e.value) for kind in (at.markdown, at.caption, at.text) for e in kind)


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("map", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


def test_without_a_map_it_offers_both(open_page, few_rows, tmp_path, started):
    workspace = Workspace.open(tmp_path / "ws")
    workspace.add(few_rows, name="few")
    at = open_page("map", workspace.root)
    assert not at.exception
    assert "Quick preview" in texts(at)
    at.button(key="map.both").click().run()
    assert [title for _, _, title in started] == ["Quick map: few", "Map: few"]
    preview, full = (recipe for recipe, _, _ in started)
    assert preview.steps[preview.result[1:]]["preview"] is True
    assert {s["use"] for s in full.steps.values()} == {"encoder/sentence", "neighbours", "layout", "labeller/clusters"}


@pytest.fixture
def filled(open_page, made_workspace):
    at = open_page("map", made_workspace)
    assert not at.exception
    return at


def draw(at, workspace, **shape):
    """A box around the rows of one made-up island, or whatever is given."""
    turn = at.session_state[place(workspace)]["turn"]
    at.session_state[f"map.chart.{turn}"] = {"selection": {"box": [], "lasso": [], "point_indices": [], **shape}}
    return at.run()


def place(workspace):
    return f"map.marked.{Workspace.open(workspace).datasets()[0].fingerprint}"


def island(workspace):
    ws = Workspace.open(workspace)
    info = next(r for r in ws.results() if r.kind == "layout")
    xy = ws.load(info.key).xy[::3]
    return {"x": [float(xy[:, 0].min()), float(xy[:, 0].max())], "y": [float(xy[:, 1].min()), float(xy[:, 1].max())]}


def test_a_box_marks_its_rows_and_another_colour_keeps_them(filled, made_workspace):
    at = draw(filled, made_workspace, box=[island(made_workspace)])
    assert not at.exception
    rows = at.session_state[place(made_workspace)]["rows"]
    assert set(range(0, 60, 3)) <= set(rows.tolist())
    assert f"{len(rows)} rows marked" in texts(at)
    at.selectbox(key="map.colour").select("length (response, tokens)").run()
    assert not at.exception
    state = at.session_state[place(made_workspace)]
    assert np.array_equal(state["rows"], rows)
    assert np.array_equal(state["overlay"], rows), "another figure has to bring them out"


def test_taking_the_shape_away_clears_but_a_new_figure_does_not(filled, made_workspace):
    at = draw(filled, made_workspace, box=[island(made_workspace)])
    at = draw(at, made_workspace)
    assert len(at.session_state[place(made_workspace)]["rows"]) == 0
    assert "rows marked" not in texts(at)


def test_one_point_opens_its_row(filled, made_workspace):
    at = draw(filled, made_workspace, point_indices=[5])
    assert not at.exception
    assert len(at.session_state[place(made_workspace)]["rows"]) == 1
    assert "**Row " in texts(at)


def test_marked_rows_can_be_kept_inverted_and_cleared(filled, made_workspace, started):
    at = draw(filled, made_workspace, point_indices=[5])
    row = int(at.session_state[place(made_workspace)]["rows"][0])
    at.button(key="map.keep").click().run()
    recipe, _, title = started[0]
    assert title == "Selection by hand: made"
    assert recipe.steps["marked"]["rows"] == str(row)
    at.button(key="map.invert").click().run()
    assert row not in at.session_state[place(made_workspace)]["rows"]
    assert len(at.session_state[place(made_workspace)]["rows"]) == 59
    at.button(key="map.clear").click().run()
    assert len(at.session_state[place(made_workspace)]["rows"]) == 0


def test_a_chosen_selection_says_why(filled, made_workspace):
    chosen = filled.selectbox(key="map.selection").options[1]
    at = filled.selectbox(key="map.selection").select_index(1).run()
    assert "k-center" in chosen
    at = draw(at, made_workspace, point_indices=[0])
    assert "out: " in texts(at) or "in: " in texts(at)
