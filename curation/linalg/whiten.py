"""Principal components with their spreads evened out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.linalg.principal import principal_directions

ROW_BLOCK = 4096
THERE = 1e-10
"""A direction with less than this share of the largest variance is not there."""


@dataclass(frozen=True)
class Whitening:
    """A centre and scaled axes: `apply` gives the coordinates of any rows.

    Args:
        centre: float64 `[d0]`.
        axes: float64 `[d0, d]`, each a principal direction divided by its (shrunk) standard deviation.
        kept: Share of the variance that the axes hold; 1 where there is none.
    """

    centre: np.ndarray
    axes: np.ndarray
    kept: float

    def apply(self, points: np.ndarray, dtype: type = np.float32) -> np.ndarray:
        """Coordinates `[n, d + 1]`; the last column is 1, for an intercept."""
        n, d = len(points), self.axes.shape[1]
        found = np.ones((n, d + 1), dtype)
        for start in range(0, n, ROW_BLOCK):
            block = slice(start, start + ROW_BLOCK)
            found[block, :d] = (points[block].astype(np.float64) - self.centre) @ self.axes
        return found


def whitening(points: np.ndarray, dims: int, shrink: float = 0.0) -> Whitening:
    """The principal components of rows, each divided by `√((1 − shrink)·variance + shrink·mean variance kept)`.

    Costs n·d0² and one eigendecomposition; memory O(d0²) beyond the points. The coordinates do not depend on how the
    points are turned, up to a turn of their own.

    Args:
        points: `[n, d0]`, finite, n ≥ 1.
        dims: At most so many components, those of largest variance; fewer where the rows span fewer.
        shrink: 0 = all directions get variance 1; 1 = components keep their proportions.
    """
    centre, variances, directions = principal_directions(points, ROW_BLOCK)
    # what rounding leaves of a constant column is no variance
    size = max(float(variances[0]), 1e-12 * float(centre @ centre))
    there = min(dims, int((variances > THERE * size).sum()))
    some = variances[:there]
    spread = np.sqrt((1 - shrink) * some + shrink * (some.mean() if there else 0.0))
    total = float(variances.sum())
    return Whitening(centre, directions[:, :there] / spread, float(some.sum()) / total if there and total else 1.0)
