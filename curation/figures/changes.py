"""What a selection has that an older one had not, and the other way around, by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

SHOWN = 15
"""More groups than this: those that change most are shown."""


def changes_figure(
    labels: Sequence[str],
    added: np.ndarray,
    removed: np.ndarray,
    kept: np.ndarray,
    *,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Bars to the right for added rows, to the left for removed ones, largest change first.

    Args:
        labels: `[l]`, groups; may be dataset text.
        added: int `[l]`, rows.
        removed: int `[l]`.
        kept: int `[l]`, shown on hover.
        height: Pixels; None fits the number of groups.
        mode: Theme it is shown on.
    """
    added, removed, kept = (np.asarray(a, np.int64) for a in (added, removed, kept))
    changing = np.flatnonzero(added + removed)
    if not len(changing):
        return palette.explained(mode, "Both take the same rows.", height=height or 160)
    order = changing[np.argsort(-(added + removed)[changing], kind="stable")]
    more = len(order) - SHOWN
    order = order[:SHOWN]
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height or 100 + 26 * len(order))
    places = np.arange(len(order))
    for values, sign, name, colour in ((added, 1, "added", c.main), (removed, -1, "removed", c.selected)):
        fig.add_bar(
            y=places,
            x=sign * values[order],
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            customdata=np.stack([values[order], kept[order]], 1),
            hovertemplate=f"%{{customdata[0]:,}} {name}, %{{customdata[1]:,}} kept<extra></extra>",
        )
    note = f"<br><sup>the {SHOWN} groups of {SHOWN + more:,} that change most</sup>" if more > 0 else ""
    most = int(max(added[order].max(), removed[order].max()))
    ticks = [v for v in dict.fromkeys((-most, -(most // 2), 0, most // 2, most))]
    fig.add_vline(x=0, line={"color": c.muted, "width": 1})
    fig.update_layout(
        barmode="relative", bargap=0.3, legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}
    )
    fig.update_xaxes(title_text=f"rows{note}", tickvals=ticks, ticktext=[f"{abs(v):,}" for v in ticks])
    fig.update_yaxes(
        tickvals=places, ticktext=palette.names_of([labels[int(i)] for i in order], limit=34),
        range=[len(order) - 0.4, -0.6], showgrid=False,
    )  # fmt: skip
    return fig
