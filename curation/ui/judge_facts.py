"""Numbers of the Judge page: what a threshold keeps of every category, and how sure a share from a few rows is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
"""Of the intervals on this page."""
FAR_BELOW = 0.8
"""A category is pointed out when less than this part of the overall share is kept of it, and chance is no excuse."""
SURE = 0.99
"""Level of the interval that must lie below the overall share before a category is pointed out."""


def exact_interval(hits: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of Clopper and Pearson (1934) for a share: it holds the true share at least this often.

    Args:
        hits: Rows that count.
        of: Rows looked at, all drawn at random.
        level: How often.

    Returns:
        Lowest and highest share; 0 and 1 where nothing was looked at.
    """
    from scipy.stats import beta

    if not of:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(1 - tail, hits + 1, of - hits))
    return low, high


@dataclass(frozen=True)
class Retention:
    """What a threshold keeps of every category.

    Args:
        names: `[g]`, categories with rows, largest first.
        scored: int64 `[g]`, rows with a score.
        kept: int64 `[g]`, those that are kept.
        missing: int64 `[g]`, rows without a score: never kept.
        low: bool `[g]`, far fewer are kept than overall, and more so than chance explains.
        overall: Share of all rows with a score that is kept, NaN without any.
    """

    names: tuple[str, ...]
    scored: np.ndarray
    kept: np.ndarray
    missing: np.ndarray
    low: np.ndarray
    overall: float

    @property
    def share(self) -> np.ndarray:
        """Kept of scored, NaN where no row has a score."""
        return np.where(self.scored > 0, self.kept / np.maximum(self.scored, 1), np.nan)


def retention(
    codes: np.ndarray, names: Sequence[str], values: np.ndarray, keeps: np.ndarray, unnamed: str = "none of these"
) -> Retention:
    """Count kept rows by category. O(n).

    Args:
        codes: int `[n]`, category of each row, negative = none.
        names: `[g]`.
        values: float `[n]`, NaN = no score.
        keeps: bool `[n]`.
        unnamed: What rows of no category are called; they get a line of their own where there are any.
    """
    codes = np.where(np.asarray(codes) < 0, len(names), codes)
    present = np.isfinite(values)
    size = len(names) + 1
    rows, scored, kept = (np.bincount(codes[m], minlength=size) for m in (slice(None), present, present & keeps))
    order = [i for i in np.argsort(-rows, kind="stable") if rows[i]]
    found = [*names, unnamed]
    overall = float(kept.sum() / scored.sum()) if scored.sum() else float("nan")
    low = np.zeros(len(order), bool)
    for place, i in enumerate(order):
        if scored[i] and kept[i] / scored[i] < FAR_BELOW * overall:
            low[place] = exact_interval(int(kept[i]), int(scored[i]), SURE)[1] < overall
    return Retention(tuple(found[i] for i in order), scored[order], kept[order], (rows - scored)[order], low, overall)


def random_rows(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many of some rows in random order, without repetition; the same for the same seed. int64."""
    rows = np.asarray(rows, np.int64)
    return np.random.default_rng(seed).permutation(rows)[:count]
