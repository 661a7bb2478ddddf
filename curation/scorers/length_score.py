"""LIFT, length: how long a row is, up to the 98th percentile of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import Scorer
from curation.core.runtime import Runtime

_UNCOUNTED = str.maketrans("", "", "\t\n\r")


def characters(texts: Sequence[str]) -> np.ndarray:
    """Characters of each text without tabs and line breaks, float64 `[n]`."""
    return np.array([len(text.translate(_UNCOUNTED)) for text in texts], np.float64)


def length_scores(lengths: np.ndarray, quantile: float = 0.98) -> tuple[np.ndarray, float]:
    """100 · min(1, length / the quantile of all lengths), as LIFT has it. O(n log n).

    Args:
        lengths: float `[n]`, at least 0.
        quantile: At and above this quantile, linearly interpolated, the score is 100.

    Returns:
        float64 `[n]` in [0, 100], and the length that gets 100. Where that is 0, every row with any length gets 100.
    """
    lengths = np.asarray(lengths, np.float64)
    if not len(lengths):
        return np.empty(0), 0.0
    cap = float(np.quantile(lengths, quantile))
    if cap <= 0:
        return np.where(lengths > 0, 100.0, 0.0), cap
    return 100 * np.minimum(1.0, lengths / cap), cap


class LengthScore(Scorer):
    """How long prompt and response are together, from 0 for nothing to 100 at the 98th percentile of the rows.

    Tabs and line breaks do not count. The score depends on the other rows: with `within` it is of those rows alone, as
    in LIFT, where they are the rows that its variety kept. The column `characters` holds the lengths.
    """

    title: ClassVar[str] = "Length score (LIFT)"
    weakness: ClassVar[str] = "Rewards length as such; meant to count for a tenth beside a judge."
    source: ClassVar[str] = "LIFT (Xu et al. 2023, arXiv:2312.11508), phase 2b"

    quantile: float = Field(0.98, gt=0, le=1, description="quantile of the lengths at which the score is 100")

    def score(self, pool: Dataset, runtime: Runtime) -> Score:
        """Score every row; none is ever missing."""
        counts = characters(pool.texts("prompt")) + characters(pool.texts("response"))
        values, cap = length_scores(counts, self.quantile)
        info = {"characters at 100": cap}
        return Score(
            pool.fingerprint, values, Missing.none(len(pool)), "length score", True, {"characters": counts}, info
        )
