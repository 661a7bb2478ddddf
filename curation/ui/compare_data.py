"""The measures of a comparison for the page, each computed once for the same selections and kept by their keys."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import streamlit as st

from curation.comparison import Comparison, CoverageCurves, Difference, Overlap, Patterns, Shares, Spread, Weakness
from curation.comparison.arms import load_comparison
from curation.comparison.curves import coverage_curves
from curation.comparison.difference import difference
from curation.comparison.membership import only, overlap, patterns, taken_by_all, votes
from curation.comparison.report import Example, Report, examples_of
from curation.comparison.shares import shares
from curation.comparison.spread import LENGTH, length_spread, score_spread
from curation.comparison.weakness import weaknesses
from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.ui import pool, session
from curation.workspace import Workspace

SOURCE = "source"
KEPT = 24
"""Measures kept for each kind; a few kilobytes each, but for the picks."""


@dataclass(frozen=True)
class Compared:
    """What is compared, as names of results that never change.

    Args:
        root: Of the workspace.
        keys: Of the selections.
        budget: Rows of each, None = each at its own size.
    """

    root: str
    keys: tuple[str, ...]
    budget: int | None

    @property
    def ident(self) -> tuple[str, tuple[str, ...], int | None]:
        """What the measures are kept by."""
        return self.root, self.keys, self.budget

    @property
    def slug(self) -> str:
        """Short, for keys of widgets."""
        return hashlib.blake2b(repr(self.ident).encode(), digest_size=6).hexdigest()


Ident = tuple[str, tuple[str, ...], int | None]


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _comparison(ident: Ident) -> Comparison:
    return load_comparison(Workspace.open(ident[0]), list(ident[1]), budget=ident[2])


def comparison(what: Compared) -> Comparison:
    """The arms with random beside them."""
    return _comparison(what.ident)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _overlap(ident: Ident) -> Overlap:
    return overlap(_comparison(ident))


def overlap_of(what: Compared) -> Overlap:
    """Rows in common."""
    return _overlap(what.ident)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _patterns(ident: Ident) -> Patterns:
    return patterns(_comparison(ident))


def patterns_of(what: Compared) -> Patterns:
    """Rows by exactly which arms take them."""
    return _patterns(what.ident)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _votes(ident: Ident) -> np.ndarray:
    return votes(_comparison(ident))


def votes_of(what: Compared) -> np.ndarray:
    """How many arms take each row, int16 `[n]`."""
    return _votes(what.ident)


@st.cache_resource(max_entries=8 * KEPT, show_spinner=False)
def _digest(ident: Ident, name: str) -> str:
    order = _comparison(ident).arm(name).order
    return hashlib.blake2b(np.ascontiguousarray(np.sort(order)).tobytes(), digest_size=10).hexdigest()


def digest_of(what: Compared, name: str) -> str:
    """Names the set of rows of an arm."""
    return _digest(what.ident, name)


# ------------------------------------------------------------------ scores and labels


def numbers(dataset: Dataset) -> dict[str, str]:
    """Key → name of all that can be compared as a number; the length is always there."""
    return {LENGTH: "length (characters)", **{s.key: s.name for s in pool.scores(dataset.fingerprint)}}


@st.cache_resource(max_entries=4 * KEPT, show_spinner=False)
def _spread(ident: Ident, key: str, name: str, _dataset: Dataset) -> Spread:
    if key == LENGTH:
        return length_spread(_dataset, _comparison(ident))
    return score_spread(key, cast(Score, session.artifact(key)), _comparison(ident), name=name)


def spread_of(what: Compared, dataset: Dataset, key: str) -> Spread:
    """One number over all arms."""
    return _spread(what.ident, key, numbers(dataset)[key], dataset)


def groups(dataset: Dataset) -> dict[str, str]:
    """Key → name of all labels that rows can be grouped by."""
    found = {s.key: s.name for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)}
    if len(dataset.facts.get("sources", [])) > 1:
        found[SOURCE] = "source"
    return found


def labels_of(dataset: Dataset, key: str) -> Labels:
    """Labels by their key; `SOURCE` for the files."""
    found = pool.source_labels(dataset) if key == SOURCE else cast(Labels, session.artifact(key))
    if found is None:
        raise KeyError(key)
    return found


@st.cache_resource(max_entries=4 * KEPT, show_spinner=False)
def _shares(ident: Ident, key: str, name: str, _dataset: Dataset) -> Shares:
    return shares(key, name, labels_of(_dataset, key), _comparison(ident))


def shares_of(what: Compared, dataset: Dataset, key: str) -> Shares:
    """Shares of labels in every arm."""
    return _shares(what.ident, key, groups(dataset)[key], dataset)


# ------------------------------------------------------------------ what more results may change


def coverage_of(what: Compared) -> CoverageCurves:
    """Stored coverage; read anew every time, since a job may have measured more."""
    return coverage_curves(session.workspace(), comparison(what))


@st.cache_resource(max_entries=KEPT, show_spinner="Measuring the weaknesses of these methods on your rows …")
def _weaknesses(ident: Ident, stamp: str) -> tuple[Weakness, ...]:
    return weaknesses(Workspace.open(ident[0]), _comparison(ident))


def weaknesses_of(what: Compared) -> tuple[Weakness, ...]:
    """Known weaknesses, measured; again when more results are stored. A few seconds for an arm that reads a score."""
    return _weaknesses(what.ident, stamp(comparison(what).dataset))


def stamp(fingerprint: str) -> str:
    """Changes when results of a dataset are stored or removed."""
    infos = session.results(fingerprint)
    return f"{len(infos)}.{max((i.created for i in infos), default=0.0)}"


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _difference(root: str, newer: str, older: str, stamp: str, _dataset: Dataset) -> Difference:
    labels = {key: (name, labels_of(_dataset, key)) for key, name in groups(_dataset).items()}
    scores = {s.key: (s.name, s.score) for s in pool.scores(_dataset.fingerprint)}
    return difference(Workspace.open(root), newer, older, labels=labels, scores=scores)


def difference_of(dataset: Dataset, newer: str, older: str) -> Difference:
    """A stored selection against an older one."""
    return _difference(str(session.workspace().root), newer, older, stamp(dataset.fingerprint), dataset)


# ------------------------------------------------------------------ the report


@dataclass(frozen=True)
class Wanted:
    """What goes into a report.

    Args:
        numbers: Keys of numbers.
        groups: Keys of labels.
        rows: Also rows to read.
        weaknesses: Also the weaknesses, which may take seconds.
        older: Newer and older selection of the difference, None for none.
    """

    numbers: tuple[str, ...]
    groups: tuple[str, ...]
    rows: bool = True
    weaknesses: bool = True
    older: tuple[str, str] | None = None


def report_of(what: Compared, dataset: Dataset, wanted: Wanted) -> Report:
    """Everything that a report holds."""
    found = comparison(what)
    layout = pool.best_layout(dataset.fingerprint)
    workspace = session.workspace()
    recipes = {arm.name: str(workspace.manifest(arm.key).get("recipe", "")) for arm in found.arms}
    return Report(
        comparison=found,
        overlap=overlap_of(what),
        patterns=patterns_of(what),
        coverage=coverage_of(what),
        spreads=tuple(spread_of(what, dataset, key) for key in wanted.numbers),
        shares=tuple(shares_of(what, dataset, key) for key in wanted.groups),
        weaknesses=weaknesses_of(what) if wanted.weaknesses else (),
        difference=None if wanted.older is None else difference_of(dataset, *wanted.older),
        recipes=recipes,
        examples=_examples(found, dataset) if wanted.rows else {},
        xy=None if layout is None else np.asarray(pool.layout_of(layout).xy),
        command=command_of(what),
        created=time.strftime("%Y-%m-%d %H:%M %Z"),
    )


def _examples(found: Comparison, dataset: Dataset) -> Mapping[str, list[Example]]:
    several = len(found.arms) > 1
    shown = {f"Only {arm.name} takes": examples_of(dataset, only(found, arm.name)) for arm in found.arms if several}
    return {**({"All take": examples_of(dataset, taken_by_all(found))} if several else {}), **shown}


def command_of(what: Compared) -> str:
    """The command that makes the same comparison."""
    budget = "" if what.budget is None else f" --budget {what.budget}"
    return f"curate compare {' '.join(what.keys)}{budget}"
