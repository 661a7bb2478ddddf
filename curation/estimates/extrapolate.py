"""From a few measured groups of rows to all the rest, with an interval. Arrays in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Of all intervals here."""


@dataclass(frozen=True)
class Range:
    """An expected value and the ends of its interval."""

    value: float
    low: float
    high: float

    def plus(self, other: Range) -> Range:
        """The sum of two, as if both were off in the same direction."""
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Each end times a factor ≥ 0."""
        return Range(self.value * factor, self.low * factor, self.high * factor)

    def holds(self, value: float) -> bool:
        """True when the value lies inside, ends included."""
        return self.low <= value <= self.high


def exactly(value: float) -> Range:
    """A value that is known."""
    return Range(value, value, value)


def extrapolate(
    measured: np.ndarray, sizes: np.ndarray, rest: np.ndarray, rows: np.ndarray, rows_left: int, *, level: float = LEVEL
) -> Range:
    """The sum over rows not measured of a quantity that is a sum of parts, each in proportion to a size known for all.

    Ratio estimator Σy / Σx times the size that is left (Cochran, Sampling Techniques, chapter 6), for each part. The
    variance is that of the delete-one-group jackknife, plus what single rows that are left will scatter; the interval
    is Student's t with one degree of freedom fewer than groups. Groups must be random groups of rows of like size.

    Args:
        measured: float64 `[g, p]`: each part measured on each group.
        sizes: float64 `[g, p]`, ≥ 0: what each part grows with (characters, rows).
        rest: float64 `[p]`, ≥ 0: the same of all rows that are left.
        rows: int64 `[g]`, ≥ 1: rows of each group.
        rows_left: How many rows are left.
        level: Of the interval, 0 to 1.

    Returns:
        The interval is cut at 0. With a single group it has no upper end (infinity).
    """
    if rows_left == 0:
        return exactly(0.0)
    groups = len(measured)
    known, whole = measured.sum(0), sizes.sum(0)
    value = float((_ratio(known, whole) * rest).sum())
    if groups < 2:
        return Range(value, 0.0, float("inf"))
    without = (_ratio(known - measured, whole - sizes) * rest).sum(1)
    of_the_mean = (groups - 1) / groups * float(((without - without.mean()) ** 2).sum())
    off = (measured - _ratio(known, whole) * sizes).sum(1)
    of_the_rest = rows_left / float(rows.mean()) * float((off**2).sum()) / (groups - 1)
    from scipy.stats import t

    reach = float(t.ppf((1 + level) / 2, groups - 1)) * float(np.sqrt(of_the_mean + of_the_rest))
    return Range(value, max(value - reach, 0.0), value + reach)


def _ratio(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Ratio, 0 where x is 0: then nothing was measured, and nothing can be said to follow from it."""
    return np.divide(y, x, out=np.zeros(np.broadcast(y, x).shape), where=x > 0)
