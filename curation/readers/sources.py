"""From what the user named (files, folders, archives, hub ids) to sources: one file or archive member each."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from curation.core.errors import DataError

DATA_ENDINGS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".ipc")
PACKED_ENDINGS = (".gz", ".zst", ".zip")
ARCHIVE_ENDINGS = (*PACKED_ENDINGS, ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_ABOUT_FILES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "package.json")
MAX_MEMBERS = 10_000
_HUB_ID = re.compile(r"(?:hf://(?:datasets/)?)?([\w.-]+/[\w.-]+)(?::([\w.-]+))?")


@dataclass(frozen=True)
class Source:
    """One file, one member of a zip archive, or one split of a data set on the hub.

    Args:
        label: What its rows carry as `source`.
        path: The file, or the hub id.
        size: Bytes to read, for progress; 0 where unknown.
        member: Name inside a zip archive.
        hub: True for a hub id; `config` is its configuration.
        config: See `hub`.
        notes: What was seen on the way (members left aside).
    """

    label: str
    path: str
    size: int = 0
    member: str | None = None
    hub: bool = False
    config: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def ending(self) -> str:
        """The file's ending in lower case, without that of the packing."""
        name = Path(self.member or self.path).name.lower()
        for packed in (".gz", ".zst"):
            name = name.removesuffix(packed)
        return Path(name).suffix


def expand(paths: Sequence[str | Path]) -> list[Source]:
    """The sources behind what the user named, in order, with distinct labels.

    Raises:
        DataError: if a path is not there, or holds nothing that can be read.
    """
    sources: list[Source] = []
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            sources += _folder(path)
        elif path.is_file():
            sources += _file(path, path.name)
        else:
            sources.append(_hub(str(given)))
    return _distinct(sources)


def clean(text: str) -> str:
    """A file name as text that UTF-8 can hold."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _file(path: Path, label: str) -> list[Source]:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}", "check who may read it", file=str(path)) from None
    if magic == b"PK\x03\x04" or magic == b"PK\x05\x06":
        return _zip(path, label)
    return [Source(clean(label), str(path), path.stat().st_size)]


def _folder(folder: Path) -> list[Source]:
    """The data files of a folder: as `save_to_disk` of the package datasets wrote them, or any in it."""
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8")).get("splits", [])
        return [source for split in splits for source in _saved(folder / split, f"{folder.name}/{split}")]
    if (folder / "state.json").is_file():
        return _saved(folder, folder.name)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not _hidden(p.relative_to(folder)))
    wanted = [p for p in files if _ending(p) in DATA_ENDINGS and p.name not in _ABOUT_FILES or p.suffix == ".zip"]
    if not wanted:
        endings = Counter(p.suffix or p.name for p in files)
        seen = ", ".join(f"{count} × {ending}" for ending, count in endings.most_common(8)) or "nothing"
        raise DataError(
            f"is a folder without data files; it holds {clean(seen)}",
            f"name a file, or a folder with {', '.join(DATA_ENDINGS)} files or a saved Hugging Face data set",
            file=str(folder),
        )
    return [s for p in wanted for s in _file(p, f"{folder.name}/{p.relative_to(folder).as_posix()}")]


def _saved(folder: Path, label: str) -> list[Source]:
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        names = [entry["filename"] for entry in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"is no complete saved data set: state.json cannot be used ({error})", "save it again", file=str(folder)
        ) from None
    if state.get("_indices_files"):
        raise DataError("was saved with a selection beside its rows", "call flatten_indices, save again", file=label)
    paths = [folder / name for name in names]
    missing = [p.name for p in paths if not p.is_file()]
    if missing:
        raise DataError(f"lacks {', '.join(missing)}", "copy the whole folder", file=str(folder))
    return [Source(clean(label), str(p), p.stat().st_size) for p in paths]


def _zip(path: Path, label: str) -> list[Source]:
    from curation.readers.containers.stream import refuse_bomb

    hint = "unpack it and name the files"
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"is a damaged zip archive: {error}", "fetch or make it again", file=str(path)) from None
    if any(m.filename == "[Content_Types].xml" for m in members):
        raise DataError("is an office document, not data", "save the sheet as CSV and add that", file=str(path))
    if len(members) > MAX_MEMBERS:
        raise DataError(f"holds {len(members):,} files, more than {MAX_MEMBERS:,}", hint, file=str(path))
    refuse_bomb(str(path), sum(m.file_size for m in members), path.stat().st_size)
    nested = [m.filename for m in members if m.filename.lower().endswith(ARCHIVE_ENDINGS)]
    if nested:
        raise DataError(f"holds another archive: {clean(nested[0])}", hint, file=str(path))
    if any(m.flag_bits & 1 for m in members):
        raise DataError("is protected by a password", hint, file=str(path))
    wanted = [m for m in members if _ending(Path(m.filename)) in DATA_ENDINGS and not _hidden(Path(m.filename))]
    aside = [m.filename for m in members if m not in wanted and not _hidden(Path(m.filename))]
    if not wanted:
        seen = clean(", ".join(aside[:8])) or "nothing"
        raise DataError(f"holds no data file, only {seen}", f"data files end in {', '.join(DATA_ENDINGS)}", file=label)
    notes = (f"left aside in the archive: {clean(', '.join(aside[:8]))}",) if aside else ()
    return [
        Source(
            clean(f"{label}/{m.filename}"), str(path), m.file_size, m.filename, notes=notes if m is wanted[0] else ()
        )
        for m in wanted
    ]


def _hub(given: str) -> Source:
    match, path = _HUB_ID.fullmatch(given), Path(given)
    if match:
        like_a_file = path.suffix.lower() in (*DATA_ENDINGS, *PACKED_ENDINGS, ".txt") or path.parent.is_dir()
        if given.startswith("hf://") or not like_a_file:
            return Source(match[1], match[1], hub=True, config=match[2])
    if path.exists():
        raise DataError("is neither a file nor a folder", "name a file", file=given)
    near = get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 3) if path.parent.is_dir() else []
    raise DataError(
        "there is no such file", f"did you mean {', '.join(near)}?" if near else "check the path", file=given
    )


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _ending(path: Path) -> str:
    name = path.name.lower()
    for packed in (".gz", ".zst"):
        name = name.removesuffix(packed)
    return Path(name).suffix


def _distinct(sources: list[Source]) -> list[Source]:
    """Sources with labels made distinct: by their folder first, then by a number. Shards of one split share theirs."""
    paths: dict[str, set[str]] = {}
    for source in sources:
        paths.setdefault(source.label, set()).add(str(Path(source.path).parent.resolve()))
    made = []
    for source in sources:
        folders = sorted(paths[source.label])
        if len(folders) > 1:
            own = Path(source.path).parent.resolve()
            label = f"{own.name}/{source.label}"
            twins = [f for f in folders if Path(f).name == own.name]
            if len(twins) > 1:
                label += f" ({twins.index(str(own)) + 1})"
            source = replace(source, label=clean(label))
        made.append(source)
    return made
