"""The rows in the middle: a band of a score between two quantiles or two values."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import numbers, selection, sorted_rows


def quantile_places(low: float, high: float, n: int) -> tuple[int, int]:
    """Places of a band among `n` rows sorted by score: from the first to before the second; round half up.

    Bands that meet share no row and leave none out, also where scores are equal.

    Args:
        low: 0 to 1.
        high: `low` to 1.
        n: Rows.
    """
    return int(np.floor(low * n + 0.5)), int(np.floor(high * n + 0.5))


class Band(Selector):
    """All rows between two quantiles of a score, or between two values.

    Quantiles count eligible rows with a score, lowest score first, equal scores by the lowest row: 0.25 to 0.75 is
    the middle half, exactly. Between values both ends are kept. Picks come highest first, unless the score says that
    lower is better. Gains are the scores; the margin of a row outside is its distance to the nearest score inside the
    band.
    """

    title: ClassVar[str] = "Band"
    purpose: ClassVar[Purpose] = "by score"
    when: ClassVar[str] = (
        "The ends of a score are both suspect: very low is broken, very high is noise; the middle is wanted."
    )
    weakness: ClassVar[str] = "Throws both ends away, and the best rows may be at one of them."
    source: ClassVar[str] = "Middle-of-the-score pruning, e.g. Marion et al. 2023, arXiv 2309.04564"

    low: float = Field(0.25, allow_inf_nan=False, description="where the band begins: a share of the rows, or a value")
    high: float = Field(0.75, allow_inf_nan=False, description="where the band ends: a share of the rows, or a value")
    unit: Literal["quantile", "value"] = Field("quantile", description="what low and high are")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g}, above high, which is {self.high:g}")
        if self.unit == "quantile" and not (self.low >= 0 and self.high <= 1):
            raise ValueError(f"low and high are quantiles from 0 to 1, not {self.low:g} and {self.high:g}")
        return self

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, score: Score) -> Selection:
        """Sort and cut: O(n log n).

        Raises:
            CurationError: if the column is unknown.
        """
        values = numbers(score, self.column)
        rows = np.asarray(ask.eligible, np.int64)
        ascending = sorted_rows(rows[np.isfinite(values[rows])], values, highest=False)
        if self.unit == "quantile":
            begin, end = quantile_places(self.low, self.high, len(ascending))
        else:
            begin = int(np.searchsorted(values[ascending], self.low, side="left"))
            end = int(np.searchsorted(values[ascending], self.high, side="right"))
        codes = np.full(len(values), 3)
        codes[ascending[:begin]], codes[ascending[end:]] = 1, 2
        margin = np.full(len(values), np.nan)
        if end > begin:
            margin[ascending[:begin]] = values[ascending[begin]] - values[ascending[:begin]]
            margin[ascending[end:]] = values[ascending[end:]] - values[ascending[end - 1]]
        order = sorted_rows(np.sort(ascending[begin:end]), values, highest=score.higher_is_better is not False)
        return selection(
            pool,
            ask,
            order,
            gains=values[order],
            stages=("below the band", "above the band", "no score"),
            codes=codes,
            margin=margin,
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
