from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.linalg import nearest
from curation.linalg.nearest import NearestCentres, nearest_selected


def nearest_naive(points, centres):
    """One centre at a time, in order; only a strictly nearer one takes over."""
    wide = points.astype(np.float64)
    squared, rows = np.full(len(wide), np.inf), np.full(len(wide), -1)
    for centre in centres:
        difference = wide - wide[centre]
        distance = np.einsum("ij,ij->i", difference, difference)
        better = distance < squared
        squared[better], rows[better] = distance[better], centre
    return rows, squared


def points_of(kind, rng, n=150):
    points = rng.standard_normal((n, 8)).astype(np.float32)
    if kind == "grid":
        return rng.integers(0, 3, (n, 4)).astype(np.float32)
    if kind == "copies":
        points[n // 4 :] = points[rng.integers(0, n // 4, n - n // 4)]
    if kind == "offset":
        points += 3000
    if kind == "outlier":
        points[5] *= 1e6
    if kind == "equal":
        points[:] = points[0]
    if kind == "double":
        return points.astype(np.float64) + 1e8
    return points


KINDS = ["normal", "grid", "copies", "offset", "outlier", "equal", "double"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_loop_whatever_the_blocks(kind, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    points = points_of(kind, rng)
    centres = rng.choice(len(points), 40, replace=False)
    rows, squared = nearest_naive(points, centres)
    for centre_block, row_block in ((256, 4096), (3, 17), (1, 64)):
        monkeypatch.setattr(nearest, "CENTRE_BLOCK", centre_block)
        monkeypatch.setattr(nearest, "ROW_BLOCK", row_block)
        tracker = NearestCentres(points)
        tracker.add(centres[:13])
        tracker.add(centres[13:])
        np.testing.assert_array_equal(tracker.squared, squared)
        np.testing.assert_array_equal(tracker.nearest, rows)
    one_by_one = NearestCentres(points)
    for centre in centres:
        one_by_one.add(np.array([centre]))
    np.testing.assert_array_equal(one_by_one.squared, squared)
    np.testing.assert_array_equal(one_by_one.nearest, rows)


def test_a_part_goes_its_own_way():
    points = points_of("normal", np.random.default_rng(0))
    tracker = NearestCentres(points)
    tracker.add(np.array([1, 2]))
    before = tracker.squared.copy()
    part = tracker.part(np.array([10, 20, 30]))
    np.testing.assert_array_equal(part.squared, before[[10, 20, 30]])
    part.add_one(1)
    assert part.squared[1] == 0
    np.testing.assert_array_equal(tracker.squared, before)


def test_metrics():
    points = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    cosine = nearest_selected(points, np.array([0]))
    np.testing.assert_allclose(cosine.distances, [0, 1, 1 - np.sqrt(0.5)], atol=1e-7)
    euclidean = nearest_selected(points, np.array([0, 1]), metric="euclidean")
    np.testing.assert_allclose(euclidean.distances, [0, 0, np.sqrt(10)])
    np.testing.assert_array_equal(euclidean.rows, [0, 1, 1])


def test_selected_rows_stand_for_themselves_unless_a_copy_came_first():
    points = np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    found = nearest_selected(points, np.array([2, 1, 0]))
    np.testing.assert_array_equal(found.rows, [2, 1, 2, 1])
    np.testing.assert_array_equal(found.distances, 0)


def test_progress_and_errors():
    seen = []
    nearest_selected(np.eye(4), np.array([1, 2]), progress=lambda a, b: seen.append((a, b)))
    assert seen == [(2, 2)]
    with pytest.raises(ValueError, match="no row is selected"):
        nearest_selected(np.eye(4), np.array([], np.int64))
    with pytest.raises(DataError):
        nearest_selected(np.zeros((2, 2)), np.array([0]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_copies_of_centres_cost_nothing(dtype, monkeypatch):
    points = np.repeat(np.array([[1.0, 0.0], [0.0, 3.0], [-0.0, 3.0]], dtype), 500, axis=0)
    centres = np.random.default_rng(0).permutation(1500)[:900]
    measured = []
    exact = nearest.pair_squared_distances

    def counting(points, rows, others, **more):
        measured.append(len(rows))
        return exact(points, rows, others, **more)

    monkeypatch.setattr(nearest, "pair_squared_distances", counting)
    tracker = NearestCentres(points)
    tracker.add(centres[:300])
    tracker.add(centres[300:])
    rows, squared = nearest_naive(points, centres)
    np.testing.assert_array_equal(tracker.nearest, rows)
    np.testing.assert_array_equal(tracker.squared, squared)
    assert len(tracker.centres) == 2
    assert sum(measured) <= 1500
