"""Selections joined."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
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


def test_nothing_to_join_is_an_error(build):
    pool = build(2)
    with pytest.raises(CurationError, match="no selection to join"):
        Union().select(pool.pool, pool.ask(), Runtime(), of=[])
