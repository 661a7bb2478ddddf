"""Compiled passes over blocks of upper bounds of the cosine: which pairs deserve to be measured, and measuring them.

Nearly every bound lies below the limit, so a row of a block is first counted through, which runs at the speed of
memory; only a row with a hit is looked at again. Compiled by numba at the first call on a machine and kept on disk.
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


_squared_distance = _compiled(_squared, fastmath={"reassoc", "contract"}, inline="never")


def _improve(
    scores: np.ndarray,
    start: int,
    left: int,
    points: np.ndarray,
    slack: float,
    squared: np.ndarray,
    ties: np.ndarray,
    count: np.ndarray,
) -> None:
    for at in nb.prange(len(scores)):
        row = start + at
        width = min(scores.shape[1], row - left)
        limit = np.float32(1 - squared[row] / 2 - slack)
        hits = 0
        for column in range(width):
            hits += scores[at, column] >= limit
        if hits > 0:
            for column in range(width):
                if scores[at, column] >= limit:
                    distance = _squared_distance(points, row, left + column)
                    if distance < squared[row] * (1 - TOLERANCE):
                        squared[row] = distance
                        count[row] = 0
                        limit = np.float32(1 - distance / 2 - slack)
                    if distance <= squared[row] * (1 + TOLERANCE):
                        if count[row] < MOST_TIES:
                            ties[row, count[row]] = left + column
                        count[row] += 1


improve = _compiled(_improve, parallel=True)
"""Measures the columns of a block that may be nearer than the nearest so far, in place, for columns before the row.

`improve(scores, start, left, points, slack, squared, ties, count)`

Args:
    scores: float32 `[b, c]`, C-contiguous: `scores + slack` are upper bounds of the cosine.
    start: Row number of the block's first row.
    left: Row number of its first column.
    points: Unit rows float32 `[n, d]`.
    slack: See scores.
    squared: float64 `[n]`: least squared distance so far, inf where there is none.
    ties: int32 `[n, MOST_TIES]`: columns at that distance within the tolerance.
    count: int32 `[n]`: how many there are; beyond MOST_TIES they are only counted.
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
