import numpy as np
import pytest

from curation.core.artifacts import Missing, Neighbours
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.labellers.semantic_duplicates import SemanticDuplicates, semantic_duplicates


def graph(points, k, metric="cosine"):
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    apart = 1 - unit @ unit.T
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(apart, order, 1).astype(np.float32)
    return Neighbours("x", order.astype(np.int32), distances, metric, Missing.none(len(points))), 1 - apart


def planted(seed):
    """Random directions, three of them with close companions."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 16))
    points[10] = points[3] + 0.02 * rng.normal(size=16)
    points[20] = points[3] + 0.02 * rng.normal(size=16)
    points[30] = points[5]
    return points


@pytest.mark.parametrize("seed", range(3))
def test_planted_companions_are_one_group(seed):
    neighbours, _ = graph(planted(seed), 6)
    pool = from_pairs([(f"q{i}", "a") for i in range(40)])
    labels = SemanticDuplicates(min_similarity=0.98).label(pool, Runtime(), neighbours=neighbours)
    assert np.flatnonzero(labels.codes == 0).tolist() == [3, 10, 20]
    assert np.flatnonzero(labels.codes == 1).tolist() == [5, 30]
    assert (labels.codes >= 0).sum() == 5
    assert labels.columns["of"][30] == 5
    assert labels.columns["similarity"][30] == pytest.approx(1)
    assert np.nanmax(labels.columns["similarity"]) <= 1


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
def test_with_a_full_graph_groups_are_the_components_of_all_pairs(threshold):
    neighbours, similarity = graph(np.random.default_rng(4).normal(size=(25, 3)), 24)
    links = semantic_duplicates(neighbours.indices, neighbours.distances, threshold)
    reach = similarity.astype(np.float32) >= threshold
    np.fill_diagonal(reach, True)
    for _ in range(5):
        reach = reach @ reach
    assert links.first().tolist() == reach.argmax(axis=1).tolist()


def test_raising_the_threshold_needs_no_graph():
    neighbours, _ = graph(np.random.default_rng(2).normal(size=(60, 4)), 10)
    loose = semantic_duplicates(neighbours.indices, neighbours.distances, 0.3)
    for threshold in (0.5, 0.8, 0.95):
        strict = semantic_duplicates(neighbours.indices, neighbours.distances, threshold)
        assert loose.cut(threshold).first().tolist() == strict.first().tolist()


def test_absent_neighbours_and_other_metrics():
    indices = np.array([[1, -1], [0, -1], [-1, -1]], np.int32)
    distances = np.array([[0.0, np.inf], [0.0, np.inf], [np.inf, np.inf]], np.float32)
    assert semantic_duplicates(indices, distances, 0.0).of.tolist() == [-1, 0, -1]
    pool = from_pairs([("q", str(i)) for i in range(3)])
    wrong = Neighbours("x", indices, distances, "euclidean", Missing.none(3))
    with pytest.raises(CurationError, match="need cosine"):
        SemanticDuplicates().label(pool, Runtime(), neighbours=wrong)
