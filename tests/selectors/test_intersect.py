"""What selections have in common."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.intersect import Intersect


def test_intersection_follows_the_first(build):
    pool = build(5)
    first = pool.picks([4, 2, 0], "a", gains=np.array([3.0, 2.0, 1.0]))
    made = Intersect().select(pool.pool, pool.ask(), Runtime(), of=[first, pool.picks([0, 4, 1], "b")])
    assert made.order.tolist() == [4, 0]
    assert made.gains.tolist() == [3.0, 1.0]
    assert [made.why(row) for row in (1, 2, 3)] == ["out: a", "out: b", "out: a"]


def test_rows_that_are_not_eligible_are_left_out(build):
    pool = build(3)
    made = Intersect().select(pool.pool, pool.ask(eligible=[0, 1]), Runtime(), of=[pool.picks([2, 1])])
    assert made.order.tolist() == [1]
    assert made.why(2) == "out: not eligible"


def test_nothing_to_compare_is_an_error(build):
    pool = build(2)
    with pytest.raises(CurationError, match="no selection to compare"):
        Intersect().select(pool.pool, pool.ask(), Runtime(), of=[])
