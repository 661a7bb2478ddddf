"""Rows named by hand: what was drawn around on the map, or a list from elsewhere."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.row_ranges import format_rows, parse_rows
from curation.core.runtime import Runtime
from curation.selectors._build import selection

__all__ = ["Rows", "format_rows", "parse_rows"]


class Rows(Selector):
    """The named rows, in the order they are named.

    Row numbers are those of this dataset, from 0; they mean nothing in another one.
    """

    title: ClassVar[str] = "Rows by number"
    when: ClassVar[str] = "You know the rows by number: a lasso, a search, a list of your own."
    weakness: ClassVar[str] = "A choice by hand: nobody can check why these rows, and it fits this dataset only."
    source: ClassVar[str] = "The user's own"

    rows: str = Field(min_length=1, description="row numbers and ranges: 3, 10-20", examples=["0"])

    @field_validator("rows")
    @classmethod
    def _understood(cls, value: str) -> str:
        parse_rows(value)
        return value

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime) -> Selection:
        """Look the rows up: O(n).

        Raises:
            CurationError: if a row is beyond the end, or none of them is eligible.
        """
        rows = parse_rows(self.rows)
        if rows.max() >= len(pool):
            raise CurationError(f"there is no row {rows.max():,}", f"rows go from 0 to {len(pool) - 1:,}")
        order = rows[np.isin(rows, ask.eligible)]
        if not len(order):
            raise CurationError("none of the named rows is eligible", "name others, or leave out 'within'")
        return selection(pool, ask, order, stages=("not named",))

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
