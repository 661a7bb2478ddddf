import numpy as np
import pytest

from curation.core.artifacts import Missing, Neighbours
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.scorers.knn_distance import KnnDistance, kth_distance


def graph(points, k):
    """Neighbours by brute force."""
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(apart, order, 1)
    return Neighbours("x", order.astype(np.int32), distances.astype(np.float32), "euclidean", Missing.none(len(points)))


def pool_of(n):
    return from_pairs([(f"q{i}", "a") for i in range(n)])


@pytest.mark.parametrize("kth", [1, 4, 6])
def test_equals_sorting_all_distances(kth):
    points = np.random.default_rng(0).normal(size=(30, 5))
    score = KnnDistance(kth=kth).score(pool_of(30), Runtime(), neighbours=graph(points, 8))
    for i in range(30):
        others = np.sort(np.linalg.norm(np.delete(points, i, 0) - points[i], axis=1))
        assert score.values[i] == pytest.approx(others[kth - 1], rel=1e-5)
    assert score.info["metric"] == "euclidean"


def test_copies_are_at_distance_zero_and_an_outlier_is_far():
    points = np.concatenate([np.zeros((7, 3)), np.random.default_rng(1).normal(size=(20, 3)), [[50.0, 0, 0]]])
    score = KnnDistance().score(pool_of(28), Runtime(), neighbours=graph(points, 8))
    assert (score.values[:7] == 0).all()
    assert score.values.argmax() == 27


def test_too_few_rows_are_missing_and_a_too_small_graph_is_an_error():
    few = graph(np.eye(4), 3)
    score = KnnDistance().score(pool_of(4), Runtime(), neighbours=few)
    assert score.missing.counts() == {"fewer than 6 neighbours": 4}
    padded = np.array([[0.1, 0.2, np.inf]], np.float32)
    assert np.isnan(kth_distance(padded, 3)).all()
    with pytest.raises(CurationError, match="kth is 6, but the graph holds 3"):
        KnnDistance().score(pool_of(30), Runtime(), neighbours=graph(np.random.default_rng(0).normal(size=(30, 2)), 3))
