"""Some rows of every label, at even steps along a score."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import numbers, selection


def spaced_places(values: np.ndarray, each: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Places of `each` values at even steps along their sorted order, lowest first.

    Values below the quantile `low` or above `high` are left out first; where no more than `each` are left, all of them
    are taken. Costs one sort.

    Args:
        values: `[m]`, finite; equal ones go by their place.
        each: 1 or more.
        low: 0 to 1.
        high: `low` to 1.

    Returns:
        int64, `min(each, values inside)` of them.
    """
    if not len(values):
        return np.empty(0, np.int64)
    begin, end = np.quantile(values, [low, high], method="nearest")  # in between, a label of two rows would lose both
    order = np.argsort(values, kind="stable")
    inside = order[(values[order] >= begin) & (values[order] <= end)]
    count = min(each, len(inside))
    return inside[np.arange(count) * len(inside) // max(count, 1)]


class Spaced(Selector):
    """As many rows of every label (cluster, source, ...), at even steps along a score from low to high.

    Both ends of the score are left out in each label, for that is where broken rows lie. Cherry LLM takes the first
    rows for its brief fine-tuning in this way: 10 of each of 100 clusters along perplexity. Picks come label by label,
    lowest score first; gains are the scores.
    """

    title: ClassVar[str] = "Even steps in every label"
    purpose: ClassVar[Purpose] = "building blocks"
    when: ClassVar[str] = (
        "A few rows of every label along the whole range of a score are wanted, such as for a first training."
    )
    weakness: ClassVar[str] = "A label of ten rows gets as many picks as one of ten thousand."
    source: ClassVar[str] = "Cherry LLM (Li et al. 2023, arXiv 2308.12032), the rows of its pre-experience"

    each: int = Field(10, ge=1, le=1_000_000, description="rows of every label; a label with fewer gives all it has")
    low: float = Field(
        0.01, ge=0, le=1, description="quantile of the score in its label, below which rows are left out"
    )
    high: float = Field(
        0.99, ge=0, le=1, description="quantile of the score in its label, above which rows are left out"
    )
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g}, above high, which is {self.high:g}")
        return self

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score, labels: Labels) -> Selection:
        """Sort inside every label: O(n log n).

        Raises:
            CurationError: if the column is unknown.
        """
        values = numbers(score, self.column)
        rows = np.asarray(ask.eligible, np.int64)
        labelled, scored = ~labels.missing.mask[rows], np.isfinite(values[rows])
        codes = np.full(len(values), 1)
        codes[rows[labelled & ~scored]], codes[rows[~labelled]] = 2, 3
        rows = rows[labelled & scored]
        own = np.asarray(labels.codes)[rows]
        picks = [
            rows[own == code][spaced_places(values[rows[own == code]], self.each, self.low, self.high)]
            for code in np.unique(own)
        ]
        order = np.concatenate([np.empty(0, np.int64), *picks])
        stages = ("between the steps, or at an end of its label", "no score", "no label")
        return selection(pool, ask, order, gains=values[order], stages=stages, codes=codes)

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
