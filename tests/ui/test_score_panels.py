"""The arithmetic behind pairs, correlations and groups."""

import numpy as np
import pytest

from curation.linalg.rank_correlation import Correlations
from curation.ui.score_correlations import strongest
from curation.ui.score_groups import Table, order_of, standing
from curation.ui.score_pair import bounds_of


def test_a_box_becomes_bounds_in_order():
    assert bounds_of({"box": [{"x": [3.0, 1.0], "y": [0.5, 2.0]}]}) == ((1.0, 3.0), (0.5, 2.0))
    assert bounds_of({"box": [{"x": [0, 1], "y": [0, 1]}, {"x": [4, 5], "y": [6, 7]}]}) == ((4.0, 5.0), (6.0, 7.0))


@pytest.mark.parametrize(
    "selection", [{}, {"box": []}, {"box": [{}]}, {"box": [{"x": [0, 1], "y": [0, float("nan")]}]}]
)
def test_no_box_is_no_cut(selection):
    assert bounds_of(selection) is None


def test_the_strongest_pairs_come_first_whatever_their_sign():
    rho = np.array([[1, 0.2, -0.9], [0.2, 1, np.nan], [-0.9, np.nan, 1]])
    table = Correlations(rho, np.full((3, 3), 9), 9)
    assert strongest(table) == [(0, 2), (0, 1)]
    assert strongest(table, most=1) == [(0, 2)]
    assert strongest(Correlations(np.eye(1), np.ones((1, 1), int), 1)) == []


def test_standing_counts_half_of_equal_rows():
    ordered = np.array([1.0, 2, 2, 4])
    assert standing(np.array([2.0, 4, 0, 9, np.nan]), ordered)[:4].tolist() == [0.5, 0.875, 0, 1]
    assert np.isnan(standing(np.array([np.nan, 1.0]), ordered)[0])
    assert np.isnan(standing(np.array([1.0]), np.empty(0))).all()


def table(medians, kept=(1, 2, 0)):
    medians = np.asarray(medians, float)[:, None]
    return Table(np.array([5, 2, 0]), np.array(kept), medians, np.ones((3, 1), int), medians)


def test_groups_are_sorted_with_those_without_value_last():
    made, names = table([2.0, np.nan, 3.0]), ["b", "A", "c"]
    for by, down, wanted in (
        ("name", False, [1, 0, 2]),
        ("name", True, [2, 0, 1]),
        ("rows", True, [0, 1, 2]),
        ("share in view", True, [1, 0, 2]),
        ("score", True, [2, 0, 1]),
        ("score", False, [0, 2, 1]),
    ):
        assert order_of(made, names, by, ["score"], down=down).tolist() == wanted, (by, down)


def test_shares_of_empty_groups_are_unknown():
    share = table([1, 2, 3]).share
    assert share[:2].tolist() == [0.2, 1.0]
    assert np.isnan(share[2])
