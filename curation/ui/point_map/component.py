"""The map itself, as Python sees it: what it shows goes out as JSON, gestures come back checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

from curation.ui.point_map.events import INBOX, SEEN, MapEvents, events_of, serial_of
from curation.ui.point_map.parts import BudgetCut, Categories, Cut, Numbers, PlaceName, Shape
from curation.ui.point_map.scripts import script
from curation.ui.text import one_line

if TYPE_CHECKING:
    from curation.figures.palette import Mode

NAME_LETTERS = 60
MOST_NAMES = 2_000
"""Names on the map and categories in its legend that travel; the heaviest, the first."""
HELD = 8
"""Messages kept when a run was cut short; the browser sends one at a time."""

_map = st.components.v2.component("curation_point_map", js=script("map"))


def point_map(
    *,
    key: str,
    points: str,
    n: int,
    mode: Mode,
    height: int = 620,
    colour: Categories | Numbers | None = None,
    names: Sequence[PlaceName] = (),
    lit: str | None = None,
    cuts: Sequence[Cut] = (),
    budget: BudgetCut | None = None,
    shapes: Sequence[Shape] = (),
    open_row: int | None = None,
    group: str | None = None,
    tools: bool = True,
    tool: Literal["pan", "lasso", "box"] = "pan",
    alt: str = "Map of the rows",
) -> MapEvents:
    """Draw the map. Rows outside `lit`, a cut or the budget are grey context.

    Dragging a cut or the budget sends no message; letting go sends one. Zoom stays as long as `points` is the same.
    `lit` leaves out the conditions that the map's own cuts and budget stand for, so that these can be widened again.

    Args:
        key: Stable name of the map; `hover_text` for it has the same.
        points: From `feed_points`.
        n: Rows; all columns have as many.
        mode: Theme it is shown on.
        height: Pixels of the drawing; cuts and budget stand under it.
        colour: Of the points; one colour when not given.
        names: Written on the map.
        lit: From `feed_mask`: the rows of the view; all when not given.
        cuts: Range sliders.
        budget: A slider over a nested order.
        shapes: Outlines of the regions in force.
        open_row: A row whose point is marked.
        group: Maps of one group share their zoom.
        tools: Toolbar and selecting; without them the map can be moved, zoomed and clicked.
        tool: What dragging does at first.
        alt: What a screen reader calls it.

    Returns:
        The gesture this run is about; each comes back once.
    """
    if n < 0 or height < 80:
        raise ValueError(f"a map has 0 rows or more and is 80 pixels high or more, not {n} and {height}")
    seen = int(st.session_state.get(key + SEEN, 0))
    messages = list(st.session_state.pop(key + INBOX, None) or [])
    events = events_of(messages, seen, n, cuts, budget)
    seen = max([seen, *map(serial_of, messages)])
    st.session_state[key + SEEN] = seen
    data = {
        "key": key, "points": points, "n": n, "mode": mode, "height": height, "lit": lit, "group": group,
        "tools": tools, "tool": tool, "alt": alt, "seen": seen, "open_row": open_row, "theme": _theme(mode),
        "colour": _colour(colour), "names": _names(names), "cuts": [_cut(cut) for cut in cuts],
        "budget": None if budget is None else asdict(budget) | {"label": one_line(budget.label, NAME_LETTERS)},
        "shapes": [{"op": s.op, "points": [[float(x), float(y)] for x, y in s.points]} for s in shapes],
    }  # fmt: skip
    _map(key=key, data=data, height="content", on_gesture_change=partial(_receive, key))
    return events


def _receive(key: str) -> None:
    """Keep a message until the map is drawn: a run that is cut short before that loses nothing."""
    message = st.session_state[key].get("gesture")
    if message is not None:
        st.session_state[key + INBOX] = [*(st.session_state.get(key + INBOX) or [])[1 - HELD :], message]


def _theme(mode: Mode) -> dict[str, str]:
    from curation.figures import palette

    c = palette.colours(mode)
    return {
        "background": c.background, "text": c.text, "muted": c.muted, "grid": c.grid, "context": c.context,
        "noise": c.noise, "main": c.main, "selected": c.selected,
    }  # fmt: skip


def _colour(colour: Categories | Numbers | None) -> dict[str, Any] | None:
    if isinstance(colour, Categories):
        return {
            "kind": "categories", "column": colour.column, "colours": list(colour.colours), "none": colour.none_colour,
            "none_name": one_line(colour.none_name, NAME_LETTERS),
            "names": [one_line(name, NAME_LETTERS) for name in colour.names[:MOST_NAMES]], "count": len(colour.names),
        }  # fmt: skip
    if isinstance(colour, Numbers):
        return {
            "kind": "numbers", "column": colour.column, "label": one_line(colour.label, NAME_LETTERS),
            "low": float(colour.low), "high": float(colour.high), "colours": list(colour.colours),
            "better": colour.better, "none": colour.none_colour,
        }  # fmt: skip
    return None


def _cut(cut: Cut) -> dict[str, Any]:
    ends = {
        name: None if end is None or not math.isfinite(end) else float(np.float32(end))
        for name, end in (("low", cut.low), ("high", cut.high))
    }
    return {"column": cut.column, "label": one_line(cut.label, NAME_LETTERS), "better": cut.better} | ends


def _names(names: Sequence[PlaceName]) -> list[list[float | str]]:
    heavy = sorted(names, key=lambda name: -name.weight)[:MOST_NAMES]
    return [[float(p.x), float(p.y), one_line(p.text, NAME_LETTERS), float(p.weight)] for p in heavy]
