"""In which order the rows of each cluster are gone through, when an earlier row may stand for a later one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.linalg.distances import pair_squared_distances

Keep = Literal["hard", "easy", "random", "score"]
"""Which row comes first: hard, the one farthest from its centroid; easy, the closest; or at random; or by a score."""

NO_LENGTH = 1e-9  # a mean of unit rows shorter than this has no direction but that of rounding


def centroid_distances(points: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Cosine distance of every row to the mean direction of its cluster; n·d.

    Where the rows of a cluster cancel out, the mean has no direction, and they are all at distance 1 from it.

    Args:
        points: Unit rows `[n, d]`.
        codes: int `[n]`, cluster of each row; -1 = none.

    Returns:
        float64 `[n]`, 0 to 2; NaN for rows in no cluster.
    """
    distances = np.full(len(points), np.nan)
    for rows in members_of(codes):
        some = points if len(rows) == len(points) else points[rows]
        mean = some.mean(axis=0, dtype=np.float64)
        length = float(np.sqrt(mean @ mean))
        if length <= NO_LENGTH:
            distances[rows] = 1.0
            continue
        centroid = (mean / length)[None, :]
        distances[rows] = pair_squared_distances(some, np.arange(len(rows)), np.array([0]), other_points=centroid) / 2
    return distances


def members_of(codes: np.ndarray) -> list[np.ndarray]:
    """The rows of each cluster, int64, increasing, in the order of the codes; rows with code -1 are in none."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] != NO_ROW]
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def order_in_clusters(
    points: np.ndarray, codes: np.ndarray, *, keep: Keep = "hard", score: np.ndarray | None = None, seed: int = 0
) -> list[np.ndarray]:
    """The rows of each cluster, those to be kept first; equals by the lowest row.

    Args:
        points: Unit rows `[n, d]`.
        codes: int `[n]`, cluster of each row; -1 = none.
        keep: What comes first.
        score: float64 `[n]` for `keep="score"`: the highest comes first, NaN last.
        seed: For `keep="random"`.

    Returns:
        int64, one array for each cluster that has rows, in the order of the codes.
    """
    if keep == "random":
        key = np.random.default_rng(seed).permutation(len(points)).astype(np.float64)
    elif keep == "score":
        if score is None:
            raise ValueError("keep='score' needs a score")
        key = -np.asarray(score, np.float64)
    else:
        distances = centroid_distances(points, codes)
        key = -distances if keep == "hard" else distances
    return [rows[np.argsort(key[rows], kind="stable")] for rows in members_of(codes)]
