from __future__ import annotations

import numpy as np

from curation.selectors._ranks import rank_shares


def test_places_run_from_0_for_the_worst_to_1_for_the_best():
    np.testing.assert_allclose(rank_shares(np.array([5.0, 1, 9]), highest=True), [0.5, 0, 1])
    np.testing.assert_allclose(rank_shares(np.array([5.0, 1, 9]), highest=False), [0.5, 1, 0])


def test_equal_values_share_their_mean_place_and_one_stands_in_the_middle():
    np.testing.assert_allclose(rank_shares(np.array([2.0, 2, 0, 7, 2]), highest=True), [0.5, 0.5, 0, 1, 0.5])
    np.testing.assert_allclose(rank_shares(np.full(4, 3.0), highest=False), 0.5)
    np.testing.assert_allclose(rank_shares(np.array([3.0]), highest=True), 0.5)
