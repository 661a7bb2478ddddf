"""How a score goes with another column, usually response length: the confounder to look for first."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.linalg.rank_correlation import spearman

POINTS = 2_000
"""Above this, cells of a grid are shown instead of points."""
CELLS = 40
STEPS = 12


def correlation_figure(
    length: np.ndarray,
    score: np.ndarray,
    *,
    length_name: str = "response length",
    score_name: str = "score",
    log_length: bool = True,
    height: int = 260,
    mode: Mode = "light",
) -> go.Figure:
    """Score against length with the median in steps of equal row counts, and Spearman's ρ.

    Args:
        length: float `[n]`.
        score: float `[n]`; rows that lack either are left out.
        length_name: Title of the horizontal axis.
        score_name: Title of the vertical axis.
        log_length: Logarithmic axis where all lengths are positive.
        height: Pixels.
        mode: Theme it is shown on.
    """
    length, score = np.asarray(length, np.float64), np.asarray(score, np.float64)
    both = np.isfinite(length) & np.isfinite(score)
    if both.sum() < 2:
        return palette.explained(
            mode, "Fewer than two rows have both values, so there is nothing to compare.", height=height
        )
    rho = spearman(length, score)
    x, y = length[both], score[both]
    log_x = log_length and bool((x > 0).all()) and x.max() > 10 * x.min()
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    if len(x) > POINTS:
        _add_cells(fig, x, y, log_x, mode)
    else:
        fig.add_scattergl(
            x=x.astype(np.float32),
            y=y.astype(np.float32),
            mode="markers",
            marker={"color": c.main, "size": 4, "opacity": 0.45},
            hovertemplate="%{x:,.4~g}, %{y:.4~g}<extra></extra>",
            name="rows",
        )
    order = np.argsort(x, kind="stable")
    groups = [g for g in np.array_split(order, min(STEPS, max(2, len(x) // 5))) if len(g)]
    fig.add_scatter(
        x=[float(np.median(x[g])) for g in groups],
        y=[float(np.median(y[g])) for g in groups],
        mode="lines+markers",
        line={"color": c.selected, "width": 2.5},
        marker={"size": 5},
        name="median",
        hovertemplate="median %{y:.4~g}<extra></extra>",
    )
    fig.update_layout(showlegend=False)
    verdict = f"rank correlation ρ = {rho:.2f}" if np.isfinite(rho) else "no rank correlation: one of them is constant"
    fig.add_annotation(
        text=verdict,
        xref="paper",
        yref="paper",
        x=0,
        y=1.0,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"color": c.text, "size": 13},
    )
    fig.update_xaxes(title_text=palette.plain(length_name), showgrid=False, type="log" if log_x else "linear")
    fig.update_yaxes(title_text=palette.plain(score_name))
    return fig


def _add_cells(fig: go.Figure, x: np.ndarray, y: np.ndarray, log_x: bool, mode: Mode) -> None:
    """Row counts on a grid; empty cells stay clear."""
    c = palette.colours(mode)
    low, high = np.quantile(y, [0.005, 0.995])
    high = high if high > low else low + 1
    spread = np.geomspace if log_x else np.linspace
    x_edges = spread(x.min(), max(x.max(), x.min() * (1 + 1e-9) + 1e-9), CELLS + 1)
    y_edges = np.linspace(low, high, CELLS + 1)
    counts = np.histogram2d(np.clip(x, x_edges[0], x_edges[-1]), np.clip(y, low, high), (x_edges, y_edges))[0].T
    middle = np.sqrt(x_edges[:-1] * x_edges[1:]) if log_x else (x_edges[:-1] + x_edges[1:]) / 2
    fig.add_heatmap(
        x=middle,
        y=(y_edges[:-1] + y_edges[1:]) / 2,
        z=np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan),
        customdata=counts,
        colorscale=[(0.0, _faint(c.main)), (1.0, c.main)],
        showscale=False,
        hovertemplate="%{customdata:,} rows<extra></extra>",
        name="rows",
    )


def _faint(colour: str) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r}, {g}, {b}, 0.18)"
