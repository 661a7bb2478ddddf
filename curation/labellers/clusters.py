"""Clusters of the map, named by the words that tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Labels, Layout
from curation.core.dataset import Dataset
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers._names import name_clusters

SMALLEST, LARGEST = 5, 500  # bounds of the default least size
GIANT_SHARE = 0.75

Shape = Literal["auto", "eom", "leaf"]


@dataclass(frozen=True)
class Clusters:
    """What was found.

    Args:
        codes: int32 `[n]`, largest cluster first, -1 = noise.
        strength: float64 `[n]`, 0 to 1: how surely a row belongs to its cluster; 0 for noise.
        shape: "eom" or "leaf", what "auto" came to.
    """

    codes: np.ndarray
    strength: np.ndarray
    shape: str


def default_min_size(n: int) -> int:
    """Least rows of a cluster: a third of the root of n, 5 to 500 (1,000 rows: 11, 20,000: 47)."""
    return int(np.clip(round(n**0.5 / 3), SMALLEST, LARGEST))


def cluster_map(xy: np.ndarray, *, min_size: int, min_samples: int = 3, shape: Shape = "auto") -> Clusters:
    """Dense regions of the plane, by HDBSCAN; rows between them are noise.

    "eom" keeps the most persistent clusters, which may be large; "leaf" the smallest ones that are left when large ones
    are split. "auto" is eom, unless that puts three quarters of all rows into one cluster and leaf finds more.

    Costs about 20 µs a row.

    Args:
        xy: `[n, 2]`, finite.
        min_size: Least rows of a cluster, ≥ 2.
        min_samples: Neighbours that make a place dense; more calls more rows noise.
        shape: See above.

    Returns:
        The clusters; every row is noise when there are too few rows for one.
    """
    n = len(xy)
    if n <= max(min_size, min_samples):
        return Clusters(np.full(n, NO_ROW, np.int32), np.zeros(n), "eom" if shape == "auto" else shape)
    found = _hdbscan(xy, min_size, min_samples, "eom" if shape == "auto" else shape)
    if shape == "auto":
        sizes = np.bincount(found.codes[found.codes >= 0], minlength=1)
        if sizes.max() > GIANT_SHARE * n:
            finer = _hdbscan(xy, min_size, min_samples, "leaf")
            if finer.codes.max() > found.codes.max():
                return finer
    return found


def _hdbscan(xy: np.ndarray, min_size: int, min_samples: int, shape: str) -> Clusters:
    import hdbscan

    model = hdbscan.HDBSCAN(
        min_cluster_size=min_size,
        min_samples=min_samples,
        cluster_selection_method=shape,
        core_dist_n_jobs=1,  # its own processes cost ten seconds to start and save none
    ).fit(np.ascontiguousarray(xy, np.float64))
    return Clusters(largest_first(model.labels_), np.where(model.labels_ < 0, 0.0, model.probabilities_), shape)


def largest_first(codes: np.ndarray) -> np.ndarray:
    """Codes renumbered by size, largest first (of equals the one whose first row is lowest); -1 stays."""
    there = codes[codes >= 0]
    old, first, size = np.unique(there, return_index=True, return_counts=True)
    order = old[np.lexsort((first, -size))]
    new = np.full(int(codes.max(initial=-1)) + 2, NO_ROW, np.int32)  # the last place serves code -1
    new[order] = np.arange(len(order))
    return new[codes]


class ClustersOfMap(Labeller):
    """Groups of rows that lie close together on the map, named by the words that tell them apart.

    HDBSCAN on the two dimensions of the layout: clusters of any shape, their number not given, rows between them noise
    (code -1). Names are the three words with the highest c-TF-IDF. Codes go by size, the largest is 0. Column:
    `strength`, 0 to 1.

    20,000 rows take about a second, names included.
    """

    title: ClassVar[str] = "Clusters of the map"
    weakness: ClassVar[str] = (
        "Sees the map, not the vectors: what two dimensions tear apart or push together, so do clusters."
    )
    source: ClassVar[str] = "HDBSCAN (Campello, Moulavi & Sander 2013); names: c-TF-IDF (Grootendorst 2022)"

    min_size: int | None = Field(None, ge=2, le=100_000, description="least rows of a cluster; empty = by the rows")
    min_samples: int = Field(
        3, ge=1, le=1000, description="neighbours that make a place dense; more calls more rows noise"
    )
    shape: Shape = Field(
        "auto",
        description="eom: persistent clusters, also large; leaf: the finest; auto: eom unless one holds most rows",
    )

    def label(self, pool: Dataset, runtime: Runtime, *, layout: Layout) -> Labels:
        """Label every row that has a place on the map.

        Args:
            pool: The rows, for the names.
            runtime: Not needed.
            layout: The map.
        """
        placed = np.flatnonzero(~layout.missing.mask)
        min_size = self.min_size or default_min_size(len(placed))
        found = cluster_map(
            np.asarray(layout.xy)[placed], min_size=min_size, min_samples=self.min_samples, shape=self.shape
        )
        codes, strength = np.full(len(pool), NO_ROW, np.int32), np.full(len(pool), np.nan)
        codes[placed], strength[placed] = found.codes, found.strength
        count = int(codes.max(initial=-1)) + 1
        noise = int((found.codes < 0).sum())
        info = {"clusters": count, "noise": noise, "min_size": min_size, "shape": found.shape}
        names = name_clusters(pool.texts(), codes, count)
        return Labels(pool.fingerprint, codes, names, layout.missing, {"strength": strength}, info)

    def work(self, size: Size) -> float:
        """Rows."""
        return 1.0 + size.rows

    def memory(self, size: Size) -> float:
        """The tree over the rows, and their texts."""
        return 128e6 + 1000.0 * size.rows + 2.0 * size.chars

    def disk(self, size: Size) -> float:
        """A code and a strength for each row."""
        return 12.0 * size.rows
