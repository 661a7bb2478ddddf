"""Sets of rows as short text, `3,7,10-20`, and a digest that tells whether they are still the same rows."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from curation.core.dataset import Dataset

MOST_ROWS = 100_000_000
"""Rows that one text may name: a few letters must not fill the memory."""
_DIGITS = 18  # what surely fits into 64 bits


def parse_rows(text: str) -> np.ndarray:
    """Row numbers from text such as `3, 10-20, 7`: int64, each once, in the order of the text. Ends are included.

    Raises:
        ValueError: naming the part that is not understood.
    """
    rows = _expand(*parse_ranges(text))
    if (np.diff(rows) > 0).all():
        return rows
    return rows[np.sort(np.unique(rows, return_index=True)[1])]


def parse_ranges(text: str) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of every part of such a text, int64 `[parts]`, as they stand there.

    Raises:
        ValueError: naming the part that is not understood.
    """
    starts, ends = [], []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        a, b = _number(first), _number(last) if dash else _number(first)
        if a is None or b is None or b < a:
            raise ValueError(f"'{part.strip()[:40]}' is neither a row number nor a range like 10-20")
        starts.append(a)
        ends.append(b)
    found = np.array(starts, np.int64), np.array(ends, np.int64)
    if float((found[1] - found[0] + 1).astype(np.float64).sum()) > MOST_ROWS:
        raise ValueError(f"more than {MOST_ROWS:,} rows are named")
    return found


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else None


def _expand(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    lengths = ends - starts + 1
    begins = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - begins, lengths)


@lru_cache(8)
def rows_in(text: str) -> np.ndarray:
    """As `parse_rows`, but an empty text names no row. Read-only; the last few texts are remembered."""
    rows = parse_rows(text) if text.strip() else np.empty(0, np.int64)
    rows.flags.writeable = False
    return rows


def as_set(rows: np.ndarray) -> np.ndarray:
    """Rows in ascending order, each once, int64. Sorting is several times faster than numpy's `unique`."""
    rows = np.asarray(rows, np.int64)
    if (np.diff(rows) > 0).all():
        return rows
    rows = np.sort(rows)
    return rows[np.diff(rows, prepend=rows[0] - 1) > 0]


def ranges_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last row of every run of a set of rows, int64, ascending."""
    rows = as_set(rows)
    edges = np.flatnonzero(np.diff(rows) > 1)
    first, last = (np.zeros(1, np.int64), np.array([len(rows) - 1])) if len(rows) else (np.empty(0, np.int64),) * 2
    return rows[np.concatenate([first, edges + 1])], rows[np.concatenate([edges, last])]


def format_rows(rows: np.ndarray) -> str:
    """The shortest text for a set of rows, in ascending order: `3,7,10-20`."""
    starts, ends = ranges_of(rows)
    return ",".join(f"{a}-{b}" if b > a else str(a) for a, b in zip(starts.tolist(), ends.tolist(), strict=True))


def rows_digest(pool: Dataset, rows: np.ndarray) -> str:
    """Hex digest of the ids of a set of rows, whatever order they are named in; O(rows).

    Args:
        pool: Whose rows; all must exist.
        rows: Their indices.
    """
    rows = as_set(rows)
    ids = np.empty(len(rows), [("content", "S16"), ("copy", "<i4")])
    if 4 * len(rows) > len(pool):  # whole columns are read faster than many single rows
        ids["content"], ids["copy"] = pool.contents[rows], pool.column("copy").to_numpy()[rows]
    else:
        part = pool.take(rows)
        ids["content"], ids["copy"] = part.contents, part.column("copy").to_numpy()
    return hashlib.blake2b(ids.tobytes(), digest_size=16).hexdigest()
