from __future__ import annotations

import numpy as np
import pytest

from curation.linalg import prototypes
from curation.linalg.distances import unit_rows
from curation.linalg.prototypes import centroid_distances, unit_centroids


def centroid_distances_naive(points, codes):
    """1 − cos to the mean of the unit vectors of the cluster, one row at a time."""
    wide = points.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    found = np.full(len(points), np.nan)
    for i, code in enumerate(codes):
        if code >= 0:
            mean = wide[codes == code].mean(axis=0)
            found[i] = 1 - wide[i] @ mean / np.linalg.norm(mean)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_textbook_formula(seed):
    rng = np.random.default_rng(seed)
    points = unit_rows(rng.standard_normal((200, 7)) * rng.uniform(0.1, 9, (200, 1))).values
    codes = rng.integers(-1, 9, 200)
    found = centroid_distances(points, codes)
    np.testing.assert_allclose(found, centroid_distances_naive(points, codes), atol=1e-6)
    assert np.isnan(found[codes < 0]).all()
    centroids, sizes = unit_centroids(points, codes)
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1)
    assert sizes.tolist() == [int((codes == c).sum()) for c in range(9)]


@pytest.mark.parametrize("width", [1, 2, 33])
def test_the_size_of_blocks_changes_nothing(width, monkeypatch):
    rng = np.random.default_rng(0)
    points = unit_rows(rng.standard_normal((300, width))).values
    codes = rng.integers(-1, 4, 300)
    usual = centroid_distances(points, codes)
    for block in (1, 7, 299):
        monkeypatch.setattr(prototypes, "ROW_BLOCK", block)
        np.testing.assert_array_equal(centroid_distances(points, codes), usual)


def test_copies_are_equally_far_and_a_cluster_of_copies_is_at_its_centroid():
    points = unit_rows(np.array([[1.0, 2, 3], [1, 2, 3], [-4, 1, 0], [5, 5, 5], [1, 2, 3], [5, 5, 5]])).values
    found = centroid_distances(points, np.array([0, 0, 0, 1, 0, 1]))
    assert found[0] == found[1] == found[4] > 0
    np.testing.assert_allclose(found[[3, 5]], 0, atol=1e-12)


def test_rows_that_cancel_out_share_no_direction():
    points = unit_rows(np.array([[1.0, 1], [-1, -1], [0.3, 0.1], [-3, -1], [1, 0]])).values
    found = centroid_distances(points, np.array([0, 0, 1, 1, 2]))
    np.testing.assert_array_equal(np.isnan(found), [True, True, True, True, False])
    assert np.isnan(unit_centroids(points, np.array([0, 0, 1, 1, 2]))[0][:2]).all()


def test_no_cluster_at_all_and_codes_that_no_row_has():
    assert np.isnan(centroid_distances(np.eye(3, dtype=np.float32), np.full(3, -1))).all()
    found = centroid_distances(np.eye(3, dtype=np.float32), np.array([5, -1, 5]))
    np.testing.assert_allclose(found[[0, 2]], 1 - np.sqrt(0.5))
