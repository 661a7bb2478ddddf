"""What further judgements would buy: the learning curve so far, read onwards, and what the next rows would tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.linalg.conformal import conformal_quantile
from curation.linalg.judged import acquire, judge_line, near_weights, posterior_sd
from curation.linalg.rank_correlation import ranks

SUBSETS, SEEDS, BOOTSTRAP = 6, 8, 200
LEAST_SUBSET = 20
POWERS = np.linspace(0.25, 2.0, 8)
"""Exponents of the power law that are tried."""
NEAR = 0.5  # as in `selector/acquire`
SURVEYED = 20_000
"""Rows that stand for a larger pool when the next judgements are planned for an estimate."""


@dataclass(frozen=True)
class Outlook:
    """One measure over the number of judgements, and what the power law says of more.

    Args:
        values: Mean over seeds at each size.
        errors: Standard error of it at each size, calibration rows drawn anew and seeds together.
        then: At the larger number.
        low: Lower end of its 90 % interval.
        high: Upper end.
        gain: `then` less the last of `values`: never a loss, often next to nothing.
        gain_low: Lower end of its 90 % interval.
        gain_high: Upper end.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    then: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float


@dataclass(frozen=True)
class MoreJudgements:
    """What further judgements would buy.

    Args:
        judged: Training rows there are.
        more: Further ones that are considered.
        sizes: Numbers of training rows at which it was measured; the last is all there are.
        measures: "spearman", "auc" and "half_width", as far as they can be measured.
        sd_now: Mean posterior standard deviation of the expected score over the rows not judged.
        sd_then: The same after the rows that `selector/acquire` would pick next; exact for the line, whatever their
            scores will be.
        acquired: How many these are: fewer than `more` where fewer rows are left.
        spread: Standard deviation of the scores to learn from, a yardstick for `sd_now` and the half-width.
    """

    judged: int
    more: int
    sizes: tuple[int, ...]
    measures: dict[str, Outlook]
    sd_now: float
    sd_then: float
    acquired: int
    spread: float

    def facts(self) -> dict[str, Any]:
        """Plain values for a result's facts; what is not finite is left out as None."""
        plain: dict[str, Any] = {
            name: {key: _plain(value) for key, value in found.__dict__.items()} for name, found in self.measures.items()
        }
        rest = {key: _plain(value) for key, value in self.__dict__.items() if key != "measures"}
        return {**rest, "measures": plain}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value


def what_more_buys(
    points: np.ndarray,
    scores: np.ndarray,
    calibration: np.ndarray,
    calibration_scores: np.ndarray,
    *,
    threshold: float,
    coverage: float = 0.9,
    more: int = 200,
    pool: np.ndarray | None = None,
    draws: np.ndarray | None = None,
    seed: int = 0,
) -> MoreJudgements:
    """What a number of further judgements would buy, from what the ones there are have bought.

    Measured: the line is fitted to nested random subsets of the training rows, several times over, and each fit is
    measured on the calibration rows. A power law is read at m + `more` (see `power_law`): of the half-width, and of
    what rank correlation and AUC fall short of 1. Its interval is the bootstrap's, calibration rows and seeds drawn
    anew together. It takes more rows of the kind there are: where training rows were not drawn at random, more of
    those. With fewer training rows than columns the curve is steep, and what is read from it tends to promise too much.

    Predicted: the rows that would be acquired next, and the mean posterior standard deviation with them.

    About 50 fits and one greedy: 1 to 2 seconds for 1,000 judged rows and 130 columns.

    Args:
        points: `[m, p]` of the training rows.
        scores: float64 `[m]`.
        calibration: `[n, p]` of the calibration rows; may be empty.
        calibration_scores: float64 `[n]`.
        threshold: From which score a row is good.
        coverage: Of the intervals whose half-width is meant.
        more: Further judgements.
        pool: `[r, p]` of the rows that are not judged; nothing is predicted without.
        draws: float64 `[r]`, as for `acquire`; which of a pool of more than 20,000 rows stand for it follows from it.
        seed: Of subsets and bootstrap.
    """
    m = len(scores)
    sizes = subset_sizes(m)
    measures: dict[str, Outlook] = {}
    if len(calibration_scores) and len(sizes) > 1 and np.ptp(scores) > 0:
        means, sds = _curve(points, scores, calibration, sizes, seed)
        measures = _outlooks(means, sds, calibration_scores, sizes, threshold, coverage, m + more, seed)
    now = then = float("nan")
    acquired = 0
    line = judge_line(points, scores)
    if pool is not None and len(pool) and line.fit is not None:
        order = np.arange(len(pool)) if draws is None else np.argsort(draws, kind="stable")
        chosen = np.sort(order[:SURVEYED])
        some = np.concatenate([points, pool[chosen]])
        judged, candidates = np.arange(m), m + np.arange(len(chosen))
        ranked = np.arange(len(some), dtype=np.float64)
        if draws is not None:
            ranked[m:] = draws[chosen]
        acquired = min(more, len(chosen))
        weights = near_weights(*line.predict(some), threshold, NEAR)
        found = acquire(some, candidates, acquired, judged=judged, penalty=line.penalty, weights=weights, draws=ranked)
        now = float(posterior_sd(some, judged, line.penalty, line.noise)[m:].mean())
        after = np.concatenate([judged, found.order])
        then = float(posterior_sd(some, after, line.penalty, line.noise)[m:].mean())
    return MoreJudgements(m, more, tuple(sizes), measures, now, then, acquired, float(scores.std()))


def subset_sizes(m: int) -> list[int]:
    """Numbers of training rows to measure at: up to m, evenly spaced on a logarithmic scale from a tenth of it."""
    least = max(LEAST_SUBSET, m // 10)
    return sorted({int(round(s)) for s in np.geomspace(least, m, SUBSETS)}) if m > least else [m]


def _curve(
    points: np.ndarray, scores: np.ndarray, calibration: np.ndarray, sizes: Sequence[int], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations `[seeds, sizes, n]` of the calibration rows."""
    shape = (SEEDS, len(sizes), len(calibration))
    means, sds = np.empty(shape), np.empty(shape)
    for draw in range(SEEDS):
        order = np.random.default_rng((seed, draw)).permutation(len(scores))
        for k, size in enumerate(sizes):
            if draw and size == len(scores):  # all rows are the same rows in any order
                means[draw, k], sds[draw, k] = means[0, k], sds[0, k]
                continue
            line = judge_line(points[order[:size]], scores[order[:size]])
            means[draw, k], sds[draw, k] = line.predict(calibration)
    return means, sds


def _outlooks(
    means: np.ndarray,
    sds: np.ndarray,
    scores: np.ndarray,
    sizes: Sequence[int],
    threshold: float,
    coverage: float,
    target: int,
    seed: int,
) -> dict[str, Outlook]:
    rng = np.random.default_rng((seed, SEEDS))
    draws: list[dict[str, np.ndarray]] = []
    everything = np.arange(len(scores))
    plain = _measures(means, sds, scores, everything, np.arange(SEEDS), threshold, coverage)
    for _ in range(BOOTSTRAP):
        rows = rng.integers(0, len(scores), len(scores))
        draws.append(_measures(means, sds, scores, rows, rng.integers(0, SEEDS, SEEDS), threshold, coverage))
    made = {}
    for name, better in (("spearman", 1), ("auc", 1), ("half_width", -1)):
        values = plain[name]
        some = np.array([d[name] for d in draws if np.isfinite(d[name]).all()])
        if not np.isfinite(values).all() or len(some) < BOOTSTRAP // 2:
            continue
        # measures of which more is better fall short of 1
        whole = np.vstack([values, some])
        then = power_law(np.array(sizes), 1 - whole if better > 0 else whole, target)
        then = 1 - then if better > 0 else then
        gain = then - whole[:, -1]
        ends, gains = np.quantile(then[1:], [0.05, 0.95]), np.quantile(gain[1:], [0.05, 0.95])
        made[name] = Outlook(
            tuple(values.tolist()), tuple(some.std(axis=0).tolist()), float(then[0]), float(ends[0]), float(ends[1]),
            float(gain[0]), float(gains[0]), float(gains[1]),
        )  # fmt: skip
    return made


def _measures(
    means: np.ndarray,
    sds: np.ndarray,
    scores: np.ndarray,
    rows: np.ndarray,
    seeds: np.ndarray,
    threshold: float,
    coverage: float,
) -> dict[str, np.ndarray]:
    """Each measure `[sizes]` on some calibration rows, its mean over some seeds."""
    truth = scores[rows]
    good = truth >= threshold
    used, back = np.unique(seeds, return_inverse=True)
    found = np.full((3, len(used), means.shape[1]), np.nan)
    target = ranks(truth)
    target = target - target.mean()
    for i, s in enumerate(used):
        for k in range(means.shape[1]):
            if k == means.shape[1] - 1 and i:
                found[:, i, k] = found[:, 0, k]  # all rows: the same fit for every seed
                continue
            mean, sd = means[s, k, rows], sds[s, k, rows]
            order = ranks(mean)
            own = order - order.mean()
            scale = np.sqrt((own @ own) * (target @ target))
            found[0, i, k] = own @ target / scale if scale > 0 else np.nan
            positive = int(good.sum())
            if 0 < positive < len(good):
                above = order[good].sum() - positive * (positive - 1) / 2
                found[1, i, k] = above / (positive * (len(good) - positive))
            found[2, i, k] = conformal_quantile(np.abs(truth - mean) / sd, coverage) * sd.mean()
    over = found[:, back].mean(axis=1)
    return {"spearman": over[0], "auc": over[1], "half_width": over[2]}


def power_law(sizes: np.ndarray, curves: np.ndarray, target: float) -> np.ndarray:
    """What curves that fall towards a limit of 0 or more come to: `a + b·m^−c`, a and b not below 0.

    Least squares over a grid of c; where no c makes a curve fall it is taken to be flat. The last point of the curve
    is then multiplied by what the fit says of the way from the last size to the target.

    Args:
        sizes: int `[k]`, increasing, k ≥ 2.
        curves: float64 `[r, k]`, from 0 up.
        target: Beyond the last size.

    Returns:
        Values at `target`, float64 `[r]`, from 0 up to the last of each curve.
    """
    flat = curves.mean(axis=1)
    best = ((curves - flat[:, None]) ** 2).sum(axis=1)
    factor = np.ones(len(curves))
    for power in POWERS:
        x = sizes.astype(np.float64) ** -power
        apart, ahead = x - x.mean(), float(target) ** -power
        slope = (curves - flat[:, None]) @ apart / float(apart @ apart)
        limit = flat - slope * x.mean()
        slope = np.where(limit < 0, curves @ x / float(x @ x), slope)
        limit = np.maximum(limit, 0.0)
        error = ((curves - limit[:, None] - slope[:, None] * x) ** 2).sum(axis=1)
        falls = (slope > 0) & (error < best)
        best = np.where(falls, error, best)
        there = np.where(falls, limit + slope * x[-1], 1.0)
        factor = np.where(falls, (limit + slope * ahead) / there, factor)
    return curves[:, -1] * factor
