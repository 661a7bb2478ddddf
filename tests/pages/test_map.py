"""The Map page: what it offers without a map, and what gestures, filters and decisions come to."""

import numpy as np
import pytest

from curation.views import Picked, Range, Region, View, WorkspaceSources, evaluate
from curation.workspace import Workspace

pytestmark = pytest.mark.usefixtures("no_measuring")


def texts(at):
    return " ".join(str(e.value) for kind in (at.markdown, at.caption, at.text, at.info) for e in kind)


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


class Pool:
    """The dataset of the made-up workspace, its map, and what a view means."""

    def __init__(self, root):
        self.workspace = Workspace.open(root)
        self.dataset = self.workspace.dataset(self.workspace.datasets()[0].fingerprint)
        self.info = next(r for r in self.workspace.results() if r.kind == "layout")
        self.xy = self.workspace.load(self.info.key).xy
        self.sources = WorkspaceSources(self.workspace, self.dataset)

    def box(self, rows):
        low, high = self.xy[rows].min(0).astype(float) - 1e-3, self.xy[rows].max(0).astype(float) + 1e-3
        return [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]

    def view(self, at):
        return at.session_state[f"view.{self.dataset.fingerprint}"].now

    def rows(self, at):
        return np.flatnonzero(evaluate(self.view(at), self.sources))


@pytest.fixture
def made(made_workspace):
    return Pool(made_workspace)


def gesture(at, **what):
    """What the map sends when a gesture ends."""
    seen = at.session_state["map.seen"] if "map.seen" in at.session_state else 0  # noqa: SIM401  it has no get
    serial = seen + 1
    at.session_state["map.inbox"] = [{"serial": serial, **what}]
    return at.run()


def test_a_region_selects_its_rows_which_stay_when_the_colour_changes(filled, made):
    island = np.arange(0, 60, 3)
    at = gesture(filled, region={"op": "replace", "points": made.box(island)})
    assert not at.exception
    found = made.rows(at)
    assert set(island) <= set(found)
    assert f"Selected {len(found)}" in at.segmented_control(key="map.rows.tab").options
    assert at.segmented_control(key="map.rows.tab").value == "Selected"
    at.selectbox(key="map.colour").select("length (response, tokens)").run()
    assert not at.exception
    assert np.array_equal(made.rows(at), found)


def test_regions_add_and_subtract_and_undo_takes_back_one_gesture(filled, made):
    first, second = np.arange(0, 60, 3), np.arange(1, 60, 3)
    at = gesture(filled, region={"op": "replace", "points": made.box(first)})
    alone = made.rows(at)
    at = gesture(at, region={"op": "add", "points": made.box(second)})
    both = made.rows(at)
    assert set(first) | set(second) <= set(both)
    at = gesture(at, region={"op": "subtract", "points": made.box(first)})
    assert not set(first) & set(made.rows(at))
    at.button(key="view.undo").click().run()
    assert np.array_equal(made.rows(at), both)
    at.button(key="view.undo").click().run()
    assert np.array_equal(made.rows(at), alone)
    at.button(key="view.redo").click().run()
    assert np.array_equal(made.rows(at), both)


def test_a_region_taken_away_first_is_taken_from_all_rows(filled, made):
    island = np.arange(0, 60, 3)
    at = gesture(filled, region={"op": "subtract", "points": made.box(island)})
    kept = made.rows(at)
    assert not set(island) & set(kept)
    assert len(kept) > 20


def test_the_same_gesture_is_not_taken_twice(filled, made):
    at = gesture(filled, region={"op": "replace", "points": made.box([0, 3, 6])})
    before = made.view(at)
    at.session_state["map.inbox"] = [{"serial": 1, "region": {"op": "subtract", "points": made.box([0])}}]
    at.run()
    assert made.view(at) == before


def test_a_cut_becomes_a_range_of_exactly_the_rows_that_the_browser_counted(filled, made):
    values = made.dataset.lengths("response")
    cut = float(np.float32(np.median(values)))
    column = f"{made.dataset.fingerprint}.length.values"
    at = gesture(filled, cut={"column": column, "low": cut, "high": None})
    assert not at.exception
    condition = made.view(at).conditions[0]
    assert isinstance(condition, Range)
    assert np.array_equal(made.rows(at), np.flatnonzero(values.astype(np.float32) >= np.float32(cut)))
    at = gesture(at, cut={"column": column, "low": None, "high": None})
    assert not made.view(at), "a cut without limits is none"


def test_a_selection_is_brought_out_and_its_budget_dragged(filled, made):
    assert "k-center" in filled.selectbox(key="map.selection").options[1]
    at = filled.selectbox(key="map.selection").select_index(1).run()
    condition = made.view(at).conditions[0]
    assert isinstance(condition, Picked)
    assert len(made.rows(at)) == 20
    at = gesture(at, budget={"value": 7})
    assert not at.exception
    order = made.workspace.load(condition.selection).order
    assert set(made.rows(at)) == set(order[:7].tolist())
    at.selectbox(key="map.selection").select_index(0).run()
    assert not made.view(at)


def test_a_clicked_point_opens_its_row_and_back_leads_to_the_table(filled, made):
    at = gesture(filled, clicked={"row": 5})
    assert not at.exception
    assert "**Row 5**" in texts(at)
    at.button(key="map.rows.close").click().run()
    assert "**Row 5**" not in texts(at)


def test_more_like_this_adds_a_condition(filled, made):
    at = gesture(filled, clicked={"row": 5})
    at.button(key="map.rows.alike").click().run()
    assert not at.exception
    (condition,) = made.view(at).conditions
    assert condition.rows == (5,)


def test_a_view_is_kept_as_a_selection_by_the_recipe_that_found_it(filled, made, started):
    at = gesture(filled, region={"op": "replace", "points": made.box(np.arange(0, 60, 3))})
    at.button(key="map.rows.keep").click().run()
    assert not at.exception
    recipe, _, title = started[0]
    assert title == "Selection by hand: made"
    assert "selector/region" in {s["use"] for s in recipe.steps.values()}


def test_a_link_reproduces_the_view(filled, open_page, made_workspace, made):
    at = gesture(filled, region={"op": "replace", "points": made.box(np.arange(0, 60, 3))})
    code = made.view(at).encode()
    assert at.query_params["view"] in (code, [code]), "the address holds the view"
    again = open_page("map", made_workspace, view=code)
    assert not again.exception
    assert made.view(again) == made.view(at)
    again.button(key="view.undo").click().run()
    assert not made.view(again), "a link that was opened can be taken back"


def test_a_link_that_is_no_view_is_said_to_be(open_page, made_workspace):
    at = open_page("map", made_workspace, view="1nonsense")
    assert not at.exception
    assert at.error


def test_a_condition_whose_result_is_gone_is_shown_as_broken_and_not_applied(open_page, made_workspace, made):
    box = tuple((float(x), float(y)) for x, y in made.box([0, 3]))
    from curation.views import Shape

    view = View(conditions=(Region(layout="gone", shapes=(Shape(op="add", points=box),)),))
    at = open_page("map", made_workspace, view=view.encode())
    assert not at.exception
    assert "Not applied" in at.button(key="view.pill.0").help
    assert "All 60" in at.segmented_control(key="map.rows.tab").options
    at.button(key="view.pill.0").click().run()
    assert not made.view(at)
