"""Numbers that were computed elsewhere: a file with one line per row, joined by row id, content or a field."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import DataError
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime

Match = Literal["row-id", "content", "field"]

KEYS: dict[Match, str] = {"row-id": "row_id", "content": "content", "field": "id"}
"""Field of the file that says which row a line is for, where nothing else is named."""
NOT_IN_FILE = "not in the file"
NO_VALUE = "no value in the file"
CONFLICT = "the file gives it different values"
NO_KEY = "it has no value to find it by"


# ---------------------------------------------------------------------- the file


def lines_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (from 1, the header of a CSV file not counted) and fields of every line of a file.

    `.csv` and `.tsv` with a header, `.parquet`, `.json` with a list of objects; anything else is read as JSON lines.

    Raises:
        DataError: naming the row, if a line is not as it should be; inside `errors_of` it names the file too.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        yield from enumerate(_parquet(path), 1)
    elif ending in (".csv", ".tsv"):
        with path.open(encoding="utf-8-sig", newline="") as text:
            for row, record in enumerate(csv.DictReader(text, delimiter="\t" if ending == ".tsv" else ","), 1):
                if None in record:
                    raise DataError("it has more cells than the header", "quote cells with commas", row=row)
                yield row, record
    elif ending == ".json":
        records = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(records, list):
            raise DataError("it holds no list of objects", "write a list, or one object a line in a .jsonl file")
        yield from ((row, _object(record, row)) for row, record in enumerate(records, 1))
    else:
        yield from _json_lines(path)


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(4096):
            yield from batch.to_pylist()


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as text:
        for row, line in enumerate(text, 1):
            if line.strip():
                try:
                    record = json.loads(line)
                except ValueError as error:
                    raise DataError(f"it is not JSON: {error}", "one object on every line", row=row) from None
                yield row, _object(record, row)


def _object(record: Any, row: int) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"it is {type(record).__name__}, not an object", "write {...} with named fields", row=row)
    return record


@contextlib.contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Adds the file's name to what goes wrong inside, and makes a DataError of what a broken file raises."""
    import pyarrow as pa

    try:
        yield
    except DataError as error:
        named = DataError(error.message, error.hint, file=path.name)
        named.row, named.field = error.row, error.field
        raise named from None
    except (ValueError, csv.Error, pa.ArrowException, RecursionError) as error:  # also a wrong encoding
        hint = "CSV and TSV with a header, Parquet, JSON and JSON lines are read, in UTF-8"
        raise DataError(f"it cannot be read: {str(error)[:200]}", hint, file=path.name) from error


def as_key(value: Any) -> str | None:
    """What identifies a row, as text: the numbers 7 and 7.0 are "7", a text is itself; None for what is no name.

    NaN is no name: that is how a table writes a cell without a value.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float):
        if not np.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    return str(value).strip() or None


def as_value(value: Any) -> float:
    """A number, or a text that is one; NaN where there is none.

    Raises:
        ValueError: for anything else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    if isinstance(value, str) and ("_" in value or not value.isascii()):  # Python reads 4_5 as 45
        raise ValueError(f"{value[:40]!r} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value[:40]!r} is not a number" if isinstance(value, str) else "too large") from None
    if np.isinf(number):
        raise ValueError("it is not finite")
    return number


@dataclass
class Given:
    """What a file says.

    Args:
        values: Key → one number per column asked for, NaN = none.
        conflicts: Keys that the file gives different numbers.
        rows: Lines read.
        repeated: Lines whose key stood on an earlier one.
        keyless: Lines without a key.
    """

    values: dict[str, tuple[float, ...]] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    rows: int = 0
    repeated: int = 0
    keyless: int = 0


def collect(lines: Iterable[tuple[int, dict[str, Any]]], key: str, columns: Sequence[str]) -> Given:
    """Numbers by key.

    Args:
        lines: From `lines_of`.
        key: Field that identifies a line.
        columns: Fields with numbers.

    Raises:
        DataError: naming row and field, if no line has one of the fields, or a value is no number.
    """
    found = Given()
    seen: set[str] = set()
    first: dict[str, Any] = {}
    for row, record in lines:
        first = first or record
        found.rows += 1
        seen.update(name for name in (key, *columns) if name in record)
        name = as_key(record.get(key))
        if name is None:
            found.keyless += 1
            continue
        values = tuple(_number(record.get(column), row, column) for column in columns)
        earlier = found.values.setdefault(name, values)
        if earlier is not values:
            found.repeated += 1
            if not np.array_equal(earlier, values, equal_nan=True):
                found.conflicts.add(name)
    absent = next((name for name in (key, *columns) if name not in seen), None)
    if absent is not None:
        raise DataError("no line has this field", f"fields: {', '.join(map(str, first)) or 'none'}", field=absent)
    return found


def _number(value: Any, row: int, column: str) -> float:
    try:
        return as_value(value)
    except ValueError as error:
        raise DataError(str(error), "write numbers, and leave out what is missing", row=row, field=column) from None


# ---------------------------------------------------------------------- the join


def join(keys: Sequence[str | None], given: Given, width: int) -> tuple[np.ndarray, Missing]:
    """Numbers of every row.

    Args:
        keys: Of the rows; None = a row that cannot be found.
        given: From `collect`.
        width: Numbers per key.

    Returns:
        float64 `[n, width]`, NaN = none, and why the first of them is missing.
    """
    values = np.full((len(keys), width), np.nan)
    reasons: list[str | None] = [None] * len(keys)
    for row, key in enumerate(keys):
        if key is None or key not in given.values:
            reasons[row] = NO_KEY if key is None else NOT_IN_FILE
        elif key in given.conflicts:
            reasons[row] = CONFLICT
        else:
            values[row] = given.values[key]
            reasons[row] = NO_VALUE if np.isnan(values[row, 0]) else None
    return values, Missing.from_list(reasons)


class Imported(Scorer):
    """Numbers from a file made elsewhere, such as the losses of a large model on a rented GPU.

    Each line of the file names its row: by row id (as in every export), by content hash, or by a field that the records
    have too. The file's SHA-256 is part of the result's key, so a changed file is a new result.
    """

    version: ClassVar[int] = 2

    title: ClassVar[str] = "Imported numbers"
    source: ClassVar[str] = "The user's own file"
    weakness: ClassVar[str] = "How the numbers were made (template, tokens, truncation) is known only from the note."

    path: str = Field(min_length=1, description="CSV, TSV, Parquet, JSON or JSON-lines file", examples=["scores.csv"])
    column: str = Field(min_length=1, description="field of the file with the number", examples=["score"])
    match: Match = Field("row-id", description="how a line finds its row")
    key: str | None = Field(
        None, min_length=1, description="field of the file that names the row; nothing = row_id, content, or id"
    )
    field: str | None = Field(
        None, min_length=1, description="field of the records to match, with match: field", examples=["category"]
    )
    columns: tuple[str, ...] = Field((), max_length=20, description="more number fields to take along, such as tokens")
    name: str | None = Field(
        None, min_length=1, max_length=80, description="what to call it; nothing = the field's name"
    )
    higher_is_better: bool | None = Field(None, description="whether high is better; nothing = neither end is")
    note: str = Field("", max_length=500, description="where the numbers come from: model, template, trainer")
    sha256: str = Field(
        "auto", pattern="^(auto|[0-9a-f]{64})$", description="of the file; auto = of the file as it is now"
    )

    @model_validator(mode="after")
    def _a_field_to_match(self) -> Self:
        if self.match == "field" and self.field is None:
            raise ValueError("match: field wants the field of the records to match")
        return self

    def resolve(self, runtime: Runtime) -> Self:
        """The whole path, and the file's digest.

        Raises:
            DataError: if there is no such file.
        """
        if self.sha256 != "auto":
            return self
        path = _found(self.path)
        return self.model_copy(update={"path": str(path), "sha256": digest_of(path)})

    def key_parameters(self) -> dict[str, Any]:
        """As everywhere, but only the file's name: the same file in another folder is the same file."""
        return {**super().key_parameters(), "path": Path(self.path).name}

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Read the file and join it.

        Raises:
            DataError: if the file is gone or was changed, a value is no number, or no line finds a row.
        """
        path = _found(self.path)
        digest = digest_of(path)
        if self.sha256 not in ("auto", digest):
            raise DataError(
                "the file was changed since the recipe was made", "set sha256 to auto to take it as it is now",
                file=path.name,
            )  # fmt: skip
        wanted = (self.column, *self.columns)
        with errors_of(path):
            given = collect(lines_of(path), self.key or KEYS[self.match], wanted)
        keys = _row_keys(pool, self.match, self.field)
        values, missing = join(keys, given, len(wanted))
        matched = {k for k in keys if k is not None} & given.values.keys()
        if not matched or missing.mask.all():
            raise DataError(*_nothing_found(given, keys, bool(matched)), file=path.name)
        info = {
            "model": self.note or path.name,  # where a loss says which model it is of
            "note": self.note,
            "file": path.name,
            "sha256": digest,
            "match": self.match,
            "lines": given.rows,
            "matched_lines": len(matched),
            "lines_without_a_row": len(given.values) - len(matched),
            "repeated_lines": given.repeated,
            "lines_without_a_key": given.keyless,
        }
        columns = {name: values[:, i] for i, name in enumerate(wanted) if i}
        name = self.name or self.column
        return Score(pool.fingerprint, values[:, 0].copy(), missing, name, self.higher_is_better, columns, info)

    def work(self, size: Size) -> float:
        """One line a row."""
        return float(size.rows + 1)

    def disk(self, size: Size) -> float:
        """The numbers."""
        return 8.0 * size.rows * (1 + len(self.columns))


def digest_of(path: Path) -> str:
    """SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _found(text: str) -> Path:
    try:
        path = Path(os.environ.get("CURATION_FOLDER") or Path.cwd()) / Path(text).expanduser()
        there = path.is_file()
    except (RuntimeError, ValueError):  # the home of nobody, a NUL
        raise DataError("this is no path", "write the whole path", file=repr(text)) from None
    if not there:
        raise DataError("there is no such file", "write the whole path", file=text)
    return path


def _row_keys(pool: Dataset, match: Match, name: str | None) -> list[str | None]:
    if match == "row-id":
        return list(pool.row_ids())
    if match == "content":
        return [content.hex() for content in pool.column("content").to_pylist()]
    return [as_key(value) for value in pool.field(name or "")]


def _nothing_found(given: Given, keys: Sequence[str | None], matched: bool) -> tuple[str, str]:
    """Message and hint when no row gets a number."""
    if matched:
        return "no row has one clear number in it", "look at the field with the numbers, and at repeated lines"
    theirs, ours = (repr(next(chain(k, ["nothing"])))[:60] for k in (iter(given.values), (k for k in keys if k)))
    return (
        f"none of its {given.rows:,} lines is a row of this dataset: its first key is {theirs}, the first row's {ours}",
        "choose what to match by, and name the key's field",
    )
