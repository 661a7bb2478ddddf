"""What scorers on training dynamics share: a measure and its epochs, averages over runs, what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.core.artifacts import Dynamics, Missing, Model, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, ModelError

EARLY = 0.1
"""Share of the training after which the published EL2N is taken: epoch 20 of 200."""
LEAST_EPOCH = 1.0
TOO_EARLY = "Measured after {epoch:.2g} of the first epoch: not every row had been read by then."
HINTS = {
    "grand": "use trainer/classifier on labelled rows; for a language model there is scorer/gradient-norm",
    "presented": "set measure: correct, or use trainer/classifier on labelled rows",
    "el2n_norm": "set over_tokens: mean; for conversations add 'el2n_norm' to the trainer's field 'record'",
    "el2n_sum": "set over_tokens: mean; for conversations add 'el2n_sum' to the trainer's field 'record'",
}
"""What to do about a measure that only some trainers record."""
NOT_MEASURED = "not measured in every run"


def measured(dynamics: Dynamics, name: str) -> np.ndarray:
    """One measure `[runs, epochs, n]`.

    Raises:
        ModelError: the training did not record it.
    """
    if name not in dynamics.measures:
        known = ", ".join(dynamics.measures) or "nothing"
        default = f"add '{name}' to the trainer's field 'record', or use trainer/classifier on labelled rows"
        raise ModelError(f"the training did not record '{name}', it recorded {known}", HINTS.get(name, default))
    return np.asarray(dynamics.measures[name])


def place_of(epochs: np.ndarray, epoch: float | None) -> int:
    """Index of a recorded epoch; None = the first one at or after a tenth of the training, but not before epoch 1.

    A training that ended before epoch 1 gives its last record.

    Args:
        epochs: float64 `[e]`, increasing.
        epoch: One of them, or None.

    Raises:
        ModelError: nothing, or nothing at that epoch, was recorded.
    """
    if not len(epochs):
        raise ModelError("nothing was recorded while the model was trained", "use a model that a trainer here made")
    if epoch is None:
        late = np.flatnonzero(epochs >= max(LEAST_EPOCH, EARLY * float(epochs[-1])) - 1e-9)
        return int(late[0]) if len(late) else len(epochs) - 1
    places = np.flatnonzero(np.abs(epochs - epoch) < 1e-6)
    if not len(places):
        raise ModelError(f"nothing was recorded at epoch {epoch:g}", f"recorded: {_listed(epochs)}")
    return int(places[0])


def in_training(epochs: np.ndarray, until: float | None) -> np.ndarray:
    """Indices of what was recorded after training began, up to an epoch where one is given.

    Raises:
        ModelError: if that is nothing.
    """
    places = np.flatnonzero((epochs > 0) & (epochs <= (np.inf if until is None else until) + 1e-9))
    if not len(places):
        end = "" if until is None else f" up to epoch {until:g}"
        raise ModelError(f"nothing was recorded in training{end}", f"recorded: {_listed(epochs) or 'nothing'}")
    return places


def _listed(epochs: np.ndarray) -> str:
    return ", ".join(f"{e:g}" for e in epochs)


def spread_of(values: np.ndarray) -> np.ndarray:
    """Standard deviation over runs (ddof 1) of `[runs, n]`; NaN with one run."""
    return values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)


def agreement(values: np.ndarray) -> float | None:
    """Mean rank correlation (Spearman) between pairs of runs; None with one run, or where no two runs vary.

    Costs runs · n log n. A row that one run lacks counts for none.

    Args:
        values: `[runs, n]`.
    """
    from scipy.stats import rankdata

    there = values[:, np.isfinite(values).all(axis=0)]
    varying = [run for run in there if there.shape[1] > 1 and np.ptp(run) > 0]
    if len(varying) < 2:
        return None
    table = np.corrcoef(np.stack([rankdata(run) for run in varying]))
    return float(table[np.triu_indices(len(varying), 1)].mean())


def scored(
    pool: Dataset,
    dynamics: Dynamics,
    values: np.ndarray,
    name: str,
    *,
    higher_is_better: bool | None,
    columns: dict[str, np.ndarray],
    info: dict[str, Any],
) -> Score:
    """A Score whose missing rows are those of the training, and those without a number."""
    own, reasons = dynamics.missing.codes, dynamics.missing.reasons
    codes = np.where(own > 0, own, np.where(np.isfinite(values), 0, len(reasons) + 1)).astype(np.int16)
    missing = Missing(codes, (*reasons, NOT_MEASURED)).compact()
    whole = {"runs": len(next(iter(dynamics.measures.values()))), **info}
    if isinstance(dynamics, Model):
        whole |= {"model": dynamics.name, "weak": dynamics.weak}
    if "caution" in dynamics.info:
        whole["caution"] = " ".join(filter(None, (str(dynamics.info["caution"]), whole.get("caution"))))
    numbers = np.where(missing.mask, np.nan, values)
    return Score(pool.fingerprint, numbers, missing, name, higher_is_better, columns, whole)


def too_early(epoch: float, at_start: str) -> dict[str, str]:
    """A caution for `info` where a score was taken before the first epoch was over; nothing later than that.

    Args:
        epoch: When it was taken.
        at_start: What is said of epoch 0.
    """
    if epoch <= 0:
        return {"caution": at_start}
    return {"caution": TOO_EARLY.format(epoch=epoch)} if epoch < LEAST_EPOCH - 1e-9 else {}


def checked_epoch(epoch: float, allow_start: bool) -> None:
    """Refuse what was measured before training, unless the user insists.

    Raises:
        CurationError: for epoch 0.
    """
    if epoch <= 0 and not allow_start:
        raise CurationError(
            "at epoch 0 the network has learnt nothing yet, and scores taken there did not beat random when others "
            "repeated the experiment (Kirsch 2023, arXiv 2303.14753)",
            "take epoch 1 or later, or set allow_init: true",
        )
