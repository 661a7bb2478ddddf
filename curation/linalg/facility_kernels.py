"""Compiled inner loops of `curation.linalg.facility`: whole numbers only, so no order of work can change a result.

Compiled by numba at the first call on a machine and kept on disk. All release the interpreter's lock; several threads
may run them on different tiles.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

from curation.linalg.whole_similarity import NEARLY_ONE, ONE

log = logging.getLogger(__name__)

ONE_PRODUCT = 2.0**52
"""The product of a unit row on the grid with itself, up to rounding of its entries."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function with numba, kept on disk where the machine has a folder for it."""
    try:
        return nb.njit(nogil=True, cache=True)(function)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(nogil=True)(function)


@compiled
def to_whole(products: np.ndarray, shifted: bool, out: np.ndarray) -> None:
    """Similarities in units of 1 / ONE from products of grid rows, half to even, from 0 to 1.

    Args:
        products: float64 `[r, k]`, whole numbers.
        shifted: (1 + cos) / 2, else max(0, cos).
        out: int32 `[r, k]`, written.
    """
    offset = ONE_PRODUCT if shifted else 0.0
    unit = 2.0**-23 if shifted else 2.0**-22
    for row in range(products.shape[0]):
        for column in range(products.shape[1]):
            # adding and scaling are exact: the sum is a whole number of at most 53 bits, the factor a power of two
            whole = max(0.0, np.rint((products[row, column] + offset) * unit))
            out[row, column] = np.int32(whole if whole < NEARLY_ONE else ONE)


@compiled
def flip(tile: np.ndarray, out: np.ndarray) -> None:
    """Transposes a tile in squares that stay in the cache.

    Args:
        tile: int32 `[r, k]`.
        out: int32 `[k, r]`, written.
    """
    side = 32
    for left in range(0, tile.shape[1], side):
        for top in range(0, tile.shape[0], side):
            for column in range(left, min(left + side, tile.shape[1])):
                for row in range(top, min(top + side, tile.shape[0])):
                    out[column, row] = tile[row, column]


@compiled
def measure(tile: np.ndarray, best: np.ndarray, gains: np.ndarray, counts: np.ndarray) -> None:
    """What each candidate would add over some covered rows, and for how many it would add anything.

    Args:
        tile: int32 `[r, k]`, similarities of candidates to covered rows.
        best: int32 `[k]`, similarity of each covered row to its best pick.
        gains: int64 `[r]`, written: Σ max(0, similarity − best).
        counts: int64 `[r]`, written.
    """
    for row in range(tile.shape[0]):
        gain, count = np.int64(0), np.int64(0)
        for column in range(tile.shape[1]):
            more = tile[row, column] - best[column]
            gain += max(more, np.int32(0))
            count += more > 0
        gains[row], counts[row] = gain, count


@compiled
def keep(tile: np.ndarray, best: np.ndarray, starts: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> None:
    """Writes the pairs that still count: candidates' covered rows with a similarity above their best.

    Args:
        tile: int32 `[r, k]`.
        best: int32 `[k]`.
        starts: int64 `[r]`, where the pairs of each candidate go; one place after the last of all is overwritten too.
        rows: uint16, written: covered rows, counted within the tile.
        weights: int32, written: similarities.
    """
    for row in range(tile.shape[0]):
        place = starts[row]
        for column in range(tile.shape[1]):
            # written always and overwritten by the next unless it counts: no branch to mispredict
            rows[place] = column
            weights[place] = tile[row, column]
            place += tile[row, column] > best[column]


@compiled
def take_row(similarities: np.ndarray, best: np.ndarray, by: np.ndarray, candidate: int) -> np.int64:
    """Takes a candidate: raises `best` where it is nearer, and returns how much that is in sum.

    Args:
        similarities: int32 `[c]`, to all covered rows.
        best: int32 `[c]`, changed.
        by: int64 `[c]`, changed: the pick that is nearest, the earliest of equals.
        candidate: Its number.
    """
    gain = np.int64(0)
    for row in range(len(best)):
        if similarities[row] > best[row]:
            gain += similarities[row] - best[row]
            best[row], by[row] = similarities[row], candidate
    return gain


@compiled
def gain_in_lists(
    candidate: int,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    width: int,
    best: np.ndarray,
) -> np.int64:
    """The gain of a candidate, from its list; pairs that do not count any more are dropped from it.

    Args:
        candidate: Its number.
        starts: int64 `[m, s]`, where each of the s pieces of a candidate's list begins.
        lengths: int32 `[m, s]`, changed.
        rows: Integers, changed: covered rows, counted from `width` · piece.
        weights: int32, changed: similarities.
        width: Covered rows of a piece.
        best: int32 `[c]`.
    """
    gain = np.int64(0)
    for piece in range(starts.shape[1]):
        start = starts[candidate, piece]
        place = start
        for at in range(start, start + lengths[candidate, piece]):
            row, weight = rows[at], weights[at]
            more = weight - best[piece * width + row]
            rows[place], weights[place] = row, weight
            if more > 0:
                gain += more
                place += 1
        lengths[candidate, piece] = place - start
    return gain


@compiled
def take_list(
    candidate: int,
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    width: int,
    best: np.ndarray,
    by: np.ndarray,
) -> None:
    """Takes a candidate whose list is up to date; see `gain_in_lists` and `take_row`."""
    for piece in range(starts.shape[1]):
        start = starts[candidate, piece]
        for at in range(start, start + lengths[candidate, piece]):
            row, weight = piece * width + rows[at], weights[at]
            if weight > best[row]:
                best[row], by[row] = weight, candidate


@compiled
def _winner(tree: np.ndarray, keys: np.ndarray, place: int) -> None:
    left, right = tree[2 * place], tree[2 * place + 1]
    tree[place] = left if keys[left] >= keys[right] else right


@compiled
def pick_lazily(
    starts: np.ndarray,
    lengths: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    width: int,
    best: np.ndarray,
    by: np.ndarray,
    keys: np.ndarray,
    gain_of: np.ndarray,
    fresh: np.ndarray,
    factor: float,
    bonus: np.ndarray,
    order: np.ndarray,
    gains: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Picks number `first` to `last` − 1 by lazy greedy: the best bound is brought up to date until it stays the best.

    Bounds stand in a tournament: each place holds the better of the two below it, the left (lower) one of equals.

    Args:
        starts: See `gain_in_lists`, as the next five.
        lengths: Changed.
        rows: Changed.
        weights: Changed.
        width: See there.
        best: Changed.
        by: int64 `[c]`, changed.
        keys: float64 `[p]`, p a power of two, changed: bounds on factor · gain + bonus; -inf: not to be picked.
        gain_of: int64 `[m]`, changed: the gains that the keys were made from.
        fresh: int64 `[m]`, changed: the number of picks at which a gain was exact, -1 never.
        factor: See `keys`.
        bonus: float64 `[m]`.
        order: int64 `[k]`, written.
        gains: int64 `[k]`, written.
        first: Number of picks made.
        last: Number of picks to be made.
    """
    half = len(keys)
    tree = np.empty(2 * half, np.int64)
    for place in range(half):
        tree[half + place] = place
    for place in range(half - 1, 0, -1):
        _winner(tree, keys, place)
    for done in range(first, last):
        while True:
            candidate = tree[1]
            if fresh[candidate] == done:
                break
            gain = gain_in_lists(candidate, starts, lengths, rows, weights, width, best)
            gain_of[candidate] = gain
            keys[candidate] = factor * gain + bonus[candidate]
            fresh[candidate] = done
            place = (half + candidate) >> 1
            while place > 0:
                _winner(tree, keys, place)
                place >>= 1
        order[done], gains[done] = candidate, gain_of[candidate]
        take_list(candidate, starts, lengths, rows, weights, width, best, by)
        keys[candidate] = -np.inf
        place = (half + candidate) >> 1
        while place > 0:
            _winner(tree, keys, place)
            place >>= 1
