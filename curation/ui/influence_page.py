"""The Influence page: LESS with its form and newest result, and the stages of MoDS."""

from __future__ import annotations

import streamlit as st

from curation.core.dataset import Dataset
from curation.recipe import preset_names
from curation.ui.components import empty_state
from curation.ui.influence_ask import INFLUENCE, ask_influence
from curation.ui.influence_mods import PRESET, mods_view
from curation.ui.influence_result import KEPT, choose_result, influences, result_view
from curation.ui.run_panel import follow
from curation.workspace import Workspace

PARTS = {
    "less": ":material/my_location: LESS: influence on a target",
    "mods": ":material/filter_alt: MoDS: what the model cannot answer yet",
}


def influence_page(workspace: Workspace, dataset: Dataset) -> None:
    """Everything below the page's title."""
    part = "less"
    if PRESET in preset_names():
        part = st.segmented_control(
            "Method", list(PARTS), default="less", required=True, key="influence.part", wrap=True,
            format_func=PARTS.__getitem__, label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
    if part == "mods":
        mods_view(workspace, dataset)
    else:
        _less(workspace, dataset)


def _less(workspace: Workspace, dataset: Dataset) -> None:
    running = follow(workspace, dataset, INFLUENCE, KEPT, key="influence.jobs")
    found = influences(dataset.fingerprint)
    if not found and not running:
        empty_state(
            ":material/my_location:", "Nobody has asked yet which of these rows help on a target.",
            hint="Choose a few target rows and a model below. The first run trains and reads all rows; another target "
            "of the same model then costs little.",
        )  # fmt: skip
    fresh = not found and not running
    form = st.expander(
        "Ask for another target or model" if found else "Compute influence", icon=":material/model_training:",
        expanded=fresh, on_change="rerun", key=f"influence.form.{bool(found)}.{bool(running)}",
    )  # fmt: skip
    if form.open:
        with form:
            ask_influence(workspace, dataset)
    if found:
        result_view(workspace, dataset, choose_result(found))
