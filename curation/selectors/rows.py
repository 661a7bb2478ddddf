"""Rows named by hand: what was drawn around on the map, or a list from elsewhere."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection


def parse_rows(text: str) -> np.ndarray:
    """Row numbers from text such as `3, 10-20, 7`: int64, each once, in the order of the text. Ends are included.

    Raises:
        ValueError: naming the part that is not understood.
    """
    parts = []
    for part in text.split(","):
        first, dash, last = (p.strip() for p in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise ValueError(f"'{part.strip()}' is neither a row number nor a range like 10-20")
        parts.append(np.arange(int(first), int(last if dash else first) + 1, dtype=np.int64))
    rows = np.concatenate(parts)
    return rows[np.sort(np.unique(rows, return_index=True)[1])]


def format_rows(rows: np.ndarray) -> str:
    """The shortest text for a set of rows, in ascending order: `3,7,10-20`."""
    rows = np.unique(np.asarray(rows, np.int64))
    if not len(rows):
        return ""
    edges = np.flatnonzero(np.diff(rows) > 1) + 1
    runs = np.split(rows, edges)
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


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
