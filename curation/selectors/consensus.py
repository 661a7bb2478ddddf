"""Rows that several selections agree on."""

from __future__ import annotations

import math
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

_BITS = 62  # of a whole number that numpy sorts by


def consensus_order(orders: Sequence[np.ndarray], n: int, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that at least so many selections take: most votes first, then the lower mean rank, then the lowest row.

    The rank of a row in a selection is (its place + 1/2) / the number of picks, so that long and short selections count
    alike; the mean is over the selections that take the row. Ranks are added as whole numbers, so that equals are
    equal. O(total picks + n log n).

    Args:
        orders: Unique rows each, in pick order.
        n: Rows of the Dataset.
        at_least: Votes that a row needs, 1 or more.

    Returns:
        Rows int64 `[m]` in that order, and the votes of every row, int64 `[n]`.
    """
    scale = math.lcm(*(len(order) for order in orders if len(order)))
    most = 2 * scale * len(orders)
    kind = np.int64 if most < 1 << _BITS else object  # many different lengths have a large common multiple
    votes, ranks = np.zeros(n, np.int64), np.zeros(n, kind)
    for order in orders:
        votes[order] += 1
        if len(order):
            ranks[order] += (2 * np.arange(len(order)).astype(kind) + 1) * (scale // len(order))
    rows = np.flatnonzero(votes >= max(at_least, 1))
    # among rows of equal votes the sums are in the order of the means
    sums = [
        ((ranks[rows] >> shift) & ((1 << _BITS) - 1)).astype(np.int64) for shift in range(0, most.bit_length(), _BITS)
    ]
    return rows[np.lexsort((rows, *sums, -votes[rows]))], votes


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
