"""Rows to read: those that one selection takes alone, those that all take; and the rows that most agree on, kept."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.comparison import Comparison
from curation.comparison.consensus import consensus_recipe
from curation.comparison.drawing import at_least, draw_agreement
from curation.comparison.membership import agreed, left_by_one, only, taken_by_all
from curation.core.dataset import Dataset
from curation.figures.arms import letter
from curation.ui import compare_data as data
from curation.ui import session
from curation.ui.compare_data import Compared
from curation.ui.compare_maps import taken_by
from curation.ui.components import chart, errors_shown, mode
from curation.ui.row_panel import row_panel
from curation.ui.rows import row_table
from curation.ui.run_panel import start_now
from curation.ui.select_ask import SELECTION
from curation.ui.text import number, plain
from curation.workspace import Workspace

ALL = "all"


@st.fragment
def rows_panel(dataset: Dataset, what: Compared) -> None:
    """Tabs over sets of rows; a click opens one."""
    found = data.comparison(what)
    st.markdown("##### Rows to read")
    sets = {ALL: "all take", **{f"only {at}": f"only {letter(at)}" for at in range(len(found.arms))}}
    if len(found.arms) > 2:
        sets |= {f"not {at}": f"all but {letter(at)}" for at in range(len(found.arms))}
    if st.session_state.get("compare.which") not in sets:
        st.session_state["compare.which"] = next((w for w in sets if len(rows_of(found, w)[0])), ALL)
    which = st.segmented_control(
        "Rows", list(sets), key="compare.which", required=True, format_func=sets.__getitem__, wrap=True,
        label_visibility="collapsed",
    )  # fmt: skip
    rows, said = rows_of(found, str(which))
    st.caption(f"{number(len(rows))} rows {said}.")
    if not len(rows):
        return
    clicked = row_table(
        dataset, rows, key=f"compare.rows.{what.slug}.{which}", columns={"taken by": data.votes_of(what)}
    )
    if clicked is not None:
        facts = " · ".join(f"{plain(name)}: {text}" for name, text in taken_by(found, clicked).items())
        st.caption(f"Row {clicked:,} as it was clicked: {facts}")
        row_panel(session.workspace(), dataset, clicked, key="compare.row", rows=rows, wide=True)


def rows_of(found: Comparison, which: str) -> tuple[np.ndarray, str]:
    """The rows of a tab, int64, and what they are."""
    kind, _, place = which.partition(" ")
    if kind == ALL:
        return taken_by_all(found), "that every selection takes, best mean rank first"
    arm = found.arms[int(place)]
    if kind == "only":
        return only(found, arm.name), f"that only {plain(arm.name)} takes, in its pick order"
    return left_by_one(found, arm.name), f"that all others take and {plain(arm.name)} does not"


@st.fragment
def agreement_panel(workspace: Workspace, dataset: Dataset, what: Compared) -> None:
    """How many rows at least m selections take; a slider sets m, a button keeps them."""
    found = data.comparison(what)
    st.markdown("##### Rows that most agree on")
    count = len(found.arms)
    key = f"compare.agree.{count}"
    start = min(max(2, (count + 1) // 2), count)
    m = int(st.slider("Chosen by at least", 1, count, start, key=key, help="So many of the selections take a row"))
    chart(
        draw_agreement(found, m, mode()), key=f"compare.agreement.{what.slug}.{m}",
        alt="Rows that at least so many selections take, and by chance",
    )  # fmt: skip
    counts, expected = at_least(found)
    rows, chance = int(counts[m - 1]), float(expected[m - 1])
    st.markdown(
        f"**{number(rows)}** rows are chosen by at least **{m}** of {count}; random picks of these sizes would agree "
        f"on {number(round(chance, 1))}."
    )
    if st.button("Keep as a selection", icon=":material/save:", key="compare.keep", disabled=not rows):
        keep(workspace, dataset, what, m)
    if rows:
        box = st.expander("Read them", icon=":material/table_rows:", on_change="rerun", key="compare.agreed")
        if box.open:
            with box:
                row_table(dataset, agreed(found, m), key=f"compare.agreed.{what.slug}.{m}", per_page=10, select=False)


def keep(workspace: Workspace, dataset: Dataset, what: Compared, m: int) -> None:
    """Make a selection of the rows that at least m selections take, and follow it here."""
    with errors_shown(stop=True):
        recipe, bindings = consensus_recipe(workspace, data.comparison(what), m)
    start_now(workspace, recipe, bindings, title=f"{SELECTION}: {dataset.name}, chosen by at least {m}")
