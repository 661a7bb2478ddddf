"""The rows that several selections have in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection


class Intersect(Selector):
    """Every row that is in all of the selections, in the order, with the gains and weights, of the first.

    A row that is out says what the first selection without it said of it.
    """

    title: ClassVar[str] = "Intersection"
    when: ClassVar[str] = "Rows must have passed several stages at once."
    weakness: ClassVar[str] = "Shrinks fast: two independent tenths have a hundredth in common."
    source: ClassVar[str] = "Set intersection"

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, of: list[Selection]) -> Selection:
        """Compare the selections: O(total picks + n).

        Args:
            pool: The rows.
            ask: Rows that are not eligible are left out, whoever picked them.
            runtime: Not used.
            of: One selection or more.

        Raises:
            CurationError: if there is nothing to compare.
        """
        if not of:
            raise CurationError("there is no selection to compare", "of: [$a, $b]")
        inside = np.zeros(len(pool), bool)
        inside[ask.eligible] = True
        stages: list[str] = []
        codes = np.zeros(len(pool), np.int64)
        for part in of:
            out = ~part.mask
            inside &= ~out
            stage = np.asarray(part.stage, np.int64) if len(part.stage) else np.ones(part.n, np.int64)
            new = out & (codes == 0)
            codes[new] = stage[new] + len(stages)
            stages += part.stages or ("not picked",)
        first = of[0]
        kept = inside[first.order]
        return selection(
            pool,
            ask,
            np.asarray(first.order)[kept],
            stages=stages,
            codes=codes,
            gains=first.gains[kept] if len(first.gains) else np.empty(0),
            weights=first.weights[kept] if len(first.weights) else np.empty(0),
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
