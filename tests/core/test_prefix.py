"""Cutting a nested order."""

from __future__ import annotations

import numpy as np

from curation.core.artifacts import BEYOND_BUDGET, Selection


def test_cutting_twice_is_cutting_once():
    stage = np.array([0, 0, 0, 0, 0, 1], np.int16)
    whole = Selection("d", 6, np.array([3, 1, 4, 0, 2]), stage=stage, stages=("bad",), margin=np.full(6, np.nan))
    once, twice = whole.prefix(2), whole.prefix(4).prefix(2)
    assert once.stages == twice.stages == ("bad", BEYOND_BUDGET)
    np.testing.assert_array_equal(once.stage, twice.stage)
    np.testing.assert_array_equal(once.margin, twice.margin)
    assert once.margin[[4, 0, 2]].tolist() == [1, 2, 3]
    assert once.why(5) == "out: bad"


def test_cutting_an_order_without_reasons():
    cut = Selection("d", 4, np.array([2, 0])).prefix(1)
    assert [cut.why(row) for row in range(4)] == [
        "out: beyond the budget (by 1)", "out: beyond the budget", "in: pick 1 of 1", "out: beyond the budget",
    ]  # fmt: skip
