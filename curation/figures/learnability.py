"""The two losses of every row against each other with the regions named, and learnability of groups of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.cartography import drawn
from curation.figures.palette import Mode

MAX_POINTS = 20_000
REGIONS = ("uninformative", "too hard", "learnable", "worsened")
COLOURS = {"uninformative": 9, "too hard": 3, "learnable": 0, "worsened": 5}
"""Places in `palette.CATEGORICAL`."""
EDGE = 0.995
"""Share of the rows that the first view shows on each axis; a few large losses would shrink all others."""
SHOWN = 14
"""More groups than this: those with the most rows are drawn."""


def losses_figure(
    initial: np.ndarray,
    reference: np.ndarray,
    region: np.ndarray,
    *,
    boundary: float,
    counts: Mapping[str, int],
    rows: np.ndarray | None = None,
    uirevision: str = "losses",
    height: int = 460,
    mode: Mode = "light",
) -> go.Figure:
    """Reference loss over initial loss, one point a row; below the diagonal training helped.

    Of more than `MAX_POINTS` rows a fixed sample is drawn; who says so beside the figure draws the sample first.

    Args:
        initial: float `[n]`, nats per token; rows with NaN have no place.
        reference: float `[n]`.
        region: int `[n]`, index into REGIONS, −1 = none.
        boundary: Between small and large loss, nats per token.
        counts: Rows of each region in the whole dataset, for the names.
        rows: int64 `[n]`, the row of each point; 0 to n − 1 when not given.
        uirevision: Zoom is kept as long as this stays the same.
        height: Pixels.
        mode: Theme it is shown on.

    Returns:
        A figure whose first trace holds the points; `customdata` of a point is its row.
    """
    initial, reference = np.asarray(initial, np.float64), np.asarray(reference, np.float64)
    rows = np.arange(len(initial)) if rows is None else np.asarray(rows)
    placed = np.flatnonzero(np.isfinite(initial) & np.isfinite(reference))
    placed = placed[drawn(len(placed), MAX_POINTS)]
    if not len(placed):
        return palette.explained(mode, "No row has both losses, so there is nothing to compare.", height=height)
    c = palette.colours(mode)
    x, y, codes = initial[placed], reference[placed], np.asarray(region)[placed]
    right, top = (_reach(values, boundary) for values in (x, y))
    table = np.array([palette.category_colour(COLOURS[name], mode) for name in REGIONS] + [c.noise])
    fig = palette.figure(mode, height=height)
    fig.add_scattergl(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        mode="markers",
        marker={"color": table[codes].tolist(), "size": _size(len(placed)), "opacity": 0.6, "line": {"width": 0}},
        selected={"marker": {"size": 12, "opacity": 1.0}},
        unselected={"marker": {"opacity": 0.3}},
        customdata=rows[placed],
        hovertemplate="row %{customdata:,}<br>before %{x:.3f}<br>after %{y:.3f}<extra></extra>",
        name="rows",
        showlegend=False,
    )
    _draw_regions(fig, boundary, right, top, counts, mode)
    beyond = int(((x > right) | (y > top)).sum())
    note = f"<br><sup>{beyond:,} rows lie beyond this view; double-click shows all</sup>" if beyond else ""
    fig.update_layout(
        dragmode="pan",
        uirevision=uirevision,
        selectionrevision=uirevision,
        margin={"l": 8, "r": 8, "t": 34, "b": 8},
    )
    fig.update_xaxes(title_text=f"loss before training, nats per token{note}", range=[0, right], showgrid=False)
    fig.update_yaxes(title_text="loss after training", range=[0, top], showgrid=False)
    return fig


def _reach(values: np.ndarray, boundary: float) -> float:
    """End of an axis: nearly all rows, and in any case both sides of the boundary."""
    return float(max(np.quantile(values, EDGE) * 1.06, boundary * 1.3, 1e-3))


def _size(points: int) -> float:
    return float(np.clip(9 - 1.2 * np.log10(max(points, 1)), 3.5, 8))


def _draw_regions(
    fig: go.Figure, boundary: float, right: float, top: float, counts: Mapping[str, int], mode: Mode
) -> None:
    c = palette.colours(mode)
    far = 10 * max(right, top)  # the lines go on when the view is moved
    line = {"color": c.muted, "width": 1, "dash": "dot"}
    fig.add_shape(type="line", x0=0, y0=0, x1=far, y1=far, line={**line, "dash": "solid"})
    fig.add_shape(type="line", x0=boundary, y0=boundary, x1=far, y1=boundary, line=line)
    fig.add_shape(type="line", x0=boundary, y0=0, x1=boundary, y1=boundary, line=line)
    places = {
        "worsened": (0.0, top, "left", "top"),
        "too hard": (right, min(1.02 * boundary, top), "right", "bottom"),
        "learnable": (right, 0.0, "right", "bottom"),
        "uninformative": (0.98 * boundary, 0.0, "right", "bottom"),
    }
    for name, (x, y, side, end) in places.items():
        fig.add_annotation(
            text=f"<b>{name}</b> {counts.get(name, 0):,}", x=x, y=y, xanchor=side, yanchor=end, showarrow=False,
            font={"size": 13, "color": c.text}, bgcolor=c.background, opacity=0.86, borderpad=2,
        )  # fmt: skip


def groups_figure(
    names: Sequence[str],
    values: Sequence[np.ndarray],
    *,
    value_name: str = "learnability",
    overall: float | None = None,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Median of a score in each group with its quartiles, highest first.

    Args:
        names: `[g]`, may be dataset text.
        values: `[g]` arrays, the score of each group's rows; NaN is left out.
        value_name: Title of the axis.
        overall: Median of all rows, drawn as a line.
        height: Pixels; None fits the number of groups.
        mode: Theme it is shown on.
    """
    finite = [np.asarray(v, np.float64)[np.isfinite(v)] for v in values]
    filled = [i for i, v in enumerate(finite) if len(v)]
    if not filled:
        return palette.explained(mode, "No group has a row with this score.", height=height or 280)
    largest = sorted(filled, key=lambda i: (-len(finite[i]), i))[:SHOWN]
    order = sorted(largest, key=lambda i: -float(np.median(finite[i])))
    low, middle, high = np.array([np.quantile(finite[i], [0.25, 0.5, 0.75]) for i in order]).T
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height or 96 + 26 * len(order))
    places = np.arange(len(order))
    fig.add_scatter(
        x=middle,
        y=places,
        mode="markers",
        marker={"size": 9, "color": c.main},
        error_x={
            "type": "data", "symmetric": False, "array": high - middle, "arrayminus": middle - low,
            "color": c.muted, "thickness": 1.5, "width": 4,
        },
        customdata=np.column_stack([[len(finite[i]) for i in order], low, high]),
        hovertemplate="median %{x:.3f}, half of its %{customdata[0]:,} rows from %{customdata[1]:.3f} to "
        "%{customdata[2]:.3f}<extra></extra>",
        showlegend=False,
    )  # fmt: skip
    if overall is not None and np.isfinite(overall):
        fig.add_vline(x=overall, line={"color": c.selected, "width": 1.5, "dash": "dot"})
    left_out = len(filled) - len(order)
    note = f"<br><sup>{left_out:,} smaller groups are in the table only</sup>" if left_out else ""
    fig.update_xaxes(title_text=f"{palette.plain(value_name)}, median and quartiles{note}")
    labels = palette.names_of([names[i] for i in order], limit=34)
    fig.update_yaxes(
        tickvals=places, ticktext=labels, autorange=False, range=[len(order) - 0.5, -0.5], showgrid=False
    )  # fmt: skip
    return fig
