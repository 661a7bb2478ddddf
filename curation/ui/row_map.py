"""A map to look at: no tools, no sliders, hover and zoom. The Map page has the one to work with."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Layout, Score
from curation.core.dataset import Dataset
from curation.ui.components import mode
from curation.ui.map_layers import colour_layer, hovered, mask_layer
from curation.ui.point_map import feed_points, hover_text, point_map


def row_map(
    dataset: Dataset,
    layout: Layout,
    layout_key: str,
    *,
    key: str,
    color: Score | Labels | None = None,
    color_key: str = "",
    lit: np.ndarray | None = None,
    height: int = 440,
) -> None:
    """Draw the map.

    Args:
        dataset: Whose rows.
        layout: Where they stand.
        layout_key: Of its result.
        key: Stable name of the map.
        color: Of all rows.
        color_key: Of the colour's result.
        lit: bool `[n]`: rows that stand out.
        height: Pixels.
    """
    point_map(
        key=key, points=feed_points(f"{layout_key}.xy", np.asarray(layout.xy)), n=len(dataset), mode=mode(),
        height=height, colour=colour_layer(color_key, color, mode()), lit=None if lit is None else mask_layer(lit),
        tools=False,
    )  # fmt: skip
    hover_text(lambda row: hovered(dataset, row), n=len(dataset), key=key)
    notes = [f"{int(layout.missing.mask.sum()):,} rows have no place"] if layout.missing.mask.any() else []
    if layout.preview:
        notes.append("Preview by the words used; the map by meaning replaces it")
    if notes:
        st.caption(f":material/info: {'. '.join(notes)}.")
