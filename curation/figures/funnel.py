"""How many rows are left after each stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode


def funnel_figure(
    names: Sequence[str], counts: np.ndarray, *, height: int | None = None, mode: Mode = "light"
) -> go.Figure:
    """One bar a stage from the top down: what is left, and beside it what this stage took.

    Args:
        names: `[s]`, the first is that of all rows.
        counts: int `[s]`, never increasing.
        height: Pixels; None fits the number of stages.
        mode: Theme it is shown on.
    """
    counts = np.asarray(counts, np.int64)
    taken = -np.diff(counts, prepend=counts[:1])
    c = palette.colours(mode)
    places = np.arange(len(counts))
    fig = palette.figure(mode, height=height or 70 + 46 * len(counts))
    for name, values, colour, on_it, text in (
        ("left", counts, c.main, c.background, [f"{v:,}" for v in counts]),
        ("taken by this stage", taken, c.dropped, c.text, [f"−{v:,}" if v else "" for v in taken]),
    ):
        fig.add_bar(
            y=places,
            x=values,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            text=text,
            textposition="auto",
            textangle=0,
            insidetextfont={"color": on_it},
            hovertemplate="%{x:,} rows<extra></extra>",
        )
    fig.update_layout(
        barmode="stack",
        bargap=0.3,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    )
    # every number stands at its bar, so no axis; the one beside a narrow bar needs room, also in a narrow figure
    fig.update_xaxes(visible=False, range=[0, 1.15 * max(int(counts[0]), 1)])
    fig.update_yaxes(
        ticklabelstandoff=6,
        tickvals=places,
        ticktext=palette.names_of(list(names)),
        autorange="reversed",
        showgrid=False,
    )
    return fig
