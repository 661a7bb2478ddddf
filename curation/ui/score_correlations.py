"""Rank correlations of all scores with each other and with length, and the strongest pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.linalg.rank_correlation import SAMPLE, Correlations, cluster_order
from curation.ui.components import chart, mode
from curation.ui.pool import Stored
from curation.ui.score_facts import Numbers, correlations_of, numbers_of
from curation.ui.text import number

PAIRS = 12
MOST = 40
"""More columns than this are no longer readable."""


def correlations_panel(dataset: Dataset, found: Sequence[Stored], look_at: Callable[[Numbers, Numbers], None]) -> None:
    """The table of colours and the strongest pairs; `look_at` is called with a pair before the page is drawn anew."""
    from curation.figures.rank_correlation import rank_correlation_figure

    every = numbers_of(found)
    if len(every) > MOST:
        st.caption(f"The first {MOST - 2} of {len(found)} scores, and the lengths.")
        every = every[: MOST - 2] + every[-2:]
    with st.spinner("Ranking …", show_time=False):
        table = correlations_of(every, dataset)
    names = [n.name for n in every]
    chart(
        rank_correlation_figure(names, table.rho, table.rows, cluster_order(table.rho), mode=mode()),
        key="scores.correlations", alt="Rank correlations of all scores",
    )  # fmt: skip
    st.caption(_how(table))
    st.markdown("**Strongest pairs**")
    _pairs(every, table, look_at)


def _how(table: Correlations) -> str:
    text = (
        "Spearman's ρ over the rows that both have; scores that say the same stand together (average linkage on "
        "1 − |ρ|)."
    )
    if table.of > SAMPLE:
        text += (
            f" From a fixed sample of {number(SAMPLE)} of {number(table.of)} rows: standard error at most "
            f"{table.worst_error():.4f}."
        )
    return text


def strongest(table: Correlations, most: int = PAIRS) -> list[tuple[int, int]]:
    """Pairs by |ρ|, the largest first; those without a correlation are left out."""
    low, high = np.tril_indices(len(table.rho), -1)[::-1]
    strength = np.abs(table.rho[low, high])
    order = np.argsort(-np.nan_to_num(strength, nan=-1.0), kind="stable")[:most]
    return [(int(low[i]), int(high[i])) for i in order if np.isfinite(strength[i])]


def _pairs(every: Sequence[Numbers], table: Correlations, look_at: Callable[[Numbers, Numbers], None]) -> None:
    pairs = strongest(table)
    if not pairs:
        st.caption("No pair has a rank correlation.")
        return
    lines = [
        {"ρ": float(table.rho[i, j]), "one": every[i].name, "other": every[j].name, "rows": int(table.rows[i, j])}
        for i, j in pairs
    ]
    key = f"scores.pairs.{len(every)}"
    st.dataframe(
        lines, hide_index=True, key=key, on_select="rerun", selection_mode="single-row",
        column_config={
            "ρ": st.column_config.NumberColumn("ρ", format="%.3f", width="small"),
            "rows": st.column_config.NumberColumn("rows", format="localized", width="small"),
        },
        alt="Pairs of scores by rank correlation",
    )  # fmt: skip
    rows = st.session_state[key]["selection"]["rows"] if key in st.session_state else []
    chosen = pairs[rows[0]] if rows and rows[0] < len(pairs) else None
    st.button(
        "Plot this pair", icon=":material/scatter_plot:", key="scores.pairs.plot", disabled=chosen is None,
        on_click=(lambda: look_at(every[chosen[0]], every[chosen[1]])) if chosen is not None else None,
        help="Choose a line first",
    )  # fmt: skip
