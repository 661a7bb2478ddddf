"""Rows most, or least, like some given rows."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from curation.core.artifacts import Features, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.row_ranges import parse_rows, rows_in
from curation.core.runtime import Runtime
from curation.linalg.cosine import cosine_to, highest
from curation.selectors._build import cut

AT_ONCE = 64
"""Given rows that are compared at once: memory is that of so many numbers for each row."""
MOST_GIVEN = 10_000
How = Literal["mean", "max"]


def similarity_to(values: np.ndarray, given: np.ndarray, how: How = "mean") -> np.ndarray:
    """Cosine of every row to some vectors, as their mean or the highest.

    Costs n · v · d; memory for AT_ONCE numbers for each row. Sums in float64, in the order given.

    Args:
        values: `[n, d]`, NaN rows allowed.
        given: `[v, d]`, finite and not zero.
        how: "mean" is like all of them together, "max" like any of them.

    Returns:
        float32 `[n]`, NaN where a row has no vector.

    Raises:
        DataError: if the widths differ or a vector has no direction.
    """
    joined: np.ndarray | None = None
    for start in range(0, len(given), AT_ONCE):
        found = cosine_to(values, given[start : start + AT_ONCE]).astype(np.float64)
        part = found.sum(axis=1) if how == "mean" else found.max(axis=1)
        if joined is None:
            joined = part
        else:
            joined = joined + part if how == "mean" else np.maximum(joined, part)
    assert joined is not None
    return (joined / len(given) if how == "mean" else joined).astype(np.float32)


def vectors_of(features: Features, rows: np.ndarray) -> np.ndarray:
    """Vectors of some rows, float64 `[v, d]`.

    Raises:
        CurationError: if a row is not there or has no vector.
    """
    if len(rows) and rows.max() >= len(features):
        raise CurationError(f"there is no row {rows.max():,}", f"rows go from 0 to {len(features) - 1:,}")
    found = np.asarray(features.values[rows], np.float64)
    gone = rows[~np.isfinite(found).all(axis=1) | features.missing.mask[rows]]
    if len(gone):
        why = features.missing.reason(int(gone[0])) or "it is not finite"
        raise CurationError(f"row {gone[0]:,} has no vector: {why}", "name rows that have one")
    return found


class Similar(Selector):
    """The rows most like some given rows, the most alike first; or the least alike.

    Likeness is the cosine of vectors: the mean over the given rows, or the highest. Given rows are rows of this dataset
    by number, which are their own nearest and count as well, or all rows of another one (`queries`, vectors by the same
    encoder). Gains are the cosines. Equal cosines go to the lowest row; rows without a vector are out.
    """

    title: ClassVar[str] = "Most alike"
    purpose: ClassVar[Purpose] = "targeted"
    when: ClassVar[str] = "You have a few rows of the kind that you want more of, or less of."
    weakness: ClassVar[str] = "Near copies of the given rows come first, and likeness is what the encoder takes for it."
    source: ClassVar[str] = "Cosine similarity"
    nested: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("queries",)

    budget: Budget = Field(100, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    rows: str = Field(
        "", description="the given rows by number: 3, 10-20; empty when they come as queries", examples=["0"]
    )
    how: How = Field("mean", description="like all given rows together, or like any of them")
    farthest: bool = Field(False, description="the least alike instead, the least alike first")
    min_similarity: float | None = Field(
        None, ge=-1, le=1, description="lowest cosine that is picked (highest, for the least alike)"
    )

    @field_validator("rows")
    @classmethod
    def _understood(cls, value: str) -> str:
        if len(rows_in(value)) > MOST_GIVEN:
            raise ValueError(f"more than {MOST_GIVEN:,} rows are named")
        return value

    def select(
        self, pool: Dataset, ask: Ask, runtime: Runtime, *, features: Features, queries: Features | None = None
    ) -> Selection:
        """Compare with all rows: n · given rows · width.

        Args:
            pool: The rows.
            ask: Which rows may be picked, and how many.
            runtime: Not used.
            features: Vectors of the rows.
            queries: Vectors of other rows to be like, made by the same encoder.

        Raises:
            CurationError: if there are no given rows, or both kinds, or one of them has no vector.
        """
        likeness = similarity_to(np.asarray(features.values), self._given(features, queries), self.how)
        allowed = np.zeros(len(pool), bool)
        allowed[ask.eligible] = True
        fails = np.zeros(len(pool), bool)
        if self.min_similarity is not None:
            bound = np.float32(self.min_similarity)
            fails = likeness > bound if self.farthest else likeness < bound
        known = np.isfinite(likeness)
        ranked = highest(np.where(allowed & known & ~fails, likeness, np.nan), len(pool), farthest=self.farthest)
        gains = likeness[ranked].astype(np.float64)
        stages = ("too much alike" if self.farthest else "not alike enough", "no direction")
        reason = f"no more rows are {'at most' if self.farthest else 'at least'} {self.min_similarity} alike"
        return cut(
            pool, ask, ranked, gains=gains, stages=stages, codes=np.where(known, 1, 2),
            short_reason=reason if fails.any() else "rows without a direction",
        )  # fmt: skip

    def _given(self, features: Features, queries: Features | None) -> np.ndarray:
        if self.rows.strip() and queries is not None:
            raise CurationError("rows are given by number and as queries", "give one of the two")
        if self.rows.strip():
            return vectors_of(features, parse_rows(self.rows))
        if queries is None:
            raise CurationError("there is nothing to be like", "rows: 3, 10-20, or queries: $features_of_other_rows")
        given = np.flatnonzero(~queries.missing.mask)
        if not len(given):
            raise CurationError("none of the queries has a vector", "look at the encoder's reasons")
        if len(given) > MOST_GIVEN:
            raise CurationError(f"there are {len(given):,} queries", f"at most {MOST_GIVEN:,}; take a sample of them")
        return vectors_of(queries, given)

    def work(self, size: Size) -> float:
        """Rows × given rows × width, for one given row where they come as queries."""
        return float(size.rows * max(size.dims, 1) * max(len(rows_in(self.rows)), 1))

    def memory(self, size: Size) -> float:
        """A few dozen numbers for each row."""
        return 64e6 + 8.0 * size.rows * AT_ONCE
