"""Maps to be made: the quick preview, the map by meaning, and keeping marked rows as a selection."""

from __future__ import annotations

import streamlit as st

from curation import jobs
from curation.complete import complete
from curation.core.dataset import Dataset
from curation.recipe import Recipe
from curation.ui import view_state
from curation.ui.components import errors_shown
from curation.ui.guide import stage_recipe
from curation.ui.job_card import watch_job
from curation.ui.run_panel import estimate_view, newest_job, start_now
from curation.views import View
from curation.workspace import Workspace

PREVIEW, FULL, KEPT = "Quick map", "Map", "Selection by hand"


def preview_recipe() -> Recipe:
    """Word counts and their map: no model, seconds."""
    return stage_recipe("look")


def full_recipe() -> Recipe:
    """Vectors by meaning, their neighbours, the map and its clusters."""
    return complete("labeller/clusters", {})


def ask_first(workspace: Workspace, dataset: Dataset) -> None:
    """Nothing is drawn yet: one button for both maps, the quick one first."""
    pools = {"pool": dataset.fingerprint}
    with st.container(border=True, key="map.ask"):
        st.markdown("#### :primary[:material/bubble_chart:] Draw the map")
        st.markdown(
            "Every row becomes a point, near the rows that are like it. A **quick preview** compares the words that "
            "rows use: no model, there in seconds. The **map by meaning** reads every row with a small language model "
            "on this machine, finds clusters and names them, and takes the preview's place when it is ready."
        )
        left, right = st.columns(2)
        with left:
            st.markdown("**Quick preview**")
            estimate_view(workspace, preview_recipe(), pools)
        with right:
            st.markdown("**Map by meaning**")
            estimate_view(workspace, full_recipe(), pools)
        with st.container(horizontal=True):
            both = st.button("Draw both", type="primary", icon=":material/bubble_chart:", key="map.both", shortcut="D")
            quick = st.button("Only the preview", key="map.quick")
        if both or quick:
            with errors_shown(stop=True):
                jobs.start(workspace, preview_recipe(), pools, title=f"{PREVIEW}: {dataset.name}")
                if both:
                    jobs.start(workspace, full_recipe(), pools, title=f"{FULL}: {dataset.name}")
            st.rerun()


def ask_full(workspace: Workspace, dataset: Dataset) -> None:
    """A preview is in view and the map by meaning is not being made."""
    status = newest_job(workspace, dataset, FULL)
    if status is not None and not status.ended:
        return
    pools = {"pool": dataset.fingerprint}
    with st.container(border=True, key="map.ask.full"):
        st.markdown(
            ":material/info: This is a **preview**: near means the same words. The map by meaning takes its place, "
            "with named clusters; what you have marked stays marked."
        )
        estimate_view(workspace, full_recipe(), pools)
        if st.button("Draw the map by meaning", type="primary", icon=":material/bubble_chart:", key="map.full.run"):
            start_now(workspace, full_recipe(), pools, title=f"{FULL}: {dataset.name}")


KEEPING = "map.keeping"
"""Where the session remembers that rows are being kept: the id of the newest such job before."""


def kept_view(workspace: Workspace, dataset: Dataset, *, key: str) -> None:
    """The job that keeps rows as a selection, while it runs or when it failed; a word when it is done.

    Args:
        workspace: Where it runs.
        dataset: Whose rows.
        key: Prefix of keys.
    """
    if KEEPING not in st.session_state:
        return
    status = newest_job(workspace, dataset, KEPT)
    if status is None or status.id == st.session_state[KEEPING] or status.state == "cancelled":
        st.session_state.pop(KEEPING)
    elif status.state == "done":
        st.session_state.pop(KEEPING)
        st.toast("Kept as a selection. It is under *Bring out*, and on the Select page.", icon=":material/bookmark:")
    else:
        watch_job(workspace, status.id, key=f"{key}.kept")


def keep_view(workspace: Workspace, dataset: Dataset, view: View) -> None:
    """Keep the rows of a view as a selection, made by the same conditions, so that its recipe says how."""
    from curation.complete.stored import Parts
    from curation.views import steps_of

    with errors_shown(stop=True):
        parts = Parts(workspace, dataset.fingerprint)
        made = steps_of(view, view_state.sources(dataset), parts.add)
        names = parts.add_steps(made.steps)
        recipe = parts.recipe(f"${names[made.result]}", made.about)
        before = newest_job(workspace, dataset, KEPT)
        st.session_state[KEEPING] = before.id if before else ""
    start_now(workspace, recipe, parts.bindings, title=f"{KEPT}: {dataset.name}")
