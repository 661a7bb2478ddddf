"""Thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.runtime import Runtime
from curation.selectors.threshold import Threshold

VALUES = [0.1, 0.5, 0.9, 0.5, float("nan"), 0.3]


def picked(build, values=VALUES, **parameters):
    pool = build(len(values))
    return Threshold(**parameters).select(pool.pool, pool.ask(), Runtime(), score=pool.score(values))


def test_above_keeps_the_bound_and_below_drops_it(build):
    assert picked(build, above=0.5).order.tolist() == [2, 1, 3]
    assert picked(build, below=0.5).order.tolist() == [0, 5]


def test_above_and_below_share_all_scored_rows_out(build):
    values = np.round(np.random.default_rng(0).random(200), 1)
    for t in (0.0, 0.3, 0.5, 1.0):
        high, low = picked(build, values, above=t), picked(build, values, below=t)
        assert sorted([*high.order, *low.order]) == list(range(200))


@pytest.mark.parametrize(
    ("inclusive", "kept"), [("above", {1, 5}), ("below", {1, 2}), ("both", {1, 2, 5}), ("neither", {1})]
)
def test_inclusive_says_which_bounds_are_in(build, inclusive, kept):
    values = [0.0, 0.5, 0.9, 1.0, float("nan"), 0.3]
    assert set(picked(build, values, above=0.3, below=0.9, inclusive=inclusive).order) == kept


def test_the_reason_names_the_bound_and_the_margin_how_far(build):
    made = picked(build, above=0.3, below=0.9)
    assert made.why(0) == "out: below 0.3 (by 0.2)"
    assert made.why(2) == "out: at or above 0.9 (by 0)"
    assert made.why(4) == "out: no score"
    assert made.why(1) == "in: pick 1 of 3, gain 0.5"


def test_lowest_first_when_only_the_upper_bound_is_given(build):
    assert picked(build, below=0.95).order.tolist() == [0, 5, 1, 3, 2]


def test_a_column_can_be_compared(build):
    pool = build(3)
    score = pool.score([1.0, 1.0, 1.0], length=np.array([5, 1, 9]))
    made = Threshold(above=5, column="length").select(pool.pool, pool.ask(), Runtime(), score=score)
    assert made.order.tolist() == [2, 0]


def test_some_bound_is_needed_and_they_must_leave_room():
    with pytest.raises(ValidationError, match="'above', 'below' or both"):
        Threshold()
    with pytest.raises(ValidationError, match="no score is above"):
        Threshold(above=2, below=1)


def test_rows_outside_the_eligible_are_left_out(build):
    pool = build(6)
    made = Threshold(above=0.0).select(pool.pool, pool.ask(eligible=[1, 4, 5]), Runtime(), score=pool.score(VALUES))
    assert made.order.tolist() == [1, 5]
