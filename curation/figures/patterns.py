"""Which rows are taken by exactly which arms: bars over a matrix of dots, as in an UpSet plot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.arms import arm_looks
from curation.figures.palette import Mode

SHOWN = 16
"""More combinations than this: those with the most rows are shown."""
BARS, LINE = 190, 30
"""Pixels of the bars, and of one arm below them."""


def patterns_figure(
    names: Sequence[str],
    members: Sequence[Sequence[int]],
    counts: np.ndarray,
    expected: np.ndarray,
    *,
    others: int = 0,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """One bar per combination of arms; the dots under it say which arms take those rows, and no other does.

    Args:
        names: `[a]`, the arms; may be dataset text.
        members: `[p]`, places of the arms in each combination.
        counts: int `[p]`, rows of each.
        expected: float `[p]`, rows of each if the arms were independent random draws; a mark on each bar.
        others: Rows in combinations that are not among these.
        height: Pixels; None fits the number of arms.
        mode: Theme it is shown on.
    """
    counts, expected = np.asarray(counts, np.int64), np.asarray(expected, np.float64)
    if not len(counts) or not counts.sum():
        return palette.explained(mode, "No row is taken by any of these selections.", height=height or 200)
    order = np.argsort(-counts, kind="stable")
    others += int(counts[order[SHOWN:]].sum())
    order = order[:SHOWN]
    c = palette.colours(mode)
    looks = arm_looks(names, mode)
    fig = palette.figure(mode, height=height or BARS + 70 + LINE * len(names))
    places = np.arange(len(order))
    sets = [sorted(members[i]) for i in order]
    words = [" and ".join(looks[m].letter for m in one) for one in sets]
    colour = [looks[one[0]].colour if len(one) == 1 else c.text if len(one) == len(names) else c.muted for one in sets]
    fig.add_bar(
        x=places,
        y=counts[order],
        marker={"color": colour, "line": {"width": 0}},
        customdata=list(zip(words, expected[order], strict=True)),
        hovertemplate="only %{customdata[0]}: %{y:,} rows<br>chance %{customdata[1]:,.1f}<extra></extra>",
        name="rows",
        showlegend=False,
    )
    add_counts(fig, places, counts[order], expected[order], c.text)
    fig.add_scatter(
        x=places,
        y=expected[order],
        mode="markers",
        marker={"symbol": "line-ew", "size": 22, "line": {"width": 3, "color": c.selected}},
        name="if the picks were random",
        hoverinfo="skip",
    )
    for line, look in enumerate(looks):
        inside = np.array([line in one for one in sets])
        fig.add_scatter(
            x=places,
            y=np.full(len(places), line),
            mode="markers",
            marker={"size": 12, "color": [look.colour if i else c.grid for i in inside], "symbol": "circle"},
            yaxis="y2",
            hoverinfo="skip",
            showlegend=False,
        )
    for place, one in enumerate(sets):
        if len(one) > 1:
            fig.add_scatter(
                x=[place, place],
                y=[one[0], one[-1]],
                mode="lines",
                line={"color": c.text, "width": 2},
                yaxis="y2",
                hoverinfo="skip",
                showlegend=False,
            )
    below = LINE * len(names) / (BARS + LINE * len(names))
    note = f"{others:,} rows in other combinations" if others else ""
    fig.update_layout(
        yaxis={"domain": [below + 0.03, 1.0], "title": {"text": "rows"}, "tickformat": ",d", "rangemode": "tozero"},
        yaxis2={
            "domain": [0.0, below - 0.02],
            "tickvals": list(range(len(looks))),
            "ticktext": [look.label for look in looks],
            "range": [len(looks) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        bargap=0.35,
        legend={"orientation": "h", "y": 1.04, "yanchor": "bottom", "x": 1.0, "xanchor": "right"},
    )
    fig.update_xaxes(
        showticklabels=False, showgrid=False, title_text=note, range=[-0.6, max(len(places) - 0.4, 5.6)], anchor="y2"
    )
    return fig


def add_counts(fig: go.Figure, places: np.ndarray, counts: np.ndarray, expected: np.ndarray, colour: str) -> None:
    """The counts above their bars, also above the mark of chance where that is higher."""
    fig.add_scatter(
        x=places,
        y=np.maximum(counts, expected),
        mode="text",
        text=[f"{int(v):,}" for v in counts],
        textposition="top center",
        textfont={"color": colour, "size": 12},
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
