"""Which target examples the chosen rows serve: how many rows each, and the rows that are most like it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.ui import session
from curation.ui.influence_facts import Served, served, strongest
from curation.ui.influence_target import other_dataset
from curation.ui.pool import Stored
from curation.ui.rows import row_card, row_table
from curation.ui.text import number, one_line
from curation.workspace import Workspace

MOST = 500
"""Target examples in the table; those with most rows first."""
LETTERS = 160
STRONGEST = 200


def target_of(workspace: Workspace, dataset: Dataset, stored: Stored) -> Dataset | None:
    """The dataset that the target rows belong to; None where it is gone."""
    fingerprint = str(stored.score.info.get("target_dataset", ""))
    return dataset if fingerprint == dataset.fingerprint else other_dataset(workspace, fingerprint)


def served_view(workspace: Workspace, dataset: Dataset, stored: Stored, chosen: np.ndarray) -> int | None:
    """The table, and what a click on a target example opens; returns the row of the pool that was clicked."""
    score = stored.score
    if "target" not in score.columns or "likeness" not in score.columns:
        st.caption(
            ":material/info: Without stored gradients it is known only for up to 64 target rows which of them a row "
            "serves."
        )
        return None
    st.markdown(
        "##### Which target examples the chosen rows serve",
        help="Each chosen row counts for the one example that it is most like, by the product of their gradients",
    )
    targets, likeness = np.asarray(score.columns["target"]), np.asarray(score.columns["likeness"])
    found = served(targets, likeness, chosen)
    if not len(found.targets):
        st.caption("No chosen row is like any example.")
        return None
    aims = target_of(workspace, dataset, stored)
    clicked = _table(stored, found, aims, dataset)
    many = int(score.info.get("targets", len(found.targets)))
    if len(found.targets) < many:
        st.caption(
            f":material/info: {number(many - len(found.targets))} of {number(many)} examples are served by no chosen "
            "row: they are always second to another one."
        )
    if clicked is None:
        st.caption(":material/touch_app: Click an example to read it beside the rows that serve it.")
        return None
    left, right = st.columns([2, 3], gap="medium")
    with left:
        if aims is None:
            st.caption("The dataset of this example is not here any more.")
        else:
            row_card(aims, clicked, key="influence.target.card")
    with right:
        rows = strongest(targets, likeness, chosen, clicked)[:STRONGEST]
        st.markdown(f"**{number(len(rows))} chosen rows, the likest first**")
        return row_table(
            dataset, rows, key=f"influence.strongest.{stored.key}.{clicked}", per_page=8,
            columns={"likeness": np.round(likeness, 3), "influence": np.round(np.asarray(score.values), 3)},
        )  # fmt: skip


def _table(stored: Stored, found: Served, aims: Dataset | None, dataset: Dataset) -> int | None:
    shown = found.targets[:MOST]
    data = {
        "row": shown,
        "target example": _texts(aims, shown),
        "chosen rows": found.counts[:MOST],
        "mean likeness": found.means[:MOST],
        "strongest row": found.best[:MOST],
        "its prompt": _texts(dataset, found.best[:MOST]),
    }
    subtasks = _subtasks(stored)
    if subtasks is not None:
        data["subtask"] = [subtasks.value(row) or "" for row in shown.tolist()]
    if len(found.targets) > MOST:
        st.caption(f":material/info: {number(MOST)} of {number(len(found.targets))} examples, those with most rows.")
    key = f"influence.served.{stored.key}"
    state = st.dataframe(
        data, hide_index=True, key=key, on_select="rerun", selection_mode="single-cell",
        alt="Target examples and the chosen rows that serve them", height=min(330, 40 + 35 * len(shown)),
        column_config={
            "row": st.column_config.NumberColumn("row", width=60, format="localized", help="Of the target's dataset"),
            "target example": st.column_config.TextColumn(width=300),
            "chosen rows": st.column_config.NumberColumn(width=90, format="localized"),
            "mean likeness": st.column_config.NumberColumn(width=100, format="%.3f"),
            "strongest row": st.column_config.NumberColumn(width=100, format="localized", help="Of this dataset"),
            "its prompt": st.column_config.TextColumn(width=300),
        },
    )  # fmt: skip
    cells = list(st.session_state[key]["selection"]["cells"]) if state and key in st.session_state else []
    return int(shown[cells[0][0]]) if cells and cells[0][0] < len(shown) else None


def _texts(dataset: Dataset | None, rows: np.ndarray) -> list[str]:
    """The beginnings of prompts, of those rows alone."""
    if dataset is None:
        return ["not here any more"] * len(rows)
    there = np.clip(rows, 0, len(dataset) - 1)
    return [one_line(text, LETTERS) for text in dataset.take(there).texts("prompt")]


def _subtasks(stored: Stored) -> Labels | None:
    key = stored.info.manifest.get("ports", {}).get("subtasks")
    if not isinstance(key, str) or not session.workspace().has(key):
        return None
    found = session.artifact(key)
    return found if isinstance(found, Labels) else None
