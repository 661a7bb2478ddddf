"""The nearest of a growing set of centres, for every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.linalg.distances import (
    Metric,
    all_unit_rows,
    bound_share,
    finite_points,
    pair_squared_distances,
    squared_norms,
)

CENTRE_BLOCK = 256
ROW_BLOCK = 4096


@dataclass(frozen=True)
class Nearest:
    """The nearest selected row of every row.

    Args:
        rows: int64 `[n]`: index of the nearest selected row; among equals the one that stands first in the selection.
        distances: float64 `[n]`: distance to it, exactly 0 for the selected rows and their identical copies.
    """

    rows: np.ndarray
    distances: np.ndarray


def nearest_selected(
    points: np.ndarray,
    selected: np.ndarray,
    *,
    metric: Metric = "cosine",
    progress: Callable[[int, int], None] | None = None,
) -> Nearest:
    """Finds for every row the nearest selected row and its distance, exactly.

    Costs n·m·d by matrix products, and memory O(n + block²) beyond the points.

    Args:
        points: `[n, d]`, finite; with `metric="cosine"` no row may have length zero.
        selected: int64 `[m]`, indices of the selected rows, m ≥ 1.
        metric: "cosine" (1 − cos) or "euclidean".
        progress: Called with (selected rows done, m).

    Raises:
        DataError: rows that are not finite or have no direction.
        ValueError: nothing is selected.
    """
    selected = np.asarray(selected, np.int64)
    if not len(selected):
        raise ValueError("no row is selected")
    tracker = NearestCentres(all_unit_rows(points) if metric == "cosine" else points)
    for start in range(0, len(selected), CENTRE_BLOCK):
        tracker.add(selected[start : start + CENTRE_BLOCK])
        if progress is not None:
            progress(min(start + CENTRE_BLOCK, len(selected)), len(selected))
    return Nearest(tracker.nearest, tracker.distances(metric))


class NearestCentres:
    """Keeps, for every row, the nearest of the centres added so far; centres are rows too.

    The state is what adding the centres one by one, in the same order, in float64, would give: exact distances, and
    among equally near centres the one added first. Matrix products only pick out the few rows that a new centre may
    be nearer to; those are measured exactly (see `curation.linalg.distances`).

    Args:
        points: `[n, d]`, finite (DataError otherwise).

    Attributes:
        points: `[n, d]` float32 or float64.
        squared: float64 `[n]`, squared distance to the nearest centre; inf while there is none.
        nearest: int64 `[n]`, row index of that centre; -1 while there is none.
    """

    def __init__(self, points: np.ndarray) -> None:
        points = finite_points(points)
        norms = squared_norms(points)
        self._set(points, norms, np.full(len(points), np.inf), np.full(len(points), -1, np.int64))

    def _set(self, points: np.ndarray, norms: np.ndarray, squared: np.ndarray, nearest: np.ndarray) -> None:
        self.points, self._norms, self.squared, self.nearest = points, norms, squared, nearest
        self._share = bound_share(points)
        # |x|² + |y|² − 2·x·y with the norms made smaller by the error's share is a lower bound of the distance
        self._low = ((1 - self._share) * norms).astype(points.dtype)

    def part(self, rows: np.ndarray) -> NearestCentres:
        """A copy of the state of some rows; its indices and its centres are positions in `rows`."""
        copy = object.__new__(NearestCentres)
        copy._set(self.points[rows], self._norms[rows], self.squared[rows], np.full(len(rows), -1, np.int64))
        return copy

    def distances(self, metric: Metric = "euclidean") -> np.ndarray:
        """Distance of every row to its nearest centre, float64 `[n]`; for "cosine" the points must be unit rows."""
        return self.squared / 2 if metric == "cosine" else np.sqrt(self.squared)

    def add(self, centres: np.ndarray) -> None:
        """Adds centres in the order given; n·m·d by matrix products.

        Args:
            centres: int64 `[m]`, row indices.
        """
        for first in range(0, len(centres), CENTRE_BLOCK):
            some = np.asarray(centres[first : first + CENTRE_BLOCK], np.int64)
            scaled = self.points[some] * -2  # exact: a power of two
            low = self._low[some, None]
            for start in range(0, len(self.points), ROW_BLOCK):
                block = slice(start, start + ROW_BLOCK)
                lower = scaled @ self.points[block].T  # [m, b]
                lower += low
                smallest = lower.min(axis=0) + self._low[block]
                touched = np.flatnonzero(smallest < self.squared[block])
                if len(touched):
                    rows = touched + start
                    self._settle(rows, some, lower[:, touched].T + self._low[rows, None], smallest[touched])

    def add_one(self, centre: int) -> None:
        """Adds one centre; the same as `add`, quicker for one."""
        lower = self.points @ (self.points[centre] * -2)
        lower += self._low
        lower += self._low[centre]
        rows = np.flatnonzero(lower < self.squared)
        exact = pair_squared_distances(self.points, rows, np.array([centre]))
        better = exact < self.squared[rows]
        self.squared[rows[better]] = exact[better]
        self.nearest[rows[better]] = centre

    def _settle(self, rows: np.ndarray, centres: np.ndarray, lower: np.ndarray, smallest: np.ndarray) -> None:
        """Measures exactly the pairs that may be nearest: `lower` [t, m] are bounds, `smallest` [t] their least."""
        slack = 2 * self._share * (self._norms[rows] + self._norms[centres].max())
        ceiling = np.minimum(smallest + slack, self.squared[rows])
        row_at, centre_at = np.nonzero(lower <= ceiling[:, None])
        exact = np.full(lower.shape, np.inf)  # [t, m]
        exact[row_at, centre_at] = pair_squared_distances(self.points, rows[row_at], centres[centre_at])
        best = exact.argmin(axis=1)  # the first of equals: the centre added first
        value = exact[np.arange(len(rows)), best]
        better = value < self.squared[rows]
        self.squared[rows[better]] = value[better]
        self.nearest[rows[better]] = centres[best[better]]
