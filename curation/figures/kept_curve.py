"""How many rows a similarity limit keeps."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.figures.thinning import even

MARKED = 1_000
"""Limits that are drawn at most."""


def kept_curve_figure(
    limits: np.ndarray, kept: np.ndarray, *, chosen: float, looked_at: float, height: int = 260, mode: Mode = "light"
) -> go.Figure:
    """Rows kept at every limit, with a line at the limit of the selection and one at the limit that is looked at.

    Args:
        limits: float `[g]`, increasing.
        kept: int `[g]`.
        chosen: The selection's own limit.
        looked_at: The slider's.
        height: Pixels.
        mode: Theme it is shown on.
    """
    places = even(len(limits), MARKED)
    limits, kept = np.asarray(limits)[places], np.asarray(kept)[places]
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    fig.add_scatter(
        x=limits,
        y=kept,
        mode="lines+markers",
        line={"color": c.main, "width": 2.5},
        marker={"size": 5, "color": c.main},
        hovertemplate="limit %{x:.3f}: %{y:,} rows<extra></extra>",
        name="rows kept",
    )
    fig.add_vline(x=chosen, line={"color": c.dropped, "width": 2, "dash": "dot"})
    fig.add_vline(x=looked_at, line={"color": c.selected, "width": 2})
    fig.update_layout(showlegend=False)
    fig.update_xaxes(title_text="highest similarity allowed", tickformat=".2f", showgrid=False)
    fig.update_yaxes(title_text="rows kept", tickformat=",d", rangemode="tozero")
    return fig
