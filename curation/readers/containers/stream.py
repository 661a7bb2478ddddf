"""Bytes of a source: unpacked, and for text files turned into UTF-8, never more of them in memory than asked for.

A stream that cannot go on (packed data that ends early, a disk error) does not raise: it ends, and says why in
`broken`, so that what was read before the break is kept and the break is reported as one quarantined record.
"""

from __future__ import annotations

import codecs
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import zstandard

from curation.core.errors import DataError
from curation.readers.sources import Source

CHUNK = 1 << 20
HEAD_BYTES = 1 << 16
MAX_RATIO = 250
"""Packed data that unpacks to more than this many times its size is a bomb: text packs 3 to 20 times."""
FREE_BYTES = 256 << 20
"""Below this unpacked size no ratio is suspicious."""
MAX_UNPACKED_BYTES = 1 << 40

GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_GZIP_WINDOW = 31  # zlib: 15 bits of window and a gzip header


class Raw(Protocol):
    """What is asked of a file."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""

    def tell(self) -> int:
        """Bytes read so far."""


class Damaged(Exception):  # noqa: N818 - a verdict on packed data, turned into `ByteStream.broken`
    """Packed data that cannot be unpacked further."""


class _Unpacker:
    """Unpacks gzip (several members) or zstd (several frames) in pieces of bounded size."""

    def __init__(self, raw: Raw, head: bytes, kind: bytes) -> None:
        self._raw, self._input, self._kind = raw, head, kind
        # zstd has no bound on what one call may give, so it is fed little: 4 KiB unpack to 128 MiB at the very worst
        self._step = 1 << 16 if kind == GZIP else 1 << 12
        self._packed = len(head)
        self._open()

    def _open(self) -> None:
        self._fresh = True
        if self._kind == GZIP:
            self._object: Any = zlib.decompressobj(_GZIP_WINDOW)
        else:
            self._object = zstandard.ZstdDecompressor().decompressobj()

    def read(self, size: int) -> bytes:
        while True:
            if not self._input:
                self._input = self._raw.read(self._step)
                self._packed += len(self._input)
                if not self._input:
                    if self._fresh:
                        return b""
                    raise Damaged("the packed data ends early: the file is cut off")
            try:
                out = self._feed(size)
            except (zlib.error, zstandard.ZstdError) as error:
                raise Damaged(f"the packed data is damaged: {error}") from None
            if out:
                return out

    def _feed(self, size: int) -> bytes:
        self._fresh = False
        if self._kind == GZIP:
            out = self._object.decompress(self._input, size)
            rest = self._object.unconsumed_tail
        else:
            out, rest = self._object.decompress(self._input[: self._step]), self._input[self._step :]
        if self._object.eof:
            self._input = self._object.unused_data + (rest if self._kind == ZSTD else b"")
            self._open()
            if self._kind == GZIP:
                self._input = self._input.lstrip(b"\0")  # padding between members, as gzip allows
        else:
            self._input = rest
        return out


class ByteStream:
    """The bytes of one source, unpacked.

    Args:
        source: Where they come from.
        raw: The opened file.

    Attributes:
        head: The first bytes, unpacked, as they are (before any decoding). They will be read again.
        broken: Why the stream ended before its end, or None.
        packing: "gzip", "zstd" or None.
    """

    def __init__(self, source: Source, raw: Raw) -> None:
        self.source, self._raw = source, raw
        self.broken: str | None = None
        self.packing: str | None = None
        self._out = 0
        self._unpacker: _Unpacker | None = None
        self._pending = b""
        first = self._fetch(HEAD_BYTES)
        kind = next((magic for magic in (GZIP, ZSTD) if first.startswith(magic)), None)
        if kind and source.member is None:
            self.packing = "gzip" if kind == GZIP else "zstd"
            self._unpacker = _Unpacker(raw, first, kind)
            first = b""
        while len(first) < HEAD_BYTES and (more := self._fetch(HEAD_BYTES - len(first))):
            first += more
        self._pending = self.head = first

    def _fetch(self, size: int) -> bytes:
        if self.broken:
            return b""
        try:
            data = self._unpacker.read(size) if self._unpacker else self._raw.read(size)
        except Damaged as error:
            self.broken = str(error)
            return b""
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            self.broken = f"the file cannot be read on: {error}"
            return b""
        self._out += len(data)
        if self._unpacker:
            refuse_bomb(self.source.label, self._out, self._raw.tell())
        return data

    def read(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes (zstd may give more); none at the end.

        Raises:
            DataError: if it unpacks out of all proportion.
        """
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        return self._fetch(size)

    def position(self) -> int:
        """Bytes of the source's `size` read so far, for progress."""
        return self._raw.tell()

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """The source as a plain file, for formats that must jump; unpacked into a temporary file if needed."""
        if self.packing is None and self.source.member is None:
            yield Path(self.source.path)
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / "unpacked"
            with path.open("wb") as file:
                while data := self.read():
                    file.write(data)
                    if shutil.disk_usage(folder).free < FREE_BYTES:
                        raise DataError("no room to unpack it", f"free disk space in {folder}", file=self.source.label)
            if self.broken:
                raise DataError(self.broken, "fetch or make the file again", file=self.source.label)
            yield path


def refuse_bomb(label: str, unpacked: int, packed: int) -> None:
    """Refuse data that unpacks out of all proportion.

    Raises:
        DataError: past MAX_RATIO (above FREE_BYTES) or past MAX_UNPACKED_BYTES.
    """
    if (unpacked > FREE_BYTES and unpacked > MAX_RATIO * max(packed, 1)) or unpacked > MAX_UNPACKED_BYTES:
        ratio = unpacked / max(packed, 1)
        raise DataError(
            f"unpacks to {unpacked / 1e6:,.0f} MB or more from {packed / 1e6:,.3g} MB ({ratio:,.0f} times its size), "
            "as an archive made to fill the disk does",
            "if you trust it, unpack it yourself and add the unpacked file",
            file=label,
        )


class Utf8Stream:
    """A text file as UTF-8 bytes without a byte-order mark.

    Args:
        stream: The bytes.
        notes: Where changes are counted.

    Attributes:
        known: True where the encoding is certain (a mark, or UTF-16), so that no line is taken for Latin-1.
        encoding: Name of the encoding.
        marked: True where the file had a byte-order mark.
    """

    def __init__(self, stream: ByteStream, notes: Counter[str]) -> None:
        self._stream = stream
        self.encoding, mark = encoding_of(stream.head)
        self.marked = mark > 0
        self.known = self.marked or self.encoding != "utf-8"
        self._skip = mark
        self._decoder: codecs.IncrementalDecoder | None = None
        self._broken: str | None = None
        if self.encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self.encoding)("surrogatepass")
            notes[f"read as {self.encoding.upper()}" + ("" if mark else ", without a byte-order mark")] += 1
        elif mark:
            notes["byte-order mark removed"] += 1

    @property
    def broken(self) -> str | None:
        """Why the stream ended before its end, or None."""
        return self._stream.broken or self._broken

    def read(self, size: int = CHUNK) -> bytes:
        """Some UTF-8 bytes; none at the end. Lone surrogates are passed on as they are."""
        while True:
            data = self._stream.read(size)
            end = not data
            if self._skip:
                data, self._skip = data[self._skip :], 0
            if self._decoder is not None:
                data = self._decode(data, end)
            if data or end:
                return data

    def _decode(self, data: bytes, end: bool) -> bytes:
        assert self._decoder is not None
        try:
            text = self._decoder.decode(data, end)
        except UnicodeDecodeError as error:
            self._broken = f"the file is not valid {self.encoding.upper()}: {error.reason}"
            return b""
        return text.encode("utf-8", "surrogatepass")


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding_of(head: bytes) -> tuple[str, int]:
    """Encoding and length of the byte-order mark, from the first bytes.

    Without a mark, UTF-16 shows by NUL bytes in every other place, as its JSON and CSV syntax is ASCII.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    sample = head[:400]
    even, odd = sample[0::2], sample[1::2]
    if len(sample) >= 4 and odd.count(0) > 0.3 * len(odd) and even.count(0) <= 0.02 * len(even):
        return "utf-16-le", 0
    if len(sample) >= 4 and even.count(0) > 0.3 * len(even) and odd.count(0) <= 0.02 * len(odd):
        return "utf-16-be", 0
    return "utf-8", 0


def lines(stream: Utf8Stream, limit: int, end: bytes = b"\n") -> Iterator[tuple[int, bytes, int]]:
    """Lines without their ends, as (1-based number, bytes, length). Longer lines than `limit` come cut to it.

    Memory: one chunk and one line of at most `limit` bytes.
    """
    number, tail, length = 1, b"", 0  # tail: the line begun, cut to `limit`; length: of all of it
    while data := stream.read():
        pieces = data.split(end)
        for piece in pieces[:-1]:
            if length:
                length += len(piece)
                yield number, (tail + piece)[:limit] if len(tail) < limit else tail, length
                tail, length = b"", 0
            else:
                yield number, piece[:limit], len(piece)
            number += 1
        if len(tail) < limit:
            tail = (tail + pieces[-1])[:limit]
        length += len(pieces[-1])
    if length:
        yield number, tail, length
