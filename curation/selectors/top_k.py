"""The rows with the best scores."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import End, cut, highest_first, numbers, sorted_rows


class TopK(Selector):
    """The rows with the highest (or lowest) scores, best first; equal scores by the lowest row.

    Gains are the scores. Rows without a score are never picked. The margin of a row that is out is the number of
    picks by which it comes too late.
    """

    title: ClassVar[str] = "Top k"
    purpose: ClassVar[Purpose] = "by score"
    when: ClassVar[str] = "The score is trusted as it is and the pool is free of copies."
    weakness: ClassVar[str] = "Knows nothing of repetition: a hundred copies of the best row are the best hundred rows."
    source: ClassVar[str] = "Sorting"
    nested: ClassVar[bool] = True

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    keep: End = Field("best", description="which end of the score; best is the end that the score itself calls better")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score) -> Selection:
        """Sort and cut: O(n log n).

        Raises:
            CurationError: if `keep` is "best" for a score without a better end, or the column is unknown.
        """
        values = numbers(score, self.column)
        rows = np.asarray(ask.eligible, np.int64)
        order = sorted_rows(rows[np.isfinite(values[rows])], values, highest=highest_first(score, self.keep))
        return cut(
            pool, ask, order, gains=values[order], stages=("no score",), short_reason="the other rows have no score"
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
