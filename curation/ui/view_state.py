"""The one view of a dataset that all pages share: what is looked at, kept in the address, undoable.

The session holds the view and its history; the address holds the same view, so that a link reproduces it. A link that
is opened, or an address that is edited by hand, is taken over as one more step that can be undone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui import session
from curation.views import Condition, History, View, WorkspaceSources, evaluate

PARAMETER = "view"
LONGEST = 8_000
"""Letters of a view in the address; a longer one is kept in the session only, and the page says so."""


def _place(dataset: Dataset) -> str:
    return f"view.{dataset.fingerprint}"


def _history(dataset: Dataset) -> History:
    place = _place(dataset)
    if place not in st.session_state:
        st.session_state[place] = History()
    found: History = st.session_state[place]
    return found


def current(dataset: Dataset) -> View:
    """The view of a dataset; one that stands in the address and is new to the session is taken over."""
    history = _history(dataset)
    asked = st.query_params.get(PARAMETER)
    written = f"{_place(dataset)}.written"
    if asked and asked != st.session_state.get(written):
        st.session_state[written] = asked
        try:
            history.push(View.decode(asked), "open a link")
        except CurationError as error:
            st.session_state[f"{_place(dataset)}.problem"] = error
    _write(dataset, history.now)
    return history.now


def problem(dataset: Dataset) -> CurationError | None:
    """What was wrong with the view in the address, once."""
    found: CurationError | None = st.session_state.pop(f"{_place(dataset)}.problem", None)
    return found


def _write(dataset: Dataset, view: View) -> None:
    code = view.encode() if view.conditions else ""
    kept = f"{_place(dataset)}.written"
    if not code or len(code) > LONGEST:
        st.query_params.pop(PARAMETER, None)
        st.session_state.pop(kept, None)
    elif st.query_params.get(PARAMETER) != code:
        st.query_params[PARAMETER] = code
        st.session_state[kept] = code


def in_address(dataset: Dataset) -> bool:
    """Whether the view fits into the address."""
    view = _history(dataset).now
    return not view.conditions or len(view.encode()) <= LONGEST


def apply(dataset: Dataset, view: View, label: str) -> None:
    """Look at another view; `label` says what was done, for undo.

    Args:
        dataset: Whose view.
        view: The new one.
        label: As in "draw a lasso".
    """
    history = _history(dataset)
    if view != history.now:
        history.push(view, label)
    _write(dataset, history.now)


def add(dataset: Dataset, condition: Condition, label: str) -> None:
    """Look at fewer rows: those for which this holds as well."""
    apply(dataset, _history(dataset).now.add(condition), label)


def undo(dataset: Dataset) -> None:
    """One step back."""
    history = _history(dataset)
    history.undo()
    _write(dataset, history.now)


def redo(dataset: Dataset) -> None:
    """One step forward again."""
    history = _history(dataset)
    history.redo()
    _write(dataset, history.now)


def labels(dataset: Dataset) -> tuple[str | None, str | None]:
    """What undo and redo would take back or do again; None where there is nothing."""
    history = _history(dataset)
    return history.undo_label, history.redo_label


def sources(dataset: Dataset) -> WorkspaceSources:
    """Where conditions find scores, labels, maps and vectors; texts are encoded in a process of their own."""
    workspace = session.workspace()

    def embed(text: str, features: str) -> np.ndarray:
        from curation.query_encoder import embed as encoded

        return encoded(workspace, features, text)

    return WorkspaceSources(workspace, dataset, embed=embed)


def mask_of(dataset: Dataset, view: View, *, without: Callable[[Condition], bool] = lambda c: False) -> np.ndarray:
    """The rows of a view, bool `[n]`.

    Args:
        dataset: Whose rows.
        view: What must hold.
        without: Conditions to leave out.

    Raises:
        CurationError: naming a condition that cannot be answered.
    """
    kept = View(conditions=tuple(c for c in view.conditions if not without(c)))
    return evaluate(kept, sources(dataset))
