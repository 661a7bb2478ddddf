"""What is known about one row: its place in every score, labels, explanations, other rows, every selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Derived, Labels, Neighbours, Score
from curation.core.dataset import Dataset
from curation.ui import pool, session
from curation.ui.pool import Stored, title_of
from curation.ui.select_why import readable, why_row
from curation.ui.text import one_line

NEAREST = 6
COPIES = 12
SELECTIONS = 40
"""The newest selections that are told about."""
NEAREST_PICK_NUMBERS = 20_000_000
"""Above this many numbers (picks × width) the nearest pick of a selection is not looked up for a sentence."""


@dataclass(frozen=True)
class Place:
    """A row's place in one score.

    Args:
        name: Of the score.
        value: NaN when it is missing.
        rank: 1 = best (highest where neither end is better); equal values share the best rank. 0 = missing.
        of: Rows that have a value.
        percentile: Per cent of these that are worse (lower where neither end is better), half of the equal ones; NaN
            when missing.
        missing: Why there is none.
    """

    name: str
    value: float
    rank: int
    of: int
    percentile: float
    missing: str = ""


@dataclass(frozen=True)
class Verdict:
    """One selection about a row.

    Args:
        name: Of the selection.
        inside: True when the row is in it.
        why: Which pick, or why not.
    """

    name: str
    inside: bool
    why: str


@dataclass(frozen=True)
class Other:
    """Another row to look at.

    Args:
        row: Its number.
        relation: What it is to this one.
        text: Its beginning.
    """

    row: int
    relation: str
    text: str


# ------------------------------------------------------------------ scores


@st.cache_resource(max_entries=48, show_spinner=False)
def _ordered(root: str, key: str) -> np.ndarray:
    values = np.asarray(cast(Score, session.artifact(key)).values, np.float64)
    ordered = np.sort(values[np.isfinite(values)])
    ordered.flags.writeable = False
    return ordered


def place_of(name: str, score: Score, ordered: np.ndarray, row: int) -> Place:
    """A row's place among the sorted finite values of a score: O(log n)."""
    value = float(score.values[row])
    if not np.isfinite(value):
        reason = score.missing.reason(row) or ("infinite" if np.isinf(value) else "no value")
        return Place(name, float("nan"), 0, len(ordered), float("nan"), reason)
    below = int(np.searchsorted(ordered, value, "left"))
    equal = int(np.searchsorted(ordered, value, "right")) - below
    above = len(ordered) - below - equal
    better, worse = (below, above) if score.higher_is_better is False else (above, below)
    return Place(name, value, better + 1, len(ordered), 100 * (worse + equal / 2) / len(ordered))


def places(dataset: Dataset, row: int) -> list[Place]:
    """A row's place in every score. The values of a score are sorted once for all rows."""
    root = str(session.workspace().root)
    return [place_of(s.name, s.score, _ordered(root, s.key), row) for s in pool.scores(dataset.fingerprint)]


def explanations(dataset: Dataset, row: int) -> list[tuple[str, str]]:
    """(where from, text) of every text that came with a score, such as a judge's reason; equal ones once."""
    found = []
    seen = set()
    for stored in pool.scores(dataset.fingerprint):
        for name, column in stored.score.columns.items():
            if column.dtype.kind not in "OU" or column.ndim != 1:
                continue
            text = column[row]
            if text is not None and str(text).strip() and (name, str(text)) not in seen:
                seen.add((name, str(text)))  # a judgement of some rows has the reply of that of all
                found.append((f"{stored.name} · {name.replace('_', ' ')}", str(text)))
    return found


# ------------------------------------------------------------------ where it comes from


@dataclass(frozen=True)
class Parent:
    """The row that a made row was made from.

    Args:
        dataset: Name of its dataset, "" when that is gone.
        row: Its index there.
        text: Its prompt.
        title: Of the method that made the new row.
    """

    dataset: str
    row: int
    text: str
    title: str


def parent_of(dataset: Dataset, row: int) -> Parent | None:
    """Where a row of a Dataset that a generator made comes from; None for rows that were read from a file."""
    origin = dataset.facts.get("made_from")
    if not origin:
        return None
    title = title_of(str(dataset.facts.get("made_by", "")))
    for info in session.results(str(origin), Derived.kind):
        made = session.workspace().load(info.key)
        if isinstance(made, Derived) and made.rows == dataset.fingerprint and session.workspace().holds(made.dataset):
            parent = int(made.parents[row])
            if parent < 0:
                return None
            pool_of = session.workspace().dataset(made.dataset)
            return Parent(pool_of.name, parent, pool_of.column("prompt")[parent].as_py(), title)
    return Parent("", -1, "", title)


# ------------------------------------------------------------------ labels


def labels_of(dataset: Dataset, row: int) -> list[tuple[str, str]]:
    """(labels, what they say of a row); groups of copies are left out, they are shown as rows."""
    found = []
    for stored in pool.labels(dataset.fingerprint):
        if not pool.is_duplicates(stored):
            labels = stored.labels
            said = labels.value(row) or labels.missing.reason(row) or pool.NO_CLUSTER
            found.append((stored.name, said))
    return found


# ------------------------------------------------------------------ other rows


def copies(duplicates: list[Stored], row: int) -> list[tuple[int, str]]:
    """The other rows of this row's groups of copies, the first of each."""
    found: dict[int, str] = {}
    for stored in duplicates:
        codes = np.asarray(cast(Labels, stored.artifact).codes)
        if codes[row] >= 0:
            same = np.flatnonzero(codes == codes[row])
            for other in same[same != row][:COPIES].tolist():
                found.setdefault(other, stored.name)
    return list(found.items())[:COPIES]


def nearest(neighbours: Neighbours | None, row: int) -> list[tuple[int, str]]:
    """The nearest rows in the k-NN graph."""
    if neighbours is None:
        return []
    pairs = zip(neighbours.indices[row][:NEAREST].tolist(), neighbours.distances[row][:NEAREST].tolist(), strict=True)
    return [(i, f"distance {d:.3f}") for i, d in pairs if i >= 0]


def others(dataset: Dataset, row: int) -> tuple[list[Other], list[Other]]:
    """Copies of a row and its nearest rows, each with its beginning."""
    features = pool.newest_features(dataset.fingerprint)
    graph = pool.newest_neighbours(dataset.fingerprint, features.key if features else None)
    first, second = copies(pool.duplicates(dataset.fingerprint), row), nearest(graph, row)
    second = [pair for pair in second if pair[0] not in dict(first)]
    rows = np.array([other for other, _ in (*first, *second)], np.int64)
    texts = iter(dataset.take(rows).column("prompt").to_pylist() if len(rows) else [])
    made = [Other(other, relation, one_line(next(texts), 90)) for other, relation in (*first, *second)]
    return made[: len(first)], made[len(first) :]


# ------------------------------------------------------------------ selections


def verdicts(dataset: Dataset, row: int) -> tuple[list[Verdict], int]:
    """What every selection says of a row, the newest first, and how many older ones are not asked."""
    found = pool.selections(dataset.fingerprint)
    return [_verdict(s, dataset, row) for s in found[:SELECTIONS]], max(0, len(found) - SELECTIONS)


def _verdict(stored: Stored, dataset: Dataset, row: int) -> Verdict:
    selection = stored.selection
    sentence = why_row(stored, selection, dataset, row).sentence if _cheap(stored, dataset) else selection.why(row)
    inside, _, why = sentence.partition(": ")
    return Verdict(stored.name, inside == "in", readable(why))


def _cheap(stored: Stored, dataset: Dataset) -> bool:
    found = pool.features_of(stored, dataset.fingerprint)
    width = 0 if found is None else found[1].values.shape[1]
    return len(stored.selection) * width <= NEAREST_PICK_NUMBERS
