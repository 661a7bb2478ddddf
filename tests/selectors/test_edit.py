"""Decisions by hand: what is taken out and put in, in which order, and what every row says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.artifacts import Labels, Missing, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.quota import Quota, kept_to, limits_of
from curation.core.row_ranges import rows_digest
from curation.core.runtime import Runtime
from curation.selectors.edit import Edit, edited_order

POOL = from_pairs([(f"q{i}", f"a{i}") for i in range(8)])
ALL = Ask(np.arange(8))


def base(order=(5, 2, 7), **more):
    stage = np.ones(8, np.int16)
    stage[list(order)] = 0
    return Selection(POOL.fingerprint, 8, np.array(order), stage=stage, stages=("too late",), **more)


def run(method, ask=ALL, **ports):
    return method.select(POOL, ask, Runtime(), **ports)


def edited_naive(order, keep, drop, eligible):
    out = [row for row in order if row not in drop and row in eligible]
    return out + [row for row in sorted(keep) if row not in out and row in eligible]


@given(st.integers(0, 10_000))
def test_the_order_is_that_of_the_loop(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    order = rng.permutation(n)[: rng.integers(0, n + 1)]
    marks = rng.integers(0, 3, n)
    keep, drop = rng.permutation(np.flatnonzero(marks == 1)), np.flatnonzero(marks == 2)
    eligible = rng.random(n) < 0.8
    found, added = edited_order(order, keep, drop, eligible)
    expected = edited_naive(order.tolist(), set(keep.tolist()), set(drop.tolist()), set(np.flatnonzero(eligible)))
    assert found.tolist() == expected
    assert added == sum(row not in order for row in expected)


def test_dropped_rows_go_and_kept_ones_come_last_in_row_order():
    made = run(Edit(keep="6,1,2", drop="5"), selection=base())
    assert made.order.tolist() == [2, 7, 1, 6]
    assert made.why(2) == "in: pick 1 of 4"
    assert made.why(1) == "in: pick 3 of 4, kept by hand"
    assert made.why(5) == "out: dropped by hand"
    assert made.why(0) == "out: too late"
    assert not made.nested


def test_a_row_that_was_out_anyway_says_that_it_was_dropped():
    made = run(Edit(drop="0"), selection=base(margin=np.arange(8.0)))
    assert made.why(0) == "out: dropped by hand"
    assert made.why(3) == "out: too late (by 3)"


def test_without_a_selection_all_eligible_rows_are_changed():
    made = run(Edit(drop="0,2-3"), Ask(np.array([0, 1, 2, 4, 5])))
    assert made.order.tolist() == [1, 4, 5]
    assert made.why(7) == "out: not eligible"


def test_a_kept_row_that_is_not_eligible_stays_out_and_is_counted():
    made = run(Edit(keep="1,6"), Ask(np.array([2, 5, 6])), selection=base())
    assert made.order.tolist() == [5, 2, 6]
    assert made.info["kept but not eligible"] == 1
    assert made.why(1) == "out: not eligible"


def test_gains_stay_and_those_of_rows_put_in_are_missing():
    made = run(Edit(keep="0", drop="2"), selection=base(gains=np.array([3.0, 2.0, 1.0])))
    np.testing.assert_array_equal(made.gains, [3.0, 1.0, np.nan])
    assert made.why(0) == "in: pick 3 of 3, kept by hand"


def test_weights_stay_until_a_row_without_one_is_put_in():
    weighted = base(weights=np.array([3.0, 2.0, 1.0]))
    assert run(Edit(drop="2"), selection=weighted).weights.tolist() == [3.0, 1.0]
    made = run(Edit(keep="0"), selection=weighted)
    assert not len(made.weights)
    assert "weights are left out" in made.info["notes"][0]


def test_a_dropped_row_stands_for_nothing_any_more():
    covered = np.array([5, 5, 2, 2, 7, 5, 7, 7])
    made = run(Edit(drop="5"), selection=base(covered_by=covered, distance=np.full(8, 0.5)))
    assert made.covered_by.tolist() == [-1, -1, 2, 2, 7, -1, 7, 7]
    assert np.isnan(made.distance[[0, 1, 5]]).all()
    assert made.why(3).endswith("row 2 stands for it (distance 0.500)")


def test_a_quota_on_top_still_knows_which_rows_were_put_in():
    made = run(Edit(keep="0,1,3"), selection=base())
    labels = Labels(POOL.fingerprint, np.array([0, 0, 1, 0, 1, 1, 1, 1], np.int32), ("a", "b"), Missing.none(8))
    kept = kept_to(made, limits_of(Quota(at_most={"a": 2}), labels, made.order, None), None)
    assert kept.order.tolist() == [5, 2, 7, 0, 1]
    assert [kept.why(row).endswith("kept by hand") for row in kept.order] == [False, False, False, True, True]


def test_the_digest_guards_against_other_rows():
    good = rows_digest(POOL, np.array([1, 4]))
    assert run(Edit(keep="1", drop="4", digest=good)).order.tolist() == [0, 1, 2, 3, 5, 6, 7]
    with pytest.raises(CurationError, match="belong to another dataset"):
        run(Edit(keep="1", drop="5", digest=good))


def test_a_row_beyond_the_end_is_an_error():
    with pytest.raises(CurationError, match="no row 8"):
        run(Edit(drop="8"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "both empty"),
        ({"keep": " ", "drop": ""}, "both empty"),
        ({"keep": "1-4", "drop": "3"}, "row 3 is both"),
        ({"keep": "x"}, "'x' is neither"),
        ({"drop": "0-999999999999"}, "more than"),
        ({"keep": "1", "digest": "zz"}, "digest"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(values, words):
    with pytest.raises(ValidationError, match=words):
        Edit(**values)


def test_everything_can_be_dropped():
    made = run(Edit(drop="0-7"))
    assert len(made) == 0
    assert made.why(3) == "out: dropped by hand"
