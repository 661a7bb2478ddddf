"""What selectors share: putting a Selection together, sorting by score, sharing a budget out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask

NOT_ELIGIBLE = "not eligible"

End = Literal["best", "highest", "lowest"]
"""Which end of a score comes first; best is what the score itself says is better."""


def selection(
    pool: Dataset,
    ask: Ask,
    order: np.ndarray,
    *,
    stages: Sequence[str],
    codes: np.ndarray | None = None,
    margin: np.ndarray | None = None,
    **more: Any,
) -> Selection:
    """A Selection with a reason for every row that is out.

    Args:
        pool: The rows.
        ask: Which rows were eligible.
        order: int64 `[m]`, the picks.
        stages: Why eligible rows are out.
        codes: int `[n]`, 1 + the index into `stages`; by default 1 everywhere. Only those of eligible rows that are out
            are read.
        margin: float64 `[n]`; only that of eligible rows that are out is read.
        **more: Further fields of the Selection.
    """
    n = len(pool)
    out = np.zeros(n, bool)
    out[ask.eligible] = True
    stages = tuple(stages)
    if len(ask.eligible) < n:
        stages = (*stages, NOT_ELIGIBLE)
    stage = np.full(n, len(stages), np.int16)
    stage[out] = 1 if codes is None else codes[out]
    order = np.asarray(order, np.int64)
    stage[order], out[order] = 0, False
    apart = np.full(n, np.nan)
    if margin is not None:
        apart[out] = margin[out]
    return Selection(pool.fingerprint, n, order, stage=stage, stages=stages, margin=apart, **more)


def cut(
    pool: Dataset,
    ask: Ask,
    order: np.ndarray,
    *,
    gains: np.ndarray | None = None,
    stages: Sequence[str] = (),
    codes: np.ndarray | None = None,
    margin: np.ndarray | None = None,
    short_reason: str = "",
    **more: Any,
) -> Selection:
    """The first `ask.count` of an order that goes on; the rest of it is "beyond the budget", by so many picks.

    Args:
        pool: The rows.
        ask: Which rows were eligible, and how many to pick.
        order: int64 `[m]`, as long as the order goes.
        gains: float64 `[m]`.
        stages: Why eligible rows that are not in `order` are out.
        codes: int `[n]`, 1 + the index into `stages`, for those rows.
        margin: float64 `[n]` for those rows.
        short_reason: Why the order ends, where it is shorter than the budget.
        **more: Further fields of the Selection.
    """
    whole = selection(
        pool,
        ask,
        order,
        stages=stages,
        codes=codes,
        margin=margin,
        gains=np.empty(0) if gains is None else np.asarray(gains, np.float64),
        nested=True,
        **more,
    )
    short_by = max(0, min(ask.count, len(ask.eligible)) - len(order))
    if short_by:
        return dataclasses.replace(whole, short_by=short_by, short_reason=short_reason)
    return whole.prefix(ask.count)


def numbers(score: Score, column: str | None) -> np.ndarray:
    """The score itself, or one of its columns, float64 `[n]`; NaN where it is missing or not finite.

    Raises:
        CurationError: if there is no such column, or it does not hold one number per row.
    """
    if column is None:
        values = np.array(score.values, np.float64)
    else:
        if column not in score.columns:
            known = ", ".join(score.columns) or "none"
            raise CurationError(f"the score '{score.name}' has no column '{column}'", f"columns: {known}")
        found = np.asarray(score.columns[column])
        if found.ndim != 1 or found.dtype.kind not in "fiub":
            raise CurationError(f"the column '{column}' does not hold one number per row", "use another column")
        values = np.where(score.missing.mask, np.nan, found.astype(np.float64))
    values[~np.isfinite(values)] = np.nan
    return values


def highest_first(score: Score, end: End) -> bool:
    """True when the highest value comes first.

    Raises:
        CurationError: if `end` is "best" and the score does not say which end is better.
    """
    if end != "best":
        return end == "highest"
    if score.higher_is_better is None:
        raise CurationError(
            f"the score '{score.name}' does not say whether high or low is better",
            "choose keep: highest or keep: lowest",
        )
    return score.higher_is_better


def sorted_rows(rows: np.ndarray, values: np.ndarray, *, highest: bool) -> np.ndarray:
    """Rows by value, equal values by the lowest row.

    Args:
        rows: int64, increasing.
        values: float64 `[n]`, finite at `rows`.
        highest: True to begin with the highest value.
    """
    keys = values[rows]
    return rows[np.argsort(-keys if highest else keys, kind="stable")]


def largest_remainder(sizes: np.ndarray, total: int) -> np.ndarray:
    """Shares `total` out in proportion to `sizes`: rounded down, then one each by the largest remainder.

    Exact integer arithmetic; equal remainders go to the lowest index. No share exceeds its size while `total` ≤ Σ
    sizes.

    Args:
        sizes: int `[g]`, ≥ 0, with a sum above 0.
        total: 0 to Σ sizes.

    Returns:
        int64 `[g]` with the sum `total`.
    """
    sizes = np.asarray(sizes, np.int64)
    product, whole = sizes * total, int(sizes.sum())
    shares = product // whole
    left = total - int(shares.sum())
    shares[np.argsort(-(product % whole), kind="stable")[:left]] += 1
    return shares
