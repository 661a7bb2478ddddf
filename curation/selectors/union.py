"""The rows of several selections together."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection


def in_none(parts: list[Selection]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Why each row is in none of several selections.

    Args:
        parts: Selections of the same Dataset.

    Returns:
        Codes int64 `[n]`, 1 + the index into the reasons, and the reasons: what the parts say, in their order, each
        once.
    """
    combined = np.zeros(len(parts[0].mask), np.int64)
    for part in parts:
        stage = np.asarray(part.stage, np.int64) if len(part.stage) else np.zeros(part.n, np.int64)
        combined = combined * (len(part.stages) + 1) + stage
    distinct, first, code = np.unique(combined, return_index=True, return_inverse=True)
    reasons = []
    for row in first:
        said = [p.stages[p.stage[row] - 1] for p in parts if len(p.stage) and p.stage[row] > 0]
        reasons.append("; ".join(dict.fromkeys(said)) or "not picked")
    return code.ravel() + 1, tuple(reasons)


class Union(Selector):
    """Every row that is in at least one of the selections, in order of first appearance.

    A row that is in none is out for the reasons that the selections gave. Training weights are kept when all selections
    have them; gains are not, since those of different methods cannot be compared.
    """

    title: ClassVar[str] = "Union"
    when: ClassVar[str] = "Several selections are to be trained on together."
    weakness: ClassVar[str] = "Selections made apart repeat each other: near-duplicates across them are all kept."
    source: ClassVar[str] = "Set union"

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, of: list[Selection]) -> Selection:
        """Join the selections: O(total picks + n).

        Args:
            pool: The rows.
            ask: Rows that are not eligible are left out, whoever picked them.
            runtime: Not used.
            of: One selection or more.

        Raises:
            CurationError: if there is nothing to join.
        """
        if not of:
            raise CurationError("there is no selection to join", "of: [$a, $b]")
        picks = np.concatenate([np.asarray(part.order, np.int64) for part in of])
        _, first = np.unique(picks, return_index=True)
        first.sort()
        eligible = np.zeros(len(pool), bool)
        eligible[ask.eligible] = True
        first = first[eligible[picks[first]]]
        weighted = all(len(part.weights) == len(part.order) for part in of)
        weights = np.concatenate([part.weights for part in of])[first] if weighted else np.empty(0)
        codes, reasons = in_none(of)
        info = {"picks": [len(part) for part in of], "in_several": int(len(picks) - len(np.unique(picks)))}
        return selection(pool, ask, picks[first], stages=reasons, codes=codes, weights=weights, info=info)

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
