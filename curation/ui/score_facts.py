"""Numbers about scores, from sorted arrays that are kept between reruns: what a threshold keeps costs two look-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.linalg.rank_correlation import Correlations, Ranked, correlations, ranked, sample_rows
from curation.scorers._health import Finding, check, is_dead, most_common, top_stability
from curation.ui.pool import Stored
from curation.views import LENGTH

Side = Literal["above", "below"]
SPARK_BINS = 24
STOPS = 200
COLLAPSED = 0.9
"""A score with one value on more than this share of its rows tells them apart hardly at all."""
LENGTH_BOUND = 0.5
"""From this rank correlation with the response length on, a score is said to follow length."""
NOISE = "std"
"""The column in which a score says how much one row's measurement scatters."""


@dataclass(frozen=True)
class Numbers:
    """One number for each row of a dataset: a score, a column of it, or the length of a text.

    Args:
        key: Of the stored score, or LENGTH.
        column: A column of the score, None = the score itself; of LENGTH None = the response, "prompt" = the prompt.
        name: For people, unique on the page.
        stored: The score; None for LENGTH.
    """

    key: str
    column: str | None
    name: str
    stored: Stored | None = None

    @property
    def place(self) -> tuple[str, str | None]:
        """What names it in a cut."""
        return self.key, self.column

    @property
    def cuts(self) -> bool:
        """Whether the view can have a range of it; it knows only one length, that of the response."""
        return self.stored is not None or self.column is None

    def values(self, dataset: Dataset) -> np.ndarray:
        """float64 `[n]`, NaN = missing or not finite."""
        if self.stored is not None:
            return column_values(self.stored.score, self.column)
        return dataset.lengths("prompt" if self.column == "prompt" else "response").astype(np.float64)

    @property
    def better(self) -> bool | None:
        """True when higher is better; None for lengths and columns, of which nobody said."""
        return self.stored.score.higher_is_better if self.stored is not None and self.column is None else None


LENGTHS = {
    "prompt": Numbers(LENGTH, "prompt", "prompt length"),
    "response": Numbers(LENGTH, None, "response length"),
}


@dataclass(frozen=True)
class Facts:
    """A score, sorted.

    Args:
        ordered: float64 `[m]`, the finite values in ascending order.
        n: Rows of the dataset.
        missing: Reason → rows.
        rho: Rank correlation with the response length in characters, NaN when it cannot be said. Above 200,000 rows
            that of a fixed sample of so many, good to ±0.005.
        histogram: Height of a few bins between the 1st and the 99th percentile, the highest being 1.
        most: Share of the rows with a value that have the most frequent one.
        infinite: Rows whose value is infinite.
    """

    ordered: np.ndarray
    n: int
    missing: dict[str, int]
    rho: float
    histogram: list[float]
    most: float
    infinite: int = 0

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


# ------------------------------------------------------------------ columns of numbers


def column_values(score: Score, column: str | None) -> np.ndarray:
    """The score, or one of its named columns, float64 `[n]`, NaN = missing."""
    from curation.selectors._build import numbers

    return numbers(score, column)


def number_columns(score: Score) -> list[str]:
    """Columns that hold one number per row."""
    return [k for k, v in score.columns.items() if np.ndim(v) == 1 and np.asarray(v).dtype.kind in "fiub"]


def numbers_of(found: Sequence[Stored], *, columns: bool = False, lengths: bool = True) -> list[Numbers]:
    """Scores with names for people, their columns after them if wanted, the lengths of the texts last."""
    made = []
    for stored in found:
        made.append(Numbers(stored.key, None, stored.name, stored))
        if columns:
            words = [(c, c.replace("_", " ")) for c in number_columns(stored.score)]
            made += [Numbers(stored.key, c, f"{stored.name}: {word}", stored) for c, word in words]
    return made + (list(LENGTHS.values()) if lengths else [])


# ------------------------------------------------------------------ facts


@st.cache_resource(max_entries=64, show_spinner=False)
def _facts(fingerprint: str, place: tuple[str, str | None], _numbers: Numbers, _dataset: Dataset) -> Facts:
    values = _numbers.values(_dataset)
    finite = np.isfinite(values)
    ordered = np.sort(values[finite])
    missing: dict[str, int] = {}
    infinite = 0
    if _numbers.stored is not None:
        score = _numbers.stored.score
        missing = score.missing.counts()
        infinite = _infinite(score, _numbers.column)
        if infinite:
            missing = {**missing, "infinite value": infinite}
    unexplained = int((~finite).sum()) - sum(missing.values())
    if unexplained > 0:
        missing = {**missing, "no value": unexplained}
    rho = float(correlations([_ranks(_numbers, _dataset), _ranks(LENGTHS["response"], _dataset)]).rho[0, 1])
    histogram = [0.0] * SPARK_BINS
    if len(ordered):
        low, high = np.quantile(ordered, [0.01, 0.99])
        counts = np.histogram(np.clip(ordered, low, high), SPARK_BINS, (low, max(high, low + 1e-9)))[0]
        histogram = (counts / counts.max()).tolist()
    return Facts(ordered, len(values), missing, rho, histogram, most_common(ordered)[1], infinite)


def _infinite(score: Score, column: str | None) -> int:
    raw = np.asarray(score.values if column is None else score.columns[column])
    return int((np.isinf(raw) & ~score.missing.mask).sum()) if raw.dtype.kind == "f" else 0


def facts_of(stored: Stored, dataset: Dataset, column: str | None = None) -> Facts:
    """Facts of a stored score or one of its columns, computed once."""
    return facts(Numbers(stored.key, column, stored.name, stored), dataset)


def facts(numbers: Numbers, dataset: Dataset) -> Facts:
    """Facts of one column of numbers, computed once."""
    return _facts(dataset.fingerprint, numbers.place, numbers, dataset)


# ------------------------------------------------------------------ rank correlations


@st.cache_resource(max_entries=96, show_spinner=False)
def _ranked(fingerprint: str, place: tuple[str, str | None], _numbers: Numbers, _dataset: Dataset) -> Ranked:
    values = _numbers.values(_dataset)
    rows = sample_rows(len(values))
    return ranked(values if rows is None else values[rows])


def _ranks(numbers: Numbers, dataset: Dataset) -> Ranked:
    return _ranked(dataset.fingerprint, numbers.place, numbers, dataset)


def correlations_of(found: Sequence[Numbers], dataset: Dataset) -> Correlations:
    """All pairs; ranks are computed once a column, the table once a set of columns."""
    return _correlations(dataset.fingerprint, tuple(n.place for n in found), list(found), dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _correlations(
    fingerprint: str, places: tuple[tuple[str, str | None], ...], _found: Sequence[Numbers], _dataset: Dataset
) -> Correlations:
    return correlations([_ranks(n, _dataset) for n in _found], of=len(_dataset))


# ------------------------------------------------------------------ health


def findings(stored: Stored, found: Sequence[Stored], dataset: Dataset) -> list[Finding]:
    """What to beware of in a score, also beside the others of its dataset; worked out once for a set of scores."""
    return _findings(dataset.fingerprint, stored.key, tuple(s.key for s in found), stored, list(found), dataset)


@st.cache_resource(max_entries=256, show_spinner=False)
def _findings(
    fingerprint: str, key: str, keys: tuple[str, ...], _stored: Stored, _found: Sequence[Stored], _dataset: Dataset
) -> list[Finding]:
    own = facts_of(_stored, _dataset)
    every = numbers_of(_found)
    rho = correlations_of(every, _dataset).rho[[n.key for n in every].index(key)]
    return check(
        own.ordered, own.n, infinite=own.infinite, highest=_stored.score.higher_is_better,
        length={text: float(rho[every.index(each)]) for text, each in LENGTHS.items()},
        others={n.name: float(rho[i]) for i, n in enumerate(every) if n.stored is not None and n.key != key},
        stability=_stability(key, _stored.score),
    )  # fmt: skip


@st.cache_resource(max_entries=64, show_spinner=False)
def _stability(key: str, _score: Score) -> float | None:
    """How much of the best tenth would be found again; None for scores that do not know their noise."""
    if NOISE not in number_columns(_score):
        return None
    return top_stability(
        column_values(_score, None), column_values(_score, NOISE), highest=_score.higher_is_better is not False
    )


def dead(stored: Stored, dataset: Dataset, column: str | None = None) -> bool:
    """True for a score that tells rows apart hardly at all, or that no row has."""
    return is_dead(facts_of(stored, dataset, column).ordered)


# ------------------------------------------------------------------ for the page


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
