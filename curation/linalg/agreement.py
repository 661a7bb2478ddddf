"""How a judge agrees with itself, asked twice or with the parts in another order, and what length has to do with it.

Everything is a number with an interval. Shares have the exact interval of Clopper and Pearson (1934), means the
t-interval, the slope the t-interval with the HC3 variance of MacKinnon and White (1985), which holds where the spread
changes along the line, and what has no simple law the percentile bootstrap over rows, with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from curation.linalg.rank_correlation import ranks, spearman

NAN = float("nan")
FEWEST = 3
"""Rows below which a mean or a correlation has no interval."""
_CELLS = 1 << 22  # drawn at once by the bootstrap


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where too few rows say anything.

    Args:
        value: As measured.
        low: Lower end.
        high: Upper end.
    """

    value: float = NAN
    low: float = NAN
    high: float = NAN

    def excludes(self, value: float) -> bool:
        """True when the interval is known and does not hold a value."""
        return value < self.low or value > self.high


@dataclass(frozen=True)
class Agreement:
    """Two judgements of the same rows.

    Args:
        rows: Judged both times.
        exact: Share with equal scores.
        within: Share whose scores are at most one step of the scale apart.
        difference: Mean of |second − first|.
        shift: Mean of second − first.
        pearson: Correlation.
        spearman: Rank correlation.
        kappa: Quadratic weighted kappa (Cohen 1968).
    """

    rows: int = 0
    exact: Estimate = Estimate()
    within: Estimate = Estimate()
    difference: Estimate = Estimate()
    shift: Estimate = Estimate()
    pearson: Estimate = Estimate()
    spearman: Estimate = Estimate()
    kappa: Estimate = Estimate()


@dataclass(frozen=True)
class JudgeReport:
    """What an audit says of a judge.

    Args:
        rows: With a score.
        again: First judgement and a second with the same prompt: its noise.
        swapped: First judgement and a second with the parts in another order: noise and position together.
        position: Mean shift by another order beside that by asking again: `swapped.shift − again.shift`.
        length_rho: Spearman's correlation of score and length.
        length_slope: Points of score for each doubling of length, nothing else being taken into account.
        level: Confidence of the intervals.
        step: What "one step" meant.
    """

    rows: int
    again: Agreement
    swapped: Agreement
    position: Estimate
    length_rho: Estimate
    length_slope: Estimate
    level: float = 0.95
    step: float = 1.0

    def facts(self) -> dict[str, Any]:
        """Plain nested numbers, for `info` and JSON."""
        return asdict(self)


def judge_report(
    first: np.ndarray,
    again: np.ndarray,
    swapped: np.ndarray,
    lengths: np.ndarray,
    *,
    step: float = 1.0,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> JudgeReport:
    """Agreement, position and length bias of a judge. NaN = not judged.

    Cost: O(n log n), and `draws` passes over the rows that were judged twice.

    Args:
        first: float `[n]`, the scores.
        again: float `[n]`, asked again with the same prompt.
        swapped: float `[n]`, asked with the parts in another order.
        lengths: `[n]`, of the responses, in characters; rows without any are left out of the length bias.
        step: Difference of two neighbouring scores.
        level: Confidence of the intervals, in (0, 1).
        draws: Of the bootstrap.
        seed: Of the bootstrap.
    """
    same = agreement(first, again, step=step, level=level, draws=draws, seed=seed)
    other = agreement(first, swapped, step=step, level=level, draws=draws, seed=seed + 1)
    rho, slope = length_bias(first, lengths, level=level)
    return JudgeReport(
        int(np.isfinite(first).sum()),
        same,
        other,
        mean_difference(_differences(first, swapped), _differences(first, again), level),
        rho,
        slope,
        level,
        step,
    )


def agreement(
    first: np.ndarray,
    second: np.ndarray,
    *,
    step: float = 1.0,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """How two judgements of the same rows agree.

    Args:
        first: float `[n]`, NaN = none.
        second: float `[n]`, NaN = none.
        step: Difference of two neighbouring scores.
        level: Confidence of the intervals.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
    """
    both = np.isfinite(first) & np.isfinite(second)
    a, b = np.asarray(first, np.float64)[both], np.asarray(second, np.float64)[both]
    if not len(a):
        return Agreement()
    apart = np.abs(b - a)
    rng = np.random.default_rng(seed)
    boot = _bootstrap(a, b, rng, draws)
    return Agreement(
        len(a),
        share(int((apart <= 1e-9).sum()), len(a), level),
        share(int((apart <= step + 1e-9).sum()), len(a), level),
        _between(float(apart.mean()), boot(lambda x, y: np.abs(y - x).mean(axis=1)), level),
        mean(b - a, level),
        _between(float(_pearson(a[None], b[None])[0]), boot(_pearson), level),
        _between(spearman(a, b), boot(_spearman), level),
        _between(quadratic_kappa(a, b), boot(_kappa), level),
    )


def quadratic_kappa(a: np.ndarray, b: np.ndarray) -> float:
    """Cohen's kappa with quadratic weights, of any numbers; NaN where neither varies.

    With scores at equal distances it is 1 − Σ(aᵢ − bᵢ)²/n over Σᵢⱼ(aᵢ − bⱼ)²/n², and the denominator is
    var a + var b + (mean a − mean b)²: no table is needed, and scores need not be whole.

    Args:
        a: float `[n]`.
        b: float `[n]`.
    """
    return float(_kappa(np.asarray(a, np.float64)[None], np.asarray(b, np.float64)[None])[0])


def length_bias(scores: np.ndarray, lengths: np.ndarray, *, level: float = 0.95) -> tuple[Estimate, Estimate]:
    """Spearman's correlation of score and length, and points of score for each doubling of length.

    Args:
        scores: float `[n]`, NaN = none.
        lengths: `[n]`; 0 = left out.
        level: Confidence of the intervals.

    Returns:
        The correlation, with the interval of Bonett and Wright (2000), and the slope of an ordinary line on log₂ of the
        length.
    """
    lengths = np.asarray(lengths, np.float64)
    both = np.isfinite(scores) & (lengths > 0)
    y, x = np.asarray(scores, np.float64)[both], np.log2(lengths[both])
    rho = spearman(x, y)
    return _rank_interval(rho, len(y), level), _slope(x, y, level)


def share(hits: int, of: int, level: float = 0.95) -> Estimate:
    """A share with the exact interval of Clopper and Pearson; of nothing it is not known."""
    from scipy.stats import beta

    if of == 0:
        return Estimate()
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(1 - tail, hits + 1, of - hits))
    return Estimate(hits / of, low, high)


def mean(values: np.ndarray, level: float = 0.95) -> Estimate:
    """A mean with its t-interval; no interval below three values, or where a few are all the same."""
    if not len(values):
        return Estimate()
    centre = float(values.mean())
    if len(values) < FEWEST or (np.ptp(values) == 0 and _by_chance(len(values), level)):
        return Estimate(centre)
    half = _t(level, len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(centre, centre - half, centre + half)


def mean_difference(a: np.ndarray, b: np.ndarray, level: float = 0.95) -> Estimate:
    """mean(a) − mean(b) of two independent samples, with Welch's interval (1947)."""
    if not len(a) or not len(b):
        return Estimate()
    centre = float(a.mean() - b.mean())
    if min(len(a), len(b)) < FEWEST:
        return Estimate(centre)
    va, vb = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    if va + vb == 0:
        return Estimate(centre) if _by_chance(min(len(a), len(b)), level) else Estimate(centre, centre, centre)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = _t(level, freedom) * math.sqrt(va + vb)
    return Estimate(centre, centre - half, centre + half)


# ---------------------------------------------------------------------- pieces


def _differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    both = np.isfinite(first) & np.isfinite(second)
    return np.asarray(second, np.float64)[both] - np.asarray(first, np.float64)[both]


def _by_chance(count: int, level: float) -> bool:
    """Whether so many signs may be the same by chance, which is all that values without spread can be tested by."""
    return 2.0 ** (1 - count) > 1 - level


def _t(level: float, freedom: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, freedom))


Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two samples `[draws, n]` to one number for each draw."""


def _bootstrap(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, draws: int) -> Callable[[Measure], np.ndarray]:
    """A function that applies a measure to the same resampled pairs, float64 `[draws]`; empty below three pairs."""
    n = len(a)
    seed = int(rng.integers(1 << 32))
    at_once = max(1, _CELLS // max(n, 1))

    def apply(measure: Measure) -> np.ndarray:
        if n < FEWEST:
            return np.empty(0)
        drawn = np.random.default_rng(seed)  # the same rows for every measure
        found = []
        for begin in range(0, draws, at_once):
            rows = drawn.integers(n, size=(min(at_once, draws - begin), n))
            found.append(measure(a[rows], b[rows]))
        return np.concatenate(found)

    return apply


def _between(value: float, drawn: np.ndarray, level: float) -> Estimate:
    """Percentiles of what was drawn.

    No interval where the measure is undefined for more than a tenth of the draws, or always the same: pairs that all
    agree cannot show how often others would not.
    """
    known = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or not len(known) or len(known) < 0.9 * len(drawn) or np.ptp(known) < 1e-12:
        return Estimate(value)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(scale > 1e-12, (x * y).sum(axis=1) / scale, np.nan)


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _pearson(np.stack([ranks(row) for row in x]), np.stack([ranks(row) for row in y]))


def _kappa(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    chance = x.var(axis=1) + y.var(axis=1) + (x.mean(axis=1) - y.mean(axis=1)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance > 1e-12, 1 - ((x - y) ** 2).mean(axis=1) / chance, np.nan)


def _rank_interval(rho: float, n: int, level: float) -> Estimate:
    from scipy.stats import norm

    if not math.isfinite(rho) or n < 4:
        return Estimate(rho)
    if abs(rho) >= 1:
        return Estimate(rho, rho, rho)
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return Estimate(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))


def _slope(x: np.ndarray, y: np.ndarray, level: float) -> Estimate:
    n = len(x)
    if n < FEWEST:
        return Estimate()
    centred = x - x.mean()
    spread = float(centred @ centred)
    if spread <= 1e-12:
        return Estimate()
    slope = float(centred @ y) / spread
    leverage = 1 / n + centred**2 / spread
    rest = y - y.mean() - slope * centred
    free = 1 - leverage
    if (free < 1e-9).any():  # one row alone decides the line
        return Estimate(slope)
    error = math.sqrt(float((centred**2 * (rest / free) ** 2).sum())) / spread
    half = _t(level, n - 2) * error
    return Estimate(slope, slope - half, slope + half)
