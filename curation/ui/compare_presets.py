"""Every preset whose inputs are bound, at one budget, as one job: what can run, what cannot and why, what it costs."""

from __future__ import annotations

from typing import cast

import streamlit as st

from curation import jobs
from curation.comparison.together import Together, recipe_of_presets, recipe_of_selections
from curation.core.dataset import Dataset
from curation.core.method import Selector, find
from curation.recipe import Recipe, preset_names
from curation.ui.compare_choice import MOST, look_at
from curation.ui.compare_data import Compared, comparison, stamp
from curation.ui.components import errors_shown
from curation.ui.method_choice import title_of_use
from curation.ui.run_panel import estimate_view, newest_job
from curation.ui.text import number, plain
from curation.workspace import Workspace

PRESETS = "Comparison"
SEEN = "compare.seen"


def ask_presets(workspace: Workspace, dataset: Dataset) -> None:
    """The form; its button starts the job."""
    st.markdown(
        "One job runs every preset whose inputs are there, at one budget, the cheapest first, with random draws and "
        "coverage for each. What is stored is reused; a preset that fails does not stop the others."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        usual = max(1, round(len(dataset) / 10))
        budget = int(st.number_input("Rows each", 1, len(dataset), usual, key="compare.presets.budget", width=160))
        names = st.multiselect(
            "Presets", preset_names(), key="compare.presets.names", format_func=_title, width="stretch",
            placeholder="All that can run here",
        )  # fmt: skip
    with errors_shown():
        found = _planned(str(workspace.root), dataset.fingerprint, budget, tuple(names), stamp(dataset.fingerprint))
        _about(found)
        sound = estimate_view(workspace, found.recipe, found.bindings)
        if st.button(
            f"Run {len(found.arms)} preset{'s' if len(found.arms) > 1 else ''}", type="primary", disabled=not sound,
            icon=":material/play_arrow:", key="compare.presets.run",
        ):  # fmt: skip
            start(workspace, dataset, found, f"{len(found.arms)} presets, {budget:,} rows")


@st.cache_resource(max_entries=4, show_spinner="Looking which presets can run on these rows …")
def _planned(root: str, fingerprint: str, budget: int, names: tuple[str, ...], stamp: str) -> Together:
    return recipe_of_presets(Workspace.open(root), fingerprint, budget=budget, presets=names or None)


def start(workspace: Workspace, dataset: Dataset, found: Together, words: str) -> None:
    """Start the job of several arms and rerun the page."""
    jobs.start(
        workspace, found.recipe, found.bindings, title=f"{PRESETS}: {dataset.name}, {words}", go_on=True
    )  # fmt: skip
    st.rerun()


def _title(name: str) -> str:
    """What a preset is called; every one here is a recipe, so that need not be said."""
    return title_of_use(name).removesuffix(" (recipe)") if name in preset_names() else name


def _about(found: Together) -> None:
    names = ", ".join(_title(name) for name in found.arms)
    st.markdown(f":green[:material/check_circle:] **{len(found.arms)} will run:** {plain(names)}.")
    for name, why in found.own_size.items():
        st.caption(f":material/straighten: {plain(_title(name))}: {plain(why)}.")
    if found.left_out:
        with st.expander(f"{len(found.left_out)} cannot run here", icon=":material/block:"):
            st.dataframe(
                [{"preset": left.title, "why": left.reason} for left in found.left_out], hide_index=True,
                key="compare.presets.left", alt="Presets that cannot run",
                column_config={"preset": st.column_config.TextColumn(width=260)},
            )  # fmt: skip
            st.caption("The Select page runs a preset once what it needs is chosen there.")


def at_one_budget(workspace: Workspace, what: Compared, dataset: Dataset, budget: int, names: list[str]) -> None:
    """Selections that have no nested order, or too few picks, can be made again at the common budget."""
    with errors_shown():
        found = comparison(what)
        fixed = [name for name in names if not cast(type[Selector], find(found.arm(name).use)).budgeted()]
        if fixed:
            st.caption(
                f":material/straighten: {plain(', '.join(fixed))}: takes no budget, so it keeps its size beside the "
                f"{number(budget)} rows of the others."
            )
        again_of = [name for name in names if name not in fixed]
        if not again_of:
            return
        again = recipe_of_selections(workspace, list(what.keys), budget)
        listed = plain(", ".join(again_of))
        with st.container(border=True, key="compare.again"):
            st.markdown(
                f":orange[:material/straighten:] **{listed}** cannot be cut to {number(budget)} rows from what is "
                "stored."
            )
            sound = estimate_view(workspace, again.recipe, again.bindings)
            if st.button(
                f"Make them again with {number(budget)} rows", icon=":material/replay:", key="compare.again.run",
                disabled=not sound,
            ):  # fmt: skip
                start(workspace, dataset, again, f"{budget:,} rows each")


def take_over(workspace: Workspace, dataset: Dataset) -> None:
    """When the job has ended, its arms are what is compared, once."""
    newest = newest_job(workspace, dataset, PRESETS)
    place = f"{SEEN}.{dataset.fingerprint}"
    ended = newest.id if newest is not None and newest.ended else ""
    if place not in st.session_state and st.query_params.get("arms"):  # a link says what to show, now
        st.session_state[place] = ended
    if newest is None or not ended or st.session_state.setdefault(place, "") == ended:
        return
    st.session_state[place] = ended
    arms = Recipe.read(jobs.recipe_of(workspace, newest.id)).about.get("arms") or {}
    made = {str(s["name"]): str(s["key"]) for s in newest.steps}
    # two arms may be one step: the same method at one budget
    keys = list(dict.fromkeys(made[step] for step in arms.values() if step in made and workspace.has(made[step])))
    if keys:
        look_at(dataset, keys)
        if len(keys) > MOST:
            st.toast(f"{len(keys)} selections were made; the first {MOST} are shown, the others are in the list.")
