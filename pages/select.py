"""Select: how many rows, which ones, why these, and how well they stand for all."""

import streamlit as st

from curation.ui import pool, session
from curation.ui.choices import look_at, selection_choice
from curation.ui.components import empty_state, next_step, page_header
from curation.ui.run_panel import follow, newest_job
from curation.ui.select_ask import SELECTION, ask_selection
from curation.ui.select_view import selection_panel

page_header(
    "Select",
    "Choose how rows are picked, then move the budget: the picks are stored in order, so every smaller selection is "
    "there at once.",
    icon=":material/checklist:",
)
dataset = session.need_dataset()
workspace = session.workspace()
running = follow(workspace, dataset, SELECTION, key="select")
newest = newest_job(workspace, dataset, SELECTION)
if newest is not None and newest.state == "done" and st.session_state.get("select.seen") != newest.id:
    st.session_state["select.seen"] = newest.id
    look_at(newest.result)
stored = pool.selections(dataset.fingerprint)
form = st.expander(
    "Make a new selection", icon=":material/add:", expanded=not stored, on_change="rerun",
    key=f"select.form.{bool(stored)}",
)  # fmt: skip
if form.open:
    with form:
        ask_selection(workspace, dataset)
if stored:
    chosen = selection_choice(
        dataset, key="select.selection", label="Selections of this dataset, newest first",
        help="All that were made, also on the way to others",
    )  # fmt: skip
    if chosen is not None:
        selection_panel(workspace, dataset, chosen)
        next_step("Export", "pages/export.py")
elif not running:
    empty_state(
        ":material/checklist:", "Nothing has been selected from this dataset yet.",
        hint="The form above is ready to go: its defaults pick a tenth that leaves no topic out.",
    )  # fmt: skip
