"""A Dataset: immutable, ordered rows in one memory-mapped Arrow file.

One row is one conversation. Its columns on disk:

| column | type | what |
|---|---|---|
| content | binary(16) | hash of messages and tools; equal for equal conversations, whatever file they came from |
| copy | int32 | 0 for the first row with this content, 1 for the second, ... |
| source | string | which file (or split) it came from |
| line | int64 | 0-based position of the record in its source |
| form | string | the form it was read as ("alpaca", "sharegpt", ...) |
| prompt | large_string | all system, user and tool texts, joined by a blank line |
| response | large_string | all assistant texts (tool calls as JSON), joined by a blank line |
| messages | large_string | JSON list of messages, see `Message` |
| tools | large_string | JSON of the tools offered, or null |
| record | large_string | the original record as JSON, untouched |
| parent | string | row id of the row it was made from, or null |

The row id is `content` in hex, a dash, `copy`. Row indices (0 to n − 1) are what methods use.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import DataError
from curation.core.row import Message, Row, content_hash, encode, encode_sorted, hash_texts, prompt_of, response_of

__all__ = [
    "SCHEMA",
    "Dataset",
    "DatasetWriter",
    "Message",
    "Row",
    "WhichText",
    "content_hash",
    "from_pairs",
    "in_memory",
    "prompt_of",
    "response_of",
]

WhichText = Literal["prompt", "response", "both"]

SCHEMA = pa.schema(
    [
        ("content", pa.binary(16)),
        ("copy", pa.int32()),
        ("source", pa.string()),
        ("line", pa.int64()),
        ("form", pa.string()),
        ("prompt", pa.large_string()),
        ("response", pa.large_string()),
        ("messages", pa.large_string()),
        ("tools", pa.large_string()),
        ("record", pa.large_string()),
        ("parent", pa.string()),
    ]
)

_ROW_HEAD = struct.Struct("<16sIQQ")  # content, copy, bytes of the source label, bytes of the record

BATCH_ROWS = 4096
BATCH_BYTES = 32 << 20


class Dataset:
    """Rows of an Arrow table that carry a fingerprint.

    A subset made by `take` copies nothing until a column is asked for, and then only that column.

    Args:
        table: Columns of `SCHEMA`.
        fingerprint: Hex digest of all rows in order.
        name: What the user calls it.
        facts: What the reader noted: sources with their form, mapping, path and counts; names of record fields.
        rows: Only these rows of the table, in this order; None = all.
    """

    def __init__(
        self,
        table: pa.Table,
        fingerprint: str,
        name: str = "",
        facts: dict[str, Any] | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        self.fingerprint = fingerprint
        self.name = name
        self.facts = facts or {}
        self._base = table
        self._rows = rows
        lengths = [len(c) for c in table["content"].chunks] if table.num_columns else []
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self._columns: dict[str, pa.ChunkedArray] = {}
        self._lengths: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return self._base.num_rows if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self):,} rows, {self.fingerprint[:12]})"

    # ------------------------------------------------------------------ columns

    @property
    def table(self) -> pa.Table:
        """All columns. For a subset every one is copied, so ask for a single `column` where that is enough."""
        if self._rows is None:
            return self._base
        return pa.Table.from_arrays([self.column(name) for name in self._base.column_names], schema=self._base.schema)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column; that of a subset is copied once and kept."""
        if self._rows is None:
            return self._base[name]
        if name not in self._columns:
            self._columns[name] = _take(self._base[name], self._starts, self._rows)
        return self._columns[name]

    def _cell(self, name: str, row: int) -> Any:
        return self._base[name][int(row) if self._rows is None else int(self._rows[row])].as_py()

    @property
    def contents(self) -> np.ndarray:
        """Content hashes, dtype S16 `[n]`. Fixed width, so comparing them is exact."""
        chunks = [c for c in self.column("content").chunks if len(c)]
        parts = [np.frombuffer(c.buffers()[1], "S16", len(c), c.offset * 16) for c in chunks]
        return np.concatenate(parts) if parts else np.empty(0, "S16")

    def row_id(self, row: int) -> str:
        """The id of one row: content hash, dash, copy number."""
        return f"{self._cell('content', row).hex()}-{self._cell('copy', row)}"

    def row_ids(self) -> list[str]:
        """All row ids in order."""
        contents, copies = self.column("content").to_pylist(), self.column("copy").to_pylist()
        return [f"{c.hex()}-{k}" for c, k in zip(contents, copies, strict=True)]

    def texts(self, which: WhichText = "both") -> list[str]:
        """Plain text of every row: prompt, response, or both joined by a blank line."""
        if which != "both":
            return self.column(which).to_pylist()
        pairs = zip(_values(self.column("prompt")), _values(self.column("response")), strict=True)
        return [f"{p}\n\n{r}" if p and r else p or r for p, r in pairs]

    def lengths(self, which: WhichText = "both") -> np.ndarray:
        """Characters of every row, int64 `[n]`, read-only; counted once, without building Python strings."""
        if which not in self._lengths:
            if which == "both":
                counts = self.lengths("prompt") + self.lengths("response")
            else:
                chunks = [pc.utf8_length(c).to_numpy(zero_copy_only=False) for c in self.column(which).chunks]
                counts = np.concatenate([np.empty(0, np.int64), *chunks]).astype(np.int64)
            counts.flags.writeable = False
            self._lengths[which] = counts
        return self._lengths[which]

    @property
    def sources(self) -> list[str]:
        """The source label of every row."""
        return self.column("source").to_pylist()

    def messages(self, row: int) -> list[Message]:
        """The conversation of one row."""
        return json.loads(self._cell("messages", row))

    def tools(self, row: int) -> Any:
        """The tools offered in one row, or None."""
        text = self._cell("tools", row)
        return None if text is None else json.loads(text)

    def record(self, row: int) -> Any:
        """The original record of one row."""
        return json.loads(self._cell("record", row))

    def records(self, rows: Iterable[int] | None = None) -> Iterator[Any]:
        """Original records, all or those named, in order."""
        if rows is not None:
            yield from (self.record(row) for row in rows)
            return
        for begin in range(0, len(self), BATCH_ROWS):
            here = slice(begin, begin + BATCH_ROWS)
            if self._rows is None:
                texts = self._base["record"].slice(begin, BATCH_ROWS).to_pylist()
            else:
                texts = _take(self._base["record"], self._starts, self._rows[here]).to_pylist()
            yield from (json.loads(text) for text in texts)

    def field_names(self) -> list[str]:
        """Top-level keys that occur in the records, as the reader noted them."""
        return list(self.facts.get("fields", []))

    def field(self, name: str) -> list[Any]:
        """One field of every record, None where a record lacks it; `meta.topic` reaches into the object `meta`."""
        values = [_reach(record, name) for record in self.records()]
        if name not in self.field_names() and all(v is None for v in values):
            raise DataError(f"no record has the field '{name}'", f"fields: {', '.join(self.field_names()) or 'none'}")
        return values

    # ------------------------------------------------------------------ subsets

    def take(self, rows: np.ndarray) -> Dataset:
        """The named rows, in the given order, as a Dataset with a fingerprint of its own. Copies no text.

        Raises:
            IndexError: if there is no such row.
        """
        rows = np.asarray(rows, np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a dataset of {len(self)}")
        digest = hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest()
        below = rows if self._rows is None else self._rows[rows]
        part = Dataset(self._base, f"{self.fingerprint}/{digest}", self.name, self.facts, below)
        part._lengths = {which: counts[rows] for which, counts in self._lengths.items()}
        return part

    # ------------------------------------------------------------------ disk

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Open a folder that DatasetWriter finished. Memory-mapped: costs no memory until read."""
        facts = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        with pa.memory_map(str(folder / "rows.arrow")) as source:
            table = pa.ipc.open_file(source).read_all()
        return cls(table, facts["fingerprint"], facts["name"], facts)


def _take(column: pa.ChunkedArray, starts: np.ndarray, rows: np.ndarray) -> pa.ChunkedArray:
    """Rows of a column in the given order. ChunkedArray.take may first join all chunks; chunk by chunk never does."""
    if not len(rows):
        return column.slice(0, 0)
    chunk_of = np.searchsorted(starts, rows, side="right") - 1
    order = np.argsort(chunk_of, kind="stable")
    edges = np.flatnonzero(np.diff(chunk_of[order], prepend=-1))
    parts = []
    for begin, end in zip(edges, [*edges[1:], len(rows)], strict=True):
        here, chunk = rows[order[begin:end]], int(chunk_of[order[begin]])
        parts.append(column.chunk(chunk).take(pa.array(here - starts[chunk])))
    if (np.diff(chunk_of) >= 0).all():
        return pa.chunked_array(parts, column.type)
    back = np.empty(len(rows), np.int64)
    back[order] = np.arange(len(rows))
    return pa.chunked_array([pa.concat_arrays(parts).take(pa.array(back))], column.type)


def _values(column: pa.ChunkedArray) -> Iterator[Any]:
    for chunk in column.chunks:
        for begin in range(0, len(chunk), BATCH_ROWS):
            yield from chunk.slice(begin, BATCH_ROWS).to_pylist()


def _reach(record: Any, path: str) -> Any:
    """The value under a key, or under keys joined by dots where no key has that whole name."""
    if not isinstance(record, dict):
        return None
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    return _reach(record.get(head), rest) if dot else None


class DatasetWriter:
    """Writes rows in a stream into a folder; memory stays flat but for 16 bytes and a counter per distinct content.

    Args:
        folder: Existing empty folder.
        name: What the user calls the Dataset.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.rows = 0
        self.repeats = 0  # rows whose content occurred before
        self._digest = hashlib.blake2b(digest_size=16)
        self._copies: dict[bytes, int] = {}
        self._fields: dict[str, None] = {}
        self._batch: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._file = pa.OSFile(str(folder / "rows.arrow"), "wb")
        self._writer = pa.ipc.new_file(self._file, SCHEMA)

    def add(self, row: Row, fields: Iterable[str] = ()) -> None:
        """Append one row; `fields` are the top-level keys of its record.

        Raises:
            UnicodeEncodeError: if a text holds a lone surrogate; readers reject such rows before.
        """
        messages = encode_sorted(row.messages)
        content = hash_texts(messages, "null" if row.tools is None else encode_sorted(row.tools))
        if any("parts" in message or "tool_calls" in message for message in row.messages):
            messages = encode(row.messages)  # keys inside arguments and parts stay in the record's order
        tools = None if row.tools is None else encode(row.tools)
        copy = self._copies.get(content, 0)
        self._copies[content] = copy + 1
        self.repeats += copy > 0
        for field in fields:
            if field not in self._fields:
                self._fields[field] = None
        source, record = row.source.encode(), row.record.encode()
        self._digest.update(_ROW_HEAD.pack(content, copy, len(source), len(record)) + source + record)
        if row.parent:  # equal rows made from other ones are another dataset
            self._digest.update(row.parent.encode())
        prompt, response = prompt_of(row.messages), response_of(row.messages)
        values = (content, copy, row.source, row.line, row.form, prompt, response, messages)
        self._batch.append((*values, tools, row.record, row.parent))
        self._bytes += len(messages) + len(row.record) + len(prompt) + len(response)
        self.rows += 1
        if len(self._batch) >= BATCH_ROWS or self._bytes >= BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._batch:
            return
        columns = list(zip(*self._batch, strict=True))
        arrays = [pa.array(column, f.type) for column, f in zip(columns, SCHEMA, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
        self._batch, self._bytes = [], 0

    def finish(self, facts: dict[str, Any] | None = None) -> str:
        """Close the file, write `dataset.json`, and return the fingerprint."""
        self._flush()
        self._writer.close()
        self._file.close()
        fingerprint = self._digest.hexdigest()
        facts = {**(facts or {}), "name": self.name, "fingerprint": fingerprint, "rows": self.rows}
        facts.setdefault("fields", list(self._fields))
        (self.folder / "dataset.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
        return fingerprint

    def abandon(self) -> None:
        """Close without finishing; the caller removes the folder."""
        self._writer.close()
        self._file.close()


def in_memory(rows: Iterable[Row], name: str = "rows") -> Dataset:
    """A Dataset that lives in memory only: for tests, notebooks and previews."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        writer = DatasetWriter(Path(folder), name)
        for row in rows:
            record = json.loads(row.record)
            writer.add(row, record if isinstance(record, dict) else ())
        writer.finish()
        facts = json.loads((Path(folder) / "dataset.json").read_text())
        content = pa.py_buffer((Path(folder) / "rows.arrow").read_bytes())
        return Dataset(pa.ipc.open_file(content).read_all(), facts["fingerprint"], name, facts)


def from_pairs(pairs: Iterable[tuple[str, str]], name: str = "rows", **fields: Sequence[Any]) -> Dataset:
    """In-memory Dataset from (prompt, response) pairs in Alpaca form, with extra record fields by name."""
    rows = []
    for i, (prompt, response) in enumerate(pairs):
        record = {"instruction": prompt, "input": "", "output": response, **{k: v[i] for k, v in fields.items()}}
        messages: list[Message] = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        rows.append(Row(messages, json.dumps(record, ensure_ascii=False), name, i, "alpaca"))
    return in_memory(rows, name)
