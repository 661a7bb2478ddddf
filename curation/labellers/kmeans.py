"""Clusters of the vectors by k-means, every row in one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Labels
from curation.core.dataset import Dataset
from curation.core.errors import DataError
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers._names import name_clusters

Init = Literal["k-means++", "random"]

MOST_CLUSTERS = 1000
USUAL_PASSES = 30


@dataclass(frozen=True)
class KMeansResult:
    """What Lloyd's algorithm came to.

    Args:
        codes: int32 `[n]`, largest cluster first.
        centroids: float32 `[k, d]`, k as found: fewer than asked where fewer rows differ.
        distances: float64 `[n]`, Euclidean, to the own centroid.
        inertia: Sum of the squared distances.
        iterations: Of the best restart.
    """

    codes: np.ndarray
    centroids: np.ndarray
    distances: np.ndarray
    inertia: float
    iterations: int


def default_k(n: int) -> int:
    """The root of n/2, at least 2, at most 1,000 and n: 71 clusters of 10,000 rows."""
    return min(max(round((n / 2) ** 0.5), 2), MOST_CLUSTERS, n)


def kmeans(
    points: np.ndarray, k: int, *, init: Init = "k-means++", restarts: int = 1, iterations: int = 100, seed: int = 0
) -> KMeansResult:
    """Lloyd's algorithm, the best of several restarts.

    Costs `restarts · passes · n·k·d`.

    Args:
        points: `[n, d]`, finite.
        k: Clusters, 1 to n.
        init: How centroids begin.
        restarts: ≥ 1; the one with the lowest inertia counts.
        iterations: Passes at most.
        seed: Of the beginnings.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    model = KMeans(k, init=init, n_init=restarts, max_iter=iterations, random_state=seed)
    with warnings.catch_warnings():
        # It warns where fewer rows differ than clusters are asked for; the empty ones are dropped below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.ascontiguousarray(points, np.float32))
    size = np.bincount(model.labels_, minlength=k)
    order = np.argsort(-size, kind="stable")[: int((size > 0).sum())]
    new = np.full(k, NO_ROW, np.int32)
    new[order] = np.arange(len(order))
    codes, centroids = new[model.labels_], model.cluster_centers_[order].astype(np.float32)
    distances = np.sqrt(_squared_distances(points, centroids, codes))
    return KMeansResult(codes, centroids, distances, float((distances**2).sum()), int(model.n_iter_))


def _squared_distances(points: np.ndarray, centroids: np.ndarray, codes: np.ndarray) -> np.ndarray:
    block = 8192
    parts = [
        ((points[i : i + block].astype(np.float64) - centroids[codes[i : i + block]]) ** 2).sum(axis=1)
        for i in range(0, len(points), block)
    ]
    return np.concatenate(parts)


class KMeansClusters(Labeller):
    """Every row goes to the nearest of k centroids, which are the means of their rows (k-means, Lloyd's algorithm).

    Works on the vectors themselves, so it needs no map and has no noise, but draws borders also where there are none.
    Codes go by size, the largest is 0; names are the words with the highest c-TF-IDF. Column: `distance` to the own
    centroid. Noted in `info`: k, init, restarts, seed, iterations, inertia.
    """

    title: ClassVar[str] = "k-means clusters"
    weakness: ClassVar[str] = "Cuts even a shapeless cloud into k round pieces of like width; k is a guess."
    source: ClassVar[str] = "Lloyd 1982; k-means++ (Arthur & Vassilvitskii 2007); as MODN (arXiv:2305.09246) uses it"

    k: int | None = Field(None, ge=1, le=100_000, description="clusters; empty = the root of half the rows, 2 to 1,000")
    unit: bool = Field(True, description="bring vectors to length 1 first, so that angles count")
    init: Init = Field("k-means++", description="how centroids begin: spread out, or random rows")
    restarts: int = Field(1, ge=1, le=100, description="runs from other beginnings; the tightest counts")
    iterations: int = Field(100, ge=1, le=10_000, description="passes over the rows at most")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the beginnings")

    def label(self, pool: Dataset, runtime: Runtime, *, features: Features) -> Labels:
        """Label all rows of `pool`.

        Args:
            pool: The rows, for the names.
            runtime: Not needed.
            features: Their vectors.

        Raises:
            DataError: a vector is not finite, or has length zero where angles count.
        """
        points = np.asarray(features.values)
        length = np.linalg.norm(points.astype(np.float64), axis=1)
        bad = ~np.isfinite(length) | (self.unit & (length == 0))
        if bad.any():
            raise DataError(
                f"{int(bad.sum())} rows have vectors of length zero or not finite",
                "leave these rows out with `within`",
                row=int(np.flatnonzero(bad)[0]),
            )
        if self.unit:
            points = (points / length[:, None]).astype(np.float32)
        k = min(self.k or default_k(len(points)), len(points))
        found = kmeans(points, k, init=self.init, restarts=self.restarts, iterations=self.iterations, seed=self.seed)
        count = len(found.centroids)
        info = {
            "k": k,
            "clusters": count,
            "init": self.init,
            "restarts": self.restarts,
            "seed": self.seed,
            "iterations": found.iterations,
            "inertia": found.inertia,
        }
        names = name_clusters(pool.texts(), found.codes, count)
        return Labels(pool.fingerprint, found.codes, names, features.missing, {"distance": found.distances}, info)

    def work(self, size: Size) -> float:
        """Multiply-adds of the usual number of passes, and reading texts for the names."""
        k = self.k or default_k(max(size.rows, 1))
        passes = min(self.iterations, USUAL_PASSES) * self.restarts
        return 1.0 + float(passes) * size.rows * k * max(size.dims, 1)

    def memory(self, size: Size) -> float:
        """A copy of the vectors, centroids, and texts."""
        return 128e6 + 8.0 * size.rows * size.dims + 2.0 * size.chars

    def disk(self, size: Size) -> float:
        """A code and a distance for each row."""
        return 12.0 * size.rows
