"""What share of every category a judge's threshold keeps, beside the share of all rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

SHOWN = 20
"""Categories that are drawn, the largest; a table holds the others."""


def retention_figure(
    names: Sequence[str],
    kept: np.ndarray,
    scored: np.ndarray,
    low: np.ndarray,
    *,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Horizontal bars of shares kept, largest category first; those that stand out downwards in another colour.

    Args:
        names: `[g]`, largest first; may be dataset text.
        kept: int `[g]`.
        scored: int `[g]`, rows with a score.
        low: bool `[g]`, far fewer kept than overall.
        height: Pixels; None fits the number of categories.
        mode: Theme it is shown on.

    Returns:
        One trace of bars, and a dotted line at the share of all rows.
    """
    kept, scored, low = np.asarray(kept, np.int64), np.asarray(scored, np.int64), np.asarray(low, bool)
    if not scored.sum():
        return palette.explained(mode, "No row has a score yet.", height=height or 240)
    share = kept / np.maximum(scored, 1)
    overall = kept.sum() / scored.sum()
    g = min(len(names), SHOWN)
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height or 96 + 26 * g)
    places = np.arange(g)
    fig.add_bar(
        y=places, x=share[:g], orientation="h", name="kept",
        marker={"color": [c.selected if bad else c.main for bad in low[:g]], "line": {"width": 0}},
        customdata=np.stack([kept[:g], scored[:g]], 1).tolist(),
        hovertemplate="%{customdata[0]:,} of %{customdata[1]:,} rows kept, %{x:.1%}<extra></extra>",
    )  # fmt: skip
    fig.add_vline(
        x=float(overall), line={"color": c.muted, "width": 2, "dash": "dot"},
        annotation={"text": f"all rows {overall:.0%}", "font": {"color": c.muted, "size": 12}, "yanchor": "bottom"},
        annotation_position="top",
    )  # fmt: skip
    fig.update_layout(showlegend=False, bargap=0.3)
    fig.update_xaxes(tickformat=".0%", rangemode="tozero", title_text="share of its rows that is kept")
    fig.update_yaxes(
        tickvals=places, ticktext=palette.names_of(list(names[:g]), limit=30), autorange="reversed", showgrid=False
    )
    return fig
