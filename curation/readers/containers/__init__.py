"""Containers: how records lie in a file. `open_source` finds out which one a source is, from its content."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from curation.core.errors import DataError
from curation.readers.containers.arrow import ARROW_FILE, ARROW_STREAM, FEATHER1, PARQUET, open_table
from curation.readers.containers.base import Container
from curation.readers.containers.delimited import DelimitedContainer
from curation.readers.containers.hub import HubContainer
from curation.readers.containers.json_text import JsonContainer
from curation.readers.containers.stream import GZIP, ZIP, ZSTD, ByteStream, encoding_of
from curation.readers.sources import DATA_ENDINGS, Source

_UNREAD: tuple[tuple[bytes, str, str], ...] = (
    (ZIP, "is an archive inside packed data", "unpack it and name the files"),
    (GZIP, "is packed twice", "unpack it and name the file"),
    (ZSTD, "is packed twice", "unpack it and name the file"),
    (b"BZh", "is packed with bzip2", "unpack it and name the file"),
    (b"\xfd7zXZ\0", "is packed with xz", "unpack it and name the file"),
    (b"7z\xbc\xaf", "is a 7z archive", "unpack it and name the files"),
    (b"Rar!", "is a RAR archive", "unpack it and name the files"),
    (b"%PDF", "is a PDF document", "add a data file instead"),
    (b"\x89PNG", "is a picture", "add a data file instead"),
    (b"\xff\xd8\xff", "is a picture", "add a data file instead"),
    (b"\x80\x04\x95", "is a Python pickle, which can run code when opened", "save the data as JSONL or Parquet"),
    (b"SQLite format 3\0", "is a database", "export the table as CSV or Parquet"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the data", "fetch the data: git lfs pull"),
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
_TAR_AT, _TAR = 257, b"ustar"


@contextmanager
def open_source(source: Source, header: bool | None = None, take: int | None = None) -> Iterator[Container]:
    """Open a source as the container it is.

    Args:
        source: From `sources.expand`.
        header: CSV and TSV only: whether the first line names the columns; None = find out.
        take: Hub data only: rows of each split to read; None = all.

    Raises:
        DataError: if it is empty, damaged, or of a kind that is not read.
        MissingDependency: for a hub id without the package datasets.
    """
    if source.hub:
        yield HubContainer(source, take)
        return
    with ExitStack() as stack:
        try:
            if source.member is None:
                file: Any = stack.enter_context(Path(source.path).open("rb"))
            else:
                archive = stack.enter_context(zipfile.ZipFile(source.path))
                file = stack.enter_context(archive.open(source.member))
        except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
            raise DataError(
                f"cannot be opened: {error}", "check the file and who may read it", file=source.label
            ) from None
        container = stack.enter_context(_container(ByteStream(source, file), header))
        if source.member is not None:
            container.kind += ".zip"
        container.notes.update(dict.fromkeys(source.notes, 1))
        yield container


@contextmanager
def _container(stream: ByteStream, header: bool | None) -> Iterator[Container]:
    head, label = stream.head, stream.source.label
    _refuse(stream)
    if head.startswith((PARQUET, ARROW_FILE, ARROW_STREAM, FEATHER1)):
        with open_table(stream) as table:
            if stream.packing:
                table.kind += ".gz" if stream.packing == "gzip" else ".zst"
            yield table
        return
    ending = stream.source.ending
    if ending in (".parquet", ".arrow", ".feather", ".ipc"):
        raise DataError(f"is no {ending[1:]} file, whatever its name says", "fetch or make it again", file=label)
    encoding, mark = encoding_of(head)
    opening = head[mark:].decode(encoding, "ignore").lstrip()[:1]
    if ending in (".csv", ".tsv"):
        yield DelimitedContainer(stream, header)
    elif opening in ("[", "{") or ending in (".json", ".jsonl", ".ndjson"):
        yield JsonContainer(stream)
    else:
        raise DataError("is of no kind that is read here", f"files that are: {', '.join(DATA_ENDINGS)}", file=label)


def _refuse(stream: ByteStream) -> None:
    head, label = stream.head, stream.source.label
    if not head:
        if stream.broken:
            raise DataError(stream.broken, "fetch or make the file again", file=label)
        raise DataError("is empty (0 bytes)", "fetch or make the file again", file=label)
    for magic, what, hint in _UNREAD:
        if head.startswith(magic):
            raise DataError(what, hint, file=label)
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        raise DataError("is a tar archive", "unpack it and name the files", file=label)
    if head.lstrip()[:14].lower().startswith(_PAGES):
        raise DataError("is a web page or XML, not data", "download the file itself", file=label)
    if not head.strip(b"\0"):
        raise DataError("holds only NUL bytes: it was not written to the end", "fetch or make it again", file=label)
    if not head.strip():
        raise DataError("holds only blanks", "fetch or make the file again", file=label)
