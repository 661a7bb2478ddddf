"""EL2N: how far a row's predicted probabilities are from its label, early in training."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Dynamics, Score
from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.models.logits import error
from curation.scorers._dynamics import agreement, measured, place_of, scored, spread_of, too_early

BEFORE_TRAINING = "Measured before training: a network that has learnt nothing cannot tell hard rows from easy ones."
MEASURE_OF = {"mean": "el2n", "norm": "el2n_norm", "sum": "el2n_sum"}


def el2n(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Length of softmax(logits) − one-hot(label), averaged over runs: 0 when certain and right, below √2 always.

    The scores of the runs are averaged, not their probabilities or ranks. Costs runs · n · C exponentials.

    Args:
        logits: `[n, C]`, or `[runs, n, C]`; any constant may be added to a row.
        labels: int `[n]`, 0 to C − 1.

    Returns:
        float64 `[n]`.

    Raises:
        ValueError: if logits and labels are not of one length, or a label is no class.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim not in (2, 3) or labels.shape != (logits.shape[-2],):
        raise ValueError(f"logits {logits.shape} and labels {labels.shape}, not [n, C] or [runs, n, C] and [n]")
    if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[-1]:
        raise ValueError(f"labels from {labels.min()} to {labels.max()}, there are {logits.shape[-1]} classes")
    lengths = np.linalg.norm(error(logits, labels), axis=-1)
    return lengths.mean(axis=0) if logits.ndim == 3 else lengths


class EL2N(Scorer):
    """Length of the error vector, predicted probabilities minus the label, early in training, averaged over runs.

    High rows are hard for the model, mislabelled or ambiguous; low rows are learnt from their neighbours. Published is
    epoch 20 of 200: by default the first record at or after a tenth of the training is taken, and none before epoch 1,
    since a fine-tuned text model needs a pass over the rows before the score means anything; a training that ended
    sooner gives its last record, and the score says so. For conversations it is taken over the tokens of the response:
    their mean, the root of their summed squares (nearest to a gradient's length), or their sum; the latter two grow
    with length.

    Columns: `std` over runs. Noted: the epoch, and `agreement`, the mean rank correlation between runs; where it is low
    more runs are needed.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "EL2N (error length)"
    method_class: ClassVar[MethodClass] = "zero-order"
    source: ClassVar[str] = "Paul, Ganguli & Dziugaite 2021 (NeurIPS), arXiv 2107.07075; their code"
    weakness: ClassVar[str] = "Mislabelled rows come out on top: on dirty data leave the extreme top out."

    epoch: float | None = Field(
        None, ge=0, le=1e6, description="recorded epoch; empty = a tenth of the training, at least 1"
    )
    over_tokens: Literal["mean", "norm", "sum"] = Field(
        "mean", description="for conversations: how the tokens of a response are put together"
    )

    def score(self, pool: Dataset, runtime: Runtime, *, dynamics: Dynamics) -> Score:
        """Average what was recorded.

        Raises:
            ModelError: nothing was recorded, or not at that epoch.
        """
        recorded = measured(dynamics, MEASURE_OF[self.over_tokens])
        place = place_of(dynamics.epochs, self.epoch)
        runs = recorded[:, place].astype(np.float64)
        info: dict[str, Any] = {"epoch": float(dynamics.epochs[place]), "agreement": agreement(runs)}
        info |= too_early(info["epoch"], BEFORE_TRAINING)
        return scored(
            pool,
            dynamics,
            runs.mean(axis=0),
            "EL2N",
            higher_is_better=None,
            columns={"std": spread_of(runs)},
            info=info,
        )

    def work(self, size: Size) -> float:
        """A few numbers a row."""
        return float(size.rows + 1)
