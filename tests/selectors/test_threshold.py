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


# ---------------------------------------------------------------------- quantiles


def test_a_strict_quantile_of_distinct_values_keeps_exactly_its_share(build):
    values = np.random.default_rng(0).permutation(100).astype(float)
    made = picked(build, values, above_quantile=0.8, inclusive="neither")
    assert values[made.order].tolist() == list(range(99, 79, -1))
    assert picked(build, values, below_quantile=0.2).order.tolist() == np.argsort(values)[:20].tolist()


@pytest.mark.parametrize("quantile", [0.0, 0.1, 0.25, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("inclusive", ["above", "neither"])
def test_it_is_the_linear_quantile_of_the_rows_with_a_score(build, quantile, inclusive):
    values = np.random.default_rng(1).normal(size=57).round(1)
    values[[3, 9]] = np.nan
    bound = np.quantile(values[np.isfinite(values)], quantile)
    expected = values >= bound if inclusive == "above" else values > bound
    made = picked(build, values, above_quantile=quantile, inclusive=inclusive)
    assert sorted(made.order.tolist()) == np.flatnonzero(expected).tolist()
    assert made.info == {"above": bound}
    assert made.why(3) == "out: no score"


def test_rows_equal_to_the_quantile_are_all_in_or_all_out(build):
    values = [1.0, 2.0, 2.0, 2.0, 3.0]
    assert picked(build, values, above_quantile=0.5).order.tolist() == [4, 1, 2, 3]
    assert picked(build, values, above_quantile=0.5, inclusive="neither").order.tolist() == [4]
    assert picked(build, [7.0] * 5, above_quantile=0.8, inclusive="neither").order.tolist() == []


def test_only_eligible_rows_count_for_the_quantile(build):
    pool = build(8)
    score = pool.score(np.arange(8.0))
    made = Threshold(above_quantile=0.5).select(pool.pool, pool.ask(eligible=[0, 1, 2, 3]), Runtime(), score=score)
    assert made.order.tolist() == [3, 2]
    assert made.info == {"above": 1.5}


def test_the_reason_names_the_quantile_and_a_value_can_be_the_other_bound(build):
    made = picked(build, np.arange(11.0), above_quantile=0.2, below=8)
    assert made.order.tolist() == [7, 6, 5, 4, 3, 2]
    assert made.why(0) == "out: below 2, the quantile 0.2 (by 2)"
    assert made.why(8) == "out: at or above 8 (by 0)"


def test_no_row_with_a_score_leaves_nothing_to_take_a_quantile_of(build):
    made = picked(build, [float("nan")] * 3, above_quantile=0.5)
    assert made.order.tolist() == []
    assert made.why(1) == "out: no score"


def test_a_value_and_a_quantile_for_one_bound_are_refused():
    with pytest.raises(ValidationError, match="'above' or 'above_quantile', not both"):
        Threshold(above=0.0, above_quantile=0.0)
    with pytest.raises(ValidationError, match="'below' or 'below_quantile', not both"):
        Threshold(below=1.0, below_quantile=0.5)
    with pytest.raises(ValidationError, match="above the quantile 0.9 and below 0.1"):
        Threshold(above_quantile=0.9, below_quantile=0.1)
    with pytest.raises(ValidationError, match="above_quantile"):
        Threshold(above_quantile=1.5)
