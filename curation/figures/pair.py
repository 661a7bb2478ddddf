"""Two scores of the same rows: points while they are few, exact counts on a grid when they are many, and a brush."""

from __future__ import annotations

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

POINTS = 2_000
"""Above this many rows the grid is drawn, unless points are asked for."""
SAMPLE = 5_000
"""At most so many points are drawn: what a brush encloses comes back point by point."""
CELLS = 60
REACH = 1.0
LOG_FROM = 4.0


def axis_range(values: np.ndarray) -> tuple[float, float, bool]:
    """What an axis shows: the middle 98 % and as much again on either side, logarithmic for positive heavy tails.

    Args:
        values: float64, finite, at least one.

    Returns:
        Lowest, highest (above it), and whether it is logarithmic.
    """
    low, q01, q50, q99, high = (float(v) for v in np.quantile(values, [0, 0.01, 0.5, 0.99, 1]))
    if low > 0 and q99 > LOG_FROM * q50 and q50 * q50 > q01 * q99 / LOG_FROM**2:
        return low, high, True
    reach = REACH * (q99 - q01)
    first, last = max(low, q01 - reach), min(high, q99 + reach)
    if last <= first:
        first, last = low, high
    return (first, last, False) if last > first else (first - 0.5, last + 0.5, False)


def pair_figure(
    x: np.ndarray,
    y: np.ndarray,
    *,
    x_name: str,
    y_name: str,
    show: Literal["auto", "points", "grid"] = "auto",
    box: tuple[float | None, float | None, float | None, float | None] | None = None,
    height: int = 460,
    mode: Mode = "light",
) -> go.Figure:
    """One score against another.

    The grid counts every row that has both, those beyond the axes in its outermost cells; points are a fixed sample.

    Args:
        x: float `[n]`, NaN = missing.
        y: float `[n]`.
        x_name: Title of the horizontal axis; may be dataset text.
        y_name: Title of the vertical one.
        show: What to draw; auto = points up to 2,000 rows.
        box: Lowest and highest x, lowest and highest y of the cut that is shown, None = no bound.
        height: Pixels.
        mode: Theme it is shown on.

    Returns:
        A figure in which a box can be drawn.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    both = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(both):
        return palette.explained(mode, "No row has both scores, so there is nothing to compare.", height=height)
    x, y = x[both], y[both]
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    x0, x1, x_log = axis_range(x)
    y0, y1, y_log = axis_range(y)
    note = ""
    if show == "points" or (show == "auto" and len(x) <= POINTS):
        drawn = np.arange(len(x))
        if len(x) > SAMPLE:
            drawn = np.sort(np.random.default_rng(0).choice(len(x), SAMPLE, replace=False))
            note = f"{SAMPLE:,} of {len(x):,} rows drawn"
        fig.add_scattergl(
            x=x[drawn].astype(np.float32), y=y[drawn].astype(np.float32), mode="markers", name="rows",
            marker={"color": c.main, "size": 4, "opacity": 0.5}, hovertemplate="%{x:.4~g}, %{y:.4~g}<extra></extra>",
        )  # fmt: skip
    else:
        _add_grid(fig, x, y, (x0, x1, x_log), (y0, y1, y_log), mode)
        note = f"all {len(x):,} rows counted"
    if box is not None and any(bound is not None for bound in box):
        _add_box(fig, box, (x0, x1), (y0, y1), mode)
    title = palette.plain(x_name) + (f"<br><sup>{note}</sup>" if note else "")
    fig.update_layout(dragmode="select", showlegend=False, clickmode="event")
    fig.update_xaxes(title_text=title, showgrid=False, **_shown(x0, x1, x_log))
    fig.update_yaxes(title_text=palette.plain(y_name), **_shown(y0, y1, y_log))
    return fig


def _shown(low: float, high: float, log: bool) -> dict[str, object]:
    if log:
        pad = 0.03 * np.log10(high / low)
        step = 1 if high > 100 * low else "D2"
        return {"type": "log", "range": [np.log10(low) - pad, np.log10(high) + pad], "dtick": step}
    pad = 0.03 * (high - low)
    return {"range": [low - pad, high + pad]}


def _edges(low: float, high: float, log: bool) -> np.ndarray:
    return np.geomspace(low, high, CELLS + 1) if log else np.linspace(low, high, CELLS + 1)


def _middle(edges: np.ndarray, log: bool) -> np.ndarray:
    return np.sqrt(edges[:-1] * edges[1:]) if log else (edges[:-1] + edges[1:]) / 2


def _add_grid(
    fig: go.Figure,
    x: np.ndarray,
    y: np.ndarray,
    across: tuple[float, float, bool],
    up: tuple[float, float, bool],
    mode: Mode,
) -> None:
    x_edges, y_edges = _edges(*across), _edges(*up)
    inside = (np.clip(x, x_edges[0], x_edges[-1]), np.clip(y, y_edges[0], y_edges[-1]))
    counts = np.histogram2d(*inside, (x_edges, y_edges))[0].T.astype(np.int32)
    shade = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan).astype(np.float32)
    fig.add_heatmap(
        x=_middle(x_edges, across[2]), y=_middle(y_edges, up[2]), z=shade, customdata=counts,
        colorscale=palette.colour_scale(mode), showscale=False, hoverongaps=False,
        hovertemplate="%{customdata:,} rows<extra></extra>", name="rows",
    )  # fmt: skip
    # plotly lets a box be drawn only where some trace has points that can be selected
    fig.add_scatter(
        x=[x_edges[0], x_edges[-1]], y=[y_edges[0], y_edges[-1]], mode="markers", hoverinfo="skip", name="corners",
        marker={"opacity": 0, "size": 1},
    )  # fmt: skip


def _add_box(
    fig: go.Figure,
    box: tuple[float | None, float | None, float | None, float | None],
    across: tuple[float, float],
    up: tuple[float, float],
    mode: Mode,
) -> None:
    x_low, x_high, y_low, y_high = box
    colour = palette.colours(mode).selected
    fig.add_shape(
        type="rect",
        x0=across[0] if x_low is None else x_low, x1=across[1] if x_high is None else x_high,
        y0=up[0] if y_low is None else y_low, y1=up[1] if y_high is None else y_high,
        line={"color": colour, "width": 2}, fillcolor=colour, opacity=0.12,
    )  # fmt: skip
