"""The view as pills: each condition can be taken away, every step can be undone, and a link reproduces it."""

from __future__ import annotations

import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui import view_state
from curation.ui.components import error_box
from curation.ui.text import plain
from curation.views import View, WorkspaceSources, describe

ICONS = {
    "region": ":material/lasso_select:",
    "range": ":material/tune:",
    "among": ":material/label:",
    "where": ":material/filter_alt:",
    "words": ":material/search:",
    "like": ":material/join_inner:",
    "rows": ":material/tag:",
    "picked": ":material/checklist:",
    "decided": ":material/back_hand:",
}
PILL_LETTERS = 70


def view_bar(dataset: Dataset, *, key: str = "view", shortcuts: bool = True) -> View:
    """Pills of the view with undo, redo and clear; returns the conditions that can be answered.

    A condition that cannot be answered (its result is gone) is shown as broken with the reason, and is not applied.

    Args:
        dataset: Whose view.
        key: Prefix of keys.
        shortcuts: Give undo and redo their keys; not where decisions on a row have them.
    """
    view = view_state.current(dataset)
    wrong = view_state.problem(dataset)
    if wrong is not None:
        error_box(wrong)
    sources = view_state.sources(dataset)
    back, forth = view_state.labels(dataset)
    usable = []
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"{key}.bar"):
        for place, condition in enumerate(view.conditions):
            broken = _broken(condition, sources)
            if broken is None:
                usable.append(condition)
            _pill(dataset, view, place, sources, broken, key)
        if not view:
            st.caption(":material/filter_alt_off: No filter: all rows are in view", width="content")
        st.button(
            "Undo", icon=":material/undo:", key=f"{key}.undo", disabled=back is None, type="tertiary",
            shortcut="Ctrl+Z" if shortcuts else None, on_click=view_state.undo, args=(dataset,),
            help=f"Take back: {plain(back)}" if back else "Nothing to take back",
        )  # fmt: skip
        st.button(
            "Redo", icon=":material/redo:", key=f"{key}.redo", disabled=forth is None,
            shortcut="Ctrl+Shift+Z" if shortcuts else None, type="tertiary",
            help=f"Do again: {plain(forth)}" if forth else "Nothing to do again",
            on_click=view_state.redo, args=(dataset,),
        )  # fmt: skip
        if view:
            st.button(
                "Clear", icon=":material/close:", key=f"{key}.clear", type="tertiary", help="Look at all rows again",
                on_click=view_state.apply, args=(dataset, View(), "clear the view"),
            )  # fmt: skip
    if not view_state.in_address(dataset):
        st.caption(":material/link_off: This view is too long for the address; a link does not reproduce it.")
    return View(conditions=tuple(usable))


def _broken(condition: object, sources: WorkspaceSources) -> CurationError | None:
    from curation.views import evaluate

    try:
        evaluate(View(conditions=(condition,)), sources)
    except CurationError as error:
        return error
    return None


def _pill(
    dataset: Dataset, view: View, place: int, sources: WorkspaceSources, broken: CurationError | None, key: str
) -> None:
    condition = view.conditions[place]
    try:
        said = describe(condition, sources)
    except CurationError:
        said = condition.kind
    short = said if len(said) <= PILL_LETTERS else said[: PILL_LETTERS - 1] + "…"
    icon = ICONS[condition.kind] if broken is None else ":material/error:"
    why = f"{plain(said)}. Click to take this filter away"
    if broken is not None:
        why = f"Not applied: {plain(broken.message)}. {plain(broken.hint or '')} Click to take it away"
    st.button(
        f"{plain(short)} :material/close:", icon=icon, key=f"{key}.pill.{place}", help=why, width="content",
        on_click=view_state.apply, args=(dataset, view.without(place), f"take away: {said}"),
    )  # fmt: skip
