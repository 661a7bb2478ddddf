"""Charts that can be drawn on: which points of many are drawn, and what the user clicked or drew around."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

if TYPE_CHECKING:
    import plotly.graph_objects as go

CELLS = 48
"""The sample keeps every part of the chart: it is drawn from each cell of a grid of so many columns and rows."""


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
