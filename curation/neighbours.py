"""The k-NN graph as a step: made once, read by layout, duplicates, indicators and coverage."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Artifact, Features, Missing, Neighbours
from curation.core.dataset import Dataset
from curation.core.errors import DataError
from curation.core.method import Method, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import Metric, squared_norms
from curation.linalg.knn import EXACT_UP_TO, Approximate, nearest_neighbours

NO_DIRECTION = "its vector has no direction"


class Neighbourhood(Method):
    """The k nearest other rows of every row, and how far they are.

    Exact up to `exact_up_to` rows: equal to sorting all distances by (distance, row). Above that NN-descent finds
    most of them and the share it found is measured on 1,000 rows and kept as `recall`. Rows whose vector has no
    direction (length zero under the cosine metric, not finite under any) are left out as missing: they have no
    neighbours and are nobody's.

    Exact costs n²·d by blocked matrix products, on the CPU or a GPU; the approximate way about n·log n·d.
    """

    family: ClassVar[str] = "neighbours"
    verb: ClassVar[str] = "connect"
    returns: ClassVar[type[Artifact]] = Neighbours
    title: ClassVar[str] = "Nearest neighbours"
    weakness: ClassVar[str] = (
        "As good as the vectors: rows about one thing in two languages may be no neighbours at all."
    )
    source: ClassVar[str] = "Exact search; above exact_up_to: Dong, Charikar & Li, NN-descent, WWW 2011"

    k: int = Field(15, ge=1, le=1000, description="neighbours per row; 15 is enough for the map and all indicators")
    metric: Metric = Field("cosine", description="cosine compares directions, euclidean the vectors as they are")
    exact_up_to: int = Field(
        EXACT_UP_TO,
        ge=0,
        le=100_000_000,
        description="rows above which an approximate search with measured recall is used",
    )
    approximate: Approximate = Field(
        "descent", description="approximate search: descent finds nearly all, cells fewer but at once, for a first map"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="for the approximate search and the sample that measures it")

    def connect(self, pool: Dataset, runtime: Runtime, *, features: Features) -> Neighbours:
        """Find the neighbours of all rows of `pool`.

        Args:
            pool: The rows.
            runtime: Device and progress.
            features: Vectors of these rows.

        Returns:
            The graph; `indices` and `distances` are always `[n, k]`, padded where there are fewer than k other rows.

        Raises:
            DataError: if no row has a usable vector.
        """
        values = np.asarray(features.values)
        usable = usable_rows(values, self.metric)
        if not len(usable):
            raise DataError("no row has usable features", "look at the step that made them")
        found = nearest_neighbours(
            values if len(usable) == len(values) else values[usable],
            self.k,
            metric=self.metric,
            exact_up_to=self.exact_up_to,
            approximate=self.approximate,
            seed=self.seed,
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        graph = Neighbours(
            pool.fingerprint, found.indices, found.distances, self.metric, Missing.none(len(usable)), found.recall
        )
        return graph if len(usable) == len(values) else graph.scatter(usable, len(pool), pool.fingerprint, NO_DIRECTION)

    def work(self, size: Size) -> float:
        """Multiply-adds: n²·d; above `exact_up_to` about 60·n·log₂n·d by descent, 10·n^1.5·d by cells."""
        pairs = float(size.rows) ** 2
        if size.rows > self.exact_up_to:
            descent = self.approximate == "descent"
            pairs = 60.0 * size.rows * float(np.log2(size.rows + 2)) if descent else 10.0 * size.rows**1.5
        return 1.0 + pairs * max(size.dims, 1)

    def memory(self, size: Size) -> float:
        """Unit rows, the graph, and blocks of similarities."""
        return 128e6 + 4.0 * size.rows * size.dims + 24.0 * size.rows * self.k

    def disk(self, size: Size) -> float:
        """An index and a distance for each neighbour."""
        return 8.0 * size.rows * self.k


def usable_rows(values: np.ndarray, metric: Metric) -> np.ndarray:
    """Rows that can be compared, int64, increasing: finite, and for cosine of a length above zero.

    Args:
        values: `[n, d]`.
        metric: "cosine" or "euclidean".
    """
    norms = squared_norms(values)
    return np.flatnonzero(np.isfinite(norms) & (norms > 0) if metric == "cosine" else np.isfinite(norms))
