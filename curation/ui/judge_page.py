"""The Judge page: the judge on top, below it one part at a time."""

from __future__ import annotations

import streamlit as st

from curation.core.dataset import Dataset
from curation.ui.components import empty_state, next_step
from curation.ui.judge_connect import connect_panel
from curation.ui.judge_cost import cost_panel
from curation.ui.judge_distill import LEARNT, few_view
from curation.ui.judge_keep import keep_view, kept_view
from curation.ui.judge_method import Judge, method_panel
from curation.ui.judge_report import report_view
from curation.ui.judge_result import (
    ask_cut,
    choose_result,
    cut_view,
    failures_view,
    judged,
    retention_view,
    weak_warning,
)
from curation.ui.judge_rows import ask_rows
from curation.ui.judge_run import follow_judge, run_button
from curation.ui.judge_spot import restored_rows, spot_view
from curation.ui.judge_try import try_panel
from curation.ui.pool import Stored
from curation.workspace import Workspace

PART = "judge.part"
PARTS = {
    "try": ":material/biotech: Try it",
    "all": ":material/groups: Ask about all rows",
    "few": ":material/savings: Ask about few, learn the rest",
    "result": ":material/bar_chart: Result",
    "spot": ":material/menu_book: Read random drops",
}
SEEN = "judge.seen"


def judge_page(workspace: Workspace, dataset: Dataset) -> None:
    """Everything below the page's title."""
    status = follow_judge(workspace, dataset)
    kept_view(workspace, dataset)
    found = judged(dataset.fingerprint)
    running = status is not None and not status.ended
    if status is not None and status.state == "done" and st.session_state.get(SEEN) not in (None, status.id) and found:
        # a run has ended while the page was open
        st.session_state[PART] = "few" if status.title.endswith(LEARNT) else "result"
    if status is not None and status.ended:
        st.session_state[SEEN] = status.id
    elif running:
        st.session_state[SEEN] = ""
    fresh = not found and not running
    setup = st.expander(
        "The judge: who is asked, and what", icon=":material/gavel:", expanded=fresh, key=f"judge.setup.{fresh}"
    )
    with setup:
        judge = _judge(workspace, dataset)
    part = st.segmented_control(
        "Part", list(PARTS), default="result" if found else "try", required=True, key=PART, wrap=True,
        format_func=PARTS.__getitem__, label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    if part == "try":
        try_panel(workspace, dataset, judge)
    elif part == "all":
        _all(workspace, dataset, judge, running)
    elif part == "few":
        few_view(workspace, dataset, judge, running=running)
    elif not found:
        empty_state(
            ":material/gavel:", "No judge has read these rows yet.",
            hint="Try one on five rows first; then ask about all of them, or about a few hundred and learn the rest.",
        )  # fmt: skip
    else:
        _judged(workspace, dataset, found, str(part))


def _judge(workspace: Workspace, dataset: Dataset) -> Judge | None:
    connection = connect_panel(workspace)
    if connection is None:
        return None
    return method_panel(workspace, dataset, connection)


def _all(workspace: Workspace, dataset: Dataset, judge: Judge | None, running: bool) -> None:
    if judge is None:
        st.caption(":material/edit: First the connection and the method.")
        return
    which = ask_rows(dataset)
    if which is None:
        return
    cost, caps = cost_panel(workspace, dataset, judge, which)
    if cost is not None:
        run_button(workspace, dataset, judge, which, cost, caps, running=running)


def _judged(workspace: Workspace, dataset: Dataset, found: list[Stored], part: str) -> None:
    """Result and spot check share the judgement and its threshold."""
    stored = choose_result(found)
    weak_warning(stored)
    made = ask_cut(dataset, stored)
    if made is None:
        failures_view(workspace, dataset, stored)
        return
    cut, facts = made
    if part == "spot":
        spot_view(workspace, dataset, cut)
        return
    cut_view(dataset, cut, facts)
    keep_view(workspace, dataset, cut, restored_rows(workspace, dataset, cut))
    retention_view(dataset, cut)
    failures_view(workspace, dataset, stored)
    report_view(dataset, stored)
    next_step("Select rows", "pages/select.py", primary=False)
