"""Rank correlations of all scores with each other, and with length, as a table of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

WRITTEN = 14
"""Up to so many columns the numbers stand in the cells."""
LETTERS = 26


def diverging(mode: Mode) -> list[tuple[float, str]]:
    """Blue for −1, the background for 0, orange for 1: told apart also without red and green."""
    low, high = ("#0264A3", "#C2500F") if mode == "light" else ("#3FA0E8", "#F08A4B")
    return [(0.0, low), (0.5, palette.colours(mode).background), (1.0, high)]


def short_names(names: Sequence[str], limit: int = LETTERS) -> list[str]:
    """Names for an axis: safe, short, and still different where they were."""
    taken: dict[str, int] = {}
    made = []
    for name in names:
        text = palette.plain(name, limit=limit)
        taken[text] = taken.get(text, 0) + 1
        made.append(text if taken[text] == 1 else f"{text} ({taken[text]})")
    return made


def rank_correlation_figure(
    names: Sequence[str],
    rho: np.ndarray,
    rows: np.ndarray,
    order: np.ndarray,
    *,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """A heat map of ρ from −1 to 1; cells without a correlation stay clear.

    Args:
        names: `[k]`, of the columns; may be dataset text.
        rho: float `[k, k]`, NaN where there is none.
        rows: int `[k, k]`, rows that both have.
        order: int `[k]`, from left to right and from top to bottom.
        height: Pixels; None fits the number of columns.
        mode: Theme it is shown on.
    """
    order = np.asarray(order, np.int64)
    k = len(order)
    if k < 2:
        return palette.explained(mode, "Two scores are needed to correlate them.", height=height or 240)
    labels = short_names([names[i] for i in order])
    values, counts = rho[np.ix_(order, order)].round(3), rows[np.ix_(order, order)]
    long = [palette.plain(names[i], limit=60) for i in order]
    fig = palette.figure(mode, height=height or 190 + 30 * k)
    fig.add_heatmap(
        z=values,
        x=np.arange(k),
        y=np.arange(k),
        zmin=-1,
        zmax=1,
        colorscale=diverging(mode),
        xgap=1,
        ygap=1,
        hoverongaps=False,
        customdata=[
            [f"{a}<br>{b}<br>{counts[i, j]:,} rows have both" for j, b in enumerate(long)] for i, a in enumerate(long)
        ],
        hovertemplate="%{customdata}<br>ρ = %{z:.2f}<extra></extra>",
        colorbar={
            "title": {"text": "ρ"},
            "thickness": 10,
            "len": 0.7,
            "outlinewidth": 0,
            "tickvals": [-1, -0.5, 0, 0.5, 1],
        },
    )
    if k <= WRITTEN:
        written = [[_written(v) for v in line] for line in values]
        fig.update_traces(text=written, texttemplate="%{text}", textfont={"size": 11})
    places = list(range(k))
    fig.update_xaxes(tickvals=places, ticktext=labels, tickangle=-40, showgrid=False, constrain="domain")
    fig.update_yaxes(tickvals=places, ticktext=labels, autorange="reversed", showgrid=False)
    return fig


def _written(rho: float) -> str:
    """As short as two digits go: .53, −.07, 1."""
    if not np.isfinite(rho):
        return ""
    text = f"{abs(rho):.2f}"
    short = "1" if text == "1.00" else text[1:]
    return f"−{short}" if rho < 0 and text != "0.00" else short
