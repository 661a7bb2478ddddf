"""Rows that several selections agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Selector, Size
from curation.core.runtime import Runtime
from curation.selectors._build import selection


def consensus_order(orders: Sequence[np.ndarray], n: int, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that at least so many selections take: most votes first, then the lower mean rank, then the lowest row.

    The rank of a row in a selection is (its place + 1/2) / the number of picks, so that long and short selections count
    alike; the mean is over the selections that take the row. O(total picks + n log n).

    Args:
        orders: Unique rows each, in pick order.
        n: Rows of the Dataset.
        at_least: Votes that a row needs, 1 or more.

    Returns:
        Rows int64 `[m]` in that order, and the votes of every row, int64 `[n]`.
    """
    votes, ranks = np.zeros(n, np.int64), np.zeros(n)
    for order in orders:
        votes[order] += 1
        ranks[order] += (np.arange(len(order)) + 0.5) / max(len(order), 1)
    rows = np.flatnonzero(votes >= max(at_least, 1))
    return rows[np.lexsort((rows, ranks[rows] / votes[rows], -votes[rows]))], votes


class Consensus(Selector):
    """Every row that at least so many of the selections take, those with most votes first, then by mean rank.

    Gains are the votes. With `votes` 1 this is a union, with the number of selections an intersection, each in
    another order.
    """

    title: ClassVar[str] = "Consensus"
    when: ClassVar[str] = "Several methods were compared, and the rows that most of them take are wanted."
    weakness: ClassVar[str] = "Methods that are alike vote alike: two of one kind outvote a third that sees more."
    source: ClassVar[str] = "Approval voting, ties by mean rank"

    votes: int = Field(2, ge=1, description="selections that must take a row; at most as many as there are")

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, of: list[Selection]) -> Selection:
        """Count votes: O(total picks + n log n).

        Args:
            pool: The rows.
            ask: Rows that are not eligible are left out, whoever picked them.
            runtime: Not used.
            of: One selection or more.

        Raises:
            CurationError: if there is nothing to count, or fewer selections than votes are asked for.
        """
        if not of:
            raise CurationError("there is no selection to count votes of", "of: [$a, $b]")
        if self.votes > len(of):
            raise CurationError(
                f"{self.votes} votes are asked for, and there are {len(of)} selections",
                f"votes: {len(of)} or fewer",
            )
        orders = [np.asarray(part.order, np.int64) for part in of]
        rows, got = consensus_order(orders, len(pool), self.votes)
        eligible = np.zeros(len(pool), bool)
        eligible[ask.eligible] = True
        rows = rows[eligible[rows]]
        stages = tuple(f"{count} of {len(of)} selections take it" for count in range(self.votes))
        return selection(
            pool,
            ask,
            rows,
            stages=stages,
            codes=np.minimum(got, self.votes - 1) + 1,
            margin=(self.votes - got).astype(np.float64),
            gains=got[rows].astype(np.float64),
            info={"selections": len(of), "votes": [int((got == k).sum()) for k in range(len(of) + 1)]},
        )

    def work(self, size: Size) -> float:
        """Rows."""
        return float(size.rows + 1)
