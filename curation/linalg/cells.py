"""Approximate neighbours by cells: each row looks only into the cells nearest to its own.

Faster than NN-descent where few dimensions tell rows apart and nothing is compiled yet, as for a first map; less
complete in many dimensions. An inverted file in the words of Jégou, Douze and Schmid 2011, whole vectors in its lists.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from curation.linalg.distances import pair_squared_distances

PROBES = 10  # cells looked into, the own one first
ROWS_PER_CENTROID = 40  # of the sample that the cells are made from
PASSES = 6
SPARE = 4  # candidates beyond k that are measured exactly
QUERY_BLOCK = 1024

Progress = Callable[[int, int], None]


def cell_neighbours(
    points: np.ndarray, k: int, *, seed: int = 0, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Most of the k nearest other rows of every row.

    About √n cells by k-means on a sample; each row is compared with the rows of the ten cells nearest to its own. Costs
    about 10·n^1.5·d. Of 52,002 real rows (TF-IDF + SVD, 64 wide) it finds 87 % of the 15 nearest in 3 to 5 s on two
    cores, where all comparisons take 8 to 11 s; of 20,000 rows of an encoder, 384 wide, 80 %.

    Args:
        points: float32 or float64 `[n, d]`, finite.
        k: ≥ 1.
        seed: Of the sample.
        progress: Called with (rows done, n).

    Returns:
        int64 `[n, k]`, nearest first by exact distance, -1 where fewer were found, and float64 `[n, k]` squared
        distances, inf there.
    """
    n = len(points)
    indices, squared = np.full((n, k), -1, np.int64), np.full((n, k), np.inf)
    norms = np.einsum("ij,ij->i", points, points)
    centroids = _centroids(points, max(1, round(n**0.5)), np.random.default_rng(seed))
    cell = _nearest(points, centroids)
    members = np.split(np.argsort(cell, kind="stable"), np.cumsum(np.bincount(cell, minlength=len(centroids)))[:-1])
    between = _squared(centroids, centroids)
    np.fill_diagonal(between, -1)
    done = 0
    for own, rows in enumerate(members):
        if not len(rows):
            continue
        columns = np.concatenate([members[c] for c in np.argsort(between[own], kind="stable")[:PROBES]])
        columns.sort()
        for start in range(0, len(rows), QUERY_BLOCK):
            block = rows[start : start + QUERY_BLOCK]
            near, far = _best(points, norms, block, columns, k)
            indices[block, : near.shape[1]], squared[block, : near.shape[1]] = near, far
        done += len(rows)
        if progress is not None:
            progress(done, n)
    return indices, squared


def _best(
    points: np.ndarray, norms: np.ndarray, rows: np.ndarray, columns: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest of `columns` (which hold the rows themselves) for each row, by exact distance, then row number."""
    want = min(k + SPARE, len(columns) - 1)
    if want < 1:
        return np.empty((len(rows), 0), np.int64), np.empty((len(rows), 0))
    scores = points[rows] @ points[columns].T - norms[columns] / 2  # [b, c], the higher the nearer
    scores[np.arange(len(rows)), np.searchsorted(columns, rows)] = -np.inf
    near = columns[np.argpartition(scores, len(columns) - want, axis=1)[:, len(columns) - want :]]
    near.sort(axis=1)
    exact = pair_squared_distances(points, np.repeat(rows, want), near.ravel()).reshape(near.shape)
    order = np.argsort(exact, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(near, order, 1), np.take_along_axis(exact, order, 1)


def _centroids(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """A few passes of k-means over a sample, begun at random rows; a cell that runs empty keeps its centroid."""
    sample = points[np.sort(rng.choice(len(points), min(len(points), count * ROWS_PER_CENTROID), replace=False))]
    centroids = sample[np.sort(rng.choice(len(sample), count, replace=False))].copy()
    for _ in range(PASSES):
        code = _nearest(sample, centroids)
        order = np.argsort(code, kind="stable")
        size = np.bincount(code, minlength=count)
        full = size > 0
        starts = (np.cumsum(size) - size)[full]
        centroids[full] = np.add.reduceat(sample[order], starts, axis=0) / size[full, None]
    return centroids


def _nearest(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Index of the nearest centroid of every row, int64 `[n]`."""
    half = np.einsum("ij,ij->i", centroids, centroids) / 2
    blocks = range(0, len(points), QUERY_BLOCK * 4)
    return np.concatenate([(points[i : i + QUERY_BLOCK * 4] @ centroids.T - half).argmax(axis=1) for i in blocks])


def _squared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = [np.einsum("ij,ij->i", each, each) for each in (one, other)]
    return lengths[0][:, None] + lengths[1] - 2 * (one @ other.T)
