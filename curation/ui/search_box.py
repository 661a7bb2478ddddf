"""One box for three ways to search: words, meaning, a filter expression. What is found becomes a condition of the view.

A search is one step: it is checked, told when it is wrong, and handed to the page once.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import streamlit as st

from curation import query_encoder
from curation.core.artifacts import Features
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui import pool, session, view_state
from curation.ui.search_wish import Mode, Wish, condition_of, quoted, rows_named, under
from curation.ui.slash import slash
from curation.ui.text import one_line, plain
from curation.views import Condition, Where, WorkspaceSources
from curation.views.evaluate import where as bound
from curation.workspace import Workspace

MODES: dict[Mode, str] = {
    "words": ":material/search: Words",
    "meaning": ":material/join_inner: Meaning",
    "filter": ":material/filter_alt: Filter",
}
ICONS: dict[Mode, str] = {"words": "search", "meaning": "join_inner", "filter": "filter_alt"}
HINTS: dict[Mode, str] = {
    "words": 'river "salt lake" -desert',
    "meaning": "questions about cooking, or: row 812",
    "filter": "response_letters > 200 AND source = 'a.json'",
}
HELP: dict[Mode, str] = {
    "words": 'All words must be there, in any order; `"in a row"` finds them together, `-word` leaves rows out. '
    "Capitals do not matter unless you say so.",
    "meaning": "The rows whose meaning is nearest to a text, or to rows that you name: `row 812`, `rows 3, 17`. "
    "The first search takes some seconds: the encoder is started.",
    "filter": "One condition in SQL over scores, labels and columns of the rows: see *Columns* for their names.",
}
INSIDE = {"both": "prompt and response", "prompt": "prompt", "response": "response"}
TOP, MOST_TOP = 100, 100_000
MOST_COLUMNS = 1_000
EXAMPLES = """response_letters > 200 AND turns = 2
source IN ('a.json', 'b.json')
prompt ILIKE '%river%'
record.category = 'open_qa'"""
RECENT = 8
RECENT_LETTERS = 40


def search_box(workspace: Workspace, dataset: Dataset, *, key: str) -> Condition | None:
    """The box with its modes; `/` puts the keyboard into it.

    Args:
        workspace: Where vectors, scores and labels are.
        dataset: Whose rows.
        key: Prefix of keys.

    Returns:
        What was searched for, in the one run after it was asked; None otherwise. The caller adds it to its view.
    """
    found = st.session_state.pop(f"{key}.again", None)
    wish: Wish | None = st.session_state.pop(f"{key}.asked", None)
    if wish is not None:
        found = _answered(workspace, dataset, wish, key)
    with st.container(key=f"{key}.box", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            mode = _mode(key)
            features = _vectors(dataset) if mode == "meaning" else {}
            _form(mode, features, key)
            if mode == "filter":
                _columns(dataset, key)
            _recent(dataset, key)
        _notes(mode, features, key)
        slash(f"{key}.text.{mode}", key=f"{key}.slash.{mode}")  # here, since beside the form it would take its room
    if features:
        chosen = st.session_state.get(f"{key}.features")
        query_encoder.warm(workspace, chosen if chosen in features else next(iter(features)))
    return cast("Condition | None", found)


def _mode(key: str) -> Mode:
    def changed() -> None:
        st.session_state.pop(f"{key}.problem", None)

    chosen: Mode = st.segmented_control(
        "Search by", list(MODES), default="words", required=True, format_func=MODES.__getitem__, key=f"{key}.mode",
        persist_state="session", on_change=changed, label_visibility="collapsed",
    )  # fmt: skip
    return chosen


def _vectors(dataset: Dataset) -> dict[str, str]:
    """Vectors that texts can be compared with, key → name, newest first, those that were not reduced before others."""
    infos = [i for i in session.results(dataset.fingerprint, "features") if query_encoder.searchable(i)]
    infos.sort(key=lambda i: i.use != "encoder/sentence")  # stable: newest first
    return {i.key: _name(i.use, str(i.manifest.get("parameters", {}).get("text", ""))) for i in infos}


def _name(use: str, text: str) -> str:
    read = {"both": " of the whole row", "prompt": " of the prompt", "response": " of the response"}.get(text, "")
    return pool.title_of(use) + read


# ------------------------------------------------------------------ asking


def _form(mode: Mode, features: dict[str, str], key: str) -> None:
    """The text with its settings; Enter or the button asks."""
    field = f"{key}.text.{mode}"
    with (
        st.form(f"{key}.form.{mode}", border=False, enter_to_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input(
            "Search", key=field, placeholder=HINTS[mode], icon=f":material/{ICONS[mode]}:", width="stretch",
            label_visibility="collapsed", disabled=mode == "meaning" and not features,
        )  # fmt: skip
        if mode != "filter":
            with st.popover("", icon=":material/tune:", help="Settings of this search"):
                _settings(mode, features, key)
        st.form_submit_button(
            "Search", icon=":material/arrow_forward:", key=f"{key}.go.{mode}", help=HELP[mode], on_click=_ask,
            args=(mode, key), disabled=mode == "meaning" and not features,
        )  # fmt: skip


def _settings(mode: Mode, features: dict[str, str], key: str) -> None:
    if mode == "words":
        st.selectbox("Look in", list(INSIDE), key=f"{key}.inside", format_func=INSIDE.__getitem__)
        st.checkbox("Whole words only", key=f"{key}.whole")
        st.checkbox("Capitals matter", key=f"{key}.case")
        st.checkbox("The text is a regular expression", key=f"{key}.regex", help="RE2, as in `colou?rs?`")
        return
    st.number_input("Rows", 1, MOST_TOP, TOP, key=f"{key}.top", help="So many of the nearest rows")
    st.checkbox("The least alike instead", key=f"{key}.farthest")
    if features:
        st.selectbox("Compare by", list(features), key=f"{key}.features", format_func=features.__getitem__)


def _ask(mode: Mode, key: str) -> None:
    """Runs before the page: what is in the form becomes a wish, answered at the place of the box."""
    state = st.session_state
    text = str(state.get(f"{key}.text.{mode}") or "").strip()
    state.pop(f"{key}.problem", None)
    if not text:
        return
    state[f"{key}.asked"] = Wish(
        mode, text,
        inside=state.get(f"{key}.inside", "both"), whole=bool(state.get(f"{key}.whole")),
        regex=bool(state.get(f"{key}.regex")), case=bool(state.get(f"{key}.case")),
        features=str(state.get(f"{key}.features") or ""), top=int(state.get(f"{key}.top", TOP)),
        farthest=bool(state.get(f"{key}.farthest")),
    )  # fmt: skip


def _answered(workspace: Workspace, dataset: Dataset, wish: Wish, key: str) -> Condition | None:
    """The condition of a wish; None when it is wrong, which is then shown under the box."""

    def open_features(name: str) -> Features:
        return cast(Features, session.artifact(name))

    def embed(text: str, name: str) -> np.ndarray:
        with st.spinner("Looking for rows with this meaning …"):
            return query_encoder.embed(workspace, name, text)

    def where(expression: str) -> Where:
        return bound(expression, view_state.sources(dataset))

    try:
        made = condition_of(wish, open_features=open_features, embed=embed, where=where)
    except CurationError as error:
        st.session_state[f"{key}.problem"] = (wish, error)
        return None
    st.session_state[f"{key}.text.{wish.mode}"] = ""
    _remember(dataset, wish, made, key)
    return made


# ------------------------------------------------------------------ beside and under the box


def _notes(mode: Mode, features: dict[str, str], key: str) -> None:
    """What is wrong with the last search, or what is still missing for one."""
    wrong: tuple[Wish, CurationError] | None = st.session_state.get(f"{key}.problem")
    if wrong is not None and wrong[0].mode == mode:
        wish, error = wrong
        hint = f" {plain(error.hint[:1].upper() + error.hint[1:])}." if error.hint else ""
        st.markdown(f":red[:material/error: {plain(error.message[:1].upper() + error.message[1:])}.]{hint}")
        pointed = under(wish.text, error.message) if mode == "filter" else ""
        if pointed:
            st.code(pointed, language=None)
    elif mode == "meaning" and not features:
        st.caption(
            ":material/info: Search by meaning compares vectors of an encoder. Draw the map by meaning on the Map "
            "page, and it is here."
        )


def _columns(dataset: Dataset, key: str) -> None:
    """What an expression may name."""
    with st.popover("Columns", icon=":material/view_column:", help="Names that a filter may use, with examples"):
        st.markdown("**Examples**")
        st.code(EXAMPLES, language="sql")
        st.markdown("**Names**")
        named = columns_of(dataset, view_state.sources(dataset))
        st.dataframe(
            named[:MOST_COLUMNS], hide_index=True, key=f"{key}.columns", alt="Columns that a filter may name", width=460
        )


def columns_of(dataset: Dataset, sources: WorkspaceSources) -> list[dict[str, str]]:
    """The names that an expression may use, as a table: scores and labels, fields of the record, what every row has."""
    from curation.selectors._filter_run import BUILTIN

    lines = []
    for name, found in sources.named().items():
        text = found.kind == "labels"
        lines.append({"name": name, "holds": "text" if text else "number", "of": sources.title(found.key)})
        if not text:
            columns = sources.score(found.key).columns
            lines += [
                {"name": f"{name}.{quoted(c)}", "holds": "number", "of": sources.title(found.key)}
                for c, values in columns.items()
                if values.ndim == 1 and values.dtype.kind in "fiub"
            ]
    lines += [{"name": f"record.{quoted(f)}", "holds": "field", "of": "record"} for f in dataset.field_names()]
    return lines + [{"name": n, "holds": kind, "of": "every row"} for n, kind in BUILTIN.items() if n != "record"]


def _place(dataset: Dataset, key: str) -> str:
    return f"{key}.recent.{dataset.fingerprint}"


def _remember(dataset: Dataset, wish: Wish, made: Condition, key: str) -> None:
    place = _place(dataset, key)
    before = [pair for pair in st.session_state.get(place, []) if pair[1] != made]
    st.session_state[place] = [(wish, made), *before][:RECENT]


def _recent(dataset: Dataset, key: str) -> None:
    """What was searched for in this session; a click searches again."""
    found: list[tuple[Wish, Condition]] = st.session_state.get(_place(dataset, key), [])
    if not found:
        return

    def again(condition: Condition) -> None:
        st.session_state[f"{key}.again"] = condition

    with st.popover("", icon=":material/history:", help="Searches of this session"):
        for number, (wish, condition) in enumerate(found):
            like = "like " if wish.mode == "meaning" and rows_named(wish.text) else ""
            st.button(
                plain(like + one_line(wish.text, RECENT_LETTERS)), icon=f":material/{ICONS[wish.mode]}:",
                width="stretch", key=f"{key}.recent.{number}", type="tertiary", on_click=again, args=(condition,),
            )  # fmt: skip
