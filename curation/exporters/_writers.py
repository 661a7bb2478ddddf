"""Files and folders that records are written into, one record at a time."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import MissingDependency
from curation.exporters._plan import Plan, common_kind
from curation.exporters._rows import dumps

ARROW_ROWS = 4096
ARROW_BYTES = 32 << 20
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a cell for a formula, the full-width signs of East Asian keyboards included."""


class Writer(Protocol):
    """Something that takes records."""

    def write(self, record: dict[str, Any]) -> None:
        """Add one record."""

    def close(self) -> None:
        """Finish the file."""


class JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="\n")

    def write(self, record: Any) -> None:
        self.write_text(dumps(record))

    def write_text(self, text: str) -> None:
        self._file.write(text)
        self._file.write("\n")

    def close(self) -> None:
        self._file.close()


class JsonList:
    """One JSON list, one record a line, so that it can be read by eye and compared line by line."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="\n")
        self._between = "[\n"

    def write(self, record: Any) -> None:
        self.write_text(dumps(record))

    def write_text(self, text: str) -> None:
        self._file.write(self._between)
        self._file.write(text)
        self._between = ",\n"

    def close(self) -> None:
        self._file.write("[]\n" if self._between == "[\n" else "\n]\n")
        self._file.close()


# ---------------------------------------------------------------------- CSV


def escape_cell(text: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run as a formula; `unescape_cell` takes it away.

    Plain numbers ("-5") are left alone. A cell that already begins with an apostrophe and such a sign gets another one,
    so the way back is exact.
    """
    if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS):
        return f"'{text}"
    if not text.startswith(FORMULA_STARTS) or _is_number(text):
        return text
    return f"'{text}"


def unescape_cell(text: str) -> str:
    """The reverse of `escape_cell`."""
    bare = text.lstrip("'")
    return text[1:] if text.startswith("'") and bare.startswith(FORMULA_STARTS) else text


def _is_number(text: str) -> bool:
    if text[0] not in "+-" or not text[1:2].isdigit():
        return False
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()


def cell_text(value: Any) -> str | None:
    """A value as a CSV cell: text as it is, everything else as JSON, None as nothing at all."""
    return value if value is None or isinstance(value, str) else dumps(value)


Quoting = Literal["minimal", "all", "none"]


def csv_line(cells: list[str | None], separator: str = ",", quoting: Quoting = "minimal") -> str:
    """One CSV line without its end. None is an empty cell, an empty text is `""`, so both can be told apart."""
    if quoting == "none":
        return separator.join(cell or "" for cell in cells)
    return separator.join("" if c is None else _quoted(c, separator, quoting == "all") for c in cells)


def _quoted(text: str, separator: str, always: bool) -> str:
    plain = text and not any(sign in text for sign in (separator, '"', "\n", "\r")) and text == text.strip()
    return text if plain and not always else '"' + text.replace('"', '""') + '"'


class Csv:
    """Comma-separated values; UTF-8.

    Args:
        path: The file.
        columns: Its columns.
        escape: Prefix cells that a spreadsheet would run as a formula.
        separator: What stands between cells.
        quoting: Quote where needed, always or never.
        line_end: What ends a line.
        header: Write the names of the columns first.
    """

    def __init__(
        self,
        path: Path,
        columns: tuple[str, ...],
        *,
        escape: bool,
        separator: str = ",",
        quoting: Quoting = "minimal",
        line_end: str = "\n",
        header: bool = True,
    ) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="")
        self._columns, self._escape = columns, escape
        self._separator, self._quoting, self._end = separator, quoting, line_end
        if header:
            self._line(list(columns))

    def write(self, record: dict[str, Any]) -> None:
        self._line([cell_text(record.get(name)) for name in self._columns])

    def _line(self, cells: list[str | None]) -> None:
        if self._escape:
            cells = [None if c is None else escape_cell(c) for c in cells]
        self._file.write(csv_line(cells, self._separator, self._quoting))
        self._file.write(self._end)

    def close(self) -> None:
        self._file.close()


# ---------------------------------------------------------------------- Arrow

_KINDS = {"text": pa.string(), "flag": pa.bool_(), "whole": pa.int64(), "number": pa.float64(), "json": pa.string()}
_CALLS = pa.list_(
    pa.struct(
        [
            ("id", pa.string()),
            ("type", pa.string()),
            ("function", pa.struct([("name", pa.string()), ("arguments", pa.string())])),
        ]
    )
)
_TURN_BASE = {"role", "content", "from", "value", "tool_calls"}


def arrow_schema(plan: Plan) -> pa.Schema:
    """Types of every column of a plan. Extra columns of nested or mixed values are JSON text."""
    turn_fields: dict[str, pa.DataType] = {
        k: pa.string() for k in ("role", "content", "from", "value") if k in plan.turn_keys
    }
    if "tool_calls" in plan.turn_keys:
        turn_fields["tool_calls"] = _CALLS
    other = {k: _KINDS[common_kind(set(v))] for k, v in plan.turn_keys.items() if k not in _TURN_BASE}
    turns = pa.list_(pa.struct(list({**turn_fields, **other}.items())))
    types: dict[str, pa.DataType] = {"history": pa.list_(pa.list_(pa.string())), "messages": turns}
    types["conversations"] = turns
    types.update({name: pa.list_(pa.string()) for name in ("images", "videos", "audios")})
    if plan.form.style == "messages":
        types["prompt"] = types["completion"] = turns
    named = [(name, types.get(name, pa.string())) for name in (*plan.form.columns, *plan.optional)]
    return pa.schema([*named, *((e.column, _KINDS[e.kind]) for e in plan.extras)])


def _fit_turns(record: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    """Nested values inside turns as JSON text, where their Arrow type is text."""
    if not keys:
        return record
    out = dict(record)
    for name, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            out[name] = [
                {k: _turn_value(v, keys[k]) if k in keys and v is not None else v for k, v in turn.items()}
                for turn in value
            ]
    return out


def _turn_value(value: Any, kind: str) -> Any:
    return dumps(value) if kind == "json" else float(value) if kind == "number" else value


class Parquet:
    """A Parquet file, or an Arrow stream; memory holds a few thousand records.

    Args:
        path: The file.
        plan: What its columns are.
        stream: Write an Arrow stream instead.
    """

    def __init__(self, path: Path, plan: Plan, *, stream: bool = False) -> None:
        self.schema = arrow_schema(plan)
        self._writer: Any = (
            pa.ipc.new_stream(str(path), self.schema)
            if stream
            else pq.ParquetWriter(path, self.schema, compression="zstd")
        )
        self._keys = {k: common_kind(set(v)) for k, v in plan.turn_keys.items() if k not in _TURN_BASE}
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def write(self, record: dict[str, Any]) -> None:
        self._rows.append(_fit_turns(record, self._keys))
        self._bytes += sum(len(v) for v in record.values() if isinstance(v, str))
        if len(self._rows) >= ARROW_ROWS or self._bytes >= ARROW_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, self.schema))
            self._rows, self._bytes = [], 0

    def close(self) -> None:
        self._flush()
        self._writer.close()


class SavedDataset:
    """A folder as `datasets.Dataset.save_to_disk` writes it.

    Args:
        path: The folder to make.
        plan: What its columns are.

    Raises:
        MissingDependency: if `datasets` is not installed.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        try:
            import datasets
        except ImportError:
            raise MissingDependency("datasets", "hub") from None
        self._datasets = datasets
        self._path, self._stream = path, path.with_name(path.name + ".stream")
        self._arrow = Parquet(self._stream, plan, stream=True)

    def write(self, record: dict[str, Any]) -> None:
        self._arrow.write(record)

    def close(self) -> None:
        self._arrow.close()
        shown = self._datasets.is_progress_bar_enabled()
        self._datasets.disable_progress_bars()
        try:
            self._datasets.Dataset.from_file(str(self._stream)).save_to_disk(str(self._path))
        finally:
            if shown:
                self._datasets.enable_progress_bars()
        self._stream.unlink()


def open_writer(path: Path, plan: Plan, *, escape: bool = True) -> Writer:
    """The writer of a plan's container."""
    if plan.container == "csv":
        return Csv(path, plan.columns, escape=escape)
    if plan.container == "parquet":
        return Parquet(path, plan)
    if plan.container == "hf":
        return SavedDataset(path, plan)
    return JsonLines(path) if plan.container == "jsonl" else JsonList(path)
