"""Similar pairs of unit rows: every pair above a threshold, or for each row the most similar one before it.

Cosine here is `1 − s/2`, where s is the squared distance of two unit rows as `linalg.distances` defines it; it is
exactly 1 for identical rows and never above. Every answer is decided on that number. Matrix products in float32 only
give upper bounds that rule pairs out; a compiled pass measures the few pairs left in float64.

Half of all pairs is enough, because the cosine is symmetric.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.linalg.distances import bound_share, pair_squared_distances, squared_norms
from curation.linalg.scan import MOST_TIES, TOLERANCE, improve, row_hashes

log = logging.getLogger(__name__)

ROW_BLOCK = 1024
COLUMN_BLOCK = 4096

Progress = Callable[[int, int], None]


def first_copies(points: np.ndarray) -> np.ndarray:
    """The first row that is identical to each row, int64 `[n]`; its own index where there is none before.

    Args:
        points: `[n, d]` float32.
    """
    points = np.ascontiguousarray(points, np.float32)
    hashes = row_hashes(points.view(np.uint32))
    order = np.argsort(hashes, kind="stable")
    begins = np.ones(len(order), bool)
    begins[1:] = hashes[order[1:]] != hashes[order[:-1]]
    first = np.empty(len(points), np.int64)
    first[order] = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    later = np.flatnonzero(first != np.arange(len(points)))
    for start in range(0, len(later), ROW_BLOCK):
        rows = later[start : start + ROW_BLOCK]
        if (points[rows] != points[first[rows]]).any():  # different rows with one hash: compare them all as bytes
            return _first_copies_by_bytes(points)
    return first


def _first_copies_by_bytes(points: np.ndarray) -> np.ndarray:
    same_zero = points + 0.0  # -0.0 and 0.0 are equal numbers of different bytes
    as_bytes = same_zero.view(np.dtype((np.void, same_zero.dtype.itemsize * same_zero.shape[1]))).ravel()
    index, code = np.unique(as_bytes, return_index=True, return_inverse=True)[1:]
    return index[code.ravel()].astype(np.int64)


@dataclass(frozen=True)
class Earlier:
    """The most similar earlier row of every row.

    Args:
        rows: int64 `[n]`: the first of the most similar rows before this one; -1 for the first row.
        similarity: float64 `[n]`: their cosine, -1 to 1; -1 for the first row.
    """

    rows: np.ndarray
    similarity: np.ndarray


def nearest_earlier(points: np.ndarray, *, device: str = "cpu", progress: Progress | None = None) -> Earlier:
    """Finds for every row the most similar row that stands before it.

    Costs at most n²·d/2 by matrix products. Copies of a row are answered without any.

    Args:
        points: Unit rows, float32 `[n, d]`, in the order that counts.
        device: "cpu", or a device of torch ("cuda") for the products.
        progress: Called with (rows done, rows that differ).
    """
    points = np.ascontiguousarray(points, np.float32)
    first = first_copies(points)
    differ = np.flatnonzero(first == np.arange(len(points)))
    distinct = points if len(differ) == len(points) else points[differ]
    near, squared = _distinct_earlier(distinct, device, progress)
    rows, similarity = first.copy(), np.ones(len(points))  # as it is for a row that has a copy before it
    rows[differ] = np.where(near == NO_ROW, NO_ROW, differ[near])
    similarity[differ] = np.where(near == NO_ROW, -1.0, np.maximum(1 - squared / 2, -1.0))
    return Earlier(rows, similarity)


class _Upper:
    """Vectors whose products, and a little more, are upper bounds of the cosine: `v_i·v_j + slack`."""

    def __init__(self, points: np.ndarray) -> None:
        self.vectors = points
        self.slack = _slack(points, points.shape[1])


def _slack(points: np.ndarray, width: int) -> float:
    """What a float32 product of this width may lack, and what the rows lack to length 1."""
    longest = float(np.abs(squared_norms(points) - 1).max(initial=0.0))
    return bound_share(np.empty((0, width), np.float32)) + longest + 1e-6


def _distinct_earlier(points: np.ndarray, device: str, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest_earlier` for rows of which no two are identical; squared distances."""
    n = len(points)
    squared = np.full(n, np.inf)
    ties = np.full((n, MOST_TIES), NO_ROW, np.int32)
    count = np.zeros(n, np.int32)
    upper = _Upper(points)
    buffer = np.empty(ROW_BLOCK * COLUMN_BLOCK, np.float32)
    for start in range(0, n, ROW_BLOCK):
        stop = min(start + ROW_BLOCK, n)
        for left in range(0, stop, COLUMN_BLOCK):
            right = min(left + COLUMN_BLOCK, stop)
            scores = buffer[: (stop - start) * (right - left)].reshape(stop - start, right - left)
            np.matmul(upper.vectors[start:stop], upper.vectors[left:right].T, out=scores)
            improve(scores, start, left, points, upper.slack, squared, ties, count)
        if progress is not None:
            progress(stop, n)
    return _settled(points, upper, squared, ties, count)


def _settled(
    points: np.ndarray, upper: _Upper, squared: np.ndarray, ties: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Decides between columns that are equally near but for the last digits."""
    n = len(points)
    near, exact = np.full(n, NO_ROW, np.int64), np.full(n, np.inf)
    some = np.flatnonzero(count <= MOST_TIES)
    at, place = np.nonzero(np.arange(MOST_TIES) < count[some, None])
    _take_nearest(points, some[at], ties[some[at], place].astype(np.int64), near, exact)
    for row in np.flatnonzero(count > MOST_TIES):
        scores = upper.vectors[:row] @ upper.vectors[row]
        columns = np.flatnonzero(scores >= 1 - squared[row] * (1 + TOLERANCE) / 2 - upper.slack)
        _take_nearest(points, np.full(len(columns), row), columns, near, exact)
    return near, exact


def _take_nearest(
    points: np.ndarray, rows: np.ndarray, columns: np.ndarray, near: np.ndarray, exact: np.ndarray
) -> None:
    """Sets `near` and `exact` of rows to the nearest of the columns paired with them, the lowest of equals."""
    squared = pair_squared_distances(points, rows, columns) if len(rows) else np.empty(0)
    order = np.lexsort((columns, squared, rows))
    leads = np.ones(len(order), bool)
    leads[1:] = rows[order[1:]] != rows[order[:-1]]
    best = order[leads]
    near[rows[best]], exact[rows[best]] = columns[best], squared[best]
