"""All scores at a glance: a small histogram each, with a cut that moves in the browser and is told once, on release.

The browser gets bars and exact stops (`curation.ui.score_stops`), never the rows; text is set as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import streamlit as st

from curation.ui.score_stops import axis_of, bars_of, stops_of

_HERE = Path(__file__).parent
_grid = st.components.v2.component(
    "curation.score_grid",
    html="<div class='grid'></div>",
    css=(_HERE / "grid.css").read_text(encoding="utf-8"),
    js=(_HERE / "grid.js").read_text(encoding="utf-8"),
)
LETTERS = 60


@dataclass(frozen=True)
class Card:
    """One histogram.

    Args:
        key: Of the score, or another word that says where the numbers are from.
        column: A column of it, None = the score itself.
        title: For people; shown as text.
        method_class: "statistical", "zero-order", ...; "" = none.
        colour: Of that class.
        better: "higher", "lower" or "" when neither end is better.
        rows: Rows of the dataset.
        ordered: float64 `[m]`, the finite values in ascending order.
        low: Lowest value kept, None = no bound.
        high: Highest value kept, None = no bound.
        warning: A word or two on what to beware of, shown at its foot.
    """

    key: str
    column: str | None
    title: str
    method_class: str
    colour: str
    better: Literal["higher", "lower", ""]
    rows: int
    ordered: np.ndarray
    low: float | None = None
    high: float | None = None
    warning: str = ""


@dataclass(frozen=True)
class Cut:
    """A cut that the user made: rows from `low` to `high` inclusive, None = no bound; both None removes it."""

    key: str
    column: str | None
    low: float | None
    high: float | None


def score_grid(
    cards: Sequence[Card], *, dataset: str, key: str, on_cut: Callable[[Cut], None]
) -> tuple[str, str | None] | None:
    """Draw the histograms.

    Args:
        cards: In the order to show.
        dataset: Fingerprint of the rows.
        key: Of the component.
        on_cut: Called once for each finished gesture, before the page is drawn anew.

    Returns:
        (key, column) of the title that was just clicked, else None.
    """
    known = {(c.key, c.column) for c in cards}

    def moved() -> None:
        cut = read_cut((st.session_state.get(key) or {}).get("cut"), known)
        if cut is not None:
            on_cut(cut)

    result = _grid(
        key=key,
        data={"cards": [card_facts(c, dataset) for c in cards]},
        on_cut_change=moved,
        on_open_change=lambda: None,
    )
    return read_name(result.open, known)


def read_name(value: object, known: set[tuple[str, str | None]]) -> tuple[str, str | None] | None:
    """The (key, column) that the browser names, None when it is none of the known."""
    if not isinstance(value, dict):
        return None
    key, column = value.get("key"), value.get("column")
    if not isinstance(key, str) or not (column is None or isinstance(column, str)):
        return None
    return (key, column) if (key, column) in known else None


def read_cut(value: object, known: set[tuple[str, str | None]]) -> Cut | None:
    """What the browser sent, checked: a known score and finite bounds in order; None when it is anything else."""
    name = read_name(value, known)
    if name is None or not isinstance(value, dict):
        return None
    bounds: list[float | None] = []
    for bound in (value.get("low"), value.get("high")):
        try:
            number = None if bound is None else float(bound) if _is_number(bound) else math.nan
        except OverflowError:  # a whole number beyond any float
            return None
        if number is not None and not math.isfinite(number):
            return None
        bounds.append(number)
    if None not in bounds and bounds[0] > bounds[1]:  # type: ignore[operator]
        return None
    return Cut(*name, bounds[0], bounds[1])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def card_facts(card: Card, dataset: str) -> dict[str, Any]:
    """The JSON of one card; at most 281 stops and 36 bars."""
    shape = _shape(dataset, card.key, card.column, card.ordered)
    ordered = card.ordered
    low = high = None
    if len(ordered) and card.low is not None:
        low = {"value": card.low, "rows": len(ordered) - int(np.searchsorted(ordered, card.low, "left"))}
    if len(ordered) and card.high is not None:
        high = {"value": card.high, "rows": len(ordered) - int(np.searchsorted(ordered, card.high, "right"))}
    return {
        "key": card.key, "column": card.column, "title": card.title[:LETTERS], "class": card.method_class,
        "colour": card.colour, "better": card.better, "rows": card.rows, "warning": card.warning,
        "low": low, "high": high, **shape,
    }  # fmt: skip


@st.cache_data(max_entries=256, show_spinner=False)
def _shape(dataset: str, key: str, column: str | None, _ordered: np.ndarray) -> dict[str, Any]:
    """What does not depend on the cut, made once: O(m)."""
    if not len(_ordered):
        empty: list[float] = []
        return {
            "axis": {"low": 0, "high": 1, "log": False},
            "bars": [],
            "stops": {"values": empty, "at_least": [], "over": []},
        }
    axis = axis_of(_ordered)
    stops = stops_of(_ordered, axis)
    return {
        "axis": {"low": axis.low, "high": axis.high, "log": axis.log},
        "bars": bars_of(_ordered, axis).tolist(),
        "stops": {
            "values": stops.values.tolist(), "at_least": stops.at_least.tolist(), "over": stops.over.tolist()
        },
    }  # fmt: skip
