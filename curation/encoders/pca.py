"""Features on fewer numbers: the directions along which the vectors differ most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features
from curation.core.dataset import Dataset
from curation.core.method import Encoder, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import all_unit_rows, finite_points
from curation.linalg.principal import principal_directions

ROW_BLOCK = 8192
ROUNDING = 1e-12  # of the sum of variances, which reaches all of it only up to rounding


@dataclass(frozen=True)
class PrincipalComponents:
    """Points turned to their principal directions, the first ones kept.

    Args:
        values: float32 `[n, c]`, the centred points along each direction.
        shares: float64 `[c]`, share of the variance that each direction holds, never increasing; 0 where nothing
            varies.
        directions: float64 `[d, c]`, orthonormal; the largest entry of each is positive.
        mean: float64 `[d]`.
    """

    values: np.ndarray
    shares: np.ndarray
    directions: np.ndarray
    mean: np.ndarray


def principal_components(points: np.ndarray, variance: float = 0.95, *, most: int | None = None) -> PrincipalComponents:
    """Projects the points on the fewest principal directions that hold a share of their variance.

    Exact: eigenvectors of the covariance, in float64. Costs 2·n·d² and d³. Points that are all equal give one column
    of zeros.

    Args:
        points: `[n, d]`, finite, n ≥ 1.
        variance: Share of the variance, above 0, at most 1.
        most: Directions at most.

    Raises:
        DataError: rows that are not finite.
    """
    points = finite_points(points)
    n, d = points.shape
    mean, spread, directions = principal_directions(points, ROW_BLOCK)
    total = float(spread.sum())
    shares = spread / total if total > 0 else spread
    # n rows span n − 1 directions at most; what eigh finds beyond is rounding
    count = min(int((np.cumsum(shares) < variance - ROUNDING).sum()) + 1, most or d, d, max(n - 1, 1))
    directions = directions[:, :count]
    directions = directions * np.where(directions[np.abs(directions).argmax(axis=0), np.arange(count)] < 0, -1.0, 1.0)
    values = np.empty((n, count), np.float32)
    for start in range(0, n, ROW_BLOCK):
        values[start : start + ROW_BLOCK] = (points[start : start + ROW_BLOCK] - mean) @ directions
    return PrincipalComponents(values, shares[:count], directions, mean)


class Pca(Encoder):
    """The vectors of another step on fewer numbers: as many principal directions as hold a share of the variance.

    Centred and not scaled, so distances are nearly those of the vectors before. Depends on all rows of the pool: new
    rows change every vector. Noted in `info`: numbers before and after, and the share of the variance kept.
    """

    title: ClassVar[str] = "Principal components (PCA)"
    weakness: ClassVar[str] = "Keeps what varies most, which need not be what matters; rare topics may vanish."
    source: ClassVar[str] = "Pearson 1901; Hotelling 1933; as CaR (Ge et al. 2024, arXiv 2402.18191) uses it"

    variance: float = Field(0.95, gt=0, le=1, description="share of the variance that is kept")
    most: int | None = Field(None, ge=1, le=100_000, description="numbers per row at most; empty = no limit")
    unit: bool = Field(False, description="bring vectors to length 1 first, so that angles count")

    def encode(self, pool: Dataset, runtime: Runtime, *, features: Features) -> Features:
        """Project the vectors of all rows of `pool`.

        Args:
            pool: The rows.
            runtime: Not needed.
            features: Their vectors.

        Raises:
            DataError: a vector is not finite, or has length zero where angles count.
        """
        points = np.asarray(features.values)
        if self.unit:
            points = all_unit_rows(points)
        found = principal_components(points, self.variance, most=self.most)
        info: dict[str, Any] = {key: value for key, value in features.info.items() if key in ("model", "text")}
        info |= {
            "encoder": "pca",
            "numbers before": points.shape[1],
            "numbers": found.values.shape[1],
            "variance kept": float(min(found.shares.sum(), 1.0)),
        }
        return Features(pool.fingerprint, found.values, features.missing, info=info)

    def work(self, size: Size) -> float:
        """Multiply-adds of the covariance, its directions and the projection."""
        d = float(max(size.dims, 1))
        return 1.0 + 2.0 * size.rows * d * d + 10 * d**3

    def memory(self, size: Size) -> float:
        """A copy of the vectors, the projection, and a few matrices of the width."""
        d = float(max(size.dims, 1))
        return 128e6 + 8.0 * size.rows * d + 40.0 * d * d

    def disk(self, size: Size) -> float:
        """The vectors."""
        return 4.0 * size.rows * max(size.dims, 1)
