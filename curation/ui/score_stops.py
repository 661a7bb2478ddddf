"""The numbers behind a small histogram with a cut that moves in the browser: axis, bars, and a table of exact stops.

At a stop the browser knows exactly how many rows a cut keeps, so it can say so while a handle is dragged and need ask
nobody. Stops are values that rows really have, as float64; a bound keeps the rows that are exactly at it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_STOPS = 281
BY_RANK = 201
"""So many stops at even shares of the rows; the others stand at even places of the axis, where a long tail is thin."""
BARS = 36
LOG_FROM = 4.0
"""A logarithmic axis where the 99th percentile is more than this many medians, and the logarithm is less skewed."""


@dataclass(frozen=True)
class Axis:
    """What a small histogram shows.

    Args:
        low: Value at its left end.
        high: At its right end, above `low`.
        log: Even steps are factors.
        bars: How many.
    """

    low: float
    high: float
    log: bool
    bars: int

    def place(self, values: np.ndarray) -> np.ndarray:
        """0 at the left end to 1 at the right; what lies beyond is put at the end."""
        values = np.clip(np.asarray(values, np.float64), self.low, self.high)
        if self.log:
            return (np.log(values) - np.log(self.low)) / (np.log(self.high) - np.log(self.low))
        # halves, since the range of two large numbers of opposite sign may be too large for a float
        return (values / 2 - self.low / 2) / (self.high / 2 - self.low / 2)


@dataclass(frozen=True)
class Stops:
    """Where a bound can stand.

    Args:
        values: float64 `[s]`, increasing, at most 281; the first and the last are the lowest and highest value.
        at_least: int64 `[s]`, rows with that value or more.
        over: int64 `[s]`, rows with more than it.
    """

    values: np.ndarray
    at_least: np.ndarray
    over: np.ndarray


def axis_of(ordered: np.ndarray) -> Axis:
    """The axis for sorted finite values: logarithmic for heavy tails, one bar a value for few whole numbers. O(m).

    Args:
        ordered: float64 `[m]`, m > 0.
    """
    low, high = float(ordered[0]), float(ordered[-1])
    if np.array_equal(ordered, np.round(ordered)) and high - low < BARS:
        return Axis(low - 0.5, high + 0.5, False, int(high - low) + 1)
    if low == high:
        reach = max(abs(low), 1.0) / 2
        return Axis(low - reach, high + reach, False, 1)
    q01, q05, q50, q95, q99 = (float(v) for v in np.quantile(ordered, [0.01, 0.05, 0.5, 0.95, 0.99]))
    if low > 0 and q99 > LOG_FROM * q50:
        logs = np.log([q05, q50, q95])
        if abs(_skew(*logs)) < abs(_skew(q05, q50, q95)):
            return Axis(low, high, True, BARS)
    reach = max(q99 - q01, 0.0)
    first, last = max(low, q01 - reach), min(high, q99 + reach)
    # almost all rows equal: the percentiles say nothing, so the whole range is shown
    return Axis(first, last, False, BARS) if last > first else Axis(low, high, False, BARS)


def _skew(a: float, b: float, c: float) -> float:
    """Bowley's skewness of three quantiles, −1 to 1."""
    return float(((c - b) - (b - a)) / (c - a)) if c > a else 0.0


def bars_of(ordered: np.ndarray, axis: Axis) -> np.ndarray:
    """Rows in each bar, int64 `[bars]`; those beyond the axis are in its outermost bars, so all m are there. O(m)."""
    where = np.minimum((axis.place(ordered) * axis.bars).astype(np.int64), axis.bars - 1)
    return np.bincount(where, minlength=axis.bars)


def stops_of(ordered: np.ndarray, axis: Axis) -> Stops:
    """All values where they are few; else values at even shares of the rows and at even places of the axis.

    O(m) to see whether they are few.

    Args:
        ordered: float64 `[m]`, finite, ascending.
        axis: From `axis_of`.
    """
    m = len(ordered)
    changes = np.flatnonzero(ordered[1:] != ordered[:-1])
    if len(changes) < MOST_STOPS:
        values = ordered[np.concatenate([[0], changes + 1])]
    else:
        ranks = np.round(np.linspace(0, m - 1, BY_RANK)).astype(np.int64)
        steps = np.linspace(0, 1, MOST_STOPS - BY_RANK)
        low, high = (np.log([axis.low, axis.high]) if axis.log else np.array([axis.low, axis.high])).tolist()
        wide = low * (1 - steps) + high * steps
        wide = np.exp(wide) if axis.log else wide
        next_up = np.minimum(np.searchsorted(ordered, wide), m - 1)  # a value that some row has
        values = np.unique(np.concatenate([ordered[ranks], ordered[next_up]]))
    at_least = m - np.searchsorted(ordered, values, side="left")
    over = m - np.searchsorted(ordered, values, side="right")
    return Stops(values, at_least.astype(np.int64), over.astype(np.int64))


def kept(ordered: np.ndarray, low: float | None, high: float | None) -> int:
    """Rows from `low` to `high`, both inclusive, None = no bound. O(log m)."""
    first = 0 if low is None else int(np.searchsorted(ordered, low, side="left"))
    last = len(ordered) if high is None else int(np.searchsorted(ordered, high, side="right"))
    return max(0, last - first)
