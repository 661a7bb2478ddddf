"""What only some methods can tell about a selection: rows kept at other limits, the linear fit, whom picks serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Selection
from curation.ui.components import Tile, chart, mode, stat_tiles
from curation.ui.text import number, plain

MOST_QUERIES = 200
LEFT_OUT = "R² of rows left out"
WEAK_FIT = 0.2
"""Share of variance below which the linear model is called weak."""


def method_facts(selection: Selection, key: str) -> None:
    """Everything of this kind that a selection carries; nothing for most."""
    info = selection.info
    if info.get("curve"):
        _curve(info, key)
    elif info.get("no_curve"):
        st.caption(f":material/show_chart: {plain(str(info['no_curve']))}.")
    if info.get("fit"):
        _fit(info)
    if LEFT_OUT in info:
        _coreset(info)
    if info.get("served"):
        _served(info)
    for note in info.get("notes", []):
        st.caption(f":material/info: {plain(str(note))}.")
    if len(selection.weights):
        st.caption(
            f":material/balance: The rows carry weights from {number(float(np.min(selection.weights)))} to "
            f"{number(float(np.max(selection.weights)))}; decisions.parquet of an export holds them."
        )


def _curve(info: Mapping[str, Any], key: str) -> None:
    """Rows kept against the limit of similarity, from what was counted at selection time."""
    from curation.figures.kept_curve import kept_curve_figure

    limits, kept = np.array(info["curve"]["max_similarity"]), np.array(info["curve"]["kept"])
    chosen = float(info["max_similarity"])
    with st.expander("Rows kept at other limits of similarity", icon=":material/show_chart:", expanded=True):
        options = [float(x) for x in limits]
        at = min(options, key=lambda x: abs(x - chosen))
        looked_at = st.select_slider(
            "Limit", options, at, key=f"select.limit.{key}", format_func=lambda x: f"{x:.3f}",
            help="Counted without a budget; the dotted line is the limit of this selection. A limit fits one encoder",
        )  # fmt: skip
        rows = int(kept[options.index(looked_at)])
        st.markdown(f"At **{looked_at:.3f}** the filter keeps **{number(rows)}** rows before the budget ends it.")
        chart(
            kept_curve_figure(limits, kept, chosen=chosen, looked_at=looked_at, mode=mode()),
            key=f"select.kept.{key}.{looked_at}", alt="Rows kept at other limits",
        )  # fmt: skip


def _fit(info: Mapping[str, Any]) -> None:
    """How well the linear model behind a Bayesian selector explains a real signal: its known weakness, measured."""
    if info.get("fit_r2") is None:
        st.info(f"Fit of the linear model: {plain(str(info['fit']))}.", icon=":material/ssid_chart:")
        return
    folds = [float(x) for x in info.get("fit_r2_by_fold", [])]
    spread = f"{min(folds):.2f} to {max(folds):.2f} over {len(folds)} folds" if folds else "rows left out"
    tiles = [
        Tile(
            "Linear fit, R²", f"{float(info['fit_r2']):.2f}", "What a linear model on these features explains of the "
            "signal, on rows left out. Near 0 the method's picture of the pool says little about it", spread,
        ),
    ]  # fmt: skip
    if info.get("fit_rank_correlation") is not None:
        rho = f"{float(info['fit_rank_correlation']):.2f}"
        tiles.append(Tile("Rank correlation", rho, "Between prediction and signal, on rows left out", "−1 to 1"))
    stat_tiles(tiles)
    st.caption(f":material/ssid_chart: The line was fitted to {plain(str(info.get('fit_signal', 'the signal')))}.")
    if float(info["fit_r2"]) < WEAK_FIT:
        st.warning(
            "The linear model that this method stands on explains little of the signal: what it calls informative here "
            "may not be what a network learns from.",
            icon=":material/warning:",
        )


def _coreset(info: Mapping[str, Any]) -> None:
    """How close the weighted rows come to all rows, and how good the line behind them is."""
    share = float(info["error left, share"])
    stat_tiles(
        [
            Tile("Linear fit, R²", f"{float(info[LEFT_OUT]):.2f}", "What the line explains of the signal, each row "
                 "foretold without itself. Near 0 the method's picture of the pool says little about it",
                 plain(str(info["signal"]))),
            Tile("Error left", f"{100 * share:.1f} %", "How far the weighted rows are from the sum over all rows, as a "
                 "share of taking none; above 100 % is worse than none", "0 % is exact"),
            Tile("Steps", number(int(info["steps"])), "Of the search", plain(str(info["ended"]))),
        ]
    )  # fmt: skip


def _served(info: Mapping[str, Any]) -> None:
    """How many picks every query got."""
    served = np.array(info["served"], np.int64)
    queries, counts = np.unique(served, return_counts=True)
    order = np.lexsort((queries, -counts))[:MOST_QUERIES]
    with st.expander(
        f"{number(len(queries))} of {number(int(info.get('queries', len(queries))))} queries are served",
        icon=":material/target:",
    ):
        st.dataframe(
            [{"query row": int(queries[i]), "picks": int(counts[i])} for i in order], hide_index=True,
            key="select.served", alt="Picks of every query",
        )  # fmt: skip
        if len(served) < int(info.get("picks", len(served))):
            st.caption(f"Counted over the first {number(len(served))} picks.")


def serves(selection: Selection, row: int) -> str:
    """Which query a picked row serves, "" where that is not known."""
    served = selection.info.get("served")
    place = np.flatnonzero(np.asarray(selection.order) == row)
    if not served or not len(place) or place[0] >= len(served):
        return ""
    return f"it serves query row {int(served[place[0]]):,}"
