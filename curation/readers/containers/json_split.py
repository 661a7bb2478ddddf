"""Cutting a JSON file into the texts of its records, in one pass, with one record in memory at a time.

Three layouts: a list of records, an object of named lists (splits), and values one after another. Texts are cut by
their brackets and quotes only; whether a text is JSON is for the caller to find out. So one bad record does not cost
the rest: after brackets that do not match, a text that runs over its line, or a record without end, the cutter goes on
at the next place that looks like a record's beginning (a line that begins as records began before, or their first key).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator, Iterator
from typing import NamedTuple, Protocol

from curation.readers._record import EXCERPT_CHARS

_SPACE = re.compile(rb"[ \t\r\n]*+")
# JSON texts hold no raw line end, so a quote left open is found at the end of its line
_STRING = rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+'
# a list or object with none inside, all at once; else a string; else a bracket
_INSIDE = rb'(?:[^"{}\[\]]++|' + _STRING + rb'")*+'
_TOKEN = re.compile(rb"\{" + _INSIDE + rb"\}|\[" + _INSIDE + rb"\]|" + _STRING + rb'("?)|[\[\]{}]')
_SCALAR = re.compile(rb'[^\s,\[\]{}"]*+')
_FIRST_KEY = re.compile(rb'\{\s*"[^"\\\n]{1,80}"')
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE = ord('"')

MORE_TEXT = "there is more text after the end of the data"
CUT_OFF = "the file ends inside this record: it is cut off, or a bracket is not closed"


class Text(NamedTuple):
    """The text of one value.

    Args:
        raw: Its bytes; only an excerpt where there is a problem.
        line: 1-based line on which it begins.
        split: The key of the list it lies in, or None.
        problem: Why it is no value, or None.
    """

    raw: bytes
    line: int
    split: str | None = None
    problem: str | None = None


class Bytes(Protocol):
    """What is asked of a stream."""

    def read(self, size: int = ..., /) -> bytes:
        """Some bytes; none at the end."""


class _Bad(Exception):  # noqa: N818 - control flow inside this file
    def __init__(self, problem: str) -> None:
        self.problem = problem


class Splitter:
    """Cuts a stream into values.

    Args:
        stream: UTF-8 bytes.
        limit: Longest value in bytes; a longer one is a problem, not a value.
        notes: Where oddities that cost nothing are counted.
        chunk: Bytes to read at a time.
    """

    def __init__(self, stream: Bytes, limit: int, notes: Counter[str], chunk: int = 1 << 20) -> None:
        self._stream, self._limit, self._notes, self._chunk = stream, limit, notes, chunk
        self._buffer, self._at, self._line = b"", 0, 1  # _line is the line of position _at
        self._indent = b""  # line end and blanks before the position, if it is the first thing on its line
        self._line_start: bytes | None = None  # how records begin, where each begins a line; b"" where they do not
        self._last_good = b""

    # ------------------------------------------------------------------ layouts

    def values(self) -> Iterator[Text]:
        """Values one after another, with or without commas and blanks between them."""
        self._line_start = b"\n{"
        while mark := self._peek():
            if mark == b",":
                self._step(1)
                continue
            yield self._value(None)

    def lists(self) -> Iterator[Text]:
        """The elements of a list, or of several lists one after another."""
        while self._peek() == b"[":
            self._step(1)
            yield from self._elements(None)
            if self._peek() == b"[":
                self._notes["several JSON lists one after another, read as one"] += 1
        if self._peek():
            yield self._rest(MORE_TEXT)

    def splits(self) -> Iterator[Text]:
        """The elements of every list in an object, each with its key; values that are no list are left aside."""
        self._peek()
        self._step(1)
        while True:
            mark = self._peek()
            if mark == b"":
                yield Text(b"", self._line, None, "the file ends before the closing }: it is cut off")
                return
            if mark == b",":
                self._step(1)
                continue
            if mark == b"}":
                self._step(1)
                break
            key = self._key()
            if key is None:
                yield self._rest("a key and a colon are needed here")
                return
            mark = self._peek()
            if mark == b"[":
                self._step(1)
                if not (yield from self._elements(key)):
                    return
            elif mark:  # at the end of the file the next round says so
                value = self._value(key)
                if value.problem:
                    yield value
                    if not self._peek():
                        return
                self._notes[f"'{key[:60]}' is no list of records: left aside"] += 1
        if self._peek():
            yield self._rest(MORE_TEXT)

    # ------------------------------------------------------------------ pieces

    def _elements(self, split: str | None) -> Generator[Text, None, bool]:
        """Yields the elements of the list that was just opened; returns whether it was closed."""
        needs_comma: bool | None = False  # None: after a bad record nobody knows
        while True:
            mark = self._peek()
            if mark == b"":
                if needs_comma is not None:  # else it was reported with the last record
                    yield Text(b"", self._line, split, "the file ends before the closing ]: it is cut off")
                return False
            if mark == b"]":
                self._step(1)
                return True
            if mark == b",":
                if needs_comma is False:
                    self._notes["a comma too many between records"] += 1
                needs_comma = False
                self._step(1)
                continue
            if needs_comma:
                self._notes["a comma is missing between records"] += 1
            value = self._value(split)
            yield value
            needs_comma = True if value.problem is None else None

    def _value(self, split: str | None) -> Text:
        """The value that begins here, or what is wrong with it; afterwards the position is behind it."""
        line = self._line
        self._learn_line_start()
        try:
            end = self._end()
        except _Bad as bad:
            excerpt = self._buffer[self._at : self._at + 4 * EXCERPT_CHARS]
            skipped, found = self._skip_to_next()
            problem = bad.problem if found or bad.problem == CUT_OFF else f"{bad.problem}; nothing after it can be read"
            return Text(excerpt[:skipped], line, split, problem)
        if end - self._at > self._limit:
            excerpt = self._buffer[self._at : self._at + 4 * EXCERPT_CHARS]
            self._step(end - self._at)
            return Text(excerpt, line, split, self._too_long())
        raw = self._buffer[self._at : end]
        self._last_good = raw
        self._step(len(raw))
        return Text(raw, line, split)

    def _learn_line_start(self) -> None:
        mark = self._buffer[self._at : self._at + 1]
        begins = self._indent + mark if self._indent and mark in b"{[" else b""
        if self._line_start is None:
            self._line_start = begins or None
        elif begins != self._line_start and self._line != 1:
            self._line_start = b""

    def _too_long(self) -> str:
        return f"longer than {self._limit / (1 << 20):,.3g} MiB"

    def _end(self) -> int:
        """Index behind the value that begins at the position; the buffer then holds all of it."""
        first = self._buffer[self._at]
        if first in _CLOSING or first == _QUOTE:
            return self._end_of_token()
        while True:
            match = _SCALAR.match(self._buffer, self._at)
            end = match.end() if match else self._at
            if end < len(self._buffer) or not self._fill():
                break
        if end == self._at:
            raise _Bad(f"unexpected '{chr(first)}'")
        return end

    def _end_of_token(self) -> int:
        open_: list[int] = []
        at = self._at
        while True:
            for token in _TOKEN.finditer(self._buffer, at):
                mark = self._buffer[token.start()]
                if mark == _QUOTE:
                    if not token.group(1):
                        self._check_string(token.end())
                        at = token.start()  # the text goes on in what is not read yet
                        break
                elif mark in _CLOSING:
                    if token.end() - token.start() == 1:
                        open_.append(_CLOSING[mark])
                elif not open_ or open_.pop() != mark:
                    raise _Bad(f"not valid JSON: '{chr(mark)}' closes nothing that is open")
                if not open_:
                    return token.end()
            else:
                at = len(self._buffer)
            if len(self._buffer) - self._at > self._limit:
                raise _Bad(self._too_long())
            at -= self._at
            if not self._fill():
                raise _Bad(CUT_OFF)

    def _check_string(self, end: int) -> None:
        rest = self._buffer[end : end + 2]
        if rest[:1] == b"\n" or rest == b"\\\n":
            raise _Bad("not valid JSON: a text runs over the end of the line, where a quote or \\n is missing")

    def _key(self) -> str | None:
        if self._peek() != b'"':
            return None
        try:
            end = self._end_of_token()
            key = json.loads(self._buffer[self._at : end])
        except (_Bad, ValueError):
            return None
        self._step(end - self._at)
        if self._peek() != b":":
            return None
        self._step(1)
        return str(key).encode("utf-8", "replace").decode()

    def _rest(self, problem: str) -> Text:
        text = Text(self._buffer[self._at : self._at + 4 * EXCERPT_CHARS], self._line, None, problem)
        self._at = len(self._buffer)
        while self._fill():
            self._at = len(self._buffer)
        return text

    # ------------------------------------------------------------------ going on after a bad record

    def _skip_to_next(self) -> tuple[int, bool]:
        """Go behind a bad value, to what looks like the next record or to the end.

        Returns:
            Bytes skipped; whether there is something to go on with.
        """
        skipped, start = 0, self._at + 1
        while True:
            found = self._next_start(start)
            if found >= 0:
                skipped += found - self._at
                self._step(found - self._at)
                return skipped, True
            keep = min(len(self._buffer) - self._at - 1, 256)  # the beginning of a record may be cut in two
            size = len(self._buffer) - keep - self._at
            skipped += size
            self._step(size)
            if not self._fill():
                self._step(len(self._buffer) - self._at)
                return skipped + keep, False
            start = self._at

    def _next_start(self, start: int) -> int:
        if self._line_start:
            return self._buffer.find(self._line_start, start)
        key = _FIRST_KEY.match(self._last_good)
        return self._buffer.find(key.group(), start) if key else -1

    # ------------------------------------------------------------------ buffer

    def _peek(self) -> bytes:
        """The next byte that is no blank, b"" at the end; the position moves onto it."""
        begin = self._at
        while True:
            match = _SPACE.match(self._buffer, self._at)
            end = match.end() if match else self._at
            if end < len(self._buffer):
                break
            blanks = self._buffer[begin:end][-256:]  # the indent may be cut in two
            self._step(end - self._at)
            if not self._fill():
                return b""
            self._buffer, self._at, begin = blanks + self._buffer, len(blanks), 0
        newline = self._buffer.rfind(b"\n", begin, end)
        self._indent = self._buffer[newline:end] if newline >= 0 else b""
        self._step(end - self._at)
        return self._buffer[end : end + 1]

    def _step(self, size: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, self._at + size)
        self._at += size

    def _fill(self) -> bool:
        """Read more behind what is not used yet; False at the end. Long values double what is read: linear cost."""
        rest = self._buffer[self._at :]
        data = self._stream.read(max(self._chunk, len(rest)))
        if not data:
            return False
        self._buffer, self._at = rest + data, 0
        return True
