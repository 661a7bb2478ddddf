"""How many rows each row stands among, by a kernel of finite width."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from curation.linalg.distances import bound_share, finite_points, squared_norms
from curation.linalg.queries import QuerySearch

log = logging.getLogger(__name__)

ROW_BLOCK = 1024
COLUMN_BLOCK = 4096

Progress = Callable[[int, int], None]


def _run(
    scores: np.ndarray,
    start: int,
    left: int,
    points: np.ndarray,
    low: np.ndarray,
    squared_width: float,
    most: int,
    density: np.ndarray,
    counts: np.ndarray,
) -> None:
    for at in nb.prange(len(scores)):
        row = start + at
        if counts[row] > most:
            continue
        # low_i + low_j − 2·x_i·x_j is a lower bound of the squared distance
        limit = low[row] - squared_width
        hits = 0
        for column in range(scores.shape[1]):
            hits += scores[at, column] - low[left + column] >= limit
        if hits == 0:
            continue
        for column in range(scores.shape[1]):
            if scores[at, column] - low[left + column] >= limit:
                squared = 0.0
                for t in range(points.shape[1]):
                    difference = np.float64(points[row, t]) - np.float64(points[left + column, t])
                    squared += difference * difference
                if squared < squared_width:
                    density[row] += 1 - squared / squared_width
                    counts[row] += 1


def _compiled() -> Callable[..., Any]:
    loose = {"reassoc", "contract"}
    try:
        return nb.njit(parallel=True, nogil=True, fastmath=loose, cache=True)(_run)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(parallel=True, nogil=True, fastmath=loose)(_run)


_add_near = _compiled()


def kernel_density(
    points: np.ndarray,
    neighbours: int,
    width: float,
    *,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> np.ndarray:
    """How many rows a row stands among: Σ max(0, 1 − ‖x − y‖²/σ²) over its nearest rows y, itself among them.

    Matrix products rule out the rows that are too far; the others are measured in float64 and added in row order, so
    that blocks and threads cannot change a sum. Rows with more than `neighbours` others within the width, whose nearest
    have to be told from the rest, cost more: an exact search of them.

    Costs n²·d by matrix products and d for each pair within the width; memory O(n).

    Args:
        points: `[n, d]`, finite, n ≥ 1.
        neighbours: Rows that count at most, the row itself included; ≥ 1.
        width: σ, the distance from which on rows do not count; 0 = only the row itself counts.
        device: Where the products of that search run.
        progress: Called with (rows done, n).

    Returns:
        float64 `[n]`, ≥ 1.

    Raises:
        DataError: rows that are not finite.
    """
    points = finite_points(points)
    n = len(points)
    if width == 0:
        return np.ones(n)
    low = ((1 - bound_share(points)) * squared_norms(points)).astype(points.dtype)
    density, counts = np.zeros(n), np.zeros(n, np.int64)
    for start in range(0, n, ROW_BLOCK):
        rows = slice(start, min(start + ROW_BLOCK, n))
        twice = 2 * points[rows]
        for left in range(0, n, COLUMN_BLOCK):
            columns = slice(left, min(left + COLUMN_BLOCK, n))
            scores = twice @ points[columns].T
            _add_near(scores, start, left, points, low, float(width) ** 2, neighbours, density, counts)
        progress(rows.stop, n)
    crowded = np.flatnonzero(counts > neighbours)
    search = QuerySearch(points, points, device=device) if len(crowded) else None
    for start in range(0, len(crowded), ROW_BLOCK):
        assert search is not None
        which = crowded[start : start + ROW_BLOCK]
        found = search.nearest(neighbours, which=which, within=width**2)
        density[which] = np.maximum(0, 1 - found.squared / width**2).sum(axis=1)
    return density
