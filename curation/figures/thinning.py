"""Fewer points for a line than there are values, so that it looks the same."""

from __future__ import annotations

import numpy as np

MOST = 4_000
"""Points of one line: four a pixel on a wide screen."""


def even(n: int, most: int = MOST) -> np.ndarray:
    """At most `most` of n places, evenly spread, the first and the last among them; int64, sorted. For smooth lines.

    Args:
        n: ≥ 0.
        most: ≥ 2.
    """
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).astype(np.int64))


def extremes(values: np.ndarray, most: int = MOST) -> np.ndarray:
    """Places of the lowest and the highest value of every stretch, so that no peak is lost; int64, sorted.

    Args:
        values: float `[n]`, finite.
        most: Places at most, ≥ 4. First and last are always among them.
    """
    n = len(values)
    if n <= most:
        return np.arange(n)
    edges = np.linspace(0, n, most // 2).astype(np.int64)[:-1]  # most // 2 − 1 stretches leave two places for the ends
    stretch = np.repeat(np.arange(len(edges)), np.diff(edges, append=n))
    by_value = np.lexsort((values, stretch))  # within each stretch from low to high
    last = np.append(edges[1:], n) - 1
    return np.unique(np.concatenate([[0, n - 1], by_value[edges], by_value[last]]))
