"""Distances between rows: exact ones for chosen pairs, and cheap lower bounds by matrix products for all.

Convention of this package: **the** squared distance of rows i and j is `Σ_t (x_it − x_jt)²`, subtracted, squared and
added up in float64. It is symmetric, zero exactly for identical rows, equal for identical pairs, and does not depend
on which other pairs are computed with it. Every decision (who is nearest, who is farthest, who comes first among
equals) is made on this number. Matrix products, in the precision of the input, only rule out the pairs that cannot
matter; their rounding error is bounded, so block sizes, threads and devices cannot change a result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.core.errors import DataError

Metric = Literal["cosine", "euclidean"]
"""Cosine distance is 1 − cos, from 0 to 2; for unit rows it is half the squared Euclidean distance."""

ROW_BLOCK = 2048
PAIR_BLOCK = 2048
# Outside these limits of squared length, products of float32 overflow or lose their bits, and float64 is used.
FLOAT32_SAFE = (1e-24, 1e30)


@dataclass(frozen=True)
class UnitRows:
    """Rows divided by their length, and those that have none.

    Args:
        values: float32 `[kept, d]`, C-contiguous, each of length 1 (within float32).
        kept: int64 `[kept]`, increasing: which rows of the input they are.
        rejected: int64, increasing: rows of zero or non-finite length, left out.
    """

    values: np.ndarray
    kept: np.ndarray
    rejected: np.ndarray


def unit_rows(points: np.ndarray) -> UnitRows:
    """Divides every row by its length, in float64, and leaves out the rows that have no direction.

    Args:
        points: `[n, d]`, any real type.

    Returns:
        Unit rows with the indices kept and rejected; nothing is ever turned into NaN.

    Raises:
        DataError: `points` is not a matrix of numbers.
    """
    points = _matrix(points)
    lengths = np.sqrt(squared_norms(points))
    good = np.isfinite(lengths) & (lengths > 0)
    kept = np.flatnonzero(good)
    values = np.empty((len(kept), points.shape[1]), np.float32)
    for start in range(0, len(kept), ROW_BLOCK):
        rows = kept[start : start + ROW_BLOCK]
        values[start : start + ROW_BLOCK] = points[rows].astype(np.float64) / lengths[rows, None]
    return UnitRows(values, kept, np.flatnonzero(~good))


def all_unit_rows(points: np.ndarray) -> np.ndarray:
    """Unit rows float32 `[n, d]` of points that must all have a direction.

    Raises:
        DataError: a row has zero or non-finite length; the first is named.
    """
    unit = unit_rows(points)
    if len(unit.rejected):
        raise DataError(
            f"{len(unit.rejected)} of {len(points)} rows have no direction (length zero or not finite)",
            "leave these rows out before measuring angles between rows",
            row=int(unit.rejected[0]),
        )
    return unit.values


def measurable_rows(points: np.ndarray, rows: np.ndarray, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Those of some rows that can be measured, and their vectors as the Euclidean distance of this package needs them.

    Args:
        points: `[n, d]`, finite at `rows`.
        rows: int64 `[m]`, increasing.
        metric: For "cosine" rows without a direction are left out, and the vectors are unit rows.

    Returns:
        int64 `[kept]`, and `[kept, d]` in the same order.
    """
    some = points if len(rows) == len(points) else points[rows]
    if metric == "euclidean":
        return rows, some
    unit = unit_rows(some)
    return rows[unit.kept], unit.values


def finite_points(points: np.ndarray) -> np.ndarray:
    """Checks the rows once and returns them C-contiguous in the precision that products will use.

    float32 stays float32 (half precision becomes it) and is not copied where it is contiguous already; other types, and
    float32 of a size whose squares leave the float32 range, become float64.

    Args:
        points: `[n, d]`, any real type, n ≥ 1.

    Raises:
        DataError: not a matrix with rows, or not finite (also when the squares exceed float64); the first row is named.
    """
    points, _ = product_points(points)
    return points.astype(np.float32) if points.dtype == np.float16 else points


def product_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `finite_points`, but half precision stays half precision, and memory-mapped points stay on disk.

    For those who widen them block by block (`curation.linalg.products.block_of`).

    Returns:
        The points, and float64 `[n]`, their squared lengths.

    Raises:
        DataError: as `finite_points`.
    """
    points = _matrix(points)
    if not len(points):
        raise DataError("there are no rows", "give at least one row with features")
    norms = squared_norms(points)
    bad = np.flatnonzero(~np.isfinite(norms) | (norms > np.finfo(np.float64).max / 8))
    if len(bad):
        raise DataError(
            f"{len(bad)} of {len(points)} rows have features that are not finite",
            "leave out the rows that have no features",
            row=int(bad[0]),
        )
    if points.dtype in (np.float16, np.float32):
        lowest, highest = FLOAT32_SAFE
        largest = float(norms.max())
        if largest == 0 or lowest < largest < highest:
            return np.ascontiguousarray(points), norms
    return np.ascontiguousarray(points, np.float64), norms


def squared_norms(points: np.ndarray) -> np.ndarray:
    """Squared length of every row, summed in float64: float64 `[n]`; inf or NaN where the row is not finite."""
    norms = np.empty(len(points))
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(points), ROW_BLOCK):
            block = np.ascontiguousarray(points[start : start + ROW_BLOCK], np.float64)
            norms[start : start + ROW_BLOCK] = np.einsum("ij,ij->i", block, block)
    return norms


def pair_squared_distances(
    points: np.ndarray, rows: np.ndarray, others: np.ndarray, *, other_points: np.ndarray | None = None
) -> np.ndarray:
    """The squared distances of chosen pairs, exactly as this module defines them.

    Costs one pass over `len(rows) × d` numbers; memory is bounded whatever the number of pairs.

    Args:
        points: `[n, d]`.
        rows: int64 `[m]`, first row of each pair.
        others: int64 `[m]`, second row of each pair, or `[1]` for one row against all.
        other_points: Where `others` points into; `points` by default.

    Returns:
        float64 `[m]`, ≥ 0.
    """
    partners = points if other_points is None else other_points
    squared = np.empty(len(rows))
    single = len(others) == 1
    for start in range(0, len(rows), PAIR_BLOCK):
        part = slice(start, start + PAIR_BLOCK)
        # C order is asked for because the order of summation follows the memory layout
        difference = points[rows[part]].astype(np.float64, order="C")
        difference -= partners[others if single else others[part]]
        np.einsum("ij,ij->i", difference, difference, out=squared[part])
    return squared


def bound_share(points: np.ndarray) -> float:
    """Rounding error of a squared distance made by a matrix product, as a share of `|x|² + |y|²`; an upper bound.

    With unit roundoff u, a product of length d errs by at most d·u·|x||y|·(1 + small), and twice that by at most
    d·u·(|x|² + |y|²), in whatever order it is summed (Higham, Accuracy and Stability of Numerical Algorithms, §3.1).
    The norms and the two additions add a few u more, the float64 sum of squares that it is compared with at most
    2·d·u. Written with eps = 2·u there is room left.
    """
    kind = np.float32 if points.dtype == np.float16 else points.dtype  # which half precision becomes in products
    return 2 * (points.shape[1] + 16) * float(np.finfo(kind).eps)


def _matrix(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points)
    if points.ndim != 2 or points.dtype.kind not in "fiub" or points.shape[1] == 0:
        raise DataError(f"features must be a matrix of real numbers, not {points.dtype} of shape {points.shape}")
    return points
