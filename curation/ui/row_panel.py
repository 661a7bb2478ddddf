"""One row in full: the conversation, what every score and selection says of it, what is near, and what you decide."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.ui import row_facts
from curation.ui.conversation import Find, Mark, conversation
from curation.ui.deciding import ICONS, Word, act, decisions_of, outcome, undo_buttons
from curation.ui.focus import focus
from curation.ui.place_bars import place_bars
from curation.ui.row_facts import Other, Place, Verdict
from curation.ui.text import plain, visible
from curation.workspace import DecisionLog, Decisions, Workspace
from curation.workspace.decision_events import MOST_NOTE

LETTERS_SHOWN = 20_000
SELECTIONS_SHOWN = 8


def row_panel(
    workspace: Workspace,
    dataset: Dataset,
    row: int,
    *,
    key: str,
    words: Sequence[str] = (),
    marks: Sequence[Mark] = (),
    find: Find | None = None,
    rows: np.ndarray | Sequence[int] | None = None,
    also: Sequence[str] = (),
    on_open: Callable[[int], None] | None = None,
    whole_page: bool = False,
    wide: bool = False,
) -> int:
    """Show one row and let the user decide on it, step through the rows in view, or go to a neighbour.

    Only this part of the page runs again on its own clicks, unless `whole_page`. One panel to a page: its shortcuts
    are the page's.

    Args:
        workspace: Where decisions are kept.
        dataset: Whose rows.
        row: The row that the page opened; another one than before is opened here too.
        key: Prefix of keys.
        words: To mark in the text.
        marks: Further places to mark in this row: (message, first character, after the last).
        find: Says of a text where to mark it, such as `partial(spans_in, query=…)` of a search.
        rows: Those in view, in their order, to step through.
        also: Keys of fragments to draw anew after a decision (see `decision_pills`).
        on_open: Called in the click with the row that the user goes to.
        whole_page: Let the whole page run again on every click.
        wide: Put the facts beside the conversation instead of under it.

    Returns:
        The row that is open, perhaps another one than `row` by now.
    """
    place = _Place(key, dataset, row, None if rows is None else np.asarray(rows, np.int64), on_open)
    name = f"{key}.panel"
    drawn = [name, *also] if also and not whole_page else []

    def body() -> None:
        state = decisions_of(workspace, dataset)
        if state is None:
            return
        log, here = workspace.decisions(dataset), place.row
        with st.container(border=True, key=f"{key}.box"):
            _head(dataset, here, state, place)
            _actions(key, log, state, here, place, drawn)
            outcome(key, log, state, also=drawn)
            _note(key, log, state, here, drawn)
            left, right = st.columns([3, 2], gap="medium") if wide else (st.container(), st.container())
            with left:
                _text(dataset, here, key, words, marks if here == row else (), find)
                _record(dataset, here)
            with right:
                _facts(dataset, here, place)

    if whole_page:
        body()
    else:
        st.fragment(key=name)(body)()
    return place.row


class _Place:
    """Which row is open, and the way to others; lives in the session."""

    def __init__(
        self, key: str, dataset: Dataset, row: int, rows: np.ndarray | None, on_open: Callable[[int], None] | None
    ) -> None:
        self.key, self.rows, self.on_open = key, rows, on_open
        self._name = f"{key}.open"
        asked = (dataset.fingerprint, int(row))
        kept = st.session_state.get(self._name)
        if not kept or kept["asked"] != asked:
            st.session_state[self._name] = {"asked": asked, "row": int(row), "way": [], "at": 0}
        self._look()

    @property
    def _kept(self) -> dict[str, Any]:
        return st.session_state[self._name]

    @property
    def row(self) -> int:
        return int(self._kept["row"])

    @property
    def way(self) -> list[int]:
        """Rows that the user came from by way of neighbours."""
        return list(self._kept["way"])

    def _look(self) -> None:
        if self.rows is not None:
            found = np.flatnonzero(self.rows == self.row)
            if len(found):
                self._kept["at"] = int(found[0])

    @property
    def at(self) -> int:
        """Where in `rows` the open row stands, or the last one did that stood there."""
        return int(self._kept["at"])

    def step(self, by: int) -> int | None:
        """The row before or after in `rows`, None at the ends."""
        if self.rows is None or not 0 <= self.at + by < len(self.rows):
            return None
        return int(self.rows[self.at + by])

    def go(self, row: int, *, aside: bool = False) -> None:
        """Open a row; `aside` remembers the way back."""
        self._kept["way"] = [*self.way, self.row][-20:] if aside else []
        self._kept["row"] = int(row)
        self._look()
        if self.on_open is not None:
            self.on_open(int(row))

    def back(self) -> None:
        way = self.way
        if way:
            self.go(way[-1])
            self._kept["way"] = way[:-1]


# ------------------------------------------------------------------ head and actions


def _head(dataset: Dataset, row: int, state: Decisions, place: _Place) -> None:
    source, line = dataset.column("source")[row].as_py(), dataset.column("line")[row].as_py()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{place.key}.head"):
        st.markdown(f"**Row {row:,}**", width="content")
        st.caption(plain(f"{source}, record {line + 1:,}"), width="content")
        st.badge(plain(str(dataset.column("form")[row].as_py())), color="gray")
        decided = state.of(row)
        if decided:
            kept = decided == "keep"
            st.badge(
                "kept" if kept else "dropped", icon=ICONS["keep" if kept else "drop"],
                color="green" if kept else "orange",
            )  # fmt: skip
        st.space("stretch")
        if place.rows is not None:
            st.caption(f"{place.at + 1:,} of {len(place.rows):,}", width="content")
        for label, icon, shortcut, by in (
            ("Previous", ":material/chevron_left:", "H", -1),
            ("Next", ":material/chevron_right:", "J", 1),
        ):
            other = place.step(by)
            if place.rows is not None:
                st.button(
                    label, icon=icon, shortcut=shortcut, key=f"{place.key}.step{by}", type="tertiary",
                    disabled=other is None, on_click=place.go, args=(other,),
                )  # fmt: skip
        if place.way:
            st.button(
                f"Back to row {place.way[-1]:,}", icon=":material/arrow_back:", shortcut="B", type="tertiary",
                key=f"{place.key}.back", on_click=place.back,
            )  # fmt: skip


def _actions(key: str, log: DecisionLog, state: Decisions, row: int, place: _Place, drawn: Sequence[str]) -> None:
    decided = state.of(row)
    words: tuple[tuple[Word, str, str, bool], ...] = (
        ("keep", "Keep", "K", decided == "keep"),
        ("drop", "Drop", "D", decided == "drop"),
        ("clear", "Undecided", "U", False),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}.actions"):
        for word, label, shortcut, now in words:
            st.button(
                label, icon=ICONS[word], shortcut=shortcut, key=f"{key}.{word}", type="primary" if now else "secondary",
                on_click=_decide, args=(key, log, row, word, place, drawn),
            )  # fmt: skip
        st.button(
            "Note", icon=":material/edit_note:", shortcut="N", key=f"{key}.note", on_click=_open_note, args=(key, row)
        )
        undo_buttons(key, log, state, also=drawn, opening=place.go)
        if place.rows is not None:
            st.toggle(
                "Then the next row", True, key=f"{key}.onward", persist_state="session",
                help="After Keep or Drop the next of the rows in view is opened",
            )  # fmt: skip


def _decide(key: str, log: DecisionLog, row: int, word: Word, place: _Place, drawn: Sequence[str]) -> None:
    def what() -> Decisions:
        state = {"keep": log.keep, "drop": log.drop, "clear": log.clear}[word]([row])
        following = place.step(1)
        if word != "clear" and following is not None and st.session_state.get(f"{key}.onward", True):
            place.go(following)
        return state

    act(key, what, also=drawn)


def _open_note(key: str, row: int) -> None:
    open_now = st.session_state.get(f"{key}.noting")
    if open_now == row:
        st.session_state.pop(f"{key}.noting")
    else:
        st.session_state[f"{key}.noting"] = row
        st.session_state[f"{key}.noting.turn"] = st.session_state.get(f"{key}.noting.turn", 0) + 1


def _note(key: str, log: DecisionLog, state: Decisions, row: int, drawn: Sequence[str]) -> None:
    text = state.notes.get(row, "")
    if st.session_state.get(f"{key}.noting") != row:
        if text:
            with st.container(horizontal=True, gap="small", key=f"{key}.noted"):
                st.markdown(":orange[:material/sticky_note_2:]", width="content")
                st.text(visible(text))
        return
    field = f"{key}.note.{row}.{state.version}"

    def save() -> None:
        st.session_state.pop(f"{key}.noting", None)
        act(key, lambda: log.note(row, str(st.session_state.get(field, ""))), also=drawn)

    st.text_area(
        "Note", text, key=field, max_chars=MOST_NOTE, height=90, on_change=save,
        placeholder="Why this row is good, bad or odd", help="Ctrl+Enter keeps it; an empty note removes it",
    )  # fmt: skip
    focus(field, int(st.session_state.get(f"{key}.noting.turn", 0)), key=f"{key}.noting.focus")


# ------------------------------------------------------------------ what is shown


def _facts(dataset: Dataset, row: int, place: _Place) -> None:
    _parent(row_facts.parent_of(dataset, row))
    _scores(row_facts.places(dataset, row), row_facts.explanations(dataset, row), place.key)
    _labels(row_facts.labels_of(dataset, row))
    _selections(*row_facts.verdicts(dataset, row))
    copies, near = row_facts.others(dataset, row)
    _others("Copies", copies, place)
    _others("Nearest rows", near, place)


def _parent(parent: row_facts.Parent | None) -> None:
    if parent is None:
        return
    where = f"row {parent.row:,} of {plain(parent.dataset)}" if parent.dataset else "rows that are gone"
    st.markdown(f"**Made from** :gray[{where}, by {plain(parent.title)}]")
    if parent.text:
        with st.expander("What that row asks", icon=":material/account_tree:"):
            st.text(visible(parent.text[:LETTERS_SHOWN]))


def _text(dataset: Dataset, row: int, key: str, words: Sequence[str], marks: Sequence[Mark], find: Find | None) -> None:
    conversation(
        dataset.messages(row), key=f"{key}.conversation", tools=dataset.tools(row), words=words, marks=marks, find=find,
        label=f"Conversation of row {row:,}",
    )  # fmt: skip


def _scores(places: Sequence[Place], explained: Sequence[tuple[str, str]], key: str) -> None:
    if places:
        st.markdown("**Scores**")
        place_bars(places, key=f"{key}.scores")
    for where, text in explained:
        st.markdown(f":gray[:material/gavel: {plain(where)}]")
        st.text(visible(text[:LETTERS_SHOWN]))


def _labels(labels: Sequence[tuple[str, str]]) -> None:
    if labels:
        with st.container(horizontal=True, gap="small"):
            for name, value in labels:
                st.markdown(f":gray[{plain(name)}] {plain(value[:120])}", width="content")


def _selections(verdicts: Sequence[Verdict], more: int) -> None:
    if not verdicts:
        return
    inside = sum(v.inside for v in verdicts)
    st.markdown(f"**Selections** :gray[in {inside} of {len(verdicts)}]")
    st.markdown("  \n".join(map(_line, verdicts[:SELECTIONS_SHOWN])))
    if len(verdicts) > SELECTIONS_SHOWN:
        with st.expander(f"{len(verdicts) - SELECTIONS_SHOWN} more"):
            st.markdown("  \n".join(map(_line, verdicts[SELECTIONS_SHOWN:])))
            if more:
                st.caption(f"and {more:,} older ones")


def _line(verdict: Verdict) -> str:
    icon = ":green[:material/check_circle:]" if verdict.inside else ":orange[:material/do_not_disturb_on:]"
    return f"{icon} :small[{plain(verdict.name)} :gray[{plain(verdict.why)}]]"


def _others(title: str, found: Sequence[Other], place: _Place) -> None:
    if not found:
        return
    st.markdown(f"**{title}**")
    with st.container(gap=None, key=f"{place.key}.{title.split()[0].lower()}"):
        for other in found:
            st.button(
                f"{other.row:,} :gray[{plain(other.relation)}] {plain(other.text)}", type="tertiary", wrap=False,
                key=f"{place.key}.{title.split()[0].lower()}.{other.row}", help="Open this row",
                on_click=place.go, args=(other.row,), kwargs={"aside": True}, width="content",
            )  # fmt: skip


def _record(dataset: Dataset, row: int) -> None:
    with st.expander("Original record", icon=":material/data_object:"):
        text = visible(json.dumps(dataset.record(row), ensure_ascii=False, indent=1))
        more = len(text) - LETTERS_SHOWN
        st.code(
            text[:LETTERS_SHOWN] + (f"\n… and {more:,} more characters" if more > 0 else ""),
            language="json", wrap_lines=True,
        )  # fmt: skip
