"""Row-wise results of one method by row content, in segments that are each published by one rename."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from curation.core.artifacts import KINDS, Artifact, assemble, compact, concat
from curation.core.saving import to_json
from curation.workspace.files import folder_bytes, folders, publish, read_facts, remove, scratch

MERGE_SEGMENTS = 24
"""Small segments are joined when there are more than this many."""
MERGED_BYTES = 256 << 20
"""A segment of this size is not joined again: memory stays below it, and no run rewrites all it has."""


class RowStore:
    """Results of one row-wise method, whatever dataset the rows came in.

    Args:
        folder: Of the segments; need not exist yet.
        tmp: Scratch folder on the same disk.
    """

    def __init__(self, folder: Path, tmp: Path) -> None:
        self.folder, self.tmp = folder, tmp

    def _segments(self) -> list[Path]:
        return folders(self.folder)

    def _ids(self, segments: list[Path]) -> list[np.ndarray]:
        return [np.load(s / "ids.npy", allow_pickle=False) for s in segments]

    def find(self, contents: np.ndarray) -> np.ndarray:
        """Boolean `[m]`: which of these content hashes (S16 `[m]`) are stored."""
        for _ in range(5):
            try:
                ids = self._ids(self._segments())
            except FileNotFoundError:  # another process joined segments meanwhile
                continue
            return np.isin(contents, np.concatenate(ids)) if ids else np.zeros(len(contents), bool)
        raise FileNotFoundError(f"{self.folder} changes all the time")

    def append(self, contents: np.ndarray, part: Artifact) -> None:
        """Store the results of these contents, which must not be stored yet."""
        if len(part) != len(contents):
            raise AssertionError(f"a row-wise method returned {len(part)} results for {len(contents)} rows")
        self.folder.mkdir(exist_ok=True)
        with scratch(self.tmp) as folder:
            part.save(folder)
            np.save(folder / "ids.npy", contents, allow_pickle=False)
            facts = to_json({"kind": part.kind, "rows": len(contents)})
            (folder / "manifest.json").write_text(facts, encoding="utf-8")
            publish(folder, self.folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}", "manifest.json")

    def merge(self) -> None:
        """Join many small segments. Killed in between, a few rows are stored twice, which does no harm."""
        segments = self._segments()
        if len(segments) <= MERGE_SEGMENTS:
            return
        sizes = {s: folder_bytes(s) for s in segments}
        small = [s for s in segments if sizes[s] < MERGED_BYTES]
        if len(small) <= MERGE_SEGMENTS:
            return
        group: list[Path] = []
        for segment in small:
            group.append(segment)
            if sum(sizes[s] for s in group) >= MERGED_BYTES:
                self._join(group)
                group = []
        self._join(group)

    def _join(self, segments: list[Path]) -> None:
        if len(segments) < 2:
            return
        ids, first = np.unique(np.concatenate(self._ids(segments)), return_index=True)
        joined = concat([self._load(s) for s in segments])
        whole = len(first) == len(joined) and bool((np.diff(first) > 0).all())
        self.append(ids, joined if whole else joined.take(first, joined.dataset))
        for segment in segments:
            remove(segment, self.tmp)

    def _load(self, segment: Path) -> Artifact:
        return KINDS[read_facts(segment / "manifest.json")["kind"]].load(segment)

    def gather(self, contents: np.ndarray, dataset: str) -> Artifact:
        """The artifact of these contents `[n]`, all of which must be stored, as rows of `dataset`.

        Read segment by segment: memory is that of the result. Names and reasons that no row has are left out.
        """
        segments = self._segments()
        ids = self._ids(segments)
        starts = np.cumsum([0, *map(len, ids)])
        known = np.concatenate(ids)
        order = np.argsort(known, kind="stable")
        slots = np.minimum(np.searchsorted(known, contents, sorter=order), len(known) - 1)
        place = order[slots]
        if not (known[place] == contents).all():
            raise KeyError("rows were asked for that are not stored")
        segment_of = np.searchsorted(starts, place, side="right") - 1

        def pieces() -> Iterator[tuple[np.ndarray, Artifact]]:
            for i, segment in enumerate(segments):
                rows = np.flatnonzero(segment_of == i)
                if len(rows):
                    yield rows, self._load(segment).take(place[rows] - starts[i], dataset)

        return compact(assemble(len(contents), dataset, pieces()))
