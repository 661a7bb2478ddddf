"""Learning a judge from some of its scores: the learner, how good it is on rows left out, what more scores would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from curation.linalg.conformal import auc, conformal_quantile
from curation.linalg.judged import Line, acquire, judge_line, posterior_sd
from curation.linalg.rank_correlation import ranks, spearman

Learner = Literal["auto", "ridge", "boosted"]
FOLDS = 5
LEAST_TO_COMPARE = 40
"""Training rows below which trees are not tried: five folds of fewer tell nothing."""
SUBSETS, SEEDS, BOOTSTRAP = 6, 8, 200
LEAST_SUBSET = 20
POWERS = np.linspace(0.25, 1.5, 6)
"""Exponents of the power law that are tried."""
SURVEYED = 20_000
"""Rows that stand for a larger pool when the next judgements are planned for an estimate."""


# ---------------------------------------------------------------------- the learner


@dataclass(frozen=True)
class Judge:
    """A judge as learnt from its scores.

    Args:
        line: Bayesian ridge regression.
        trees: Gradient boosting on what the line leaves of rows left out; None = the line alone.
        widen: What the line's standard deviations are multiplied by.
    """

    line: Line
    trees: Any = None
    widen: float = 1.0

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected score, and standard deviation of a score: float64 `[n]` each."""
        mean, sd = self.line.predict(points)
        if self.trees is not None and len(points):
            mean = mean + self.trees.predict(np.asarray(points, np.float64))
        return mean, sd * self.widen


def learn(points: np.ndarray, scores: np.ndarray, *, boosted: bool) -> Judge:
    """Fit the line, and trees on top of it.

    The trees learn what the line gets wrong on each row when that row is left out, not its residuals: on few rows with
    many columns these are shrunk towards 0.

    Args:
        points: `[m, p]`, finite, m ≥ 2.
        scores: float64 `[m]`, finite.
        boosted: With trees.
    """
    line = judge_line(points, scores)
    if not boosted or line.fit is None:
        return Judge(line)
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=0
    )
    trees.fit(np.asarray(points, np.float64), line.left_out)
    return Judge(line, trees)


@dataclass(frozen=True)
class LeftOut:
    """Predictions of rows by models that did not see them.

    Args:
        mean: float64 `[m]`.
        sd: float64 `[m]`.
    """

    mean: np.ndarray
    sd: np.ndarray


def left_out(points: np.ndarray, scores: np.ndarray, folds: np.ndarray, *, boosted: bool) -> LeftOut:
    """Predict every row from those of the other folds.

    Args:
        points: `[m, p]`.
        scores: float64 `[m]`.
        folds: int `[m]`; each fold must leave at least two rows.
        boosted: With trees.
    """
    mean, sd = np.empty(len(scores)), np.empty(len(scores))
    for fold in np.unique(folds):
        inside = folds == fold
        mean[inside], sd[inside] = learn(points[~inside], scores[~inside], boosted=boosted).predict(points[inside])
    return LeftOut(mean, sd)


@dataclass(frozen=True)
class Chosen:
    """Which learner was taken, and why.

    Args:
        judge: Fitted to all training rows.
        name: "ridge" or "boosted".
        why: One sentence.
        rest: Rows left out as the chosen learner predicts them; None with too few rows for folds.
    """

    judge: Judge
    name: str
    why: str
    rest: LeftOut | None


def choose(points: np.ndarray, scores: np.ndarray, folds: np.ndarray, learner: Learner) -> Chosen:
    """The learner asked for; `auto` takes trees only where they are better on rows left out by more than chance.

    "More than chance" is one standard error of the mean difference of squared errors, row by row.

    Args:
        points: `[m, p]`, finite, m ≥ 2.
        scores: float64 `[m]`, finite.
        folds: int `[m]`.
        learner: "ridge", "boosted", or "auto".
    """
    m = len(scores)
    measurable = m >= 2 * FOLDS and len(np.unique(folds)) == FOLDS
    plain = left_out(points, scores, folds, boosted=False) if measurable else None
    if learner == "ridge" or np.ptp(scores) == 0:
        why = "asked for" if learner == "ridge" else "all scores to learn from are equal"
        return Chosen(learn(points, scores, boosted=False), "ridge", why, plain)
    if learner == "auto" and (plain is None or m < LEAST_TO_COMPARE):
        why = f"{m} rows to learn from are too few to try trees"
        return Chosen(learn(points, scores, boosted=False), "ridge", why, plain)
    trees = left_out(points, scores, folds, boosted=True) if measurable else None
    why = "asked for"
    if plain is not None and trees is not None:
        before, after = (plain.mean - scores) ** 2, (trees.mean - scores) ** 2
        gain, error = float((before - after).mean()), float((before - after).std() / np.sqrt(m))
        told = f"squared error on rows left out {after.mean():.3g} with trees, {before.mean():.3g} without"
        if learner == "auto" and gain <= error:
            return Chosen(learn(points, scores, boosted=False), "ridge", f"{told}: no clear gain", plain)
        why = told if learner == "auto" else f"asked for; {told}"
        widen = float(np.sqrt(after.mean() / before.mean())) if before.mean() > 0 else 1.0
        made = learn(points, scores, boosted=True)
        return Chosen(Judge(made.line, made.trees, widen), "boosted", why, LeftOut(trees.mean, trees.sd * widen))
    return Chosen(learn(points, scores, boosted=True), "boosted", why, None)


# ---------------------------------------------------------------------- what more judgements would buy


@dataclass(frozen=True)
class Outlook:
    """One measure over the number of judgements, and what the power law says of more.

    Args:
        values: Mean over seeds at each size.
        errors: Standard error of it at each size, calibration rows drawn anew and seeds together.
        then: At the larger number.
        low: Lower end of its 90 % interval.
        high: Upper end.
        gain: `then` less the fitted value now; may be next to nothing.
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
            name: {key: _plain(value) for key, value in found.__dict__.items()}
            for name, found in self.measures.items()
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
    measured on the calibration rows. A power law `a + b·m^−c` through the means, c from 0.25 to 1.5, b never of the
    sign in which more rows do harm, is read at m + `more`; its interval is the bootstrap's, calibration rows and seeds
    drawn anew together. Training rows that were not drawn at random make a steeper curve than random ones would.

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
        found = acquire(some, candidates, acquired, judged=judged, penalty=line.penalty, draws=ranked)
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
        now, then = power_law(np.array(sizes), np.vstack([values, some]), target, better)
        ends, gains = np.quantile(then[1:], [0.05, 0.95]), np.quantile((then - now)[1:], [0.05, 0.95])
        made[name] = Outlook(
            tuple(values.tolist()), tuple(some.std(axis=0).tolist()), float(then[0]), float(ends[0]), float(ends[1]),
            float(then[0] - now[0]), float(gains[0]), float(gains[1]),
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


def power_law(sizes: np.ndarray, curves: np.ndarray, target: float, better: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit `a + b·m^−c` to each curve by least squares over a grid of c, and read it at the last size and beyond.

    Where the best b says that more rows do harm, the curve is taken to be flat, at its mean.

    Args:
        sizes: int `[k]`, increasing, k ≥ 2.
        curves: float64 `[r, k]`.
        target: Beyond the last size.
        better: 1 if higher is better, −1 if lower is.

    Returns:
        Values at the last size and at `target`, float64 `[r]` each.
    """
    flat = curves.mean(axis=1)
    best = ((curves - flat[:, None]) ** 2).sum(axis=1)
    now, then = flat.copy(), flat.copy()
    for power in POWERS:
        x = sizes.astype(np.float64) ** -power
        apart = x - x.mean()
        slope = (curves - flat[:, None]) @ apart / float(apart @ apart)
        error = ((curves - flat[:, None] - slope[:, None] * apart) ** 2).sum(axis=1)
        helps = (slope * better < 0) & (error < best)
        best = np.where(helps, error, best)
        now = np.where(helps, flat + slope * (x[-1] - x.mean()), now)
        then = np.where(helps, flat + slope * (float(target) ** -power - x.mean()), then)
    return now, then


# ---------------------------------------------------------------------- how good it is


def goodness(
    predicted: np.ndarray, scores: np.ndarray, lengths: np.ndarray, threshold: float
) -> dict[str, float | None]:
    """Rank correlation and AUC of predictions with a judge's scores, and what length alone has of both.

    Args:
        predicted: float64 `[n]`.
        scores: float64 `[n]`, the judge's.
        lengths: float64 `[n]`, characters of the responses; NaN unknown.
        threshold: From which score a row is good.
    """
    found = {
        "spearman": spearman(predicted, scores),
        "auc": auc(predicted, scores >= threshold),
        "spearman_predicted_length": spearman(predicted, lengths),
        "spearman_judge_length": spearman(scores, lengths),
    }
    return {name: value if np.isfinite(value) else None for name, value in found.items()}
