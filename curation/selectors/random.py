"""Random rows: the baseline that stands in every comparison."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import cut, largest_remainder, selection

Draw = Literal["uniform", "balanced", "stratified"]


def uniform_order(rows: np.ndarray, seed: int) -> np.ndarray:
    """All rows in a random order, each order equally likely; O(n).

    Args:
        rows: int64 `[m]`.
        seed: Of the generator.
    """
    return np.random.default_rng(seed).permutation(rows)


def balanced_order(rows: np.ndarray, codes: np.ndarray, seed: int) -> np.ndarray:
    """All rows in rounds: each round takes one random row of every value that has rows left, values in random order.

    The counts of any two values in a prefix differ by at most one until the smaller value has no rows left. O(n log n).

    Args:
        rows: int64 `[m]`.
        codes: int `[m]`, the value of each row; -1 is a value like any other.
        seed: Of the generator.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(rows))
    by_value = shuffled[np.argsort(codes[shuffled], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[by_value], prepend=np.iinfo(np.int64).min))
    sizes = np.diff([*starts, len(rows)])
    turn = np.empty(len(rows), np.int64)
    turn[by_value] = np.arange(len(rows)) - np.repeat(starts, sizes)
    return rows[np.lexsort((generator.random(len(rows)), turn))]


def stratified_picks(rows: np.ndarray, codes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Random rows of which every value has its share of the pool, within one row; in random order. O(n log n).

    Shares are rounded by the largest remainder, so the pick of k is not always part of the pick of k + 1.

    Args:
        rows: int64 `[m]`.
        codes: int `[m]`, the value of each row; -1 is a value like any other.
        count: 0 to m.
        seed: Of the generator.

    Returns:
        int64 `[count]`.
    """
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    values, member = np.unique(codes, return_inverse=True)
    quota = largest_remainder(np.bincount(member, minlength=len(values)), count)
    by_value = shuffled[np.argsort(member[shuffled], kind="stable")]
    sizes = np.bincount(member, minlength=len(values))
    turn = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    chosen = by_value[turn < quota[member[by_value]]]
    picked = np.zeros(len(rows), bool)
    picked[chosen] = True
    return rows[shuffled[picked[shuffled]]]


class Random(Selector):
    """Rows by chance: from all alike, the same number of every label, or every label in its share.

    Noise of a clustering counts as one more label; rows that have no label are not eligible when labels are given.
    Several seeds are several steps.
    """

    title: ClassVar[str] = "Random"
    purpose: ClassVar[Purpose] = "baselines"
    when: ClassVar[str] = "Always, beside everything else: what does not beat it is not worth its cost."
    weakness: ClassVar[str] = "Keeps the pool's dirt and repetition in their share; one draw alone proves nothing."
    source: ClassVar[str] = (
        "Simple and stratified random sampling; baseline of Ivison et al. 2025, arXiv 2503.01807 (mean of three draws)"
    )
    nested: ClassVar[bool] = True

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    draw: Draw = Field(
        "uniform",
        description="uniform: all rows alike; balanced: as many of each label; stratified: each label in its share",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="another seed is another draw")

    def is_nested(self) -> bool:
        """Shares rounded for one budget do not contain those of a smaller one."""
        return self.draw != "stratified"

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, labels: Labels | None = None) -> Selection:
        """Draw rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, and how many to pick.
            runtime: Not used.
            labels: For the draws "balanced" and "stratified".

        Raises:
            CurationError: if labels are missing for a draw that needs them, or given to the one that does not.
        """
        rows = np.asarray(ask.eligible, np.int64)
        if self.draw == "uniform":
            if labels is not None:
                raise CurationError("a uniform draw reads no labels", "choose draw: balanced or draw: stratified")
            return cut(pool, ask, uniform_order(rows, self.seed))
        if labels is None:
            raise CurationError(f"a {self.draw} draw needs labels", "add  labels: $STEP  (clusters, a column, ...)")
        rows = rows[~labels.missing.mask[rows]]
        codes = np.asarray(labels.codes)[rows].astype(np.int64)
        if self.draw == "balanced":
            short = "the other rows have no label"
            return cut(pool, ask, balanced_order(rows, codes, self.seed), stages=("no label",), short_reason=short)
        count = min(ask.count, len(rows))
        short_by = min(ask.count, len(ask.eligible)) - count
        return selection(
            pool,
            ask,
            stratified_picks(rows, codes, count, self.seed),
            stages=("its label's share went to other rows", "no label"),
            codes=np.where(labels.missing.mask, 2, 1),
            short_by=short_by,
            short_reason="the other rows have no label" if short_by else "",
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
