"""Decisions by hand on top of a selection: rows taken out, rows put in."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from curation.core.artifacts import NO_ROW, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.row_ranges import rows_digest, rows_in
from curation.core.runtime import Runtime
from curation.core.selection import BY_HAND
from curation.selectors._build import selection

DROPPED = "dropped by hand"


def edited_order(order: np.ndarray, keep: np.ndarray, drop: np.ndarray, eligible: np.ndarray) -> tuple[np.ndarray, int]:
    """A pick order with decisions carried out: without the dropped rows, then the kept ones that were not in it.

    Cost: O(n + picks).

    Args:
        order: int64 `[m]`, the picks.
        keep: int64, rows to put in, in any order.
        drop: int64, rows to take out; none of them is in `keep`.
        eligible: bool `[n]`; rows that are not stay out, kept or not.

    Returns:
        The new order, and how many rows at its end were put in.
    """
    allowed = np.array(eligible, bool)
    allowed[drop] = False
    there = np.asarray(order, np.int64)
    there = there[allowed[there]]
    wanted = np.zeros(len(allowed), bool)
    wanted[keep] = True
    wanted[there] = False
    more = np.flatnonzero(wanted & allowed)
    return np.concatenate([there, more]), len(more)


class Edit(Selector):
    """A selection without the rows dropped by hand, followed by the rows kept by hand that were not in it.

    Without a selection the dropped rows are taken from all eligible rows. The order, gains and weights of the selection
    stay; rows put in come last, in row order, without a gain. Weights go where rows are put in, which have none.
    `within` has the last word: a row outside it stays out even if it was kept by hand, and `info` counts those. Give
    the filter as `selection` to let kept rows in against it.
    """

    title: ClassVar[str] = "Decisions by hand"
    when: ClassVar[str] = "You have read rows and know better than the method about some of them."
    weakness: ClassVar[str] = "Nobody can check why these rows, and they fit this dataset only."
    source: ClassVar[str] = "The user's own"

    keep: str = Field("", description="row numbers and ranges to put in: 3, 10-20", examples=["0"])
    drop: str = Field("", description="row numbers and ranges to take out: 4, 30-35")
    digest: str | None = Field(
        None, pattern="^[0-9a-f]{32}$", description="of the ids of all named rows: a guard against another dataset"
    )

    @field_validator("keep", "drop")
    @classmethod
    def _understood(cls, value: str) -> str:
        rows_in(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keep, drop = rows_in(self.keep), rows_in(self.drop)
        if not len(keep) + len(drop):
            raise ValueError("keep and drop are both empty: name rows for one of them")
        both = np.intersect1d(keep, drop, assume_unique=True)
        if len(both):
            raise ValueError(f"row {both[0]} is both in keep and in drop")
        return self

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, selection: Selection | None = None) -> Selection:
        """Carry the decisions out: O(n).

        Args:
            pool: The rows.
            ask: Rows that are not eligible stay out.
            runtime: Not used.
            selection: What to change; all eligible rows if there is none.

        Raises:
            CurationError: if a row is beyond the end, or the digest is that of other rows.
        """
        keep, drop = rows_in(self.keep), rows_in(self.drop)
        named = np.concatenate([keep, drop])
        foreign = "these decisions belong to another dataset"
        if named.max() >= len(pool):
            last = f"rows go from 0 to {len(pool) - 1:,}"
            raise CurationError(f"there is no row {named.max():,}", f"{last}; perhaps {foreign}")
        if self.digest is not None and rows_digest(pool, named) != self.digest:
            raise CurationError(foreign, "carry them over by row id: curate decisions carry OLD NEW")
        eligible = np.zeros(len(pool), bool)
        eligible[ask.eligible] = True
        base = _all_eligible(pool, ask) if selection is None else selection
        order, added = edited_order(base.order, keep, drop, eligible)
        return _explained(pool, ask, base, order, added, keep, drop, eligible)

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)


def _all_eligible(pool: Dataset, ask: Ask) -> Selection:
    return selection(pool, ask, np.asarray(ask.eligible, np.int64), stages=("not picked",))


def _explained(
    pool: Dataset,
    ask: Ask,
    base: Selection,
    order: np.ndarray,
    added: int,
    keep: np.ndarray,
    drop: np.ndarray,
    eligible: np.ndarray,
) -> Selection:
    """The new order with what the old selection knew, and the reasons that are new."""
    stayed = len(order) - added
    own = base.stages or ("not picked",)
    codes = np.asarray(base.stage, np.int64).copy() if len(base.stage) else np.where(base.mask, 0, 1).astype(np.int64)
    codes[drop] = len(own) + 1
    margin = np.array(base.margin, np.float64) if len(base.margin) else np.full(len(pool), np.nan)
    margin[drop] = np.nan
    place = np.full(len(pool), NO_ROW, np.int64)
    place[base.order] = np.arange(len(base.order))
    kept = place[order[:stayed]]
    gains = np.concatenate([np.asarray(base.gains)[kept], np.full(added, np.nan)]) if len(base.gains) else np.empty(0)
    weighted = len(base.weights) > 0
    info: dict[str, Any] = {
        BY_HAND: added,
        "kept by hand": len(keep),
        "dropped by hand": len(drop),
        "taken out": int(base.mask[drop].sum()),
        "kept but not eligible": int((~eligible[keep]).sum()),
    }
    if weighted and added:
        info["notes"] = ["the weights are left out: rows put in by hand have none"]
    covered, apart = _covered(base, order)
    return selection(
        pool,
        ask,
        order,
        stages=(*own, DROPPED),
        codes=codes,
        margin=margin,
        gains=gains,
        weights=np.asarray(base.weights)[kept] if weighted and not added else np.empty(0),
        covered_by=covered,
        distance=apart,
        info=info,
    )


def _covered(base: Selection, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What stands for each row, as far as it is still in."""
    if not len(base.covered_by):
        return np.empty(0, np.int64), np.empty(0)
    covered, apart = np.array(base.covered_by, np.int64), np.array(base.distance, np.float64)
    inside = np.zeros(base.n + 1, bool)  # the last place serves NO_ROW
    inside[order] = True
    gone = ~inside[covered]
    covered[gone], apart[gone] = NO_ROW, np.nan
    return covered, apart
