"""Comparisons made from arrays, without a workspace."""

from __future__ import annotations

import numpy as np
import pytest

from curation.comparison import Arm, Comparison
from curation.comparison.arms import draws
from curation.core.dataset import from_pairs


def made(orders: dict[str, list[int]], n: int, *, eligible=None, budget=None, seeds: int = 3) -> Comparison:
    """A comparison of the named orders on `n` rows."""
    dataset = from_pairs([(f"question {i}", "word " * (i % 7 + 1)) for i in range(n)])
    arms = tuple(
        Arm(name, name, np.array(order, np.int64), len(order), True, "selector/rows", name, "statistical")
        for name, order in orders.items()
    )
    rows = np.arange(n) if eligible is None else np.asarray(eligible, np.int64)
    random = draws(dataset, rows, max(map(len, arms)), range(seeds))
    return Comparison(dataset.fingerprint, "made", n, budget, arms, random, rows)


@pytest.fixture
def comparison():
    """`made`, for tests."""
    return made
