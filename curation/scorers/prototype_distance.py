"""Distance to the centroid of one's cluster: small for a typical row, large for an odd one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from curation.core.artifacts import NO_ROW, Features, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import measurable_rows
from curation.linalg.prototypes import centroid_distances

REASONS = ("in no cluster", "its vector has no direction", "the rows of its cluster share no direction")


def places(distances: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Where each row stands in its cluster: 0 nearest to the centroid, 1 farthest; equal distances by the lowest row.

    Args:
        distances: float64 `[n]`, NaN = none.
        codes: int `[n]`, cluster of each row, ≥ 0 where there is a distance.

    Returns:
        float64 `[n]`: rows before it over the other rows of its cluster, 0 in a cluster of one, NaN without a distance.
    """
    rows = np.flatnonzero(np.isfinite(distances))
    order = rows[np.lexsort((rows, distances[rows], codes[rows]))]
    sizes = np.bincount(codes[order], minlength=0)
    before = np.arange(len(order)) - (np.cumsum(sizes) - sizes)[codes[order]]
    found = np.full(len(distances), np.nan)
    found[order] = before / np.maximum(sizes[codes[order]] - 1, 1)
    return found


class PrototypeDistance(Scorer):
    """Cosine distance to the centroid of the row's own cluster, 0 to 2: small for the typical rows of a cluster.

    The centroid is the mean of the cluster's unit vectors, brought to length one. Sorscher et al. prune by it; the rule
    reported of them is to keep far, hard rows (`selector/top-k` with keep: highest) where rows are plenty, and near,
    easy ones (keep: lowest) where they are scarce, so neither end is better by itself. Columns: `place`, the row's rank
    in its cluster from 0 (nearest) to 1 (farthest), which prunes every cluster alike; `size`, the rows of its cluster.
    """

    title: ClassVar[str] = "Distance to the centroid"
    weakness: ClassVar[str] = "Far from the centroid are hard rows and broken or off-topic ones alike."
    source: ClassVar[str] = (
        "Sorscher et al. 2022, Beyond neural scaling laws: beating power law scaling via data pruning, arXiv 2206.14486"
    )

    def score(self, pool: Dataset, runtime: Runtime, *, features: Features, clusters: Labels) -> Score:
        """Score every row: O(n·d).

        Args:
            pool: The rows.
            runtime: Not used.
            features: Their vectors.
            clusters: K-means of the same vectors; the authors bring vectors to length one. Rows that a clustering
                calls noise have no score.
        """
        n = len(pool)
        codes = np.asarray(clusters.codes, np.int64)
        inside = np.flatnonzero((codes >= 0) & ~features.missing.mask)
        rows, points = measurable_rows(np.asarray(features.values), inside, "cosine")
        values, place = np.full(n, np.nan), np.full(n, np.nan)
        values[rows] = centroid_distances(points, codes[rows])
        place[rows] = places(values[rows], codes[rows])
        size = np.full(n, NO_ROW, np.int64)
        size[rows] = np.bincount(codes[rows], minlength=0)[codes[rows]]
        size[np.isnan(values)] = NO_ROW
        why = np.where(codes < 0, 1, 3)  # 1 + the index into REASONS
        why[np.setdiff1d(inside, rows)] = 2
        return Score(
            pool.fingerprint,
            values,
            _missing(np.where(np.isnan(values), why, 0), features.missing, clusters.missing),
            "distance to its centroid",
            columns={"place": place, "size": size},
            info={"clusters": len(np.unique(codes[np.isfinite(values)])), "metric": "cosine"},
        )

    def work(self, size: Size) -> float:
        """Rows times width."""
        return float(size.rows + 1) * max(size.dims, 1)

    def memory(self, size: Size) -> float:
        """Unit rows, blocks, and a few numbers per row."""
        return 96e6 + size.rows * (8.0 * size.dims + 64)

    def disk(self, size: Size) -> float:
        """A score and two columns."""
        return 24.0 * size.rows


def _missing(why: np.ndarray, *inherited: Missing) -> Missing:
    """Rows without a score: for the reason of the first input in which they are missing, else for one of REASONS."""
    reasons: tuple[str, ...] = REASONS
    codes = why.copy()
    for missing in reversed(inherited):
        takes = (why > 0) & missing.mask
        codes[takes] = missing.codes[takes] + len(reasons)
        reasons = (*reasons, *missing.reasons)
    return Missing(codes.astype(np.int16), reasons).compact()
