"""Columns beside the rows of a table: read for the page in view only, sorted once, and written as CSV on a click.

A million rows cost one sorted order (4 bytes a row) per column that the user sorts by, and nothing else.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset

CSV_BLOCK = 10_000
"""Rows whose texts are in memory at once while a CSV file is written."""
ID, SOURCE = "row_id", "source"

Values = Sequence[Any] | np.ndarray | Score | Labels


@dataclass(frozen=True)
class Column:
    """A column of a table of rows.

    Args:
        values: Of all rows of the dataset, in its order.
        key: Names the content (the result's key, say), so that its sorted order is found again; "" = the user cannot
            sort by it.
        none: Shown for a row whose label is missing without a reason.
    """

    values: Values
    key: str = ""
    none: str = ""

    @property
    def sortable(self) -> bool:
        """True when it has a key, and numbers or labels."""
        return bool(self.key) and (isinstance(self.values, Score | Labels) or _is_numeric(self.values))


def as_column(values: Values | Column) -> Column:
    """Plain values as a column that cannot be sorted by."""
    return values if isinstance(values, Column) else Column(values)


def _is_numeric(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind in "iufb"


def values_at(column: Column, rows: np.ndarray) -> list[Any]:
    """What a column shows for some rows; None where there is no number.

    Args:
        column: Of all rows.
        rows: int `[m]`.
    """
    values = column.values
    if isinstance(values, Labels):
        return [values.value(row) or values.missing.reason(row) or column.none for row in rows.tolist()]
    if isinstance(values, Score):
        values = values.values
    if _is_numeric(values):
        found = np.asarray(values)[rows]
        if found.dtype.kind == "f":
            return [None if value != value else value for value in found.tolist()]
        return found.tolist()
    return [values[row] for row in rows.tolist()]


def sorted_rows(column: Column, *, descending: bool) -> np.ndarray:
    """All rows by a column: missing ones last either way, ties to the lowest row.

    Labels go by their names in the alphabet. Costs a sort: 0.1 s for a million numbers.

    Returns:
        int32 `[n]`.
    """
    values = column.values
    if isinstance(values, Labels):
        # the place of each name in the alphabet; code -1 finds the last entry
        place = np.empty(len(values.names) + 1)
        place[np.argsort([name.casefold() for name in values.names], kind="stable")] = np.arange(len(values.names))
        place[-1] = np.nan
        numbers = place[np.asarray(values.codes)]
    else:
        numbers = np.asarray(values.values if isinstance(values, Score) else values)
        numbers = numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)
    # a stable sort puts NaN last, and equal numbers in the order of the rows
    return np.argsort(-numbers if descending else numbers, kind="stable").astype(np.int32)


def in_order(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The same rows in the order in which `order` names them; 10 ms for a million.

    Args:
        rows: int `[m]`, each at most once.
        order: Every row of the dataset, int `[n]`.

    Returns:
        int64 `[m]`.
    """
    if len(rows) == len(order):
        return order.astype(np.int64)
    wanted = np.zeros(len(order), bool)
    wanted[rows] = True
    return order[wanted[order]].astype(np.int64)


def csv_lines(dataset: Dataset, rows: np.ndarray, columns: Mapping[str, Column]) -> Iterator[str]:
    """A CSV file of rows in pieces of some thousand rows, the first one with the header.

    Row index, row id, prompt, response, source, then the columns. Cells that a spreadsheet would run as a formula get
    an apostrophe, as in the CSV export.

    Args:
        dataset: Whose rows.
        rows: int `[m]`, in the order to write.
        columns: By title.
    """
    from curation.exporters import escape_cell

    cells = io.StringIO()
    writer = csv.writer(cells, lineterminator="\n")
    writer.writerow(["row", ID, "prompt", "response", SOURCE, *(escape_cell(name) for name in columns)])
    for begin in range(0, max(len(rows), 1), CSV_BLOCK):
        here = rows[begin : begin + CSV_BLOCK]
        part = dataset.take(here)
        texts = [part.texts("prompt"), part.texts("response"), part.sources]
        values = [values_at(column, here) for column in columns.values()]
        safe = [[escape_cell(v) if isinstance(v, str) else v for v in column] for column in (*texts, *values)]
        writer.writerows(zip(here.tolist(), part.row_ids(), *safe, strict=True))
        yield cells.getvalue()
        cells.seek(0)
        cells.truncate()
