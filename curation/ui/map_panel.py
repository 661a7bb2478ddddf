"""The map page's body: controls, the map, what is marked on it."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.choices import colour_choice, selection_choice
from curation.ui.components import next_step
from curation.ui.map_ask import keep_rows, kept_already
from curation.ui.map_rows import detail, marked_facts, marked_table
from curation.ui.map_view import Marked, figure_of, gesture, rows_meant
from curation.ui.pool import Stored
from curation.ui.text import number, plain
from curation.workspace import Workspace


def map_panel(workspace: Workspace, dataset: Dataset, stored: Stored) -> None:
    """The map with everything that belongs to it; runs as a fragment of its own.

    Args:
        workspace: Where the dataset lives.
        dataset: Whose rows.
        stored: The map to show.
    """

    @st.fragment
    def body() -> None:
        marked = Marked(dataset.fingerprint)
        with st.container(horizontal=True, vertical_alignment="bottom", key="map.controls"):
            color_name, color = colour_choice(dataset, key="map.colour")
            chosen = selection_choice(
                dataset, key="map.selection", label="Bring out", none="no selection", newest=False,
                help="Picked rows stand out, and each row says why it is in or out",
            )  # fmt: skip
            named = isinstance(color, Labels) and st.toggle("Names on the map", True, key="map.names")
        layout = pool.layout_of(stored)
        overlay = marked.look(f"{stored.key}.{color_name}.{chosen and chosen.key}.{named}")
        lit = None
        if len(overlay):
            lit = np.zeros(len(dataset), bool)
            lit[overlay] = True
        elif chosen is not None:
            lit = chosen.selection.mask
        figure = figure_of(
            dataset, layout, stored.key, color=color, color_name=color_name, selected=lit, names_on_map=named
        )
        drawn = gesture(figure, key=f"map.chart.{marked.turn}")
        if marked.take(drawn, rows_meant(figure, layout, drawn)):
            st.rerun()
        _notes(dataset, stored, len(figure.data[0].customdata) if figure.data else 0)
        _marked(workspace, dataset, marked, chosen, color_name, color)

    body()


def _notes(dataset: Dataset, stored: Stored, drawn: int) -> None:
    from curation.figures.map import outside_view

    layout = pool.layout_of(stored)
    missing = int(layout.missing.mask.sum())
    notes = []
    if drawn < len(dataset) - missing:
        notes.append(
            f"{number(drawn)} of {number(len(dataset))} points are drawn, some from every part of the map; the legend "
            "counts these, a lasso or box counts for all rows"
        )
    beyond = outside_view(np.asarray(layout.xy))
    if beyond:
        notes.append(f"{number(beyond)} far rows lie outside the first view: *Autoscale* above the map shows all")
    for reason, count in layout.missing.counts().items():
        notes.append(f"{number(count)} rows have no place: {plain(reason)}")
    if layout.preview:
        notes.append("preview by the words used")
    else:
        notes.append("near means alike; the distance between islands means little")
    st.caption(f":material/info: {'. '.join(n[:1].upper() + n[1:] for n in notes)}.")


def _marked(
    workspace: Workspace, dataset: Dataset, marked: Marked, chosen: Stored | None, color_name: str, color: object
) -> None:
    """What is marked: numbers, actions, the table, and the row that is clicked in it."""
    rows = marked.rows
    if not len(rows):
        st.markdown(
            ":material/lasso_select: **Draw around points** with the lasso or a box, or click one, to read rows here."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center", key="map.actions"):
        st.markdown(f"#### {number(len(rows))} rows marked", width="stretch")
        if kept_already(dataset, rows):
            st.badge("kept as a selection", icon=":material/check:", color="green")
            next_step("Export them", "pages/export.py", primary=False)
        elif st.button(
            "Keep as a selection", icon=":material/bookmark_add:", key="map.keep", shortcut="K",
            help="Stores these rows: select within them, compare, or export them",
        ):  # fmt: skip
            keep_rows(workspace, dataset, rows)
        others = np.setdiff1d(np.arange(len(dataset)), rows)
        st.button(
            "Mark the others", icon=":material/flip:", key="map.invert", help="Mark all rows but these",
            on_click=marked.set, args=(others,),
        )  # fmt: skip
        st.button(
            "Clear", icon=":material/close:", key="map.clear", shortcut="Escape",
            on_click=marked.set, args=(np.empty(0, np.int64),),
        )  # fmt: skip
    marked_facts(dataset, rows, chosen)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        clicked = marked_table(dataset, rows, color_name, color)  # type: ignore[arg-type]
    with right:
        row = clicked if clicked is not None else int(rows[0]) if len(rows) == 1 else None
        if row is None:
            st.caption(":material/touch_app: Click a row in the table to read it in full.")
        else:
            detail(dataset, row, chosen)
