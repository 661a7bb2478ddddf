"""How the coverage of several arms grows with the budget, with random's band behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.arms import arm_looks
from curation.figures.palette import Mode


def arm_coverage_figure(
    names: Sequence[str],
    places: Sequence[int],
    budgets: Sequence[np.ndarray],
    values: Sequence[np.ndarray],
    *,
    ordered: Sequence[bool],
    title: str,
    random_budgets: np.ndarray | None = None,
    random: np.ndarray | None = None,
    lower_is_better: bool = False,
    percent: bool = False,
    height: int = 360,
    mode: Mode = "light",
) -> go.Figure:
    """One line per arm, or one point where its picks have no order; random from lowest to highest with its mean.

    Args:
        names: Of all arms of the comparison; may be dataset text.
        places: `[k]`, places of the arms that were measured.
        budgets: `[k]` arrays, increasing.
        values: `[k]` arrays, as long.
        ordered: `[k]`, False where only the last budget is a selection of its own.
        title: Name of the measure.
        random_budgets: int `[b]`.
        random: float `[seeds, b]`.
        lower_is_better: Written at the axis.
        percent: Show 0 to 1 as per cent.
        height: Pixels.
        mode: Theme it is shown on.
    """
    if not len(places):
        return palette.explained(mode, "Coverage has not been measured for these selections.", height=height)
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    shown = ".1%" if percent else ".4~g"
    if random is not None and random_budgets is not None and len(random):
        _band(fig, np.asarray(random_budgets), np.asarray(random, np.float64), shown, mode)
    looks = arm_looks(names, mode)
    for place, at, value, line in zip(places, budgets, values, ordered, strict=True):
        look = looks[place]
        at, value = np.asarray(at), np.asarray(value, np.float64)
        usable = np.flatnonzero(np.isfinite(value))
        if not len(usable):
            continue
        usable = usable if line else usable[-1:]
        fig.add_scatter(
            x=at[usable],
            y=value[usable],
            mode="lines+markers" if line else "markers",
            name=look.label if line else f"{look.label} (one size)",
            line={"color": look.colour, "width": 2.6, "dash": look.dash},
            marker={
                "color": look.colour,
                "symbol": look.symbol,
                "size": [0] * (len(usable) - 1) + [10],
                "line": {"width": 1, "color": c.background},
            },
            hovertemplate=f"{look.letter}: %{{y:{shown}}} at %{{x:,}} rows<extra></extra>",
        )
    direction = "lower is better" if lower_is_better else "higher is better"
    fig.update_layout(
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"}, hovermode="closest"
    )
    fig.update_xaxes(title_text="rows selected", tickformat=",d", showgrid=False, rangemode="tozero")
    fig.update_yaxes(title_text=f"{palette.plain(title)} ({direction})", tickformat=".0%" if percent else None)
    return fig


def _band(fig: go.Figure, budgets: np.ndarray, random: np.ndarray, shown: str, mode: Mode) -> None:
    c = palette.colours(mode)
    usable = np.isfinite(random).any(0)
    budgets, random = budgets[usable], random[:, usable]
    if not len(budgets):
        return
    edge = {"width": 0, "color": c.muted}
    fig.add_scatter(
        x=budgets, y=np.nanmin(random, 0), mode="lines", line=edge, hoverinfo="skip", showlegend=False, name="low"
    )
    fig.add_scatter(
        x=budgets, y=np.nanmax(random, 0), mode="lines", line=edge, fill="tonexty", fillcolor=c.band, hoverinfo="skip",
        name=f"random, {len(random)} draws",
    )  # fmt: skip
    fig.add_scatter(
        x=budgets,
        y=np.nanmean(random, 0),
        mode="lines",
        name="random, mean",
        line={"color": c.muted, "width": 1.5, "dash": "dot"},
        hovertemplate=f"random %{{y:{shown}}}<extra></extra>",
    )
