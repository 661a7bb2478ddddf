"""Similar pairs of unit rows: every pair above a threshold, or for each row the most similar one before it.

Cosine here is `1 − s/2`, where s is the squared distance of two unit rows as `linalg.distances` defines it; it is
exactly 1 for identical rows and never above. Every answer is decided on that number, so it is that of comparing all
rows with all in float64.

What makes it fast, without changing a result: the cosine is symmetric, so half of the pairs suffice. By Cauchy and
Schwarz the cosine is at most `h_i·h_j + r_i·r_j`, where h is what a row has in a few chosen dimensions and r the length
of the rest. With the dimensions in which the rows vary most this is a product of a tenth of the width, which rules out
nearly every pair below a threshold such as 0.9; a compiled pass measures those left. How many dimensions pay is tried
on a sample. Blocks are worked on by as many threads as products would use, each making and scanning its own, so that
a block never leaves the cache.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.core.errors import CurationError
from curation.linalg.distances import bound_share, pair_squared_distances, squared_norms
from curation.linalg.products import full_precision
from curation.linalg.scan import MOST_TIES, TOLERANCE, collect, greedy_blocks, improve, row_hashes

log = logging.getLogger(__name__)

T = TypeVar("T")
Progress = Callable[[int, int], None]
Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, earlier rows, similarities
Blocks = Iterator[tuple[int, np.ndarray]]  # first column and scores of each block of a few rows

ROW_BLOCK = 512
COLUMN_BLOCK = 2048
MOST_PAIRS = 50_000_000
"""Pairs that are kept at most; they take 24 bytes each, and 32 more while they are sorted."""

FOUND_AT_ONCE = 16_384
SETTLE_VALUES = 1 << 22  # bounds held at once for rows with many equally near others
DEVICE_BLOCK_VALUES = 1 << 26  # similarities held at once on a GPU; all of them may turn out to be candidates
WIDTHS = (16, 32, 48, 64, 96, 128, 160, 192, 256, 320, 384, 512, 768)
SAMPLE_ROWS, SAMPLE_COLUMNS = 256, 4096
LEAST_ROWS = 2048  # below that the sample costs more than it saves
MEASURING = 60.0  # what measuring one pair costs, in multiply-adds of a product per dimension
UNCLEAR = 1e-6  # rounding of the head and of the length of the rest


# ---------------------------------------------------------------------- copies


def first_copies(points: np.ndarray) -> np.ndarray:
    """The first row that is identical to each row, int64 `[n]`; its own index where there is none before.

    Args:
        points: `[n, d]` float32.
    """
    points = np.ascontiguousarray(points, np.float32)
    hashes = row_hashes(points.view(np.uint32))
    order = np.argsort(hashes, kind="stable")
    begins = np.ones(len(order), bool)
    begins[1:] = hashes[order[1:]] != hashes[order[:-1]]
    first = np.empty(len(points), np.int64)
    first[order] = order[np.flatnonzero(begins)[np.cumsum(begins) - 1]]
    later = np.flatnonzero(first != np.arange(len(points)))
    for start in range(0, len(later), ROW_BLOCK):
        rows = later[start : start + ROW_BLOCK]
        if (points[rows] != points[first[rows]]).any():  # different rows with one hash: compare them all as bytes
            return _first_copies_by_bytes(points)
    return first


def _first_copies_by_bytes(points: np.ndarray) -> np.ndarray:
    same_zero = points + 0.0  # -0.0 and 0.0 are equal numbers of different bytes
    as_bytes = same_zero.view(np.dtype((np.void, same_zero.dtype.itemsize * same_zero.shape[1]))).ravel()
    index, code = np.unique(as_bytes, return_index=True, return_inverse=True)[1:]
    return index[code.ravel()].astype(np.int64)


# ---------------------------------------------------------------------- the two questions


@dataclass(frozen=True)
class Earlier:
    """The most similar earlier row of every row.

    Args:
        rows: int64 `[n]`: the first of the most similar rows before this one; -1 for the first row.
        similarity: float64 `[n]`: their cosine, -1 to 1; -1 for the first row.
    """

    rows: np.ndarray
    similarity: np.ndarray


def nearest_earlier(points: np.ndarray, *, device: str = "cpu", progress: Progress | None = None) -> Earlier:
    """Finds for every row the most similar row that stands before it.

    Costs at most n²·d/2 by matrix products and O(n) memory beyond the points. Copies of a row cost nothing.

    Args:
        points: Unit rows, float32 `[n, d]`, in the order that counts.
        device: "cpu", or a device of torch ("cuda") for the products.
        progress: Called with (pairs compared, pairs).
    """
    points = np.ascontiguousarray(points, np.float32)
    first = first_copies(points)
    differ = np.flatnonzero(first == np.arange(len(points)))
    distinct = points if len(differ) == len(points) else points[differ]
    search = _earlier if device == "cpu" else _earlier_on_device
    near, squared = search(distinct, device, progress)
    rows, similarity = first.copy(), np.ones(len(points))  # as it is for a row that has a copy before it
    rows[differ] = NO_ROW
    some = near != NO_ROW
    rows[differ[some]] = differ[near[some]]
    similarity[differ] = np.where(some, np.maximum(1 - squared / 2, -1.0), -1.0)
    return Earlier(rows, similarity)


@dataclass(frozen=True)
class SimilarPairs:
    """All pairs of rows from a similarity on, and which rows are copies.

    A copy stands in no pair: what is true of the first row identical to it is true of it, so a million copies make no
    pair at all.

    Args:
        rows: int64 `[m]`, increasing: the later row of each pair.
        others: int64 `[m]`: the earlier row, increasing for each row.
        similarity: float64 `[m]`: their cosine.
        first: int64 `[n]`: the first row identical to each row, itself where there is none before.
        at_least: The similarity from which pairs are here.
    """

    rows: np.ndarray
    others: np.ndarray
    similarity: np.ndarray
    first: np.ndarray
    at_least: float

    def __len__(self) -> int:
        return len(self.rows)

    def earlier(self) -> Earlier:
        """The most similar earlier row of every row, -1 where none is in a pair; as `nearest_earlier` above that."""
        found = self._nearest(np.ones(len(self), bool))
        copies = np.flatnonzero(self.first != np.arange(len(self.first)))
        found.rows[copies], found.similarity[copies] = self.first[copies], 1.0
        return found

    def _nearest(self, which: np.ndarray) -> Earlier:
        """The most similar earlier row of every row among some pairs; nothing for copies."""
        n = len(self.first)
        found = Earlier(np.full(n, NO_ROW, np.int64), np.full(n, -1.0))
        some = np.flatnonzero(which)
        np.maximum.at(found.similarity, self.rows[some], self.similarity[some])
        best = some[self.similarity[some] == found.similarity[self.rows[some]]]
        rows, place = np.unique(self.rows[best], return_index=True)  # the first of equals
        found.rows[rows] = self.others[best[place]]
        return found

    def published(self, above: float) -> tuple[np.ndarray, np.ndarray]:
        """Which rows are too similar to any earlier row, kept or not, and which kept row stands for each.

        That is the most similar earlier row that is kept, where one is too similar; else what stands for the most
        similar earlier row, and so on to the end of the chain.

        Args:
            above: A row is blocked when its cosine to an earlier one is above this, which is from `at_least` to 1.

        Returns:
            int64 `[n]`: the kept row, -1 = kept itself; and bool `[n]`: true where it stands at the end of a chain.
        """
        self._check(above)
        n = len(self.first)
        earlier = self.earlier()
        out = earlier.similarity > above
        direct = self._nearest(out[self.rows] & ~out[self.others] & (self.similarity > above))
        stands = np.where(out, np.where(direct.rows == NO_ROW, earlier.rows, direct.rows), np.arange(n))
        chained = out & (direct.rows == NO_ROW)
        copies = np.flatnonzero(self.first != np.arange(n))
        while (further := stands[stands] != stands).any():
            stands[further] = stands[stands[further]]
        chained[copies] = chained[self.first[copies]]
        return np.where(out, stands, NO_ROW), chained

    def greedy(self, above: float) -> np.ndarray:
        """Goes through the rows in order and keeps each that is not too similar to one kept before.

        Args:
            above: A row is blocked by a kept one when their cosine is above this, which is from `at_least` to 1.

        Returns:
            int64 `[n]`: the most similar kept row before, where it blocks, the first of equals; -1 = kept. A copy is
            blocked by the first row identical to it, or by what blocks that row.
        """
        self._check(above)
        n = len(self.first)
        begins = np.searchsorted(self.rows, np.arange(n + 1))
        by = np.full(n, NO_ROW, np.int64)
        greedy_blocks(begins, self.others, self.similarity, above, by)
        if above < 1:
            copies = np.flatnonzero(self.first != np.arange(n))
            leader = self.first[copies]  # kept, or blocked by a row that comes before all its copies
            by[copies] = np.where(by[leader] == NO_ROW, leader, by[leader])
        return by

    def _check(self, above: float) -> None:
        if above < np.nextafter(self.at_least, -2):  # just below it is the same as from it on
            raise ValueError(f"the pairs below {self.at_least} are not here, so they cannot be cut at {above}")


def similar_pairs(
    points: np.ndarray,
    at_least: float,
    *,
    most: int = MOST_PAIRS,
    device: str = "cpu",
    progress: Progress | None = None,
) -> SimilarPairs:
    """Finds all pairs of rows whose cosine is at least a threshold.

    Costs at most n²·d/2 by matrix products, much less for a high threshold, and 56 bytes for each pair.

    Args:
        points: Unit rows, float32 `[n, d]`.
        at_least: Cosine, -1 to 1.
        most: Pairs at most.
        device: "cpu", or a device of torch ("cuda") for the products.
        progress: Called with (pairs compared, pairs).

    Raises:
        CurationError: if there are more than `most` pairs.
    """
    points = np.ascontiguousarray(points, np.float32)
    first = first_copies(points)
    differ = np.flatnonzero(first == np.arange(len(points)))
    distinct = points if len(differ) == len(points) else points[differ]
    search = _pairs if device == "cpu" else _pairs_on_device
    parts: list[Pairs] = []
    total = 0
    for part in search(distinct, at_least, most, device, progress):
        parts.append(part)
        total += len(part[0])
        _check_count(total, at_least, most)
    none = np.empty(0, np.int64)
    rows, others, similarity = _joined([(none, none, np.empty(0)), *parts])
    parts.clear()  # many pairs are large: each array is let go as soon as the next stands for it
    order = np.argsort(rows * max(len(distinct), 1) + others)
    rows = differ[rows[order]]
    others = differ[others[order]]
    similarity = similarity[order]
    return SimilarPairs(rows, others, similarity, first, at_least)


# ---------------------------------------------------------------------- bounds


@dataclass(frozen=True)
class _Upper:
    """Upper bounds of the cosine: `vectors_i·vectors_j + slack`, whatever rounding does.

    Args:
        points: Unit rows `[n, d]`.
        vectors: `[n, width]` float32, the points themselves or heads of them.
        slack: ≥ 0.
    """

    points: np.ndarray
    vectors: np.ndarray
    slack: float

    @classmethod
    def of(cls, points: np.ndarray, basis: np.ndarray | None = None, workers: Executor | None = None) -> _Upper:
        """The points themselves, or their heads in an orthonormal basis, float64 `[d, width − 1]`."""
        lengths = squared_norms(points)
        vectors = points
        if basis is not None:
            vectors = np.empty((len(points), basis.shape[1] + 1), np.float32)

            def fill(start: int) -> None:
                part = slice(start, start + COLUMN_BLOCK)
                vectors[part] = _heads(points[part], lengths[part], basis)

            for _ in (map if workers is None else workers.map)(fill, range(0, len(points), COLUMN_BLOCK)):
                pass
        off = float(np.abs(lengths - 1).max(initial=0.0))  # rows are of length 1 but for float32
        return cls(points, vectors, bound_share(vectors) + off + UNCLEAR)


def _heads(points: np.ndarray, lengths: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The coordinates of some rows in a basis, and the length of what is left, float32 `[m, width + 1]`."""
    made = np.empty((len(points), basis.shape[1] + 1), np.float32)
    made[:, :-1] = points.astype(np.float64) @ basis
    made[:, -1] = np.sqrt(np.maximum(lengths - squared_norms(made[:, :-1]), 0.0) + UNCLEAR)
    return made


def _basis(points: np.ndarray, size: int) -> np.ndarray:
    """Directions in which the rows vary most, nearly, float64 `[d, size]`, orthonormal; any would do.

    By two rounds of subspace iteration on a sample; n does not enter the cost.
    """
    sample = np.ascontiguousarray(points[:: max(1, len(points) // SAMPLE_COLUMNS)])
    basis = np.random.default_rng(0).standard_normal((points.shape[1], size))
    for _ in range(2):
        spread = sample.T @ (sample @ basis.astype(np.float32))
        basis = np.linalg.qr(spread.astype(np.float64))[0]
    return basis


def _cheapest(points: np.ndarray, at_least: float | None, workers: Executor | None) -> _Upper:
    """The bounds that are expected to cost least, tried on a sample.

    Args:
        points: Unit rows, all different.
        at_least: The cosine from which a pair is measured; None = that of the nearest earlier row of the sample.
        workers: To share the work out.
    """
    n, d = points.shape
    widths = [w for w in WIDTHS if w <= 0.75 * d]
    if n < LEAST_ROWS or not widths:
        return _Upper.of(points)
    rows = np.linspace(0, n - 1, SAMPLE_ROWS).astype(np.int64)
    columns = np.unique(np.linspace(0, n - 1, SAMPLE_COLUMNS).astype(np.int64))
    before = columns < rows[:, None]  # [a, b]
    cosine = np.where(before, points[rows] @ points[columns].T, -2.0)
    limit = cosine.max(axis=1, keepdims=True) if at_least is None else np.float64(at_least)
    basis = _basis(points, widths[-1])
    few, many = (_heads(points[some], squared_norms(points[some]), basis) for some in (rows, columns))

    def cost(bounds: np.ndarray, width: int) -> float:
        """Multiply-adds of a pair: of the bound, and of measuring those that it does not rule out."""
        return width + MEASURING * d * float(((bounds >= limit) & before).sum()) / int(before.sum())

    costs = {d: cost(cosine, d)}
    for width in widths:
        costs[width] = cost(_shorter(few, width) @ _shorter(many, width).T, width)
    best = min(costs, key=costs.__getitem__)
    log.debug("bounds of %d of %d dimensions", best, d)
    return _Upper.of(points, None if best == d else basis[:, : best - 1], workers)


def _shorter(heads: np.ndarray, width: int) -> np.ndarray:
    """Of heads `[m, long + 1]` with the length of the rest, those of fewer dimensions."""
    made = heads[:, :width].copy()
    made[:, -1] = np.sqrt(squared_norms(heads[:, width - 1 :]))
    return made


# ---------------------------------------------------------------------- blocks


def _check_count(count: int, at_least: float, most: int) -> None:
    if count > most:
        raise CurationError(
            f"more than {most:,} pairs of different rows have a similarity of at least {at_least:g}",
            "raise the threshold (lower epsilon), or compare rows inside clusters only",
        )


def _pairs(points: np.ndarray, at_least: float, most: int, device: str, progress: Progress | None) -> Iterator[Pairs]:
    """Pairs of distinct rows that reach a similarity, in any order."""
    with _workers(len(points)) as workers:
        upper = _cheapest(points, at_least, workers)
        limit = np.nextafter(np.float32(at_least - upper.slack), np.float32(-2))
        most_squared = 2 * (1 - at_least) + 4 * TOLERANCE if at_least > -1 else np.inf  # rounding can go below -1

        def work(start: int, blocks: Blocks) -> Pairs:
            pairs = np.empty((FOUND_AT_ONCE, 2), np.int64)
            waiting = [pairs[:0]]
            parts: list[Pairs] = []

            def decide() -> None:
                rows, others = np.concatenate(waiting).T
                parts.append(_near_enough(points, rows, others, at_least))
                waiting[1:] = []
                _check_count(sum(len(part[0]) for part in parts), at_least, most)

            for left, scores in blocks:
                at = 0
                while at < len(scores):
                    count, at = collect(scores, at, start, left, points, limit, most_squared, pairs)
                    waiting.append(pairs[:count].copy())
                    if sum(map(len, waiting)) > FOUND_AT_ONCE:
                        decide()
            decide()
            return _joined(parts)

        yield from _over_blocks(upper, work, workers, progress)


def _joined(parts: list[Pairs]) -> Pairs:
    rows, others, similarity = (np.concatenate(values) for values in zip(*parts, strict=True))
    return rows, others, similarity


def _near_enough(points: np.ndarray, rows: np.ndarray, others: np.ndarray, at_least: float) -> Pairs:
    similarity = np.maximum(1 - pair_squared_distances(points, rows, others) / 2, -1.0)
    near = similarity >= at_least
    return rows[near], others[near], similarity[near]


def _earlier(points: np.ndarray, device: str, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest_earlier` for rows of which no two are identical; squared distances."""
    n = len(points)
    squared = np.full(n, np.inf)
    ties = np.full((n, MOST_TIES), NO_ROW, np.int32)
    count = np.zeros(n, np.int32)
    with _workers(n) as workers:
        upper = _cheapest(points, None, workers)

        def work(start: int, blocks: Blocks) -> int:
            return sum(
                improve(scores, start, left, points, upper.slack, squared, ties, count) for left, scores in blocks
            )

        measured = sum(_over_blocks(upper, work, workers, progress))
    log.debug("%d pairs measured, %d rows with many ties", measured, int((count > MOST_TIES).sum()))
    return _settled(upper, squared, ties, count)


@lru_cache(1)
def _products() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


@contextmanager
def _workers(n: int) -> Iterator[Executor | None]:
    """As many threads as matrix products use, which meanwhile use one each; None for few rows."""
    if n <= ROW_BLOCK:
        yield None
        return
    threads = max([library["num_threads"] for library in _products().info()], default=1)
    executor = ThreadPoolExecutor(threads)
    try:
        with _products().limit(limits=1):
            yield executor
            executor.shutdown()
    finally:
        executor.shutdown(cancel_futures=True)


def _over_blocks(
    upper: _Upper, work: Callable[[int, Blocks], T], workers: Executor | None, progress: Progress | None
) -> Iterator[T]:
    """Calls `work` with the first row of each block of rows, and their scores with all rows before and in it.

    Blocks with most to do are begun first; results come as they are ready.
    """
    n = len(upper.vectors)
    own = threading.local()

    def scored(start: int) -> Blocks:
        if not hasattr(own, "buffer"):  # fresh memory for every block costs as much as a narrow product
            own.buffer = np.empty(ROW_BLOCK * COLUMN_BLOCK, np.float32)
        stop = min(start + ROW_BLOCK, n)
        for left in range(0, stop, COLUMN_BLOCK):
            right = min(left + COLUMN_BLOCK, stop)
            scores = own.buffer[: (stop - start) * (right - left)].reshape(stop - start, right - left)
            np.matmul(upper.vectors[start:stop], upper.vectors[left:right].T, out=scores)
            yield left, scores

    def one(start: int) -> tuple[int, T]:
        return start, work(start, scored(start))

    starts = range(0, n, ROW_BLOCK)[::-1]
    made: Iterable[tuple[int, T]] = map(one, starts)
    if workers is not None:
        made = (future.result() for future in as_completed([workers.submit(one, start) for start in starts]))
    done = 0
    for start, result in made:
        yield result
        stop = min(start + ROW_BLOCK, n)
        done += stop * (stop - 1) // 2 - start * (start - 1) // 2
        if progress is not None:
            progress(done, n * (n - 1) // 2)


def _settled(upper: _Upper, squared: np.ndarray, ties: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decides between columns that are equally near but for the last digits."""
    points, n = upper.points, len(squared)
    near, exact = np.full(n, NO_ROW, np.int64), np.full(n, np.inf)
    few = np.flatnonzero(count <= MOST_TIES)
    at, place = np.nonzero(np.arange(MOST_TIES) < count[few, None])
    _take_nearest(points, few[at], ties[few[at], place].astype(np.int64), near, exact)
    many = np.flatnonzero(count > MOST_TIES)
    limit = 1 - squared * (1 + TOLERANCE) / 2 - upper.slack
    size = max(1, SETTLE_VALUES // max(n, 1))
    for start in range(0, len(many), size):
        rows = many[start : start + size]
        scores = upper.vectors[rows] @ upper.vectors[: rows[-1]].T
        at, columns = np.nonzero((scores >= limit[rows, None]) & (np.arange(rows[-1]) < rows[:, None]))
        _take_nearest(points, rows[at], columns, near, exact)
    return near, exact


def _take_nearest(
    points: np.ndarray, rows: np.ndarray, columns: np.ndarray, near: np.ndarray, exact: np.ndarray
) -> None:
    """Sets `near` and `exact` of rows to the nearest of the columns paired with them, the lowest of equals."""
    squared = pair_squared_distances(points, rows, columns) if len(rows) else np.empty(0)
    order = np.lexsort((columns, squared, rows))
    leads = np.ones(len(order), bool)
    leads[1:] = rows[order[1:]] != rows[order[:-1]]
    best = order[leads]
    near[rows[best]], exact[rows[best]] = columns[best], squared[best]


# ---------------------------------------------------------------------- on a GPU


def _pairs_on_device(
    points: np.ndarray, at_least: float, most: int, device: str, progress: Progress | None
) -> Iterator[Pairs]:
    """As `_pairs`, with products of the whole width by torch."""
    limit = at_least - _Upper.of(points).slack
    for rows, columns in _candidates_on_device(points, lambda best: limit, device, progress):
        yield _near_enough(points, rows, columns, at_least)


def _earlier_on_device(points: np.ndarray, device: str, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """As `_earlier`, with products of the whole width by torch."""
    near, exact = np.full(len(points), NO_ROW, np.int64), np.full(len(points), np.inf)
    slack = _Upper.of(points).slack
    for rows, columns in _candidates_on_device(points, lambda best: best - 2 * slack, device, progress):
        _take_nearest(points, rows, columns, near, exact)
    return near, exact


def _candidates_on_device(
    points: np.ndarray, limit: Callable[[Any], Any], device: str, progress: Progress | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (row, earlier row) whose product reaches `limit(largest product of the row)`, block by block.

    Blocks shrink when memory does not suffice.
    """
    import torch

    n = len(points)
    on_device = torch.from_numpy(points).to(device)
    index = torch.arange(n, device=device)
    block = max(1, min(8192, DEVICE_BLOCK_VALUES // max(n, 1)))
    start = 0
    while start < n:
        stop = min(start + block, n)
        try:
            with full_precision():
                scores = on_device[start:stop] @ on_device[:stop].T
                scores[index[:stop] >= index[start:stop, None]] = -torch.inf
                bound = limit(scores.max(dim=1, keepdim=True).values)
                rows, columns = torch.nonzero((scores >= bound) & (scores > -torch.inf), as_tuple=True)
                found = (rows + start).cpu().numpy(), columns.cpu().numpy()
        except torch.OutOfMemoryError:
            if block == 1:
                raise
            block = max(1, block // 2)
            log.info("memory of %s does not suffice; working on %d rows at once", device, block)
            continue
        yield found
        start = stop
        if progress is not None:
            progress(start * (start - 1) // 2, n * (n - 1) // 2)
