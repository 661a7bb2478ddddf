"""What chosen rows do for a target, as numbers: picks at every budget, subtasks, target examples, what they favour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

FAR = 3.0
"""Standard errors of a random draw beyond which a share is no chance."""


def picks_in_order(values: np.ndarray, without: np.ndarray | None = None) -> np.ndarray:
    """Rows by influence, the highest first, ties by row: the picks of every budget are its beginning. O(n log n).

    Args:
        values: float `[n]`; rows with NaN are never picked.
        without: bool `[n]`, rows that are left out.

    Returns:
        int64 `[m]`.
    """
    values = np.asarray(values, np.float64)
    usable = np.isfinite(values)
    if without is not None:
        usable &= ~without
    rows = np.flatnonzero(usable)
    return rows[np.argsort(-values[rows], kind="stable")]


def subtask_lines(
    codes: np.ndarray, values: np.ndarray, names: Sequence[str], chosen: np.ndarray
) -> list[dict[str, Any]]:
    """One line a subtask, most chosen rows first.

    Args:
        codes: int `[n]`, the subtask that each row serves best.
        values: float `[n]`, influence on it; NaN = none.
        names: Of the subtasks.
        chosen: int64 `[k]`.
    """
    codes, values = np.asarray(codes), np.asarray(values, np.float64)
    scored = np.flatnonzero(np.isfinite(values) & (codes >= 0))
    chosen = chosen[codes[chosen] >= 0]
    count = len(names)
    there = np.bincount(codes[scored], minlength=count)
    kept = np.bincount(codes[chosen], minlength=count)
    of_all = np.bincount(codes[scored], values[scored], minlength=count)
    of_kept = np.bincount(codes[chosen], values[chosen], minlength=count)
    lines = [
        {
            "subtask": names[j],
            "chosen": int(kept[j]),
            "mean influence": float(of_kept[j] / kept[j]) if kept[j] else None,
            "rows it suits best": int(there[j]),
            "their mean": float(of_all[j] / there[j]) if there[j] else None,
        }
        for j in range(count)
    ]
    return sorted(lines, key=lambda line: -line["chosen"])


@dataclass(frozen=True)
class Served:
    """Target examples that chosen rows serve, those with most rows first.

    Args:
        targets: int64 `[t]`, rows of the target's dataset.
        counts: int64 `[t]`, chosen rows that are most like it.
        means: float64 `[t]`, their mean likeness.
        best: int64 `[t]`, the chosen row that is most like it.
    """

    targets: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    best: np.ndarray


def served(targets: np.ndarray, likeness: np.ndarray, chosen: np.ndarray) -> Served:
    """Group chosen rows by the target example that they are most like. O(k log k).

    Args:
        targets: int64 `[n]`, the example of each row, negative = none.
        likeness: float `[n]`, influence on that example alone.
        chosen: int64 `[k]`.
    """
    mine = chosen[np.asarray(targets)[chosen] >= 0]
    aims, alike = np.asarray(targets)[mine], np.asarray(likeness, np.float64)[mine]
    order = np.lexsort((mine, -alike, aims))
    heads, at, counts = np.unique(aims[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(alike[order], at) if len(at) else np.zeros(0)
    best = mine[order][at]
    means = sums / np.maximum(counts, 1)
    down = np.lexsort((heads, -counts))
    return Served(heads[down], counts[down], means[down], best[down])


def strongest(targets: np.ndarray, likeness: np.ndarray, chosen: np.ndarray, target: int) -> np.ndarray:
    """The chosen rows that are most like a target example, the likest first."""
    mine = chosen[np.asarray(targets)[chosen] == target]
    return mine[np.lexsort((mine, -np.asarray(likeness, np.float64)[mine]))]


@dataclass(frozen=True)
class Shares:
    """Categories among chosen rows beside a random draw of as many, in the order of the names.

    Args:
        names: `[g]`.
        pool: int64 `[g]`, rows that could be chosen.
        chosen: int64 `[g]`.
        far: int8 `[g]`: 1 = more than chance explains, −1 = fewer, 0 = neither.
    """

    names: tuple[str, ...]
    pool: np.ndarray
    chosen: np.ndarray
    far: np.ndarray


def shares_of(codes: np.ndarray, names: Sequence[str], order: np.ndarray, count: int) -> Shares:
    """Shares of categories among the first picks; rows without a category do not count.

    Args:
        codes: int `[n]`, −1 = none.
        names: `[g]`.
        order: int64 `[m]`, all rows that could be picked, in order.
        count: Picks.
    """
    known = np.asarray(codes)[order]
    first, known = known[:count], known[known >= 0]
    first = first[first >= 0]
    pool = np.bincount(known, minlength=len(names))
    chosen = np.bincount(first, minlength=len(names))
    total, k = max(len(known), 1), len(first)
    share = pool / total
    # of a draw without replacement
    error = np.sqrt(k * share * (1 - share) * max(total - k, 0) / max(total - 1, 1))
    off = chosen - k * share
    far = np.where(np.abs(off) > FAR * np.maximum(error, 1e-12), np.sign(off), 0).astype(np.int8)
    return Shares(tuple(names), pool, chosen, np.where(error > 0, far, 0).astype(np.int8))
