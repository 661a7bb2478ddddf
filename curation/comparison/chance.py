"""What random draws without replacement would give: the hypergeometric distribution."""

from __future__ import annotations

import numpy as np

LEVEL = 0.95
"""Of all intervals here: 2.5 % of the draws lie below, 2.5 % above."""
KOLMOGOROV_95 = 1.3581
"""95 % quantile of the Kolmogorov distribution."""


def expected_overlap(population: int, marked: int, draws: int) -> float:
    """Marked rows among `draws` random rows, on average."""
    return marked * draws / population if population else 0.0


def hypergeometric_interval(population: int, marked: int, draws: int, level: float = LEVEL) -> tuple[int, int]:
    """How many marked rows a random draw without replacement holds, as a central interval.

    The probabilities are summed exactly, but for those further than 12 deviations from the mean (below 1e-30).

    Args:
        population: Rows to draw from.
        marked: Of these, rows that count.
        draws: Rows drawn.
        level: Share of draws inside, 0 to 1.

    Returns:
        The smallest k with P(X ≤ k) ≥ (1 − level)/2, and the smallest with P(X ≤ k) ≥ (1 + level)/2.
    """
    from scipy.special import gammaln

    least, most = max(0, marked + draws - population), min(marked, draws)
    if least >= most:
        return least, least
    mean = expected_overlap(population, marked, draws)
    spread = np.sqrt(mean * (1 - marked / population) * (population - draws) / max(population - 1, 1))
    low, high = max(least, int(mean - 12 * spread) - 20), min(most, int(mean + 12 * spread) + 20)
    k = np.arange(low, high + 1, dtype=np.float64)

    def log_choose(n: float, of: np.ndarray) -> np.ndarray:
        return np.asarray(gammaln(n + 1) - gammaln(of + 1) - gammaln(n - of + 1))

    logs = log_choose(marked, k) + log_choose(population - marked, draws - k)
    parts = np.exp(logs - logs.max())
    below = np.cumsum(parts) / parts.sum()
    ends = np.searchsorted(below, [(1 - level) / 2, (1 + level) / 2], side="left")
    first, last = np.minimum(ends, len(k) - 1)
    return low + int(first), low + int(last)


def ks_limit(size: int, population: int) -> float:
    """Kolmogorov–Smirnov distance between a random draw and the pool it is from that 95 % of the draws stay below.

    The asymptotic limit with the correction for draws without replacement; cautious where many values are equal.

    Args:
        size: Rows drawn, ≥ 0.
        population: Rows of the pool.

    Returns:
        0 for the whole pool; NaN for no rows.
    """
    if size <= 0 or population <= 0:
        return float("nan")
    return KOLMOGOROV_95 * float(np.sqrt(max(population - size, 0) / (size * population)))
