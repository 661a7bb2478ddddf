"""Scores as they arrive while a judge is asked: counts in bins, drawn anew every second or so."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode


def arriving_figure(
    counts: np.ndarray, low: float, high: float, *, name: str = "score", height: int = 220, mode: Mode = "light"
) -> go.Figure:
    """Bars of equal width from the lowest to the highest score that the judge can give.

    Args:
        counts: int `[b]`, rows in each bin so far.
        low: Where the first bin begins.
        high: Where the last bin ends.
        name: Of the score; may be dataset text.
        height: Pixels.
        mode: Theme it is shown on.
    """
    counts = np.asarray(counts, np.float64)
    if not counts.sum():
        return palette.explained(mode, "The first scores appear here as they arrive.", height=height)
    edges = np.linspace(low, high, len(counts) + 1)
    spans = [f"{a:.3g} to {b:.3g}" for a, b in zip(edges[:-1], edges[1:], strict=True)]
    fig = palette.figure(mode, height=height)
    fig.add_bar(
        x=(edges[:-1] + edges[1:]) / 2, y=counts, width=np.diff(edges) * 0.94, customdata=spans,
        marker={"color": palette.colours(mode).main, "line": {"width": 0}},
        hovertemplate="%{customdata}<br>%{y:,} rows<extra></extra>",
    )  # fmt: skip
    fig.update_layout(showlegend=False, bargap=0.0)
    fig.update_xaxes(title_text=palette.plain(name, limit=60), range=[low, high], showgrid=False)
    fig.update_yaxes(title_text="rows so far", tickformat=",d", rangemode="tozero")
    return fig
