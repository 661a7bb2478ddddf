"""Scores as ranks, for selectors that weigh quality and must not depend on a score's unit or shape."""

from __future__ import annotations

import numpy as np


def rank_shares(values: np.ndarray, *, highest: bool) -> np.ndarray:
    """Where each value stands among all, from 0 for the worst to 1 for the best; equal values share their mean place.

    Values that are all equal, and a single one, stand in the middle: 0.5.

    Args:
        values: float64 `[m]`, finite, m ≥ 1.
        highest: True when the highest is the best.
    """
    from scipy.stats import rankdata

    ranks = rankdata(values if highest else -values) - 1
    return ranks / (len(ranks) - 1) if len(ranks) > 1 else np.full(1, 0.5)
