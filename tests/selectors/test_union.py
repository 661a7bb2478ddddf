"""Selections joined, compared and taken away."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.intersect import Intersect
from curation.selectors.minus import Minus
from curation.selectors.union import Union


def test_union_keeps_the_order_of_first_appearance(build):
    pool = build(6)
    made = Union().select(pool.pool, pool.ask(), Runtime(), of=[pool.picks([4, 1]), pool.picks([1, 0, 4, 3])])
    assert made.order.tolist() == [4, 1, 0, 3]
    assert made.info == {"picks": [2, 4], "in_several": 2}


def test_union_says_what_each_part_said(build):
    pool = build(4)
    parts = [pool.picks([0], "too long"), pool.picks([1], "too dull"), pool.picks([1], "too long")]
    made = Union().select(pool.pool, pool.ask(), Runtime(), of=parts)
    assert made.why(2) == "out: too long; too dull"


def test_union_leaves_out_what_is_not_eligible(build):
    pool = build(4)
    made = Union().select(pool.pool, pool.ask(eligible=[0, 1]), Runtime(), of=[pool.picks([3, 1])])
    assert made.order.tolist() == [1]
    assert made.why(3) == "out: not eligible"


def test_union_keeps_weights_only_when_all_have_them(build):
    pool = build(4)
    heavy = pool.picks([3, 1], weights=np.array([0.5, 0.25]))
    light = pool.picks([1, 0], weights=np.array([9.0, 1.0]))
    assert Union().select(pool.pool, pool.ask(), Runtime(), of=[heavy, light]).weights.tolist() == [0.5, 0.25, 1.0]
    assert len(Union().select(pool.pool, pool.ask(), Runtime(), of=[heavy, pool.picks([2])]).weights) == 0


@pytest.mark.parametrize("method", [Union(), Intersect()])
def test_nothing_to_join_is_an_error(build, method):
    pool = build(2)
    with pytest.raises(CurationError, match="no selection"):
        method.select(pool.pool, pool.ask(), Runtime(), of=[])


def test_intersection_follows_the_first(build):
    pool = build(5)
    first = pool.picks([4, 2, 0], "a", gains=np.array([3.0, 2.0, 1.0]))
    made = Intersect().select(pool.pool, pool.ask(), Runtime(), of=[first, pool.picks([0, 4, 1], "b")])
    assert made.order.tolist() == [4, 0]
    assert made.gains.tolist() == [3.0, 1.0]
    assert [made.why(row) for row in (1, 2, 3)] == ["out: a", "out: b", "out: a"]


def test_difference_takes_away(build):
    pool = build(5)
    made = Minus().select(
        pool.pool, pool.ask(), Runtime(), of=pool.picks([4, 2, 0], "a"), without=[pool.picks([2]), pool.picks([3])]
    )
    assert made.order.tolist() == [4, 0]
    assert made.why(2) == "out: taken away: it is in another selection"
    assert made.why(3) == "out: a"
