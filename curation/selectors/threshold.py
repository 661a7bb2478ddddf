"""The rows whose score lies above or below a threshold: a value, or a quantile of the scores."""

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
    furthest from the bound first: highest first, or lowest first when only an upper bound is given; equal scores by the
    lowest row. Gains are the scores; margins the distance to the bound that a row fails.

    Instead of a value each bound may be a quantile of the eligible rows' scores, interpolated between the two nearest:
    `above_quantile: 0.8` keeps about the top fifth. The bound is then a value like any other: rows equal to it are all
    in or all out, by `inclusive`, so ties may make it fewer or more rows than the share. For an exact share see Band or
    Top k.
    """

    title: ClassVar[str] = "Threshold"
    weakness: ClassVar[str] = "The right threshold differs from pool to pool: look at the distribution first."
    source: ClassVar[str] = "Comparison"
    when: ClassVar[str] = (
        "To keep every row beyond a value of a score, or beyond a quantile of it, however many those are."
    )

    above: float | None = Field(None, allow_inf_nan=False, description="lowest score that is kept", examples=[0.0])
    below: float | None = Field(
        None, allow_inf_nan=False, description="score from which rows are dropped", examples=[1.0]
    )
    above_quantile: float | None = Field(
        None, ge=0, le=1, description="instead of `above`: the quantile of the scores that is the lower bound"
    )
    below_quantile: float | None = Field(
        None, ge=0, le=1, description="instead of `below`: the quantile of the scores that is the upper bound"
    )
    inclusive: Inclusive = Field("above", description="bounds at which a row with exactly that score is kept")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    @model_validator(mode="after")
    def _some_bound(self) -> Self:
        for name, value, quantile in (
            ("above", self.above, self.above_quantile),
            ("below", self.below, self.below_quantile),
        ):
            if value is not None and quantile is not None:
                raise ValueError(f"give '{name}' or '{name}_quantile', not both")
        low = self.above if self.above is not None else self.above_quantile
        high = self.below if self.below is not None else self.below_quantile
        if low is None and high is None:
            raise ValueError("give 'above', 'below' or both, or 'above_quantile' or 'below_quantile' in their place")
        if self.above is not None and self.below is not None and self.above > self.below:
            raise ValueError(f"no score is above {self.above:g} and below {self.below:g}")
        if (
            self.above_quantile is not None
            and self.below_quantile is not None
            and self.above_quantile > self.below_quantile
        ):
            raise ValueError(
                f"no score is above the quantile {self.above_quantile:g} and below {self.below_quantile:g}"
            )
        return self

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score) -> Selection:
        """Compare and sort: O(n log n).

        Raises:
            CurationError: if the column is unknown.
        """
        values = numbers(score, self.column)
        rows = np.asarray(ask.eligible, np.int64)
        scored = values[rows][np.isfinite(values[rows])]
        above = _bound(self.above, self.above_quantile, scored)
        below = _bound(self.below, self.below_quantile, scored)
        codes, margin = (~np.isfinite(values)).astype(np.int64), np.full(len(values), np.nan)
        stages = ["no score"]
        info = {}
        for name, bound, quantile, fails in (
            ("above", above, self.above_quantile, self._lacks(values, above)),
            ("below", below, self.below_quantile, self._exceeds(values, below)),
        ):
            if bound is None:
                continue
            stages.append(self._reason(name, bound, quantile))
            codes[fails] = len(stages)
            margin[fails] = np.abs(values[fails] - bound)
            if quantile is not None:
                info[name] = bound
        order = sorted_rows(rows[codes[rows] == 0], values, highest=above is not None)
        return selection(pool, ask, order, gains=values[order], stages=stages, codes=codes, margin=margin, info=info)

    def _lacks(self, values: np.ndarray, bound: float | None) -> np.ndarray:
        """True where a score is too low; NaN is not."""
        if bound is None:
            return np.zeros(len(values), bool)
        return values < bound if self.inclusive in ("above", "both") else values <= bound

    def _exceeds(self, values: np.ndarray, bound: float | None) -> np.ndarray:
        """True where a score is too high; NaN is not."""
        if bound is None:
            return np.zeros(len(values), bool)
        return values > bound if self.inclusive in ("below", "both") else values >= bound

    def _reason(self, name: str, bound: float, quantile: float | None) -> str:
        """What is said of a row that fails a bound: "below 0.5", "at or above 0.9, the quantile 0.75", ..."""
        word = "below" if name == "above" else "above"
        text = f"{word} {bound:g}" if self.inclusive in (name, "both") else f"at or {word} {bound:g}"
        return text if quantile is None else f"{text}, the quantile {quantile:g}"

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)


def _bound(value: float | None, quantile: float | None, scored: np.ndarray) -> float | None:
    """The value of a bound; None where there is none, or no score to take a quantile of."""
    if quantile is None:
        return value
    return float(np.quantile(scored, quantile)) if len(scored) else None
