"""The map of influence: coloured by it or by the subtask that a row serves best, the chosen rows lit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.components import mode
from curation.ui.map_layers import colour_layer, hovered
from curation.ui.point_map import BudgetCut, Categories, feed_points, feed_ranks, hover_text, point_map
from curation.ui.point_map.events import INBOX, SEEN, events_of
from curation.ui.pool import Stored

INFLUENCE, SUBTASK = "influence", "best subtask"
HEIGHT = 430


def best_subtask(score: Score) -> Labels:
    """The subtask that each row serves best, as labels; rows without influence have none."""
    codes = np.asarray(score.columns["subtask"], np.int32)
    gone = ~np.isfinite(np.asarray(score.values)) | (codes < 0)
    names = tuple(map(str, score.info["subtasks"]))
    return Labels(score.dataset, np.where(gone, -1, codes).astype(np.int32), names, Missing.where(gone, "no influence"))


@dataclass(frozen=True)
class InfluenceMap:
    """The map; its arrays are sent outside the fragment that the budget reruns.

    Args:
        dataset: Whose rows.
        stored: The influence.
        order: int64, all rows that can be picked, best first.
        points: Name of the places sent.
        rest: Names the order: whether target rows are left out.
    """

    dataset: Dataset
    stored: Stored
    order: np.ndarray
    points: str
    rest: str

    @classmethod
    def of(cls, dataset: Dataset, stored: Stored, order: np.ndarray, rest: str) -> InfluenceMap | None:
        """Send what the map needs; None where there is no map yet."""
        layout = pool.best_layout(dataset.fingerprint)
        if layout is None or not len(order):
            return None
        points = feed_points(f"{layout.key}.xy", np.asarray(pool.layout_of(layout).xy))
        made = cls(dataset, stored, order, points, rest)
        feed_ranks(made._ranks, order, len(dataset))
        return made

    @property
    def key(self) -> str:
        """Of the map."""
        return f"influence.map.{self.stored.key}"

    @property
    def _ranks(self) -> str:
        return f"{self.stored.key}.{self.rest}.ranks"

    def _budget(self, value: int) -> BudgetCut:
        return BudgetCut(self._ranks, len(self.order), value, "Chosen")

    def take_budget(self, place: str) -> None:
        """Move the page's budget to where it was dragged on the map; call before the budget is drawn.

        Args:
            place: Where the session keeps the rows of the budget.
        """
        messages = list(st.session_state.get(self.key + INBOX) or [])
        seen = int(st.session_state.get(self.key + SEEN, 0))
        made = events_of(messages, seen, len(self.dataset), [], self._budget(0))
        if made.budget is not None:
            st.session_state[place] = max(1, made.budget.value)

    def draw(self, budget: int, open_row: int | None) -> int | None:
        """Draw the map; returns the row that was clicked in this run."""
        score = self.stored.score
        options = [INFLUENCE, *([SUBTASK] if len(score.info.get("subtasks", [])) > 1 else [])]
        by = st.segmented_control(
            "Colour the map by", options, default=INFLUENCE, required=True, key="influence.map.colour"
        )
        if by == SUBTASK:
            colour = colour_layer(f"{self.stored.key}.subtask", best_subtask(score), mode())
            if isinstance(colour, Categories):
                colour = replace(colour, none_name="no influence")
        else:
            colour = colour_layer(self.stored.key, score, mode())
        made = point_map(
            key=self.key, points=self.points, n=len(self.dataset), mode=mode(), height=HEIGHT, colour=colour,
            budget=self._budget(budget), open_row=open_row, tools=False, alt="Influence on the map",
        )  # fmt: skip
        return made.clicked.row if made.clicked is not None else None

    def hover(self) -> None:
        """Texts beside the pointer; call outside the fragment."""
        hover_text(lambda row: hovered(self.dataset, row), n=len(self.dataset), key=self.key)
