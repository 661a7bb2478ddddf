"""Centroids of clusters on the unit sphere, and how far every row is from the centroid of its own cluster.

The centroid of a cluster is the mean of its unit rows, brought to length one again; it is the direction that its rows
share, and the row nearest to it is the cluster's most typical one. Rows whose vectors cancel out share none.
"""

from __future__ import annotations

import numpy as np

from curation.linalg.distances import pair_squared_distances

ROW_BLOCK = 2048
SHORTEST = 1e-6
"""Means of unit rows that are shorter than this are rounding, not a direction."""


def unit_centroids(points: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The direction of every cluster.

    Rows are added up one after the other in float64, so the size of blocks changes nothing. O(n·d).

    Args:
        points: Unit rows `[n, d]`.
        codes: int `[n]`, cluster of each row, -1 = none.

    Returns:
        Unit centroids float64 `[k, d]`, k = 1 + the highest code, NaN for those without a direction and for codes that
        no row has; and the rows of each, int64 `[k]`.
    """
    inside = np.flatnonzero(codes >= 0)
    sizes = np.bincount(codes[inside], minlength=0)
    sums = np.zeros((len(sizes), points.shape[1]))
    for start in range(0, len(inside), ROW_BLOCK):
        rows = inside[start : start + ROW_BLOCK]
        np.add.at(sums, codes[rows], points[rows].astype(np.float64))
    lengths = np.sqrt(np.einsum("kd,kd->k", sums, sums))
    none = lengths <= SHORTEST * sizes
    lengths[none] = np.nan
    return sums / lengths[:, None], sizes.astype(np.int64)


def centroid_distances(points: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Cosine distance of every row to the centroid of its cluster.

    Measured in float64 as half the squared distance of two unit vectors, so identical rows of a cluster are equally
    far. O(n·d).

    Args:
        points: Unit rows `[n, d]`.
        codes: int `[n]`, cluster of each row, -1 = none.

    Returns:
        float64 `[n]`, 0 to 2; NaN for rows in no cluster, and in clusters whose rows cancel out.
    """
    codes = np.asarray(codes, np.int64)
    centroids, _ = unit_centroids(points, codes)
    distances = np.full(len(points), np.nan)
    rows = np.flatnonzero(codes >= 0)
    if len(rows):
        squared = pair_squared_distances(points, rows, codes[rows], other_points=centroids)
        distances[rows] = np.minimum(squared / 2, 2.0)
    return distances
