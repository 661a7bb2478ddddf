"""Spearman's rank correlation: of two columns, of many at once, and the order that puts like beside like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SAMPLE = 200_000
"""Above so many rows a table of correlations is worked out on this many, drawn once with a fixed seed."""
CHUNK = 65_536


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, ties get their mean; float64 `[n]`. O(n log n)."""
    order = np.argsort(values, kind="stable")
    out = np.empty(len(values))
    out[order] = _ranks_in_order(np.asarray(values)[order])
    return out


def _ranks_in_order(ordered: np.ndarray) -> np.ndarray:
    """Ranks of values that are sorted already. O(n)."""
    if not len(ordered):
        return np.empty(0)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(ordered)))
    return np.repeat(starts + (counts - 1) / 2, counts)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of the rows where both are finite, NaN when one of them does not vary."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 2:
        return float("nan")
    return _pearson(ranks(np.asarray(a)[both]), ranks(np.asarray(b)[both]))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else float("nan")


@lru_cache(4)
def sample_rows(n: int, most: int = SAMPLE, seed: int = 0) -> np.ndarray | None:
    """The rows that stand for `n`: sorted int64 `[most]`, the same for every call; None when all are taken."""
    if n <= most:
        return None
    rows = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    rows.flags.writeable = False  # the same array is given to every caller
    return rows


@dataclass(frozen=True)
class Ranked:
    """A column made ready for `correlations`; worth keeping, since sorting is most of the work.

    Args:
        order: int32 `[m]`, its finite rows by value.
        ordered: float64 `[m]`, their values.
        present: bool `[n]`, which rows are finite.
        standard: float32 `[n]`, ranks with mean 0 and length 1, 0 where missing; all 0 when the column does not vary.
    """

    order: np.ndarray
    ordered: np.ndarray
    present: np.ndarray
    standard: np.ndarray


def ranked(values: np.ndarray) -> Ranked:
    """Sort one column, float `[n]`; rows that are not finite are missing. O(n log n)."""
    values = np.asarray(values, np.float64)
    present = np.isfinite(values)
    rows = np.flatnonzero(present)
    order = rows[np.argsort(values[rows], kind="stable")].astype(np.int32)
    ordered = values[order]
    own = _ranks_in_order(ordered)
    own -= own.mean() if len(own) else 0.0
    scale = np.sqrt(own @ own)
    standard = np.zeros(len(values), np.float32)
    if scale > 0:
        standard[order] = own / scale
    return Ranked(order, ordered, present, standard)


@dataclass(frozen=True)
class Correlations:
    """Spearman's ρ of every pair of columns.

    Args:
        rho: float64 `[k, k]`, symmetric, 1 on the diagonal; NaN where a column does not vary on the shared rows.
        rows: int64 `[k, k]`, rows that both have.
        of: Rows of the whole; more than the columns hold when they are a sample.
    """

    rho: np.ndarray
    rows: np.ndarray
    of: int

    def error(self, i: int, j: int) -> float:
        """Standard error of ρ as an estimate for all rows: 0 when every row was read, NaN below four rows.

        (1 − ρ²) √((1 + ρ²/2) / (m − 3)), after Bonett and Wright (2000, Psychometrika 65).
        """
        if len(self.rho) == 0 or self._read() >= self.of:
            return 0.0
        rho, m = self.rho[i, j], self.rows[i, j]
        return float((1 - rho**2) * np.sqrt((1 + rho**2 / 2) / (m - 3))) if m > 3 else float("nan")

    def worst_error(self) -> float:
        """The largest standard error of any pair; 0 when every row was read."""
        k = len(self.rho)
        found = [self.error(i, j) for i in range(k) for j in range(i)]
        finite = [e for e in found if np.isfinite(e)]
        return max(finite, default=0.0)

    def _read(self) -> int:
        return int(self.rows.max()) if self.rows.size else 0


def correlations(columns: Sequence[Ranked], of: int | None = None) -> Correlations:
    """All pairs at once, each over the rows that both have; exact on the columns given.

    Columns that are missing in the same rows share one matrix product. Other pairs are ranked anew on their shared
    rows, which takes no sorting: O(n) a pair.

    Args:
        columns: k of equal length n.
        of: Rows of the whole when the columns are a sample of it; n otherwise.
    """
    k = len(columns)
    rho, rows = np.eye(k), np.zeros((k, k), np.int64)
    groups: dict[bytes, list[int]] = {}
    for i, column in enumerate(columns):
        groups.setdefault(np.packbits(column.present).tobytes(), []).append(i)
    for group in groups.values():
        rows[np.ix_(group, group)] = len(columns[group[0]].order)
        rho[np.ix_(group, group)] = _product([columns[i].standard for i in group])
    place = {i: g for g, group in enumerate(groups.values()) for i in group}
    for i in range(k):
        for j in range(i):
            if place[i] != place[j]:
                rho[i, j] = rho[j, i] = _on_shared_rows(columns[i], columns[j])
                rows[i, j] = rows[j, i] = int((columns[i].present & columns[j].present).sum())
    flat = np.array([not c.standard.any() for c in columns], bool)
    rho[flat, :] = rho[:, flat] = np.nan
    varies = ~flat
    rho[varies, varies] = 1.0
    n = len(columns[0].present) if columns else 0
    return Correlations(np.clip(rho, -1, 1), rows, n if of is None else of)


def _product(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Products of all pairs, added up in float64 chunk by chunk."""
    k, n = len(columns), len(columns[0])
    total = np.zeros((k, k))
    for begin in range(0, n, CHUNK):
        block = np.stack([c[begin : begin + CHUNK] for c in columns]).astype(np.float64)
        total += block @ block.T
    return total


def _on_shared_rows(a: Ranked, b: Ranked) -> float:
    shared = a.present & b.present
    if shared.sum() < 2:
        return float("nan")
    found = []
    for column in (a, b):
        keep = shared[column.order]
        out = np.empty(len(shared))
        out[column.order[keep]] = _ranks_in_order(column.ordered[keep])
        found.append(out[shared])
    return _pearson(found[0], found[1])


def cluster_order(rho: np.ndarray) -> np.ndarray:
    """Order of columns by average linkage on 1 − |ρ|, so that those which say the same stand together; int64 `[k]`.

    A pair without a correlation counts as unrelated. O(k²).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(rho) < 3:
        return np.arange(len(rho))
    apart = np.nan_to_num(1 - np.abs(rho), nan=1.0)
    apart = np.clip((apart + apart.T) / 2, 0, None)
    np.fill_diagonal(apart, 0)
    return np.asarray(leaves_list(linkage(squareform(apart, checks=False), "average")), np.int64)
