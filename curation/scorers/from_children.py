"""A score of rows that were made from others, brought back to the rows they were made from."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime

Aggregate = Literal["first", "mean", "min", "max"]

CHILDLESS = "no row was made from it"


def of_parents(
    values: np.ndarray, parents: np.ndarray, n: int, aggregate: Aggregate
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One number for every parent from those of its children: O(m log m + n).

    Args:
        values: float64 `[m]` of the children, NaN = none.
        parents: int64 `[m]`: row of each child's parent in 0 … n − 1, -1 = none of these.
        n: Number of parents.
        aggregate: "first": of the first child alone, whether or not it has a number; "mean", "min" and "max": over the
            children that have one.

    Returns:
        float64 `[n]`, NaN without a number; int64 `[n]`, the children of each; int64 `[n]`, the first child, -1 = none.
    """
    parents = np.asarray(parents, np.int64)
    mine = np.flatnonzero(parents != NO_ROW)
    children = np.bincount(parents[mine], minlength=n).astype(np.int64)
    first = np.full(n, NO_ROW, np.int64)
    heads, at = np.unique(parents[mine], return_index=True)
    first[heads] = mine[at]
    values = np.asarray(values, np.float64)
    if aggregate == "first":
        return np.where(first == NO_ROW, np.nan, values[first] if len(values) else np.nan), children, first
    mine = mine[np.isfinite(values[mine])]
    order = mine[np.argsort(parents[mine], kind="stable")]
    heads, at, counts = np.unique(parents[order], return_index=True, return_counts=True)
    out = np.full(n, np.nan)
    if len(order):
        reduce = {"mean": np.add, "min": np.minimum, "max": np.maximum}[aggregate]
        out[heads] = reduce.reduceat(values[order], at) / (counts if aggregate == "mean" else 1)
    return out, children, first


class FromChildren(Scorer):
    """A score of made rows, given to the rows that they were made from: what a model's answer to a row is worth.

    Generators make rows that remember their parent by its row id. Where a row has several children, `aggregate` says
    which of their scores counts: that of the first, or the mean, the lowest or the highest of those that have a score.
    Rows without children are missing, and so are those whose children have no score, for the reason that the first of
    them has. Columns: `children`, and `scored`, how many of them have a score.
    """

    title: ClassVar[str] = "Score of the rows made from it"
    weakness: ClassVar[str] = "Tells of what was made of a row, such as a model's answer to it, not of the row itself."
    source: ClassVar[str] = "Join by parent; used so by MoDS (Du, Zong & Zhang 2023, arXiv:2311.15653)"
    elsewhere: ClassVar[tuple[str, ...]] = ("score", "made")

    aggregate: Aggregate = Field("first", description="which counts where several rows were made from one")

    def score(self, pool: Dataset, runtime: Runtime, *, score: Score, made: Dataset) -> Score:
        """Join by row id.

        Args:
            pool: The rows that others were made from.
            runtime: Not used.
            score: Score of the made rows.
            made: The made rows: the step of a generator.

        Raises:
            CurationError: the score is not one of these made rows, or none of them was made from a row of the pool.
        """
        if score.dataset != made.fingerprint:
            raise CurationError("the score is not one of the made rows", "name the generator's step that it works on")
        place = {row_id: row for row, row_id in enumerate(pool.row_ids())}
        parents = [place.get(parent, NO_ROW) for parent in made.column("parent").to_pylist()]
        at = np.array(parents, np.int64)
        if (at == NO_ROW).all():
            raise CurationError(
                "not one of the made rows was made from these rows", "name the dataset that the generator worked on"
            )
        values = np.where(score.missing.mask, np.nan, np.asarray(score.values, np.float64))
        found, children, first = of_parents(values, at, len(pool), self.aggregate)
        scored = np.bincount(at[(at != NO_ROW) & np.isfinite(values)], minlength=len(pool))
        reasons: list[str | None] = [None] * len(pool)
        for row in np.flatnonzero(~np.isfinite(found)):
            child = int(first[row])
            reasons[row] = CHILDLESS if child == NO_ROW else f"made row: {score.missing.reason(child) or 'no score'}"
        found[~np.isfinite(found)] = np.nan
        return Score(
            pool.fingerprint,
            found,
            Missing.from_list(reasons),
            f"{score.name} of made rows",
            score.higher_is_better,
            {"children": children.astype(np.float64), "scored": scored.astype(np.float64)},
            {**score.info, "of": made.name, "aggregate": self.aggregate},
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)

    def disk(self, size: Size) -> float:
        """The score and two columns."""
        return 24.0 * size.rows
