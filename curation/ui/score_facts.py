"""Numbers about scores, from sorted arrays that are kept between reruns: what a threshold keeps costs two look-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.ui.pool import Stored

Side = Literal["above", "below"]
SPARK_BINS = 24
STOPS = 200
COLLAPSED = 0.9
"""A score with one value on more than this share of its rows tells them apart hardly at all."""
LENGTH_BOUND = 0.5
"""From this rank correlation with the response length on, a score is said to follow length."""


@dataclass(frozen=True)
class Facts:
    """A score, sorted.

    Args:
        ordered: float64 `[m]`, the finite values in ascending order.
        n: Rows of the dataset.
        missing: Reason → rows.
        rho: Rank correlation with the response length in characters, NaN when it cannot be said.
        histogram: Height of a few bins between the 1st and the 99th percentile, the highest being 1.
        most: Share of the rows with a value that have the most frequent one.
    """

    ordered: np.ndarray
    n: int
    missing: dict[str, int]
    rho: float
    histogram: list[float]
    most: float

    @property
    def gaps(self) -> int:
        """Rows without a value."""
        return self.n - len(self.ordered)

    def kept(self, cut: float, side: Side) -> int:
        """Rows that a threshold keeps; rows exactly at it are kept. O(log n)."""
        if side == "above":
            return len(self.ordered) - int(np.searchsorted(self.ordered, cut, side="left"))
        return int(np.searchsorted(self.ordered, cut, side="right"))

    def quantile(self, share: float) -> float:
        """NaN without values."""
        return float(np.quantile(self.ordered, share)) if len(self.ordered) else float("nan")

    def warning(self) -> str:
        """What to beware of, "" when nothing stands out."""
        if not len(self.ordered):
            return "no row has it"
        if self.most > COLLAPSED:
            return f"{self.most:.0%} of rows have the same value"
        if abs(self.rho) >= LENGTH_BOUND:
            return "follows the length of the response"
        return ""


def column_values(score: Score, column: str | None) -> np.ndarray:
    """The score, or one of its named columns, float64 `[n]`, NaN = missing."""
    from curation.selectors._build import numbers

    return numbers(score, column)


def number_columns(score: Score) -> list[str]:
    """Columns that hold one number per row."""
    return [k for k, v in score.columns.items() if np.ndim(v) == 1 and np.asarray(v).dtype.kind in "fiub"]


@st.cache_resource(max_entries=128, show_spinner=False)
def _facts(key: str, column: str | None, _score: Score, _dataset: Dataset) -> Facts:
    from curation.figures.correlation import spearman

    values = column_values(_score, column)
    finite = np.isfinite(values)
    ordered = np.sort(values[finite])
    missing = _score.missing.counts()
    unexplained = int((~finite).sum()) - sum(missing.values())
    if unexplained > 0:
        missing = {**missing, "no value": unexplained}
    rho = spearman(_dataset.lengths("response").astype(np.float64), values)
    histogram = [0.0] * SPARK_BINS
    most = 0.0
    if len(ordered):
        low, high = np.quantile(ordered, [0.01, 0.99])
        counts = np.histogram(np.clip(ordered, low, high), SPARK_BINS, (low, max(high, low + 1e-9)))[0]
        histogram = (counts / counts.max()).tolist()
        most = float(np.unique(ordered, return_counts=True)[1].max() / len(ordered))
    return Facts(ordered, len(values), missing, rho, histogram, most)


def facts_of(stored: Stored, dataset: Dataset, column: str | None = None) -> Facts:
    """Facts of a stored score or one of its columns, computed once."""
    return _facts(stored.key, column, stored.score, dataset)


def stops(facts: Facts) -> list[float]:
    """Places of a threshold slider: values at even shares of the rows, rounded to four digits, ends included.

    A slider over values would spend most of its length on a long tail that holds a handful of rows.
    """
    if not len(facts.ordered):
        return []
    values = np.quantile(facts.ordered, np.linspace(0, 1, STOPS + 1), method="nearest")
    inner = [float(f"{v:.4g}") for v in values[1:-1]]
    low, high = float(facts.ordered[0]), float(facts.ordered[-1])
    return sorted({low, high, *(v for v in inner if low < v < high)})


def overview(found: list[Stored], dataset: Dataset) -> list[dict[str, object]]:
    """One line per score."""
    lines = []
    for stored in found:
        facts = facts_of(stored, dataset)
        lines.append(
            {
                "score": stored.name,
                "distribution": facts.histogram,
                "median": facts.quantile(0.5),
                "5 %": facts.quantile(0.05),
                "95 %": facts.quantile(0.95),
                "missing": facts.gaps,
                "ρ length": None if np.isnan(facts.rho) else round(facts.rho, 2),
                "beware": facts.warning(),
            }
        )
    return lines
