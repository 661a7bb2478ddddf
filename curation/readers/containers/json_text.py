"""JSON: a list of records, an object of named lists, or values one after another. JSONL: one value on each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import orjson

from curation.readers._json import decode, parse
from curation.readers._record import EXCERPT_CHARS, MAX_RECORD_BYTES, Broken, Record, Reject
from curation.readers._turns import LISTS
from curation.readers.containers.json_split import MORE_TEXT, Splitter
from curation.readers.containers.stream import ByteStream, Utf8Stream, encoding_of, lines

Layout = Literal["lines", "lists", "splits", "values"]

_LISTS_IN_RECORDS = {
    *LISTS,
    *("tokens", "words", "tags", "slots", "ner_tags", "history", "images", "image", "videos", "audios", "tools"),
    *("prompt", "completion", "chosen", "rejected", "response", "instances", "answers", "choices", "options"),
}
"""Keys under which a record, too, may hold a list; any other list of lists or objects is taken for a split."""


class JsonContainer:
    """A JSON or JSONL source; see `base.Container`."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.notes: Counter[str] = Counter()
        self.label_names: dict[str, list[str]] = {}
        self._text = Utf8Stream(stream, self.notes)
        self._end = b"\n"
        self.layout = self._find_layout()
        name = "jsonl" if self.layout == "lines" else "json"
        self.kind = f"{name}.{'gz' if stream.packing == 'gzip' else 'zst'}" if stream.packing else name
        self.facts: dict[str, Any] = {"layout": self.layout, "encoding": self._text.encoding, "bom": self._text.marked}

    def _find_layout(self) -> Layout:
        raw = self._stream.head
        encoding, mark = encoding_of(raw)
        # a character may be cut at the end of the head: decoded without it
        head = raw[mark:].decode(encoding, "ignore").encode() if encoding != "utf-8" else raw[mark:]
        if b"\n" not in head and head.count(b"\r") > 0:
            self._end = b"\r"
        return layout_of(head, self._stream.source.ending, self._end)

    def position(self) -> int:
        """Bytes of the source read so far."""
        return self._stream.position()

    def total(self) -> int | None:
        """Unknown without reading."""
        return None

    def items(self) -> Iterator[Record | Broken]:
        """Records in order; a record that cannot be read is Broken, and the next one follows."""
        line, held = 0, None  # a broken item waits: if it turns out to be the last, the end of the stream explains it
        for item in self._lines() if self.layout == "lines" else self._values():
            if held is not None:
                yield held
                held = None
            line = item.line
            if isinstance(item, Broken):
                held = item
            else:
                yield item
        if self._text.broken:
            held = held or Broken(line + (self.layout == "lines"), None, "", "")
            held = held._replace(reason=self._text.broken)
        if held is not None:
            yield held

    def _lines(self) -> Iterator[Record | Broken]:
        for number, raw, length in lines(self._text, MAX_RECORD_BYTES, self._end):
            if length > MAX_RECORD_BYTES:
                reason = f"the line has {length / (1 << 20):,.1f} MiB, more than {MAX_RECORD_BYTES >> 20} MiB"
                yield Broken(number, None, reason, self._excerpt(raw))
            elif raw and not raw.isspace():
                yield self._parse(raw, number, None)

    def _values(self) -> Iterator[Record | Broken]:
        splitter = Splitter(self._text, MAX_RECORD_BYTES, self.notes)
        values = {"lists": splitter.lists, "splits": splitter.splits, "values": splitter.values}[self.layout]
        for text in values():
            if text.problem is None:
                yield self._parse(text.raw, text.line, text.split)
                continue
            yield Broken(text.line, None, text.problem, self._excerpt(text.raw), text.split)

    def _parse(self, raw: bytes, line: int, split: str | None) -> Record | Broken:
        try:
            value, text, note = parse(raw, not self._text.known)
        except Reject as reject:
            return Broken(line, reject.field, reject.reason, self._excerpt(raw), split)
        if note:
            self.notes[note] += 1
        return Record(value, text, line, split)

    def _excerpt(self, raw: bytes) -> str:
        return decode(raw[: 4 * EXCERPT_CHARS], not self._text.known)[0][:EXCERPT_CHARS]


def layout_of(head: bytes, ending: str, end: bytes = b"\n") -> Layout:
    """How the values of a JSON text are laid out, from its first bytes (UTF-8) and the file's ending.

    The content decides, as many `.json` files hold one value per line and some `.jsonl` files a list.
    """
    text = head.lstrip()
    first, _, rest = text.partition(end)
    second = rest.lstrip()[:1]
    opening = text[:1]
    whole = _is_json(first)
    if opening == b"[":
        return "lines" if whole and second == b"[" else "lists"
    if opening != b"{":
        return "lines"
    if whole and second == b"{" or ending in (".jsonl", ".ndjson") and first.strip() != b"{":
        return "lines"
    return "splits" if _has_splits(head) else "values"


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _has_splits(head: bytes) -> bool:
    """True when the first object holds a list of records under a key that no record would have."""
    found = False
    for text in Splitter(_Once(head), len(head) + 1, Counter()).splits():
        if text.problem == MORE_TEXT and text.raw[:1] == b"{":
            return False  # another object follows: it is one record of several
        if text.split is not None and text.split not in _LISTS_IN_RECORDS and text.raw[:1] in (b"[", b"{"):
            found = True
    return found


class _Once:
    """A stream of the bytes at hand."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        data, self._data = self._data, b""
        return data
