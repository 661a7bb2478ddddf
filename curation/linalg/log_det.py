"""Rows whose vectors span the largest volume: the greedy maximiser of a log-determinant with a linear kernel.

For rows z_1 … z_n and a ridge λ, the kernel of a set S is `Z_S Z_Sᵀ + λI`. What row i multiplies its determinant by is
`λ + r_i`, where `r_i = z_iᵀ M z_i` is the squared length of the row outside what S spans, softened by the ridge:
`M = (I + Σ_{j∈S} z_j z_jᵀ / λ)⁻¹`, and for λ = 0 the projection away from S. The same r_i is λ times the posterior
variance of a Bayesian linear regression at z_i, so diversity by determinants and information gain are one greedy.

`r_i` only shrinks while S grows. So the rows that are largest now are handled alone, as long as their best beats every
row outside, and then one matrix product brings all rows up to date. M is kept as `F Fᵀ` and updated by square roots
(Potter 1963), which stays accurate where λ is small; every 512 picks F is made anew from the Cholesky factor of
`λI + Z_Sᵀ Z_S`, found by orthogonal triangularisation, which does not square the condition of the rows.

Decisions are made in float64. Values that differ by no more than rounding can make them differ (`TIE`, `FLOOR`) count
as equal, and the lowest row is taken: blocks, threads and the order of sums do not change a pick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from curation.core.errors import CurationError
from curation.linalg.distances import finite_points, squared_norms

POOL = 1024
"""Largest rows that the greedy works on between two passes over all rows: more means fewer passes, slower picks."""

ROUND = 128  # most picks between two passes: until then they are kept beside the factor
WIDE = 1 << 25  # up to so many numbers a copy in float64 saves converting them in every pass
REFRESH = 512
PANEL = 128
ROW_BLOCK = 2048
TIE = 1e-9
"""Values closer than this share of the larger one are equal."""
FLOOR = 1e-13
"""So are values closer than this share of the largest at the start: float64 holds no more digits of a difference."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Greedy:
    """What the greedy picked.

    Args:
        order: int64 `[m]`, picks.
        values: float64 `[m]`: `weight · (λ + r)` of each pick at pick time, by which it multiplied the determinant.
        left: float64 `[n]`: the same number of every row after the last pick; of a picked row, what a copy would do.
    """

    order: np.ndarray
    values: np.ndarray
    left: np.ndarray


def greedy_log_det(
    points: np.ndarray,
    budget: int,
    *,
    ridge: float,
    weights: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    known: np.ndarray | None = None,
    tolerance: float = 0.0,
    pool: int = POOL,
    progress: Progress | None = None,
) -> Greedy:
    """Picks, again and again, the row that multiplies the determinant of the picked rows' kernel most.

    The kernel is `diag(√w)·(Z Zᵀ + λI)·diag(√w)` with `Z = diag(scale)·points`. The picks equal those of the textbook
    loop (Chen, Zhang and Zhou 2018), which keeps for every row a vector that grows with each pick.

    Costs n·m·d by matrix products and m·d·(2·d + pool) for m picks; memory O(n + d²) beyond the points, and
    up to 256 MB for a copy of few points in float64.

    Args:
        points: `[n, d]`, finite; float32 stays float32, sums are float64.
        budget: How many rows to pick, ≥ 1.
        ridge: λ ≥ 0.
        weights: float64 `[n]`, w > 0; 1 by default.
        scale: float64 `[n]`, multipliers of the rows; 1 by default.
        known: int64 `[k]`, the first picks of an earlier run with the same arguments; they are taken over unexamined.
        tolerance: Stop before a pick whose value is not above this share of the largest first value.
        pool: Changes speed, never picks.
        progress: Called with (picks made, budget) after each pass over all rows.

    Raises:
        DataError: rows that are not finite.
        CurationError: a budget below 1, a ridge or tolerance below 0, weights that are not above 0, or known picks that
            do not exist.
    """
    state = _Volume(points, ridge, scale, weights)
    n = len(state.residual)
    order = [int(row) for row in ([] if known is None else known)]
    _check(n, budget, tolerance, order)
    target = min(budget, n)
    del order[target:]
    start = float(state.values().max())
    least = max(tolerance, 0.0 if ridge else 10 * FLOOR) * start  # without a ridge what rounding leaves is nothing
    values = state.add(np.array(order, np.int64))
    while len(order) < target:
        picks, found = _round(state, pool, start, least, min(target - len(order), ROUND))
        if not picks:
            break
        state.pass_over()
        order += picks
        values += found
        if progress is not None:
            progress(len(order), target)
    left = state.weight * (state.ridge + state.residual)
    return Greedy(np.array(order, np.int64), np.array(values), left)


def lowest_of_equals(values: np.ndarray, start: float) -> tuple[float, int]:
    """The largest value, and the first place that has it within rounding (see `TIE` and `FLOOR`).

    Args:
        values: float64 `[n]`; -inf marks places that are gone.
        start: The largest value before anything was picked.
    """
    best = float(values.max())
    return best, int((values >= best - _slack(best, start)).argmax())


def _slack(value: float, start: float) -> float:
    return TIE * abs(value) + FLOOR * abs(start) if np.isfinite(value) else 0.0


def _check(n: int, budget: int, tolerance: float, known: list[int]) -> None:
    if budget < 1:
        raise CurationError(f"budget {budget} is below 1", "ask for at least one row")
    if not 0 <= tolerance < np.inf:
        raise CurationError(f"the tolerance {tolerance} is not a share", "use a number from 0 up")
    outside = [row for row in known if not 0 <= row < n]
    if outside:
        raise CurationError(f"row {outside[0]} does not exist", f"there are {n} rows, counted from 0")
    if len(set(known)) < len(known):
        raise CurationError("the known picks hold a row twice", "name each row once")


# ---------------------------------------------------------------------- what is spanned


class _Volume:
    """Keeps, for every row, its squared length outside what the rows added so far span.

    Rows are added one by one by `step`, and take effect on `residual` with the next `pass_over`.

    Attributes:
        residual: float64 `[n]`, r as the module defines it, at the last pass.
        taken: bool `[n]`, rows that were added.
    """

    def __init__(self, points: np.ndarray, ridge: float, scale: np.ndarray | None, weights: np.ndarray | None) -> None:
        if not 0 <= ridge < np.inf:
            raise CurationError(f"the ridge {ridge} is not a number from 0 up", "use one such as 0.001")
        points = finite_points(points)
        n, d = points.shape
        self.points = points.astype(np.float64) if points.size <= WIDE else points
        self.scale = above_zero(scale, n, "multipliers")
        self.weight = above_zero(weights, n, "weights")
        self.ridge = float(ridge)
        self.residual = squared_norms(self.points) * self.scale**2
        self.taken = np.zeros(n, bool)
        self._factor = np.eye(d)  # F at the last pass
        self._across = np.empty((ROUND, d))  # u of the steps since: F_t = F − Σ u_t g_tᵀ
        self._along = np.empty((ROUND, d))  # g
        self._updates = np.empty((ROUND, d))
        self._steps = 0
        self._triangle = np.sqrt(self.ridge) * np.eye(d)  # RᵀR = λI + Σ z zᵀ at the last refresh
        self._added: list[np.ndarray] = []  # z of the rows since

    @property
    def updates(self) -> np.ndarray:
        """`M z / √D` of each step since the last pass, `[steps, d]`: its squared product is what a row loses."""
        return self._updates[: self._steps]

    def rows(self, which: np.ndarray) -> np.ndarray:
        """Some scaled rows, float64 `[m, d]`."""
        return self.points[which].astype(np.float64, copy=False) * self.scale[which, None]

    def values(self) -> np.ndarray:
        """What each row would multiply the determinant by, at the last pass: float64 `[n]`, -inf where taken."""
        return np.where(self.taken, -np.inf, self.weight * (self.ridge + self.residual))

    def add(self, order: np.ndarray) -> list[float]:
        """Adds rows unexamined and brings all up to date; the value of each at its time."""
        values = []
        for start in range(0, len(order), ROUND):
            some = order[start : start + ROUND]
            values += [self.step(row, vector) for row, vector in zip(some.tolist(), self.rows(some), strict=True)]
            self.pass_over()
        return values

    def step(self, row: int, vector: np.ndarray) -> float:
        """Adds a row, whose scaled vector is given, and returns its value; at most ROUND steps between two passes."""
        across, along = self._across[: self._steps], self._along[: self._steps]
        part = vector @ self._factor - (across @ vector) @ along  # f = Fᵀ z
        value = self.ridge + float(part @ part)  # D
        spread = self._factor @ part - (along @ part) @ across  # u = F f = M z
        self._across[self._steps] = spread
        self._along[self._steps] = part / (value + np.sqrt(value * self.ridge))
        self._updates[self._steps] = spread / np.sqrt(value)
        self._steps += 1
        self.taken[row] = True
        self._added.append(vector.copy())  # a view would keep its whole pool alive
        return float(self.weight[row]) * value

    def pass_over(self) -> None:
        """Brings `residual` up to date with the steps since the last pass."""
        self._factor -= self._across[: self._steps].T @ self._along[: self._steps]
        updates = np.ascontiguousarray(self.updates.T)
        self._steps = 0
        if self.ridge > 0 and len(self._added) >= REFRESH:
            self._refresh()
            return
        for start in range(0, len(self.points), ROW_BLOCK):
            block = slice(start, start + ROW_BLOCK)
            lost = self.points[block].astype(np.float64, copy=False) @ updates
            self.residual[block] -= np.einsum("ij,ij->i", lost, lost) * self.scale[block] ** 2
        np.maximum(self.residual, 0, out=self.residual)

    def _refresh(self) -> None:
        """F and `residual` from the rows added, without what rounding has summed up."""
        from scipy.linalg import solve_triangular

        d = self.points.shape[1]
        self._triangle = np.linalg.qr(np.vstack([self._triangle, *self._added]), mode="r")
        self._added = []
        self._factor = np.triu(solve_triangular(self._triangle, np.sqrt(self.ridge) * np.eye(d)))
        for start in range(0, len(self.points), ROW_BLOCK):
            block = slice(start, start + ROW_BLOCK)
            wide = self.points[block].astype(np.float64, copy=False)
            squared = np.zeros(len(wide))
            for left in range(0, d, PANEL):  # F is zero below its diagonal
                right = min(left + PANEL, d)
                part = wide[:, :right] @ self._factor[:right, left:right]
                squared += np.einsum("ij,ij->i", part, part)
            self.residual[block] = squared * self.scale[block] ** 2


def above_zero(values: np.ndarray | None, n: int, what: str) -> np.ndarray:
    """One number above 0 for each of n rows, float64 `[n]`; 1 when there are none.

    Raises:
        CurationError: if they are not that.
    """
    if values is None:
        return np.ones(n)
    values = np.asarray(values, np.float64)
    if values.shape != (n,) or not (np.isfinite(values) & (values > 0)).all():
        raise CurationError(f"the {what} are not one number above 0 per row", f"give {n:,} finite numbers above 0")
    return values


# ---------------------------------------------------------------------- the pool


def _round(state: _Volume, size: int, start: float, least: float, most: int) -> tuple[list[int], list[float]]:
    """The next picks, at least one unless no value is above `least`, and their values at pick time.

    `state` must be up to date; the picks are added to it.
    """
    now = state.values()
    rows, rival, rival_row = _largest(now, start, size)
    slack = _slack(rival, start)
    vectors, weight, residual, now = state.rows(rows), state.weight[rows], state.residual[rows], now[rows]
    picks: list[int] = []
    values: list[float] = []
    while len(picks) < most:
        best, place = lowest_of_equals(now, start)
        row = int(rows[place])
        # Rows outside can only have shrunk since `rival` was read, so a pick that beats it beats them all.
        first = best > rival + slack or (best >= rival - slack / 100 and row < rival_row)
        if best <= least or (picks and not first):
            break
        picks.append(row)
        values.append(state.step(row, vectors[place]))
        lost = vectors @ state.updates[-1]
        residual -= lost * lost
        now = weight * (state.ridge + np.maximum(residual, 0))
        now[state.taken[rows]] = -np.inf
    return picks, values


def _largest(now: np.ndarray, start: float, size: int) -> tuple[np.ndarray, float, int]:
    """The `size` largest rows, the lowest of equals, in row order; the largest value outside and its first row."""
    n = len(now)
    if size >= n:
        return np.arange(n), -np.inf, n
    limit = float(np.partition(now, n - size)[n - size])
    slack = _slack(limit, start)
    above = np.flatnonzero(now > limit + slack)
    equal = np.flatnonzero((now >= limit - slack) & (now <= limit + slack))[: size - len(above)]
    rows = np.sort(np.concatenate([above, equal]))
    outside = now.copy()
    outside[rows] = -np.inf
    return rows, *lowest_of_equals(outside, start)
