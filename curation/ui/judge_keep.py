"""The cut of a judgement as a selection: with quotas, and with rows that a spot check found wrongly dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.row_ranges import format_rows, rows_digest
from curation.recipe import Recipe
from curation.ui import pool, session
from curation.ui.components import error_box, next_step
from curation.ui.judge_result import Cut, fields_of
from curation.ui.quota_ask import QuotaWish, ask_quota
from curation.ui.run_panel import follow, newest_job, start_now
from curation.ui.score_consent import consent
from curation.ui.select_recipe import Wish, selection_recipe
from curation.ui.text import number
from curation.workspace import Workspace

KEPT = "Judge keeps"
"""Kind of the jobs that keep rows above a threshold."""
STARTED = "judge.kept.started"


def keep_view(workspace: Workspace, dataset: Dataset, cut: Cut, restored: Sequence[int]) -> None:
    """The cut as a selection, with a quota where one is wanted; rows found wrongly dropped join it."""
    kept = int(cut.keeps().sum())
    with st.expander("A minimum or maximum for every category", icon=":material/balance:"):
        quota, sound = ask_quota(dataset, key="judge.quota", fields=fields_of(dataset))
        if quota is not None and quota.at_least:
            st.caption(
                ":material/info: With a minimum as many rows are kept as the threshold keeps, the best ones; where a "
                "category has too few of them, its next best rows come in for others."
            )
    agreed = consent(dataset, [cut.stored], key=f"judge.consent.{cut.stored.key}")
    with st.container(horizontal=True, vertical_alignment="center", key="judge.keep.row"):
        more = f" and {number(len(restored))} restored" if len(restored) else ""
        if st.button(
            f"Keep these {number(kept)} rows{more}", type="primary", icon=":material/bookmark_add:", key="judge.keep",
            disabled=not kept or not agreed or not sound,
            help="As a selection: see it on the Select page, compare it, or export it",
        ):  # fmt: skip
            try:
                recipe, bindings = keep_recipe(workspace, dataset, cut, quota, restored)
            except CurationError as error:
                error_box(error)
            else:
                st.session_state[STARTED] = True
                start_now(workspace, recipe, bindings, title=f"{KEPT}: {dataset.name}")
        if pool.best_layout(dataset.fingerprint) is not None and st.button(
            "Colour the map by this score", icon=":material/bubble_chart:", key="judge.map"
        ):
            st.session_state.update({"map.colour": cut.stored.name, "map.colour.own": True})
            st.switch_page("pages/map.py", query_params=dict(st.query_params))


def kept_view(workspace: Workspace, dataset: Dataset) -> None:
    """The newest job that keeps rows while it runs, and once it is done what to do with them."""
    follow(workspace, dataset, KEPT, key="judge.kept")
    status = newest_job(workspace, dataset, KEPT)
    if status is None or status.state != "done" or not st.session_state.get(STARTED):
        return
    made = session.artifact(status.result) if workspace.has(status.result) else None
    if not isinstance(made, Selection):
        return  # it was removed since
    with st.container(horizontal=True, vertical_alignment="center", border=True, gap="small", key="judge.kept.done"):
        st.markdown(
            f":green[:material/check_circle:] **{number(len(made))} rows are kept** as a selection.",
            width="stretch",
        )
        next_step("See them on the Select page", "pages/select.py", primary=False)
        next_step("Export them", "pages/export.py", primary=False)
        if st.button("Close", icon=":material/close:", type="tertiary", key="judge.kept.close"):
            st.session_state.pop(STARTED)
            st.rerun()


def keep_recipe(
    workspace: Workspace, dataset: Dataset, cut: Cut, quota: QuotaWish | None, restored: Sequence[int]
) -> tuple[Recipe, dict[str, str]]:
    """The recipe that keeps what the cut keeps, and its bindings.

    With minima by category a threshold alone will not do: the best rows are kept, as many as the threshold keeps.

    Raises:
        CurationError: if it cannot be planned.
    """
    high = cut.side == "above"
    if quota is not None and quota.at_least:
        use = "selector/top-k"
        values: dict[str, Any] = {"budget": int(cut.keeps().sum()), "keep": "highest" if high else "lowest"}
    else:
        use = "selector/threshold"
        values = {"above": cut.at, "inclusive": "above"} if high else {"below": cut.at, "inclusive": "below"}
    wish = Wish(use, values, {"score": cut.stored.key}, coverage=False, quota=quota)
    recipe, bindings = selection_recipe(workspace, dataset.fingerprint, wish)
    rows = np.setdiff1d(np.asarray(restored, np.int64), np.flatnonzero(cut.keeps()))
    if not len(rows):
        return recipe, bindings
    edit = {
        "use": "selector/edit", "on": "$pool", "selection": recipe.result, "keep": format_rows(rows),
        "digest": rows_digest(dataset, rows),
    }  # fmt: skip
    steps = {name: dict(step) for name, step in recipe.steps.items()}
    return recipe.model_copy(update={"steps": {**steps, "restored": edit}, "result": "$restored"}), bindings
