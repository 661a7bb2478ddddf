"""Decisions by hand become a selection: `selector/edit` on a stored selection, or on all rows."""

from __future__ import annotations

import streamlit as st

from curation.complete.edits import edited_result
from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.components import errors_shown
from curation.ui.deciding import decisions_of
from curation.ui.run_panel import start_now
from curation.ui.text import number
from curation.workspace import Workspace

TITLE = "Edited by hand"
ALL_ROWS = "all rows"


def apply_decisions(workspace: Workspace, dataset: Dataset, *, key: str) -> None:
    """Choose what to edit, and start the job that carries the decisions out.

    Args:
        workspace: Where it is kept.
        dataset: Whose rows.
        key: Prefix of keys.
    """
    state = decisions_of(workspace, dataset)
    if state is None:
        return
    st.markdown(
        "Takes the dropped rows out of a selection and puts the kept ones in, as one more step of its recipe. The "
        "selection itself stays as it is."
    )
    found = {s.name: s.key for s in pool.selections(dataset.fingerprint)}
    chosen = st.selectbox("Edit", [*found, ALL_ROWS], key=f"{key}.of", persist_state="session")
    idle = not len(state.kept) + len(state.dropped)
    st.caption(
        "Keep or drop a row first."
        if idle
        else f"{number(len(state.kept))} kept, {number(len(state.dropped))} dropped by hand"
    )
    if st.button("Make the edited selection", type="primary", icon=":material/rule:", key=f"{key}.run", disabled=idle):
        with errors_shown():
            recipe, bindings = edited_result(workspace, state, dataset, found.get(chosen))
            start_now(workspace, recipe, bindings, title=f"{TITLE}: {dataset.name}")
