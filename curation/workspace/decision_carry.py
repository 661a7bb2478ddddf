"""Decisions made on one version of a dataset, carried to another one by row id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.core.dataset import Dataset
from curation.workspace.decisions import DecisionLog


@dataclass(frozen=True)
class Carried:
    """What `carry` did.

    Args:
        kept: Rows of the new dataset that are kept now.
        dropped: Rows that are dropped now.
        noted: Rows that have the note now.
        absent: Decided or noted rows that the new dataset does not have.
        stayed: Rows that were decided or noted there already, and stay as they are.
    """

    kept: int
    dropped: int
    noted: int
    absent: int
    stayed: int


def carry(old: DecisionLog, new: DecisionLog) -> Carried:
    """Make the decisions on one dataset also on another that has some of the same rows, by row id.

    What was decided there already stays. Cost: O(n) and one event for keep, drop and each note.
    """
    here, there = old.state(), new.state()
    named = np.unique(np.concatenate([here.kept, here.dropped, here.noted]))
    place = _places(old.dataset, named, new.dataset)
    absent = sum(row not in place for row in named.tolist())
    counts, stayed = {}, set()
    for action, rows in (("keep", here.kept), ("drop", here.dropped)):
        found = np.array([place[row] for row in rows.tolist() if row in place], np.int64)
        free = found[there.marks[found] == 0]
        stayed |= set(found[there.marks[found] != 0].tolist())
        counts[action] = len(free)
        if len(free):
            new.keep(free) if action == "keep" else new.drop(free)
    noted = 0
    for row, text in here.notes.items():
        if row in place and place[row] in there.notes:
            stayed.add(place[row])
        elif row in place:
            new.note(place[row], text)
            noted += 1
    return Carried(counts["keep"], counts["drop"], noted, absent, len(stayed))


def _places(old: Dataset, rows: np.ndarray, new: Dataset) -> dict[int, int]:
    """Row of the old dataset → row of the new one with the same id, where there is one."""
    part = old.take(rows)
    wanted = part.contents
    near = np.flatnonzero(np.isin(new.contents, wanted))
    found = new.take(near)
    ids = zip(found.contents.tolist(), found.column("copy").to_pylist(), strict=True)
    by_id = {key: int(row) for key, row in zip(ids, near, strict=True)}
    keys = zip(wanted.tolist(), part.column("copy").to_pylist(), strict=True)
    return {int(row): by_id[key] for row, key in zip(rows, keys, strict=True) if key in by_id}
