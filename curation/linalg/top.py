"""The highest scores of every row, kept up to date block by block in one compiled pass.

numpy's partition sorts each block anew; almost no score of a later block is among the best, so comparing each with the
worst one kept is an order of magnitude cheaper. Compiled by numba at the first call on a machine and kept on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numba as nb
import numpy as np

log = logging.getLogger(__name__)

MOST_KEPT = 64
"""Beyond this many per row, moving them on each insertion costs more than it saves."""


def _run(scores: np.ndarray, left: int, kept: np.ndarray, columns: np.ndarray) -> None:
    last = kept.shape[1] - 1
    for row in nb.prange(len(scores)):
        worst = kept[row, last]
        for column in range(scores.shape[1]):
            score = scores[row, column]
            if score > worst:
                place = last
                while place > 0 and kept[row, place - 1] < score:
                    kept[row, place] = kept[row, place - 1]
                    columns[row, place] = columns[row, place - 1]
                    place -= 1
                kept[row, place] = score
                columns[row, place] = left + column
                worst = kept[row, last]


def _compiled() -> Callable[[np.ndarray, int, np.ndarray, np.ndarray], None]:
    try:
        return nb.njit(parallel=True, nogil=True, cache=True)(_run)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(parallel=True, nogil=True)(_run)


keep_top = _compiled()
"""Merges a block of scores into the best so far, in place: `keep_top(scores, left, kept, columns)`.

Args:
    scores: `[b, c]`, C-contiguous, no NaN; `-inf` is never kept.
    left: Column number of the block's first column.
    kept: `[b, want]`, descending, `-inf` where nothing is kept yet; of equal scores the one seen first stays before.
    columns: int64 `[b, want]`, column numbers of `kept`.
"""
