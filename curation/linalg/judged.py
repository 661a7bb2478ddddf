"""A linear model of a judge's scores: its columns, what it predicts, how sure it is, and which rows to judge next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from curation.linalg.bayes_linear import BayesLinear, bayes_linear
from curation.linalg.log_det import greedy_log_det
from curation.linalg.whiten import whitening

ROW_BLOCK = 4096
WIDE_PRIOR = 1e3
"""The intercept may lie this many times further from its mean than noise does: its prior is flat, all but exactly."""

Progress = Callable[[int, int], None]


# ---------------------------------------------------------------------- columns


@dataclass(frozen=True)
class Design:
    """Columns for a linear model.

    Args:
        points: float32 `[n, p]`.
        names: What each column is: "component 1", an indicator's name, "NAME is missing".
    """

    points: np.ndarray
    names: tuple[str, ...]


def design(
    vectors: np.ndarray,
    indicators: Mapping[str, np.ndarray] | None = None,
    *,
    dims: int = 128,
) -> Design:
    """Principal components of vectors, and standardised indicators beside them.

    Components keep their proportions; all are divided by one number, so that the mean variance of a component is 1,
    as an indicator's is. A missing indicator counts as its mean, and a column of its own says where it is missing
    (standardised too). Indicators without spread are left out.

    Cost: that of principal components, n·d² and d³.

    Args:
        vectors: `[n, d]`, finite, n ≥ 1.
        indicators: float64 `[n]` by name, NaN = missing.
        dims: Components, at most.
    """
    turned = whitening(vectors, dims, 1.0)
    # the sign of a component is chance; trees, unlike lines, could tell
    if turned.axes.shape[1]:
        strongest = np.abs(turned.axes).argmax(axis=0)
        turned.axes[:] *= np.where(turned.axes[strongest, np.arange(turned.axes.shape[1])] < 0, -1.0, 1.0)
    found = turned.apply(vectors)[:, :-1]
    columns, names = [found], [f"component {k + 1}" for k in range(found.shape[1])]
    for name, given in (indicators or {}).items():
        values = np.asarray(given, np.float64)
        gone = ~np.isfinite(values)
        for column, label in ((values, name), (gone.astype(np.float64), f"{name} is missing")):
            standard = _standardised(column, gone if label == name else np.zeros_like(gone))
            if standard is not None:
                columns.append(standard[:, None])
                names.append(label)
    if not names:  # nothing varies: one column that says nothing keeps every shape
        columns, names = [np.zeros((len(vectors), 1), np.float32)], ["nothing varies"]
    return Design(np.concatenate(columns, axis=1), tuple(names))


def _standardised(values: np.ndarray, gone: np.ndarray) -> np.ndarray | None:
    there = values[~gone]
    if not len(there) or np.ptp(there) <= 1e-12 * np.abs(there).max():
        return None
    return np.where(gone, 0.0, (values - there.mean()) / there.std()).astype(np.float32)


# ---------------------------------------------------------------------- the line


@dataclass(frozen=True)
class Line:
    """What is believed of a judge after some of its scores.

    Args:
        fit: The regression; None when all scores were equal, so that nothing but that value is known.
        value: Mean of the scores.
        penalty: Σ (y − a − x·b)² + penalty·Σ b² is least; 1 without a regression.
        noise: Standard deviation of what the columns do not explain; 1 without a regression.
        left_out: float64 `[m]`: error of each training row had it been left out.
    """

    fit: BayesLinear | None
    value: float
    penalty: float
    noise: float
    left_out: np.ndarray

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean, and standard deviation of a new score, noise included: float64 `[n]` each; O(n·p²)."""
        n = len(points)
        if self.fit is None:
            return np.full(n, self.value), np.ones(n)
        mean, sd = np.empty(n), np.empty(n)
        for start in range(0, n, ROW_BLOCK):
            block = slice(start, start + ROW_BLOCK)
            apart = points[block].astype(np.float64) - self.fit.centre
            mean[block] = self.value + apart @ self.fit.coefficients
            sd[block] = self.noise * np.sqrt(1 + _leverage(self.fit, apart))
        return mean, sd


def _leverage(fit: BayesLinear, apart: np.ndarray) -> np.ndarray:
    return 1 / len(fit.residuals) + ((apart @ fit.eigenvectors) ** 2) @ (1 / (fit.eigenvalues + fit.penalty))


def judge_line(points: np.ndarray, scores: np.ndarray) -> Line:
    """Fit a Bayesian ridge regression, its penalty and noise by evidence (see `bayes_linear`).

    Args:
        points: `[m, p]`, finite, m ≥ 2.
        scores: float64 `[m]`, finite.
    """
    if np.ptp(scores) == 0:
        return Line(None, float(scores[0]), 1.0, 1.0, np.zeros(len(scores)))
    fit = bayes_linear(points, scores)
    leverage = _leverage(fit, points.astype(np.float64) - fit.centre)
    return Line(fit, fit.intercept, fit.penalty, fit.noise, fit.residuals / np.maximum(1 - leverage, 1e-9))


def posterior_sd(points: np.ndarray, judged: np.ndarray, penalty: float, noise: float) -> np.ndarray:
    """How sure the line is of every row once `judged` rows have scores, whatever these turn out to be: float64 `[n]`.

    The standard deviation of a row's expected score: `noise·√(1/m + (x − c)ᵀ (S + penalty·I)⁻¹ (x − c))`, exact for
    the given penalty and noise; what the noise adds to a single score is not in it. O(n·p²).

    Args:
        points: `[n, p]`, finite.
        judged: int64 `[m]`, m ≥ 1.
        penalty: Above 0.
        noise: Standard deviation.
    """
    from scipy.linalg import cholesky, solve_triangular

    some = points[judged].astype(np.float64)
    centre = some.mean(axis=0)
    root = cholesky((some - centre).T @ (some - centre) + penalty * np.eye(points.shape[1]), lower=True)
    found = np.empty(len(points))
    for start in range(0, len(points), ROW_BLOCK):
        apart = points[start : start + ROW_BLOCK].astype(np.float64) - centre
        part = solve_triangular(root, apart.T, lower=True)
        found[start : start + ROW_BLOCK] = noise * np.sqrt(1 / len(judged) + (part**2).sum(axis=0))
    return found


# ---------------------------------------------------------------------- what to judge next


@dataclass(frozen=True)
class Acquired:
    """Rows to judge next.

    Args:
        order: int64 `[k]`: rows drawn by chance first, then the greedy's.
        gains: float64 `[k]`: nats each tells about the line, times less than 1 for rows far from the threshold.
        left: float64 `[n]`: what each other candidate would add after these; NaN for rows that are none.
        drawn: How many were drawn by chance.
    """

    order: np.ndarray
    gains: np.ndarray
    left: np.ndarray
    drawn: int


def near_weights(predicted: np.ndarray, sd: np.ndarray, threshold: float, near: float) -> np.ndarray:
    """How much a row's information counts: `1 − near + near·exp(−z²/2)` with `z = |predicted − threshold| / sd`.

    Args:
        predicted: float64 `[n]`; NaN counts as infinitely far.
        sd: float64 `[n]`, above 0.
        threshold: From which score a row is good.
        near: 0 = all rows alike, 1 = only closeness to the threshold.

    Returns:
        float64 `[n]` in [0, 1].
    """
    z = np.abs(predicted - threshold) / sd
    return 1 - near + near * np.nan_to_num(np.exp(-(z**2) / 2))


def acquire(
    points: np.ndarray,
    candidates: np.ndarray,
    count: int,
    *,
    judged: np.ndarray,
    penalty: float | None,
    weights: np.ndarray | None = None,
    draws: np.ndarray,
    random_share: float = 0.2,
    progress: Progress | None = None,
) -> Acquired:
    """Rows whose scores would tell a Bayesian line most, after those it has and those drawn by chance.

    A share is drawn by chance. The others come one by one, each the one of most information given all before it: the
    greedy of `½ log(1 + w·v/noise²)`, v being the posterior variance of a row's expected score. A weight w below 1 is a
    row taken for a noisier measurement. The order is not the beginning of a longer one, since the share drawn by chance
    grows with the count.

    Cost: n·p·(judged + count) by matrix products; see `curation.linalg.log_det`.

    Args:
        points: `[n, p]`, finite.
        candidates: int64 `[c]`, sorted; none of them in `judged`.
        count: 1 to c.
        judged: int64 `[m]`, rows that have scores.
        penalty: Of the line; None = the median squared length of a candidate, so that it brings ½ log 2 at the start.
        weights: float64 `[n]` in [0, 1]; 1 by default.
        draws: float64 `[n]`: the rows of the lowest numbers are those drawn by chance.
        random_share: Of the count, rounded half up.
        progress: Called with (rows passed, rows to pass).
    """
    count = min(count, len(candidates))
    drawn = min(count, int(np.floor(random_share * count + 0.5)))
    chance = candidates[np.argsort(draws[candidates], kind="stable")[:drawn]]
    rows = np.concatenate([judged, candidates])
    apart = points[rows].astype(np.float64)
    apart -= (apart[: len(judged)] if len(judged) else apart).mean(axis=0)
    if penalty is None:
        penalty = float(np.median((apart**2).sum(axis=1))) or 1.0
    if len(judged):  # a column for the intercept: its prior variance is noise² times the square of this number
        apart = np.column_stack([apart, np.full(len(rows), WIDE_PRIOR * np.sqrt(penalty))])
    scale = np.ones(len(rows))
    if weights is not None:
        # a weight of 0 is a row that tells nothing, but the greedy wants numbers above 0
        scale[len(judged) :] = np.sqrt(np.maximum(weights[candidates], 1e-12))
    place = len(judged) + np.searchsorted(candidates, chance)
    scale[place] = 1.0
    known = np.concatenate([np.arange(len(judged)), place]).astype(np.int64)
    budget = len(known) + count - drawn
    found = greedy_log_det(apart, budget, ridge=penalty, scale=scale, known=known, progress=progress)
    left = np.full(len(points), np.nan)
    left[rows] = np.log(found.left / penalty) / 2
    order = rows[found.order[len(judged) :]]
    left[judged] = left[order] = np.nan
    return Acquired(order, np.log(found.values[len(judged) :] / penalty) / 2, left, drawn)
