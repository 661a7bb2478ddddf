"""The picks of a selection on the map: the budget moves while it is dragged, by the order that is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from curation.core.artifacts import Missing, Score, Selection
from curation.core.dataset import Dataset
from curation.figures import palette
from curation.ui import pool
from curation.ui.components import mode
from curation.ui.map_layers import colour_layer, mask_layer
from curation.ui.point_map import BudgetCut, Categories, Numbers, feed_numbers, feed_points, feed_ranks, point_map
from curation.ui.point_map.events import INBOX, SEEN, events_of
from curation.ui.pool import Stored

PICK = "pick"
PICK_ORDER, CLUSTER = "pick order", "cluster"


def pick_order(dataset: Dataset, selection: Selection) -> Score:
    """The place of each picked row in the order, from 1; other rows have none."""
    values = np.full(len(dataset), np.nan)
    values[selection.order] = np.arange(1, len(selection) + 1)
    missing = Missing.where(np.isnan(values), "not picked")
    return Score(dataset.fingerprint, values, missing, PICK, higher_is_better=False)


@dataclass(frozen=True)
class SelectionMap:
    """The map of a selection; its arrays are sent outside the fragment that the budget reruns.

    Args:
        dataset: Whose rows.
        stored: The selection.
        order: Its longest known order.
        points: Name of the places sent.
        clusters: For colours.
        layout_key: Of the map.
    """

    dataset: Dataset
    stored: Stored
    order: Selection
    points: str
    clusters: Stored | None
    layout_key: str

    @classmethod
    def of(cls, dataset: Dataset, stored: Stored, order: Selection) -> SelectionMap | None:
        """Send what the map needs; None where there is no map yet."""
        layout = pool.best_layout(dataset.fingerprint)
        if layout is None:
            return None
        points = feed_points(f"{layout.key}.xy", np.asarray(pool.layout_of(layout).xy))
        made = cls(dataset, stored, order, points, pool.clusters_of(dataset.fingerprint, layout), layout.key)
        feed_numbers(made._places, np.asarray(pick_order(dataset, order).values))
        if order.nested:
            feed_ranks(made._ranks, np.asarray(order.order), len(dataset))
        return made

    @property
    def key(self) -> str:
        """Of the map."""
        return f"select.map.{self.stored.key}"

    @property
    def _ranks(self) -> str:
        return f"{self.stored.key}.{len(self.order)}.ranks"

    @property
    def _places(self) -> str:
        return f"{self.stored.key}.{len(self.order)}.places"

    def _budget(self, value: int) -> BudgetCut | None:
        return BudgetCut(self._ranks, len(self.order), value, "Picks") if self.order.nested else None

    def take_budget(self) -> None:
        """Move the page's budget to where it was dragged on the map; call before the budget is drawn."""
        messages = list(st.session_state.get(self.key + INBOX) or [])
        seen = int(st.session_state.get(self.key + SEEN, 0))
        made = events_of(messages, seen, len(self.dataset), [], self._budget(0))
        if made.budget is not None:
            st.session_state[f"select.budget.{self.stored.key}.rows"] = max(1, made.budget.value)

    def draw(self, now: Selection) -> None:
        """Draw the picks at a budget."""
        options = [PICK_ORDER, *([CLUSTER] if self.clusters else [])]
        by = st.segmented_control(
            "Picks on the map, coloured by", options, default=options[0], required=True, key="select.map.colour"
        )
        colour: Categories | Numbers | None
        if by == CLUSTER and self.clusters is not None:
            colour = colour_layer(self.clusters.key, self.clusters.labels, mode())
        else:
            c = palette.colours(mode())
            colour = Numbers(self._places, PICK_ORDER, 1, max(2, len(now)), c.sequential[::-1], False, c.noise)
        point_map(
            key=self.key, points=self.points, n=len(self.dataset), mode=mode(), height=430, colour=colour,
            lit=None if self.order.nested else mask_layer(now.mask), budget=self._budget(len(now)), tools=False,
            alt="Picks on the map",
        )  # fmt: skip
