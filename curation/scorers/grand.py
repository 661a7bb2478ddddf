"""GraNd: the length of a row's own gradient early in training."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Dynamics, Score
from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.models.logits import error
from curation.scorers._dynamics import agreement, checked_epoch, measured, place_of, scored, spread_of, too_early

AT_START = "Gradient lengths before training did not beat random when the experiment was repeated."


def last_layer_grand(logits: np.ndarray, labels: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Length of the cross-entropy's gradient in the weight and bias of the last layer: ‖p − y‖ · √(1 + ‖h‖²).

    Exact, without forming a gradient: that of the weight is the outer product of p − y and h. Averaged over runs.

    Args:
        logits: `[n, C]`, or `[runs, n, C]`.
        labels: int `[n]`, 0 to C − 1.
        inputs: h, what the last layer reads: `[n, d]`, or `[runs, n, d]`.

    Returns:
        float64 `[n]`.
    """
    lengths = np.linalg.norm(error(logits, np.asarray(labels)), axis=-1)
    lengths = lengths * np.sqrt(1.0 + (np.asarray(inputs, np.float64) ** 2).sum(axis=-1))
    return lengths.mean(axis=0) if lengths.ndim == 2 else lengths


class GraNd(Scorer):
    """Length of the gradient of a row's own loss early in training, averaged over runs: how far it pulls the model.

    Which parameters are meant is the trainer's choice: the last layer, or all of the head. By default the first record
    at or after a tenth of the training is taken, not before epoch 1; a training that ended sooner gives its last
    record, and the score says so. Published was also the score at initialisation, but that does not reproduce: Kirsch
    (2023) found it no better than random, and later GraNd and EL2N to hold. Epoch 0 is therefore refused unless
    `allow_init` says otherwise.

    Columns: `std` over runs. Noted: the epoch, `agreement` (mean rank correlation between runs) and the parameters.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "GraNd (gradient length)"
    method_class: ClassVar[MethodClass] = "first-order"
    source: ClassVar[str] = "Paul, Ganguli & Dziugaite 2021, arXiv 2107.07075; Kirsch 2023, arXiv 2303.14753"
    weakness: ClassVar[str] = "Mislabelled rows come out on top, and long gradients of many rows may cancel each other."

    epoch: float | None = Field(
        None, ge=0, le=1e6, description="recorded epoch; empty = a tenth of the training, at least 1"
    )
    allow_init: bool = Field(False, description="allow epoch 0, which does not beat random in the replication")

    def score(self, pool: Dataset, runtime: Runtime, *, dynamics: Dynamics) -> Score:
        """Average what was recorded.

        Raises:
            CurationError: the epoch is 0.
            ModelError: nothing was recorded, or not at that epoch.
        """
        recorded = measured(dynamics, "grand")
        place = place_of(dynamics.epochs, self.epoch)
        epoch = float(dynamics.epochs[place])
        checked_epoch(epoch, self.allow_init)
        runs = recorded[:, place].astype(np.float64)
        info: dict[str, Any] = {"epoch": epoch, "agreement": agreement(runs), "parameters": dynamics.info.get("grand")}
        info |= too_early(epoch, AT_START)
        return scored(
            pool,
            dynamics,
            runs.mean(axis=0),
            "GraNd",
            higher_is_better=None,
            columns={"std": spread_of(runs)},
            info=info,
        )

    def work(self, size: Size) -> float:
        """A few numbers a row."""
        return float(size.rows + 1)
