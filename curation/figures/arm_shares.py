"""What share of every arm each cluster, source or language has: a symbol per arm, chance as a bar behind them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.arms import arm_looks
from curation.figures.palette import Mode

SHOWN = 18
"""More groups than this: those with the largest share of the pool or of an arm are shown."""


def arm_shares_figure(
    names: Sequence[str],
    labels: Sequence[str],
    pool: np.ndarray,
    shares: np.ndarray,
    *,
    counts: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """A line per group: the share it has in the pool (tick), in random draws (bar) and in every arm (symbols).

    A filled symbol lies outside what a random draw of that arm's size would have; a hollow one does not.

    Args:
        names: `[a]`, arms; may be dataset text.
        labels: `[l]`, groups; may be dataset text.
        pool: float `[l]`, share of the pool.
        shares: float `[a, l]`; NaN for an empty arm.
        counts: int `[a, l]`, rows.
        low: float `[a, l]`, lower end of what chance gives at the arm's size.
        high: float `[a, l]`, upper end.
        height: Pixels; None fits the number of groups.
        mode: Theme it is shown on.
    """
    pool, shares, counts = np.asarray(pool, np.float64), np.asarray(shares, np.float64), np.asarray(counts)
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if not len(labels) or not len(names):
        return palette.explained(mode, "There are no groups to compare yet.", height=height or 200)
    groups = np.arange(len(labels))
    if len(groups) > SHOWN:
        reached = np.where(np.isfinite(shares), shares, 0).max(0, initial=0)
        groups = np.sort(np.argsort(-np.maximum(pool, reached), kind="stable")[:SHOWN])
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height or 116 + 26 * len(groups))
    places = np.arange(len(groups))
    band_low, band_high = np.nanmin(low[:, groups], 0), np.nanmax(high[:, groups], 0)
    fig.add_bar(
        y=places, x=band_high - band_low, base=band_low, orientation="h", width=0.72, marker={"color": c.band},
        name="chance", hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=pool[groups],
        y=places,
        mode="markers",
        marker={"symbol": "line-ns", "size": 18, "line": {"width": 2, "color": c.muted}, "color": c.muted},
        name="pool",
        hovertemplate="pool %{x:.1%}<extra></extra>",
    )
    for place, look in enumerate(arm_looks(names, mode)):
        share = shares[place, groups]
        outside = (share < low[place, groups]) | (share > high[place, groups])
        said = np.where(outside, "outside chance", "no different from chance")
        fig.add_scatter(
            x=share,
            y=places,
            mode="markers",
            marker={
                "symbol": [look.symbol if o else f"{look.symbol}-open" for o in outside],
                "size": 10,
                "color": look.colour,
                "line": {"width": 1.6, "color": [c.background if o else look.colour for o in outside]},
            },
            name=look.label,
            customdata=list(zip(counts[place, groups].tolist(), said.tolist(), strict=True)),
            cliponaxis=False,
            hovertemplate=f"{look.label}<br>%{{x:.1%}}, %{{customdata[0]:,}} rows: %{{customdata[1]}}<extra></extra>",
        )
    most = max(float(np.nanmax([*shares[:, groups].ravel(), *band_high, *pool[groups]])), 1e-9)
    more = len(labels) - len(groups)
    note = f"<br><sup>{more:,} smaller groups are not shown</sup>" if more else ""
    fig.update_layout(legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}, bargap=0.2)
    fig.update_xaxes(
        tickformat=".0%",
        title_text=f"share of the rows{note}", range=[-0.025 * most, 1.06 * most],
    )  # fmt: skip
    fig.update_yaxes(
        tickvals=places, ticktext=palette.names_of([labels[int(g)] for g in groups], limit=34),
        range=[len(groups) - 0.4, -0.6], showgrid=False, ticks="outside", ticklen=6, tickcolor="rgba(0,0,0,0)",
    )  # fmt: skip
    return fig
