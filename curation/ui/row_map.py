"""The map of a dataset as a page shows it: sampled above plotly's limit, with hover texts kept between reruns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Layout, Score
from curation.core.dataset import Dataset
from curation.ui import session
from curation.ui.components import chart, mode
from curation.ui.text import one_line
from curation.workspace import Workspace

HOVER_LETTERS = 200


def shown_rows(n: int, selected: np.ndarray | None = None) -> np.ndarray:
    """The rows that are drawn: all of a small dataset, else a fixed sample in which each part has its share.

    Args:
        n: Rows of the dataset.
        selected: bool `[n]`: rows that stand out. They and the others are sampled apart, so that a small selection is
            drawn as densely as a large one.
    """
    from curation.figures.map import MAX_POINTS

    if n <= MAX_POINTS:
        return np.arange(n)
    order = np.random.default_rng(0).permutation(n)
    if selected is None or not selected.any():
        return np.sort(order[:MAX_POINTS])
    picked = order[selected[order]][: MAX_POINTS // 2]
    others = order[~selected[order]][: MAX_POINTS - len(picked)]
    return np.sort(np.concatenate([picked, others]))


@st.cache_resource(max_entries=8, show_spinner=False)
def _prompts(root: str, fingerprint: str, rows: bytes) -> list[str]:
    dataset = Workspace(Path(root)).dataset(fingerprint)
    return [one_line(text, HOVER_LETTERS) for text in dataset.take(np.frombuffer(rows, np.int64)).texts("prompt")]


def row_map(
    dataset: Dataset,
    layout: Layout,
    *,
    key: str,
    color: Score | Labels | None = None,
    selected: np.ndarray | None = None,
    names_on_map: bool = False,
    select: bool = False,
    height: int = 440,
) -> dict[str, Any]:
    """Draw the map.

    Args:
        dataset: Whose rows.
        layout: Where they stand.
        key: Stable name of the chart.
        color: Score or Labels of all rows.
        selected: bool `[n]`: rows that stand out.
        names_on_map: Write the names of the largest categories on the map.
        select: Let the user draw a box or lasso.
        height: Pixels.

    Returns:
        The selection, see `components.chart`.
    """
    from curation.figures.map import map_figure

    rows = shown_rows(len(dataset), selected).astype(np.int64)
    figure = map_figure(
        np.asarray(layout.xy)[rows],
        rows=rows,
        color=None if color is None else color.take(rows, color.dataset),
        selected=None if selected is None else selected[rows],
        hover=_prompts(str(session.workspace().root), dataset.fingerprint, rows.tobytes()),
        names_on_map=names_on_map,
        # a better layout has other coordinates, so the zoom of the preview means nothing there
        uirevision=f"{dataset.fingerprint}.{layout.preview}",
        height=height,
        mode=mode(),
    )
    found = chart(figure, key=key, select=select, alt="Map of the rows")
    notes = []
    if len(rows) < len(dataset):
        notes.append(f"{len(rows):,} of {len(dataset):,} points are drawn; what you draw around counts for all rows")
    missing = int(layout.missing.mask.sum())
    if missing:
        notes.append(f"{missing:,} rows have no place")
    if layout.preview:
        notes.append("preview by the words used; the map by meaning replaces it")
    if notes:
        st.caption(f":material/info: {'. '.join(n[:1].upper() + n[1:] for n in notes)}.")
    return found
