"""The Influence page: what runs, the form, and the newest result."""

from __future__ import annotations

import streamlit as st

from curation.core.dataset import Dataset
from curation.ui.components import empty_state
from curation.ui.influence_ask import INFLUENCE, ask_influence
from curation.ui.influence_result import KEPT, choose_result, influences, result_view
from curation.ui.run_panel import follow
from curation.workspace import Workspace


def influence_page(workspace: Workspace, dataset: Dataset) -> None:
    """Everything below the page's title."""
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
