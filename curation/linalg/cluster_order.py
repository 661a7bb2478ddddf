"""In which order the rows of each cluster are gone through, when an earlier row may stand for a later one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.linalg.prototypes import centroid_distances

Keep = Literal["hard", "easy", "random", "score"]
"""Which row comes first: hard, the one farthest from its centroid; easy, the closest; or at random; or by a score."""


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
        distances[np.isnan(distances)] = 1.0  # rows that cancel out share no direction: all are equally far
        key = -distances if keep == "hard" else distances
    return [rows[np.argsort(key[rows], kind="stable")] for rows in members_of(codes)]
