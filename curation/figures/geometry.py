"""Which points lie inside what was drawn with box or lasso; the same geometry applies to rows that were not drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def inside_box(xy: np.ndarray, x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    """Points in a rectangle given by two corners, border included; bool `[n]`, NaN points are outside."""
    return (xy[:, 0] >= min(x)) & (xy[:, 0] <= max(x)) & (xy[:, 1] >= min(y)) & (xy[:, 1] <= max(y))


def inside_polygon(xy: np.ndarray, x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    """Points in a polygon, by counting crossings (even-odd rule) in float64; bool `[n]`, NaN points are outside.

    Points are sorted by height once, so each edge looks only at those between its two ends: O(n log n + points beside
    edges); 10⁶ points and a lasso of 200 corners around half of them take about 0.2 s.

    A point exactly on an edge may fall on either side. Fewer than three corners enclose nothing.
    """
    found = np.zeros(len(xy), bool)
    if len(x) < 3:
        return found
    near = np.flatnonzero(inside_box(xy, x, y))  # most points are nowhere near what was drawn
    near = near[np.argsort(xy[near, 1])]
    px, py = np.asarray(xy[near, 0], np.float64), np.asarray(xy[near, 1], np.float64)
    ends = np.searchsorted(py, np.asarray(y, np.float64))  # points below each corner come before this place
    crossed = np.zeros(len(near), bool)
    for i in range(len(x)):
        x0, y0, x1, y1 = x[i - 1], y[i - 1], x[i], y[i]
        if y0 == y1:
            continue
        between = slice(*sorted((ends[i - 1], ends[i])))
        crossed[between] ^= px[between] < (x1 - x0) * (py[between] - y0) / (y1 - y0) + x0
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
