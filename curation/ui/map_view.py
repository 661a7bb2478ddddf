"""The map that can be drawn on: which rows are drawn, the cached figure, and which rows a gesture means.

What the user marks is a set of rows, kept in the session by dataset, never a shape: another map, another colour or the
encoder's map in the place of the preview leave it as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Layout, Score
from curation.core.dataset import Dataset
from curation.ui import session
from curation.ui.components import mode
from curation.ui.row_map import HOVER_LETTERS
from curation.ui.text import one_line

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.figures.palette import Mode

CELLS = 48
"""The sample keeps every part of the map: it is drawn from each cell of a grid of so many columns and rows."""


# ------------------------------------------------------------------ which rows are drawn


def drawn_rows(xy: np.ndarray, most: int, first: np.ndarray | None = None) -> np.ndarray:
    """The rows that are drawn: all when there are few, else a sample with a share of every part of the map.

    Every cell of a grid gives the same share of its rows, rounded up, so that the rare rows at the rim stay visible.

    Args:
        xy: float `[n, 2]`; rows with NaN have no place and are not drawn.
        most: Points that can be drawn.
        first: bool `[n]`: rows that must be seen; they take at most half of the places.

    Returns:
        int64, sorted; at most `most`.
    """
    placed = np.flatnonzero(np.isfinite(xy).all(1))
    if len(placed) <= most:
        return placed
    rng = np.random.default_rng(0)
    must = placed[first[placed]] if first is not None else placed[:0]
    must = rng.permutation(must)[: most // 2]
    others = np.setdiff1d(placed, must, assume_unique=True)
    kept = _share_of_cells(np.asarray(xy)[others], most - len(must), rng)
    return np.sort(np.concatenate([must, others[kept]]))


def _share_of_cells(xy: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    low, span = xy.min(0), np.maximum(np.ptp(xy, axis=0), 1e-9)
    column, row = np.minimum(((xy - low) / span * CELLS).astype(np.int64), CELLS - 1).T
    order = rng.permutation(len(xy))
    cell = (column * CELLS + row)[order]
    by_cell = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=CELLS * CELLS)
    starts = np.cumsum(counts) - counts
    # place of each row within its cell as a share of the cell: the smallest shares come first, so cells are cut alike
    rank = np.empty(len(xy))
    rank[by_cell] = (np.arange(len(xy)) - np.repeat(starts, counts)) / np.repeat(np.maximum(counts, 1), counts)
    return order[np.argsort(rank, kind="stable")[:most]]


# ------------------------------------------------------------------ the figure


@st.cache_resource(max_entries=12, show_spinner=False)
def _figure(
    names: tuple[str, ...],
    marks: str,
    shown: Mode,
    height: int,
    on_map: bool,
    _dataset: Dataset,
    _layout: Layout,
    _color: Score | Labels | None,
    _selected: np.ndarray | None,
) -> go.Figure:
    from curation.figures.map import MAX_POINTS, map_figure

    xy = np.asarray(_layout.xy)
    rows = drawn_rows(xy, MAX_POINTS, _selected)
    texts = _dataset.take(rows).texts("prompt")
    return map_figure(
        xy[rows],
        rows=rows,
        color=None if _color is None else _color.take(rows, _color.dataset),
        selected=None if _selected is None else _selected[rows],
        hover=[f"row {row:,}: {one_line(text, HOVER_LETTERS)}" for row, text in zip(rows, texts, strict=True)],
        names_on_map=on_map,
        uirevision=names[0],
        height=height,
        mode=shown,
    )


def figure_of(
    dataset: Dataset,
    layout: Layout,
    layout_key: str,
    *,
    color: Score | Labels | None,
    color_name: str,
    selected: np.ndarray | None = None,
    names_on_map: bool = False,
    height: int = 660,
) -> go.Figure:
    """The figure of a map; the same values give the same object, so that a rerun costs nothing.

    Args:
        dataset: Whose rows.
        layout: Where they stand.
        layout_key: Of the layout.
        color: Of all rows.
        color_name: Identifies the colour.
        selected: bool `[n]`: rows that stand out.
        names_on_map: Write the names of the largest categories on the map.
        height: Pixels.
    """
    marks = "" if selected is None else hashlib.blake2b(np.packbits(selected).tobytes(), digest_size=8).hexdigest()
    names = (layout_key, dataset.fingerprint, color_name, str(session.workspace().root))
    return _figure(names, marks, mode(), height, names_on_map, dataset, layout, color, selected)


# ------------------------------------------------------------------ gestures


def gesture(figure: go.Figure, *, key: str, alt: str = "Map of the rows") -> Mapping[str, Any]:
    """Draw the figure and return what is drawn or clicked on it: `box`, `lasso`, `point_indices`."""
    config = {
        "displaylogo": False,
        "displayModeBar": True,
        "scrollZoom": True,
        "responsive": True,
        "modeBarButtonsToRemove": ["toImage", "zoom2d"],
    }
    st.plotly_chart(figure, theme=None, key=key, config=config, alt=alt, on_select="rerun")
    # by item, so that a test can put a selection into the session
    return dict(st.session_state[key]["selection"]) if st.session_state.get(key) else {}


def rows_meant(figure: go.Figure, layout: Layout, drawn: Mapping[str, Any]) -> np.ndarray:
    """The rows that a gesture means, int64, sorted: a shape means all rows inside it, drawn or not; a click its point.

    Args:
        figure: As shown: the points of its first trace know their rows.
        layout: Where all rows stand.
        drawn: From `gesture`.
    """
    from curation.figures.geometry import inside_selection

    if drawn.get("box") or drawn.get("lasso"):
        return np.flatnonzero(inside_selection(np.asarray(layout.xy), drawn))
    points = np.asarray(drawn.get("point_indices") or [], np.int64)
    rows = np.asarray(figure.data[0].customdata, np.int64)
    return np.unique(rows[points[points < len(rows)]])


class Marked:
    """The rows that the user marked on the map of a dataset, kept in the session.

    While they were drawn on the figure in view, plotly itself shows them. On any other figure they are given to it to
    stand out (`overlay`).
    """

    def __init__(self, fingerprint: str) -> None:
        self.place = f"map.marked.{fingerprint}"
        state: dict[str, Any] = st.session_state.get(self.place) or {}
        self.rows: np.ndarray = state.get("rows", np.empty(0, np.int64))
        self.overlay: np.ndarray = state.get("overlay", np.empty(0, np.int64))
        self.view: str = state.get("view", "")
        self.drawn: Any = state.get("drawn")
        self.turn: int = state.get("turn", 0)

    def _keep(self) -> None:
        st.session_state[self.place] = {
            "rows": self.rows, "overlay": self.overlay, "view": self.view, "drawn": self.drawn, "turn": self.turn,
        }  # fmt: skip

    def set(self, rows: np.ndarray) -> None:
        """Mark these rows instead; they stand out on the next figure."""
        self.rows = self.overlay = np.asarray(rows, np.int64)
        self.drawn = None
        self.turn += 1  # another key for the chart: what plotly shows as selected is gone
        self._keep()

    def look(self, view: str) -> np.ndarray:
        """Say which figure is shown (map and colour); returns the rows to bring out on it."""
        if view != self.view:
            self.view, self.drawn, self.overlay = view, None, self.rows
            self.turn += 1
            self._keep()
        return self.overlay

    def take(self, drawn: Mapping[str, Any], rows: np.ndarray) -> bool:
        """Take over a gesture on the figure in view.

        Returns:
            True when the figure has to be drawn anew.
        """
        shape = {k: drawn.get(k) for k in ("box", "lasso", "point_indices") if drawn.get(k)} or None
        if shape == self.drawn:
            return False
        if shape is None:  # the user took the shape away
            self.rows, self.drawn = np.empty(0, np.int64), None
            self._keep()
            return False
        if len(self.overlay):
            self.set(rows)
            return True
        self.rows, self.drawn = rows, shape
        self._keep()
        return False
