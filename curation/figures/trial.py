"""What a trial found: a dot for every training, random's band behind them, and differences by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.figures.thinning import even

FAR = 2.0
"""An arm outside all groups that lies more than this many times their range away is named, not drawn."""
SHOWN = 20
"""More groups than this: those with the most evaluation rows are shown."""
RANDOM, SELECTION = "random", "selection"
NO_GROUP = -1
DOTS = 500
"""Trainings of one arm that get a dot at most."""
MARGIN = 0.04
"""Room at both ends of an axis, as a share of its length."""


@dataclass(frozen=True)
class Line:
    """One arm of a trial.

    Args:
        name: What it is called; may be dataset text.
        kind: "selection", "random", "length-matched", "full" or "untrained".
        values: float `[runs]`, the mean over the evaluation rows after each training.
        interval: Where its difference from random may lie, moved to random's mean; None = not compared.
        group: Lines of one group, which stand one after the other, are compared with the random draws among them.
    """

    name: str
    kind: str
    values: np.ndarray
    interval: tuple[float, float] | None = None
    group: int = NO_GROUP

    @property
    def mean(self) -> float:
        """Over the trainings; NaN when none was measured."""
        finite = self.values[np.isfinite(self.values)]
        return float(finite.mean()) if len(finite) else float("nan")


def too_far(lines: Sequence[Line]) -> list[Line]:
    """Arms outside every group that would squeeze all others into a corner."""
    main = np.array([m for line in lines if line.group != NO_GROUP for m in (line.mean, *(line.interval or ()))])
    main = main[np.isfinite(main)]
    if not len(main):
        return []
    reach = FAR * max(float(np.ptp(main)), 1e-9)
    low, high = main.min() - reach, main.max() + reach
    return [line for line in lines if line.group == NO_GROUP and not low <= line.mean <= high]


def arms_figure(
    lines: Sequence[Line],
    *,
    measure: str,
    lower_is_better: bool,
    percent: bool = False,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """One line per arm, one dot per training, a tick at their mean; random's band runs behind what it is compared with.

    Args:
        lines: In the order to show.
        measure: Title of the axis.
        lower_is_better: Written at the axis.
        percent: Show 0 to 1 as per cent.
        height: Pixels; None fits the number of arms.
        mode: Theme it is shown on.
    """
    far = too_far(lines)
    shown = [line for line in lines if np.isfinite(line.mean) and line not in far]
    height = height or 96 + 40 * max(len(shown), 2)
    if not shown:
        return palette.explained(mode, "No training has been measured yet.", height=height)
    number = ".1%" if percent else ".4f"
    fig = palette.figure(mode, height=height)
    _add_bands(fig, shown, mode)
    for place, line in enumerate(shown):
        _add_line(fig, line, place, number, mode)
    said = ", ".join(f"{palette.plain(line.name, limit=40)} {line.mean:{number}}" for line in far)
    note = f"<br><sup>beyond the axis: {said}</sup>" if said else ""
    direction = "lower is better" if lower_is_better else "higher is better"
    fig.update_layout(showlegend=False)
    fig.update_xaxes(
        title_text=f"{palette.plain(measure)} ({direction}){note}",
        tickformat=".1%" if percent else ".3~f",
        range=_reach(*(np.array([*line.values, *(line.interval or ())]) for line in shown)),
    )
    fig.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=palette.names_of([line.name for line in shown], limit=46),
        range=[len(shown) - 0.45, -0.55],
        showgrid=False,
    )
    return fig


def _reach(*values: np.ndarray) -> list[float]:
    """Ends of an axis that holds all values, with room beside them."""
    finite = np.concatenate([np.ravel(v)[np.isfinite(np.ravel(v))] for v in values])
    low, high = float(finite.min()), float(finite.max())
    room = MARGIN * ((high - low) or max(abs(high), 1e-9))
    return [low - room, high + room]


def _add_bands(fig: go.Figure, shown: Sequence[Line], mode: Mode) -> None:
    """From the lowest to the highest random draw, behind all lines of its group, with a dotted line at their mean."""
    c = palette.colours(mode)
    for group in sorted({line.group for line in shown} - {NO_GROUP}):
        places = [i for i, line in enumerate(shown) if line.group == group]
        draws = [line.values[np.isfinite(line.values)] for line in shown if line.group == group and line.kind == RANDOM]
        if not draws:
            continue
        values = np.concatenate(draws)
        ends = {"y0": places[0] - 0.5, "y1": places[-1] + 0.5, "layer": "below"}
        fig.add_shape(
            type="rect", x0=float(values.min()), x1=float(values.max()), fillcolor=c.band, line={"width": 0}, **ends
        )
        middle = float(values.mean())
        fig.add_shape(type="line", x0=middle, x1=middle, line={"color": c.muted, "width": 1.5, "dash": "dot"}, **ends)


def _add_line(fig: go.Figure, line: Line, place: int, number: str, mode: Mode) -> None:
    c = palette.colours(mode)
    colour = {SELECTION: c.main, RANDOM: c.muted}.get(line.kind, c.selected)
    name = palette.plain(line.name, limit=60)
    values = np.sort(line.values[np.isfinite(line.values)])
    count, values = len(values), values[even(len(values), DOTS)]
    if line.interval is not None:
        fig.add_scatter(
            x=list(line.interval),
            y=[place, place],
            mode="lines",
            line={"color": colour, "width": 3},
            opacity=0.5,
            name=name,
            hoverinfo="skip",
        )
    fig.add_scatter(
        x=values,
        y=np.full(len(values), place),
        mode="markers",
        marker={"color": colour, "size": 9, "opacity": 0.8, "line": {"color": c.background, "width": 1}},
        name=name,
        hovertemplate=f"{name}: %{{x:{number}}}<extra></extra>",
    )
    fig.add_scatter(
        x=[line.mean],
        y=[place],
        mode="markers",
        marker={"symbol": "line-ns", "size": 20, "color": colour, "line": {"color": colour, "width": 3}},
        name=name,
        hovertemplate=f"{name}: mean %{{x:{number}}} of {count:,}<extra></extra>",
    )


def gains_figure(
    names: Sequence[str],
    gains: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    claims: np.ndarray,
    counts: np.ndarray,
    measure: str,
    percent: bool = False,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """The gain over random in every group with its interval; the line at zero is random, right of it is better.

    Args:
        names: `[g]`, may be dataset text.
        gains: float `[g]`, positive = better than random; NaN groups are left out.
        low: float `[g]`, lower end of the interval.
        high: float `[g]`, upper end.
        claims: int `[g]`: 1 better than random, -1 worse, 0 no difference (after correction for many groups).
        counts: int `[g]`, evaluation rows of each group.
        measure: Unit of the gain.
        percent: Show shares as points of per cent.
        height: Pixels; None fits the number of groups.
        mode: Theme it is shown on.
    """
    gains, low, high = (np.asarray(a, np.float64) for a in (gains, low, high))
    claims, counts = np.asarray(claims), np.asarray(counts)
    usable = np.flatnonzero(np.isfinite(gains))
    if not len(usable):
        return palette.explained(mode, "No group has enough evaluation rows to be compared.", height=height or 200)
    usable = usable[np.argsort(-counts[usable], kind="stable")]
    more = len(usable) - SHOWN
    usable = usable[:SHOWN]
    c = palette.colours(mode)
    fig = palette.figure(mode, height=height or 110 + 28 * len(usable))
    number = "+.1%" if percent else "+.4f"
    fig.add_vline(x=0, line={"color": c.muted, "width": 1.5, "dash": "dot"}, layer="below")
    places = np.arange(len(usable))
    for value, colour, title in ((1, c.main, "better"), (-1, c.selected, "worse"), (0, c.muted, "no difference")):
        part = claims[usable] == value
        if not part.any():
            continue
        rows = usable[part]
        fig.add_scatter(
            x=gains[rows],
            y=places[part],
            mode="markers",
            marker={"color": colour, "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": high[rows] - gains[rows],
                "arrayminus": gains[rows] - low[rows],
                "color": colour,
                "thickness": 2,
                "width": 0,
            },
            name=title,
            customdata=np.stack([low[rows], high[rows], counts[rows]], 1),
            hovertemplate=f"%{{x:{number}}} (%{{customdata[0]:{number}}} to %{{customdata[1]:{number}}})"
            f"<br>%{{customdata[2]:,}} evaluation rows<extra>{title}</extra>",
        )
    note = f"<br><sup>the {SHOWN} largest groups of {SHOWN + more:,}</sup>" if more > 0 else ""
    fig.update_layout(showlegend=True, legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0})
    fig.update_xaxes(
        title_text=f"gain over random, {palette.plain(measure)} (right is better){note}",
        tickformat="+.0%" if percent else "+.3~f",
        range=_reach(low[usable], high[usable], gains[usable], np.zeros(1)),
    )
    fig.update_yaxes(
        tickvals=places,
        ticktext=palette.names_of([names[int(i)] for i in usable], limit=36),
        range=[len(usable) - 0.4, -0.6],
        showgrid=False,
    )
    return fig
