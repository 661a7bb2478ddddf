"""How a score is spread, and what a cut keeps."""

from __future__ import annotations

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from curation.figures import palette
from curation.figures.palette import Mode

BINS = 48
TAIL = 1.0
"""Values farther out than this many widths of the middle 98 % go into the outermost bin; the rest stays readable."""


def kept_mask(values: np.ndarray, cut: float | None, keep: Literal["above", "below"]) -> np.ndarray:
    """Rows that a cut keeps, bool `[n]`: at or on the kept side of it. NaN is never kept."""
    present = np.isfinite(values)
    if cut is None:
        return present
    return present & (values >= cut if keep == "above" else values <= cut)


def bin_edges(values: np.ndarray, bins: int = BINS) -> tuple[np.ndarray, int, int]:
    """Edges for finite values, and how many lie below the first and above the last one.

    Whole numbers get bins of whole width, a long tail is left outside.
    """
    first, last = np.quantile(values, [0.01, 0.99])
    reach = TAIL * max(last - first, 1e-12)
    usual = values[(values >= first - reach) & (values <= last + reach)]
    low, high = float(usual.min()), float(usual.max())
    if high <= low:
        edges = np.array([low - 0.5, low + 0.5])
    elif np.array_equal(values, np.round(values)):
        step = max(1, int(np.ceil((high - low + 1) / bins)))
        edges = np.arange(np.floor(low) - 0.5, high + step + 0.5, step)
    else:
        edges = np.linspace(low, high, bins + 1)
    return edges, int((values < edges[0]).sum()), int((values > edges[-1]).sum())


def distribution_figure(
    values: np.ndarray,
    *,
    name: str = "score",
    cut: float | None = None,
    keep: Literal["above", "below"] = "above",
    height: int = 260,
    mode: Mode = "light",
) -> go.Figure:
    """Histogram with what the cut keeps in colour and what it drops in grey.

    Args:
        values: float `[n]`; NaN rows are counted, not drawn.
        name: Title of the axis; may be dataset text.
        cut: Where to cut, None for no cut.
        keep: Side that is kept; rows exactly at the cut are kept.
        height: Pixels.
        mode: Theme it is shown on.

    Returns:
        Two stacked bar traces, "kept" and "dropped" (one, "rows", without a cut). Their heights are exact counts, also
        in the bin that the cut divides; values outside the drawn range are counted in the outermost bins.
    """
    values = np.asarray(values, np.float64)
    present = values[np.isfinite(values)]
    if not len(present):
        why = "Every row lacks this score." if len(values) else "There are no rows to show."
        return palette.explained(mode, why, height=height)
    edges, below, above = bin_edges(present)
    kept = kept_mask(values, cut, keep)
    drawn = np.clip(values, edges[0], edges[-1])
    in_counts = np.histogram(drawn[kept], edges)[0]
    out_counts = np.histogram(drawn[np.isfinite(values) & ~kept], edges)[0]

    c = palette.colours(mode)
    fig = palette.figure(mode, height=height)
    centres, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    label = palette.plain(name, limit=60)
    spans = [f"{a:.4g} to {b:.4g}" for a, b in zip(edges[:-1], edges[1:], strict=True)]
    series = (
        [("rows", in_counts, c.main)]
        if cut is None
        else [("kept", in_counts, c.main), ("dropped", out_counts, c.dropped)]
    )
    for title, counts, colour in series:
        fig.add_bar(
            x=centres,
            y=counts,
            width=widths,
            name=title,
            marker={"color": colour, "line": {"width": 0}},
            customdata=spans,
            hovertemplate=f"{label} %{{customdata}}<br>%{{y:,}} {title}<extra></extra>",
        )
    if cut is not None:
        fig.add_vline(x=float(np.clip(cut, edges[0], edges[-1])), line={"color": c.selected, "width": 2})
    notes = []
    if below or above:
        notes.append(f"{below + above:,} rows beyond the axis are in the last bars")
    missing = len(values) - len(present)
    if missing:
        notes.append(f"{missing:,} rows have no score")
    fig.update_layout(barmode="stack", showlegend=False, bargap=0.0)
    fig.update_xaxes(title_text=label + (f"<br><sup>{'<br>'.join(notes)}</sup>" if notes else ""), showgrid=False)
    fig.update_yaxes(title_text="rows", tickformat=",d")
    return fig
