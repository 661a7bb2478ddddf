"""Approximate neighbours by cells."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg import cells
from curation.linalg.cells import cell_neighbours
from curation.linalg.knn import exact_neighbours, nearest_neighbours, recall_of


def blobs(n: int = 3000, d: int = 16, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return ((rng.normal(size=(20, d)) * 3)[rng.integers(20, size=n)] + rng.normal(size=(n, d))).astype(np.float32)


def test_most_neighbours_are_found_with_exact_distances():
    points = blobs()
    indices, squared = cell_neighbours(points, 10)
    truth, _ = exact_neighbours(points, np.arange(len(points)), 10)
    assert recall_of(indices, truth) > 0.85
    difference = points[:, None].astype(np.float64) - points[indices]
    np.testing.assert_allclose(squared, (difference**2).sum(axis=2), rtol=1e-9)
    assert (np.diff(squared, axis=1) >= 0).all()
    assert not (indices == np.arange(len(points))[:, None]).any()
    assert all(len(set(row)) == 10 for row in indices.tolist())


@pytest.mark.parametrize("n", [1, 2, 5, 60])
def test_looking_into_all_cells_is_exact(n, monkeypatch):
    monkeypatch.setattr(cells, "PROBES", 1000)
    points = blobs(n)
    found, truth = cell_neighbours(points, 7), exact_neighbours(points, np.arange(n), 7)
    np.testing.assert_array_equal(found[0], truth[0])
    np.testing.assert_array_equal(found[1], truth[1])


def test_equal_rows():
    indices, squared = cell_neighbours(np.ones((300, 4), np.float32), 5)
    assert (indices >= 0).all()
    assert (squared == 0).all()


def test_one_seed_one_result():
    points = blobs(800)
    assert np.array_equal(cell_neighbours(points, 5, seed=3)[0], cell_neighbours(points, 5, seed=3)[0])


def test_the_graph_says_how_complete_it_is():
    points = np.random.default_rng(0).normal(size=(2000, 10)).astype(np.float32)
    found = nearest_neighbours(points, 10, metric="euclidean", exact_up_to=100, approximate="cells")
    assert not found.exact
    assert 0.5 < found.recall < 1
    assert found.indices.dtype == np.int32


def test_progress_ends_at_the_total():
    told: list[tuple[int, int]] = []
    cell_neighbours(blobs(500), 5, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (500, 500)
