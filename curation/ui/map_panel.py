"""The map page's body: what colours and cuts the map, the map, and beside it the rows in view or one row in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from curation.core.artifacts import Labels, Layout, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.given import RESPONSE_LENGTH, response_length
from curation.selectors.region import MAX_SHAPES
from curation.ui import pool, view_state
from curation.ui.choices import Colour, colour_choice
from curation.ui.components import mode
from curation.ui.map_layers import colour_layer, hovered, mask_layer, names_layer
from curation.ui.map_rows import rows_panel
from curation.ui.point_map import (
    BudgetCut,
    Cut,
    MapEvents,
    Shape,
    feed_numbers,
    feed_points,
    feed_ranks,
    hover_text,
    point_map,
)
from curation.ui.point_map.events import INBOX, SEEN, events_of
from curation.ui.pool import Stored
from curation.ui.search_box import search_box
from curation.ui.text import number, plain
from curation.ui.view_bar import view_bar
from curation.ui.view_tabs import narrowest
from curation.views import LENGTH, Condition, Picked, Range, Region, View, exact_bounds
from curation.views import Shape as RegionShape
from curation.workspace import Workspace

MAP = "map"
HEIGHT = 540
CUTS = 4


def open_key(dataset: Dataset) -> str:
    """Where the session keeps the row of a dataset that is open beside the map."""
    return f"{MAP}.open.{dataset.fingerprint}"


@dataclass(frozen=True)
class Slider:
    """A score that can be cut on the map.

    Args:
        score: Key of the score, or LENGTH.
        name: Shown.
        values: float `[n]`.
        better: Whether higher is better.
    """

    score: str
    name: str
    values: np.ndarray
    better: bool | None


@dataclass(frozen=True)
class Brought:
    """A selection that is brought out: its longest known order and how many of it."""

    stored: Stored
    order: Selection


def map_panel(workspace: Workspace, dataset: Dataset, stored: Stored, head: DeltaGenerator) -> None:
    """The map with everything that belongs to it. Choices and arrays stand outside the fragment that gestures rerun.

    Args:
        workspace: Where the dataset lives.
        dataset: Whose rows.
        stored: The map to show.
        head: Place beside the page's title, for the search.
    """
    layout = pool.layout_of(stored)
    with head:
        found = search_box(workspace, dataset, key="map.search")
    if found is not None:
        view_state.add(dataset, found, "search")
        st.session_state[open_key(dataset)] = None  # what was found is to be seen
    view = view_state.current(dataset)
    with st.container(horizontal=True, vertical_alignment="bottom", key="map.controls"):
        colour = colour_choice(dataset, key="map.colour")
        sliders = _sliders(dataset, view)
        brought = _brought(dataset, view)
    points = feed_points(f"{stored.key}.xy", np.asarray(layout.xy))
    color = colour.load()
    shown = colour_layer(colour.key, color, mode())
    for slider in sliders:
        feed_numbers(_column(dataset, slider), slider.values)
    if brought is not None and brought.order.nested:
        feed_ranks(_ranks(brought), np.asarray(brought.order.order), len(dataset))

    @st.fragment
    def body() -> None:
        made = _events(dataset, sliders, brought)
        _act(dataset, stored, sliders, brought, made)
        opened = open_key(dataset)
        view = view_bar(dataset, shortcuts=st.session_state.get(opened) is None)
        with st.container(key="map.both"):
            left, right = st.columns([3, 2], gap="medium")
        with left, st.container(key="map.left"):
            lit = _lit(dataset, view, sliders, brought)
            point_map(
                key=MAP, points=points, n=len(dataset), mode=mode(), colour=shown, height=HEIGHT,
                names=_names(stored, layout, colour, color), lit=None if lit is None else mask_layer(lit),
                cuts=_cuts(dataset, view, sliders), budget=_budget(view, brought), shapes=_shapes(view, stored),
                open_row=st.session_state.get(opened),
            )  # fmt: skip
            _notes(dataset, layout)
        with right:
            rows_panel(workspace, dataset, view, key="map.rows", open_key=opened)

    body()
    hover_text(lambda row: hovered(dataset, row), n=len(dataset), key=MAP)


# ------------------------------------------------------------------ choices


def _sliders(dataset: Dataset, view: View) -> list[Slider]:
    """The scores that the user wants to cut by."""
    names = {LENGTH: RESPONSE_LENGTH} | {s.key: s.name for s in pool.scores(dataset.fingerprint)}
    key = f"map.cuts.{dataset.fingerprint}"
    ranged = [c.score for c in view.conditions if isinstance(c, Range) and c.column is None and c.score in names]
    if key not in st.session_state:
        st.session_state[key] = list(dict.fromkeys(ranged))[:CUTS] or [LENGTH]
    st.session_state[key] = [k for k in st.session_state[key] if k in names]
    chosen = st.multiselect(
        "Cut by", list(names), key=key, format_func=names.__getitem__, max_selections=CUTS, persist_state="session",
        placeholder="a score", help="Each becomes a slider under the map: rows outside turn grey while you drag",
    )  # fmt: skip
    found = []
    for score in chosen:
        artifact = response_length(dataset) if score == LENGTH else cast(Score, _stored(dataset, score).artifact)
        better = artifact.higher_is_better
        found.append(Slider(score, names[score], np.asarray(artifact.values), better))
    return found


def _stored(dataset: Dataset, key: str) -> Stored:
    return next(s for s in pool.scores(dataset.fingerprint) if s.key == key)


def _brought(dataset: Dataset, view: View) -> Brought | None:
    """The selection that is brought out: the one of the view, chosen here."""
    found = {s.key: s for s in pool.selections(dataset.fingerprint)}
    if not found:
        return None
    held = _picked(view)
    key = "map.selection"
    st.session_state[key] = held.selection if held is not None and held.selection in found else ""

    def choose() -> None:
        asked = st.session_state[key]

        def made(view: View) -> View:
            rest = View(conditions=tuple(c for c in view.conditions if not _is_in(c)))
            return rest.add(Picked(selection=asked, budget=None, keep="in")) if asked else rest

        view_state.change(dataset, made, "bring out a selection" if asked else "put the selection back")

    st.selectbox(
        "Bring out", ["", *found], key=key, format_func=lambda k: found[k].name if k else "no selection",
        on_change=choose, help="Its picks stand out, and its budget becomes a slider where the order is nested",
    )  # fmt: skip
    chosen = found.get(st.session_state[key])
    return None if chosen is None else Brought(chosen, pool.full_order(chosen))


def _is_in(condition: Condition) -> bool:
    return isinstance(condition, Picked) and condition.keep == "in"


def _picked(view: View) -> Picked | None:
    return next((cast(Picked, c) for c in view.conditions if _is_in(c)), None)


def _column(dataset: Dataset, slider: Slider) -> str:
    return f"{dataset.fingerprint}.length.values" if slider.score == LENGTH else f"{slider.score}.values"


def _ranks(brought: Brought) -> str:
    return f"{brought.stored.key}.{len(brought.order)}.ranks"


# ------------------------------------------------------------------ what the map shows


def _moved_here(condition: Condition, sliders: list[Slider], brought: Brought | None) -> bool:
    """Whether a slider of the map holds this condition, so that the map applies it itself."""
    if isinstance(condition, Range):
        return condition.column is None and condition.score in [s.score for s in sliders]
    nested = brought is not None and brought.order.nested
    return nested and _is_in(condition) and condition.selection == cast(Brought, brought).stored.key  # type: ignore[union-attr]


def _lit(dataset: Dataset, view: View, sliders: list[Slider], brought: Brought | None) -> np.ndarray | None:
    """The rows that all conditions hold for which the map does not apply itself; None = all rows."""
    if all(_moved_here(c, sliders, brought) for c in view.conditions):
        return None
    return view_state.mask_of(dataset, view, without=lambda c: _moved_here(c, sliders, brought))


def _cuts(dataset: Dataset, view: View, sliders: list[Slider]) -> list[Cut]:
    found = []
    for slider in sliders:
        held = next((c for c in view.conditions if _range_of(c, slider)), None)
        low, high = (None, None) if held is None else (held.low, held.high)  # type: ignore[union-attr]
        found.append(Cut(_column(dataset, slider), slider.name, _small(low), _small(high), slider.better))
    return found


def _range_of(condition: Condition, slider: Slider) -> bool:
    return isinstance(condition, Range) and condition.column is None and condition.score == slider.score


def _small(value: float | None) -> float | None:
    return None if value is None else float(np.float32(value))


def _budget(view: View, brought: Brought | None) -> BudgetCut | None:
    held = _picked(view)
    if brought is None or not brought.order.nested or held is None:
        return None
    most = len(brought.order)
    value = len(brought.stored.selection) if held.budget is None else held.budget
    return BudgetCut(_ranks(brought), most, min(value, most), pool.title_of(brought.stored.info.use))


def _shapes(view: View, stored: Stored) -> list[Shape]:
    return [
        Shape(s.op, s.points)
        for c in view.conditions
        if isinstance(c, Region) and c.layout == stored.key
        for s in c.shapes
    ]


def _names(stored: Stored, layout: Layout, colour: Colour, color: Score | Labels | None) -> list:  # type: ignore[type-arg]
    """Names of the categories that colour the map, else of its clusters."""
    if isinstance(color, Labels):
        return names_layer(stored.key, np.asarray(layout.xy), colour.key, color)
    clusters = pool.clusters_of(layout.dataset, stored)
    if clusters is None:
        return []
    return names_layer(stored.key, np.asarray(layout.xy), clusters.key, clusters.labels)


# ------------------------------------------------------------------ gestures


def _events(dataset: Dataset, sliders: list[Slider], brought: Brought | None) -> MapEvents:
    """The gesture of this run, read before the map is drawn, so that one run is enough."""
    cuts = [Cut(_column(dataset, s), s.name) for s in sliders]
    budget = None
    if brought is not None and brought.order.nested:
        budget = BudgetCut(_ranks(brought), len(brought.order), 0)
    messages = list(st.session_state.get(MAP + INBOX) or [])
    return events_of(messages, int(st.session_state.get(MAP + SEEN, 0)), len(dataset), cuts, budget)


def _act(dataset: Dataset, stored: Stored, sliders: list[Slider], brought: Brought | None, made: MapEvents) -> None:
    """Take a gesture over into the view."""
    if made.clicked is not None:
        st.session_state[open_key(dataset)] = made.clicked.row
    if made.region is not None:
        st.session_state[open_key(dataset)] = None  # the rows inside are to be seen
        narrowest("map.rows")
        shape = RegionShape(op="subtract" if made.region.op == "subtract" else "add", points=made.region.points)
        said = {"replace": "draw a region", "add": "add a region", "subtract": "take a region away"}[made.region.op]
        op = made.region.op
        view_state.change(dataset, lambda view: with_region(view, stored.key, shape, op), said)
    if made.cut is not None:
        slider = next(s for s in sliders if _column(dataset, s) == made.cut.column)
        low, high = exact_bounds(slider.values, made.cut.low, made.cut.high)
        view_state.change(dataset, lambda view: with_cut(view, slider, low, high), f"cut by {slider.name}")
        narrowest("map.rows", only_from="All")
    if made.budget is not None and brought is not None:
        conditions = tuple(
            Picked(selection=c.selection, budget=made.budget.value, keep="in")
            if _is_in(c) and isinstance(c, Picked) and c.selection == brought.stored.key
            else c
            for c in view_state.current(dataset).conditions
        )
        view_state.apply(dataset, View(conditions=conditions), f"budget of {number(made.budget.value)} rows")
        narrowest("map.rows", only_from="All")


def with_cut(view: View, slider: Slider, low: float | None, high: float | None) -> View:
    """The view with a score's range moved; it keeps its place among the conditions, and without limits it is gone."""
    place = next((i for i, c in enumerate(view.conditions) if _range_of(c, slider)), None)
    if low is None and high is None:
        return view if place is None else view.without(place)
    moved = Range(score=slider.score, column=None, low=low, high=high)
    return view.add(moved) if place is None else view.replace(place, moved)


def with_region(view: View, layout_key: str, shape: RegionShape, op: str) -> View:
    """The view with a region drawn: alone, or added to or taken from what was drawn before on the same map.

    A region that is taken away first is taken from all rows that have a place. What was drawn on another map stays
    only when something is taken away: rows inside one of two maps' regions are no single region.
    """
    held = next((c for c in view.conditions if isinstance(c, Region) and c.layout == layout_key), None)
    gone = tuple(c for c in view.conditions if isinstance(c, Region) and (op != "subtract" or c is held))
    rest = View(conditions=tuple(c for c in view.conditions if c not in gone))
    before = held.shapes if held is not None and op != "replace" else ()
    if len(before) >= MAX_SHAPES:
        raise CurationError(f"a region has at most {MAX_SHAPES} shapes", "draw a new one in place of them")
    return rest.add(Region(layout=layout_key, shapes=(*before, shape)))


def _notes(dataset: Dataset, layout: Layout) -> None:
    notes = [f"{number(count)} rows have no place: {plain(why)}" for why, count in layout.missing.counts().items()]
    notes.append("preview by the words used" if layout.preview else "near means alike; the distance between islands "
                 "means little")  # fmt: skip
    st.caption(f":material/info: {'. '.join(n[:1].upper() + n[1:] for n in notes)}.")
