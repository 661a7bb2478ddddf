"""Keep, drop and note by hand: counts, actions on many rows, undo. Every click is one event of the decision log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui.components import error_box, errors_shown
from curation.ui.text import number, plain
from curation.workspace import DecisionLog, Decisions, Workspace

Word = Literal["keep", "drop", "clear"]
DONE: dict[Word, str] = {"keep": "Kept", "drop": "Dropped", "clear": "Undecided again:"}
ICONS: dict[Word, str] = {
    "keep": ":material/thumb_up:",
    "drop": ":material/delete:",
    "clear": ":material/radio_button_unchecked:",
}
WHICH = {"keep": "Kept", "drop": "Dropped", "noted": "Noted", "none": "Undecided"}
"""What rows can be shown by their decision, and what people call it."""


def decisions_of(workspace: Workspace, dataset: Dataset) -> Decisions | None:
    """What was decided; None after showing why the log cannot be read."""
    with errors_shown():
        return workspace.decisions(dataset).state()
    return None


def decided_rows(decisions: Decisions, which: str) -> np.ndarray:
    """Rows by what was decided on them ("keep", "drop", "noted", "none"), int64, sorted."""
    if which == "noted":
        return decisions.noted
    return {"keep": decisions.kept, "drop": decisions.dropped}.get(which, np.flatnonzero(decisions.marks == 0))


# ------------------------------------------------------------------ acting


def act(key: str, what: Callable[[], Decisions], *, said: str = "", also: Sequence[str] = ()) -> None:
    """Carry something out in the callback of a widget, and remember what to say about it under `key`.

    Args:
        key: Of the part of the page that shows it, see `outcome`.
        what: To do.
        said: What was done, for people; shown with an undo as long as it is the last decision.
        also: Keys of fragments to draw anew.
    """
    st.session_state.pop(f"{key}.error", None)
    st.session_state.pop(f"{key}.said", None)
    try:
        state = what()
    except CurationError as error:
        st.session_state[f"{key}.error"] = (error.message, error.hint)
        return
    if said:
        st.session_state[f"{key}.said"] = (state.undo_id, said)
    if also:
        st.rerun(list(also))


def outcome(key: str, log: DecisionLog, state: Decisions, *, also: Sequence[str] = ()) -> None:
    """What the last action came to: an error, or a sentence with an undo."""
    problem = st.session_state.get(f"{key}.error")
    if problem:
        error_box(CurationError(*problem))
    event, said = st.session_state.get(f"{key}.said", ("", ""))
    if said and event == state.undo_id:
        with st.container(horizontal=True, vertical_alignment="center", key=f"{key}.outcome"):
            st.markdown(f":green[:material/check:] {plain(said)}", width="content")
            st.button(
                "Undo", icon=":material/undo:", type="tertiary", key=f"{key}.outcome.undo",
                on_click=act, args=(key, lambda: log.undo(expected=event)), kwargs={"also": also},
            )  # fmt: skip


def undo_buttons(
    key: str,
    log: DecisionLog,
    state: Decisions,
    *,
    also: Sequence[str] = (),
    opening: Callable[[int], None] = lambda row: None,
) -> None:
    """Undo and redo with their shortcuts; one pair on a page.

    Args:
        key: As for `act`.
        log: Of the decisions.
        state: What it comes to.
        also: Keys of fragments to draw anew.
        opening: Called with the row that the decision is about, where it is about one row.
    """

    def carry_out(word: str, event: str, row: int) -> None:
        def what() -> Decisions:
            after = log.undo(expected=event) if word == "undo" else log.redo(expected=event)
            if row >= 0:
                opening(row)
            return after

        act(key, what, also=also)

    for word, label, event, row, shortcut in (
        ("undo", state.undo_label, state.undo_id, state.undo_row, "Ctrl+Z"),
        ("redo", state.redo_label, state.redo_id, state.redo_row, "Ctrl+Shift+Z"),
    ):
        st.button(
            word.capitalize(), icon=f":material/{word}:", key=f"{key}.{word}", shortcut=shortcut, type="tertiary",
            disabled=not label, help=plain(f"{word.capitalize()}: {label}" if label else f"There is nothing to {word}"),
            on_click=carry_out, args=(word, event, row),
        )  # fmt: skip


# ------------------------------------------------------------------ many rows


def decision_pills(workspace: Workspace, dataset: Dataset, *, key: str) -> str:
    """How many rows are kept, dropped and noted.

    Returns:
        The key of this fragment, for `also` of what decides.
    """
    name = f"{key}.counts"

    @st.fragment(key=name)
    def counts() -> None:
        state = decisions_of(workspace, dataset)
        if state is None:
            return
        with st.container(horizontal=True, gap="small", key=f"{key}.pills"):
            st.badge(f"{number(len(state.kept))} kept", icon=":material/thumb_up:", color="green")
            st.badge(f"{number(len(state.dropped))} dropped", icon=":material/delete:", color="orange")
            st.badge(f"{number(len(state.notes))} noted", icon=":material/sticky_note_2:", color="gray")

    counts()
    return name


def decide_bar(workspace: Workspace, dataset: Dataset, rows: np.ndarray, *, key: str, also: Sequence[str] = ()) -> None:
    """Decide on many rows at once. Nothing asks back: it is one event, and the undo stands beside it.

    Args:
        workspace: Where decisions are kept.
        dataset: Whose rows.
        rows: int64, those in view, marked or found.
        key: Prefix of keys.
        also: Keys of fragments to draw anew.
    """
    rows = np.asarray(rows, np.int64)
    name = f"{key}.bar"

    @st.fragment(key=name)
    def bar() -> None:
        state = decisions_of(workspace, dataset)
        if state is None:
            return
        log, drawn = workspace.decisions(dataset), [name, *also] if also else []
        count, marks = len(rows), state.marks[rows]
        these = "this row" if count == 1 else number(count)
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"{key}.buttons"):
            choices: tuple[tuple[Word, str, bool, str], ...] = (
                ("keep", f"Keep {these}", bool((marks == 1).all()), "Shift+K"),
                ("drop", f"Drop {these}", bool((marks == 2).all()), "Shift+D"),
                ("clear", "Undecided", not marks.any(), "Shift+U"),
            )
            for word, label, idle, shortcut in choices:
                st.button(
                    label, icon=ICONS[word], key=f"{key}.{word}", shortcut=shortcut, disabled=idle or not count,
                    help=f"Of {number(count)} rows; decided by hand, whatever a method says; can be undone",
                    on_click=decide_many, args=(key, log, rows, word), kwargs={"also": drawn},
                )  # fmt: skip
        outcome(key, log, state, also=drawn)

    bar()


def decide_many(key: str, log: DecisionLog, rows: np.ndarray, word: Word, *, also: Sequence[str] = ()) -> None:
    """Decide on rows in the callback of a button, and say what that changed."""
    try:
        marks = log.state().marks[rows]
    except CurationError:
        marks = np.zeros(len(rows), np.int8)  # the log is damaged; `act` finds out and says so
    against = int((marks == {"keep": 2, "drop": 1}.get(word, 0)).sum()) if word != "clear" else 0
    before = {"keep": "dropped", "drop": "kept"}.get(word, "")
    rows_text = "1 row" if len(rows) == 1 else f"{number(len(rows))} rows"
    said = f"{DONE[word]} {rows_text}." + (f" {number(against)} of them had been {before} by hand." if against else "")
    act(key, lambda: {"keep": log.keep, "drop": log.drop, "clear": log.clear}[word](rows), said=said, also=also)
