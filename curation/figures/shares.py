"""What share of the rows each cluster, source or language has, before and after selecting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

SHOWN = 15
"""More groups than this: the largest are shown, the others become one."""


def shares_figure(
    names: Sequence[str],
    before: np.ndarray,
    after: np.ndarray | None = None,
    *,
    before_name: str = "pool",
    after_name: str = "selection",
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Horizontal bars of shares, largest group first.

    Args:
        names: `[g]`, what each group is called; may be dataset text.
        before: int `[g]`, rows of each group in the pool.
        after: int `[g]`, rows of each group in the selection, or None to show the pool alone.
        before_name: What the pool is called.
        after_name: What the selection is called.
        height: Pixels; None fits the number of groups.
        mode: Theme it is shown on.
    """
    before = np.asarray(before, np.int64)
    if not before.sum():
        return palette.explained(mode, "There are no groups to compare yet.", height=height or 280)
    after = None if after is None else np.asarray(after, np.int64)
    order = np.argsort(-before, kind="stable")
    labels = palette.names_of([names[i] for i in order[:SHOWN]], limit=36)
    columns = [(before_name, _largest(before, order))]
    if after is not None:
        columns.append((after_name, _largest(after, order)))
    if len(order) > SHOWN:
        labels.append(f"{len(order) - SHOWN:,} more")
    places = np.arange(len(labels))
    c = palette.colours(mode)
    tall = height or 84 + len(labels) * (34 if after is not None else 24)
    fig = palette.figure(mode, height=tall)
    fills = [c.dropped, c.main] if after is not None else [c.main]
    for (name, counts), colour in zip(columns, fills, strict=True):
        total = max(int(counts.sum()), 1)
        fig.add_bar(
            y=places,
            x=counts / total,
            orientation="h",
            name=palette.plain(name, limit=40),
            marker={"color": colour, "line": {"width": 0}},
            customdata=counts,
            hovertemplate="%{customdata:,} rows, %{x:.1%}<extra></extra>",
        )
    fig.update_layout(
        barmode="group",
        bargap=0.32,
        bargroupgap=0.06,
        showlegend=after is not None,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    )
    fig.update_xaxes(tickformat=".0%", rangemode="tozero")
    # numbers with tick texts, not a category axis: two groups whose shortened names are equal stay two bars
    fig.update_yaxes(tickvals=places, ticktext=labels, autorange="reversed", showgrid=False)
    return fig


def _largest(counts: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Counts of the first groups of an order, and the sum of the others where there are any."""
    head, rest = counts[order[:SHOWN]], counts[order[SHOWN:]]
    return np.append(head, rest.sum()) if len(rest) else head
