"""The picks in the order they were made, and what each one brought."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

POINTS = 4_000
"""Longer orders are drawn at this many places; first and last are always among them."""


def order_figure(
    gains: np.ndarray,
    *,
    name: str = "gain",
    budget: int | None = None,
    rows: np.ndarray | None = None,
    height: int = 260,
    mode: Mode = "light",
) -> go.Figure:
    """Gain of every pick from the first to the last.

    Args:
        gains: float `[m]` in pick order; NaN or infinite ones (a first pick with nothing to compare with) are gaps.
        name: What a gain is: a distance, a score.
        budget: Picks up to here are kept; later ones are drawn pale.
        rows: int64 `[m]`, the picked rows, shown in the hover.
        height: Pixels.
        mode: Theme it is shown on.
    """
    gains = np.asarray(gains, np.float64)
    if not np.isfinite(gains).any():
        why = "This method gives no gain per pick." if len(gains) else "No rows are picked yet."
        return palette.explained(mode, why, height=height)
    c = palette.colours(mode)
    at = np.unique(np.linspace(0, len(gains) - 1, min(len(gains), POINTS)).astype(np.int64))
    y = np.where(np.isfinite(gains[at]), gains[at], np.nan)
    fig = palette.figure(mode, height=height)
    split = len(gains) if budget is None else min(budget, len(gains))
    for title, part, colour in (("picked", at < split, c.main), ("beyond the budget", at >= split, c.dropped)):
        if part.any():
            fig.add_scatter(
                x=at[part] + 1,
                y=y[part],
                mode="lines" if part.sum() > 1 else "markers",
                line={"color": colour, "width": 2.5},
                name=title,
                customdata=None if rows is None else np.asarray(rows)[at][part],
                hovertemplate="pick %{x:,}"
                + ("" if rows is None else ", row %{customdata}")
                + ": %{y:.4~g}<extra></extra>",
            )
    fig.update_layout(showlegend=False)
    if budget is not None and budget < len(gains):
        fig.add_vline(x=budget, line={"color": c.selected, "width": 2})
    fig.update_xaxes(title_text="pick", tickformat=",d", showgrid=False)
    fig.update_yaxes(title_text=palette.plain(name))
    return fig
