"""What changed between a selection and an older one: rows, labels, scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from curation.comparison.lineage import preset_of
from curation.comparison.measured import Difference, LabelChange, ScoreChange
from curation.comparison.shares import MOST_LABELS, grouped
from curation.comparison.spread import LENGTH, mean_difference
from curation.core.artifacts import Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.workspace import ResultInfo, Workspace


def older_selections(workspace: Workspace, key: str) -> list[ResultInfo]:
    """Stored selections that a selection can be compared with, newest first, itself left out.

    Those of its Dataset come first, then those of Datasets that share files or the name with it.
    """
    dataset = str(workspace.manifest(key)["dataset"])
    infos = [info for info in workspace.results() if info.kind == Selection.kind and info.key != key]
    facts = {d.fingerprint: d for d in workspace.datasets()}
    here = facts.get(dataset)

    def alike(fingerprint: str) -> bool:
        other = facts.get(fingerprint)
        if here is None or other is None:
            return False
        paths = [{str(s.get("path", s.get("source", ""))) for s in d.sources} - {""} for d in (here, other)]
        return bool(paths[0] & paths[1]) or here.name.partition("@")[0] == other.name.partition("@")[0]

    same = [info for info in infos if info.dataset == dataset]
    return same + [info for info in infos if info.dataset != dataset and alike(info.dataset)]


def changed(newer: np.ndarray, older: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows added (in the newer's order), removed (in the older's), kept (in the newer's); int64 each.

    Args:
        newer: Unique rows.
        older: Unique rows.
        n: Rows of the Dataset.
    """
    before, after = np.zeros(n, bool), np.zeros(n, bool)
    before[older], after[newer] = True, True
    return newer[~before[newer]], older[~after[older]], newer[before[newer]]


def rows_by_id(older: Dataset, newer: Dataset) -> np.ndarray:
    """For every row of one Dataset the row of another with the same id, int64, -1 where there is none. O(n log n)."""
    ids, wanted = _ids(newer), _ids(older)
    order = np.argsort(ids, kind="stable")
    place = np.searchsorted(ids[order], wanted)
    rows = order[np.minimum(place, len(order) - 1)]
    return np.where(ids[rows] == wanted, rows, -1).astype(np.int64)


def matching_copies(older: Dataset, picks: np.ndarray, newer: Dataset, preferred: np.ndarray) -> np.ndarray:
    """For every pick of an older Dataset a row of the newer with the same content, int64, -1 where none is left.

    Copies of one content are alike, and their numbers change when files are put in another order: a preferred copy is
    taken first, then the earliest, and none twice. O(n log n).

    Args:
        older: Where the picks are from.
        picks: Unique rows of it.
        newer: Where the rows are wanted.
        preferred: Unique rows of the newer.
    """
    codes = np.unique(np.concatenate([newer.contents, older.contents[picks]]), return_inverse=True)[1]
    here, there = codes[: len(newer)], codes[len(newer) :]
    last = np.ones(len(newer), bool)
    last[preferred] = False
    order = np.lexsort((last, here))  # stable: the earliest row first
    first = np.searchsorted(here[order], np.arange(codes.max(initial=-1) + 1))
    copies = np.bincount(here, minlength=len(first))
    turn = np.empty(len(picks), np.int64)  # each is the how-manieth pick of its content, from 0
    asked = np.argsort(there, kind="stable")
    begins = np.searchsorted(there[asked], there[asked])
    turn[asked] = np.arange(len(picks)) - begins
    found = turn < copies[there]
    return np.where(found, order[np.minimum(first[there] + turn, len(order) - 1)], -1).astype(np.int64)


def _ids(dataset: Dataset) -> np.ndarray:
    """Row ids as S20: the content hash and the copy number in four bytes; of one width, so comparing is exact."""
    joined = np.empty((len(dataset), 20), np.uint8)
    joined[:, :16] = np.frombuffer(dataset.contents.tobytes(), np.uint8).reshape(-1, 16)
    copies = np.asarray(dataset.column("copy").to_numpy(), ">u4")
    joined[:, 16:] = np.frombuffer(copies.tobytes(), np.uint8).reshape(-1, 4)
    return joined.view("S20").ravel()


def difference(
    workspace: Workspace,
    newer: str,
    older: str,
    *,
    labels: Mapping[str, tuple[str, Labels]] | None = None,
    scores: Mapping[str, tuple[str, Score]] | None = None,
) -> Difference:
    """A stored selection against an older one, of the same Dataset or of another version of it (by content).

    Args:
        workspace: Where they are.
        newer: Key.
        older: Key.
        labels: Key → (name for axes, Labels of the newer's Dataset): where added and removed rows lie.
        scores: Key → (name for axes, Score of the newer's Dataset).

    Raises:
        CurationError: if a result is no selection, or the Datasets have no row in common.
    """
    made = {key: _selection(workspace, key) for key in (newer, older)}
    dataset = workspace.dataset(made[newer].dataset)
    after, before = (np.asarray(made[key].order, np.int64) for key in (newer, older))
    matched, gone, was_there = "row", 0, np.ones(len(dataset), bool)
    if made[older].dataset != dataset.fingerprint:
        other = workspace.dataset(made[older].dataset)
        rows = rows_by_id(other, dataset)
        if not (rows >= 0).any():
            raise CurationError(
                f"'{dataset.name}' and '{other.name}' have no row in common", "compare selections of the same rows"
            )
        was_there = np.zeros(len(dataset), bool)
        was_there[rows[rows >= 0]] = True
        before = matching_copies(other, before, dataset, after)
        gone = int((before < 0).sum())
        before, matched = before[before >= 0], "content"
    added, removed, kept = changed(after, before, len(dataset))
    found = Difference(
        newer=called(workspace, newer),
        older=called(workspace, older),
        older_created=float(workspace.manifest(older).get("created", 0.0)),
        matched=matched,
        added=added,
        removed=removed,
        kept=kept,
        gone=gone,
        new_rows=int((~was_there[added]).sum()),
    )
    lengths = dataset.lengths().astype(np.float64)
    changes = [score_change(LENGTH, "length in characters", lengths, found)]
    for key, (name, score) in (scores or {}).items():
        values = np.where(score.missing.mask, np.nan, np.asarray(score.values, np.float64))
        changes.append(score_change(key, name, values, found, score.higher_is_better))
    by_label = tuple(label_change(key, name, each, found) for key, (name, each) in (labels or {}).items())
    return dataclasses.replace(found, labels=by_label, scores=tuple(changes))


def called(workspace: Workspace, key: str) -> str:
    """A name for a stored selection: of its preset, else of its step."""
    manifest = workspace.manifest(key)
    return preset_of(manifest) or str(manifest.get("step") or key[:6])


def label_change(key: str, name: str, labels: Labels, found: Difference, most: int = MOST_LABELS) -> LabelChange:
    """Added, removed and kept rows of each label; labels with the most added and removed rows are named first."""
    moved = np.concatenate([found.added, found.removed])
    codes, names = grouped(labels, moved, most)
    counts = [np.bincount(codes[rows], minlength=len(names)) for rows in (found.added, found.removed, found.kept)]
    return LabelChange(key, name, names, *(np.asarray(c, np.int64) for c in counts))


def score_change(
    key: str, name: str, values: np.ndarray, found: Difference, higher_is_better: bool | None = None
) -> ScoreChange:
    """How added rows differ from removed ones in one number, float64 `[n]`, NaN = missing."""
    finite = values[np.isfinite(values)]
    parts = [values[rows] for rows in (found.added, found.removed, found.kept)]
    added, removed, kept = (part[np.isfinite(part)] for part in parts)
    deviation = float(finite.std()) if len(finite) else float("nan")
    apart = mean_difference(added, float(removed.mean()), deviation) if len(removed) else float("nan")
    return ScoreChange(key, name, higher_is_better, _median(added), _median(removed), _median(kept), apart)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _selection(workspace: Workspace, key: str) -> Selection:
    made = workspace.load(key)
    if not isinstance(made, Selection):
        raise CurationError(f"only selections can be compared, {key[:8]} is {made.kind}", "name a selection")
    return made
