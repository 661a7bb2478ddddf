"""The workspace's folder.

```
workspace.json            schema version
datasets/<fingerprint>/   rows.arrow, dataset.json, quarantine.jsonl
names.json                name → fingerprint
results/<key>/            one artifact and manifest.json, never changed once there
orders/<key>-<length>/    nested orders, as far as they have been asked for
rows/<key>/<segment>/     row-wise results by row content
keep/<key>/               what an unfinished step needs to go on after a kill (checkpoints)
decisions/<fingerprint>.jsonl  what was decided by hand, in events
replies.sqlite            what chat models replied, by what was asked; paid for, so `prune` leaves it
spot-checks/  rubrics/    what was read by hand of a judge's drops; rubrics of the user's own
timings.jsonl             work and seconds of finished steps, for estimates
jobs/  exports/  cache/  locks/  tmp/
```

Everything is written in `tmp/` and published by one rename, so a half-written result is never seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from curation.core.artifacts import KINDS, Artifact, Selection
from curation.core.dataset import Dataset, DatasetWriter, Row
from curation.core.errors import CurationError, machine_problem
from curation.core.saving import to_json
from curation.workspace import files
from curation.workspace.decisions import DecisionLog
from curation.workspace.files import folder_bytes, folders, read_facts, user_path, write_atomically
from curation.workspace.infos import Added, DatasetInfo, Pruned, ResultInfo, info_of
from curation.workspace.opening import AREAS, SCHEMA_VERSION, default_name, prepared
from curation.workspace.pruning import doomed, split_order, statuses_of, unfinished
from curation.workspace.rowstore import RowStore

_KEY = re.compile(r"[0-9A-Za-z_-]{1,64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")
_LAST_TIMINGS = 4 << 20
"""Bytes of timings.jsonl that are read: its end, some 15,000 steps."""


class Workspace:
    """Opened by `Workspace.open`; see the module's docstring for the layout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._infos: dict[str, ResultInfo] = {}  # a result never changes, so its manifest is read once

    @classmethod
    def open(cls, root: str | Path | None = None) -> Workspace:
        """Open a workspace folder, making it when absent.

        Args:
            root: The folder; None = the variable CURATION_WORKSPACE, else `.curation` in the current folder.

        Raises:
            CurationError: if the folder is something else, cannot be written, or was made by a newer version.
        """
        path = user_path(root or os.environ.get("CURATION_WORKSPACE") or ".curation").resolve()
        try:
            schema = prepared(path)
        except OSError as error:
            raise machine_problem(error) or CurationError(f"{path} cannot be used as a workspace: {error}") from None
        if not isinstance(schema, int):
            raise CurationError(
                f"{path / 'workspace.json'} is damaged", f'write {{"schema": {SCHEMA_VERSION}}} into it'
            )
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
        with files.scratch(self.root / "tmp") as folder:
            yield folder

    def _remove(self, folder: Path) -> None:
        files.remove(folder, self.root / "tmp")

    # ------------------------------------------------------------------ datasets

    def _names(self) -> dict[str, str]:
        return {name: str(fingerprint) for name, fingerprint in read_facts(self.root / "names.json").items()}

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
        if not sources or not all(str(source).strip() for source in sources):
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
                    quarantine.write(to_json(asdict(row)) + "\n")

                facts = read(sources, writer, mapping=mapping, reject=reject, progress=progress)
            return {**facts, "rejected": rejected}

        return self._new_dataset(name, fill)

    def add_rows(self, rows: Iterable[Row], name: str, facts: dict[str, Any] | None = None) -> Added:
        """Store rows made in Python as a Dataset; `facts` go into its `dataset.json`."""

        def fill(writer: DatasetWriter) -> dict[str, Any]:
            for row in rows:
                record = json.loads(row.record)
                writer.add(row, record if isinstance(record, dict) else ())
            return {**(facts or {}), "rejected": 0}

        return self._new_dataset(name, fill)

    def _new_dataset(self, name: str, fill: Callable[[DatasetWriter], dict[str, Any]]) -> Added:
        name = " ".join(name.split()) or "dataset"  # a line break would spoil every table
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
            with self.lock("names"):  # published and named at once: `prune` never sees it without a name
                existed = target.exists()
                if not existed:
                    files.publish(folder, target, "dataset.json")
                names = self._names() | {name: fingerprint}
                write_atomically(self.root / "names.json", to_json(names, indent=1))
        return Added(self.dataset(name), facts["rejected"], facts, existed)

    def datasets(self) -> list[DatasetInfo]:
        """All datasets, newest first. One whose name moved on is called `name@fingerprint`."""
        names = {fingerprint: name for name, fingerprint in self._names().items()}
        found = []
        for folder in folders(self.root / "datasets"):
            facts = read_facts(folder / "dataset.json")
            if not facts:  # being removed just now
                continue
            found.append(
                DatasetInfo(
                    name=names.get(folder.name, f"{facts['name']}@{folder.name[:8]}"),
                    fingerprint=folder.name,
                    rows=facts["rows"],
                    rejected=facts.get("rejected", 0),
                    sources=facts.get("sources", []),
                    created=facts.get("created", 0.0),
                    bytes=folder_bytes(folder),
                    made_from=str(facts.get("made_from", "")),
                )
            )
        return sorted(found, key=lambda d: (-d.created, d.fingerprint))

    def known(self, name: str) -> bool:
        """True when `dataset(name)` would find one by name, without looking at files."""
        return name in self._names() or any(d.name == name for d in self.datasets())

    def holds(self, fingerprint: str) -> bool:
        """True when the Dataset of this whole fingerprint is here."""
        return (
            bool(_FINGERPRINT.fullmatch(fingerprint))
            and (self.root / "datasets" / fingerprint / "dataset.json").exists()
        )

    def dataset(self, name: str) -> Dataset:
        """A Dataset by name, fingerprint, or `name@first digits`.

        Raises:
            CurationError: if there is none, naming those that are.
        """
        names = self._names()
        start = names.get(name, name.rpartition("@")[2])
        if _FINGERPRINT.fullmatch(start):
            near = [f for f in folders(self.root / "datasets") if f.name.startswith(start)]
            if len(near) == 1 and (near[0] / "dataset.json").exists():
                dataset = Dataset.open(near[0])
                called = {f: n for n, f in names.items()}.get(near[0].name, dataset.name)
                dataset.name = name if name in names else called
                return dataset
        listed = ", ".join(sorted(names)) or "none yet"
        raise CurationError(f"there is no dataset '{name}' in {self.root}", f"known: {listed}. Add: curate add FILE")

    def quarantine(self, fingerprint: str) -> Iterator[dict[str, Any]]:
        """The rejected records of a Dataset: source, line, field, reason, excerpt."""
        path = self.root / "datasets" / fingerprint / "quarantine.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as file:
                yield from (json.loads(line) for line in file)

    def remove_dataset(self, name: str) -> None:
        """Forget a Dataset and every result made from it. What was decided by hand stays: it cannot be computed again.

        Raises:
            CurationError: if there is none, or a job works on it.
        """
        fingerprint = self.dataset(name).fingerprint
        now = time.time()
        for job in statuses_of(self.root):
            if fingerprint in job.get("datasets", []) and unfinished(job, now):
                raise CurationError(f"the job {job.get('id')} works on '{name}'", "cancel the job first")
        with self.lock("names"):
            names = {n: f for n, f in self._names().items() if f != fingerprint}
            write_atomically(self.root / "names.json", to_json(names, indent=1))
        self._remove(self.root / "datasets" / fingerprint)
        for folder in [*folders(self.root / "results"), *folders(self.root / "orders")]:
            if read_facts(folder / "manifest.json").get("dataset") == fingerprint:
                self._remove(folder)

    # ------------------------------------------------------------------ results

    def _result(self, key: str) -> Path | None:
        folder = self.root / "results" / key
        return folder if _KEY.fullmatch(key) and (folder / "manifest.json").exists() else None

    def has(self, key: str) -> bool:
        """True when the result of this key is stored."""
        return self._result(key) is not None

    def manifest(self, key: str) -> dict[str, Any]:
        """How a result was made: use, version, parameters, input keys, seconds, ...

        Raises:
            CurationError: if there is no such result.
        """
        folder = self._result(key)
        found = read_facts(folder / "manifest.json") if folder else {}
        if not found:
            raise CurationError(f"there is no result {key} in {self.root}", "run the recipe again")
        return found

    def load(self, key: str) -> Artifact:
        """The artifact of a key, its numbers memory-mapped and read-only.

        Raises:
            CurationError: if there is no such result.
        """
        kind = KINDS[self.manifest(key)["kind"]]
        return kind.load(self.root / "results" / key)

    def publish(self, key: str, artifact: Artifact, manifest: dict[str, Any]) -> None:
        """Store an artifact under a key; what is already there stays."""
        self._store(self.root / "results" / key, artifact, {**manifest, "key": key})

    def forget(self, key: str) -> None:
        """Remove the result of a key, if it is there."""
        self._infos.pop(key, None)
        if _KEY.fullmatch(key):
            self._remove(self.root / "results" / key)

    def _store(self, target: Path, artifact: Artifact, manifest: dict[str, Any]) -> None:
        with self.scratch() as folder:
            artifact.save(folder)
            manifest = {"kind": artifact.kind, "dataset": artifact.dataset, "created": time.time(), **manifest}
            (folder / "manifest.json").write_text(to_json(manifest, indent=1), encoding="utf-8")
            files.publish(folder, target, "manifest.json")

    def results(self, dataset: str | None = None) -> list[ResultInfo]:
        """Stored results, newest first; of one Dataset's fingerprint, or all."""
        found: dict[str, ResultInfo] = {}
        for folder in folders(self.root / "results"):
            info = self._infos.get(folder.name) or info_of(folder)
            if info:
                found[folder.name] = info
        self._infos = found
        wanted = [r for r in found.values() if dataset in (None, r.dataset)]
        return sorted(wanted, key=lambda r: (-r.created, r.key))

    def keep(self, key: str) -> Path:
        """The folder in which a step keeps what it needs to go on after a kill; there until `discard`."""
        folder = self.root / "keep" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def discard(self, key: str) -> None:
        """Remove that folder: the step's result is stored."""
        if (self.root / "keep" / key).exists():
            self._remove(self.root / "keep" / key)

    # ------------------------------------------------------------------ nested orders

    def order(self, key: str) -> Selection | None:
        """The longest stored order of a nested selector, None when there is none."""
        while True:
            found = [split_order(f.name) for f in folders(self.root / "orders")]
            lengths = [length for name, length in found if name == key]
            if not lengths:
                return None
            try:
                return Selection.load(self.root / "orders" / f"{key}-{max(lengths)}")
            except FileNotFoundError:  # a longer one took its place meanwhile
                if f"{key}-{max(lengths)}" in [f.name for f in folders(self.root / "orders")]:
                    raise

    def publish_order(self, key: str, order: Selection, manifest: dict[str, Any]) -> None:
        """Store a longer order; the shorter ones are its beginning, and go."""
        self._store(self.root / "orders" / f"{key}-{len(order)}", order, manifest)
        for folder in folders(self.root / "orders"):
            name, length = split_order(folder.name)
            if name == key and length < len(order):
                self._remove(folder)

    # ------------------------------------------------------------------ rows

    def row_store(self, key: str) -> RowStore:
        """Row-wise results of one method, by row content."""
        return RowStore(self.root / "rows" / key, self.root / "tmp")

    # ------------------------------------------------------------------ decisions

    def decisions(self, dataset: Dataset) -> DecisionLog:
        """What was kept, dropped and noted by hand, and how to do so."""
        return DecisionLog(self, dataset)

    # ------------------------------------------------------------------ timings

    def record_timing(self, entry: dict[str, Any]) -> None:
        """Remember work and seconds of a finished step."""
        with (self.root / "timings.jsonl").open("a", encoding="utf-8") as file:
            # the first line break ends a line that a kill may have cut off
            file.write(f"\n{to_json(entry)}\n")

    def timings(self) -> list[dict[str, Any]]:
        """Remembered steps, oldest first. Lines that were cut off by a kill or a full disk are left out."""
        path = self.root / "timings.jsonl"
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_TIMINGS))
            text = file.read().decode("utf-8", "replace")
        entries = []
        for line in text.splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                entries.append(json.loads(line))
        return [e for e in entries if isinstance(e, dict)]

    # ------------------------------------------------------------------ disk

    def usage(self) -> dict[str, int]:
        """Bytes per area, replies of chat models among them."""
        sizes = {area: folder_bytes(self.root / area) for area in AREAS if area != "locks"}
        return {**sizes, "replies": sum(p.stat().st_size for p in self.root.glob("replies.sqlite*"))}

    def prune(self, *, dry_run: bool = False) -> Pruned:
        """Remove what nothing refers to.

        Kept: named datasets; results and row-wise results that a job of the list made, used, or would use when it is
        resumed; the longest order of each. Removed: datasets whose name moved on and that no kept job used, everything
        else of the above, and leftovers of killed processes. While a job runs, only those leftovers and shorter orders
        go.

        Args:
            dry_run: Only say what would go.
        """
        with self.lock("names"):
            found = doomed(self.root, statuses_of(self.root), set(self._names().values()), time.time())
            total = sum(folder_bytes(path) for path in found)
            if not dry_run:
                for path in found:
                    self._remove(path)
        return Pruned(total, [str(path.relative_to(self.root)) for path in found])
