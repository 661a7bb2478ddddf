"""Bands of a score (short, medium, long), so that quotas and comparisons by label can use any number."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, FiniteFloat, model_validator

from curation.core.artifacts import NO_ROW, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Labeller, Size
from curation.core.runtime import Runtime

NO_SCORE = "no score"


def quantile_bands(values: np.ndarray, count: int) -> np.ndarray:
    """The band of every value, 0 = lowest: `count` bands of as many rows each as equal values allow.

    A value's band is ⌊count · r / m⌋, where r is how many of the m values are lower; equal values are therefore in one
    band, the lowest of those that they would spread over. Exact integers; one sort.

    Args:
        values: `[m]`, finite.
        count: ≥ 1.
    """
    lower = np.searchsorted(np.sort(values), values, side="left")
    return lower.astype(np.int64) * count // max(len(values), 1)


def edge_bands(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The band of every value, 0 = below the first edge; a value at an edge is above it.

    Args:
        values: `[m]`, finite.
        edges: `[e]`, increasing.
    """
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def band_names(count: int, edges: tuple[float, ...]) -> tuple[str, ...]:
    """What bands are called when nobody named them: "1 of 4", or "below 100", "100 to 200", "200 and above"."""
    if not edges:
        return tuple(f"{i + 1} of {count}" for i in range(count))
    told = [f"{edge:.10g}" for edge in edges]
    if len(set(told)) < len(told):
        told = [repr(edge) for edge in edges]
    inner = [f"{low} to {high}" for low, high in zip(told[:-1], told[1:], strict=True)]
    return (f"below {told[0]}", *inner, f"{told[-1]} and above")


class Bands(Labeller):
    """Cuts a score into bands: so many of as many rows each (quantiles), or at given edges.

    Equal scores are always in one band, so bands of quantiles may differ in size, and where many scores are equal some
    are empty. With edges a row at an edge belongs to the band above it. Rows without a score have no label. `info` says
    the lowest and highest score of each band.
    """

    title: ClassVar[str] = "Bands of a score"
    weakness: ClassVar[str] = "Where a band ends is a choice: two rows a hair apart may fall into two bands."
    source: ClassVar[str] = "Quantiles"
    version: ClassVar[int] = 2

    bands: int = Field(4, ge=1, le=1000, description="how many bands of equally many rows; edges go before it")
    edges: tuple[FiniteFloat, ...] = Field(
        (), max_length=999, description="increasing scores at which bands begin, instead of equal numbers of rows"
    )
    names: tuple[str, ...] = Field((), max_length=1000, description="what the bands are called, the lowest first")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(a >= b for a, b in zip(self.edges[:-1], self.edges[1:], strict=True)):
            raise ValueError("edges must increase")
        count = len(self.edges) + 1 if self.edges else self.bands
        if self.names and len(self.names) != count:
            raise ValueError(f"there are {count} bands and {len(self.names)} names")
        if len(set(self.names)) < len(self.names) or not all(self.names):
            raise ValueError("no two names may be alike, and none empty")
        return self

    def label(self, pool: Dataset, runtime: Runtime, *, score: Score) -> Labels:
        """Cut the score: one sort.

        Raises:
            CurationError: if there is no such column, or it does not hold one number per row.
        """
        values = self._values(score)
        present = np.isfinite(values)
        count = len(self.edges) + 1 if self.edges else self.bands
        found = values[present]
        own = edge_bands(found, np.array(self.edges)) if self.edges else quantile_bands(found, count)
        codes = np.full(len(values), NO_ROW, np.int32)
        codes[present] = own
        names = self.names or band_names(count, self.edges)
        spans = {
            names[band]: [float(found[own == band].min()), float(found[own == band].max())] for band in np.unique(own)
        }
        return Labels(pool.fingerprint, codes, names, _reasons(score.missing, present), info={"spans": spans})

    def _values(self, score: Score) -> np.ndarray:
        if self.column is None:
            return np.asarray(score.values, np.float64)
        if self.column not in score.columns:
            known = ", ".join(score.columns) or "none"
            raise CurationError(f"the score '{score.name}' has no column '{self.column}'", f"columns: {known}")
        found = np.asarray(score.columns[self.column])
        if found.ndim != 1 or found.dtype.kind not in "fiub":
            raise CurationError(f"the column '{self.column}' does not hold one number per row", "use another column")
        return np.where(score.missing.mask, np.nan, found.astype(np.float64))

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)

    def memory(self, size: Size) -> float:
        """A few numbers per row."""
        return 64e6 + 48.0 * size.rows

    def disk(self, size: Size) -> float:
        """A code and a reason for each row."""
        return 6.0 * size.rows


def _reasons(missing: Missing, present: np.ndarray) -> Missing:
    """The score's own reasons, and one for rows whose column has no number."""
    silent = ~present & ~missing.mask
    codes = np.where(present, 0, np.where(silent, len(missing.reasons) + 1, missing.codes)).astype(np.int16)
    return Missing(codes, (*missing.reasons, NO_SCORE) if silent.any() else missing.reasons)
