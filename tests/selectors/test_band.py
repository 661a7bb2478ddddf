"""Bands of a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.runtime import Runtime
from curation.selectors.band import Band, quantile_places


def picked(build, values, better=True, **parameters):
    pool = build(len(values))
    return Band(**parameters).select(pool.pool, pool.ask(), Runtime(), score=pool.score(values, better))


def test_the_middle_half_is_exactly_half(build):
    values = np.random.default_rng(0).permutation(100).astype(float)
    made = picked(build, values)
    assert made.gains.tolist() == list(range(74, 24, -1))
    below = int(np.flatnonzero(values == 20)[0])
    assert made.why(below) == "out: below the band (by 5)"


@given(st.floats(0, 1), st.integers(1, 1000))
def test_bands_that_meet_share_the_rows_out(edge, n):
    low, high = quantile_places(0, edge, n), quantile_places(edge, 1, n)
    assert low[0] == 0
    assert low[1] == high[0]
    assert high[1] == n


def test_equal_scores_are_split_by_row(build):
    assert picked(build, [1.0] * 8).order.tolist() == [2, 3, 4, 5]


def test_values_keep_both_ends(build):
    made = picked(build, [1.0, 2.0, 3.0, 4.0, float("nan")], low=2, high=3, unit="value")
    assert made.order.tolist() == [2, 1]
    assert made.why(3) == "out: above the band (by 1)"
    assert made.why(4) == "out: no score"


def test_the_better_end_comes_first(build):
    assert picked(build, [1.0, 2.0, 3.0, 4.0], better=False).order.tolist() == [1, 2]


def test_an_empty_band_is_empty(build):
    made = picked(build, [1.0, 2.0], low=5, high=6, unit="value")
    assert len(made) == 0
    assert made.why(0) == "out: below the band"


def test_ends_in_the_wrong_order_or_outside_are_refused():
    with pytest.raises(ValidationError, match="low is 0.8"):
        Band(low=0.8, high=0.2)
    with pytest.raises(ValidationError, match="quantiles from 0 to 1"):
        Band(low=0, high=5)
