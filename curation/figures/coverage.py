"""How coverage grows with the budget, beside random."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.figures.thinning import even

KNEE_BEND = 0.1
"""A curve that leaves the straight line by less than this share of its range has no knee worth marking."""


def knee(budgets: np.ndarray, values: np.ndarray) -> int | None:
    """Index of the point farthest from the straight line between the ends (the idea of Kneedle), None without a bend.

    Args:
        budgets: Increasing, `[b]`.
        values: `[b]`, rising or falling; NaN is skipped.
    """
    usable = np.flatnonzero(np.isfinite(values))
    if len(usable) < 3:
        return None
    x, y = np.asarray(budgets, np.float64)[usable], np.asarray(values, np.float64)[usable]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    x, y = (x - x[0]) / np.ptp(x), (y - y[0]) / np.ptp(y)
    bend = np.abs(y - x * y[-1])
    best = int(bend.argmax())
    return int(usable[best]) if bend[best] >= KNEE_BEND else None


def coverage_figure(
    budgets: np.ndarray,
    values: np.ndarray,
    *,
    random: np.ndarray | None = None,
    name: str = "coverage",
    lower_is_better: bool = False,
    budget: int | None = None,
    percent: bool = False,
    height: int = 320,
    mode: Mode = "light",
) -> go.Figure:
    """One measure over the budget, with random's band behind it and the knee marked.

    Args:
        budgets: int `[b]`, increasing.
        values: float `[b]`, the selection's measure.
        random: float `[seeds, b]`, the same for uniform random picks; drawn from lowest to highest with their mean.
        name: Title of the axis.
        lower_is_better: Written at the axis.
        budget: The budget in use, marked by a line.
        percent: Show 0 to 1 as per cent.
        height: Pixels.
        mode: Theme it is shown on.
    """
    if not len(budgets):
        return palette.explained(
            mode, "No coverage yet. Select rows, then measure how well they cover the pool.", height=height
        )
    at = knee(budgets, values)
    knee_at = None if at is None else (budgets[at], values[at])
    places = even(len(budgets))
    budgets, values = budgets[places], values[places]
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    shown = ".1%" if percent else ".4~g"
    if random is not None and len(random):
        random = np.asarray(random)[:, places]
        low, mean, high = np.nanmin(random, 0), np.nanmean(random, 0), np.nanmax(random, 0)
        edge = {"width": 0, "color": c.muted}
        fig.add_scatter(x=budgets, y=low, mode="lines", line=edge, hoverinfo="skip", showlegend=False)
        fig.add_scatter(
            x=budgets,
            y=high,
            mode="lines",
            line=edge,
            fill="tonexty",
            fillcolor=c.band,
            hoverinfo="skip",
            name=f"random, {len(random)} seeds",
        )
        fig.add_scatter(
            x=budgets,
            y=mean,
            mode="lines",
            name="random, mean",
            line={"color": c.muted, "width": 1.5, "dash": "dot"},
            hovertemplate=f"random %{{y:{shown}}}<extra></extra>",
        )
    fig.add_scatter(
        x=budgets,
        y=values,
        mode="lines",
        name="this selection",
        line={"color": c.main, "width": 3},
        hovertemplate=f"%{{x:,}} rows: %{{y:{shown}}}<extra></extra>",
    )
    if knee_at is not None:
        fig.add_scatter(
            x=[knee_at[0]],
            y=[knee_at[1]],
            mode="markers",
            name=f"knee at {int(knee_at[0]):,} rows",
            marker={"color": c.selected, "size": 10, "line": {"color": c.background, "width": 2}},
            hovertemplate=f"knee: after %{{x:,}} rows each further row brings little<br>%{{y:{shown}}}<extra></extra>",
        )
    if budget is not None:
        fig.add_vline(x=budget, line={"color": c.muted, "width": 1, "dash": "dash"})
    direction = "lower is better" if lower_is_better else "higher is better"
    fig.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, hovermode="x")
    fig.update_xaxes(title_text="rows selected", tickformat=",d", showgrid=False)
    fig.update_yaxes(title_text=f"{palette.plain(name)} ({direction})", tickformat=".0%" if percent else None)
    return fig
