"""Under the overview, one question at a time: one score, two, all against each other, by group, their health."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from curation.core.dataset import Dataset
from curation.ui.pool import Stored
from curation.ui.score_correlations import correlations_panel
from curation.ui.score_facts import LENGTHS, Numbers
from curation.ui.score_groups import groups_panel
from curation.ui.score_health import health_panel
from curation.ui.score_pair import look_at_pair, pair_panel
from curation.ui.score_view import choose_column, score_panel
from curation.ui.text import plain
from curation.views import LENGTH, View
from curation.workspace import Workspace

CLOSER = "scores.closer"
CHOSEN = "scores.one"
QUESTIONS = {
    "one": ":material/bar_chart: One score",
    "two": ":material/scatter_plot: Two scores",
    "all": ":material/grid_on: Correlations",
    "groups": ":material/category: By group",
    "health": ":material/ecg_heart: Health",
}


def closer_panel(
    workspace: Workspace,
    dataset: Dataset,
    found: Sequence[Stored],
    view: View,
    clicked: tuple[str, str | None] | None,
) -> None:
    """The chosen question; a title that was clicked in the overview opens that score."""
    names = {s.key: s.name for s in found}
    if clicked is not None and clicked[0] == LENGTH:
        other = found[0].key
        st.session_state[CLOSER] = "two"
        look_at_pair(LENGTHS["response"], Numbers(other, None, ""))
    elif clicked is not None:
        st.session_state[CLOSER] = "one"
        st.session_state[CHOSEN] = clicked[0]
        choose_column(*clicked)
    if st.session_state.get(CHOSEN) not in names:
        st.session_state[CHOSEN] = found[0].key
    question = st.segmented_control(
        "Look closer", list(QUESTIONS), default="one", required=True, format_func=QUESTIONS.__getitem__, key=CLOSER,
        label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    if question == "one":
        key = st.selectbox("Score", list(names), format_func=names.__getitem__, key=CHOSEN, persist_state="session")
        score_panel(workspace, dataset, next(s for s in found if s.key == key), found)
    elif question == "two":
        pair_panel(dataset, found)
    elif question == "all":
        correlations_panel(dataset, found, _plot)
    elif question == "groups":
        groups_panel(dataset, found, view)
    else:
        opened = health_panel(dataset, found)
        if opened is not None:
            st.button(
                f"Look at {plain(names[opened])} closer", icon=":material/zoom_in:", key="scores.health.open",
                on_click=_open, args=(opened,),
            )  # fmt: skip


def _open(key: str) -> None:
    st.session_state[CLOSER], st.session_state[CHOSEN] = "one", key


def _plot(a: Numbers, b: Numbers) -> None:
    st.session_state[CLOSER] = "two"
    look_at_pair(a, b)
