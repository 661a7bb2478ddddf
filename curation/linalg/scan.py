"""Compiled passes over blocks of upper bounds of the cosine: which pairs deserve to be measured, and measuring them.

Nearly every bound lies below the limit, so columns are first looked through in chunks, many at once; only a chunk with
a hit is gone through one by one. Compiled by numba at the first call on a machine and kept on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

log = logging.getLogger(__name__)

TOLERANCE = 1e-11
"""Relative difference within which two squared distances summed in another order may be the same number."""

MOST_TIES = 8
"""Columns kept for a row that are equally near within the tolerance."""

CHUNK = 128


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return nb.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(nogil=True, **options)(function)


def _squared(points: np.ndarray, row: int, other: int) -> float:
    total = 0.0
    for t in range(points.shape[1]):
        difference = np.float64(points[row, t]) - np.float64(points[other, t])
        total += difference * difference
    return total


# lanes may be added in any order: what is decided by less than TOLERANCE is decided elsewhere
_squared_distance = _compiled(_squared, fastmath={"reassoc", "contract"})


def _any(scores: np.ndarray, limit: float) -> bool:
    found = False
    for column in range(len(scores)):  # without a way out, so that it is done many at once
        found |= scores[column] >= limit
    return found


_any_at_least = _compiled(_any)


def _improve(
    scores: np.ndarray,
    start: int,
    left: int,
    points: np.ndarray,
    slack: float,
    squared: np.ndarray,
    ties: np.ndarray,
    count: np.ndarray,
) -> int:
    measured = 0
    for at in range(scores.shape[0]):
        row = start + at
        width = min(scores.shape[1], row - left)
        limit = np.float32(1 - squared[row] / 2 - slack)
        for begin in range(0, width, CHUNK):
            end = min(begin + CHUNK, width)
            if not _any_at_least(scores[at, begin:end], limit):
                continue
            for column in range(begin, end):
                if scores[at, column] < limit:
                    continue
                distance = _squared_distance(points, row, left + column)
                measured += 1
                if distance < squared[row]:
                    if distance < squared[row] * (1 - 3 * TOLERANCE):
                        count[row] = 0
                    squared[row] = distance
                    limit = np.float32(1 - distance / 2 - slack)
                if distance <= squared[row] * (1 + TOLERANCE):
                    if count[row] < MOST_TIES:
                        ties[row, count[row]] = left + column
                    count[row] += 1
    return measured


improve = _compiled(_improve)
"""Measures the columns of a block that may be nearer than the nearest so far, in place, for columns before the row.

`improve(scores, start, left, points, slack, squared, ties, count) -> pairs measured`

Args:
    scores: float32 `[b, c]`, C-contiguous: `scores + slack` are upper bounds of the cosine.
    start: Row number of the block's first row.
    left: Row number of its first column.
    points: Unit rows float32 `[n, d]`.
    slack: See scores.
    squared: float64 `[n]`: least squared distance so far, inf where there is none.
    ties: int32 `[n, MOST_TIES]`: columns that may be at that distance.
    count: int32 `[n]`: how many there are; beyond MOST_TIES they are only counted.
"""


def _collect(
    scores: np.ndarray,
    begin_at: int,
    start: int,
    left: int,
    points: np.ndarray,
    limit: np.float32,
    most_squared: float,
    pairs: np.ndarray,
) -> tuple[int, int]:
    found = 0
    for at in range(begin_at, scores.shape[0]):
        row = start + at
        width = min(scores.shape[1], row - left)
        if found + max(width, 0) > len(pairs):
            return found, at
        for begin in range(0, width, CHUNK):
            end = min(begin + CHUNK, width)
            if not _any_at_least(scores[at, begin:end], limit):
                continue
            for column in range(begin, end):
                if scores[at, column] >= limit and _squared_distance(points, row, left + column) <= most_squared:
                    pairs[found, 0] = row
                    pairs[found, 1] = left + column
                    found += 1
    return found, scores.shape[0]


collect = _compiled(_collect)
"""Finds the pairs of a block that may be near enough, for columns before the row.

`collect(scores, begin_at, start, left, points, limit, most_squared, pairs) -> (found, next begin_at)`

Args:
    scores: float32 `[b, c]`, C-contiguous.
    begin_at: Row of the block to begin with.
    start: Row number of the block's first row.
    left: Row number of its first column.
    points: Unit rows float32 `[n, d]`.
    limit: float32: a pair with a lower score is never near enough.
    most_squared: A pair with a larger squared distance is not.
    pairs: int64 `[m, 2]`, m not below the width of a block; filled with row and column numbers. When there is no more
        room, the row of the block to go on with is returned.
"""


def _greedy(begins: np.ndarray, others: np.ndarray, similarity: np.ndarray, limit: float, by: np.ndarray) -> None:
    for row in range(len(by)):
        best = limit
        for at in range(begins[row], begins[row + 1]):
            if similarity[at] > best and by[others[at]] < 0:
                best = similarity[at]
                by[row] = others[at]


greedy_blocks = _compiled(_greedy)
"""Goes through the rows in order; one is blocked by the most similar kept row before it, the first of equals.

`greedy_blocks(begins, others, similarity, limit, by)`

Args:
    begins: int64 `[n + 1]`: where the pairs of each row begin.
    others: int64 `[m]`: the earlier row of each pair, increasing for each row.
    similarity: float64 `[m]`.
    limit: Only a pair above it blocks.
    by: int64 `[n]`, -1 everywhere; filled with the row that blocks, -1 = kept.
"""


def _hashes(words: np.ndarray) -> np.ndarray:
    found = np.empty(len(words), np.uint64)
    for row in nb.prange(len(words)):
        value = np.uint64(14695981039346656037)
        for t in range(words.shape[1]):
            word = words[row, t]
            if word == np.uint32(0x80000000):  # -0.0, which equals 0.0
                word = np.uint32(0)
            value = (value ^ np.uint64(word)) * np.uint64(1099511628211)
            value ^= value >> np.uint64(29)
        found[row] = value
    return found


row_hashes = _compiled(_hashes, parallel=True)
"""A hash of every row's numbers, uint64 `[n]`, of their bits uint32 `[n, d]`; equal rows have equal hashes."""
