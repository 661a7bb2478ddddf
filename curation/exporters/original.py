"""Original: the records in the form they came in, field for field, one file for each source."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from curation.core.arrow_json import from_records
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.exporters._base import FileExporter
from curation.exporters._configs import original_entry
from curation.exporters._records import Written, named
from curation.exporters._rows import BLOCK, dumps, loads, one_line
from curation.exporters._writers import Csv, JsonLines, JsonList

SUFFIXES = {
    "json": ".json",
    "jsonl": ".jsonl",
    "csv": ".csv",
    "tsv": ".tsv",
    "parquet": ".parquet",
    "arrow": ".arrow",
    "hub": ".parquet",
}
PLAIN = {"name": "", "container": "jsonl"}
"""Rows that no reader read are written as JSON lines."""


@dataclass(frozen=True)
class Part:
    """What becomes one file.

    Args:
        fact: What the reader noted about the source.
        rows: int64, in the order to write.
        splits: Name of the split of each row ("" = none), for JSON objects of named lists.
    """

    fact: dict[str, Any]
    rows: np.ndarray
    splits: np.ndarray

    @property
    def container(self) -> str:
        """The container without its packing."""
        kind = str(self.fact.get("container") or "jsonl").split(".")[0]
        return kind if kind in SUFFIXES else "jsonl"

    def get(self, key: str, default: Any = None) -> Any:
        """A fact of the container."""
        return self.fact.get(key, default)


def parts_of(pool: Dataset, rows: np.ndarray) -> list[Part]:
    """Group rows by the file they came from, in the order of the sources; splits of one JSON object share a file."""
    facts = {fact["name"]: fact for fact in pool.facts.get("sources", [])}
    table = pool.table["source"].combine_chunks().dictionary_encode()
    codes = table.indices.to_numpy(zero_copy_only=False)[rows]
    found: dict[Any, tuple[dict[str, Any], list[np.ndarray], list[np.ndarray]]] = {}
    for code, label in enumerate(table.dictionary.to_pylist()):
        here = np.flatnonzero(codes == code)
        if not len(here):
            continue
        fact = facts.get(label, {**PLAIN, "name": label})
        split, key = fact.get("split"), label
        if split and fact.get("layout") == "splits":
            key = (fact.get("path"), fact.get("member"))
            fact = {**fact, "name": label.removesuffix(f"/{split}")}
        entry = found.setdefault(key, (fact, [], []))
        entry[1].append(here)
        entry[2].append(np.full(len(here), split or "", dtype=object))
    parts = []
    for fact, places, splits in found.values():
        at = np.concatenate(places)
        order = np.argsort(at, kind="stable")
        parts.append(Part(fact, rows[at[order]], np.concatenate(splits)[order]))
    return parts


def write_part(pool: Dataset, part: Part, path: Path, *, escape: bool = False) -> None:
    """Write the records of one source as it had them. Cost: JSON is copied as text, never parsed.

    Args:
        pool: Where from.
        part: Which rows.
        path: The file.
        escape: Defuse formulas in CSV cells.
    """
    if part.container in ("csv", "tsv"):
        _write_delimited(pool, part, path, escape)
    elif part.container in ("parquet", "arrow", "hub") and part.get("arrow_schema"):
        _write_table(pool, part, path)
    elif part.container == "json" and part.get("layout") == "splits":
        _write_splits(pool, part, path)
    else:
        listed = path.suffix.lower() == ".json" and part.get("layout", "lists") == "lists"
        writer = JsonList(path) if listed else JsonLines(path)
        for texts in _texts(pool, part.rows):
            for text in texts:
                writer.write_text(one_line(text))
        writer.close()


def _texts(pool: Dataset, rows: np.ndarray) -> Iterator[list[str]]:
    for start in range(0, len(rows), BLOCK):
        yield pool.take(rows[start : start + BLOCK]).table["record"].to_pylist()


def _write_splits(pool: Dataset, part: Part, path: Path) -> None:
    """One object of named lists."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("{")
        names = list(dict.fromkeys(part.splits.tolist()))
        for i, name in enumerate(names):
            file.write(f"{',' if i else ''}\n{dumps(name)}: [")
            between = "\n"
            for texts in _texts(pool, part.rows[part.splits == name]):
                for text in texts:
                    file.write(between + one_line(text))
                    between = ",\n"
            file.write("\n]")
        file.write("\n}\n")


def _write_delimited(pool: Dataset, part: Part, path: Path, escape: bool) -> None:
    columns = part.get("columns")
    writer: Csv | None = None
    for texts in _texts(pool, part.rows):
        for text in texts:
            record = loads(text)
            if writer is None:
                writer = Csv(
                    path,
                    tuple(columns or record),
                    escape=escape,
                    separator=part.get("delimiter") or ("\t" if part.container == "tsv" else ","),
                    quoting=part.get("quoting") or "minimal",
                    line_end=part.get("lineterminator") or "\n",
                    header=part.get("header") is not False,
                )
            writer.write(record)
    if writer is None:
        Csv(path, tuple(columns or ()), escape=escape).close()
    else:
        writer.close()


def _write_table(pool: Dataset, part: Part, path: Path) -> None:
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(part.get("arrow_schema"))))
    writer: Any
    if part.container == "arrow":
        writer = pa.ipc.new_file(str(path), schema)
    else:
        writer = pq.ParquetWriter(path, schema, compression="zstd")
    with writer:
        for texts in _texts(pool, part.rows):
            writer.write_table(from_records([loads(text) for text in texts], schema))


class Original(FileExporter):
    """The records in the form they came in, field for field; one file for each source."""

    title: ClassVar[str] = "As it came"
    weakness: ClassVar[str] = (
        "No trainer check: what a trainer makes of it depends on what came. Always UTF-8, unpacked."
    )
    source: ClassVar[str] = "This project"

    escape_formulas: bool = Field(
        False, description="CSV: put an apostrophe before cells that begin with = + - @, tab or a line end."
    )

    def default_suffix(self, pool: Dataset) -> str:
        """That of the source; none for several sources, which become a folder."""
        parts = parts_of(pool, np.arange(len(pool)))
        return SUFFIXES[parts[0].container] if len(parts) == 1 else ""

    def write(self, pool: Dataset, rows: np.ndarray, path: Path, runtime: Runtime) -> Written:
        """Write one file, or a folder with one file for each source.

        Raises:
            CurationError: if a trainer is named, or the output's suffix is that of another container.
        """
        if self.trainer != "none":
            raise CurationError(
                "records as they came are not checked for a trainer",
                "export with --format alpaca, sharegpt, messages or prompt-completion for a check",
            )
        parts = parts_of(pool, rows)
        entry = None
        whole = parts_of(pool, np.arange(len(pool)))
        if len(whole) == 1:
            part = parts[0] if parts else Part(whole[0].fact, rows, np.empty(0, dtype=object))
            _same_family(path, part)
            write_part(pool, part, path, escape=self.escape_formulas)
            entry = original_entry(part.fact, pool.field_names())
            container = part.container
        else:
            path.mkdir()
            for part, name in zip(parts, _file_names(parts), strict=True):
                runtime.progress(0, len(rows), f"writing {name}")
                write_part(pool, part, path / name, escape=self.escape_formulas)
            container = "folder"
        return Written(rows, container, "original", entry=entry, notes=tuple(_notes(parts)))


def _same_family(path: Path, part: Part) -> None:
    wanted, family = SUFFIXES[part.container], {".json", ".jsonl", ".ndjson"}
    given = path.suffix.lower()
    if given != wanted and not ({given, wanted} <= family and part.get("layout") != "splits"):
        raise CurationError(f"{path.name}: the records came as {wanted}", f"name the output *{wanted}, or leave it out")


def _file_names(parts: list[Part]) -> list[str]:
    """One file name per source, distinct, without the packing's ending."""
    names: list[str] = []
    for part in parts:
        label = str(part.fact.get("name") or "data").replace("\\", "/").strip("/").replace("/", "-")
        stem = Path(label).name
        for ending in (".gz", ".zst", ".zip", *SUFFIXES.values(), ".ndjson"):
            stem = stem.removesuffix(ending)
        stem, count = stem.lstrip(".") or "data", 1
        name = stem + SUFFIXES[part.container]
        while name in names:
            count += 1
            name = f"{stem}-{count}{SUFFIXES[part.container]}"
        names.append(name)
    return names


def _notes(parts: list[Part]) -> list[str]:
    notes = []
    for part in parts:
        encoding = part.get("encoding")
        if encoding and encoding != "utf-8":
            notes.append(f"{named(part.fact['name'])} was {encoding} and is UTF-8 here.")
        if "." in str(part.fact.get("container", "")):
            notes.append(f"{named(part.fact['name'])} was packed and is not packed here.")
    return notes
