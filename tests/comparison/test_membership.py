"""Overlap, exact membership, and rows to read, against sets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from curation.comparison.membership import (
    agreed,
    left_by_one,
    only,
    overlap,
    overlap_of,
    patterns,
    patterns_of,
    taken_by_all,
    votes,
)
from curation.core.errors import CurationError


def some_orders(seed, n=80, arms=4):
    generator = np.random.default_rng(seed)
    return [generator.permutation(n)[: generator.integers(0, n)] for _ in range(arms)]


@pytest.mark.parametrize("seed", range(5))
def test_overlap_is_that_of_sets(seed):
    orders = some_orders(seed)
    found = overlap_of([str(i) for i in range(4)], orders, 80)
    for i, j in itertools.product(range(4), repeat=2):
        a, b = set(orders[i].tolist()), set(orders[j].tolist())
        assert found.shared[i, j] == len(a & b)
        assert found.jaccard[i, j] == pytest.approx(len(a & b) / len(a | b) if a | b else np.nan, nan_ok=True)
        if i != j:
            assert found.expected[i, j] == pytest.approx(len(a) * len(b) / 80)
            assert found.low[i, j] <= found.expected[i, j] + 1 <= found.high[i, j] + 2


def test_overlap_of_independent_draws_lies_in_the_interval():
    generator = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        pair = [generator.permutation(500)[:60], generator.permutation(500)[:100]]
        found = overlap_of(["a", "b"], pair, 500)
        inside.append(found.low[0, 1] <= found.shared[0, 1] <= found.high[0, 1])
    assert 0.93 < np.mean(inside) < 1


def test_random_stands_among_the_arms_at_the_budget(comparison):
    found = overlap(comparison({"a": list(range(30)), "b": list(range(20, 50))}, 100, budget=20))
    assert found.names == ("a", "b", "random 0", "random 1", "random 2")
    assert found.sizes.tolist() == [30, 30, 20, 20, 20]
    assert found.shared[0, 1] == 10


def test_empty_selections_have_no_jaccard():
    found = overlap_of(["a", "b"], [np.empty(0, np.int64)] * 2, 10)
    assert np.isnan(found.jaccard).all()
    assert not found.shared.any()


@pytest.mark.parametrize("seed", range(5))
def test_patterns_are_those_of_sets(seed):
    orders = some_orders(seed)
    names = list("abcd")
    found = patterns_of(names, orders, 80, most=100)
    expected: dict[tuple[str, ...], int] = {}
    for row in range(80):
        members = tuple(name for name, order in zip(names, orders, strict=True) if row in order.tolist())
        expected[members] = expected.get(members, 0) + 1
    assert found.none == expected.pop((), 0)
    assert {p.members: p.count for p in found.patterns} == expected
    assert [p.count for p in found.patterns] == sorted((p.count for p in found.patterns), reverse=True)
    assert found.others == 0


def test_patterns_beyond_the_limit_are_counted_together():
    found = patterns_of(["a", "b"], [np.array([0, 1, 2, 3]), np.array([2, 3, 4])], 10, most=1)
    assert [(p.members, p.count) for p in found.patterns] == [(("a",), 2)]
    assert found.others == 3
    assert found.none == 5


def test_expected_pattern_is_that_of_independent_draws():
    generator = np.random.default_rng(1)
    counts = []
    for _ in range(300):
        orders = [generator.permutation(200)[:80], generator.permutation(200)[:50]]
        found = {p.members: p for p in patterns_of(["a", "b"], orders, 200).patterns}
        counts.append(found[("a",)].count)
    assert np.mean(counts) == pytest.approx(found[("a",)].expected, rel=0.03)


def test_rows_to_read(comparison):
    found = comparison({"a": [5, 1, 2], "b": [2, 5, 7], "c": [5, 2, 9, 7]}, 12)
    assert votes(found).tolist() == [0, 1, 3, 0, 0, 3, 0, 2, 0, 1, 0, 0]
    assert only(found, "a").tolist() == [1]
    assert only(found, "b").tolist() == []
    assert taken_by_all(found).tolist() == [5, 2]
    assert agreed(found, 2).tolist() == [5, 2, 7]
    assert left_by_one(found, "a").tolist() == [7]
    assert patterns(found).none == 7


def test_more_arms_than_bits_is_an_error():
    with pytest.raises(CurationError, match="too many"):
        patterns_of([str(i) for i in range(63)], [np.array([0])] * 63, 5)
