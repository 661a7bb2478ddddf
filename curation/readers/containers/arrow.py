"""Parquet and Arrow files (IPC file and stream), read batch by batch through a memory map."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from curation.core.arrow_json import plain_schema, to_records
from curation.core.errors import DataError
from curation.readers._json import deeper
from curation.readers._record import EXCERPT_CHARS, MAX_DEPTH, MAX_RECORD_BYTES, Broken, Record
from curation.readers.containers.stream import ByteStream

BATCH_ROWS = 512
PARQUET, ARROW_FILE, ARROW_STREAM, FEATHER1 = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"FEA1"


class Lost(NamedTuple):
    """Rows that cannot be read, in place of a batch."""

    rows: int
    reason: str


class TableContainer:
    """Rows of Arrow batches as records; see `base.Container`.

    Args:
        kind: "parquet", "arrow" or "hub".
        schema: The batches' schema.
        batches: Calls for the batches, once.
        rows: Number of rows where known.
        size: Bytes of the source, for progress.
        label: For errors.

    Raises:
        DataError: for a column type that has no JSON form.
    """

    def __init__(
        self,
        kind: str,
        schema: pa.Schema,
        batches: Callable[[], Iterator[pa.RecordBatch | Lost]],
        rows: int | None,
        size: int,
        label: str,
    ) -> None:
        self.kind, self._schema, self._batches = kind, schema, batches
        self._rows, self._size, self._done = rows, size, 0
        self.notes: Counter[str] = Counter()
        try:
            self._plain = plain_schema(schema)
        except DataError as error:
            raise DataError(error.message, error.hint, file=label) from None
        self.label_names = label_names(schema)
        self.facts: dict[str, Any] = {"arrow_schema": base64.b64encode(schema.serialize().to_pybytes()).decode()}
        self._dumps = _dump_plain if all(_is_exact(f.type) for f in self._plain) else _dump_any

    def position(self) -> int:
        """Bytes of the source read so far, in proportion to the rows."""
        return int(self._size * self._done / self._rows) if self._rows else 0

    def total(self) -> int | None:
        """Rows as the file says."""
        return self._rows

    def items(self) -> Iterator[Record | Broken]:
        """Rows in order. Lost rows are Broken one by one where their number is known; a break is one Broken."""
        batches = self._batches()
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                yield Broken(self._done + 1, None, f"cannot be read from here on: {_first_line(error)}", "")
                return
            if isinstance(batch, Lost):
                for _ in range(batch.rows):
                    self._done += 1
                    yield Broken(self._done, None, batch.reason, "")
            else:
                yield from self._of(batch)

    def _of(self, batch: pa.RecordBatch) -> Iterator[Record | Broken]:
        try:
            batch.validate(full=True)  # an Arrow file may claim offsets that lead out of its memory
            values: list[Any] = to_records(batch, self._plain)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            if batch.num_rows == 1:
                self._done += 1
                yield Broken(self._done, None, f"holds a value that cannot be read: {_first_line(error)}", "")
                return
            for i in range(batch.num_rows):
                yield from self._of(batch.slice(i, 1))
            return
        for value in values:
            self._done += 1
            text = self._dumps(value)
            if len(text) > MAX_RECORD_BYTES:
                reason = f"the row has {len(text) / (1 << 20):,.1f} MiB, more than {MAX_RECORD_BYTES >> 20} MiB"
                yield Broken(self._done, None, reason, text[:EXCERPT_CHARS])
            elif deeper(value, MAX_DEPTH):
                reason = f"nested more than {MAX_DEPTH} levels deep"
                yield Broken(self._done, None, reason, text[:EXCERPT_CHARS])
            else:
                yield Record(value, text, self._done)


@contextmanager
def open_table(stream: ByteStream) -> Iterator[TableContainer]:
    """A Parquet or Arrow source as a container.

    Raises:
        DataError: if the file is damaged, or of a kind that is not read.
    """
    label, head = stream.source.label, stream.head
    if head.startswith(FEATHER1):
        raise DataError("is a Feather file of version 1", "write it again as Feather 2 or Parquet", file=label)
    kind = "parquet" if head.startswith(PARQUET) else "arrow"
    with stream.as_file() as path:
        try:
            container = _parquet(path, stream) if kind == "parquet" else _arrow(path, stream)
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"is a damaged {kind} file: {_first_line(error)}", "fetch or make it again", file=label
            ) from None
        yield container


def _parquet(path: Path, stream: ByteStream) -> TableContainer:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path, memory_map=True)
    source = stream.source

    def batches() -> Iterator[pa.RecordBatch | Lost]:
        for group in range(file.num_row_groups):
            left = file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group]):
                    left -= batch.num_rows
                    yield batch
            except (pa.ArrowException, OSError) as error:
                yield Lost(left, f"lies in row group {group + 1}, which is damaged: {_first_line(error)}")

    return TableContainer("parquet", file.schema_arrow, batches, file.metadata.num_rows, source.size, source.label)


def _arrow(path: Path, stream: ByteStream) -> TableContainer:
    source = stream.source
    mapped = pa.memory_map(str(path))
    if stream.head.startswith(ARROW_FILE):
        reader = pa.ipc.open_file(mapped)

        def batches() -> Iterator[pa.RecordBatch]:
            for i in range(reader.num_record_batches):
                yield from _small(reader.get_batch(i))

        rows = sum(reader.get_batch(i).num_rows for i in range(reader.num_record_batches))
        return TableContainer("arrow", reader.schema, batches, rows, source.size, source.label)
    stream_reader = pa.ipc.open_stream(mapped)

    def streamed() -> Iterator[pa.RecordBatch]:
        for batch in stream_reader:
            yield from _small(batch)

    return TableContainer("arrow", stream_reader.schema, streamed, None, source.size, source.label)


def _small(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(start, BATCH_ROWS)


def label_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Names of numbered labels by column, from the metadata that Hugging Face's datasets writes."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: [str(n) for n in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}  # no such metadata, or of another shape: labels stay numbers


def _is_exact(kind: pa.DataType) -> bool:
    """True when orjson writes values of this plain type without loss: it writes NaN as null."""
    if pa.types.is_struct(kind):
        return all(_is_exact(kind.field(i).type) for i in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _is_exact(kind.key_type) and _is_exact(kind.item_type)
    if pa.types.is_large_list(kind):
        return _is_exact(kind.value_type)
    return not pa.types.is_floating(kind)


def _dump_plain(value: Any) -> str:
    return orjson.dumps(value).decode()


def _dump_any(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
