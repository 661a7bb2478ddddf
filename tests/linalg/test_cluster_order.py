import numpy as np
import pytest

from curation.linalg.cluster_order import members_of, order_in_clusters
from curation.linalg.distances import all_unit_rows


def points_of(seed, n=60, d=5):
    return all_unit_rows(np.random.default_rng(seed).normal(size=(n, d)) + 0.5)


def distances_naive(points, codes):
    """Cosine to the normalised mean of the row's own cluster."""
    found = np.full(len(points), np.nan)
    for row, code in enumerate(codes):
        if code >= 0:
            mean = np.mean([points[i].astype(float) for i in range(len(points)) if codes[i] == code], axis=0)
            found[row] = 1 - points[row].astype(float) @ mean / np.linalg.norm(mean)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_orders_equal_the_naive_ones(seed):
    points = points_of(seed)
    codes = np.random.default_rng(seed).integers(-1, 4, len(points))
    wanted = distances_naive(points, codes)
    for keep, sign in (("hard", -1), ("easy", 1)):
        orders = order_in_clusters(points, codes, keep=keep)
        assert len(orders) == 4
        for code, rows in enumerate(orders):
            assert sorted(rows) == np.flatnonzero(codes == code).tolist()
            assert (np.diff(sign * wanted[rows]) > -1e-6).all()


def test_equal_rows_stand_in_the_order_of_rows():
    points = points_of(0)[[3, 1, 3, 1, 2, 3]]
    for keep in ("hard", "easy"):
        rows = order_in_clusters(points, np.zeros(6, int), keep=keep)[0].tolist()
        assert [r for r in rows if r in (0, 2, 5)] == [0, 2, 5]
        assert [r for r in rows if r in (1, 3)] == [1, 3]


def test_a_cluster_that_cancels_out_has_no_direction():
    points = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)
    assert order_in_clusters(points, np.zeros(4, int))[0].tolist() == [0, 1, 2, 3]


def test_by_score_the_highest_comes_first_and_a_missing_one_last():
    score = np.array([0.1, np.nan, 3, 0.1, 9])
    orders = order_in_clusters(points_of(0, 5), np.array([0, 0, 0, 0, 1]), keep="score", score=score)
    assert [rows.tolist() for rows in orders] == [[2, 0, 3, 1], [4]]
    with pytest.raises(ValueError, match="needs a score"):
        order_in_clusters(points_of(0, 5), np.zeros(5, int), keep="score")


def test_random_is_a_shuffle_that_the_seed_decides():
    points, codes = points_of(0, 200), np.zeros(200, int)
    first, again, other = (order_in_clusters(points, codes, keep="random", seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert sorted(first) == list(range(200))
    assert abs(np.corrcoef(first, np.arange(200))[0, 1]) < 0.2


def test_rows_in_no_cluster_are_in_no_group():
    assert [r.tolist() for r in members_of(np.array([2, -1, 0, 2, -1]))] == [[2], [0, 3]]
    assert members_of(np.array([-1, -1])) == []
    assert members_of(np.empty(0, int)) == []
