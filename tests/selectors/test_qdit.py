from __future__ import annotations

import itertools

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing, Neighbours, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg.knn import nearest_neighbours
from curation.selectors.facility_location import facility_location
from curation.selectors.qdit import Qdit, qdit

ONE = 1 << 30


def similarities(points):
    """float64 [n, n] of (1 + cos) / 2."""
    wide = np.asarray(points, np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return (1 + unit @ unit.T) / 2


def qdit_naive(weights, quality, budget, factor, alpha):
    """The textbook loop: the key of every row anew before each pick."""
    best, order, keys = np.zeros(len(weights)), [], []
    for _ in range(budget):
        key = (1 - alpha) * factor * np.maximum(0, weights - best[:, None]).sum(axis=0) + alpha * quality
        key[order] = -np.inf
        order.append(int(key.argmax()))
        keys.append(key.max())
        best = np.maximum(best, weights[:, order[-1]])
    return order, keys


def pool_of(seed, n=120, d=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)).astype(np.float32), rng.normal(3, 2, n)


@pytest.mark.parametrize("memory", [2 << 30, 30_000, 1])
@pytest.mark.parametrize("alpha", [0.1, 0.7, 0.95])
def test_equals_the_textbook_loop(alpha, memory):
    for seed in range(2):
        points, quality = pool_of(seed)
        weights = similarities(points)
        found = qdit(points, quality, 40, alpha=alpha, memory_bytes=memory)
        order, keys = qdit_naive(weights, quality, 40, 2.0, alpha)  # a cosine rises by twice what (1 + cos) / 2 does
        assert found.order.tolist() == order
        np.testing.assert_allclose(found.gains, keys, atol=1e-5)
        shares = qdit(points, quality, 40, alpha=alpha, scale="shares", memory_bytes=memory)
        worth = quality - quality.min()
        order, keys = qdit_naive(weights, worth / worth.sum(), 40, 1 / 120, alpha)
        assert shares.order.tolist() == order
        np.testing.assert_allclose(shares.gains, keys, atol=1e-7)


@pytest.mark.parametrize("scale", ["published", "shares"])
def test_the_ends_of_alpha_are_coverage_and_quality_alone(scale):
    points, quality = pool_of(3)
    quality = np.round(quality)  # many equal ones
    np.testing.assert_array_equal(
        qdit(points, quality, 50, alpha=0, scale=scale).order, facility_location(points, 50).order
    )
    best = np.argsort(-quality, kind="stable")[:50]
    np.testing.assert_array_equal(qdit(points, quality, 50, alpha=1, scale=scale).order, best)


def test_more_alpha_gives_more_quality_and_less_coverage():
    points, quality = pool_of(4)
    found = [qdit(points, quality, 20, alpha=alpha, scale="shares").info for alpha in (0, 0.25, 0.5, 0.75, 1)]
    means = [info["mean quality"] for info in found]
    assert means == sorted(means)
    assert means[0] < means[-1]
    coverage = [info["value"] for info in found]
    assert coverage == sorted(coverage, reverse=True)
    assert found[0]["mean quality of all"] == pytest.approx(quality.mean())


def test_shares_do_not_depend_on_the_unit_of_quality_and_published_does():
    points, quality = pool_of(5)
    once, more = (qdit(points, q, 30, scale="shares").order for q in (quality, 4 * quality + 64))
    np.testing.assert_array_equal(once, more)
    once, more = (qdit(points, q, 30).order for q in (quality, 1000 * quality))
    assert once.tolist() != more.tolist()


def test_picking_everything_gives_both_terms_the_sum_one():
    points, quality = pool_of(6)
    for alpha in (0, 0.3, 1):
        assert qdit(points, quality, 120, alpha=alpha, scale="shares").gains.sum() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(15))
def test_value_is_at_least_what_greedy_promises(seed):
    rng = np.random.default_rng(seed)
    points, quality = rng.standard_normal((10, 3)), rng.uniform(0, 5, 10)
    weights = 2 * similarities(points)

    def value(some):
        return 0.5 * weights[:, list(some)].max(axis=1).sum() + 0.5 * quality[list(some)].sum()

    best = max(value(some) for some in itertools.combinations(range(10), 3))
    assert value(qdit(points, quality, 3, alpha=0.5).order) >= (1 - np.exp(-1)) * best


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_known_picks_change_nothing(alpha):
    points, quality = pool_of(7)
    for scale in ("published", "shares"):
        whole = qdit(points, quality, 40, alpha=alpha, scale=scale)
        again = qdit(points, quality, 40, alpha=alpha, scale=scale, known=whole.order[:13])
        np.testing.assert_array_equal(again.order, whole.order)
        np.testing.assert_array_equal(again.gains, whole.gains)


def test_candidates_alone_are_picked_and_need_a_quality():
    points, quality = pool_of(8)
    some = np.arange(0, 120, 3)
    quality[1] = np.nan
    found = qdit(points, quality, 20, candidates=some)
    assert np.isin(found.order, some).all()
    weights = similarities(points)
    best = np.zeros(120)
    for pick in found.order:
        key = 0.3 * 2 * np.maximum(0, weights - best[:, None]).sum(axis=0) + 0.7 * quality
        left = np.setdiff1d(some, found.order[: found.order.tolist().index(pick)])
        assert pick == left[key[left].argmax()]
        best = np.maximum(best, weights[:, pick])


def test_a_graph_of_neighbours_gives_what_all_pairs_give_when_it_holds_all():
    points, quality = pool_of(9, 60)
    found = nearest_neighbours(points, 59)
    graph = Neighbours("", found.indices, found.distances, "cosine", Missing.none(60))
    for scale in ("published", "shares"):
        dense = qdit(points, quality, 25, scale=scale)
        sparse = qdit(None, quality, 25, scale=scale, neighbours=graph)
        np.testing.assert_array_equal(sparse.order, dense.order)


def test_wrong_arguments_are_named():
    with pytest.raises(CurationError, match="alpha 1.5"):
        qdit(np.eye(3), np.zeros(3), 1, alpha=1.5)
    with pytest.raises(CurationError, match="quality of row 1"):
        qdit(np.eye(3), np.array([1, np.nan, 2]), 1)
    assert qdit(np.eye(3), np.ones(3), 2, scale="shares").order.tolist() == [0, 1]  # all equally good


# ---------------------------------------------------------------------- the method


def test_method_leaves_out_rows_without_a_score_or_a_vector_and_says_so():
    rng = np.random.default_rng(0)
    values, quality = rng.standard_normal((30, 4)), rng.standard_normal(30)
    values[4], quality[6] = 0, np.nan
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(30)])
    features = Features(pool.fingerprint, values.astype(np.float32), Missing.none(30))
    missing = Missing.where(np.isnan(quality), "not scored")
    for sign in (True, False):
        score = Score(pool.fingerprint, quality, missing, "made", sign)
        found = Qdit(alpha=0.4).select(pool, Ask(np.arange(30), 30), Runtime(), score=score, features=features)
        assert sorted(found.order) == sorted(set(range(30)) - {4, 6})
        assert found.short_by == 2
        assert found.why(4) == "out: its vector has no direction"
        assert found.why(6) == "out: no score"
        assert found.short_reason == "1 eligible rows: its vector has no direction; 1 eligible rows: no score"
        rows = np.setdiff1d(np.arange(30), [4, 6])
        direct = qdit(values[rows], quality[rows] if sign else -quality[rows], 28, alpha=0.4)
        np.testing.assert_array_equal(found.order, rows[direct.order])
        assert found.nested


def test_method_names_what_it_lacks():
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(3)])
    score = Score(pool.fingerprint, np.ones(3), Missing.none(3), "made", None)
    features = Features(pool.fingerprint, np.eye(3, dtype=np.float32), Missing.none(3))
    with pytest.raises(CurationError, match="whether high or low is better"):
        Qdit().select(pool, Ask(np.arange(3), 1), Runtime(), score=score, features=features)
    with pytest.raises(CurationError, match="needs a graph"):
        Qdit(keep="highest", pairs="neighbours").select(
            pool, Ask(np.arange(3), 1), Runtime(), score=score, features=features
        )
    none = Score(pool.fingerprint, np.full(3, np.nan), Missing.where(np.ones(3, bool), "failed"), "made", True)
    with pytest.raises(CurationError, match="no eligible row has a score"):
        Qdit().select(pool, Ask(np.arange(3), 1), Runtime(), score=none, features=features)
