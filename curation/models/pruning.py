"""Dynamic data pruning while a classifier is fine-tuned: scores of rows, their smoothing, and which rows come next.

After `warm_epochs` on everything, all rows are scored with the model as it is, the scores are smoothed over the cycles
so far, and only the share of rows with the highest ones is trained on for the next `cycle` epochs; then again. A row
that was pruned is scored like any other and may come back.

Score of a row: the length of the error vector softmax(z) − onehot(y), of the intent and of every scored word, joined
to one number. Source: "NLU on Data Diets" (arXiv 2306.03208, SustaiNLP 2023) and the code its authors released.
`PruningCallback` does the same inside a transformers.Trainer; see `curation.models._pruning_callback`.

Shapes: n rows, T places of words or tokens in a row, C intents, S tags.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.core.errors import CurationError, ModelError
from curation.models._smoothed import Smoothed, Smoothing, Spread
from curation.models.logits import error, log_probabilities

__all__ = [
    "IGNORED",
    "DynamicPruning",
    "Joint",
    "PruningSettings",
    "Smoothed",
    "Smoothing",
    "Spread",
    "best_rows",
    "cross_entropy",
    "intent_scores",
    "joint_losses",
    "joint_scores",
    "slot_scores",
]

IGNORED = -100
"""Tag of a place that is not scored: special tokens, padding, all but the first sub-word of a word."""

Joint = Literal["norm", "sum", "mean", "ce"]
Pick = Literal["score", "random"]


def __getattr__(name: str) -> Any:
    if name == "PruningCallback":  # made on demand, since its base class lives in transformers
        from curation.models._pruning_callback import callback_class

        return callback_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ---------------------------------------------------------------------- scores


def intent_scores(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Length of the error vector of each row, ‖softmax(z) − onehot(y)‖₂.

    Args:
        logits: `[n, C]`. With C = 1 the one logit is that of class 1 of two, and the score is |sigmoid(z) − y|.
        labels: Integers `[n]` in 0 to C − 1 (0 or 1 with C = 1).

    Returns:
        float64 `[n]` in [0, √2); at most 1 with C = 1. Cost O(n·C).
    """
    z = np.asarray(logits, np.float64)
    if z.shape[1] == 1:
        with np.errstate(over="ignore"):
            return np.abs(1 / (1 + np.exp(-z[:, 0])) - labels)
    return np.linalg.norm(error(z, labels), axis=1)


def slot_scores(logits: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Length of the error vector at each scored place.

    Args:
        logits: `[n, T, S]`; what stands at places that are not scored is not read.
        tags: Integers `[n, T]`; below 0 (`IGNORED`) = not scored.

    Returns:
        float64 `[n, T]`, NaN where not scored.
    """
    scored = tags >= 0
    out = np.full(tags.shape, np.nan)
    out[scored] = intent_scores(logits[scored], tags[scored])
    return out


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross-entropy in nats of `[..., C]` logits against integers `[...]`; NaN where a label is below 0.

    Returns:
        float64 `[...]`, 0 to ∞.
    """
    labels = np.asarray(labels)
    scored = labels >= 0
    logs = log_probabilities(np.asarray(logits)[scored])
    out = np.full(labels.shape, np.nan)
    out[scored] = -np.take_along_axis(logs, labels[scored][:, None], -1)[:, 0]
    return out


def joint_scores(
    intent: np.ndarray | None, slots: np.ndarray | None, how: Literal["norm", "sum", "mean"] = "norm"
) -> np.ndarray:
    """One score χ per row from the score of its intent and those of its words.

    norm (published default): √(χ_int² + Σ_k χ_k²); sum: χ_int + Σ_k χ_k; mean: ½(χ_int + (1/K)·Σ_k χ_k). Without an
    intent the mean is that of the words; without slots every way is χ_int. `norm` and `sum` grow with the number of
    words, `mean` does not.

    Args:
        intent: `[n]`, or None.
        slots: `[n, T]`, NaN at places that are not scored, or None.
        how: How to join.

    Returns:
        float64 `[n]`. A row of which no word is scored is scored by its intent alone (0 where there is none).

    Raises:
        ValueError: neither is given.
    """
    if slots is None:
        if intent is None:
            raise ValueError("scores of intents, of slots, or of both are needed")
        return np.asarray(intent, np.float64).copy()
    filled = np.nan_to_num(np.asarray(slots, np.float64))
    words = np.isfinite(slots).sum(axis=1)
    if how == "norm":
        return np.sqrt((0 if intent is None else np.square(intent)) + np.square(filled).sum(axis=1))
    total = filled.sum(axis=1)
    if how == "sum":
        return total + (0 if intent is None else intent)
    mean = total / np.maximum(words, 1)
    return mean if intent is None else np.where(words > 0, (intent + mean) / 2, intent)


def joint_losses(
    intent: np.ndarray | None, slots: np.ndarray | None, *, intent_share: float = 0.5, slots_by: str = "sum"
) -> np.ndarray:
    """One cross-entropy per row: share·CE_int + (1 − share)·Σ_k CE_k, as the published `loss` variant has it.

    Args:
        intent: Nats `[n]`, or None: then the slots count in full.
        slots: Nats `[n, T]`, NaN at places that are not scored, or None: then the intent counts in full.
        intent_share: Weight of the intent, 0 to 1.
        slots_by: "sum" (published) or "mean" over a row's words.

    Returns:
        float64 `[n]` in nats.

    Raises:
        ValueError: neither is given.
    """
    if slots is None:
        if intent is None:
            raise ValueError("losses of intents, of slots, or of both are needed")
        return np.asarray(intent, np.float64).copy()
    total = np.nansum(np.asarray(slots, np.float64), axis=1)
    if slots_by == "mean":
        total /= np.maximum(np.isfinite(slots).sum(axis=1), 1)
    return total if intent is None else intent_share * intent + (1 - intent_share) * total


# ---------------------------------------------------------------------- choosing


def best_rows(scores: np.ndarray, keep: float, offset: float = 0.0) -> np.ndarray:
    """The share of rows with the highest scores, below a share of the very highest that is skipped.

    Exactly round-half-up(keep·n) rows, at least 1, whatever the ties: equal scores go to the lowest row. (The released
    code keeps all rows between two quantiles, ends included: with ties that can be any number of rows.)

    Args:
        scores: `[n]`, finite.
        keep: Share to keep, above 0 to 1.
        offset: Share to skip at the top, 0 to 1 − keep.

    Returns:
        int64, increasing.
    """
    n = len(scores)
    count = min(n, max(1, int(np.floor(keep * n + 0.5))))
    skip = min(int(np.floor(offset * n + 0.5)), n - count)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return np.sort(order[skip : skip + count])


class PruningSettings(BaseModel):
    """When to prune, how much, and by what; the defaults are those of the paper's script where it has any.

    Its script never prunes unless it is told when to begin, so `warm_epochs` is ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    warm_epochs: int = Field(1, ge=0, description="epochs on all rows at the beginning; 0 begins with random rows")
    cycle: int = Field(1, ge=1, description="epochs between two choices of rows")
    keep_fraction: float = Field(0.5, gt=0, le=1, description="share of the rows to train on; 1 = no pruning")
    offset: float = Field(0.0, ge=0, lt=1, description="share of the rows with the highest scores to leave out")
    pick: Pick = Field("score", description="rows with the highest scores, or random rows for comparison")
    smoothing: Smoothing = Field("ema", description="how scores are smoothed over the cycles")
    alpha: float = Field(0.8, gt=0, le=1, description="weight of the newest score in the moving average")
    c: float = Field(1.0, ge=0, allow_inf_nan=False, description="weight of the spread that is added to the average")
    spread: Spread = Field("std", description="what is added: standard deviation or variance")
    window: int = Field(3, ge=1, description="cycles in the mean, with smoothing: mean")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of random choices")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.offset + self.keep_fraction > 1 + 1e-9:
            raise ValueError(
                f"offset {self.offset:g} and keep_fraction {self.keep_fraction:g} are more than all rows together"
            )
        return self


class DynamicPruning:
    """Says which rows each epoch is trained on.

        pruning = DynamicPruning(len(rows), PruningSettings(warm_epochs=1, keep_fraction=0.5))
        for epoch in range(epochs):
            if pruning.needs_scores(epoch):
                pruning.update(score_all_rows(model))
            train(model, pruning.rows_for_epoch(epoch))

    Args:
        n: Rows of the whole set.
        settings: When, how much, by what.

    Attributes:
        smoothed: float64 `[n]`, χ̂ after the last update; NaN before the first.
        re_entered: For every choice of rows, how many came back that the choice before had left out.
        returned: Boolean `[n]`: rows that came back at least once.
        processed: Examples handed out by `rows_for_epoch` so far, each epoch counted once.
    """

    def __init__(self, n: int, settings: PruningSettings) -> None:
        if n < 1:
            raise ModelError("there are no rows to train on", "check which rows are labelled")
        self.n, self.settings = n, settings
        self.smoothed = np.full(n, np.nan)
        self.re_entered: list[int] = []
        self.returned = np.zeros(n, bool)
        self.processed = 0
        self._kept = np.ones(n, bool)
        self._chosen = -1  # cycle that _kept was chosen for
        self._scored = -1  # cycle that the last scores were made for
        self._counted = 0  # epochs in `processed`
        s = settings
        self._smoothing = Smoothed(s.smoothing, alpha=s.alpha, c=s.c, spread=s.spread, window=s.window)

    @property
    def prunes(self) -> bool:
        """False when every row is kept."""
        return self.settings.keep_fraction < 1

    def cycle_of(self, epoch: int) -> int:
        """Which cycle an epoch (from 0) belongs to; −1 = warm-up."""
        return -1 if epoch < self.settings.warm_epochs else (epoch - self.settings.warm_epochs) // self.settings.cycle

    def begins_cycle(self, epoch: int) -> bool:
        """True when rows are chosen anew before this epoch."""
        return self.cycle_of(epoch) > self.cycle_of(epoch - 1) if epoch else self.cycle_of(0) == 0

    def needs_scores(self, epoch: int) -> bool:
        """True when the choice before this epoch waits for `update`.

        There is no such choice without pruning, before the first epoch, or with random picks.
        """
        due = self.prunes and self.settings.pick == "score" and epoch > 0 and self.begins_cycle(epoch)
        return due and self._scored < self.cycle_of(epoch)

    def update(self, scores: np.ndarray, epoch: int | None = None) -> np.ndarray:
        """Take scores of all rows, made with the model as it is now.

        Args:
            scores: `[n]`, higher = more to be learnt from.
            epoch: The epoch (from 0) that they are made before; None = the next cycle's first.

        Returns:
            χ̂, float64 `[n]`.

        Raises:
            ModelError: a score is not finite.
            ValueError: there are not n scores.
        """
        scores = np.asarray(scores, np.float64)
        if scores.shape != (self.n,):
            raise ValueError(f"{self.n} scores are needed, got {scores.shape}")
        if not np.isfinite(scores).all():
            raise ModelError(
                f"the score of row {int(np.flatnonzero(~np.isfinite(scores))[0]):,} is not finite",
                "lower the learning rate: the model has diverged",
            )
        self.smoothed = self._smoothing.add(scores)
        self._scored = self._chosen + 1 if epoch is None else self.cycle_of(epoch)
        return self.smoothed

    def rows_for_epoch(self, epoch: int) -> np.ndarray:
        """The rows to train on in an epoch (from 0), int64, increasing; epochs are asked for in order.

        Raises:
            CurationError: `update` was not called before the epoch's cycle.
        """
        cycle = self.cycle_of(epoch)
        if cycle > self._chosen and self.prunes:
            # also where its first epoch was not asked for; epoch 0 has no scores yet
            if self.settings.pick == "score" and epoch > 0 and self._scored < cycle:
                raise CurationError(
                    f"epoch {epoch} belongs to a cycle that needs scores", "call update(scores) before the cycle begins"
                )
            self._choose(cycle)
        rows = np.flatnonzero(self._kept)
        if epoch >= self._counted:
            self.processed += len(rows)
            self._counted = epoch + 1
        return rows

    def kept(self) -> np.ndarray:
        """Boolean `[n]`: the rows of the present choice."""
        return self._kept.copy()

    def _choose(self, cycle: int) -> None:
        s = self.settings
        if s.pick == "score" and np.isfinite(self.smoothed).all():
            rows = best_rows(self.smoothed, s.keep_fraction, s.offset)
        else:  # random picks, and the first cycle when there is no warm-up
            rows = best_rows(np.random.default_rng([s.seed, cycle]).random(self.n), s.keep_fraction)
        kept = np.zeros(self.n, bool)
        kept[rows] = True
        back = kept & ~self._kept
        self.re_entered.append(int(back.sum()))
        self.returned |= back
        self._kept, self._chosen = kept, cycle

    def state(self) -> dict[str, Any]:
        """All that is needed to go on, as data that JSON holds exactly."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "n": self.n,
            "smoothed": None if np.isnan(self.smoothed).any() else self.smoothed.tolist(),
            "re_entered": list(self.re_entered),
            "returned": np.flatnonzero(self.returned).tolist(),
            "kept": np.flatnonzero(self._kept).tolist(),
            "processed": self.processed,
            "chosen": self._chosen,
            "scored": self._scored,
            "counted": self._counted,
            "smoothing": self._smoothing.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DynamicPruning:
        """Go on from a `state()`."""
        made = cls(int(state["n"]), PruningSettings.model_validate(state["settings"]))
        if state["smoothed"] is not None:
            made.smoothed = np.array(state["smoothed"], float)
        made.re_entered = [int(k) for k in state["re_entered"]]
        made.returned[state["returned"]] = True
        made._kept[:] = False
        made._kept[state["kept"]] = True
        made.processed, made._counted = int(state["processed"]), int(state["counted"])
        made._chosen, made._scored = int(state["chosen"]), int(state["scored"])
        made._smoothing.restore(state["smoothing"])
        return made
