"""What the measures of a comparison come to: plain values, for figures and reports.

Rows are always those of the whole Dataset. Arrays are in the order of `Comparison.arms` unless a field says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Overlap:
    """How many rows each two arms share, against two random draws of these sizes. The diagonal is an arm with itself.

    Args:
        names: Of the arms, then of the random draws: a of them.
        sizes: int64 `[a]`.
        shared: int64 `[a, a]`, rows in both.
        jaccard: float64 `[a, a]`, shared / rows in either; NaN when both are empty.
        expected: float64 `[a, a]`, shared rows of two independent random draws; the size itself on the diagonal.
        low: int64 `[a, a]`, 2.5 % quantile of that number (hypergeometric).
        high: int64 `[a, a]`, 97.5 % quantile.
        population: Rows that chance draws from.
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    shared: np.ndarray
    jaccard: np.ndarray
    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray
    population: int


@dataclass(frozen=True)
class Pattern:
    """Rows taken by exactly these arms.

    Args:
        members: Names of the arms that take them.
        count: How many rows.
        expected: How many if the arms were independent random draws of their sizes.
    """

    members: tuple[str, ...]
    count: int
    expected: float


@dataclass(frozen=True)
class Patterns:
    """Exact membership, as in an UpSet plot; rows that no arm takes are not among the patterns.

    Args:
        names: Of the arms.
        sizes: int64 `[a]`.
        patterns: Most rows first.
        others: Rows in patterns that are not listed.
        none: Rows that no arm takes.
    """

    names: tuple[str, ...]
    sizes: np.ndarray
    patterns: tuple[Pattern, ...]
    others: int
    none: int


@dataclass(frozen=True)
class ArmSpread:
    """How one number is distributed over the rows of an arm.

    Args:
        name: Of the arm; "pool" for all rows.
        counts: int64 `[b]`, rows per bin.
        present: Rows that have the number.
        missing: Rows that have none.
        mean: NaN when no row has it.
        quantiles: float64 `[5]`: 5, 25, 50, 75 and 95 %.
        ks: Kolmogorov–Smirnov distance to the rows that random draws from, 0 to 1.
        ks_chance: 95 % quantile of that distance for random draws of this size: below it, the arm is no different.
        smd: (mean − pool's mean) / pool's standard deviation; NaN when the pool does not vary.
        smd_random: Lowest and highest of the random draws of the same size.
    """

    name: str
    counts: np.ndarray
    present: int
    missing: int
    mean: float
    quantiles: np.ndarray
    ks: float = float("nan")
    ks_chance: float = float("nan")
    smd: float = float("nan")
    smd_random: tuple[float, float] = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Spread:
    """One score (or the length) over all arms, in common bins.

    Args:
        key: Of the Score; "length" for the characters of a row.
        name: For axes.
        higher_is_better: None when neither end is.
        edges: float64 `[b + 1]`, increasing; the outer bins also hold what lies beyond.
        pool: All rows.
        arms: One per arm.
        random: One per draw, each at the size of the largest arm.
        logarithmic: True when the edges are evenly spaced on a logarithmic scale.
    """

    key: str
    name: str
    higher_is_better: bool | None
    edges: np.ndarray
    pool: ArmSpread
    arms: tuple[ArmSpread, ...]
    random: tuple[ArmSpread, ...]
    logarithmic: bool = False


@dataclass(frozen=True)
class Shares:
    """Which part of every arm has each label.

    Args:
        key: Of the Labels.
        name: For axes: "clusters", "sources".
        labels: Names of the labels, largest share of the pool first; then "others" (all smaller ones together),
            "noise" and "no label", where there are any.
        pool: float64 `[l]`, shares of all rows that random draws from.
        counts: int64 `[a, l]`, rows of each arm.
        shares: float64 `[a, l]`; NaN for an empty arm.
        random_low: float64 `[a, l]`, the lowest share among the random draws of that arm's size.
        random_high: float64 `[a, l]`, the highest.
        chance_low: float64 `[a, l]`, 2.5 % quantile of the share in a random draw of that size (hypergeometric).
        chance_high: float64 `[a, l]`, 97.5 % quantile.
    """

    key: str
    name: str
    labels: tuple[str, ...]
    pool: np.ndarray
    counts: np.ndarray
    shares: np.ndarray
    random_low: np.ndarray
    random_high: np.ndarray
    chance_low: np.ndarray
    chance_high: np.ndarray


@dataclass(frozen=True)
class Curve:
    """Coverage of one arm.

    Args:
        name: Of the arm.
        key: Of the stored Coverage.
        budgets: int64 `[b]`, increasing, none above the arm's size.
        values: Measure → float64 `[b]`; measures are those of `curation.coverage.MEASURES`.
        random: Measure → float64 `[seeds, b]`.
        at_size: Measure → value at the arm's whole size; only where `budgets` reaches it.
        ordered: False when the picks are in no nested order, so that only the last point is a selection of its own.
    """

    name: str
    key: str
    budgets: np.ndarray
    values: Mapping[str, np.ndarray]
    random: Mapping[str, np.ndarray]
    at_size: Mapping[str, float]
    ordered: bool


@dataclass(frozen=True)
class CoverageCurves:
    """Coverage of all arms, measured in one space.

    Args:
        features: Key of the Features; "" when no Coverage is stored.
        space: Their step and method, for people.
        measures: What every curve has, in the order to show.
        curves: One per arm that was measured in this space.
        missing: Name of an arm → why it has no curve.
    """

    features: str
    space: str
    measures: tuple[str, ...]
    curves: tuple[Curve, ...]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class LabelChange:
    """How a difference falls on labels.

    Args:
        key: Of the Labels.
        name: For axes.
        labels: As in `Shares`.
        added: int64 `[l]`, rows.
        removed: int64 `[l]`.
        kept: int64 `[l]`.
    """

    key: str
    name: str
    labels: tuple[str, ...]
    added: np.ndarray
    removed: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class ScoreChange:
    """How the added rows differ from the removed ones in one score.

    Args:
        key: Of the Score, or "length".
        name: For axes.
        higher_is_better: None when neither end is.
        added: Median of the added rows; NaN without any.
        removed: Median of the removed rows.
        kept: Median of the kept rows.
        smd: (mean added − mean removed) / the pool's standard deviation.
    """

    key: str
    name: str
    higher_is_better: bool | None
    added: float
    removed: float
    kept: float
    smd: float


@dataclass(frozen=True)
class Difference:
    """A selection against an older one.

    Args:
        newer: Name.
        older: Name.
        older_created: Seconds since 1970.
        matched: "row" for two selections of one Dataset, "content" for those of two versions of it.
        added: int64, rows (of the newer's Dataset) that only the newer takes, in its pick order.
        removed: int64, rows of the newer's Dataset that only the older takes, in the older's pick order.
        kept: int64, rows that both take, in the newer's pick order.
        gone: Rows of the older selection whose id the newer's Dataset does not have.
        new_rows: How many of `added` are rows that the older Dataset did not have.
        labels: Per kind of label.
        scores: Per score.
    """

    newer: str
    older: str
    older_created: float
    matched: str
    added: np.ndarray
    removed: np.ndarray
    kept: np.ndarray
    gone: int = 0
    new_rows: int = 0
    labels: tuple[LabelChange, ...] = ()
    scores: tuple[ScoreChange, ...] = ()
