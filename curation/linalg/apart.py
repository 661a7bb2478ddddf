"""Rows in order, each kept unless a row kept before it is too similar: one greedy pass, for many limits at once.

The cosine of two rows is `1 − s/2`, where s is the squared distance of their unit rows as `linalg.distances` defines
both: exactly 1 for identical rows, never above, and true to about 1e-7, because unit rows are stored as float32. A row
is dropped when its cosine to a kept row is above the limit; one at the limit stays. Every decision is made on that
number.

A block of rows meets all rows kept so far in float32 products, whose rounding error is bounded. A pair that the bound
does not decide is measured in float64 by the compiled scan; where even that sum could end on the other side if it were
added up in another order, the row is finished as `linalg.distances` measures. Rows of one block are settled in order.
So neither the size of blocks nor threads nor the device can change what is kept.

Compiled by numba at the first call on a machine and kept on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np

from curation.core.artifacts import NO_ROW
from curation.core.errors import CurationError
from curation.linalg.distances import all_unit_rows, bound_share, pair_squared_distances
from curation.linalg.products import full_precision

log = logging.getLogger(__name__)

MOST_LIMITS = 63
"""Limits at once: a bit of a 64-bit number for each."""

ROW_BLOCK = 1024
CHUNK = 64
COLUMN_BLOCK = 2048
# Unit rows stored as float32 are of length 1 within 2e-7, and limits are rounded to float32 before scores meet them.
ROUNDING = 2e-6

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Apart:
    """What is kept, along the order of the rows.

    Args:
        kept: uint64 `[m]`: bit t is set when the row is kept at limit t.
        by: int64 `[m]`: place of the first row that dropped this one at any limit, -1 = none. With one limit that is
            the earliest kept row that is too similar.
        counts: int64 `[t]`: rows kept at each limit.
        examined: Rows looked at; those after them came when every limit had its `most` rows.
    """

    kept: np.ndarray
    by: np.ndarray
    counts: np.ndarray
    examined: int


def keep_apart(
    points: np.ndarray,
    order: np.ndarray,
    limits: np.ndarray,
    *,
    most: int | None = None,
    block: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Apart:
    """Keeps each row in turn unless its cosine to a row kept before is above the limit; for every limit at once.

    Costs r·k·d by matrix products, for r rows examined and k rows kept at any limit (at most r²·d/2); memory is a copy
    of the kept rows and a few numbers per row. All limits share the products.

    Args:
        points: `[n, d]`, any real type; may be memory-mapped. Only the rows examined are read, a block at a time.
        order: int64 `[m]`: the rows in turn, each of a length above zero.
        limits: float64 `[t]`, increasing, 1 to 63 of them.
        most: Stop keeping at a limit when so many rows are kept; None = never.
        block: Rows settled at once; changes speed only.
        device: "cpu", or a device of torch for the products.
        progress: Called with (rows examined, m) after each block.

    Raises:
        CurationError: too many limits, or not increasing.
        DataError: a row without a direction.
    """
    limits = np.asarray(limits, np.float64)
    if not 1 <= len(limits) <= MOST_LIMITS or (np.diff(limits) <= 0).any():
        raise CurationError(f"{len(limits)} limits are too many or not increasing", f"give 1 to {MOST_LIMITS}, sorted")
    most = len(order) if most is None else min(most, len(order))
    kept, by = np.zeros(len(order), np.uint64), np.full(len(order), NO_ROW, np.int64)
    if limits[0] >= 1:  # no cosine is above 1: nothing is ever dropped
        kept[:most] = (1 << len(limits)) - 1
        return Apart(kept, by, np.full(len(limits), most), most)
    walk = _Walk(points, limits, most, device)
    start = 0
    while start < len(order) and walk.active:
        stop = min(start + (block or ROW_BLOCK), len(order))
        here = walk.step(order[start:stop], start)
        kept[start:stop], by[start:stop] = here.bits, here.by
        start = start + here.last if not walk.active else stop
        if progress is not None:
            progress(start, len(order))
    by[start:] = NO_ROW
    return Apart(kept, by, walk.counts, start)


@dataclass
class _Block:
    """Rows being settled: their vectors and places, and what is known of them so far."""

    vectors: np.ndarray  # float32 [b, d]
    places: np.ndarray  # int64 [b]
    dropped: np.ndarray  # uint64 [b]: limits at which a kept row is too similar
    bits: np.ndarray  # uint64 [b]: limits at which the row is kept
    by: np.ndarray  # int64 [b]
    last: int = 0  # rows looked at, counted when every limit has had enough

    def part(self, rows: np.ndarray) -> _Block:
        return _Block(self.vectors[rows], self.places[rows], self.dropped[rows], self.bits[rows], self.by[rows])


class _Walk:
    """The kept rows so far, and the limits that still take rows.

    Args:
        points: `[n, d]`.
        limits: float64 `[t]`, increasing.
        most: Rows to keep at each limit.
        device: Where products are made.
    """

    def __init__(self, points: np.ndarray, limits: np.ndarray, most: int, device: str) -> None:
        self.points, self.limits, self.most = points, limits, most
        self.counts = np.zeros(len(limits), np.int64)
        self.active = np.uint64((1 << len(limits)) - 1) if most > 0 else np.uint64(0)
        width = points.shape[1]
        self.slack = bound_share(np.empty((0, width), np.float32)) + ROUNDING
        self.tiny = 8 * (width + 8) * float(np.finfo(np.float64).eps)  # of a sum of at most 4, in any order
        self.vectors = np.empty((0, width), np.float32)
        self.bits, self.places = np.empty(0, np.uint64), np.empty(0, np.int64)
        self.size = 0
        self._products = _products(device)

    def step(self, rows: np.ndarray, start: int) -> _Block:
        """Settles the next rows in turn; `start` is the place of the first."""
        b = len(rows)
        whole = _Block(
            all_unit_rows(self.points[rows]),
            np.arange(start, start + b),
            np.zeros(b, np.uint64),
            np.zeros(b, np.uint64),
            np.full(b, NO_ROW, np.int64),
        )
        alive = np.arange(b)
        for left in range(0, self.size, COLUMN_BLOCK):
            columns = slice(left, min(left + COLUMN_BLOCK, self.size))
            part = whole if len(alive) == b else whole.part(alive)
            self._against(part, columns)
            whole.dropped[alive], whole.by[alive] = part.dropped, part.by
            alive = alive[(self.active & ~part.dropped) != 0]
            if not len(alive):
                break
        if len(alive):
            part = whole.part(alive)
            before = self.active
            ended = self._among(part)
            whole.dropped[alive], whole.by[alive], whole.bits[alive] = part.dropped, part.by, part.bits
            whole.last = int(part.places[ended - 1]) - start + 1
            self._add(part, before)
        return whole

    def _against(self, part: _Block, columns: slice) -> None:
        """Which limits some rows exceed with some of the kept ones."""
        others, bits, places = self.vectors[columns], self.bits[columns], self.places[columns]
        scores = self._products(part.vectors, others)
        begin = np.zeros(len(scores), np.int64)
        _scan(
            scores, part.vectors, others, bits, places, self.active, self.limits, self.slack, self.tiny,
            part.dropped, part.by, begin,
        )  # fmt: skip
        for row in np.flatnonzero(begin < scores.shape[1]).tolist():
            self._finish(part, row, scores[row], int(begin[row]), others, bits, places)

    def _among(self, part: _Block) -> int:
        """Settles rows among themselves, in order; returns how many were looked at."""
        scores = self._products(part.vectors, part.vectors)
        begin, row = np.zeros(len(scores), np.int64), 0
        while True:
            row, self.active = _settle(
                scores, part.vectors, part.places, self.active, self.limits, self.slack, self.tiny,
                part.dropped, part.by, begin, part.bits, self.counts, self.most, row,
            )  # fmt: skip
            self.active = np.uint64(self.active)
            if row == len(scores) or not self.active:
                return int(row)
            self._finish(part, row, scores[row, :row], int(begin[row]), part.vectors, part.bits, part.places)
            begin[row] = len(scores)

    def _finish(
        self,
        part: _Block,
        row: int,
        scores: np.ndarray,
        begin: int,
        others: np.ndarray,
        bits: np.ndarray,
        places: np.ndarray,
    ) -> None:
        """Finishes a row from the column on at which only the defined order of summation tells the side of a limit."""
        still = self.active & ~part.dropped[row]
        near = begin + np.flatnonzero(scores[begin:] > self.limits[0] - self.slack)
        near = near[bits[near] & still > 0]
        squared = pair_squared_distances(others, near, np.array([0]), other_points=part.vectors[row : row + 1])
        exceeded = np.searchsorted(self.limits, 1 - squared / 2, side="left").astype(np.uint64)
        hits = bits[near] & still & ((np.uint64(1) << exceeded) - np.uint64(1))
        part.dropped[row] |= np.bitwise_or.reduce(hits, initial=np.uint64(0))
        first = np.flatnonzero(hits)[:1]
        if len(first) and part.by[row] == NO_ROW:
            part.by[row] = places[near[first[0]]]

    def _add(self, part: _Block, before: np.uint64) -> None:
        """Takes over the kept rows of a block, and forgets those that no open limit needs."""
        if self.active != before:
            needed = np.flatnonzero(self.bits[: self.size] & self.active)
            self.vectors[: len(needed)] = self.vectors[needed]
            self.bits[: len(needed)], self.places[: len(needed)] = self.bits[needed], self.places[needed]
            self.size = len(needed)
        new = np.flatnonzero(part.bits & self.active)
        stop = self.size + len(new)
        if stop > len(self.vectors):
            room = max(stop, 2 * len(self.vectors))
            self.vectors = np.concatenate(
                [self.vectors[: self.size], np.empty((room - self.size, self.vectors.shape[1]), np.float32)]
            )
            self.bits = np.concatenate([self.bits[: self.size], np.zeros(room - self.size, np.uint64)])
            self.places = np.concatenate([self.places[: self.size], np.zeros(room - self.size, np.int64)])
        here = slice(self.size, stop)
        self.vectors[here], self.bits[here], self.places[here] = part.vectors[new], part.bits[new], part.places[new]
        self.size = stop


def _products(device: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """`rows @ others.T` in float32; the result is overwritten by the next call."""
    if device == "cpu":
        buffer = np.empty(0, np.float32)

        def on_cpu(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
            nonlocal buffer
            size = len(rows) * len(others)
            if size > len(buffer):  # fresh memory for every block costs as much as a narrow product
                buffer = np.empty(size, np.float32)
            return np.matmul(rows, others.T, out=buffer[:size].reshape(len(rows), len(others)))

        return on_cpu

    def on_device(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        import torch

        with full_precision():
            left, right = (torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in (rows, others))
            found: np.ndarray = (left @ right.T).cpu().numpy()
            return found

    return on_device


# ---------------------------------------------------------------------- compiled


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return nb.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError as error:  # no folder to keep compiled code in
        log.info("compiled code is not kept on this machine: %s", error)
        return nb.njit(nogil=True, **options)(function)


def _squared(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for t in range(len(a)):
        difference = np.float64(a[t]) - np.float64(b[t])
        total += difference * difference
    return total


_squared_distance = _compiled(_squared, fastmath={"reassoc", "contract"})


def _bits_below(limits: np.ndarray, value: float) -> np.uint64:
    low, high = 0, len(limits)
    while low < high:
        middle = (low + high) // 2
        if limits[middle] < value:
            low = middle + 1
        else:
            high = middle
    return (np.uint64(1) << np.uint64(low)) - np.uint64(1)


_exceeded = _compiled(_bits_below)


def _floor_of(limits: np.ndarray, still: np.uint64, slack: float) -> np.float32:
    lowest = 0
    while not (still >> np.uint64(lowest)) & np.uint64(1):
        lowest += 1
    return np.float32(limits[lowest] - slack)


_floor = _compiled(_floor_of)


def _first_above(line: np.ndarray, column: int, width: int, floor: float) -> int:
    # Nearly no score is above: counting in chunks without branches becomes vector instructions, and skips them.
    while column + CHUNK <= width:
        count = 0
        for place in range(column, column + CHUNK):
            count += 1 if line[place] > floor else 0
        if count:
            break
        column += CHUNK
    while column < width and not line[column] > floor:
        column += 1
    return column


_next_above = _compiled(_first_above)


def _row(
    scores: np.ndarray,
    row: int,
    width: int,
    vectors: np.ndarray,
    others: np.ndarray,
    bits: np.ndarray,
    places: np.ndarray,
    active: np.uint64,
    limits: np.ndarray,
    slack: float,
    tiny: float,
    dropped: np.ndarray,
    by: np.ndarray,
    begin: np.ndarray,
) -> None:
    still = active & ~dropped[row]
    column = begin[row]
    begin[row] = scores.shape[1]
    if not still:
        return
    floor = _floor(limits, still, slack)
    line = scores[row]
    column = _next_above(line, column, width, floor)
    while column < width:
        asked = bits[column] & still
        if asked:
            about = np.float64(line[column])
            sure = _exceeded(limits, about - slack)
            if asked & ~sure & _exceeded(limits, min(about + slack, 1.0)):  # no cosine is above 1
                about = 1 - _squared_distance(vectors[row], others[column]) / 2
                sure = _exceeded(limits, about - tiny)
                if asked & ~sure & _exceeded(limits, min(about + tiny, 1.0)):
                    begin[row] = column
                    return
            hit = asked & sure
            if hit:
                if by[row] < 0:
                    by[row] = places[column]
                dropped[row] |= hit
                still &= ~hit
                if not still:
                    return
                floor = _floor(limits, still, slack)
        column = _next_above(line, column + 1, width, floor)


_scan_row = _compiled(_row)


def _scan_rows(
    scores: np.ndarray,
    vectors: np.ndarray,
    others: np.ndarray,
    bits: np.ndarray,
    places: np.ndarray,
    active: np.uint64,
    limits: np.ndarray,
    slack: float,
    tiny: float,
    dropped: np.ndarray,
    by: np.ndarray,
    begin: np.ndarray,
) -> None:
    width = scores.shape[1]
    # One thread: those of numba and those of the product before would wait for each other longer than this takes.
    for row in range(len(scores)):
        if begin[row] < width:
            _scan_row(
                scores, row, width, vectors, others, bits, places, active, limits, slack, tiny, dropped, by, begin
            )


_scan = _compiled(_scan_rows)
"""Marks the limits that rows exceed with kept rows, each row from the column `begin` on.

A row that comes upon a pair too close to a limit stops there and leaves its column in `begin`; the others end with the
number of columns.
"""


def _settle_rows(
    scores: np.ndarray,
    vectors: np.ndarray,
    places: np.ndarray,
    active: np.uint64,
    limits: np.ndarray,
    slack: float,
    tiny: float,
    dropped: np.ndarray,
    by: np.ndarray,
    begin: np.ndarray,
    bits: np.ndarray,
    counts: np.ndarray,
    most: int,
    first: int,
) -> tuple[int, np.uint64]:
    for row in range(first, len(scores)):
        _scan_row(scores, row, row, vectors, vectors, bits, places, active, limits, slack, tiny, dropped, by, begin)
        if begin[row] < row:
            return row, active
        bits[row] = active & ~dropped[row]
        for limit in range(len(limits)):
            bit = np.uint64(1) << np.uint64(limit)
            if bits[row] & bit:
                counts[limit] += 1
                if counts[limit] >= most:
                    active &= ~bit
        if not active:
            return row + 1, active
    return len(scores), active


_settle = _compiled(_settle_rows)
"""Settles rows among themselves from the row `first` on.

Returns the row that it stopped at because of a pair too close to a limit, or the rows looked at, and the limits still
open.
"""
