"""Rows that several selections agree on."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.consensus import Consensus, consensus_order


def consensus_naive(orders, n, at_least):
    """Votes and mean ranks row by row."""
    found = []
    for row in range(n):
        ranks = [(list(order).index(row) + 0.5) / len(order) for order in orders if row in order]
        if len(ranks) >= at_least:
            found.append((-len(ranks), sum(ranks) / len(ranks), row))
    return [row for _, _, row in sorted(found)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("at_least", [1, 2, 3, 4])
def test_order_is_that_of_the_plain_count(seed, at_least):
    generator = np.random.default_rng(seed)
    n = 40
    orders = [generator.permutation(n)[: generator.integers(0, 30)] for _ in range(4)]
    rows, votes = consensus_order(orders, n, at_least)
    assert rows.tolist() == consensus_naive(orders, n, at_least)
    assert votes.tolist() == [sum(row in order for order in orders) for row in range(n)]


def test_votes_come_before_ranks_and_ranks_before_rows(build):
    pool = build(6)
    of = [pool.picks([5, 0, 1]), pool.picks([5, 1, 0]), pool.picks([2, 3, 5])]
    made = Consensus(votes=2).select(pool.pool, pool.ask(), Runtime(), of=of)
    assert made.order.tolist() == [5, 0, 1]  # rows 0 and 1 have the same votes and the same mean rank
    assert made.gains.tolist() == [3.0, 2.0, 2.0]
    assert made.why(2) == "out: 1 of 3 selections take it (by 1)"
    assert made.why(4) == "out: 0 of 3 selections take it (by 2)"
    assert made.info["votes"] == [1, 2, 2, 1]


def test_rows_that_are_not_eligible_are_left_out(build):
    pool = build(4)
    of = [pool.picks([0, 1, 2]), pool.picks([2, 1, 0])]
    made = Consensus().select(pool.pool, pool.ask(eligible=[1, 2, 3]), Runtime(), of=of)
    assert sorted(made.order.tolist()) == [1, 2]
    assert made.why(0) == "out: not eligible"


def test_no_agreement_is_an_empty_selection(build):
    pool = build(4)
    made = Consensus().select(pool.pool, pool.ask(), Runtime(), of=[pool.picks([0]), pool.picks([1])])
    assert len(made) == 0


def test_more_votes_than_selections_is_an_error(build):
    pool = build(2)
    with pytest.raises(CurationError, match="there are 1 selections"):
        Consensus(votes=2).select(pool.pool, pool.ask(), Runtime(), of=[pool.picks([0])])
    with pytest.raises(CurationError, match="no selection"):
        Consensus(votes=1).select(pool.pool, pool.ask(), Runtime(), of=[])
