"""The map: every row a point, coloured by a score or a category, with chosen rows standing out.

One WebGL trace holds all points, so a lasso never has to be told apart by trace; legend and colour bar hang on empty
traces. `customdata` of a point is its row, whatever order the points are drawn in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from curation.core.artifacts import Labels, Score
from curation.figures import palette
from curation.figures.cartography import drawn
from curation.figures.palette import Mode

MAX_POINTS = 20_000
"""Above this plotly gets slow in the browser; the caller draws a sample and says so."""
HOVER_LETTERS, HEAD_LETTERS, FEWEST_LETTERS = 220, 40, 24
"""Of a point's text at most, of the value above it, and of a text that is worth showing."""
ALL_LETTERS = 500_000
"""Of all hover texts together, which travel with the figure."""
LEGEND_ENTRIES, FEW_ENTRIES, LOW = 12, 5, 500
"""Categories in the legend; fewer on a figure that is not this many pixels high."""
NAMES_ON_MAP = 14
WIDTH = 640
"""Pixels that the map has at least on a narrow screen: names that do not overlap there do so nowhere."""
STRETCH = 1.5
"""The map fills a wide frame by at most so much more room for one axis than for the other: directions mean nothing."""
EDGE = 0.004
"""Share of the points on each side that may lie outside the first view, if leaving them out makes it much closer."""
NAME_LETTERS = 24
SEPARATOR = " · "
"""Between the terms of a cluster's name."""
GREY = -1.0
"""Stands for "no colour" in the colour array: missing, noise or context."""


def map_figure(
    xy: np.ndarray,
    *,
    color: Score | Labels | None = None,
    selected: np.ndarray | None = None,
    hover: Sequence[str] | None = None,
    rows: np.ndarray | None = None,
    noise_name: str = "no cluster",
    names_on_map: bool = False,
    drag: Literal["lasso", "select", "pan"] = "lasso",
    uirevision: str = "map",
    height: int = 640,
    mode: Mode = "light",
) -> go.Figure:
    """Draw rows as points.

    The first view leaves out a few far points where they would shrink all others (`outside_view` counts them). Of more
    than `MAX_POINTS` points a fixed sample is drawn.

    Args:
        xy: float `[n, 2]`; rows with NaN have no place and are left out.
        color: A Score or Labels of these n rows. A score's scale spans its 1st to 99th percentile and turns around when
            lower is better, so that good rows stand out. Missing values and noise are grey.
        selected: bool `[n]`: rows that stand out; all others become grey context, unless none is selected.
        hover: One short text per point, plain; it is escaped, cut and wrapped here. The more points, the shorter; with
            some 8,000 only the row's number is left.
        rows: int64 `[n]`, the row of each point; 0 to n − 1 when not given.
        noise_name: What rows without a label are called in the legend.
        names_on_map: Write the largest categories' names at their middle.
        drag: What dragging does.
        uirevision: Zoom is kept as long as this stays the same.
        height: Pixels.
        mode: Theme it is shown on.

    Returns:
        A figure whose first trace holds the points; selected ones are drawn last, on top.
    """
    xy = np.asarray(xy)
    rows = np.arange(len(xy)) if rows is None else np.asarray(rows)
    placed = np.flatnonzero(np.isfinite(xy).all(1)) if len(xy) else np.empty(0, np.int64)
    if not len(placed):
        message = "No row has a place on the map yet. Run an encoder and a layout first."
        return palette.explained(mode, message, height=height)
    placed = placed[drawn(len(placed), MAX_POINTS)]
    chosen = np.zeros(len(xy), bool) if selected is None else np.asarray(selected, bool)
    placed = placed[np.argsort(chosen[placed], kind="stable")]

    c = palette.colours(mode)
    values, scale, span = _colour_values(color, mode, len(xy))
    values = values[placed]
    lit = chosen[placed]
    if lit.any():
        values = np.where(lit, values, GREY)
    size = _point_size(len(placed))
    sizes: float | np.ndarray = np.where(lit, 1.7 * size, 0.8 * size).astype(np.float32) if lit.any() else size
    plain_colour = c.selected if lit.any() else c.main
    greys = c.context if lit.any() else c.noise
    colour_scale = _with_grey(scale or [(0.0, plain_colour), (1.0, plain_colour)], greys)

    view = first_view(xy[placed])
    fig = palette.figure(mode, height=height)
    fig.add_scattergl(
        x=xy[placed, 0].astype(np.float32),
        y=xy[placed, 1].astype(np.float32),
        mode="markers",
        marker={
            "color": values.astype(np.float32),
            "colorscale": colour_scale,
            "cmin": GREY,
            "cmax": 1.0,
            "size": sizes,
            "opacity": 0.85,
            "line": {"width": 0},
        },
        customdata=rows[placed],
        showlegend=False,
        **_hover(hover, placed, color, noise_name),
    )
    if isinstance(color, Score):
        _add_colour_bar(fig, color, span, mode)
    if isinstance(color, Labels):
        most = LEGEND_ENTRIES if height >= LOW else FEW_ENTRIES
        _add_legend(fig, np.asarray(color.codes)[placed], color.names, noise_name, mode, most)
        if names_on_map:
            _add_names(fig, xy[placed], np.asarray(color.codes)[placed], color.names, mode, view, height)
    hidden = {"visible": False, "showgrid": False}
    fig.update_xaxes(**hidden, range=view[:, 0].tolist())
    fig.update_yaxes(**hidden, range=view[:, 1].tolist(), scaleanchor="x", scaleratio=_ratio(view, height))
    fig.update_layout(
        dragmode=drag,
        uirevision=uirevision,
        selectionrevision=uirevision,
        margin={"l": 0, "r": 0, "t": 34, "b": 0},  # the toolbar stands in the upper margin
        legend={
            "itemclick": False,
            "itemdoubleclick": False,
            "orientation": "h",  # under the map, which keeps the whole width
            "x": 0.0,
            "xanchor": "left",
            "y": -0.02,
            "yanchor": "top",
        },
    )
    return fig


def first_view(xy: np.ndarray) -> np.ndarray:
    """The part of the map that is seen first, float `[2, 2]`: lowest and highest x and y, with a margin.

    All points, unless a few far ones would shrink the others by more than a fifth.

    Args:
        xy: float `[n, 2]`, finite.
    """
    xy = np.asarray(xy, np.float64)
    whole = np.stack([xy.min(0), xy.max(0)])
    near = np.quantile(xy, [EDGE, 1 - EDGE], axis=0)
    near += np.array([[-0.03], [0.03]]) * np.ptp(near, axis=0)
    near = np.stack([np.maximum(near[0], whole[0]), np.minimum(near[1], whole[1])])
    shrunk = np.ptp(whole, axis=0) > 1.25 * np.ptp(near, axis=0)
    view = np.where(shrunk, near, whole)
    span = np.maximum(np.ptp(view, axis=0), 1e-3)
    middle = view.mean(0)
    return np.stack([middle - 0.53 * span, middle + 0.53 * span])


def outside_view(xy: np.ndarray) -> int:
    """How many of the placed points the first view leaves out.

    Args:
        xy: float `[n, 2]`; rows with NaN do not count.
    """
    placed = np.asarray(xy)[np.isfinite(xy).all(1)]
    if not len(placed):
        return 0
    low, high = first_view(placed)
    return int(((placed < low) | (placed > high)).any(1).sum())


def _frame(height: int) -> tuple[float, float]:
    """Pixels that the points have on a narrow screen, without toolbar and legend."""
    return WIDTH, max(height - (150.0 if height >= LOW else 90.0), 100.0)


def _ratio(view: np.ndarray, height: int) -> float:
    """Pixels of a unit of y for one pixel of a unit of x."""
    width, room = _frame(height)
    span = np.ptp(view, axis=0)
    return float(np.clip((room / span[1]) / (1.25 * width / span[0]), 1 / STRETCH, STRETCH))


def _point_size(n: int) -> float:
    """Pixels: 8 for a few hundred points down to 3 for tens of thousands."""
    return float(np.clip(13.5 - 2.3 * np.log10(max(n, 1)), 3.0, 8.0))


def _colour_values(
    color: Score | Labels | None, mode: Mode, n: int
) -> tuple[np.ndarray, list[tuple[float, str]] | None, tuple[float, float]]:
    """Value of each point in 0 to 1 (GREY for none), the colour scale over it, and a score's span."""
    if isinstance(color, Score):
        score = np.asarray(color.values, np.float64)
        present = np.isfinite(score)
        low, high = np.quantile(score[present], [0.01, 0.99]) if present.any() else (0.0, 1.0)
        unit = np.clip((score - low) / (high - low), 0, 1) if high > low else np.full(n, 0.5)
        return np.where(present, unit, GREY), _scale_of(color, mode), (float(low), float(high))
    if isinstance(color, Labels):
        k = len(palette.CATEGORICAL)
        codes = np.asarray(color.codes)
        steps = [(edge, colour) for i, colour in enumerate(palette.CATEGORICAL) for edge in (i / k, (i + 1) / k)]
        return np.where(codes >= 0, (codes % k + 0.5) / k, GREY), steps, (0.0, 1.0)
    return np.full(n, 0.5), None, (0.0, 1.0)


def _scale_of(score: Score, mode: Mode) -> list[tuple[float, str]]:
    return palette.colour_scale(mode, reverse=score.higher_is_better is False)


def _with_grey(scale: list[tuple[float, str]], grey: str) -> list[tuple[float, str]]:
    """Squeeze a scale over 0 to 1 into the upper half of GREY to 1, and fill the lower half with grey."""
    return [(0.0, grey), (0.49, grey), (0.5, scale[0][1]), *((0.5 + at / 2, colour) for at, colour in scale)]


def _hover(
    hover: Sequence[str] | None, placed: np.ndarray, color: Score | Labels | None, noise_name: str
) -> dict[str, object]:
    if hover is None:
        return {"hoverinfo": "skip"}
    head = HEAD_LETTERS if color is not None else 0
    limit = min(HOVER_LETTERS, ALL_LETTERS // len(placed) - head)
    if limit < FEWEST_LETTERS:
        return {"hovertemplate": "row %{customdata:,}<extra></extra>"}
    texts = [palette.wrapped(hover[i], limit=limit) for i in placed]
    heads: list[str] | None = None
    if isinstance(color, Score):
        label, values = palette.plain(color.name, limit=HEAD_LETTERS), np.asarray(color.values)[placed]
        heads = [f"{label}: {v:.4g}" if np.isfinite(v) else f"{label}: missing" for v in values]
    elif isinstance(color, Labels):
        shown = palette.names_of([*color.names, noise_name], limit=HEAD_LETTERS)
        heads = [shown[code] for code in np.asarray(color.codes)[placed]]  # −1 is the last, the noise
    if heads is not None:
        texts = [f"<b>{head}</b><br>{text}" for head, text in zip(heads, texts, strict=True)]
    return {"text": texts, "hovertemplate": "%{text}<extra></extra>"}


def _add_colour_bar(fig: go.Figure, score: Score, span: tuple[float, float], mode: Mode) -> None:
    c = palette.colours(mode)
    bar = {
        "title": {"text": palette.wrapped(score.name, width=16, limit=48), "font": {"size": 12, "color": c.muted}},
        "thickness": 10,
        "len": 0.5,
        "y": 1.0,
        "yanchor": "top",
        "outlinewidth": 0,
        "tickfont": {"size": 11, "color": c.muted},
    }
    fig.add_scatter(
        x=[None],
        y=[None],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={
            "color": [span[0]],
            "cmin": span[0],
            "cmax": span[1] if span[1] > span[0] else span[0] + 1,
            "colorscale": _scale_of(score, mode),
            "showscale": True,
            "colorbar": bar,
        },
    )


def _add_legend(
    fig: go.Figure, codes: np.ndarray, names: Sequence[str], noise_name: str, mode: Mode, most: int
) -> None:
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    largest = [int(i) for i in np.argsort(-counts, kind="stable")[:most] if counts[i]]
    entries = [
        (f"{palette.plain(names[i], limit=24)}  {counts[i]:,}", palette.category_colour(i, mode)) for i in largest
    ]
    others = np.count_nonzero(counts) - len(largest)
    if others > 0:
        rest = int(counts.sum() - counts[largest].sum())
        entries.append((f"{others:,} more  {rest:,}", "rgba(0,0,0,0)"))
    noise = int((codes < 0).sum())
    if noise:
        entries.append((f"{palette.plain(noise_name, limit=32)}  {noise:,}", palette.colours(mode).noise))
    for label, colour in entries:
        fig.add_scatter(
            x=[None], y=[None], mode="markers", name=label, hoverinfo="skip", marker={"color": colour, "size": 9}
        )


def _add_names(
    fig: go.Figure,
    xy: np.ndarray,
    codes: np.ndarray,
    names: Sequence[str],
    mode: Mode,
    view: np.ndarray,
    height: int,
) -> None:
    """Names of the largest categories at their median, skipping one that would cover another or leave the view."""
    c = palette.colours(mode)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    width, room = _frame(height)
    ratio, span = _ratio(view, height), np.ptp(view, axis=0)
    across = min(width / span[0], room / (span[1] * ratio))  # pixels of a unit of x
    pixels = np.array([across, across * ratio])
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    for code in np.argsort(-counts, kind="stable"):
        if len(taken) == NAMES_ON_MAP or not counts[code]:
            break
        middle = np.median(xy[codes == code], axis=0)
        text = palette.wrapped(_short_name(names[code]), width=NAME_LETTERS, limit=2 * NAME_LETTERS)
        lines = text.split("<br>")
        half = np.array([3.6 * max(map(palette.columns, lines)) + 5, 8.5 * len(lines) + 4])
        beyond = ((middle < view[0]) | (middle > view[1])).any()
        if beyond or any((np.abs(middle - at) * pixels < half + other).all() for at, other in taken):
            continue
        taken.append((middle, half))
        fig.add_annotation(
            x=float(middle[0]),
            y=float(middle[1]),
            text=text,
            showarrow=False,
            font={"size": 12, "color": c.text},
            bgcolor=c.background,
            opacity=0.82,
            borderpad=2,
        )


def _short_name(name: str) -> str:
    """The first two terms of a name made of terms; any other name as it is."""
    return SEPARATOR.join(name.split(SEPARATOR)[:2])
