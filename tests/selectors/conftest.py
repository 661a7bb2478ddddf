"""Builders for selector tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Score, Selection
from curation.core.dataset import Dataset, from_pairs
from curation.core.method import Ask


class Build:
    """Artifacts for a pool of `n` rows."""

    def __init__(self, n: int) -> None:
        self.pool: Dataset = from_pairs([(f"question {i}", f"answer {i}") for i in range(n)])
        self.n, self.fingerprint = n, self.pool.fingerprint

    def ask(self, count: int = 0, eligible: list[int] | None = None, known: list[int] | None = None) -> Ask:
        rows = np.arange(self.n) if eligible is None else np.array(eligible, np.int64)
        return Ask(rows, count, None if known is None else np.array(known, np.int64))

    def score(self, values: list[float] | np.ndarray, better: bool | None = True, **columns: np.ndarray) -> Score:
        numbers = np.array(values, np.float64)
        missing = Missing.where(np.isnan(numbers), "made so")
        return Score(self.fingerprint, numbers, missing, "made", better, columns)

    def labels(self, values: list[str | None] | list[str]) -> Labels:
        return Labels.from_values(self.fingerprint, list(values))

    def features(self, values: np.ndarray) -> Features:
        points = np.asarray(values, np.float32)
        return Features(self.fingerprint, points, Missing.where(np.isnan(points).any(axis=1), "made so"))

    def picks(self, order: list[int], reason: str = "not picked", **more: np.ndarray) -> Selection:
        stage = np.ones(self.n, np.int16)
        stage[order] = 0
        return Selection(self.fingerprint, self.n, np.array(order, np.int64), stage=stage, stages=(reason,), **more)


@pytest.fixture
def build() -> Callable[[int], Build]:
    """`build(n)`: builders for a pool of n rows."""
    return Build
