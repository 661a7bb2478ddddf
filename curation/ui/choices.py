"""Choices that several pages offer: what to colour by, and which selection is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.core.given import RESPONSE_LENGTH, response_length
from curation.ui import pool
from curation.ui.pool import Stored

CHOSEN = "pool.selection"
"""Where the session keeps the key of the selection that is looked at."""
SOURCE = "source"
PLAIN = "nothing"


@dataclass(frozen=True)
class Colour:
    """What points are coloured by.

    Args:
        name: Shown, and stands for it in keys.
        load: Opens it; None for one colour.
        key: Of the stored result, or what stands for it; changes with the content.
    """

    name: str
    load: Callable[[], Score | Labels | None]
    key: str


def colours(dataset: Dataset) -> list[Colour]:
    """Everything that rows can be coloured by: labels, scores, source; response length is always there."""
    made = pool.labels(dataset.fingerprint)
    found = [Colour(s.name, lambda s=s: s.labels, s.key) for s in made if not pool.is_duplicates(s)]  # type: ignore[misc]
    if len(dataset.facts.get("sources", [])) > 1:
        found.append(Colour(SOURCE, lambda: pool.source_labels(dataset), f"{dataset.fingerprint}.source"))
    found += [Colour(s.name, lambda s=s: s.score, s.key) for s in pool.scores(dataset.fingerprint)]  # type: ignore[misc]
    found += [
        Colour(s.name, lambda s=s: pool.copies(s), f"{s.key}.copies")  # type: ignore[misc]
        for s in made
        if pool.is_duplicates(s)
    ]
    length = Colour(RESPONSE_LENGTH, lambda: response_length(dataset), f"{dataset.fingerprint}.length")
    return [*found, length, Colour(PLAIN, lambda: None, "")]


def colour_choice(dataset: Dataset, *, key: str) -> Colour:
    """A select box over `colours`."""
    found = {c.name: c for c in colours(dataset)}
    own = f"{key}.own"
    if not st.session_state.get(own):  # until the user chooses, the best there is: clusters, once they are made
        st.session_state[key] = next(iter(found))
    name = st.selectbox(
        "Colour by", list(found), key=key, persist_state="session", help="Any label, score or the source of the rows",
        on_change=lambda: st.session_state.update({own: True}),
    )  # fmt: skip
    return found[name]


def selection_choice(
    dataset: Dataset,
    *,
    key: str,
    label: str = "Selection",
    none: str | None = None,
    newest: bool = True,
    help: str | None = None,
) -> Stored | None:
    """A select box over the dataset's selections, newest first; all pages look at the same one.

    Args:
        dataset: Whose selections.
        key: Of the widget.
        label: Of the widget.
        none: Name of the choice of no selection; None = one must be chosen.
        newest: Begin with the newest selection rather than with none.
        help: Shown at the question mark.
    """
    found = {s.key: s for s in pool.selections(dataset.fingerprint)}
    options: list[str] = [*([""] if none is not None else []), *found]
    if not options:
        return None
    wanted = st.session_state.get(CHOSEN)
    if st.session_state.get(key) not in options or (wanted in options and st.session_state.get(f"{key}.of") != wanted):
        st.session_state[key] = wanted if wanted in options else next(iter(found), "") if newest else options[0]
    chosen = st.selectbox(
        label, options, key=key, format_func=lambda k: found[k].name if k else str(none), help=help,
        on_change=lambda: look_at(st.session_state[key]),
    )  # fmt: skip
    st.session_state[f"{key}.of"] = st.session_state.get(CHOSEN)
    return found.get(chosen)


def look_at(key: str) -> None:
    """Make a selection the one that all pages look at."""
    st.session_state[CHOSEN] = key
