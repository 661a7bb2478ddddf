"""The rows of a pool that are nearest to queries from elsewhere, exactly, without a matrix of all pairs.

Queries may stand in groups: a row's distance to a group is that to its nearest query. Every answer is decided on the
squared distance that `curation.linalg.distances` defines, equal distances by the lowest row and then by the lowest
query; matrix products only give lower bounds that rule rows out, so blocks and devices cannot change a result.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.core.errors import DataError
from curation.linalg.distances import (
    FLOAT32_SAFE,
    bound_share,
    finite_points,
    pair_squared_distances,
    squared_norms,
)

log = logging.getLogger(__name__)

QUERY_BLOCK = 512
ROW_BLOCK = 16_384
SPARE = 8  # candidates beyond k: room for rounding, so that hardly any group needs a second look
SPARE_SHARE = 1 / 16  # and this share of k: far down a list distances lie closer together than the bounds tell apart
MEASURE_VALUES = 1 << 24  # bounds held at once while a group's nearest query is looked for
SETTLE_VALUES = 1 << 26  # pairs that a second look may gather at once

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NearestRows:
    """The k nearest rows of every group of queries.

    Args:
        rows: int64 `[g, k]`, nearest first, equals by the lowest row; -1 where there are no more.
        squared: float64 `[g, k]`, squared distances, inf there.
        queries: int64 `[g, k]`, the query of the group that is nearest to the row, the lowest of equals; -1 there.
    """

    rows: np.ndarray
    squared: np.ndarray
    queries: np.ndarray


class QuerySearch:
    """Answers which rows are nearest to queries.

    Args:
        points: `[n, d]`, finite, n ≥ 1. Unit rows give the order of the cosine: 1 − squared / 2.
        queries: `[v, d]`, finite, v ≥ 1.
        groups: Queries of each group, int64, none empty; None = each query is a group of its own.
        device: Where the products run: "cpu", or one of torch's.

    Raises:
        DataError: points or queries that are not finite, or of different widths.
    """

    def __init__(
        self,
        points: np.ndarray,
        queries: np.ndarray,
        *,
        groups: Sequence[np.ndarray] | None = None,
        device: str = "cpu",
    ) -> None:
        points, queries = finite_points(points), finite_points(queries)
        if points.shape[1] != queries.shape[1]:
            raise DataError(
                f"the queries have {queries.shape[1]} numbers each, the rows {points.shape[1]}",
                "embed both with the same encoder",
            )
        self._query_norms = squared_norms(queries)
        if self._query_norms.max() > FLOAT32_SAFE[1]:
            points = points.astype(np.float64, copy=False)
        self.points, self.queries, self.device = points, queries, device
        self._norms = squared_norms(points)
        self._share = bound_share(points)
        self._low = ((1 - self._share) * self._norms).astype(points.dtype)
        self._query_low = ((1 - self._share) * self._query_norms).astype(points.dtype)
        # rounding queries to the precision of the products costs one unit of roundoff, for which the bound has room
        self._twice = (2 * queries).astype(points.dtype)  # [v, d]
        self._groups = None if groups is None else [np.asarray(g, np.int64) for g in groups]
        self._there: Any = None  # the points on the device, once they are needed

    def __len__(self) -> int:
        """Number of groups."""
        return len(self.queries) if self._groups is None else len(self._groups)

    def members(self, group: int) -> np.ndarray:
        """Queries of a group, int64."""
        return np.array([group]) if self._groups is None else self._groups[group]

    def nearest(
        self,
        k: int,
        *,
        which: np.ndarray | None = None,
        among: np.ndarray | None = None,
        within: float = np.inf,
        progress: Progress | None = None,
    ) -> NearestRows:
        """Finds the k nearest rows of some groups.

        Costs v·n·d by matrix products, and memory for the answer and one block.

        Args:
            k: Rows per group, ≥ 1.
            which: int64, groups to answer; None = all.
            among: int64, increasing: rows to look at; None = all.
            within: Squared distance from which on rows need not be told exactly.
            progress: Called with (groups done, groups).
        """
        which = np.arange(len(self)) if which is None else np.asarray(which, np.int64)
        count = len(self.points) if among is None else len(among)
        shape = (len(which), k)
        rows, squared = np.full(shape, NO_ROW, np.int64), np.full(shape, np.inf)
        queries = np.full(shape, NO_ROW, np.int64)
        want = min(k, count)
        done = 0
        for part in self._parts(which) if want else ():
            here = slice(done, done + len(part))
            found = self._nearest(part, want, among, within)
            rows[here, :want], squared[here, :want], queries[here, :want] = found
            done += len(part)
            if progress is not None:
                progress(done, len(which))
        return NearestRows(rows, squared, queries)

    def measure(self, group: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances of some rows to a group, float64 `[m]`, and its query that is nearest, int64 `[m]`."""
        members = self.members(group)
        if len(members) == 1:
            squared = pair_squared_distances(self.points, rows, members, other_points=self.queries)
            return squared, np.full(len(rows), members[0])
        squared, queries = np.empty(len(rows)), np.empty(len(rows), np.int64)
        block = max(1, MEASURE_VALUES // len(members))
        slack = 2 * self._share * (self._norms[rows] + self._query_norms[members].max())
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            some = rows[part]
            lower = self._low[some, None] + self._query_low[members] - self.points[some] @ self._twice[members].T
            at, member = np.nonzero(lower <= (lower.min(axis=1) + slack[part])[:, None])
            exact = np.full(lower.shape, np.inf)
            exact[at, member] = pair_squared_distances(
                self.points, some[at], members[member], other_points=self.queries
            )
            best = exact.argmin(axis=1)  # the first of equals: groups hold their queries in order
            squared[part], queries[part] = exact[np.arange(len(some)), best], members[best]
        return squared, queries

    # ------------------------------------------------------------------ inside

    def _parts(self, which: np.ndarray) -> Iterator[np.ndarray]:
        """Groups in parts of at most QUERY_BLOCK queries; a larger group is a part of its own."""
        if self._groups is None:
            yield from (which[start : start + QUERY_BLOCK] for start in range(0, len(which), QUERY_BLOCK))
            return
        part: list[int] = []
        held = 0
        for group in which.tolist():
            size = len(self._groups[group])
            if part and held + size > QUERY_BLOCK:
                yield np.array(part)
                part, held = [], 0
            part.append(group)
            held += size
        if part:
            yield np.array(part)

    def _nearest(
        self, part: np.ndarray, want: int, among: np.ndarray | None, within: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count = len(self.points) if among is None else len(among)
        candidates = min(want + SPARE + int(SPARE_SHARE * want), count)
        bounds, columns = self._candidates(part, candidates, among)
        columns.sort(axis=1)
        rows = columns if among is None else among[columns]
        exact, queries = np.empty(rows.shape), np.empty(rows.shape, np.int64)
        if self._groups is None:
            pairs = pair_squared_distances(
                self.points, rows.ravel(), np.repeat(part, candidates), other_points=self.queries
            )
            exact[:], queries[:] = pairs.reshape(rows.shape), part[:, None]
        else:
            for place, group in enumerate(part.tolist()):
                exact[place], queries[place] = self.measure(group, rows[place])
        order = np.argsort(exact, axis=1, kind="stable")[:, :want]
        rows, exact, queries = (np.take_along_axis(a, order, 1) for a in (rows, exact, queries))
        if candidates < count:
            beyond = -bounds.min(axis=1).astype(np.float64)  # the least bound of all rows that were left aside
            unsettled = np.flatnonzero((exact[:, -1] >= beyond) & (beyond < within))
            step = max(1, SETTLE_VALUES // count)
            for start in range(0, len(unsettled), step):
                places = unsettled[start : start + step]
                found = self._settle(part[places], exact[places, -1], want, among)
                rows[places], exact[places], queries[places] = found
        return rows, exact, queries

    def _settle(
        self, part: np.ndarray, limits: np.ndarray, want: int, among: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Answers groups by measuring every row whose bound allows it: equal distances, or nearly, at the last row."""
        log.debug("%d groups of queries have equal or nearly equal distances at their last row", len(part))
        groups, columns = [], []
        for left, scores in self._scores(part, among):
            group, column = np.nonzero(scores >= -limits[:, None])
            groups.append(group)
            columns.append(column + left)
        at, found = np.concatenate(groups), np.concatenate(columns)
        shape = (len(part), want)
        rows, squared, queries = np.empty(shape, np.int64), np.empty(shape), np.empty(shape, np.int64)
        for place, group in enumerate(part.tolist()):
            some = found[at == place]
            some = some if among is None else among[some]
            exact, nearest = self.measure(group, some)
            order = np.argsort(exact, kind="stable")[:want]
            rows[place], squared[place], queries[place] = some[order], exact[order], nearest[order]
        return rows, squared, queries

    def _candidates(self, part: np.ndarray, count: int, among: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The highest negative bounds of each group `[g, count]`, in any order, and which columns they belong to."""
        from curation.linalg.top import MOST_KEPT, keep_top

        if self.device != "cpu":
            return self._on_device(part, count, among)
        kept = np.full((len(part), count), -np.inf, self.points.dtype)
        columns = np.zeros((len(part), count), np.int64)
        for left, scores in self._scores(part, among):
            if count <= MOST_KEPT:
                keep_top(scores, left, kept, columns)
            else:
                kept, columns = _keep_best(kept, columns, scores, left)
        return kept, columns

    def _scores(self, part: np.ndarray, among: np.ndarray | None) -> Iterator[tuple[int, np.ndarray]]:
        """Block by block of rows: number of its first column, and negative lower bounds `[g, b]`."""
        members = [self.members(group) for group in part.tolist()]
        starts = np.cumsum([0, *(len(m) for m in members)])[:-1]
        queries = np.concatenate(members)
        count = len(self.points) if among is None else len(among)
        for left in range(0, count, ROW_BLOCK):
            rows = slice(left, min(left + ROW_BLOCK, count)) if among is None else among[left : left + ROW_BLOCK]
            block = self.points[rows]
            if len(part) == 1:
                scores = np.full((1, len(block)), -np.inf, self.points.dtype)
                for start in range(0, len(queries), QUERY_BLOCK):
                    some = queries[start : start + QUERY_BLOCK]
                    np.maximum(scores, self._products(some, block).max(axis=0, keepdims=True), out=scores)
            else:
                scores = self._products(queries, block)
                if len(queries) > len(part):
                    scores = np.maximum.reduceat(scores, starts, axis=0)
            scores -= self._low[rows]
            yield left, scores

    def _products(self, queries: np.ndarray, block: np.ndarray) -> np.ndarray:
        scores = self._twice[queries] @ block.T
        scores -= self._query_low[queries, None]
        return scores

    def _on_device(self, part: np.ndarray, count: int, among: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """As `_candidates`, with products and the choice of the best by torch; blocks shrink with memory."""
        import torch

        from curation.linalg.products import full_precision

        def there(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

        if self._there is None:
            self._there = (there(self.points), there(self._low))
        points, low = self._there
        members = [self.members(group) for group in part.tolist()]
        queries = np.concatenate(members)
        twice, query_low = there(self._twice[queries]), there(self._query_low[queries])[:, None]
        group_of = there(np.repeat(np.arange(len(part)), [len(m) for m in members]))
        rows = there(np.arange(len(self.points)) if among is None else among)
        kept = torch.full((len(part), 0), -torch.inf, dtype=points.dtype, device=self.device)
        columns = torch.zeros((len(part), 0), dtype=torch.int64, device=self.device)
        left, block = 0, 8 * ROW_BLOCK
        while left < len(rows):
            some = rows[left : left + block]
            try:
                with full_precision():
                    scores = twice @ points[some].T - query_low
                if len(queries) > len(part):
                    empty = torch.full((len(part), len(some)), -torch.inf, dtype=scores.dtype, device=self.device)
                    scores = empty.scatter_reduce_(0, group_of[:, None].expand_as(scores), scores, "amax")
                scores -= low[some]
                here = torch.arange(left, left + len(some), device=self.device).expand(len(part), -1)
                both, both_columns = torch.cat([kept, scores], 1), torch.cat([columns, here], 1)
                top = torch.topk(both, min(count, both.shape[1]), dim=1)
            except torch.OutOfMemoryError:
                if block == 1:
                    raise
                block = max(1, block // 2)
                log.info("memory of %s does not suffice; working on %d rows at once", self.device, block)
                continue
            kept, columns = top.values, torch.gather(both_columns, 1, top.indices)
            left += len(some)
        return kept.cpu().numpy(), columns.cpu().numpy()


def _keep_best(kept: np.ndarray, columns: np.ndarray, scores: np.ndarray, left: int) -> tuple[np.ndarray, np.ndarray]:
    """The highest of `kept` and of a new block, for more of them than `keep_top` is quick with."""
    want = kept.shape[1]
    hits = scores > kept.min(axis=1)[:, None]
    counts = hits.sum(axis=1)
    most = int(counts.max(initial=0))
    if not most:
        return kept, columns
    row, column = np.nonzero(hits)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    more, more_columns = np.full((len(kept), most), -np.inf, kept.dtype), np.zeros((len(kept), most), np.int64)
    more[row, place], more_columns[row, place] = scores[row, column], column + left
    both, both_columns = np.hstack([kept, more]), np.hstack([columns, more_columns])
    best = np.argpartition(both, both.shape[1] - want, axis=1)[:, both.shape[1] - want :]
    return np.take_along_axis(both, best, 1), np.take_along_axis(both_columns, best, 1)
