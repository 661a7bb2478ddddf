"""Selecting by a score that tells rows apart hardly at all: said, and only done with consent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from curation.core.dataset import Dataset
from curation.scorers._health import most_common
from curation.ui import pool
from curation.ui.pool import Stored
from curation.ui.score_facts import dead, facts_of, number_columns
from curation.ui.text import plain


def scores_among(dataset: Dataset, values: Iterable[object]) -> list[Stored]:
    """The stored scores whose keys are among the inputs of a method."""
    keys = {v for v in values if isinstance(v, str)}
    for value in values:
        if isinstance(value, list | tuple):
            keys |= {v for v in value if isinstance(v, str)}
    return [s for s in pool.scores(dataset.fingerprint) if s.key in keys]


def consent(dataset: Dataset, used: Sequence[Stored], *, key: str, column: str | None = None) -> bool:
    """Warn of dead scores and ask; True when there are none, or the user wants them all the same.

    Args:
        dataset: Whose rows.
        used: Scores that a selection reads.
        key: Of the box to tick.
        column: The column of them that is read, None = the score itself.
    """
    found = []
    for stored in used:
        of = column if column in number_columns(stored.score) else None
        if dead(stored, dataset, of):
            found.append((stored, of))
    if not found:
        return True
    lines = [f"“{plain(s.name)}” tells rows apart hardly at all: {_why(s, dataset, of)}." for s, of in found]
    st.warning(
        " ".join(lines) + " What is selected by it is mostly the order of the file.", icon=":material/heart_broken:"
    )
    return st.checkbox("Select by it all the same", key=key)


def _why(stored: Stored, dataset: Dataset, column: str | None) -> str:
    facts = facts_of(stored, dataset, column)
    if not len(facts.ordered):
        return "no row has a value"
    value, share = most_common(facts.ordered)
    many = "all rows have" if share == 1 else f"{min(100 * share, 99.9):.1f} % of the rows have"
    return f"{many} the value {value:.4g}"
