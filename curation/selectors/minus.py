"""A selection without the rows of others."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection


class Minus(Selector):
    """Every row of `of` that is in none of `without`, in the order, with the gains and weights, of `of`."""

    title: ClassVar[str] = "Difference"
    when: ClassVar[str] = "Rows that were taken, held out or dropped before are to be left out."
    weakness: ClassVar[str] = "Takes away the very rows only: near-duplicates of them stay."
    source: ClassVar[str] = "Set difference"

    def select(
        self, pool: Dataset, ask: Ask, runtime: Runtime, *, of: Selection, without: list[Selection]
    ) -> Selection:
        """Compare the selections: O(total picks + n).

        Args:
            pool: The rows.
            ask: Rows that are not eligible are left out, whoever picked them.
            runtime: Not used.
            of: Where to take rows away.
            without: Rows to take away.
        """
        taken = np.zeros(len(pool), bool)
        for part in without:
            taken |= part.mask
        eligible = np.zeros(len(pool), bool)
        eligible[ask.eligible] = True
        kept = (eligible & ~taken)[of.order]
        own = of.stages or ("not picked",)
        stage = np.asarray(of.stage, np.int64) if len(of.stage) else np.ones(of.n, np.int64)
        return selection(
            pool,
            ask,
            np.asarray(of.order)[kept],
            stages=(*own, "taken away: it is in another selection"),
            codes=np.where(of.mask, len(own) + 1, stage),
            gains=of.gains[kept] if len(of.gains) else np.empty(0),
            weights=of.weights[kept] if len(of.weights) else np.empty(0),
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
