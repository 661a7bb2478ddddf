"""What the browser counts while a handle moves is what a comparison of all rows gives."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.ui.score_stops import BARS, MOST_STOPS, axis_of, bars_of, kept, stops_of

VALUES = arrays(
    np.float64, st.integers(1, 900), fill=st.nothing(),
    elements=st.floats(-1e300, 1e300) | st.integers(-3, 3).map(float),
).map(np.sort)  # fmt: skip
RNG = np.random.default_rng(0)


@settings(max_examples=80, deadline=None)
@given(VALUES, st.data())
def test_counts_at_stops_are_those_of_a_comparison(ordered, data):
    stops = stops_of(ordered, axis_of(ordered))
    assert len(stops.values) <= MOST_STOPS
    assert (stops.values[0], stops.values[-1]) == (ordered[0], ordered[-1])
    assert (np.diff(stops.values) > 0).all()
    assert np.isin(stops.values, ordered).all(), "a stop is a value that a row has"
    i, j = sorted(data.draw(st.tuples(*[st.integers(0, len(stops.values) - 1)] * 2)))
    low, high = stops.values[i], stops.values[j]
    said = int(stops.at_least[i] - stops.over[j])
    assert said == ((ordered >= low) & (ordered <= high)).sum()
    assert said == kept(ordered, low, high)


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_every_row_is_in_a_bar(ordered):
    axis = axis_of(ordered)
    assert axis.low < axis.high
    counts = bars_of(ordered, axis)
    assert counts.sum() == len(ordered)
    assert len(counts) == axis.bars <= BARS


def test_stops_survive_json_exactly():
    ordered = np.sort(RNG.normal(size=5000) * 1e-7)
    stops = stops_of(ordered, axis_of(ordered))
    assert json.loads(json.dumps(stops.values.tolist())) == stops.values.tolist()


def test_few_values_are_all_stops_and_grades_have_a_bar_each():
    grades = np.sort(RNG.integers(1, 6, 500).astype(float))
    axis = axis_of(grades)
    assert axis.bars == 5
    assert bars_of(grades, axis).tolist() == [(grades == g).sum() for g in range(1, 6)]
    assert stops_of(grades, axis).values.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (RNG.lognormal(4, 1.2, 5000), True),
        (RNG.pareto(1.1, 5000) + 1, True),
        (RNG.uniform(0, 1, 5000), False),
        (RNG.normal(50, 9, 5000), False),
        (RNG.normal(size=5000), False),
        (np.append(RNG.lognormal(4, 1.2, 5000), 0.0), False),
    ],
)
def test_heavy_tails_of_positive_values_are_logarithmic(values, log):
    assert axis_of(np.sort(values)).log is log


def test_one_far_value_does_not_squeeze_the_others():
    ordered = np.sort(np.append(RNG.normal(size=1000), 1e9))
    axis = axis_of(ordered)
    assert axis.high < 20
    assert stops_of(ordered, axis).values[-1] == 1e9


def test_a_tail_has_stops_at_even_places_too():
    ordered = np.sort(np.concatenate([RNG.normal(size=100_000), RNG.uniform(5, 6, 20)]))
    axis = axis_of(ordered)
    places = axis.place(stops_of(ordered, axis).values)
    upper = (places > 0.75).sum()
    assert upper > 15


def test_bounds():
    ordered = np.array([1.0, 2, 2, 3])
    assert kept(ordered, None, None) == 4
    assert kept(ordered, 2.0, 2.0) == 2
    assert kept(ordered, 3.5, None) == 0
    assert kept(ordered, 3.0, 1.0) == 0
    assert kept(np.empty(0), 0.0, None) == 0
