"""How a number is spread over every arm: one step line each, the whole pool in grey behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.arms import Look, arm_looks, faint, random_look
from curation.figures.palette import Mode

ROW = 62
"""Pixels of one arm."""
REACH = 0.86
"""The highest step fills this part of its row."""
TOP, FEW = 0.97, 4
"""Outer bins are drawn up to this part of the row; with so few bins they count like any other."""


def arm_spread_figure(
    names: Sequence[str],
    edges: np.ndarray,
    counts: np.ndarray,
    pool: np.ndarray,
    *,
    title: str,
    medians: np.ndarray,
    pool_median: float = float("nan"),
    random: np.ndarray | None = None,
    notes: Sequence[str] = (),
    logarithmic: bool = False,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """A row per arm: its distribution over common bins, the pool's behind it, and a tick at the median.

    Args:
        names: `[a]`, may be dataset text.
        edges: float `[b + 1]`, increasing; the outer bins hold what lies beyond, too.
        counts: int `[a, b]`, rows of each arm.
        pool: int `[b]`, rows of the pool.
        title: Of the axis; may be dataset text.
        medians: float `[a]`, NaN = none.
        pool_median: A dotted line through all rows.
        random: int `[seeds, b]`, draws; their sum is one more row.
        notes: `[a]`, a few words under each name.
        logarithmic: The edges are evenly spaced on a logarithmic scale.
        height: Pixels; None fits the number of arms.
        mode: Theme it is shown on.
    """
    edges, pool = np.asarray(edges, np.float64), np.asarray(pool, np.int64)
    if len(edges) < 2 or not pool.sum():
        return palette.explained(mode, "No row has this number.", height=height or 200)
    logarithmic = logarithmic and bool(edges[0] > 0)
    rows = [(look, np.asarray(c)) for look, c in zip(arm_looks(names, mode), counts, strict=True)]
    if random is not None and len(random):
        rows.append((random_look(len(random), mode), np.asarray(random).sum(0)))
    width = np.diff(np.log(edges) if logarithmic else edges)
    densities = [_density(c, width) for _, c in rows]
    behind = _density(pool, width)
    # the outer bins hold whatever lies beyond, too: where there are others, they do not set the scale
    inner = slice(1, -1) if len(width) > FEW else slice(None)
    scale = REACH / max(max(float(d[inner].max()) for d in [*densities, behind]), 1e-300)
    densities, behind = [np.minimum(d * scale, TOP) for d in densities], np.minimum(behind * scale, TOP)
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height or 92 + ROW * len(rows))
    named: list[str] = []
    for place, ((look, count), density) in enumerate(zip(rows, densities, strict=True)):
        base = len(rows) - 1 - place
        _steps(fig, edges, behind, base, fill=c.grid, line=None)
        if count.sum():
            _steps(fig, edges, density, base, fill=faint(look.colour, 0.22), line=look.colour)
            _hover(fig, edges, count, density, base, look, logarithmic)
        if place < len(medians) and np.isfinite(medians[place]):
            _median(fig, float(np.clip(medians[place], edges[0], edges[-1])), float(medians[place]), base, look, mode)
        note = (notes[place] if place < len(notes) else "") if count.sum() else "no row has it"
        named.append(
            f"{look.label}<br><span style='font-size:11px'>{palette.plain(note)}</span>" if note else look.label
        )
    if np.isfinite(pool_median):
        at = float(np.clip(pool_median, edges[0], edges[-1]))
        fig.add_vline(x=at, line={"color": c.muted, "width": 1.2, "dash": "dot"}, layer="below")
    fig.update_layout(showlegend=False)
    fig.update_xaxes(
        title_text=f"{palette.plain(title, limit=70)}<br><sup>grey: all rows; tick: median of the arm,<br>"
        "dotted line: median of all rows</sup>",
        type="log" if logarithmic else "linear",
        range=[float(np.log10(v)) if logarithmic else float(v) for v in (edges[0], edges[-1])],
        dtick="D2" if logarithmic else None,
        showgrid=False,
    )
    fig.update_yaxes(
        tickvals=[len(rows) - 1 - i for i in range(len(rows))], ticktext=named,
        range=[-0.08, len(rows) + 0.05], gridcolor=c.grid,
    )  # fmt: skip
    return fig


def _density(counts: np.ndarray, width: np.ndarray) -> np.ndarray:
    total = counts.sum()
    return counts / total / width if total else np.zeros(len(width))


def _steps(fig: go.Figure, edges: np.ndarray, tops: np.ndarray, base: float, *, fill: str, line: str | None) -> None:
    """A step line over the bins, closed along its base."""
    x = np.concatenate([edges[:1], np.repeat(edges, 2)[1:-1], edges[-1:]])
    y = base + np.concatenate([[0.0], np.repeat(tops, 2), [0.0]])
    edge = {"width": 1.8 if line else 0, "color": line or fill}
    fig.add_scatter(x=x, y=y, mode="lines", fill="toself", fillcolor=fill, line=edge, hoverinfo="skip")


def _hover(
    fig: go.Figure, edges: np.ndarray, counts: np.ndarray, tops: np.ndarray, base: float, look: Look, log: bool
) -> None:
    middle = np.sqrt(edges[:-1] * edges[1:]) if log else (edges[:-1] + edges[1:]) / 2
    spans = [f"{a:.4g} to {b:.4g}" for a, b in zip(edges[:-1], edges[1:], strict=True)]
    fig.add_scatter(
        x=middle,
        y=base + tops,
        mode="markers",
        marker={"size": 8, "opacity": 0.0, "color": look.colour},
        name=look.label,
        customdata=list(zip(spans, counts.tolist(), (counts / counts.sum()).tolist(), strict=True)),
        hovertemplate=f"{look.label}<br>%{{customdata[0]}}: %{{customdata[1]:,}} rows, %{{customdata[2]:.1%}}"
        "<extra></extra>",
    )


def _median(fig: go.Figure, at: float, value: float, base: float, look: Look, mode: Mode) -> None:
    fig.add_scatter(
        x=[at],
        y=[base + 0.12],
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": look.colour}, "color": look.colour},
        hovertemplate=f"{look.label}<br>median {value:.4g}<extra></extra>",
    )
