"""CSV and TSV: delimiter, quoting and header found from the first lines, records read one by one.

Python's csv module is asked to be strict, so that a stray quote is reported and not guessed away. After a record that
cannot be read, reading goes on at the next line: a quote that is never closed costs its line, not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal

import orjson

from curation.core.errors import DataError
from curation.readers._json import decode, surrogate_reason
from curation.readers._record import EXCERPT_CHARS, MAX_RECORD_BYTES, Broken, Record
from curation.readers.containers.stream import ByteStream, Utf8Stream, encoding_of, lines

DELIMITERS = ",\t;|"
SNIFF_ROWS = 100
NO_QUOTES_PENALTY = 0.2  # quotes are ordinary characters only between tabs, and where that mends a fifth of the rows
_NAME = re.compile(r"[\w .()/#%:?-]{0,60}")


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Args:
        delimiter: Between fields.
        quoting: Whether fields are quoted where needed, always, or never.
    """

    delimiter: str
    quoting: Literal["minimal", "all", "none"] = "minimal"

    def reader(self, texts: Iterator[str]) -> Iterator[list[str]]:
        """A strict csv reader."""
        if self.quoting == "none":
            return csv.reader(texts, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(texts, delimiter=self.delimiter, strict=True)


class DelimitedContainer:
    """A CSV or TSV source; see `base.Container`.

    Args:
        stream: Its bytes.
        header: Whether the first line names the columns; None = find out.

    Raises:
        DataError: if the file has no line, or its header cannot be read.
    """

    def __init__(self, stream: ByteStream, header: bool | None = None) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_BYTES))
        self._stream = stream
        self.notes: Counter[str] = Counter()
        self.label_names: dict[str, list[str]] = {}
        self._text = Utf8Stream(stream, self.notes)
        head, self._end = self._decoded_head()
        self.dialect = find_dialect(head, "\t" if stream.source.ending == ".tsv" else None)
        name = "tsv" if self.dialect.delimiter == "\t" else "csv"
        self.kind = f"{name}.{'gz' if stream.packing == 'gzip' else 'zst'}" if stream.packing else name
        self._rows = self._records()
        self._first = self._read_header(header)
        ends = "\r\n" if "\r\n" in head else self._end.decode()
        self.facts: dict[str, Any] = {
            "delimiter": self.dialect.delimiter,
            "quoting": self.dialect.quoting,
            "quotechar": '"',
            "lineterminator": ends,
            "header": self._has_header,
            "columns": self.columns,
            "encoding": self._text.encoding,
            "bom": self._text.marked,
        }

    def _decoded_head(self) -> tuple[str, bytes]:
        raw = self._stream.head
        encoding, mark = encoding_of(raw)
        text = raw[mark:].decode(encoding, "ignore") if encoding != "utf-8" else raw[mark:].decode("utf-8", "replace")
        return text, b"\r" if "\n" not in text and "\r" in text else b"\n"

    def _read_header(self, header: bool | None) -> _Fields | None:
        """Set the columns; returns the first record if it is one."""
        first = next(self._rows, None)
        if first is None:
            raise DataError(
                "is empty: it holds no line", "fetch or make the file again", file=self._stream.source.label
            )
        if isinstance(first, Broken):
            raise DataError(
                f"the header line cannot be read: {first.reason}", "mend the first line", file=self._stream.source.label
            )
        self._has_header = looks_like_header(first.fields) if header is None else header
        if not self._has_header:
            self.columns = [f"column {i + 1}" for i in range(len(first.fields))]
            self.notes["the first line is taken for data, not for a header"] += 1
            return first
        self.columns = []
        for name in first.fields:
            count = self.columns.count(name)
            self.columns.append(name)
            if count:
                self.columns[-1] = f"{name} ({count + 1})"
                self.notes[f"several columns are named '{name}'; the later ones got a number"] += 1
        return None

    def position(self) -> int:
        """Bytes of the source read so far."""
        return self._stream.position()

    def total(self) -> int | None:
        """Unknown without reading."""
        return None

    def items(self) -> Iterator[Record | Broken]:
        """Records as objects of texts, by column."""
        held: Record | Broken | None = None  # the last record of a file that is cut off is cut off, too
        for row in self._rows if self._first is None else chain([self._first], self._rows):
            if held is not None:
                yield held
            held = row if isinstance(row, Broken) else self._checked(row)
        if self._text.broken:
            line, text = (
                (1, "") if held is None else (held.line, held.text if isinstance(held, Record) else held.excerpt)
            )
            held = Broken(line, None, self._text.broken, text[:EXCERPT_CHARS])
        if held is not None:
            yield held

    def _checked(self, row: _Fields) -> Record | Broken:
        width, fields = len(self.columns), row.fields
        text = self.dialect.delimiter.join(fields)
        if len(fields) != width:
            reason = f"has {len(fields)} fields where the header has {width}"
            return Broken(row.line, None, reason, text[:EXCERPT_CHARS])
        for name, value in zip(self.columns, fields, strict=True):
            reason = "holds a NUL byte: the file is damaged" if "\0" in value else surrogate_reason(value) or ""
            if reason:
                return Broken(row.line, name, reason, text[:EXCERPT_CHARS])
        record = dict(zip(self.columns, fields, strict=True))
        return Record(record, orjson.dumps(record).decode(), row.line)

    def _records(self) -> Iterator[_Fields | Broken]:
        """Fields of each record, going on at the next line after one that cannot be read."""
        feed = _Feed(self)
        reader = self.dialect.reader(feed)
        while True:
            feed.used.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except (csv.Error, _LineTooLong) as error:
                line, text = feed.used[0] if feed.used else (feed.number, "")
                yield Broken(line, None, _explain(str(error), len(feed.used)), text[:EXCERPT_CHARS])
                feed.again(1)
                reader = self.dialect.reader(feed)
                continue
            if fields:
                yield _Fields(feed.used[0][0], fields)

    def _lines(self) -> Iterator[tuple[int, str, int]]:
        for number, raw, length in lines(self._text, MAX_RECORD_BYTES, self._end):
            text, note = decode(raw, not self._text.known)
            if note:
                self.notes[note] += 1
            yield number, text + "\n", length


@dataclass(frozen=True)
class _Fields:
    line: int
    fields: list[str]


class _LineTooLong(Exception):  # noqa: N818 - control flow inside this file
    pass


class _Feed:
    """Lines for the csv reader, remembering those of the record that is being read so that they can be given again."""

    def __init__(self, container: DelimitedContainer) -> None:
        self._lines = container._lines()
        self._waiting: deque[tuple[int, str]] = deque()
        self.used: list[tuple[int, str]] = []
        self.number = 1
        self._size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if not self.used:
            self._size = 0
        if self._waiting:
            number, text = self._waiting.popleft()
        else:
            number, text, length = next(self._lines)
            if length > MAX_RECORD_BYTES:
                self.used.append((number, text))
                raise _LineTooLong(f"the line has more than {MAX_RECORD_BYTES >> 20} MiB")
        self.number = number
        self.used.append((number, text))
        self._size += len(text)
        if self._size > MAX_RECORD_BYTES:
            raise _LineTooLong("a quote is opened and not closed")
        return text

    def again(self, skip: int) -> None:
        """Give the used lines but the first `skip` again."""
        self._waiting.extendleft(reversed(self.used[skip:]))
        self.used.clear()


def _explain(error: str, lines_read: int) -> str:
    if error == "unexpected end of data":
        return "a quote is opened and not closed before the end of the file"
    if "expected after" in error:
        where = "" if lines_read == 1 else f", {lines_read - 1} lines further on"
        return f"a quote inside a quoted field is not doubled{where}"
    return error


def find_dialect(head: str, delimiter: str | None = None) -> Dialect:
    """Delimiter and quoting that cut the first lines into equally many fields, at least two; a comma if none does.

    Args:
        head: First lines; the last may be cut.
        delimiter: Known from the file's ending.
    """
    texts = head.splitlines(keepends=True)
    if len(texts) > 1 and not head.endswith(("\n", "\r")):
        texts.pop()
    best, best_score = Dialect(delimiter or ","), 0.0
    for mark in delimiter or DELIMITERS:
        candidates = [(Dialect(mark), 0.0)]
        if mark == "\t":
            candidates.append((Dialect(mark, "none"), NO_QUOTES_PENALTY))
        for dialect, penalty in candidates:
            score = _evenness(dialect, texts) - penalty
            if score > best_score:
                best, best_score = dialect, score
    if best.quoting == "minimal" and _quotes_all(best, texts):
        return Dialect(best.delimiter, "all")
    return best


def _evenness(dialect: Dialect, texts: list[str]) -> float:
    """Share of the first rows that have as many fields as the first; 0 where that is one field."""
    widths: list[int] = []
    wrong, rest = 0, iter(texts)
    while len(widths) < SNIFF_ROWS:
        try:
            widths += [len(fields) for fields in islice(dialect.reader(rest), SNIFF_ROWS - len(widths)) if fields]
            break
        except csv.Error:
            wrong += 1
    if not widths or widths[0] < 2:
        return 0.0
    return widths.count(widths[0]) / (len(widths) + wrong)


def _quotes_all(dialect: Dialect, texts: list[str]) -> bool:
    for text in texts[:3]:
        body = text.rstrip("\r\n")
        if not body.startswith('"') or not body.endswith('"') or len(body) < 2:
            return False
        if not all(piece.startswith('"') for piece in body.split(f'"{dialect.delimiter}')[1:]):
            return False
    return bool(texts)


def looks_like_header(fields: list[str]) -> bool:
    """True for distinct short names that are no numbers; sentences and repeated values are data."""
    names = [field.strip() for field in fields]
    if len(set(names)) <= len(names) / 2 and len(names) > 1:
        return False
    return all(_NAME.fullmatch(n) and len(n.split()) <= 5 and not _is_number(n) for n in names) and any(names)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
