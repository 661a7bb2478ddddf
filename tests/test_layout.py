"""The map: structure kept, seeds kept, small and odd pools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from curation.core.artifacts import Features, Missing, Neighbours
from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.layout import Umap, curve, default_epochs, fuzzy_graph, reference_layout, starting_places, umap_layout
from curation.linalg.umap_sgd import descend


def graph(points: np.ndarray, k: int = 15) -> tuple[np.ndarray, np.ndarray]:
    """Exact neighbours, the row itself left out, padded to k."""
    n = len(points)
    m = min(k, n - 1)
    indices, distances = np.full((n, k), -1, np.int32), np.full((n, k), np.inf, np.float32)
    if m:
        far, near = NearestNeighbors(n_neighbors=m + 1).fit(points).kneighbors(points)
        for i in range(n):
            others = near[i] != i
            indices[i, :m], distances[i, :m] = near[i][others][:m], far[i][others][:m]
    return indices, distances


def blobs(n: int, groups: int = 5, d: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % groups
    return (rng.normal(size=(groups, d)) * 4)[labels] + rng.normal(size=(n, d)), labels


# ---------------------------------------------------------------------- quality


def test_as_trustworthy_as_umap_learn():
    points, _ = blobs(600, 6)
    indices, distances = graph(points)
    ours = umap_layout(indices, distances, features=points)
    theirs = reference_layout(indices, distances, features=points)
    assert trustworthiness(points, ours, n_neighbors=15) > trustworthiness(points, theirs, n_neighbors=15) - 0.01


@pytest.mark.parametrize("with_features", [True, False])
def test_planted_groups_come_apart(with_features):
    points, labels = blobs(400)
    xy = umap_layout(*graph(points), features=points if with_features else None)
    near = NearestNeighbors(n_neighbors=6).fit(xy).kneighbors(xy, return_distance=False)[:, 1:]
    assert (labels[near] == labels[:, None]).mean() > 0.99


def test_the_method_keeps_the_neighbours_in_few_epochs_too():
    points, labels = blobs(500)
    xy = umap_layout(*graph(points), features=points, epochs=60)
    near = NearestNeighbors(n_neighbors=6).fit(xy).kneighbors(xy, return_distance=False)[:, 1:]
    assert (labels[near] == labels[:, None]).mean() > 0.97


# ---------------------------------------------------------------------- the same again


def test_one_seed_one_map_whatever_the_threads():
    import numba

    points, _ = blobs(300)
    indices, distances = graph(points)
    maps = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        maps.append(umap_layout(indices, distances, features=points, epochs=50, seed=3))
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    assert np.array_equal(maps[0], maps[1])
    assert not np.allclose(maps[0], umap_layout(indices, distances, features=points, epochs=50, seed=4))


def test_inputs_are_not_touched():
    points, _ = blobs(60)
    indices, distances = graph(points)
    for array in (indices, distances, points):
        array.flags.writeable = False
    umap_layout(indices, distances, features=points, epochs=20)


# ---------------------------------------------------------------------- odd pools


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 14, 16])
@pytest.mark.parametrize("with_features", [True, False])
def test_few_rows(n, with_features):
    points, _ = blobs(max(n, 1))
    points = points[:n]
    indices, distances = graph(points) if n else (np.empty((0, 15), np.int32), np.empty((0, 15)))
    xy = umap_layout(indices, distances, features=points if with_features else None)
    assert xy.shape == (n, 2)
    assert xy.dtype == np.float32
    assert np.isfinite(xy).all()
    assert len(np.unique(xy, axis=0)) == n


@pytest.mark.parametrize("n", [5, 100])
def test_equal_rows(n):
    points = np.ones((n, 4))
    xy = umap_layout(*graph(points), features=points)
    assert np.isfinite(xy).all()
    assert len(np.unique(xy, axis=0)) == n


def test_rows_without_neighbours_and_graphs_in_pieces():
    points, labels = blobs(120, 2)
    indices, distances = graph(points, 8)
    other = labels[:, None] != labels[np.maximum(indices, 0)]
    indices, distances = np.where(other, -1, indices), np.where(other, np.inf, distances)
    indices[5], distances[5] = -1, np.inf
    xy = umap_layout(indices, distances, features=points)
    assert np.isfinite(xy).all()
    assert np.abs(xy).max() < 200


def test_one_dimensional_features():
    points = np.random.default_rng(0).normal(size=(50, 1))
    assert np.isfinite(umap_layout(*graph(points), features=points)).all()


def test_many_copies_beside_others():
    rng = np.random.default_rng(0)
    points = np.vstack([np.zeros((60, 3)), rng.normal(size=(100, 3)) + 5])
    assert np.isfinite(umap_layout(*graph(points), features=points)).all()


# ---------------------------------------------------------------------- the parts


def test_the_graph_equals_umap_learns():
    from umap.umap_ import fuzzy_simplicial_set

    points, _ = blobs(200)
    indices, distances = graph(points, 10)
    ours = fuzzy_graph(indices, distances)
    whole = np.hstack([np.arange(200)[:, None], indices]).astype(np.int32)
    far = np.hstack([np.zeros((200, 1)), distances]).astype(np.float32)
    theirs = fuzzy_simplicial_set(points, 11, np.random.RandomState(0), "euclidean", knn_indices=whole, knn_dists=far)[
        0
    ]
    # the reference searches the rate to 1e-5
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=2e-4)


def test_the_curve_equals_umap_learns():
    from umap.umap_ import find_ab_params

    for min_dist in (0.0, 0.1, 0.5):
        np.testing.assert_allclose(curve(min_dist), find_ab_params(1.0, min_dist), rtol=1e-3)


def test_smoothing_brings_neighbours_near():
    points, _ = blobs(300)
    indices, distances = graph(points)
    fuzzy = fuzzy_graph(indices, distances)
    begin = starting_places(fuzzy, None, 0)
    apart = np.linalg.norm(begin[indices[:, 0]] - begin, axis=1).mean()
    random = np.linalg.norm(begin[np.random.default_rng(1).permutation(300)] - begin, axis=1).mean()
    assert apart < random / 3


def test_joined_rows_come_near_and_others_keep_away():
    begin = np.array([[0, 0], [9, 0], [0, 9], [9, 9]], np.float32)
    starts, others = np.array([0, 1, 2, 3, 4]), np.array([1, 0, 3, 2], np.int32)
    xy = descend(begin, starts, others, np.ones(4, np.float32), a=1.577, b=0.895, epochs=200)
    assert np.linalg.norm(xy[0] - xy[1]) < 2 < np.linalg.norm(xy[0] - xy[2])
    assert begin[1, 0] == 9


def test_progress_is_told_and_may_stop_the_descent():
    points, _ = blobs(50)
    told: list[tuple[int, int]] = []
    umap_layout(*graph(points), epochs=25, progress=lambda done, total: told.append((done, total)))
    assert told == [(10, 25), (20, 25), (25, 25)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        umap_layout(*graph(points), epochs=25, progress=stop)


def test_larger_pools_get_fewer_epochs():
    assert [default_epochs(n) for n in (100, 8_000, 10_000, 20_000, 10**6)] == [500, 500, 400, 200, 200]
    assert default_epochs(100, preview=True) == 60


# ---------------------------------------------------------------------- the method


def made(method: Umap, n: int = 80):
    points, _ = blobs(n)
    pool = from_pairs([(f"question {i}", "answer") for i in range(n)])
    indices, distances = graph(points, 20)
    neighbours = Neighbours(pool.fingerprint, indices, distances, "euclidean", Missing.none(n))
    features = Features(pool.fingerprint, points.astype(np.float32), Missing.none(n))
    return pool, method.place(pool, Runtime(), neighbours=neighbours, features=features)


def test_the_method_uses_the_nearest_of_the_graph():
    pool, layout = made(Umap(neighbors=5, epochs=30))
    assert layout.xy.shape == (80, 2)
    assert layout.dataset == pool.fingerprint
    assert layout.info["neighbors"] == 5
    assert not layout.preview
    assert not np.allclose(layout.xy, made(Umap(neighbors=20, epochs=30))[1].xy)


def test_a_preview_is_marked():
    layout = made(Umap(preview=True))[1]
    assert layout.preview
    assert layout.info["epochs"] == 60


def test_umap_learns_own_descent():
    one, two = (made(Umap(optimiser="umap-learn", epochs=50))[1].xy for _ in range(2))
    assert np.isfinite(one).all()
    assert np.array_equal(one, two)
