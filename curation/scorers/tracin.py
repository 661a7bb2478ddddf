"""TracIn: what training on a row changed, or would change, in the loss of the row itself or of target rows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import DataError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.scorers._less import influence_score, same_training, targets_of
from curation.scorers.less import influence

PLAIN = "make them with encoder/gradients and direction: sgd"


def self_influence(norms: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Σ_c η_c ‖g_c‖², float64 `[n]`: how far, to first order, steps on a row alone lower its own loss.

    Args:
        norms: `[n, C]`, lengths of the row's gradient at every checkpoint.
        rates: `[C]`, learning rates there.
    """
    return np.asarray(norms, np.float64) ** 2 @ np.asarray(rates, np.float64)


def scaled_up(units: np.ndarray, norms: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Features whose products are Σ_c η_c ⟨g_c, g'_c⟩, from unit blocks weighted by √(η_c / Σ η).

    Args:
        units: `[n, C·d]`.
        norms: `[n, C]`, lengths of the blocks before.
        rates: `[C]`, learning rates.

    Returns:
        float32 `[n, C·d]`.
    """
    blocks = np.asarray(units, np.float32).reshape(len(units), len(rates), -1)
    lengths = np.asarray(norms, np.float64) * np.sqrt(np.sum(rates))
    return (blocks * lengths[:, :, None].astype(np.float32)).reshape(len(units), -1)


class TracIn(Scorer):
    """Influence in units of the loss, from gradient features with plain gradients: Σ_c η_c ⟨g_c, g'_c⟩.

    Without targets it is each row's influence on itself, Σ_c η_c ‖g_c‖²: rows that stand alone, being rare, hard or
    wrong, have to be learnt by themselves, and come out on top. With targets it is the mean over a subtask's examples
    of how much a step of plain gradient descent on the row lowers their loss, and the highest over subtasks; short rows
    have long gradients and win easily, for which LESS takes the cosine (scorer/less).

    Lengths are those of projected gradients: a dense projection to d numbers is off by a share of some √(2/d), 1.6 % at
    8,192. η are the mean learning rates of the warm-up's passes. Columns: `norm_1` …, the lengths at the checkpoints;
    with targets those of scorer/less.
    """

    title: ClassVar[str] = "TracIn"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = "Short responses have long gradients; a row on top can be rare, hard or wrong."
    source: ClassVar[str] = "TracIn: Pruthi et al. 2020 (NeurIPS), arXiv 2002.08484"
    elsewhere: ClassVar[tuple[str, ...]] = ("target_features", "subtasks")

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        features: Features,
        target_features: Features | None = None,
        subtasks: Labels | None = None,
    ) -> Score:
        """Multiply.

        Args:
            pool: The rows.
            runtime: Progress.
            features: Gradient features of the pool, direction sgd.
            target_features: The same of target rows; None = each row's influence on itself.
            subtasks: Subtask of every target row; those without a label are no targets.

        Raises:
            DataError: features that are no plain gradients, or do not belong to one warm-up and projection.
            CurationError: no target row has a gradient.
        """
        rates, scale = _plain(features)
        norms = lengths_of(features, len(rates)) / scale**0.5
        missing = Missing(np.asarray(features.missing.codes), features.missing.reasons)
        info = {
            "model": features.info.get("model"),
            "weak": bool(features.info.get("weak")),
            "rates": rates.tolist(),
        }
        lengths = {f"norm_{c + 1}": norms[:, c] for c in range(len(rates))}
        if target_features is None:
            values = np.where(missing.mask, np.nan, self_influence(norms, rates))
            return Score(pool.fingerprint, values, missing, "self-influence", None, lengths, info)
        same_training(features.info, target_features.info)
        _plain(target_features)
        chosen = targets_of(~target_features.missing.mask, subtasks)
        theirs = lengths_of(target_features, len(rates))[chosen.rows] / scale**0.5
        examples = scaled_up(np.asarray(target_features.values)[chosen.rows], theirs, rates)
        means = np.zeros((len(chosen.names), examples.shape[1]), np.float32)
        np.add.at(means, chosen.groups, examples)
        means /= np.bincount(chosen.groups)[:, None]
        ours = _ScaledUp(np.asarray(features.values), norms, rates)
        found = influence(ours, means, examples, progress=lambda done, total: runtime.progress(done, total))
        made = influence_score(
            pool, chosen, found.by_subtask, (found.nearest, found.similarity), missing,
            {**info, "target_dataset": target_features.dataset},
        )  # fmt: skip
        return Score(pool.fingerprint, made.values, missing, "TracIn", True, {**made.columns, **lengths}, made.info)

    def work(self, size: Size) -> float:
        """Rows times the width of their features."""
        return float(size.rows * max(size.dims, 1) + 1)

    def disk(self, size: Size) -> float:
        """The score and its columns."""
        return 96.0 * size.rows


class _ScaledUp:
    """`scaled_up` of some rows at a time, so that features may lie on the disk."""

    def __init__(self, units: np.ndarray, norms: np.ndarray, rates: np.ndarray) -> None:
        self.units, self.norms, self.rates, self.shape = units, norms, rates, units.shape

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return scaled_up(self.units[rows], self.norms[rows], self.rates)


def lengths_of(features: Features, blocks: int) -> np.ndarray:
    """The columns `norm_1` … of gradient features, float64 `[n, C]`."""
    return np.stack([np.asarray(features.columns[f"norm_{c + 1}"], np.float64) for c in range(blocks)], 1)


def _plain(features: Features) -> tuple[np.ndarray, float]:
    """Learning rates, and the squared length of features over that of gradients.

    Raises:
        DataError: if they are no features of plain gradients.
    """
    info = features.info
    if info.get("encoder") != "gradients" or info.get("direction") != "sgd":
        kind = info.get("direction") if info.get("encoder") == "gradients" else info.get("encoder", "another encoder")
        raise DataError(f"TracIn reads plain gradients, these features are of {kind}", PLAIN)
    if "rates" not in info:
        raise DataError("these features do not tell the learning rates of their warm-up", "make them anew")
    return np.asarray(info["rates"], np.float64), float(info["scale"])
