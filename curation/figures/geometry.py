"""Which points lie inside what was drawn with box or lasso; the same geometry applies to rows that were not drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def inside_box(xy: np.ndarray, x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    """Points in a rectangle given by two corners, border included; bool `[n]`, NaN points are outside."""
    return (xy[:, 0] >= min(x)) & (xy[:, 0] <= max(x)) & (xy[:, 1] >= min(y)) & (xy[:, 1] <= max(y))


def inside_polygon(xy: np.ndarray, x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    """Points in a polygon, by counting crossings (even-odd rule); bool `[n]`. O(points × corners), vectorised.

    A point exactly on an edge may fall on either side. Fewer than three corners enclose nothing.
    """
    px, py = np.asarray(xy[:, 0], np.float64), np.asarray(xy[:, 1], np.float64)
    found = np.zeros(len(xy), bool)
    if len(x) < 3:
        return found
    near = np.flatnonzero(inside_box(xy, x, y))  # most points are nowhere near what was drawn
    px, py, crossed = px[near], py[near], found[near]
    for i in range(len(x)):
        x0, y0, x1, y1 = x[i - 1], y[i - 1], x[i], y[i]
        if y0 == y1:
            continue
        between = (y0 > py) != (y1 > py)
        crossed ^= between & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    found[near] = crossed
    return found


def inside_selection(xy: np.ndarray, selection: Mapping[str, Any]) -> np.ndarray:
    """Rows in any box or lasso of a plotly selection as Streamlit reports it.

    Args:
        xy: float `[n, 2]`.
        selection: Mapping with lists `box` and `lasso` of `{"x": [...], "y": [...]}`.

    Returns:
        bool `[n]`.
    """
    found = np.zeros(len(xy), bool)
    for box in selection.get("box") or []:
        found |= inside_box(xy, box["x"], box["y"])
    for lasso in selection.get("lasso") or []:
        found |= inside_polygon(xy, lasso["x"], lasso["y"])
    return found
