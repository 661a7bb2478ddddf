"""All, Filtered and Selected: the one view as tabs over a table of rows, on every page that has one."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.ui import view_state
from curation.ui.components import error_box
from curation.ui.text import number
from curation.ui.view_bar import view_bar
from curation.views import Condition, Region, Rows, View

TABS = ("All", "Filtered", "Selected")


def view_rows(dataset: Dataset, *, key: str) -> np.ndarray | None:
    """Where rows are filtered on any page: the pills of the view, its tabs, and the rows of the one that is chosen.

    Nothing is shown where there is no filter, and none to go back to.

    Args:
        dataset: Whose rows.
        key: Prefix of keys.

    Returns:
        bool `[n]`, or None for all rows.
    """
    if not view_state.current(dataset) and view_state.labels(dataset) == (None, None):
        wrong = view_state.problem(dataset)
        if wrong is not None:
            error_box(wrong)
        return None
    masks = tab_masks(dataset, view_bar(dataset, key=key, shortcuts=False))
    if not masks:
        return None
    tab = view_tabs(masks, len(dataset), key=key)
    if tab == "Selected" and tab not in masks:
        st.caption(":material/lasso_select: Nothing is drawn around: the Map page has a lasso.")
        return np.zeros(len(dataset), bool)
    return masks.get(tab)


def tab_masks(dataset: Dataset, view: View) -> dict[str, np.ndarray]:
    """The rows of each tab but "All": filtered by everything but regions; selected within that by the regions drawn."""
    found = {}
    if view.conditions:
        found["Filtered"] = view_state.mask_of(dataset, view, without=is_drawn)
    if any(is_drawn(c) for c in view.conditions):
        found["Selected"] = view_state.mask_of(dataset, view)
    return found


def is_drawn(condition: Condition) -> bool:
    """Whether a condition was drawn on the map or named row by row, rather than a filter."""
    return isinstance(condition, Region | Rows)


def narrowest(key: str, *, only_from: str | None = None) -> None:
    """Show the narrowest tab there is in the next run.

    Args:
        key: Of the tabs.
        only_from: Only where this tab is in view.
    """
    if only_from is None or st.session_state.get(f"{key}.tab") == only_from:
        st.session_state.pop(f"{key}.kind", None)


def view_tabs(masks: dict[str, np.ndarray], n: int, *, key: str) -> str:
    """All, Filtered or Selected with their counts, as tabs; after the view has changed its kind, the narrowest.

    Args:
        masks: From `tab_masks`.
        n: Rows of the dataset.
        key: Prefix of keys.

    Returns:
        The chosen tab; "Selected" also where nothing is selected, to say so.
    """
    counts = {"All": n} | {tab: int(mask.sum()) for tab, mask in masks.items()}
    kind, place = tuple(masks), f"{key}.tab"
    if st.session_state.get(f"{key}.kind") != kind:
        st.session_state[f"{key}.kind"] = kind
        st.session_state[place] = list(counts)[-1]
    chosen = st.segmented_control(
        "Rows", TABS, key=place, required=True, label_visibility="collapsed", width="stretch",
        persist_state="session", format_func=lambda tab: f"{tab} {number(counts[tab])}" if tab in counts else tab,
        help="All rows; those that all filters let through; and of these the ones drawn around",
    )  # fmt: skip
    return chosen if chosen in counts or chosen == "Selected" else "All"
