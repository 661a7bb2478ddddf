"""How many rows at least m of the arms take, beside what chance would give."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.figures.patterns import add_counts


def agreement_figure(
    counts: np.ndarray,
    expected: np.ndarray,
    *,
    chosen: int | None = None,
    height: int = 230,
    mode: Mode = "light",
) -> go.Figure:
    """A bar for every m from 1 to the number of arms; the chosen one stands out.

    Args:
        counts: int `[a]`, rows that at least 1, 2, ... a arms take.
        expected: float `[a]`, the same if the arms were independent random draws.
        chosen: The m in use.
        height: Pixels.
        mode: Theme it is shown on.
    """
    counts, expected = np.asarray(counts, np.int64), np.asarray(expected, np.float64)
    if not len(counts):
        return palette.explained(mode, "Choose selections to see where they agree.", height=height)
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    m = np.arange(1, len(counts) + 1)
    fig.add_bar(
        x=m,
        y=counts,
        marker={"color": [c.main if v == chosen else c.dropped for v in m], "line": {"width": 0}},
        customdata=expected,
        hovertemplate="at least %{x}: %{y:,} rows<br>chance %{customdata:,.1f}<extra></extra>",
        name="rows",
        showlegend=False,
    )
    add_counts(fig, m, counts, expected, c.text)
    fig.add_scatter(
        x=m,
        y=expected,
        mode="markers",
        marker={"symbol": "line-ew", "size": 30, "line": {"width": 3, "color": c.selected}},
        name="if the picks were random",
        hoverinfo="skip",
    )
    fig.update_layout(
        bargap=0.4, legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 1.0, "xanchor": "right"}
    )
    fig.update_xaxes(title_text="chosen by at least", tickvals=m, range=[0.4, len(m) + 0.6], showgrid=False)
    fig.update_yaxes(title_text="rows", tickformat=",d", rangemode="tozero")
    return fig
