"""The k nearest neighbours of every row: exact by blocked matrix products, approximate above a stated size."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.core.errors import CurationError
from curation.linalg.cells import cell_neighbours
from curation.linalg.distances import (
    Metric,
    all_unit_rows,
    bound_share,
    finite_points,
    pair_squared_distances,
    squared_norms,
)
from curation.linalg.products import full_precision

log = logging.getLogger(__name__)

EXACT_UP_TO = 100_000
"""Rows up to which the graph is exact by default. Exact time grows with the square of the rows."""

RECALL_SAMPLE = 1000
SPARE = 8  # candidates beyond k: room for rounding, so that hardly any row needs a second look
QUERY_BLOCK = 1024
FIRST_COLUMNS = 2048
COLUMN_BLOCK = 4096
SCAN_BLOCK = 16_384  # where scores are scanned and not sorted: fewer turns between the threads of both kinds of work
DESCENT_FACTOR, DESCENT_LEAST = 3, 45  # neighbours searched for each one wanted: recall rises with them
DEVICE_BLOCK_VALUES = 1 << 28  # similarities held at once on a GPU: 1 GiB of float32

Approximate = Literal["descent", "cells"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NearestNeighbours:
    """The k nearest other rows of every row.

    Args:
        indices: int32 `[n, k]`, nearest first, equals by the lowest row; -1 where a row has fewer than k others.
        distances: float32 `[n, k]`, inf where there is none.
        recall: Share of the true neighbours that are in `indices`; 1.0 when exact, else measured on a sample of rows.
        exact: False when found by the approximate way.
    """

    indices: np.ndarray
    distances: np.ndarray
    recall: float
    exact: bool


def nearest_neighbours(
    points: np.ndarray,
    k: int,
    *,
    metric: Metric = "cosine",
    exact_up_to: int = EXACT_UP_TO,
    approximate: Approximate = "descent",
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> NearestNeighbours:
    """Finds the k nearest other rows of every row.

    Up to `exact_up_to` rows the answer is exact: equal to sorting all float64 distances by (distance, row) with the row
    itself left out. Above, NN-descent (Dong, Charikar and Li 2011, by the package pynndescent) finds most of them, or
    `linalg.cells` fewer in less time; how many is measured against the exact answer on a random sample of 1,000 rows.

    Exact costs n²·d by matrix products, in O(block·n) memory at most; the approximate way about n·log n. On 29,701 real
    rows (TF-IDF + SVD, 384 wide, k = 15) the approximate way had a recall of 0.998, on planted clusters 0.965.

    Args:
        points: `[n, d]`, finite; for "cosine" no row may have length zero.
        k: Neighbours per row, ≥ 1.
        metric: "cosine" (1 − cos, 0 to 2) or "euclidean".
        exact_up_to: Above this number of rows the answer is approximate. It changes results, the device does not.
        approximate: Which way, "descent" or "cells".
        seed: For the approximate way and the sample.
        device: "cpu", or a device of torch ("cuda") for the products of the exact way.
        progress: Called with (rows done, n).

    Raises:
        DataError: rows that are not finite or have no direction.
        CurationError: k below 1.
    """
    if k < 1:
        raise CurationError(f"{k} neighbours per row is below 1", "ask for at least one neighbour")
    points = finite_points(all_unit_rows(points) if metric == "cosine" else points)
    if len(points) <= exact_up_to:
        indices, squared = exact_neighbours(points, np.arange(len(points)), k, device=device, progress=progress)
        recall, exact = 1.0, True
    else:
        search = cell_neighbours if approximate == "cells" else _descent
        indices, squared = search(points, k, seed=seed)
        size = min(RECALL_SAMPLE, len(points))
        sample = np.sort(np.random.default_rng(seed).choice(len(points), size, replace=False))
        truth, _ = exact_neighbours(points, sample, k, device=device, progress=progress)
        recall, exact = recall_of(indices[sample], truth), False
        log.info("approximate neighbours of %d rows: recall %.4f on %d rows", len(points), recall, len(sample))
    distances = squared / 2 if metric == "cosine" else np.sqrt(squared)
    return NearestNeighbours(indices.astype(np.int32), distances.astype(np.float32), recall, exact)


def recall_of(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true neighbours that were found; both int `[m, k]`, -1 = none."""
    hits = sum(len(np.intersect1d(a, b[b >= 0])) for a, b in zip(found, truth, strict=True))
    return hits / max(1, int((truth >= 0).sum()))


# ---------------------------------------------------------------------- exact


def exact_neighbours(
    points: np.ndarray, queries: np.ndarray, k: int, *, device: str = "cpu", progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other rows of some rows, Euclidean, exactly.

    Identical rows are compared once and their answers spread, so ten thousand copies of one row cost as much as one.

    Args:
        points: `[n, d]` float32 or float64, finite.
        queries: int64 `[m]`.
        k: ≥ 1.
        device: Where the products run.
        progress: Called with (distinct queries done, distinct queries).

    Returns:
        int64 `[m, k]` rows, -1 where there are no more, and float64 `[m, k]` squared distances, inf there.
    """
    copies = _sets_of_copies(points)
    if len(copies) == len(points):
        return _distinct_neighbours(points, queries, k, device, progress)
    first = np.array([rows[0] for rows in copies])
    set_of = np.empty(len(points), np.int64)
    set_of[np.concatenate(copies)] = np.repeat(np.arange(len(copies)), [len(rows) for rows in copies])
    asked, place = np.unique(set_of[queries], return_inverse=True)
    found, squared = _distinct_neighbours(points[first], asked, k, device, progress)

    indices = np.where(found == NO_ROW, NO_ROW, first[found])[place]
    distances = squared[place]
    many = np.array([len(rows) > 1 for rows in copies])
    touched = many[asked] | (many[found] & (found != NO_ROW)).any(axis=1)
    queries_of = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    for one in np.flatnonzero(touched):
        near = found[one][found[one] != NO_ROW]
        # one more than wanted of each set, because the row itself is left out below
        rows = [copies[each][: k + 1] for each in (asked[one], *near)]
        exact = np.repeat([0.0, *squared[one][: len(near)]], [len(each) for each in rows])
        columns = np.concatenate(rows)
        nearest = np.lexsort((columns, exact))
        for query in queries_of[one]:
            others = nearest[columns[nearest] != queries[query]][:k]
            indices[query, : len(others)] = columns[others]
            distances[query, : len(others)] = exact[others]
    return indices, distances


def _sets_of_copies(points: np.ndarray) -> list[np.ndarray]:
    """Rows in sets of identical ones: each set increasing, the sets in the order of their first rows."""
    same_zero = points + 0.0  # -0.0 and 0.0 are equal numbers of different bytes
    as_bytes = same_zero.view(np.dtype((np.void, same_zero.dtype.itemsize * same_zero.shape[1]))).ravel()
    first, code = np.unique(as_bytes, return_index=True, return_inverse=True)[1:]
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    code = rank[code.ravel()]
    return np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])


def _distinct_neighbours(
    points: np.ndarray, queries: np.ndarray, k: int, device: str, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """As `exact_neighbours`, which handles identical rows before.

    Products give each pair a lower bound of its distance; the k + 8 rows with the lowest bounds are measured exactly.
    When the k-th of them is nearer than every other row's bound, they hold the answer. The few rows for which that
    cannot be said (equal distances, or nearly) are settled by measuring every row whose bound allows it.
    """
    n, m = len(points), len(queries)
    indices, squared = np.full((m, k), NO_ROW, np.int64), np.full((m, k), np.inf)
    wanted, candidates = min(k, n - 1), min(k + SPARE, n - 1)
    if not wanted:
        return indices, squared
    bounds = _Bounds(points)
    unsettled = []
    done = 0
    for rows, columns, beyond in _blocks_of_candidates(bounds, queries, candidates, device):
        columns.sort(axis=1)
        exact = pair_squared_distances(points, np.repeat(rows, candidates), columns.ravel()).reshape(columns.shape)
        nearest = np.argsort(exact, axis=1, kind="stable")[:, :wanted]  # [b, wanted]
        part = slice(done, done + len(rows))
        indices[part, :wanted] = np.take_along_axis(columns, nearest, 1)
        squared[part, :wanted] = np.take_along_axis(exact, nearest, 1)
        unsettled.append(done + np.flatnonzero(squared[part, wanted - 1] >= beyond))
        done += len(rows)
        if progress is not None:
            progress(done, m)
    left = np.concatenate(unsettled)
    if len(left):
        log.debug("%d of %d rows have equal or nearly equal distances at their last neighbour", len(left), m)
        _settle(bounds, queries, left, wanted, indices, squared)
    return indices, squared


class _Bounds:
    """Lower bounds of squared distances: `low_i + low_j − 2·x_i·x_j`; see `distances.bound_share`."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        norms = squared_norms(points)
        low = (1 - bound_share(points)) * norms
        self.low = low.astype(points.dtype)
        # Where all rows are about as long (unit rows), the least length serves all columns and saves a pass.
        smallest, largest = float(norms.min()), float(norms.max())
        self.even = largest - smallest <= 1e-5 * largest
        self._least = float(self.low.min()) if self.even else 0.0
        self._buffer = np.empty(0, points.dtype)

    def scores(self, rows: np.ndarray, columns: slice) -> np.ndarray:
        """`x_i·x_j − low_j/2` `[len(rows), columns]`: the higher, the nearer the column may be.

        Without the second term where all rows are about as long. The array is overwritten by the next call, because
        fresh memory for every block costs as much as a narrow product.
        """
        right = self.points[columns]
        shape = (len(rows), len(right))
        if shape[0] * shape[1] > len(self._buffer):
            self._buffer = np.empty(shape[0] * shape[1], self.points.dtype)
        scores = self._buffer[: shape[0] * shape[1]].reshape(shape)
        np.matmul(self.points[rows], right.T, out=scores)
        if not self.even:
            scores -= self.low[columns] / 2
        return scores

    def from_scores(self, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Lower bounds, float64, of scores `[len(rows)]` or `[len(rows), c]`."""
        low = self.low[rows].astype(np.float64) + self._least
        return (low if scores.ndim == 1 else low[:, None]) - 2 * scores.astype(np.float64)


def _blocks_of_candidates(
    bounds: _Bounds, queries: np.ndarray, want: int, device: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per block of queries: rows [b], columns with the lowest bounds [b, want], least bound of all others [b]."""
    on_cpu = device == "cpu" or (device == "mps" and bounds.points.dtype == np.float64)  # which MPS does not have
    if not on_cpu:
        yield from _on_device(bounds, queries, want, device)
        return
    from curation.linalg.top import MOST_KEPT, keep_top

    n = len(bounds.points)
    for start in range(0, len(queries), QUERY_BLOCK):
        rows = queries[start : start + QUERY_BLOCK]
        if want <= MOST_KEPT:
            kept, columns = (
                np.full((len(rows), want), -np.inf, bounds.points.dtype),
                np.zeros((len(rows), want), np.int64),
            )
            for left in range(0, n, SCAN_BLOCK):
                scores = bounds.scores(rows, slice(left, left + SCAN_BLOCK))
                _forget_self(scores, rows, left)
                keep_top(scores, left, kept, columns)
            yield rows, columns, np.full(len(rows), np.inf) if want == n - 1 else bounds.from_scores(rows, kept[:, -1])
            continue
        first = min(n, max(FIRST_COLUMNS, 2 * want))
        scores = bounds.scores(rows, slice(0, first))
        _forget_self(scores, rows, 0)
        columns = np.argpartition(scores, first - want, axis=1)[:, first - want :]
        kept = np.take_along_axis(scores, columns, 1)
        for left in range(first, n, COLUMN_BLOCK):
            scores = bounds.scores(rows, slice(left, left + COLUMN_BLOCK))
            _forget_self(scores, rows, left)
            kept, columns = _merge(kept, columns, scores, left)
        nothing_else = want == n - 1
        beyond = np.full(len(rows), np.inf) if nothing_else else bounds.from_scores(rows, kept.min(axis=1))
        yield rows, columns, beyond


def _forget_self(scores: np.ndarray, rows: np.ndarray, left: int) -> None:
    here = np.flatnonzero((rows >= left) & (rows < left + scores.shape[1]))
    scores[here, rows[here] - left] = -np.inf


def _merge(kept: np.ndarray, columns: np.ndarray, scores: np.ndarray, left: int) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the highest scores of `kept` and a new block; only those above the worst kept are looked at."""
    want = kept.shape[1]
    hits = np.flatnonzero(scores > kept.min(axis=1)[:, None])
    if not len(hits):
        return kept, columns
    row, column = np.divmod(hits, scores.shape[1])
    counts = np.bincount(row, minlength=len(kept))
    place = np.arange(len(hits)) - (np.cumsum(counts) - counts)[row]
    more = np.full((len(kept), int(counts.max())), -np.inf, kept.dtype)
    more_columns = np.zeros(more.shape, np.int64)
    more[row, place] = scores.ravel()[hits]
    more_columns[row, place] = column + left
    both, both_columns = np.hstack([kept, more]), np.hstack([columns, more_columns])
    best = np.argpartition(both, both.shape[1] - want, axis=1)[:, both.shape[1] - want :]
    return np.take_along_axis(both, best, 1), np.take_along_axis(both_columns, best, 1)


def _settle(
    bounds: _Bounds, queries: np.ndarray, left: np.ndarray, wanted: int, indices: np.ndarray, squared: np.ndarray
) -> None:
    """Answers the queries at places `left` by measuring every row that may be among the wanted ones."""
    points = bounds.points
    block = max(1, QUERY_BLOCK * COLUMN_BLOCK // len(points))
    for start in range(0, len(left), block):
        places = left[start : start + block]
        rows = queries[places]
        lower = bounds.from_scores(rows, bounds.scores(rows, slice(None)))
        lower[np.arange(len(rows)), rows] = np.inf
        for place, row, low in zip(places, rows, lower, strict=True):
            columns = np.flatnonzero(low <= squared[place, wanted - 1])
            exact = pair_squared_distances(points, columns, np.array([row]))
            nearest = np.argsort(exact, kind="stable")[:wanted]
            indices[place, :wanted] = columns[nearest]
            squared[place, :wanted] = exact[nearest]


# ---------------------------------------------------------------------- on a GPU


def _on_device(
    bounds: _Bounds, queries: np.ndarray, want: int, device: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """As `_blocks_of_candidates`, with products and top-k by torch; blocks shrink when memory does not suffice."""
    import torch

    n = len(bounds.points)
    points = torch.from_numpy(np.ascontiguousarray(bounds.points)).to(device)
    half = None if bounds.even else torch.from_numpy(bounds.low / 2).to(device)
    block = max(1, min(8192, DEVICE_BLOCK_VALUES // n))
    start = 0
    while start < len(queries):
        rows = queries[start : start + block]
        try:
            with full_precision():
                at = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
                scores = points[at] @ points.T
                if half is not None:
                    scores -= half
                scores[torch.arange(len(rows), device=device), at] = -torch.inf
                top = torch.topk(scores, want, dim=1)
                kept, columns = top.values.cpu().numpy(), top.indices.cpu().numpy()
        except torch.OutOfMemoryError:
            if block == 1:
                raise
            block = max(1, block // 2)
            log.info("memory of %s does not suffice; working on %d rows at once", device, block)
            continue
        beyond = np.full(len(rows), np.inf) if want == n - 1 else bounds.from_scores(rows, kept.min(axis=1))
        yield rows, columns, beyond
        start += len(rows)


# ---------------------------------------------------------------------- approximate


def _descent(points: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """NN-descent; the neighbours it found are measured and sorted as the exact ones are, and the nearest k kept."""
    from pynndescent import NNDescent

    searched = min(len(points) - 1, max(DESCENT_FACTOR * k, DESCENT_LEAST)) + 1  # the row itself is among them
    index = NNDescent(points, metric="euclidean", n_neighbors=searched, random_state=seed, compressed=False)
    found, _ = index.neighbor_graph
    n = len(points)
    columns = np.where(found == np.arange(n)[:, None], NO_ROW, found).astype(np.int64)  # [n, searched]
    columns.sort(axis=1)
    squared = np.full(columns.shape, np.inf)
    rows, places = np.nonzero(columns >= 0)
    squared[rows, places] = pair_squared_distances(points, rows, columns[rows, places])
    best = np.argsort(squared, axis=1, kind="stable")[:, :k]
    squared = np.take_along_axis(squared, best, 1)
    indices = np.where(np.isfinite(squared), np.take_along_axis(columns, best, 1), NO_ROW)
    short = np.flatnonzero(indices[:, -1] == NO_ROW)
    if len(short):  # descent can end with fewer than asked for; those rows get the exact answer
        indices[short], squared[short] = exact_neighbours(points, short, k)
    return indices, squared
