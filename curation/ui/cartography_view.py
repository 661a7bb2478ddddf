"""The data map of a score that holds confidence and variability; a click on a point opens its row."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.ui.chart_points import gesture
from curation.ui.components import mode
from curation.ui.pool import Stored
from curation.ui.rows import row_card

CONFIDENCE, VARIABILITY, CORRECTNESS = "confidence", "variability", "correctness"


def is_cartography(score: Score) -> bool:
    """True when a score holds what a data map is drawn from."""
    return {CONFIDENCE, VARIABILITY} <= set(score.columns)


def cartography_view(dataset: Dataset, stored: Stored) -> None:
    """The map, and the row that was clicked."""
    from curation.figures.cartography import cartography_figure

    columns = {name: np.asarray(values) for name, values in stored.score.columns.items()}
    with st.container(border=True, key="score.cartography"):
        st.markdown("**Data map**")
        st.caption(
            "How sure the model was of the right answer while it learned, and how much that changed. Rows that it "
            "never got right (bottom left) are hard or wrong; the ones it wavered on (right) are ambiguous. "
            "Click a point to read its row."
        )
        figure = cartography_figure(
            columns[CONFIDENCE], columns[VARIABILITY], correctness=columns.get(CORRECTNESS), mode=mode()
        )
        drawn = gesture(figure, key=f"score.cartography.{stored.key}", alt="Confidence against variability")
        points = drawn.get("point_indices") or []
        if points and figure.data:
            rows = np.asarray(figure.data[0].customdata, np.int64)
            row = int(rows[points[0]]) if points[0] < len(rows) else None
            if row is not None:
                names = [n for n in (CONFIDENCE, VARIABILITY, CORRECTNESS) if n in columns]
                row_card(dataset, row, facts={n: float(columns[n][row]) for n in names}, key="score.cartography.row")
