"""Rows that several selections agree on."""

from __future__ import annotations

from fractions import Fraction

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


def test_equal_mean_ranks_go_to_the_lowest_row_whatever_the_lengths():
    orders = [np.array(o) for o in ([2, 5, 3], [0, 1, 2, 3, 5, 4], [1, 4, 0])]
    rng = np.random.default_rng(3)
    cases = [(6, orders)] + [
        (9, [rng.permutation(9)[: rng.integers(0, 10)] for _ in range(rng.integers(1, 6))]) for _ in range(400)
    ]
    for n, given in cases:
        ranks = {row: [] for row in range(n)}
        for order in given:
            for place, row in enumerate(order.tolist()):
                ranks[row].append(Fraction(2 * place + 1, 2 * len(order)))
        taken = [row for row in ranks if ranks[row]]
        expected = sorted(taken, key=lambda r: (-len(ranks[r]), sum(ranks[r]) / len(ranks[r]), r))  # noqa: B023
        assert consensus_order(given, n, 1)[0].tolist() == expected


def test_lengths_without_a_small_common_multiple():
    n, lengths = 1009, (1009, 1000, 997, 991, 983, 977, 971, 967)
    rng = np.random.default_rng(4)
    given = [rng.permutation(n)[:length] for length in lengths]
    ranks = [Fraction(0)] * n
    for order in given:
        for place, row in enumerate(order.tolist()):
            ranks[row] += Fraction(2 * place + 1, 2 * len(order))
    got, votes = consensus_order(given, n, len(lengths))
    rows = np.flatnonzero(votes == len(lengths)).tolist()
    assert got.tolist() == sorted(rows, key=lambda r: (ranks[r], r))
