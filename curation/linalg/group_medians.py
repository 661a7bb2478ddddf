"""Medians of many groups at once."""

from __future__ import annotations

import numpy as np


def group_medians(values: np.ndarray, codes: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Median of each group, and how many rows it is the median of. One sort: O(n log n).

    Args:
        values: float `[n]`; rows that are not finite are left out.
        codes: int `[n]`, group of each row, -1 = none.
        groups: Number of groups, g.

    Returns:
        float64 `[g]`, NaN for a group without values, and int64 `[g]`.
    """
    values, codes = np.asarray(values, np.float64), np.asarray(codes)
    rows = np.flatnonzero((codes >= 0) & np.isfinite(values))
    by_value = rows[np.argsort(values[rows])]
    # sorting small whole numbers takes numpy O(n), so that a group's rows stay in order of value at little cost
    narrow = codes[by_value].astype(np.int16 if groups < 2**15 else np.int32)
    order = by_value[np.argsort(narrow, kind="stable")]
    counts = np.bincount(codes[order], minlength=groups).astype(np.int64)
    ends = np.cumsum(counts)
    begins = ends - counts
    out = np.full(groups, np.nan)
    some = counts > 0
    ordered = values[order]
    low, high = ordered[(begins + (counts - 1) // 2)[some]], ordered[(begins + counts // 2)[some]]
    out[some] = low / 2 + high / 2
    return out, counts
