"""A workspace: the folder that remembers datasets and every result by what made it.

```
workspace.json            schema version
datasets/<fingerprint>/   rows.arrow, dataset.json, quarantine.jsonl
names.json                name → fingerprint
results/<key>/            one artifact and manifest.json, never changed once there
orders/<key>-<length>/    nested orders, as far as they have been asked for
rows/<key>/<segment>/     row-wise results by row content
timings.jsonl             work and seconds of finished steps, for estimates
jobs/  exports/  cache/  locks/  tmp/
```

Everything is written in `tmp/` and published by one rename, so a half-written result is never seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from curation.core.artifacts import KINDS, Artifact, Selection, concat
from curation.core.dataset import Dataset, DatasetWriter, Row
from curation.core.errors import CurationError

SCHEMA_VERSION = 1
MERGE_SEGMENTS = 24
"""Row-wise results are joined into one segment when there are more than this many."""


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file in one rename, so that readers see the old or the new text, never a part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class Added:
    """What `Workspace.add` did.

    Args:
        dataset: The new Dataset (or the old one, when the same rows were there already).
        rejected: Records in the quarantine file.
        facts: Per source: form, counts, notes.
        existed: True when the same rows were there already.
    """

    dataset: Dataset
    rejected: int
    facts: dict[str, Any]
    existed: bool


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the list of datasets."""

    name: str
    fingerprint: str
    rows: int
    rejected: int
    sources: list[dict[str, Any]]
    created: float
    bytes: int


@dataclass(frozen=True)
class ResultInfo:
    """One line of the list of results; `manifest` has the rest."""

    key: str
    kind: str
    use: str
    step: str
    dataset: str
    seconds: float
    created: float
    bytes: int
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pruned:
    """What `prune` removed or would remove."""

    bytes: int
    paths: list[str]


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) if folder.exists() else 0


class Workspace:
    """Opened by `Workspace.open`; see the module's docstring for the layout."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def open(cls, root: str | Path | None = None) -> Workspace:
        """Open a workspace folder, making it when absent.

        Args:
            root: The folder; None = the variable CURATION_WORKSPACE, else `.curation` in the current folder.

        Raises:
            CurationError: if the folder is something else, or was written by a newer version.
        """
        path = Path(root or os.environ.get("CURATION_WORKSPACE") or ".curation").expanduser().resolve()
        marker = path / "workspace.json"
        if path.exists() and not path.is_dir():
            raise CurationError(f"{path} is a file, not a workspace folder", "name a folder with --workspace")
        if not marker.exists():
            if path.exists() and any(path.iterdir()) and not (path / "locks").exists():
                raise CurationError(
                    f"{path} has other files in it and is not a workspace",
                    "name a new or empty folder with --workspace",
                )
            for area in ("datasets", "results", "orders", "rows", "jobs", "exports", "cache", "locks", "tmp"):
                (path / area).mkdir(parents=True, exist_ok=True)
            write_atomically(marker, json.dumps({"schema": SCHEMA_VERSION}))
        schema = json.loads(marker.read_text())["schema"]
        if schema > SCHEMA_VERSION:
            raise CurationError(
                f"the workspace {path} has schema {schema}, this version reads up to {SCHEMA_VERSION}",
                "update the package, or name another folder with --workspace",
            )
        return cls(path)

    # ------------------------------------------------------------------ locks, scratch

    @contextlib.contextmanager
    def lock(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a lock between processes; freed by the system when the holder dies.

        Args:
            name: What is locked.
            waiting: Called about twice a second while another process holds it; may raise JobCancelled.
        """
        lock = FileLock(self.root / "locks" / f"{name}.lock")
        while True:
            try:
                lock.acquire(timeout=0.5)
                break
            except Timeout:
                waiting()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the workspace's disk that is gone afterwards, unless it was renamed away."""
        folder = self.root / "tmp" / f"{os.getpid()}-{uuid.uuid4().hex}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, folder: Path, target: Path) -> None:
        for file in folder.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():  # another process may have published the same result first
                raise

    # ------------------------------------------------------------------ datasets

    def _names(self) -> dict[str, str]:
        path = self.root / "names.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def add(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        name: str | None = None,
        mapping: Any = None,
        progress: Callable[..., None] = lambda done, total, note="": None,
    ) -> Added:
        """Read files into a Dataset.

        A name that is taken moves to the new rows; the old Dataset stays under its fingerprint.

        Args:
            paths: One or more files, folders or hub ids; together they make one Dataset.
            name: What to call it; None = the first file's name without endings.
            mapping: A `readers.Mapping` for all sources, or one per source; None = detect.
            progress: Called with (done bytes, total bytes, note).

        Raises:
            DataError: if a source cannot be read at all.
        """
        from curation.readers import Rejected, read

        sources = [paths] if isinstance(paths, str | Path) else list(paths)
        if not sources:
            raise CurationError("no file was named", "curate add FILE …")
        name = name or default_name(sources[0])
        rejected = 0

        def fill(writer: DatasetWriter) -> dict[str, Any]:
            nonlocal rejected
            path = writer.folder / "quarantine.jsonl"
            with path.open("w", encoding="utf-8", errors="backslashreplace") as quarantine:

                def reject(row: Rejected) -> None:
                    nonlocal rejected
                    rejected += 1
                    quarantine.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")

                facts = read(sources, writer, mapping=mapping, reject=reject, progress=progress)
            return {**facts, "rejected": rejected}

        return self._new_dataset(name, fill)

    def add_rows(self, rows: Iterable[Row], name: str) -> Added:
        """Store rows made in Python as a Dataset."""

        def fill(writer: DatasetWriter) -> dict[str, Any]:
            for row in rows:
                record = json.loads(row.record)
                writer.add(row, record if isinstance(record, dict) else ())
            return {"rejected": 0}

        return self._new_dataset(name, fill)

    def _new_dataset(self, name: str, fill: Callable[[DatasetWriter], dict[str, Any]]) -> Added:
        with self.scratch() as folder:
            writer = DatasetWriter(folder, name)
            try:
                facts = fill(writer)
            except BaseException:
                writer.abandon()
                raise
            if not writer.rows:
                writer.abandon()
                raise CurationError("there is no row to keep", f"{facts['rejected']} records were rejected")
            fingerprint = writer.finish({**facts, "created": time.time()})
            target = self.root / "datasets" / fingerprint
            existed = target.exists()
            if not existed:
                self._publish(folder, target)
        with self.lock("names"):
            names = self._names() | {name: fingerprint}
            write_atomically(self.root / "names.json", json.dumps(names, ensure_ascii=False, indent=1))
        return Added(self.dataset(name), facts["rejected"], facts, existed)

    def datasets(self) -> list[DatasetInfo]:
        """All datasets, newest first. One whose name moved on is called `name@fingerprint`."""
        names = {fingerprint: name for name, fingerprint in self._names().items()}
        found = []
        for folder in (self.root / "datasets").iterdir():
            facts = json.loads((folder / "dataset.json").read_text())
            name = names.get(folder.name, f"{facts['name']}@{folder.name[:8]}")
            size = sum(f.stat().st_size for f in folder.iterdir())
            found.append(
                DatasetInfo(
                    name,
                    folder.name,
                    facts["rows"],
                    facts.get("rejected", 0),
                    facts.get("sources", []),
                    facts.get("created", folder.stat().st_mtime),
                    size,
                )  # fmt: skip
            )
        return sorted(found, key=lambda d: -d.created)

    def dataset(self, name: str) -> Dataset:
        """A Dataset by name, fingerprint, or `name@first digits`.

        Raises:
            CurationError: if there is none, naming those that are.
        """
        fingerprint = self._names().get(name, name)
        folder = self.root / "datasets" / fingerprint
        if not folder.name or not (folder / "dataset.json").exists() or folder.parent != self.root / "datasets":
            start = fingerprint.rpartition("@")[2]
            near = [f for f in (self.root / "datasets").iterdir() if len(start) >= 8 and f.name.startswith(start)]
            if len(near) != 1:
                known = ", ".join(sorted(self._names())) or "none yet"
                raise CurationError(
                    f"there is no dataset '{name}' in {self.root}", f"known: {known}. Add: curate add FILE"
                )
            folder = near[0]
        dataset = Dataset.open(folder)
        dataset.name = {f: n for n, f in self._names().items()}.get(folder.name, dataset.name)
        return dataset

    def quarantine(self, fingerprint: str) -> Iterator[dict[str, Any]]:
        """The rejected records of a Dataset: source, line, field, reason, excerpt."""
        path = self.root / "datasets" / fingerprint / "quarantine.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as file:
                yield from (json.loads(line) for line in file)

    def remove_dataset(self, name: str) -> None:
        """Forget a Dataset and every result made from it."""
        fingerprint = self.dataset(name).fingerprint
        with self.lock("names"):
            names = {n: f for n, f in self._names().items() if f != fingerprint}
            write_atomically(self.root / "names.json", json.dumps(names, ensure_ascii=False, indent=1))
        self._remove(self.root / "datasets" / fingerprint)
        for area in ("results", "orders"):
            for folder in (self.root / area).iterdir():
                if self._manifest(folder).get("dataset") == fingerprint:
                    self._remove(folder)

    def _remove(self, folder: Path) -> None:
        # renamed first, so that nobody sees half of it
        grave = self.root / "tmp" / f"removed-{uuid.uuid4().hex}"
        folder.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)

    # ------------------------------------------------------------------ results

    def _manifest(self, folder: Path) -> dict[str, Any]:
        path = folder / "manifest.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def has(self, key: str) -> bool:
        """True when the result of this key is stored."""
        return (self.root / "results" / key / "manifest.json").exists()

    def manifest(self, key: str) -> dict[str, Any]:
        """How a result was made: use, version, parameters, input keys, seconds, ...

        Raises:
            CurationError: if there is no such result.
        """
        found = self._manifest(self.root / "results" / key)
        if not found:
            raise CurationError(f"there is no result {key} in {self.root}", "run the recipe again")
        return found

    def load(self, key: str) -> Artifact:
        """The artifact of a key, its numbers memory-mapped and read-only."""
        kind = KINDS[self.manifest(key)["kind"]]
        return kind.load(self.root / "results" / key)

    def publish(self, key: str, artifact: Artifact, manifest: dict[str, Any]) -> None:
        """Store an artifact under a key; what is already there stays."""
        self._store(self.root / "results" / key, artifact, {**manifest, "key": key})

    def _store(self, target: Path, artifact: Artifact, manifest: dict[str, Any]) -> None:
        with self.scratch() as folder:
            artifact.save(folder)
            manifest = {"kind": artifact.kind, "dataset": artifact.dataset, "created": time.time(), **manifest}
            (folder / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1))
            self._publish(folder, target)

    def results(self, dataset: str | None = None) -> list[ResultInfo]:
        """Stored results, newest first; of one Dataset's fingerprint, or all."""
        found = []
        for folder in (self.root / "results").iterdir():
            m = self._manifest(folder)
            if m and dataset in (None, m["dataset"]):
                size = sum(f.stat().st_size for f in folder.iterdir())
                found.append(
                    ResultInfo(
                        folder.name,
                        m["kind"],
                        m.get("use", ""),
                        m.get("step", ""),
                        m["dataset"],
                        m.get("seconds", 0.0),
                        m["created"],
                        size,
                        m,
                    )  # fmt: skip
                )
        return sorted(found, key=lambda r: -r.created)

    # ------------------------------------------------------------------ nested orders

    def order(self, key: str) -> Selection | None:
        """The longest stored order of a nested selector, None when there is none."""
        lengths = [int(f.name.rpartition("-")[2]) for f in (self.root / "orders").glob(f"{key}-*")]
        return Selection.load(self.root / "orders" / f"{key}-{max(lengths)}") if lengths else None

    def publish_order(self, key: str, order: Selection, manifest: dict[str, Any]) -> None:
        """Store a longer order beside the shorter ones, which `prune` removes."""
        self._store(self.root / "orders" / f"{key}-{len(order)}", order, manifest)

    # ------------------------------------------------------------------ rows

    def row_store(self, key: str) -> RowStore:
        """Row-wise results of one method, by row content."""
        return RowStore(self, self.root / "rows" / key)

    # ------------------------------------------------------------------ timings

    def record_timing(self, entry: dict[str, Any]) -> None:
        """Remember work and seconds of a finished step."""
        with (self.root / "timings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def timings(self) -> list[dict[str, Any]]:
        """All remembered steps, oldest first. A line cut off by a kill is left out."""
        path = self.root / "timings.jsonl"
        if not path.exists():
            return []
        entries = []
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entries.append(json.loads(line))
        return entries

    # ------------------------------------------------------------------ disk

    def usage(self) -> dict[str, int]:
        """Bytes per area."""
        areas = ("datasets", "results", "orders", "rows", "jobs", "exports", "cache", "tmp")
        return {area: folder_bytes(self.root / area) for area in areas}

    def prune(self, *, dry_run: bool = False) -> Pruned:
        """Remove what nothing refers to.

        Kept: named datasets; results and row-wise results that a job of the list made or used; the longest order of
        each. Removed: datasets whose name moved on and that no kept job used, everything else of the above, and
        leftovers of killed processes.

        Args:
            dry_run: Only say what would go.
        """
        import psutil

        jobs = [json.loads(p.read_text()) for p in (self.root / "jobs").glob("*/status.json")]
        steps = [s for job in jobs for s in job.get("steps", [])]
        keys = {s.get("key") for s in steps} | {s.get("order_key") for s in steps} | {s.get("rows_key") for s in steps}
        used = set(self._names().values()) | {d for job in jobs for d in job.get("datasets", [])}
        running = any(job.get("state") in ("queued", "running") for job in jobs)
        doomed = [f for f in (self.root / "datasets").iterdir() if f.name not in used]
        if not running:  # a running job's results are not in its list yet
            doomed += [f for f in (self.root / "results").iterdir() if f.name not in keys]
            doomed += [f for f in (self.root / "rows").iterdir() if f.name not in keys]
        for folder in (self.root / "orders").iterdir():
            key, _, length = folder.name.rpartition("-")
            longest = max(int(f.name.rpartition("-")[2]) for f in (self.root / "orders").glob(f"{key}-*"))
            if int(length) < longest or (key not in keys and not running):
                doomed.append(folder)
        for folder in (self.root / "tmp").iterdir():
            owner = folder.name.split("-")[0]
            if not owner.isdigit() or not psutil.pid_exists(int(owner)):
                doomed.append(folder)
        total = sum(folder_bytes(folder) for folder in doomed)
        if not dry_run:
            for folder in doomed:
                self._remove(folder)
        return Pruned(total, [str(f.relative_to(self.root)) for f in doomed])


class RowStore:
    """Row-wise results of one method: segments of (content hashes, artifact), each published by one rename."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.workspace, self.folder = workspace, folder

    def _segments(self) -> list[Path]:
        return sorted(self.folder.iterdir()) if self.folder.exists() else []

    def find(self, contents: np.ndarray) -> np.ndarray:
        """Boolean `[m]`: which of these content hashes (S16 `[m]`) are stored."""
        known = [np.load(s / "ids.npy", allow_pickle=False) for s in self._segments()]
        return np.isin(contents, np.concatenate(known)) if known else np.zeros(len(contents), bool)

    def append(self, contents: np.ndarray, part: Artifact) -> None:
        """Store the results of these contents, which must not be stored yet."""
        self.folder.mkdir(exist_ok=True)
        with self.workspace.scratch() as folder:
            part.save(folder)
            np.save(folder / "ids.npy", contents, allow_pickle=False)
            (folder / "manifest.json").write_text(json.dumps({"kind": part.kind, "rows": len(contents)}))
            self.workspace._publish(folder, self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}")

    def merge(self) -> None:
        """Join many segments into one. Killed in between, a few rows are stored twice, which does no harm."""
        segments = self._segments()
        if len(segments) <= MERGE_SEGMENTS:
            return
        ids, joined = self._read(segments)
        ids, first = np.unique(ids, return_index=True)
        self.append(ids, joined.take(first, joined.dataset))
        for segment in segments:
            self.workspace._remove(segment)

    def _read(self, segments: list[Path]) -> tuple[np.ndarray, Artifact]:
        ids = np.concatenate([np.load(s / "ids.npy", allow_pickle=False) for s in segments])
        parts = [KINDS[json.loads((s / "manifest.json").read_text())["kind"]].load(s) for s in segments]
        return ids, concat(parts)

    def gather(self, contents: np.ndarray, dataset: str) -> Artifact:
        """The artifact of these contents `[n]`, all of which must be stored, as rows of `dataset`."""
        ids, joined = self._read(self._segments())
        order = np.argsort(ids, kind="stable")
        place = order[np.searchsorted(ids, contents, sorter=order)]
        return joined.take(place, dataset)


def default_name(path: str | Path) -> str:
    """A dataset's name from its first file: the name without endings."""
    name = Path(str(path)).name
    for ending in (".gz", ".zst", ".zip", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".ndjson"):
        name = name.removesuffix(ending)
    return name or "dataset"
