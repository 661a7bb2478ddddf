"""Every score in every cluster, source or language, as a table of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode
from curation.figures.rank_correlation import diverging, short_names

WRITTEN = 12


def group_scores_figure(
    groups: Sequence[str],
    names: Sequence[str],
    place: np.ndarray,
    medians: np.ndarray,
    rows: np.ndarray,
    *,
    height: int | None = None,
    mode: Mode = "light",
) -> go.Figure:
    """Groups down, scores across; the colour says where a group's median stands among all rows.

    Args:
        groups: `[g]`, from top to bottom; may be dataset text.
        names: `[k]`, of the scores.
        place: float `[g, k]`, share of all rows below the group's median, 0 to 1; NaN where the group has no value.
        medians: float `[g, k]`.
        rows: int `[g, k]`, rows of the group that have the score.
        height: Pixels; None fits the number of groups.
        mode: Theme it is shown on.
    """
    g, k = len(groups), len(names)
    if not g or not k:
        return palette.explained(mode, "There are no groups to compare yet.", height=height or 240)
    fig = palette.figure(mode, height=height or 160 + 26 * g)
    long_groups, long_names = ([palette.plain(t, limit=60) for t in ts] for ts in (groups, names))
    said = [
        [f"{group}<br>{name}: median {medians[i, j]:.4g}, {rows[i, j]:,} rows" for j, name in enumerate(long_names)]
        for i, group in enumerate(long_groups)
    ]
    fig.add_heatmap(
        z=place.round(4), x=np.arange(k), y=np.arange(g), zmin=0, zmax=1, colorscale=diverging(mode), xgap=1, ygap=1,
        hoverongaps=False, customdata=said,
        hovertemplate="%{customdata}<br>higher than %{z:.0%} of all rows<extra></extra>",
        colorbar={
            "title": {"text": "of all rows", "font": {"size": 12}}, "thickness": 10, "len": 0.7, "outlinewidth": 0,
            "tickformat": ".0%", "tickvals": [0, 0.25, 0.5, 0.75, 1],
        },
    )  # fmt: skip
    if k <= WRITTEN:
        text = [[f"{m:.3g}" if np.isfinite(m) else "" for m in line] for line in medians]
        fig.update_traces(text=text, texttemplate="%{text}", textfont={"size": 11})
    fig.update_xaxes(tickvals=list(range(k)), ticktext=short_names(names), tickangle=-40, showgrid=False)
    fig.update_yaxes(
        tickvals=list(range(g)), ticktext=short_names(groups, 34), autorange="reversed", showgrid=False
    )  # fmt: skip
    return fig
