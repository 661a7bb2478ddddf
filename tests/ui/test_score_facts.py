"""What a threshold keeps, the places of its slider, and what to beware of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.ui.score_facts import Facts, stops

VALUES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e3, 1e3) | st.integers(-3, 3).map(float))


def facts(values, rho=0.0, most=0.1):
    return Facts(np.sort(values), len(values) + 2, {"no answer": 2}, rho, [], most)


@given(VALUES, st.floats(-1e3, 1e3))
def test_counts_are_those_of_a_comparison(values, cut):
    found = facts(values)
    assert found.kept(cut, "above") == int((values >= cut).sum())
    assert found.kept(cut, "below") == int((values <= cut).sum())
    assert found.gaps == 2


@given(VALUES)
def test_the_slider_goes_from_everything_to_the_last_row(values):
    places = stops(facts(values))
    assert places == sorted(set(places))
    assert places[0] == values.min()
    assert places[-1] == values.max()
    assert facts(values).kept(places[0], "above") == len(values)


def test_no_values_no_places():
    assert stops(facts(np.empty(0))) == []
    assert facts(np.empty(0)).warning() == "no row has it"


def test_warnings():
    values = np.arange(10.0)
    assert facts(values).warning() == ""
    assert "length" in facts(values, rho=-0.7).warning()
    assert "same value" in facts(values, rho=0.9, most=0.95).warning()
