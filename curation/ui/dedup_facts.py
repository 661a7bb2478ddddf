"""What the Deduplicate page works out from links between similar rows: who stays, and which pairs decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curation.linalg.groups import Links
from curation.selectors.deduplicate import keep_one


@dataclass(frozen=True)
class Filter:
    """One stage of the funnel.

    Args:
        links: Forest of the pairs that are similar at all.
        threshold: Similarity from which two rows are duplicates.
    """

    links: Links
    threshold: float


def funnel(filters: Sequence[Filter], rows: int, preference: np.ndarray | None = None) -> list[np.ndarray]:
    """The rows that are left after each stage: each keeps one row of a group among those that the stage before left.

    Args:
        filters: In order.
        rows: Number of rows.
        preference: float64 `[rows]`, the higher one of a group stays, NaN last; None = the lowest row.

    Returns:
        A sorted int64 array for each stage.
    """
    left = np.arange(rows)
    found = []
    for each in filters:
        left = keep_one(each.links.above(each.threshold), left, preference)
        found.append(left)
    return found


def threshold_for(links: Links, eligible: np.ndarray, wanted: int) -> float | None:
    """The highest threshold at which at most `wanted` of some rows are left; O(log n) looks at its groups.

    Args:
        links: Forest of the pairs that are similar at all.
        eligible: int64, sorted: the rows that came into the stage.
        wanted: How many are to be left.

    Returns:
        None when even the lowest link leaves more.
    """
    steps = np.unique(links.similarity[links.of >= 0])
    low, high = 0, len(steps) - 1
    best = None
    while low <= high:
        middle = (low + high) // 2
        standing = np.zeros(len(links.of), bool)  # faster than sorting a million group numbers
        standing[links.above(float(steps[middle])).first()[eligible]] = True
        if standing.sum() <= wanted:
            best, low = float(steps[middle]), middle + 1
        else:
            high = middle - 1
    return best


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows that hold groups together, those nearest to the threshold first.

    Args:
        first: int64 `[m]`, the lower row.
        second: int64 `[m]`, the higher one.
        similarity: float64 `[m]`.
        joined: bool `[m]`: similar enough at the threshold.
    """

    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    joined: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def borderline(links: Links, eligible: np.ndarray, threshold: float, most: int) -> Pairs:
    """The pairs whose similarity is nearest to the threshold, on either side; equal ones by the lower row.

    Args:
        links: Forest of the pairs that are similar at all.
        eligible: int64: rows that came into the stage; pairs with another row are left out.
        threshold: Similarity from which two rows are duplicates.
        most: How many pairs at most.
    """
    rows = np.flatnonzero(links.of >= 0)
    inside = np.zeros(len(links.of), bool)
    inside[eligible] = True
    rows = rows[inside[rows] & inside[links.of[rows]]]
    others, similarity = links.of[rows], links.similarity[rows]
    order = np.lexsort((rows, np.abs(similarity - threshold)))[:most]
    first, second = np.minimum(rows, others)[order], np.maximum(rows, others)[order]
    return Pairs(first, second, similarity[order], similarity[order] >= threshold)
