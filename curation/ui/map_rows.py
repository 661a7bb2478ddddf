"""Beside the map: the rows in view as a table, what to do with them, or one of them in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.core.given import RESPONSE_LENGTH, response_length
from curation.selectors._searching import spans_in
from curation.ui import pool, view_state
from curation.ui.deciding import decide_bar
from curation.ui.map_ask import keep_view, kept_view
from curation.ui.row_columns import Column
from curation.ui.row_panel import row_panel
from curation.ui.rows import row_table
from curation.ui.view_tabs import is_drawn, tab_masks, view_tabs
from curation.views import LENGTH, Like, Range, View, Words, likeness, query_of
from curation.workspace import Workspace

PER_PAGE = 15
ALIKE = 100
"""Rows that "more like this" asks for."""


def value_of(artifact: Score | Labels, row: int) -> Any:
    """What a score or label says about a row, or why it says nothing."""
    if isinstance(artifact, Score):
        value = float(artifact.values[row])
        return value if np.isfinite(value) else f"missing: {artifact.missing.reason(row) or 'no value'}"
    return artifact.value(row) or artifact.missing.reason(row) or pool.NO_CLUSTER


def facts_of(dataset: Dataset, row: int) -> dict[str, Any]:
    """Every score and label of a row, by name."""
    found = [*pool.labels(dataset.fingerprint), *pool.scores(dataset.fingerprint)]
    return {
        s.name: value_of(cast(Score | Labels, s.artifact), row)
        for s in found
        if not pool.is_duplicates(s)  # shown as rows
    }


# ------------------------------------------------------------------ the rows in view


def rows_panel(workspace: Workspace, dataset: Dataset, view: View, *, key: str, open_key: str) -> None:
    """All, filtered or selected rows as a table, what to do with them, or one of them in full.

    Args:
        workspace: Where the dataset lives.
        dataset: Whose rows.
        view: Conditions that can be answered.
        key: Prefix of keys.
        open_key: Where the session keeps the row that is open.
    """
    masks = tab_masks(dataset, view)
    tab = view_tabs(masks, len(dataset), key=key)
    none = np.zeros(0, np.int64)
    rows = np.arange(len(dataset)) if tab == "All" else np.flatnonzero(masks[tab]) if tab in masks else none
    kept_view(workspace, dataset, key=key)
    row = st.session_state.get(open_key)
    if row is not None and 0 <= row < len(dataset):
        _one(workspace, dataset, view, int(row), rows, key, open_key)
        return
    if tab == "Selected" and "Selected" not in masks:
        st.caption(
            ":material/lasso_select: Draw around points with the lasso (L) or a box (B): "
            "the rows inside are listed here."
        )
        return
    if not len(rows):
        st.info("No row is left: take a filter away, or undo.", icon=":material/filter_alt:")
        return
    _actions(workspace, dataset, view, tab, rows, key)
    clicked = row_table(
        dataset, rows, key=f"{key}.{tab}", columns=_columns(dataset, view), per_page=PER_PAGE,
        sort=True, download=f"{dataset.name}-{tab.lower()}.csv",
    )  # fmt: skip
    if clicked is not None:
        st.session_state[open_key] = clicked
        st.rerun(scope="fragment")


def _one(
    workspace: Workspace, dataset: Dataset, view: View, row: int, rows: np.ndarray, key: str, open_key: str
) -> None:
    """One row in full, with the way back to the table and to its like."""

    def close() -> None:
        st.session_state[open_key] = None

    def alike() -> None:
        features = pool.newest_features(dataset.fingerprint)
        if features is not None:
            view_state.add(dataset, Like(features=features.key, rows=(row,), top=ALIKE), f"more like row {row:,}")
            close()

    with st.container(horizontal=True, vertical_alignment="center", key=f"{key}.one"):
        st.button(
            "Back to the rows", icon=":material/arrow_back:", key=f"{key}.close", on_click=close, shortcut="Escape"
        )
        st.button(
            "More like this", icon=":material/join_inner:", key=f"{key}.alike", on_click=alike,
            disabled=pool.newest_features(dataset.fingerprint) is None, help=f"The {ALIKE} rows nearest in meaning",
        )  # fmt: skip
    row_panel(
        workspace, dataset, row, key=f"{key}.panel", find=_finder(view), rows=rows,
        on_open=lambda other: st.session_state.update({open_key: other}),
    )  # fmt: skip


def _finder(view: View) -> Callable[[str], list[tuple[int, int]]] | None:
    """Where the searches of a view are found in a text, to mark it; None without a search."""
    queries = [query_of(c) for c in view.conditions if isinstance(c, Words)]
    if not queries:
        return None
    return lambda text: sorted(span for query in queries for span in spans_in(text, query))


def _actions(workspace: Workspace, dataset: Dataset, view: View, tab: str, rows: np.ndarray, key: str) -> None:
    if tab == "All":
        return
    part = view if tab == "Selected" else View(conditions=tuple(c for c in view.conditions if not is_drawn(c)))
    if st.button(
        "Keep as a selection", icon=":material/bookmark_add:", key=f"{key}.keep", shortcut="S",
        help="Stores these rows with the filters that found them: select within them, compare, or export them",
    ):  # fmt: skip
        keep_view(workspace, dataset, part)
    decide_bar(workspace, dataset, rows, key=f"{key}.decide")


def _columns(dataset: Dataset, view: View) -> dict[str, Column | Score | Labels]:
    """What stands beside the rows: the scores that the view cuts by, likeness, and the cluster."""
    found: dict[str, Column | Score | Labels] = {}
    for condition in view.conditions:
        if isinstance(condition, Like):
            values = likeness(condition, view_state.sources(dataset))
            found["likeness"] = Column(values, key=f"like.{condition.model_dump_json()}")
        if isinstance(condition, Range) and condition.score != LENGTH:
            stored = next((s for s in pool.scores(dataset.fingerprint) if s.key == condition.score), None)
            if stored is not None:
                found[stored.name] = Column(stored.score, key=stored.key)
    found[RESPONSE_LENGTH] = Column(response_length(dataset), key=f"{dataset.fingerprint}.length")
    clusters = pool.clusters_of(dataset.fingerprint, pool.best_layout(dataset.fingerprint))
    if clusters is not None:
        found["cluster"] = Column(clusters.labels, key=clusters.key)
    return found
