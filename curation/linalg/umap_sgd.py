"""The descent of UMAP, in parallel and still the same whatever the number of threads.

The reference implementation moves both ends of an edge as soon as it is drawn, so with several threads its result is a
matter of luck, and with a seed it runs on one thread. Here every row reads the positions of the epoch before and moves
only itself: each row's work depends on nothing that another row does in the same epoch. Compiled by numba at the first
call on a machine (seconds) and kept on disk after that.
"""

# ruff: noqa: N806 - upper-case names are the constants of published bit mixers

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np

log = logging.getLogger(__name__)

_F = np.float32
_U = np.uint64
_LIMIT = _F(4.0)  # longest step along an axis before the learning rate, as in the reference implementation
_NEAR = _F(0.001)  # keeps the push between two rows in one place finite, as in the reference implementation

EPOCHS_PER_CALL = 10  # progress is told, and cancelling heard, between calls


def descend(
    xy: np.ndarray,
    starts: np.ndarray,
    others: np.ndarray,
    periods: np.ndarray,
    *,
    a: float,
    b: float,
    epochs: int,
    negatives: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Moves rows so that joined rows come near and others keep away.

    Edge e of row i is drawn in every `periods[e]`-th epoch; row i then steps towards its other end, and away from
    `negatives` rows drawn uniformly. Steps shrink linearly to zero over the epochs. The curve is `1 / (1 + a·d^(2b))`.

    Costs `epochs · Σ 1/periods · (1 + negatives)` pair steps, about 15 ns each on one core.

    Args:
        xy: float32 `[n, 2]`, where rows begin; not changed.
        starts: int64 `[n + 1]`: the edges of row i are `starts[i]` to `starts[i + 1]` (CSR).
        others: int32 `[e]`: other end of each edge. Every edge is present from both its ends.
        periods: float32 `[e]`, ≥ 1: epochs between two draws.
        a: Of the curve, > 0.
        b: Of the curve, > 0.
        epochs: ≥ 1.
        negatives: Rows pushed away from, per draw.
        seed: Of the draws.
        progress: Called with (epochs done, epochs).

    Returns:
        float32 `[n, 2]`.
    """
    now = np.array(xy, _F)
    due = periods.copy()
    for first in range(0, epochs, EPOCHS_PER_CALL):
        last = min(first + EPOCHS_PER_CALL, epochs)
        now = _epochs(now, starts, others, periods, due, _F(a), _F(b), first, last, epochs, negatives, np.int64(seed))
        if progress is not None:
            progress(last, epochs)
    return now


def _run_epochs(
    now: np.ndarray,
    starts: np.ndarray,
    others: np.ndarray,
    periods: np.ndarray,
    due: np.ndarray,
    a: Any,
    b: Any,
    first: int,
    last: int,
    epochs: int,
    negatives: int,
    seed: Any,
) -> np.ndarray:
    n = len(now)
    before, now = now, np.empty_like(now)
    for epoch in range(first, last):
        rate = _F(1.0 - epoch / epochs)
        for i in nb.prange(n):
            # one generator per row and epoch: splitmix64 of (seed, row, epoch) begins a xorshift64
            state = _U(seed) * _U(0xA24BAED4963EE407) + _U(i) * _U(0x9E3779B97F4A7C15)
            state += _U(epoch) * _U(0xD1B54A32D192ED03)
            state = (state ^ (state >> _U(30))) * _U(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> _U(27))) * _U(0x94D049BB133111EB)
            state = (state ^ (state >> _U(31))) | _U(1)
            x, y = before[i, 0], before[i, 1]
            for e in range(starts[i], starts[i + 1]):
                if due[e] > epoch:
                    continue
                due[e] += periods[e]
                j = others[e]
                dx, dy = x - before[j, 0], y - before[j, 1]
                d2 = dx * dx + dy * dy
                if d2 > _F(0.0):
                    power = d2**b
                    # twice the gradient: the reference moves both ends, here the other end's own draw moves it
                    pull = _F(-4.0) * a * b * power / (d2 * (_F(1.0) + a * power))
                    x += min(max(pull * dx, -_LIMIT), _LIMIT) * rate
                    y += min(max(pull * dy, -_LIMIT), _LIMIT) * rate
                for _ in range(negatives):
                    state ^= state << _U(13)
                    state ^= state >> _U(7)
                    state ^= state << _U(17)
                    k = np.int64(((state >> _U(32)) * _U(n)) >> _U(32))
                    if k == i:
                        continue
                    dx, dy = x - before[k, 0], y - before[k, 1]
                    d2 = dx * dx + dy * dy
                    push = _F(2.0) * b / ((_NEAR + d2) * (_F(1.0) + a * d2**b))
                    x += min(max(push * dx, -_LIMIT), _LIMIT) * rate
                    y += min(max(push * dy, -_LIMIT), _LIMIT) * rate
            now[i, 0], now[i, 1] = x, y
        before, now = now, before  # every row was written
    return before


def _compiled() -> Callable[..., np.ndarray]:
    try:
        return nb.njit(parallel=True, fastmath=True, nogil=True, cache=True)(_run_epochs)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(parallel=True, fastmath=True, nogil=True)(_run_epochs)


_epochs = _compiled()
