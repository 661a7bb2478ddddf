"""The one view of a dataset that all pages share: what is looked at, kept in the address, undoable.

The session holds the view and its history; the address holds the same view, so that a link reproduces it. A link that
is opened, or an address that is edited by hand, is taken over as one more step that can be undone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui import session
from curation.views import Condition, History, View, WorkspaceSources, evaluate

PARAMETER = "view"
WRITTEN = "view.written"
ON_THE_WAY_S = 2.0
"""A click may be made before the browser has the address that the last one led to."""
LONGEST = 8_000
"""Letters of a view in the address; a longer one is kept in the session only, and the page says so."""


@dataclass(frozen=True)
class _Written:
    """What this session wrote into the address last: for which dataset, on which page, instead of what, and when."""

    dataset: str
    page: str | None
    code: str
    before: str
    at: float


def _place(dataset: Dataset) -> str:
    return f"view.{dataset.fingerprint}"


def _history(dataset: Dataset) -> History:
    place = _place(dataset)
    if place not in st.session_state:
        st.session_state[place] = History()
    found: History = st.session_state[place]
    return found


def current(dataset: Dataset) -> View:
    """The view of a dataset, taken over from the address where the user went to another one.

    That is a link that was opened, an address edited by hand, or the browser's way back; not a view that this session
    wrote for another dataset, nor one that it has replaced a moment ago and the browser did not know yet.
    """
    history = _history(dataset)
    asked = str(st.query_params.get(PARAMETER) or "")
    if _is_new(dataset, asked):
        try:
            history.push(View.decode(asked), "open a link" if asked else "go back in the browser")
        except CurationError as error:
            _tell(dataset, error)
    _write(dataset, history.now)
    return history.now


def _is_new(dataset: Dataset, asked: str) -> bool:
    last: _Written | None = st.session_state.get(WRITTEN)
    if last is None:
        return bool(asked)
    moved = last.dataset != dataset.fingerprint or last.page != st.context.url
    if asked == last.code or (moved and not asked):  # a page that is opened from the menu has a bare address
        return False
    return not (asked == last.before and time.monotonic() - last.at < ON_THE_WAY_S)


def problem(dataset: Dataset) -> CurationError | None:
    """What was wrong with the view in the address or with a change of it, once."""
    found: CurationError | None = st.session_state.pop(f"{_place(dataset)}.problem", None)
    return found


def _tell(dataset: Dataset, error: CurationError) -> None:
    st.session_state[f"{_place(dataset)}.problem"] = error


def _write(dataset: Dataset, view: View) -> None:
    code = view.encode() if view.conditions else ""
    if len(code) > LONGEST:
        code = ""
    last: _Written | None = st.session_state.get(WRITTEN)
    if last is None or (last.dataset, last.page, last.code) != (dataset.fingerprint, st.context.url, code):
        before = str(st.query_params.get(PARAMETER) or "")
        st.session_state[WRITTEN] = _Written(dataset.fingerprint, st.context.url, code, before, time.monotonic())
    if not code:
        st.query_params.pop(PARAMETER, None)
    elif st.query_params.get(PARAMETER) != code:
        st.query_params[PARAMETER] = code


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


def change(dataset: Dataset, make: Callable[[View], View], label: str) -> None:
    """Look at what `make` makes of the view; where it cannot be made, the page says why and the view stays.

    Args:
        dataset: Whose view.
        make: From the view of now to another one.
        label: As in "draw a lasso".
    """
    try:
        made = make(_history(dataset).now)
    except CurationError as error:
        _tell(dataset, error)
    else:
        apply(dataset, made, label)


def add(dataset: Dataset, condition: Condition, label: str) -> None:
    """Look at fewer rows: those for which this holds as well."""
    change(dataset, lambda view: view.add(condition), label)


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


def digest(mask: np.ndarray) -> str:
    """A short name for a set of rows, the same for the same set."""
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=10).hexdigest()
