"""Distance to the k-th neighbour: how alone a row stands."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Neighbours, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime


def kth_distance(distances: np.ndarray, kth: int) -> np.ndarray:
    """Distance of every row to its k-th nearest other row.

    Args:
        distances: `[n, k]`, nearest first, inf where there is no neighbour.
        kth: 1 to k.

    Returns:
        float64 `[n]`; NaN for rows with fewer than `kth` neighbours.
    """
    values = np.array(distances[:, kth - 1], np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


class KnnDistance(Scorer):
    """Distance to the 6th nearest row in the k-NN graph: small in a crowd, large for a row like no other.

    The distance is the graph's own (cosine by default: 1 − cos). Instruction Mining measures the Euclidean distance,
    which on unit vectors is √(2 · cosine distance): the same order, other numbers. A row with `kth` or more exact
    copies gets 0.
    """

    title: ClassVar[str] = "Distance to the 6th neighbour"
    weakness: ClassVar[str] = "Rare topics and broken rows stand alone alike: look at the top before keeping it."
    source: ClassVar[str] = "The indicator KNN-6 of Instruction Mining (Cao et al. 2023, arXiv:2307.06290)"

    kth: int = Field(6, ge=1, le=1000, description="which neighbour, 1 is the nearest; not above the graph's k")

    def score(self, pool: Dataset, runtime: Runtime, *, neighbours: Neighbours) -> Score:
        """Score every row.

        Raises:
            CurationError: if the graph holds fewer than `kth` neighbours a row although there are more rows.
        """
        held = neighbours.indices.shape[1]
        if held < self.kth and held < len(pool) - 1:
            raise CurationError(
                f"kth is {self.kth}, but the graph holds {held} neighbours a row", f"make the graph with k ≥ {self.kth}"
            )
        values = kth_distance(neighbours.distances, self.kth) if held >= self.kth else np.full(len(pool), np.nan)
        missing = Missing.where(np.isnan(values), f"fewer than {self.kth} neighbours")
        info = {"metric": neighbours.metric, "recall": neighbours.recall}
        return Score(pool.fingerprint, values, missing, f"distance to neighbour {self.kth}", info=info)

    def work(self, size: Size) -> float:
        """One number a row."""
        return float(size.rows + 1)
