"""The data map of dataset cartography: how sure a model was of each row while it learned, and how much that changed."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

MAX_POINTS = 8_000
"""Above this a fixed sample is drawn, and said."""


def drawn(n: int, most: int = MAX_POINTS) -> np.ndarray:
    """Places that are drawn, int64, sorted: all of a few, else a fixed sample."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).permutation(n)[:most])


def cartography_figure(
    confidence: np.ndarray,
    variability: np.ndarray,
    *,
    correctness: np.ndarray | None = None,
    height: int = 460,
    mode: Mode = "light",
) -> go.Figure:
    """Confidence against variability, coloured by correctness, with the three regions named.

    Args:
        confidence: float `[n]`, mean probability of the right answer over the epochs, 0 to 1; NaN = missing.
        variability: float `[n]`, its standard deviation over the epochs, ≥ 0.
        correctness: float `[n]`, share of the epochs in which the row was right, 0 to 1; None = one colour.
        height: Pixels.
        mode: Theme it is shown on.

    Returns:
        A figure whose first trace holds the points; their `customdata` is the row.

    Source: Swayamdipta et al., Dataset Cartography, arXiv 2009.10795.
    """
    confidence, variability = np.asarray(confidence, np.float64), np.asarray(variability, np.float64)
    rows = np.flatnonzero(np.isfinite(confidence) & np.isfinite(variability))
    if not len(rows):
        return palette.explained(mode, "No row has both confidence and variability.", height=height)
    shown = rows[drawn(len(rows))]
    c = palette.colours(mode)
    marker: dict[str, object] = {"color": c.main, "size": 5 if len(shown) < 5000 else 3, "opacity": 0.75}
    hover = "row %{customdata:,}<br>confidence %{y:.3f}, variability %{x:.3f}"
    if correctness is not None:
        values = np.asarray(correctness, np.float64)[shown]
        marker |= {
            "color": values.astype(np.float32),
            "colorscale": palette.colour_scale(mode),
            "cmin": 0.0,
            "cmax": 1.0,
            "colorbar": {
                "title": {"text": "correct", "font": {"size": 12}},
                "tickformat": ".0%",
                "thickness": 10,
                "len": 0.6,
                "outlinewidth": 0,
            },
        }
        hover += "<br>right in %{marker.color:.0%} of the epochs"
    fig = palette.figure(mode, height=height)
    fig.add_scattergl(
        x=variability[shown].astype(np.float32),
        y=confidence[shown].astype(np.float32),
        mode="markers",
        marker=marker,
        customdata=shown.astype(np.int32),
        hovertemplate=f"{hover}<extra></extra>",
        showlegend=False,
        name="rows",
    )
    for text, x, y, x_anchor, y_anchor in (
        ("easy to learn", 0.0, 1.0, "left", "bottom"),
        ("hard to learn", 0.0, 0.0, "left", "bottom"),
        ("ambiguous", 1.0, 0.5, "right", "middle"),
    ):
        fig.add_annotation(
            text=f"<b>{text}</b>",
            x=x,
            y=y,
            xref="paper",
            yref="paper",
            xanchor=x_anchor,
            yanchor=y_anchor,
            showarrow=False,
            font={"color": c.text, "size": 13},
            bgcolor=c.background,
            opacity=0.85,
        )
    left_out = f" ({len(shown):,} of {len(rows):,} rows drawn)" if len(shown) < len(rows) else ""
    fig.update_layout(dragmode="pan")
    fig.update_xaxes(title_text=f"variability{left_out}", showgrid=False, rangemode="tozero")
    fig.update_yaxes(title_text="confidence")
    return fig
