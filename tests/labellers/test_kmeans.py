"""k-means: planted blobs, what is recorded, degenerate pools."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.labellers.kmeans import KMeansClusters, default_k, kmeans


def blobs(sizes=(50, 30, 20), d: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return ((np.eye(len(sizes), d) * 8)[labels] + rng.normal(scale=0.5, size=(len(labels), d))).astype(
        np.float32
    ), labels


def label(points: np.ndarray, **parameters):
    pool = from_pairs([(f"question {i}", "answer") for i in range(len(points))])
    features = Features(pool.fingerprint, points, Missing.none(len(points)))
    return KMeansClusters(**parameters).label(pool, Runtime(), features=features)


def test_planted_blobs_are_found_largest_first():
    points, labels = blobs()
    assert np.array_equal(label(points, k=3, restarts=5).codes, labels)


def test_every_row_is_with_its_nearest_centroid():
    points, _ = blobs()
    found = kmeans(points, 7)
    far = np.linalg.norm(points[:, None].astype(np.float64) - found.centroids, axis=2)
    np.testing.assert_allclose(found.distances, far.min(axis=1), rtol=1e-5)
    assert np.array_equal(found.codes, far.argmin(axis=1))
    np.testing.assert_allclose(found.inertia, (far.min(axis=1) ** 2).sum(), rtol=1e-5)
    for code in range(7):
        np.testing.assert_allclose(found.centroids[code], points[found.codes == code].mean(axis=0), atol=1e-4)


def test_the_default_number_is_that_of_modn():
    assert [default_k(n) for n in (1, 2, 3, 50, 10_000, 52_002, 10**7)] == [1, 2, 2, 5, 71, 161, 1000]
    points, _ = blobs()
    assert label(points).info["k"] == 7


def test_what_was_done_is_recorded():
    points, _ = blobs()
    info = label(points, k=4, init="random", restarts=3, seed=9).info
    assert {"k": 4, "init": "random", "restarts": 3, "seed": 9}.items() <= info.items()
    assert info["iterations"] >= 1
    assert info["inertia"] > 0


def test_one_seed_one_result_and_more_restarts_are_no_worse():
    points, _ = blobs((40, 40, 40, 40))
    assert np.array_equal(kmeans(points, 4, seed=5).codes, kmeans(points, 4, seed=5).codes)
    once = [kmeans(points, 4, init="random", seed=s).inertia for s in range(5)]
    many = [kmeans(points, 4, init="random", restarts=10, seed=s).inertia for s in range(5)]
    assert max(many) <= max(once) + 1e-3


def test_only_angles_count_with_unit_vectors():
    points, _ = blobs()
    lengths = np.random.default_rng(1).uniform(0.1, 10, (len(points), 1)).astype(np.float32)
    assert np.array_equal(label(points, k=3).codes, label(points * lengths, k=3).codes)
    assert label(points, k=3, unit=False).info["inertia"] != label(points, k=3).info["inertia"]


def test_fewer_different_rows_than_clusters():
    points = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    made = label(points, k=8)
    assert made.info["clusters"] == 3
    assert len(made.names) == 3
    assert set(made.codes.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_rows_than_clusters(n):
    made = label(np.eye(5, dtype=np.float32)[:n], k=50)
    assert made.info["k"] == n
    assert len(set(made.codes.tolist())) == n


def test_rows_without_direction_are_an_error():
    points, _ = blobs()
    points[3] = 0
    with pytest.raises(DataError, match="row 3"):
        label(points)
    assert label(points, unit=False).codes.min() == 0
    points[4] = np.nan
    with pytest.raises(DataError, match="2 rows"):
        label(points)
