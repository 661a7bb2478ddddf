"""Groups of duplicates from pairs of similar rows, by single linkage.

Two rows are in one group when a chain of links leads from one to the other. What is kept is the maximum spanning
forest: for every row but the first of its group, one link `of[i]` with its similarity. Cutting the links below a
higher threshold gives exactly the groups of that threshold, so a threshold can be raised without comparing anything
again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph


@dataclass(frozen=True)
class Links:
    """A forest over rows; the first (lowest) row of each group is its root.

    Args:
        of: int64 `[n]`: the row that this one is linked to, -1 for roots and rows without a duplicate.
        similarity: float64 `[n]`: similarity to `of`, NaN where there is none.
    """

    of: np.ndarray
    similarity: np.ndarray

    def cut(self, threshold: float) -> Links:
        """The forest of a higher threshold: links below it are gone, the rest is rooted again at each lowest row.

        Args:
            threshold: Similarity, the same scale as `similarity`.
        """
        rows = np.flatnonzero((self.of >= 0) & (self.similarity >= threshold))
        return link(len(self.of), rows, self.of[rows], self.similarity[rows])

    def above(self, threshold: float) -> Links:
        """The links of at least this similarity, not rooted again: enough for `first`, and 30 times faster than `cut`.

        Args:
            threshold: Similarity, the same scale as `similarity`.
        """
        kept = (self.of >= 0) & (self.similarity >= threshold)
        return Links(np.where(kept, self.of, -1), np.where(kept, self.similarity, np.nan))

    def first(self) -> np.ndarray:
        """The lowest row of every row's group, int64 `[n]`; rows without a duplicate name themselves."""
        n = len(self.of)
        rows = np.flatnonzero(self.of >= 0)
        graph = sp.csr_array((np.ones(len(rows), np.int8), (rows, self.of[rows])), shape=(n, n))
        component = csgraph.connected_components(graph, directed=False)[1]
        # components come numbered in the order of their lowest row, but that is not promised
        lowest = np.full(n, n, np.int64)
        np.minimum.at(lowest, component, np.arange(n))
        return lowest[component]

    def weakest(self, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How every row hangs together with the kept row of its group.

        The number is the weakest similarity on the chain between the two: the highest threshold at which they are
        still in one group. For a direct link it is that link's similarity.

        Args:
            kept: int64, one row of each group that has one.

        Returns:
            `by` int64 `[n]`: the kept row, -1 for kept rows and groups without one; `similarity` float64 `[n]`, NaN
            there.
        """
        n = len(self.of)
        rows = np.flatnonzero(self.of >= 0)
        similarity_of = _either_way(rows, self.of[rows], self.similarity[rows])
        neighbours: dict[int, list[int]] = {}
        for row, other in zip(rows.tolist(), self.of[rows].tolist(), strict=True):
            neighbours.setdefault(row, []).append(other)
            neighbours.setdefault(other, []).append(row)
        by = np.full(n, -1, np.int64)
        weakest = np.full(n, np.nan)
        for root in kept.tolist():
            reached = [(root, np.inf)]
            seen = {root}
            while reached:
                row, value = reached.pop()
                for other in neighbours.get(row, ()):
                    if other not in seen:
                        seen.add(other)
                        by[other], weakest[other] = root, min(value, similarity_of[row, other])
                        reached.append((other, weakest[other]))
        return by, weakest


def link(n: int, rows: np.ndarray, others: np.ndarray, similarity: np.ndarray) -> Links:
    """The maximum spanning forest of similar pairs, each tree hung from its lowest row.

    Costs O(m log m) for m pairs. Among equally similar pairs the one with the lower rows wins, so the order in which
    the pairs come does not matter.

    Args:
        n: Number of rows.
        rows: int `[m]`, one row of each pair.
        others: int `[m]`, the other row; a row paired with itself is ignored.
        similarity: float `[m]`, finite. A pair may come twice.

    Returns:
        The forest.
    """
    low, high = np.minimum(rows, others).astype(np.int64), np.maximum(rows, others).astype(np.int64)
    similarity = np.asarray(similarity, np.float64)
    order = np.lexsort((high, low, -similarity))
    order = order[low[order] < high[order]]
    low, high, similarity = low[order], high[order], similarity[order]
    first_time = np.unique(low * n + high, return_index=True)[1]
    rank = np.sort(first_time)
    low, high, similarity = low[rank], high[rank], similarity[rank]

    # weights are ranks: all different and none zero, so that the forest is unique
    graph = sp.csr_array((np.arange(1.0, len(low) + 1), (low, high)), shape=(n, n))
    tree = csgraph.minimum_spanning_tree(graph).tocoo()
    kept = tree.data.astype(np.int64) - 1
    links = Links(np.full(n, -1, np.int64), np.full(n, np.nan))
    if not len(kept):
        return links
    component = csgraph.connected_components(tree, directed=False)[1]
    lowest = np.full(n, n, np.int64)
    np.minimum.at(lowest, component, np.arange(n))
    roots = np.unique(lowest[component])
    # one extra node above all roots lets a single walk hang every tree
    top = sp.csr_array(
        (
            np.ones(len(kept) + len(roots)),
            (np.concatenate([low[kept], np.full(len(roots), n)]), np.concatenate([high[kept], roots])),
        ),
        shape=(n + 1, n + 1),
    )
    parent = csgraph.breadth_first_order(top, n, directed=False)[1][:n].astype(np.int64)
    rows = np.flatnonzero((parent >= 0) & (parent < n))
    links.of[rows] = parent[rows]
    found = _either_way(low[kept], high[kept], similarity[kept])
    links.similarity[rows] = [found[pair] for pair in zip(rows.tolist(), parent[rows].tolist(), strict=True)]
    return links


def _either_way(rows: np.ndarray, others: np.ndarray, values: np.ndarray) -> dict[tuple[int, int], float]:
    pairs = {}
    for row, other, value in zip(rows.tolist(), others.tolist(), values.tolist(), strict=True):
        pairs[row, other] = pairs[other, row] = value
    return pairs
