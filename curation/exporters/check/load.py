"""How data loaders change a file before a trainer sees it, read from `datasets` 4.0.0 and 5.2.0.

- JSON lines: types come from the first 10 MB. A key that is absent, null or an empty list until then ends the loading.
- CSV: pandas reads "NA", "None", "null" and an empty cell as missing, and a column of numbers as numbers, so such
  answers are no text any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curation.exporters._plan import LOADER_CHUNK, kind_of

CSV_MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"]
    + ["NULL", "NaN", "None", "n/a", "nan", "null"]
)
"""What `pandas.read_csv` takes for a missing value."""


def as_csv_reads(record: dict[str, Any]) -> dict[str, Any]:
    """A record as it comes back from a CSV file: nested values are text, and words that stand for nothing are None."""
    from curation.exporters._writers import cell_text

    cells = {name: cell_text(value) for name, value in record.items()}
    return {name: None if cell in CSV_MISSING else cell for name, cell in cells.items()}


class NumberColumns:
    """Finds the text columns of a CSV file that a loader will read as numbers.

    Args:
        columns: The columns that a trainer reads as text.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._open = set(columns)
        self._seen: set[str] = set()

    def add(self, record: dict[str, Any]) -> None:
        """Look at one record, as `as_csv_reads` gives it."""
        for name in list(self._open):
            value = record.get(name)
            if value is None:
                continue
            self._seen.add(name)
            if not _reads_as_number(value):
                self._open.discard(name)

    def found(self) -> list[str]:
        """Columns in which every cell is a number."""
        return sorted(self._open & self._seen)


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("True", "False", "TRUE", "FALSE", "true", "false")
    return "_" not in text


def paths(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every place in a record that holds something, with its kind: `("messages[].content", "text")`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{at}[]")
    elif value is not None:
        yield at, kind_of(value)


class FirstChunk:
    """Watches a JSON-lines file for places that appear only after the part from which a loader infers its types.

    Args:
        chunk: Bytes of that part.
    """

    def __init__(self, chunk: int = LOADER_CHUNK) -> None:
        self._left = chunk
        self._known: set[tuple[str, str]] = set()
        self.late: dict[str, int] = {}

    def add(self, row: int, record: dict[str, Any], size: int) -> None:
        """Look at one record of `size` bytes."""
        here = set(paths(record))
        if self._left > 0:
            self._known |= here
            self._left -= size + 1
            return
        for place, kind in here - self._known:
            if kind == "whole" and (place, "number") in self._known:
                continue
            self.late.setdefault(place, row)

    def warning(self) -> str:
        """A sentence for the report, "" when all is well."""
        if not self.late:
            return ""
        place, row = next(iter(self.late.items()))
        more = f" and {len(self.late) - 1} more" if len(self.late) > 1 else ""
        return (
            f"the file cannot be loaded as it is: '{place}'{more} first appears after its first 10 MB (row {row}), "
            "from which loaders infer the types; write a .json list instead"
        )
