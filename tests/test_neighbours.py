"""The k-NN graph as a step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import DataError
from curation.core.method import discover
from curation.core.runtime import Runtime
from curation.linalg.knn import nearest_neighbours
from curation.neighbours import Neighbourhood, usable_rows


def connect(points, **parameters):
    pool = from_pairs([(f"q{i}", f"a{i}") for i in range(len(points))])
    features = Features(pool.fingerprint, np.asarray(points, np.float32), Missing.none(len(points)))
    return Neighbourhood(**parameters).connect(pool, Runtime(), features=features)


def neighbours_naive(points, k, metric):
    """Sort all float64 distances by (distance, row); the row itself left out."""
    wide = points.astype(np.float64)
    if metric == "cosine":
        wide = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    squared = ((wide[:, None] - wide[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    nearest = np.take_along_axis(squared, order, 1)
    return order, nearest / 2 if metric == "cosine" else np.sqrt(nearest)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_sorting_all_distances(metric, seed):
    points = np.random.default_rng(seed).normal(size=(90, 7)).astype(np.float32)
    graph = connect(points, k=6, metric=metric)
    order, distances = neighbours_naive(points, 6, metric)
    np.testing.assert_array_equal(graph.indices, order)
    np.testing.assert_allclose(graph.distances, distances, rtol=1e-5)
    assert (graph.recall, graph.metric) == (1.0, metric)


def test_planted_pairs_are_each_others_nearest():
    centres = np.random.default_rng(0).normal(size=(20, 16))
    points = np.repeat(centres, 2, axis=0) + np.random.default_rng(1).normal(0, 1e-3, (40, 16))
    assert connect(points, k=3).indices[:, 0].tolist() == [i ^ 1 for i in range(40)]


def test_rows_without_a_direction_have_no_neighbours_and_are_nobodys():
    points = np.random.default_rng(0).normal(size=(12, 4))
    points[3], points[8] = 0, np.nan
    graph = connect(points, k=4)
    assert graph.missing.counts() == {"its vector has no direction": 2}
    assert (graph.indices[[3, 8]] == -1).all()
    assert np.isinf(graph.distances[[3, 8]]).all()
    assert not np.isin(graph.indices, [3, 8]).any()
    left = np.delete(np.arange(12), [3, 8])
    order, _ = neighbours_naive(points[left].astype(np.float32), 4, "cosine")
    np.testing.assert_array_equal(graph.indices[left], left[order])


def test_length_zero_is_a_place_under_the_euclidean_metric():
    points = np.array([[0.0, 0], [1, 0], [3, 0]])
    assert usable_rows(points, "euclidean").tolist() == [0, 1, 2]
    assert usable_rows(points, "cosine").tolist() == [1, 2]
    assert connect(points, k=1, metric="euclidean").indices[:, 0].tolist() == [1, 0, 1]


def test_fewer_rows_than_neighbours_are_padded():
    graph = connect(np.eye(3), k=5)
    assert graph.indices.shape == (3, 5)
    assert graph.indices[0].tolist() == [1, 2, -1, -1, -1]
    assert connect(np.eye(1, 3), k=2).indices.tolist() == [[-1, -1]]


def test_no_usable_row_is_an_error():
    with pytest.raises(DataError, match="no row has usable features"):
        connect(np.zeros((3, 2)))


def test_above_the_limit_the_search_is_approximate_and_its_recall_kept(monkeypatch):
    asked = {}

    def search(points, k, **options):
        asked.update(options, k=k)
        found = nearest_neighbours(points, k, metric=options["metric"])
        return dataclasses.replace(found, recall=0.97, exact=False)

    monkeypatch.setattr("curation.neighbours.nearest_neighbours", search)
    points = np.random.default_rng(0).normal(size=(30, 4))
    points[7] = 0
    graph = connect(points, k=5, exact_up_to=10, seed=3)
    assert graph.recall == 0.97
    assert (asked["k"], asked["exact_up_to"], asked["seed"]) == (5, 10, 3)


def test_its_name_is_the_family():
    assert Neighbourhood.use() == "neighbours"
    assert discover()["neighbours"] is Neighbourhood
