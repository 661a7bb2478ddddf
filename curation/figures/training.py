"""Curves of a training: what was recorded step by step, and what was measured on the rows after each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.figures.thinning import MOST, even, extremes

RUNS = 20
"""Trainings in one figure at most: the last ones of a step, the first ones of a measure."""
NOISY = 60
"""Curves with more points than this get a running mean over them; the points themselves become pale."""
SPAN = 0.05
"""Share of a curve that its running mean looks at, half of it on each side."""
LOG_RANGE = 1000.0
"""Positive values that span more than this are drawn on a logarithmic axis."""


def stretches(x: np.ndarray, runs: np.ndarray | None = None) -> list[slice]:
    """One part per training, when several were recorded one after the other: x falls, or another run begins.

    Args:
        x: float `[n]`, the step of each record.
        runs: float `[n]`, the number of the training, where it was recorded.
    """
    anew = np.diff(x) < 0
    if runs is not None:
        anew |= np.diff(runs) != 0
    cuts = [0, *(np.flatnonzero(anew) + 1).tolist(), len(x)]
    return [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True) if b > a]


def running_mean(values: np.ndarray, span: float = SPAN) -> np.ndarray:
    """Mean over a window of `span` of the points around each, NaN being left out; the window is cut at the ends. O(n).

    Args:
        values: float `[n]`.
        span: 0 to 1.
    """
    half = max(1, round(len(values) * span / 2))
    present = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(present, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(present)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    number = counts[high] - counts[low]
    total: np.ndarray = np.where(number > 0, (sums[high] - sums[low]) / np.maximum(number, 1), np.nan)
    return total


def curve_figure(
    x: Sequence[float] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    *,
    runs: Sequence[float] | np.ndarray | None = None,
    name: str,
    x_name: str = "step",
    height: int = 180,
    mode: Mode = "light",
) -> go.Figure:
    """One recorded number over the steps; of several trainings the earlier ones are pale and the last stands out.

    A number that was recorded once per training is drawn as dots.

    Args:
        x: `[n]`, steps.
        values: `[n]`, NaN where the number was not recorded.
        runs: `[n]`, the number of the training, where several were recorded.
        name: What it is.
        x_name: Title of the axis.
        height: Pixels.
        mode: Theme it is shown on.
    """
    at, y = np.asarray(x, np.float64), np.asarray(values, np.float64)
    present = np.isfinite(y) & np.isfinite(at)
    at, y = at[present], y[present]
    if not len(at):
        return palette.explained(mode, "Nothing is recorded yet.", height=height)
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    parts = stretches(at, None if runs is None else np.nan_to_num(np.asarray(runs, np.float64)[present], nan=-1.0))
    dots = len(parts) == len(at) > 1
    if dots:
        parts = [slice(0, len(at))]
    parts = parts[-RUNS:]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        noisy = part.stop - part.start > NOISY and not dots
        if not last or noisy:
            seen = extremes(y[part], MOST if last else MOST // 10)
            _line(fig, at[part][seen], y[part][seen], c.context, 1.2, name, skip=last)
        if last:
            seen = even(part.stop - part.start)  # the mean is smooth
            _line(
                fig, at[part][seen], (running_mean(y[part]) if noisy else y[part])[seen], c.main, 2.5, name, dots=dots
            )
    fig.update_layout(
        showlegend=False,
        hovermode="x",
        title={"text": palette.plain(name), "font": {"size": 13, "color": c.text}, "x": 0, "xref": "paper", "y": 0.97},
    )
    fig.update_xaxes(title_text=palette.plain(x_name), tickformat="~s", showgrid=False)
    wide = bool((y > 0).all() and y.max() > LOG_RANGE * y.min())
    fig.update_yaxes(tickformat=".4~g", nticks=5, type="log" if wide else "linear")
    return fig


def _line(
    fig: go.Figure,
    x: np.ndarray,
    y: np.ndarray,
    colour: str,
    width: float,
    name: str,
    *,
    skip: bool = False,
    dots: bool = False,
) -> None:
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines" if len(x) > 1 and not dots else "markers",
        line={"color": colour, "width": width},
        marker={"color": colour, "size": 6},
        name=palette.plain(name),
        hoverinfo="skip" if skip else None,
        hovertemplate=None if skip else "%{x:,}: %{y:.4~g}<extra></extra>",
    )


def epochs_figure(
    epochs: np.ndarray, values: np.ndarray, *, name: str, height: int = 180, mode: Mode = "light"
) -> go.Figure:
    """The mean of a measure over the rows after each epoch: pale lines for the runs, their mean in front.

    Args:
        epochs: float `[e]`, passes over the data.
        values: float `[runs, e]`, NaN where it was not measured.
        name: What was measured.
        height: Pixels.
        mode: Theme it is shown on.
    """
    epochs, values = np.asarray(epochs, np.float64), np.asarray(values, np.float64)
    there = np.isfinite(values).any(0) if len(values) else np.zeros(0, bool)
    if not there.any():
        return palette.explained(mode, "This was not measured.", height=height)
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    if len(values) > 1:
        for run, line in enumerate(values[:RUNS]):
            seen = even(len(line[there]), MOST // 10)
            _line(fig, epochs[there][seen], line[there][seen], c.context, 1.2, f"run {run + 1}", skip=True)
    mean = np.nanmean(values[:, there], 0)
    seen = even(len(mean))
    fig.add_scatter(
        x=epochs[there][seen],
        y=mean[seen],
        mode="lines+markers",
        line={"color": c.main, "width": 2.5},
        marker={"size": 6},
        name=palette.plain(name),
        hovertemplate="epoch %{x:~g}: %{y:.4~g}<extra></extra>",
    )
    fig.update_layout(
        showlegend=False,
        hovermode="x",
        title={"text": palette.plain(name), "font": {"size": 13, "color": c.text}, "x": 0, "xref": "paper", "y": 0.97},
    )
    fig.update_xaxes(title_text="epoch", showgrid=False, nticks=8)
    fig.update_yaxes(tickformat=".4~g", nticks=5)
    return fig
