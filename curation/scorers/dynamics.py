"""One recorded measure of a training as a score."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Dynamics, Score
from curation.core.dataset import Dataset
from curation.core.errors import ModelError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.scorers._dynamics import measured, scored, spread_of

OverRuns = Literal["mean", "median", "max", "min", "first"]


class Measure(Scorer):
    """A measure that a trainer recorded, as it stood after an epoch; by default at the end of the training.

    `trainer/encoder` records `score`, by which it prunes, and `kept`; what else there is is up to the trainer. Several
    runs become one number by their mean, or as `runs` says. Columns: `std` over runs, and `epochs_kept`, the share of
    the recorded epochs that the row was trained on, where that is known.
    """

    title: ClassVar[str] = "Recorded measure"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "Says how one training went; another seed, model or learning rate may say otherwise."
    source: ClassVar[str] = "The training; smoothed scores of dynamic pruning: arXiv 2306.03208"

    measure: str = Field("score", min_length=1, description="name of the measure", examples=["score"])
    epoch: float | None = Field(None, ge=0, le=1e6, description="recorded epoch; empty = the last one")
    runs: OverRuns = Field("mean", description="how several runs become one number")
    higher_is_better: bool | None = Field(None, description="whether high is better; nothing = neither end is")

    def score(self, pool: Dataset, runtime: Runtime, *, dynamics: Dynamics) -> Score:
        """Take what was recorded.

        Raises:
            ModelError: it was not recorded, or not at that epoch.
        """
        recorded = measured(dynamics, self.measure)
        place = self._place(dynamics.epochs)
        runs = recorded[:, place].astype(np.float64)
        columns = {"std": spread_of(runs)}
        if "kept" in dynamics.measures:
            columns["epochs_kept"] = np.asarray(dynamics.measures["kept"], np.float64).mean(axis=(0, 1))
        info: dict[str, Any] = {"measure": self.measure, "epoch": float(dynamics.epochs[place])}
        values = runs[0] if self.runs == "first" else getattr(np, self.runs)(runs, axis=0)
        return scored(
            pool,
            dynamics,
            values,
            self.measure,
            higher_is_better=self.higher_is_better,
            columns=columns,
            info=info,
        )

    def _place(self, epochs: np.ndarray) -> int:
        if not len(epochs):
            raise ModelError("nothing was recorded while the model was trained", "use a model that a trainer here made")
        if self.epoch is None:
            return len(epochs) - 1
        places = np.flatnonzero(np.abs(epochs - self.epoch) < 1e-6)
        if not len(places):
            known = ", ".join(f"{e:g}" for e in epochs)
            raise ModelError(f"nothing was recorded at epoch {self.epoch:g}", f"recorded: {known}")
        return int(places[0])

    def work(self, size: Size) -> float:
        """A few numbers a row."""
        return float(size.rows + 1)
