"""How many rows each two arms have in common, beside what chance would give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.arms import arm_looks, faint, random_look
from curation.figures.palette import Mode

CELL, HEAD = 58, 84
ABOVE, BELOW, ALIKE = "▲", "▼", "≈"
"""More in common than chance, less, and no different."""


def overlap_figure(
    names: Sequence[str],
    sizes: np.ndarray,
    shared: np.ndarray,
    expected: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    draws: int = 0,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """The lower triangle of a matrix: rows in common as a share of the rows that either takes, and chance under it.

    Args:
        names: `[a]`, arms, then the random draws; may be dataset text.
        sizes: int `[a]`, rows of each.
        shared: int `[a, a]`, rows in both.
        expected: float `[a, a]`, rows in both if they were independent random draws of these sizes.
        low: `[a, a]`, lower end of what chance gives.
        high: `[a, a]`, upper end.
        draws: How many of the last names are random draws; they become one line with their mean.
        height: Pixels; None fits the number of arms.
        mode: Theme it is shown on.
    """
    arms = len(names) - draws
    lines = arms + (1 if draws else 0)
    if lines < 2:
        return palette.explained(mode, "Choose two selections to see which rows they share.", height=height or 200)
    means = [_with_mean(np.asarray(a, np.float64), arms, draws) for a in (shared, expected, low, high)]
    common, chance, least, most = means
    size = np.append(np.asarray(sizes, np.float64)[:arms], np.asarray(sizes, np.float64)[arms:].mean() if draws else [])
    share, by_chance = _jaccard(common, size), _jaccard(chance, size)
    c = palette.colours(mode)
    looks = [*arm_looks(names[:arms], mode), *([random_look(draws, mode)] if draws else [])]
    fig = palette.figure(mode, height=height or HEAD + CELL * (lines - 1))
    shown = np.tril(np.ones((lines, lines), bool), -1)
    words = np.full((lines, lines), "", object)
    for i, j in zip(*np.nonzero(shown), strict=True):
        said = _against_chance(common[i, j], least[i, j], most[i, j])
        words[i, j] = (
            f"{looks[i].label}<br>{looks[j].label}<br>{_rows(common[i, j])} rows in both, {_percent(share[i, j])} of "
            f"those that either takes<br>chance: {_rows(chance[i, j])} rows ({_rows(least[i, j])} to "
            f"{_rows(most[i, j])}): {said[1]}"
        )
        _cell_text(fig, int(i), int(j), share[i, j], by_chance[i, j], said[0], mode)
    fig.add_heatmap(
        z=np.where(shown, share, np.nan)[1:, :-1],
        x=np.arange(lines - 1),
        y=np.arange(1, lines),
        zmin=0.0,
        zmax=1.0,
        colorscale=[(0.0, faint(c.main, 0.07)), (1.0, faint(c.main, 1.0))],
        showscale=False,
        hoverongaps=False,
        customdata=words[1:, :-1],
        hovertemplate="%{customdata}<extra></extra>",
        xgap=3,
        ygap=3,
    )
    fig.update_xaxes(
        tickvals=list(range(lines - 1)), ticktext=[look.letter for look in looks[:-1]], side="top", showgrid=False,
        range=[-0.5, lines - 1.5],
    )  # fmt: skip
    fig.update_yaxes(
        tickvals=[0.22, *range(1, lines)], ticktext=[look.label for look in looks], showgrid=False,
        range=[lines - 0.5, 0.0],  # the first arm has a name and no cells
    )  # fmt: skip
    fig.update_layout(margin={"t": 34})
    return fig


def _with_mean(matrix: np.ndarray, arms: int, draws: int) -> np.ndarray:
    """The matrix with its last `draws` lines as one: the mean over them, and over their pairs on the diagonal."""
    if not draws:
        return matrix
    out = np.full((arms + 1, arms + 1), np.nan)
    out[:arms, :arms] = matrix[:arms, :arms]
    out[arms, :arms] = out[:arms, arms] = matrix[arms:, :arms].mean(0)
    return out


def _jaccard(common: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    either = sizes[:, None] + sizes[None, :] - common
    return np.divide(common, either, out=np.full(common.shape, np.nan), where=either > 0)


def _against_chance(common: float, least: float, most: float) -> tuple[str, str]:
    if common > most:
        return ABOVE, "more than chance"
    return (BELOW, "less than chance") if common < least else (ALIKE, "no different from chance")


def _cell_text(fig: go.Figure, i: int, j: int, share: float, by_chance: float, sign: str, mode: Mode) -> None:
    c = palette.colours(mode)
    colour = c.background if share > 0.5 else c.text
    fig.add_annotation(
        x=j,
        y=i,
        text=f"<b>{_percent(share)}</b> {sign}<br><span style='font-size:11px'>chance {_percent(by_chance)}</span>",
        showarrow=False,
        font={"color": colour, "size": 14},
    )


def _rows(count: float) -> str:
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"


def _percent(share: float) -> str:
    return "–" if not np.isfinite(share) else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
