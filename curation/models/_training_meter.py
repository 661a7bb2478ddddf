"""Tells how far a training is, and what it measures on the way."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from curation.core.runtime import Runtime

RECORD_SECONDS = 1.0


class TrainingMeter:
    """Of one training: an object with rows in batches by step, their lengths, and a learning rate by step."""

    def __init__(self, runtime: Runtime, training: Any) -> None:
        self.runtime, self.training = runtime, training
        whole, rest = divmod(training.steps, training.per_epoch)
        left = [training.batch(whole * training.per_epoch + k) for k in range(rest)]
        self.total = whole * int(training.lengths.sum()) + sum(int(training.lengths[b].sum()) for b in left)
        self.done = 0
        self.losses: list[float] = []
        self.tokens, self.since = 0, time.monotonic()

    def begin(self, step: int) -> None:
        """Training starts, or goes on, after so many steps."""
        training = self.training
        whole, rest = divmod(step, training.per_epoch)
        self.done = whole * int(training.lengths.sum())
        self.done += sum(int(training.lengths[training.batch(step - rest + k)].sum()) for k in range(rest))
        self.runtime.progress(self.done, self.total, f"step {step:,} of {training.steps:,}")

    def step(self, step: int, loss: float, batch: np.ndarray, ended: bool) -> None:
        """One more step is done; `ended` at the end of a pass."""
        training = self.training
        read = int(training.lengths[batch].sum())
        self.done += read
        self.tokens += read
        self.losses.append(loss)
        seconds = time.monotonic() - self.since
        if ended or seconds >= RECORD_SECONDS:
            self.runtime.record(
                {
                    "step": step + 1,
                    "epoch": (step + 1) / training.per_epoch,
                    "loss": float(np.mean(self.losses)),
                    "learning_rate": training.rate * training.shape(step),
                    "tokens_per_second": self.tokens / max(seconds, 1e-9),
                }
            )
            self.losses, self.tokens, self.since = [], 0, time.monotonic()
        note = f"step {step + 1:,} of {training.steps:,}, loss {loss:.2f}"
        self.runtime.progress(self.done, self.total, note)
