"""A Selection: which rows were picked, in which order, and why the others were not."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from curation.core.artifact import Artifact

BEYOND_BUDGET = "beyond the budget"
"""Stage of rows that an order reaches later; their margin is the number of picks too late."""
BY_HAND = "put in by hand"
"""Fact of a Selection's `info`: so many picks at the end of the order were put in by hand."""


@dataclass(frozen=True)
class Selection(Artifact):
    """Rows in pick order, and for every other row why it is out.

    Row indices are those of the whole Dataset, always. All arrays after `order` are optional: an array of length 0
    means "not known".

    Args:
        n: Number of rows of the Dataset.
        order: int64 `[m]`, unique, in pick order.
        gains: float64 `[m]`: what each pick brought (its distance, its score); the method's docstring says what.
        weights: float64 `[m]`: training weights, where the method gives them.
        stage: int16 `[n]`: 0 = selected, else 1 + the index into `stages`.
        stages: Why rows are out, one sentence each ("below 0.5", "beyond the budget", "near-duplicate").
        margin: float64 `[n]`: how far a row was from being in (threshold − score, ranks too late), NaN unknown.
        covered_by: int64 `[n]`: the selected row that stands for this one, -1 = none.
        distance: float64 `[n]`: distance (or 1 − similarity) to `covered_by`, NaN = none.
        short_by: How many rows fewer than the budget, because there were no more.
        short_reason: Why.
        nested: True when the first k picks are the pick of k.
        info: Plain facts worth showing.
    """

    kind: ClassVar[str] = "selection"
    n: int
    order: np.ndarray
    gains: np.ndarray = field(default_factory=lambda: np.empty(0))
    weights: np.ndarray = field(default_factory=lambda: np.empty(0))
    stage: np.ndarray = field(default_factory=lambda: np.empty(0, np.int16))
    stages: tuple[str, ...] = ()
    margin: np.ndarray = field(default_factory=lambda: np.empty(0))
    covered_by: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    distance: np.ndarray = field(default_factory=lambda: np.empty(0))
    short_by: int = 0
    short_reason: str = ""
    nested: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of selected rows (not of rows of the Dataset)."""
        return len(self.order)

    @property
    def mask(self) -> np.ndarray:
        """Boolean `[n]`, true for selected rows."""
        mask = np.zeros(self.n, bool)
        mask[self.order] = True
        return mask

    def prefix(self, budget: int) -> Selection:
        """The first `budget` picks of a nested order.

        Rows cut off are out because of "beyond the budget", their margin the number of picks too late. What stood for
        other rows may now be out, so `covered_by` and `distance` are dropped.
        """
        if budget >= len(self.order):
            return self
        stages = self.stages if BEYOND_BUDGET in self.stages else (*self.stages, BEYOND_BUDGET)
        code = stages.index(BEYOND_BUDGET) + 1
        stage = np.array(self.stage) if len(self.stage) else np.where(self.mask, 0, code).astype(np.int16)
        margin = np.array(self.margin) if len(self.margin) else np.full(self.n, np.nan)
        cut = self.order[budget:]
        margin[stage == code] += len(cut)  # they were too late for the longer order already
        stage[cut] = code
        margin[cut] = np.arange(1, len(cut) + 1)
        return dataclasses.replace(
            self,
            order=self.order[:budget],
            gains=self.gains[:budget],
            weights=self.weights[:budget],
            stage=stage,
            stages=stages,
            margin=margin,
            covered_by=np.empty(0, np.int64),
            distance=np.empty(0),
            short_by=0,
            short_reason="",
        )

    def why(self, row: int) -> str:
        """One sentence: why this row is in or out."""
        place = np.flatnonzero(self.order == row)
        if len(place):
            # the first pick of a greedy has an infinite gain: nothing stood yet
            known = len(self.gains) and np.isfinite(self.gains[place[0]])
            gain = f", gain {self.gains[place[0]]:.4g}" if known else ""
            by_hand = ", kept by hand" if place[0] >= len(self.order) - self.info.get(BY_HAND, 0) else ""
            return f"in: pick {place[0] + 1} of {len(self.order)}{gain}{by_hand}"
        code = int(self.stage[row]) if len(self.stage) else 0
        reason = self.stages[code - 1] if code else "not picked"
        margin = float(self.margin[row]) if len(self.margin) else float("nan")
        text = f"out: {reason}" + (f" (by {margin:.4g})" if np.isfinite(margin) else "")
        if len(self.covered_by) and self.covered_by[row] >= 0:
            text += f"; row {int(self.covered_by[row])} stands for it (distance {float(self.distance[row]):.3f})"
        return text
