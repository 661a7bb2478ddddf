"""The loops that people write for selection, as baselines of `selectors.py`."""

from __future__ import annotations

import numpy as np


def product_per_pick(points: np.ndarray, budget: int, first: int) -> np.ndarray:
    """k-center: distances to the newest pick by one matrix-vector product; `|x|² + |c|² − 2·x·c`."""
    norms = np.einsum("ij,ij->i", points, points)
    nearest = np.full(len(points), np.inf, points.dtype)
    order = np.empty(budget, np.int64)
    pick = first
    for place in range(budget):
        order[place] = pick
        np.minimum(nearest, norms + norms[pick] - 2 * (points @ points[pick]), out=nearest)
        nearest[pick] = 0
        pick = int(nearest.argmax())
    return order


def pairwise_distances_per_pick(points: np.ndarray, budget: int, first: int) -> np.ndarray:
    """k-center: distances to the newest pick by scikit-learn, as active-learning libraries do."""
    from sklearn.metrics import pairwise_distances

    nearest = np.full(len(points), np.inf)
    order = np.empty(budget, np.int64)
    pick = first
    for place in range(budget):
        order[place] = pick
        np.minimum(nearest, pairwise_distances(points, points[pick : pick + 1]).ravel(), out=nearest)
        nearest[pick] = 0
        pick = int(nearest.argmax())
    return order


def diverse_filter_by_row(points: np.ndarray, scores: np.ndarray, budget: int, max_similarity: float) -> np.ndarray:
    """DEITA's filter: every candidate against the kept rows, one row at a time."""
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if len(kept) == budget:
            break
        if not kept or (points[kept] @ points[row]).max() <= max_similarity:
            kept.append(int(row))
    return np.array(kept)


def diverse_filter_by_row_buffered(
    points: np.ndarray, scores: np.ndarray, budget: int, max_similarity: float
) -> np.ndarray:
    """The same with the kept rows copied into a buffer once, which spares a gather for every candidate."""
    buffer = np.empty((budget, points.shape[1]), points.dtype)
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if len(kept) == budget:
            break
        if not kept or (buffer[: len(kept)] @ points[row]).max() <= max_similarity:
            buffer[len(kept)] = points[row]
            kept.append(int(row))
    return np.array(kept)


def log_det_textbook(points: np.ndarray, budget: int, ridge: float) -> np.ndarray:
    """Greedy MAP of a determinantal point process (Chen et al. 2018): one row of the Cholesky factor per pick.

    Values within 1e-9 of the best count as equal and the lowest row is taken, as in ours.
    """
    wide = points.astype(np.float64)
    left = np.einsum("ij,ij->i", wide, wide) + ridge
    start = left.max()
    factor = np.empty((budget, len(wide)))
    taken = np.zeros(len(wide), bool)
    order = np.empty(budget, np.int64)
    for place in range(budget):
        now = np.where(taken, -np.inf, left)
        best = now.max()
        pick = int((now >= best - 1e-9 * best - 1e-13 * start).argmax())
        order[place], taken[pick] = pick, True
        row = (wide @ wide[pick] - factor[:place, pick] @ factor[:place]) / np.sqrt(left[pick])
        factor[place] = row
        left = left - row**2
    return order


def faiss_pairs(points: np.ndarray, at_least: float) -> int:
    """All pairs of rows with a cosine of at least a threshold, by faiss; it finds each pair twice."""
    import faiss

    index = faiss.IndexFlatIP(points.shape[1])
    index.add(points)
    limits, _, found = index.range_search(points, at_least)
    rows = np.repeat(np.arange(len(points)), np.diff(limits.astype(np.int64)))
    return int((rows < found).sum())


def facility_location_apricot(similarity: np.ndarray, budget: int) -> np.ndarray:
    """apricot-select's lazy greedy on a precomputed matrix."""
    from apricot import FacilityLocationSelection

    made = FacilityLocationSelection(budget, metric="precomputed", optimizer="lazy")
    return np.asarray(made.fit(similarity).ranking, np.int64)
