"""The rows whose score lies above or below a threshold."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import numbers, selection, sorted_rows

Inclusive = Literal["above", "below", "both", "neither"]


class Threshold(Selector):
    """All rows with `above` ≤ score < `below`; one of the two bounds may be left out.

    As it stands a row exactly at `above` is in and one exactly at `below` is out, so `above: t` and `below: t` share
    the rows out between them; `inclusive` changes that. Rows without a score are never in. Picks come with the score
    furthest from the bound first: highest first, or lowest first when only `below` is given; equal scores by the
    lowest row. Gains are the scores; margins the distance to the bound that a row fails.
    """

    title: ClassVar[str] = "Threshold"
    weakness: ClassVar[str] = "The right threshold differs from pool to pool: look at the distribution first."
    source: ClassVar[str] = "Comparison"

    above: float | None = Field(None, allow_inf_nan=False, description="lowest score that is kept", examples=[0.0])
    below: float | None = Field(
        None, allow_inf_nan=False, description="score from which rows are dropped", examples=[1.0]
    )
    inclusive: Inclusive = Field("above", description="bounds at which a row with exactly that score is kept")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("give 'above', 'below' or both")
        if self.above is not None and self.below is not None and self.above > self.below:
            raise ValueError(f"no score is above {self.above:g} and below {self.below:g}")
        return self

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score) -> Selection:
        """Compare and sort: O(n log n).

        Raises:
            CurationError: if the column is unknown.
        """
        values = numbers(score, self.column)
        missing = ~np.isfinite(values)
        stages, codes, margin = ["no score"], missing.astype(np.int64), np.full(len(values), np.nan)
        for name, bound, lacks in (
            ("above", self.above, self._lacks(values)),
            ("below", self.below, self._exceeds(values)),
        ):
            if bound is None:
                continue
            stages.append(self._reason(name, bound))
            codes[lacks] = len(stages)
            margin[lacks] = np.abs(values[lacks] - bound)
        rows = np.asarray(ask.eligible, np.int64)
        order = sorted_rows(rows[codes[rows] == 0], values, highest=self.above is not None)
        return selection(pool, ask, order, gains=values[order], stages=stages, codes=codes, margin=margin)

    def _lacks(self, values: np.ndarray) -> np.ndarray:
        """True where a score is too low; NaN is not."""
        if self.above is None:
            return np.zeros(len(values), bool)
        return values < self.above if self.inclusive in ("above", "both") else values <= self.above

    def _exceeds(self, values: np.ndarray) -> np.ndarray:
        """True where a score is too high; NaN is not."""
        if self.below is None:
            return np.zeros(len(values), bool)
        return values > self.below if self.inclusive in ("below", "both") else values >= self.below

    def _reason(self, name: str, bound: float) -> str:
        """What is said of a row that fails a bound: "below 0.5", "at or above 0.9", ..."""
        word = "below" if name == "above" else "above"
        return f"{word} {bound:g}" if self.inclusive in (name, "both") else f"at or {word} {bound:g}"

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
