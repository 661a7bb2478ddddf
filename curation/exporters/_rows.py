"""Rows of a Dataset as Python values, a block at a time: a million rows are never held as dictionaries at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import orjson

from curation.core.dataset import Dataset

BLOCK = 2048
LONG_NUMBER = re.compile("[0-9]{19}")


class RowView(NamedTuple):
    """One row of a Dataset.

    Args:
        row: Its index in the Dataset.
        source: Which file or split it came from.
        form: The form it was read as.
        messages: The conversation, see `curation.core.dataset.Message`.
        tools: The tools offered, or None.
        record: The original record.
        size: Bytes of the record and the conversation as JSON text, whichever is more.
    """

    row: int
    source: str
    form: str
    messages: list[dict[str, Any]]
    tools: Any
    record: Any
    size: int = 0


def loads(text: str) -> Any:
    """Parse JSON; NaN, Infinity and integers of any size are understood too, at the speed of the standard library."""
    if LONG_NUMBER.search(text):
        return json.loads(text)  # orjson makes a float of an integer beyond 64 bits
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def dumps(value: Any) -> str:
    """One line of JSON text, non-Latin letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def one_line(text: str) -> str:
    """A JSON text without line ends; inside strings JSON writes them as marks, so only its own layout is lost."""
    return text if "\n" not in text and "\r" not in text else text.replace("\n", " ").replace("\r", " ")


def blocks(dataset: Dataset, rows: np.ndarray, columns: list[str]) -> Iterator[tuple[np.ndarray, dict[str, list[Any]]]]:
    """Blocks of up to `BLOCK` rows in the given order, as Python lists by column name.

    Args:
        dataset: Where from.
        rows: int64 `[m]`.
        columns: Names of Dataset columns.

    Yields:
        The rows of the block, and its values.
    """
    for start in range(0, len(rows), BLOCK):
        here = rows[start : start + BLOCK]
        table = dataset.take(here).table
        yield here, {name: table[name].to_pylist() for name in columns}


def stream(dataset: Dataset, rows: np.ndarray) -> Iterator[RowView]:
    """The named rows in the given order, one by one. Cost: one JSON parse of each; memory: one block.

    Args:
        dataset: Where from.
        rows: int64 `[m]`.

    Yields:
        One `RowView` per row.
    """
    names = ["source", "form", "messages", "tools", "record"]
    for here, block in blocks(dataset, rows, names):
        for row, source, form, messages, tools, record in zip(here, *(block[n] for n in names), strict=True):
            yield RowView(
                int(row),
                source,
                form,
                loads(messages),
                None if tools is None else loads(tools),
                loads(record),
                max(len(record), len(messages)),
            )
