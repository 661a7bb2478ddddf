"""Bayesian linear regression in closed form, with the penalty and the noise of the highest evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ROW_BLOCK = 4096
PENALTIES = (1e-8, 1e6)
"""Least and largest penalty tried, as a share of the largest eigenvalue of the columns' scatter."""

GRID, REFINEMENTS, DIGITS = 113, 40, 3
FLAT = 1e-12
"""An eigenvalue, or a residual sum, below this share of the largest is rounding."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BayesLinear:
    """The posterior of `y = a + (x − centre)·b + noise`, with `b ~ N(0, noise² / penalty)` and a flat prior on a.

    Args:
        centre: float64 `[d]`, means of the columns.
        intercept: Mean of a, which is the mean of the target.
        coefficients: float64 `[d]`, mean of b.
        penalty: The one of the highest evidence: Σ (y − a − x·b)² + penalty·Σ b² is least at the mean.
        noise: Standard deviation of the noise, of the highest evidence.
        residuals: float64 `[n]`, target minus its value at the mean.
        r2: Share of the variance explained on the rows it was fitted to.
        loo_r2: The same for rows left out one at a time, with this penalty: what the line is worth on new rows.
        eigenvalues: float64 `[d]`, of the columns' scatter.
        eigenvectors: float64 `[d, d]`, in columns.
    """

    centre: np.ndarray
    intercept: float
    coefficients: np.ndarray
    penalty: float
    noise: float
    residuals: np.ndarray
    r2: float
    loo_r2: float
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    def deviations(self, samples: int, seed: int) -> np.ndarray:
        """Draws from the posterior, less its mean.

        The root of the covariance that is used is the symmetric one, so that neither signs nor the choice of
        eigenvectors enter a draw. The first s of more draws are those of s.

        Args:
            samples: How many.
            seed: Of the draws.

        Returns:
            float64 `[samples, d + 1]`: deviation of every coefficient, and of the intercept in the last column.
        """
        normal = np.random.default_rng(seed).standard_normal((samples, len(self.centre) + 1))
        scale = self.noise / np.sqrt(self.eigenvalues + self.penalty)
        drawn = np.empty_like(normal)
        drawn[:, :-1] = ((normal[:, :-1] @ self.eigenvectors) * scale) @ self.eigenvectors.T
        drawn[:, -1] = normal[:, -1] * self.noise / np.sqrt(len(self.residuals))
        return drawn


def bayes_linear(
    points: np.ndarray, target: np.ndarray, *, block: int = ROW_BLOCK, progress: Progress | None = None
) -> BayesLinear:
    """Fits the line whose penalty and noise have the highest evidence (MacKay 1992, "Bayesian Interpolation").

    With the intercept integrated out, and s the eigenvalues of the centred columns' scatter, the log evidence is up to
    a constant −½ (n − 1) log Q − ½ Σ log(1 + s / penalty), Q being the least penalised sum of squares; noise² is then
    Q / (n − 1). The penalty is searched on a grid, refined around its best point, and rounded to three digits; of
    equals the largest is taken. Rows left out one at a time need no refit: a residual is divided by one minus
    its leverage.

    Cost: n·d² by matrix products twice, an eigen-decomposition of d × d; memory d² and a block of rows.

    Args:
        points: `[n, d]`, finite, any real type.
        target: float64 `[n]`, finite, not all equal; n at least 2.
        block: Rows worked on at once.
        progress: Called with (rows passed, rows to pass).

    Raises:
        ValueError: fewer than two rows, or a target without spread.
    """
    n, d = points.shape
    if n < 2 or target.max() == target.min():
        raise ValueError(f"a line needs two rows with different targets, there are {n} rows")
    passed = 0

    def part(start: int) -> np.ndarray:
        nonlocal passed
        rows = points[start : start + block].astype(np.float64)
        passed += len(rows)
        if progress is not None:
            progress(passed, 3 * n)
        return rows

    starts = range(0, n, block)
    centre = sum((part(start).sum(axis=0) for start in starts), np.zeros(d)) / n
    mean = float(target.mean())
    left = target - mean
    scatter, moment = np.zeros((d, d)), np.zeros(d)
    for start in starts:
        apart = part(start) - centre
        scatter += apart.T @ apart
        moment += apart.T @ left[start : start + block]
    total = float(left @ left)
    eigenvalues, eigenvectors = np.linalg.eigh(scatter)
    there = eigenvalues > FLAT * eigenvalues[-1]
    eigenvalues = np.where(there, eigenvalues, 0.0)
    projected = np.where(there, eigenvectors.T @ moment, 0.0)
    penalty, least = _of_highest_evidence(eigenvalues, projected, total, n)

    inverse = 1 / (eigenvalues + penalty)
    coefficients = eigenvectors @ (inverse * projected)
    residuals, left_out = np.empty(n), 0.0
    for start in starts:
        rows = slice(start, start + block)
        turned = (part(start) - centre) @ eigenvectors
        residuals[rows] = left[rows] - turned @ (inverse * projected)
        leverage = 1 / n + (turned**2) @ inverse
        left_out += float(((residuals[rows] / np.maximum(1 - leverage, FLAT)) ** 2).sum())
    # a mean of the other rows is the yardstick for a row left out: its error is n / (n − 1) of the plain one
    return BayesLinear(
        centre,
        mean,
        coefficients,
        penalty,
        float(np.sqrt(least / (n - 1))),
        residuals,
        r2=1 - float(residuals @ residuals) / total,
        loo_r2=1 - left_out / (total * (n / (n - 1)) ** 2),
        eigenvalues=eigenvalues,
        eigenvectors=eigenvectors,
    )


def _of_highest_evidence(values: np.ndarray, projected: np.ndarray, total: float, n: int) -> tuple[float, float]:
    """The penalty, and the least penalised sum of squares at it."""
    if values[-1] <= 0:  # the columns have no spread: there is nothing to shrink
        return 1.0, total

    def least(penalty: float) -> float:
        return max(total - float((projected**2 / (values + penalty)).sum()), FLAT * total)

    def evidence(log_penalty: float) -> float:
        penalty = float(np.exp(log_penalty))
        return -0.5 * ((n - 1) * np.log(least(penalty)) + float(np.log1p(values / penalty).sum()))

    grid = np.log(values[-1]) + np.linspace(np.log(PENALTIES[0]), np.log(PENALTIES[1]), GRID)
    found = [evidence(float(place)) for place in grid]
    best = GRID - 1 - int(np.argmax(found[::-1]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, GRID - 1)])
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(REFINEMENTS):
        a, b = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, b) if evidence(a) > evidence(b) else (a, high)
    # the top is flat: more digits would be those of rounding, which differ from one order of summation to another
    penalty = float(f"{np.exp((low + high) / 2):.{DIGITS}g}")
    return penalty, least(penalty)
