"""Uncertainty of a classifier: how undecided it was about a row's class."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Dynamics, Score
from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.scorers._dynamics import agreement, measured, place_of, scored, spread_of, too_early


class ClassUncertainty(Scorer):
    """Entropy of the predicted classes in nats at one epoch of a training, averaged over runs.

    High: the network wavers between classes, 0: it is certain, rightly or wrongly. Unlike EL2N and margins the row's
    own label does not enter, so it may be read where labels are doubted. For conversations it is the mean entropy over
    the tokens of the response.

    Columns: `std` over runs. Noted: the epoch, and `agreement`, the mean rank correlation between runs.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Uncertainty of a classifier"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "A network trained on a row is certain of it, also where the label is wrong."
    source: ClassVar[str] = "Entropy sampling (Settles 2009, survey of active learning)"

    epoch: float | None = Field(
        None, ge=0, le=1e6, description="recorded epoch; empty = a tenth of the training, at least 1"
    )

    def score(self, pool: Dataset, runtime: Runtime, *, dynamics: Dynamics) -> Score:
        """Average what was recorded.

        Raises:
            ModelError: the entropy was not recorded, or not at that epoch.
        """
        entropy = measured(dynamics, "entropy")
        place = place_of(dynamics.epochs, self.epoch)
        runs = entropy[:, place].astype(np.float64)
        info: dict[str, Any] = {"epoch": float(dynamics.epochs[place]), "agreement": agreement(runs)}
        info |= too_early(info["epoch"], "Measured before training.")
        columns = {"std": spread_of(runs)}
        return scored(
            pool, dynamics, runs.mean(axis=0), "class entropy", higher_is_better=None, columns=columns, info=info
        )

    def work(self, size: Size) -> float:
        """A few numbers a row."""
        return float(size.rows + 1)
