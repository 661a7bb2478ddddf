"""Rows for which an expression holds."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from curation.core.artifacts import Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection
from curation.selectors._filter_run import BUILTIN, filter_rows
from curation.selectors._filter_sql import MAX_LETTERS, read_filter

NO_VALUE = "no value: something that the filter looks at is missing"


class Filter(Selector):
    r"""All rows for which one condition holds, in row order, written in DuckDB's SQL.

    For example `response_letters BETWEEN 50 AND 4000 AND prompt ILIKE '%river%'`, `quality > 0.5 OR source = 'a.json'`,
    `record.rating >= 4`, `regexp_matches(response, '\d{4}')`, `turns > 2 AND language IN ('de', 'fr')`.

    Columns: `row`, `prompt`, `response`, `source`, `form`, `line`, `copy` (0 for the first row with its content),
    `turns` (messages), `prompt_letters`, `response_letters`, `letters`; scores and labels by their names, a column of a
    score as `score.column`; fields of the record as `record.name` or `field('any name')`, which are numbers where they
    are compared with one. A name with other letters stands in double quotes. All numbers are float64; a cast that does
    not fit, a division by zero and a missing score are NULL, and a row for which the filter is NULL is out.

    Nothing in an expression can reach a file, another row or Python: it is parsed, checked part by part and written
    anew, and runs in a connection of its own with a limit of time and memory.
    """

    title: ClassVar[str] = "Filter"
    when: ClassVar[str] = "A condition over lengths, scores, labels and fields says which rows belong."
    weakness: ClassVar[str] = "As right as its condition: look at some of the rows that it keeps and drops."
    source: ClassVar[str] = "SQL"
    eligible_ports: ClassVar[tuple[str, ...]] = ()

    expression: str = Field(
        min_length=1, max_length=MAX_LETTERS, description="for example response_letters > 200", examples=["row >= 0"]
    )

    @field_validator("expression")
    @classmethod
    def _understood(cls, value: str) -> str:
        try:
            read_filter(value, BUILTIN, complete=False)
        except CurationError as error:  # pydantic adds the name of the field to a ValueError only
            raise ValueError(f"{error.message}; {error.hint}") from None
        return value

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        scores: dict[str, Score] | None = None,
        labels: dict[str, Labels] | None = None,
    ) -> Selection:
        """Compute the condition: linear in what it looks at.

        Args:
            pool: The rows.
            ask: Only these rows are looked at.
            runtime: Not used.
            scores: Scores by the names that the expression uses.
            labels: Labels by the names that the expression uses.

        Raises:
            CurationError: if it names what is not there, cannot be computed, or takes too long.
        """
        rows = np.asarray(ask.eligible, np.int64)
        holds, absent = filter_rows(pool, self.expression, scores or {}, labels or {}, rows=rows)
        stages = ("the filter does not hold", NO_VALUE)
        info = {"no value": int(absent.sum())}
        return selection(pool, ask, rows[holds[rows]], stages=stages, codes=np.where(absent, 2, 1), info=info)

    def work(self, size: Size) -> float:
        """Letters, since texts are what takes time."""
        return float(size.chars + size.rows + 1)
