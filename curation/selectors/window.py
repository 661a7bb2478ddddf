"""The offset window of the data-pruning papers: skip the top of a score, then take the budget."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import End, cut, highest_first, numbers, sorted_rows


class Window(Selector):
    """Skips rows at the top of a score and picks the ones that follow, in order.

    The hardest rows are often mislabelled or broken; leaving out the first few percent keeps the hard ones that can be
    learnt. What is skipped is a share of the eligible rows with a score (round half up) or a count, but never the last
    of them, so a larger budget only goes further down. With `keep` at lowest the easiest rows are the top: skipping o
    of them and keeping k is the published offset(k, o), the rows from o to o + k of the ascending order, and leaves out
    the n − o − k hardest. Gains are the scores; the margin of a skipped row is its place before the window's first row.
    """

    title: ClassVar[str] = "Offset window"
    purpose: ClassVar[Purpose] = "by score"
    when: ClassVar[str] = "The hardest rows are likely to be errors: leave them out and take the next hardest."
    weakness: ClassVar[str] = "The right offset differs from pool to pool and is found by trial."
    source: ClassVar[str] = (
        "Leaving out the hardest rows: Paul et al. 2021, arXiv 2107.07075; Zheng et al. 2023, arXiv 2210.15809"
    )
    nested: ClassVar[bool] = True

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    skip: float = Field(0.1, ge=0, lt=1, description="share of the rows left out at the top, 0 to 1")
    skip_rows: int | None = Field(None, ge=0, description="how many rows are left out at the top, instead of a share")
    keep: End = Field("best", description="which end is the top; best is the end that the score itself calls better")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score) -> Selection:
        """Sort, skip, cut: O(n log n).

        Raises:
            CurationError: if `keep` is "best" for a score without a better end, or the column is unknown.
        """
        values = numbers(score, self.column)
        rows = np.asarray(ask.eligible, np.int64)
        order = sorted_rows(rows[np.isfinite(values[rows])], values, highest=highest_first(score, self.keep))
        wanted = int(np.floor(self.skip * len(order) + 0.5)) if self.skip_rows is None else self.skip_rows
        begin = min(wanted, max(len(order) - 1, 0))
        codes = np.full(len(values), 2)
        codes[order[:begin]] = 1
        margin = np.full(len(values), np.nan)
        margin[order[:begin]] = np.arange(begin, 0, -1)
        return cut(
            pool,
            ask,
            order[begin:],
            gains=values[order[begin:]],
            stages=(self._skipped(), "no score"),
            codes=codes,
            margin=margin,
            short_reason=f"the window ends with the last row: {begin:,} rows above it are skipped",
        )

    def _skipped(self) -> str:
        if self.skip_rows is not None:
            return f"among the first {self.skip_rows:,} rows, which are skipped"
        return f"in the top {self.skip:.3g} that is skipped"

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
