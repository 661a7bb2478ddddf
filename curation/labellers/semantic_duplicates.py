"""Semantic duplicates: rows whose vectors point the same way."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels, Neighbours
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime
from curation.labellers._groups import group_labels
from curation.linalg.groups import Links, link


def semantic_duplicates(indices: np.ndarray, distances: np.ndarray, min_similarity: float) -> Links:
    """Links rows that are neighbours in a k-NN graph and similar enough.

    Two rows are linked when one is among the k nearest of the other, so a pair can only be overlooked when both have k
    rows that are nearer still, and then a chain through these nearly always joins them. Cost: O(n·k log(n·k)).

    Args:
        indices: int `[n, k]`, -1 = no neighbour.
        distances: float `[n, k]`, 1 − cos.
        min_similarity: Cosine from which rows are duplicates.

    Returns:
        The maximum spanning forest of these links.
    """
    near = (indices >= 0) & (1.0 - distances >= min_similarity)
    rows, place = np.nonzero(near)
    # float32 rounding of the graph can leave 1 + 1e-7
    similarity = np.minimum(1.0 - distances[rows, place].astype(np.float64), 1.0)
    return link(len(indices), rows, indices[rows, place], similarity)


class SemanticDuplicates(Labeller):
    """Groups of rows that say the same in other words, by the cosine of their vectors in the k-NN graph.

    Groups are chains: a row belongs to a group when it is similar enough to any member. Rows without a duplicate have
    no group. Columns: `of`, the row that this one is linked to (-1 = none), and `similarity`, their cosine. From these
    the groups of any higher threshold follow without computing again (`selector/deduplicate`, field `min_similarity`).
    """

    title: ClassVar[str] = "Semantic duplicates"
    weakness: ClassVar[str] = (
        "Rows that differ in one number or name look the same to an encoder; chains can grow long."
    )
    source: ClassVar[str] = (
        "SemDeDup (Abbas et al. 2023, arXiv:2303.09540) for the idea; here single linkage on the graph"
    )

    min_similarity: float = Field(0.95, ge=0, le=1, description="cosine from which two rows are duplicates")

    def label(self, pool: Dataset, runtime: Runtime, *, neighbours: Neighbours) -> Labels:
        """Label every row of the graph.

        Raises:
            CurationError: if the graph was made with another distance than the cosine.
        """
        if neighbours.metric != "cosine":
            raise CurationError(
                f"semantic duplicates need cosine neighbours, these are {neighbours.metric}",
                "make the neighbours step with metric: cosine",
            )
        links = semantic_duplicates(neighbours.indices, neighbours.distances, self.min_similarity)
        return group_labels(
            pool.fingerprint,
            links,
            "semantic duplicate",
            self.min_similarity,
            neighbours.missing,
            recall=neighbours.recall,
        )

    def work(self, size: Size) -> float:
        """Rows of the graph."""
        return float(size.rows + 1)

    def memory(self, size: Size) -> float:
        """The links of every row: a mask, and a few numbers for each neighbour."""
        return 64e6 + 1500.0 * size.rows
