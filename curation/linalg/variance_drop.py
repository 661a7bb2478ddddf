"""Rows that lower the posterior variance of a Bayesian linear regression at given targets: greedy V-optimal design."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.core.errors import CurationError
from curation.linalg.distances import finite_points, squared_norms
from curation.linalg.log_det import WIDE, above_zero, lowest_of_equals

ROW_BLOCK = 2048
REFRESH = 512

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Drops:
    """What the greedy picked.

    Args:
        order: int64 `[m]`, picks.
        drops: float64 `[m]`, by how much each lowered the mean variance of the targets.
        left: float64 `[n]`: the same number of every row after the last pick.
        before: Mean variance of the targets with no row.
        after: With all picks.
    """

    order: np.ndarray
    drops: np.ndarray
    left: np.ndarray
    before: float
    after: float


def greedy_variance_drop(
    points: np.ndarray,
    targets: np.ndarray,
    budget: int,
    *,
    prior: float,
    noise: np.ndarray,
    known: np.ndarray | None = None,
    tolerance: float = 0.0,
    refresh: int = REFRESH,
    progress: Progress | None = None,
) -> Drops:
    """Picks, again and again, the row that lowers the mean variance of `v_t·β` most, for targets v_t.

    With `A = λI + Σ x xᵀ/σ²` over the picks, row i lowers it by exactly
    `mean_t (v_tᵀ A⁻¹ x_i)² / (σ_i² + x_iᵀ A⁻¹ x_i)`. Drops may grow while rows are picked, so none can be bounded by an
    earlier one and each pick looks at all rows. Equal drops go to the lowest row, as in `curation.linalg.log_det`.

    Costs 4·n·m·d for m picks (two products of the points with a vector), 4·n·d² every 512 picks; memory O(n + d²)
    beyond the points, and up to 256 MB for a copy of few points in float64.

    Args:
        points: `[n, d]`, finite.
        targets: `[t, d]`, finite, t ≥ 1.
        budget: How many rows to pick, ≥ 1.
        prior: λ > 0, precision of every coefficient.
        noise: float64 `[n]`, σ² > 0 of each row.
        known: int64 `[k]`, the first picks of an earlier run with the same arguments.
        tolerance: Stop before a pick that lowers the variance by no more than this share of that with no row.
        refresh: Everything is made anew, by Cholesky, after so many picks.
        progress: Called with (picks made, budget).

    Raises:
        DataError: rows that are not finite.
        CurationError: a budget below 1, a prior or noise not above 0, or known picks that do not exist.
    """
    points = finite_points(points)
    points = points.astype(np.float64) if points.size <= WIDE else points
    wide = finite_points(targets).astype(np.float64)
    n, d = points.shape
    known = np.asarray([] if known is None else known, np.int64)
    _check(n, budget, prior, known)
    scale = 1 / np.sqrt(above_zero(noise, n, "noise variances"))  # z = x / σ
    moment = wide.T @ wide / len(wide)  # T = mean v vᵀ
    inverse = np.eye(d) / prior  # A⁻¹
    own = squared_norms(points) * scale**2 / prior  # zᵀ A⁻¹ z
    shared = _quadratic(points, moment / prior**2) * scale**2  # zᵀ A⁻¹ T A⁻¹ z
    before = float(np.trace(moment)) / prior
    start = float((shared / (1 + own)).max())
    least = tolerance * before
    target = min(budget, n)
    precision = prior * np.eye(d)
    taken = np.zeros(n, bool)
    order: list[int] = []
    drops: list[float] = []
    while len(order) < target:
        if len(order) < len(known):
            row = int(known[len(order)])
        else:
            best, row = lowest_of_equals(np.where(taken, -np.inf, shared / (1 + own)), start)
            if best <= least:
                break
        vector = points[row].astype(np.float64) * scale[row]
        along = inverse @ vector  # u
        towards = moment @ along
        across = inverse @ towards  # A⁻¹ T u
        value = 1 + float(vector @ along)
        fall = float(along @ towards) / value
        inverse -= np.outer(along, along / value)
        precision += np.outer(vector, vector)
        order.append(row)
        drops.append(fall)
        taken[row] = True
        if len(order) % refresh == 0:
            inverse = _inverse(precision)
            own = _quadratic(points, inverse) * scale**2
            shared = _quadratic(points, inverse @ moment @ inverse) * scale**2
        else:
            _update(points, scale, np.column_stack([along, across]), value, fall, own, shared)
        if progress is not None and (len(order) % 64 == 0 or len(order) == target):
            progress(len(order), target)
    after = float((inverse * moment).sum())
    return Drops(np.array(order, np.int64), np.array(drops), shared / (1 + own), before, after)


def _check(n: int, budget: int, prior: float, known: np.ndarray) -> None:
    if budget < 1:
        raise CurationError(f"budget {budget} is below 1", "ask for at least one row")
    if not 0 < prior < np.inf:
        raise CurationError(f"the prior precision {prior} is not above 0", "use 1 unless you know better")
    if ((known < 0) | (known >= n)).any():
        raise CurationError(f"a known pick does not exist among {n} rows", "rows are counted from 0")
    if len(np.unique(known)) < len(known):
        raise CurationError("the known picks hold a row twice", "name each row once")


def _update(
    points: np.ndarray,
    scale: np.ndarray,
    pair: np.ndarray,
    value: float,
    fall: float,
    own: np.ndarray,
    shared: np.ndarray,
) -> None:
    """`own` and `shared` after one more pick, in place; `pair` is u and A⁻¹Tu, `[d, 2]`."""
    for start in range(0, len(points), ROW_BLOCK):
        block = slice(start, start + ROW_BLOCK)
        both = (points[block].astype(np.float64, copy=False) @ pair) * scale[block, None]
        ratio = both[:, 0] / value
        own[block] -= both[:, 0] * ratio
        shared[block] += ratio * (fall * both[:, 0] - 2 * both[:, 1])
    np.maximum(own, 0, out=own)
    np.maximum(shared, 0, out=shared)


def _quadratic(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """`xᵀ M x` of every row, float64 `[n]`."""
    found = np.empty(len(points))
    for start in range(0, len(points), ROW_BLOCK):
        block = points[start : start + ROW_BLOCK].astype(np.float64, copy=False)
        found[start : start + ROW_BLOCK] = np.einsum("ij,ij->i", block @ matrix, block)
    return np.maximum(found, 0)


def _inverse(precision: np.ndarray) -> np.ndarray:
    """By Cholesky; symmetric, of a symmetric positive definite matrix."""
    from scipy.linalg import cho_factor, cho_solve

    found = cho_solve(cho_factor(precision, lower=True), np.eye(len(precision)))
    return (found + found.T) / 2
