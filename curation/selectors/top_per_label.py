"""The best rows of every label."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import End, highest_first, numbers, selection


def top_per_label(
    rows: np.ndarray, values: np.ndarray, codes: np.ndarray, each: int, *, highest: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """The rows with the best values of every label.

    Args:
        rows: int64 `[m]`, increasing.
        values: float64 `[m]`, finite.
        codes: int `[m]`, the label of each; -1 is a label like any other.
        each: Rows of every label, ≥ 1; a label with fewer gives all it has.
        highest: True to begin with the highest value.

    Returns:
        The picks, int64: the best of all labels by value, then the second of all labels, and so on, equal values by
        the lowest row; so the picks for `each` begin those for `each + 1`. And the place of every row in its label,
        int64 `[m]`, 0 for the best. O(m log m).
    """
    key = -values if highest else values
    order = np.lexsort((rows, key, codes))
    leads = np.flatnonzero(np.diff(codes[order], prepend=np.iinfo(np.int64).min))
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows)) - np.repeat(leads, np.diff([*leads, len(rows)]))
    inside = np.flatnonzero(place < each)
    return rows[inside[np.lexsort((rows[inside], key[inside], place[inside]))]], place


class TopPerLabel(Selector):
    """The rows with the best scores of every label (cluster, source, ...), so that every label is represented.

    Picks come in rounds: the best row of every label by score, then the second of every label, and so on. Noise of a
    clustering counts as one more label. Gains are the scores; the margin of a row that is out is the number of places
    in its label by which it comes too late. CaR takes one row of every cluster in this way, beside the best overall.
    """

    title: ClassVar[str] = "Top of every label"
    weakness: ClassVar[str] = "A label of ten rows gets as many picks as one of ten thousand, however poor its best is."
    source: ClassVar[str] = "CaR (Ge et al. 2024, arXiv 2402.18191), the rows of its clusters"
    purpose: ClassVar[Purpose] = "building blocks"
    when: ClassVar[str] = "When every cluster, source or tag must be represented by its best rows."

    each: int = Field(1, ge=1, le=1_000_000, description="rows of every label; a label with fewer gives all it has")
    keep: End = Field("best", description="which end of the score; best is the end that the score itself calls better")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score, labels: Labels) -> Selection:
        """Sort inside every label: O(n log n).

        Raises:
            CurationError: if `keep` is "best" for a score without a better end, or the column is unknown.
        """
        values = numbers(score, self.column)
        rows = np.asarray(ask.eligible, np.int64)
        labelled, scored = ~labels.missing.mask[rows], np.isfinite(values[rows])
        codes = np.full(len(values), 1)
        codes[rows[~scored]], codes[rows[~labelled]] = 2, 3
        rows = rows[labelled & scored]
        own = np.asarray(labels.codes, np.int64)[rows]
        order, place = top_per_label(rows, values[rows], own, self.each, highest=highest_first(score, self.keep))
        margin = np.full(len(values), np.nan)
        margin[rows] = place - (self.each - 1)
        return selection(
            pool,
            ask,
            order,
            gains=values[order],
            stages=("not among the best of its label", "no score", "no label"),
            codes=codes,
            margin=margin,
            info={"labels": len(np.unique(own))},
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
