"""Helpers that all selectors share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.artifacts import BEYOND_BUDGET
from curation.core.errors import CurationError
from curation.selectors._build import cut, highest_first, largest_remainder, numbers, selection, sorted_rows


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.data())
def test_shares_are_within_one_of_proportional_and_never_exceed_their_size(sizes, data):
    total = data.draw(st.integers(0, sum(sizes)))
    shares = largest_remainder(np.array(sizes), total)
    assert shares.sum() == total
    assert (shares <= sizes).all()
    exact = np.array(sizes) * total / sum(sizes)
    assert (np.abs(shares - exact) < 1).all()


def test_equal_remainders_go_to_the_lowest():
    assert largest_remainder(np.array([1, 1, 1]), 2).tolist() == [1, 1, 0]


def test_equal_values_are_sorted_by_row():
    values = np.array([1.0, 2.0, 1.0, 2.0])
    assert sorted_rows(np.arange(4), values, highest=True).tolist() == [1, 3, 0, 2]
    assert sorted_rows(np.arange(4), values, highest=False).tolist() == [0, 2, 1, 3]


def test_rows_that_were_not_eligible_say_so(build):
    pool = build(4)
    made = selection(pool.pool, pool.ask(eligible=[0, 2]), np.array([2]), stages=("too dull",))
    assert [made.why(row) for row in range(4)] == [
        "out: too dull", "out: not eligible", "in: pick 1 of 1", "out: not eligible",
    ]  # fmt: skip


def test_margins_of_picks_and_of_rows_that_are_not_eligible_are_unknown(build):
    pool = build(3)
    made = selection(
        pool.pool, pool.ask(eligible=[0, 1]), np.array([0]), stages=("x",), margin=np.array([1.0, 2.0, 3.0])
    )
    np.testing.assert_array_equal(made.margin, [np.nan, 2.0, np.nan])


def test_cut_says_how_many_picks_too_late_a_row_comes(build):
    pool = build(5)
    made = cut(pool.pool, pool.ask(2), np.array([4, 3, 2, 1, 0]))
    assert made.order.tolist() == [4, 3]
    assert [made.stages[c - 1] for c in made.stage[[2, 1, 0]]] == [BEYOND_BUDGET] * 3
    assert made.margin[[2, 1, 0]].tolist() == [1, 2, 3]


def test_cut_reports_an_order_that_ends_early(build):
    pool = build(4)
    made = cut(pool.pool, pool.ask(3), np.array([1]), stages=("bad",), short_reason="the rest is bad")
    assert (made.short_by, made.short_reason) == (2, "the rest is bad")


def test_a_score_without_a_better_end_must_be_told(build):
    score = build(2).score([1.0, 2.0], better=None)
    with pytest.raises(CurationError, match="high or low is better"):
        highest_first(score, "best")
    assert highest_first(score, "highest")
    assert not highest_first(score, "lowest")
    assert not highest_first(build(2).score([1.0, 2.0], better=False), "best")


def test_a_column_must_exist_and_hold_one_number_per_row(build):
    score = build(2).score([1.0, np.nan], flat=np.array([3, 4]), wide=np.zeros((2, 2)))
    np.testing.assert_array_equal(numbers(score, "flat"), [3.0, np.nan])
    with pytest.raises(CurationError, match="no column 'x'"):
        numbers(score, "x")
    with pytest.raises(CurationError, match="one number per row"):
        numbers(score, "wide")


def test_infinite_scores_count_as_missing(build):
    score = build(3).score([np.inf, 1.0, -np.inf])
    np.testing.assert_array_equal(numbers(score, None), [np.nan, 1.0, np.nan])
    assert np.isinf(score.values[0])  # the score itself is untouched
