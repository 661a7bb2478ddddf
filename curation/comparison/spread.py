"""How scores and lengths are distributed over the arms, against the pool and random draws."""

from __future__ import annotations

import numpy as np

from curation.comparison.chance import ks_limit
from curation.comparison.facts import Comparison
from curation.comparison.measured import ArmSpread, Spread
from curation.core.artifacts import Score
from curation.core.dataset import Dataset

BINS = 40
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TAIL = 0.005
"""Share of the pool's values at each end that goes into the outer bin."""
LENGTH = "length"


def common_edges(values: np.ndarray, bins: int = BINS, *, logarithmic: bool = False) -> np.ndarray:
    """Edges for all arms: even between the 0.5 % and 99.5 % quantiles of the pool, float64 `[b + 1]`, increasing.

    Args:
        values: Finite values of the pool; empty gives the edges 0 and 1.
        bins: How many at most; whole numbers of a small range get one bin each.
        logarithmic: Even on a logarithmic scale from 1 on.
    """
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = np.quantile(values, [TAIL, 1 - TAIL], method="nearest")
    if logarithmic:
        low, high = max(float(low), 1.0), max(float(high), 2.0)
        return np.geomspace(low, max(high, low * 2), bins + 1)
    if low == high:
        low, high = values.min(), values.max()
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    if high - low <= bins and (values == np.floor(values)).all():
        return np.arange(float(low), float(high) + 2) - 0.5
    return np.linspace(low, high, bins + 1)


def counts_in(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values per bin, int64; what lies beyond the ends counts in the outer bins."""
    place = np.searchsorted(edges, values, side="right") - 1
    return np.bincount(np.clip(place, 0, len(edges) - 2), minlength=len(edges) - 1).astype(np.int64)


class Ranked:
    """The values of a pool, sorted once, so that the distance of every arm to it takes one pass.

    Args:
        values: float64 `[n]`; what is not finite is left out.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.present = np.isfinite(values)
        rows = np.flatnonzero(self.present)
        self.rows = rows[np.argsort(values[rows], kind="stable")]
        ordered = values[self.rows]
        # equal values are passed together: the distance is looked at after the last of them
        self.ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(rows) else rows
        self.pool_share = (self.ends + 1) / max(len(rows), 1)

    def ks(self, mask: np.ndarray) -> float:
        """Kolmogorov–Smirnov distance between the rows of a mask and all rows, 0 to 1; NaN without rows. O(n)."""
        taken = np.cumsum(mask[self.rows])
        if not len(taken) or not taken[-1]:
            return float("nan")
        return float(np.abs(taken[self.ends] / taken[-1] - self.pool_share).max())


def arm_spread(
    name: str,
    values: np.ndarray,
    order: np.ndarray,
    edges: np.ndarray,
    ranked: Ranked,
    pool: tuple[float, float],
    smd_random: tuple[float, float] = (float("nan"), float("nan")),
) -> ArmSpread:
    """One number over the rows of an arm.

    Args:
        name: Of the arm.
        values: float64 `[n]`, NaN = missing.
        order: int64, unique rows.
        edges: From `common_edges`.
        ranked: Of the same values, of the rows that random draws from.
        pool: Mean and standard deviation of the pool.
        smd_random: Lowest and highest difference of random draws of this size.
    """
    mine = values[order]
    mine = mine[np.isfinite(mine)]
    mask = np.zeros(len(values), bool)
    mask[order] = True
    return ArmSpread(
        name,
        counts_in(mine, edges),
        len(mine),
        len(order) - len(mine),
        float(mine.mean()) if len(mine) else float("nan"),
        np.quantile(mine, QUANTILES) if len(mine) else np.full(len(QUANTILES), np.nan),
        ranked.ks(mask),
        ks_limit(len(mine), int(ranked.present.sum())),
        mean_difference(mine, *pool),
        smd_random,
    )


def mean_difference(values: np.ndarray, mean: float, deviation: float) -> float:
    """(mean of the values − mean) / deviation; NaN without values, or when the pool does not vary."""
    return (float(values.mean()) - mean) / deviation if len(values) and deviation > 0 else float("nan")


def spread_of(
    key: str,
    name: str,
    values: np.ndarray,
    comparison: Comparison,
    *,
    higher_is_better: bool | None = None,
    logarithmic: bool = False,
    bins: int = BINS,
) -> Spread:
    """One number over all arms, the pool and random draws; O(n log n) once and O(n) an arm.

    Args:
        key: Of the Score.
        name: For axes.
        values: float64 `[n]`, NaN = missing.
        comparison: The arms.
        higher_is_better: None when neither end is.
        logarithmic: Bins even on a logarithmic scale.
        bins: How many at most.
    """
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    # what chance explains is told by what random draws from: an arm of a part of the rows is no sample of all rows
    reached = np.full(len(values), np.nan)
    reached[comparison.eligible] = values[comparison.eligible]
    ranked = Ranked(reached)
    edges = common_edges(finite, bins, logarithmic=logarithmic)
    pool = (float(finite.mean()), float(finite.std())) if len(finite) else (float("nan"), float("nan"))
    everything = arm_spread("pool", values, np.arange(len(values)), edges, ranked, pool)
    drawn = [np.asarray(draw.order) for draw in comparison.random]

    def of(arm_name: str, order: np.ndarray) -> ArmSpread:
        chance = [values[draw[: len(order)]] for draw in drawn]
        found = [mean_difference(c[np.isfinite(c)], *pool) for c in chance]
        known = [x for x in found if np.isfinite(x)]
        between = (min(known), max(known)) if known else (float("nan"), float("nan"))
        return arm_spread(arm_name, values, order, edges, ranked, pool, between)

    arms = tuple(of(arm.name, arm.order) for arm in comparison.arms)
    random = tuple(of(draw.name, draw.order) for draw in comparison.random)
    return Spread(key, name, higher_is_better, edges, everything, arms, random, logarithmic)


def score_spread(key: str, score: Score, comparison: Comparison, *, name: str = "", bins: int = BINS) -> Spread:
    """A stored score over all arms; lengths in bins of a logarithmic scale."""
    values = np.where(score.missing.mask, np.nan, np.asarray(score.values, np.float64))
    finite = values[np.isfinite(values)]
    skewed = bool(len(finite)) and finite.min() >= 0 and _long_tailed(finite)
    return spread_of(
        key,
        name or score.name,
        values,
        comparison,
        higher_is_better=score.higher_is_better,
        logarithmic=skewed,
        bins=bins,
    )


def _long_tailed(values: np.ndarray) -> bool:
    """True for sizes such as characters or tokens: whole numbers, the largest far beyond the usual."""
    middle, high = np.quantile(values, [0.5, 1 - TAIL])
    return bool(middle >= 10 and high >= 5 * middle and (values == np.floor(values)).all())


def length_spread(dataset: Dataset, comparison: Comparison, *, bins: int = BINS) -> Spread:
    """Characters of a row, prompt and response together, over all arms."""
    return spread_of(
        LENGTH,
        "length in characters",
        dataset.lengths().astype(np.float64),
        comparison,
        logarithmic=True,
        bins=bins,
    )
