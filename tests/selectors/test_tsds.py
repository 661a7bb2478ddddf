from __future__ import annotations

import heapq

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.selectors.tsds import (
    Tsds,
    draw_with_replacement,
    draw_without_replacement,
    spread_mass,
    target_distribution,
)


def level_naive(distances, density, alpha, scale):
    """The level by a heap of candidates that become full, one at a time, each query's rate computed anew."""
    queries, count = distances.shape
    heap = [(1 / density[j, 0], 0, j) for j in range(queries)]
    heapq.heapify(heap)
    rate, level = np.zeros(queries), 0.0
    while heap:
        level, k, j = heapq.heappop(heap)
        rate[j] = sum((distances[j, k + 1] - distances[j, i]) / density[j, i] for i in range(k + 1))
        if alpha / scale * rate.sum() >= (1 - alpha) * queries:
            break
        if k < count - 2:
            heapq.heappush(heap, (level + 1 / density[j, k + 1], k + 1, j))
    return level


def mass_naive(distances, density, level):
    """Each query fills its nearest candidates up to the bound, one after the other."""
    queries, count = distances.shape
    mass = np.zeros((queries, count))
    for j in range(queries):
        left = 1 / queries
        for k in range(count):
            bound = 1 / (queries * level * density[j, k])
            mass[j, k] = left if k == count - 1 else min(left, bound)
            left -= mass[j, k]
    return mass


def objective(distances, density, alpha, scale, level):
    """What is minimised, at the cheapest plan of a level."""
    queries, count = distances.shape
    mass = np.zeros((queries, count))
    for j in range(queries):
        left = 1 / queries
        for k in range(count):
            mass[j, k] = min(left, 1 / (queries * level * density[j, k]))
            left -= mass[j, k]
        if left > 1e-12:
            return np.inf  # the candidates cannot hold the mass at this level
    return alpha / scale * (mass * distances).sum() + (1 - alpha) * queries * (mass * density).max()


def case(seed, queries=6, count=15):
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0, 3, (queries, count)), axis=1), rng.uniform(1, 4, (queries, count))


@pytest.mark.parametrize("alpha", [0.0, 0.2, 0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_level_and_the_mass_equal_the_naive_search(alpha, seed):
    distances, density = case(seed)
    for scale in (0.3, 1.0, 5.0):
        found = spread_mass(distances, density, alpha, scale)
        assert found.level == pytest.approx(level_naive(distances, density, alpha, scale))
        np.testing.assert_allclose(found.mass, mass_naive(distances, density, found.level), atol=1e-12)
        np.testing.assert_allclose(found.mass.sum(axis=1), 1 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_the_level_is_the_optimum_of_what_is_minimised(seed):
    distances, density = case(seed)
    scale, alpha = 1.0, 0.7
    found = spread_mass(distances, density, alpha, scale)
    here = objective(distances, density, alpha, scale, found.level)
    assert np.isfinite(here)
    for level in np.linspace(0.2, 6, 400):
        assert here <= objective(distances, density, alpha, scale, level) + 1e-12


def test_equal_distances_and_one_candidate():
    distances, density = np.ones((2, 5)), np.ones((2, 5))
    found = spread_mass(distances, density, 0.5, 5.0)
    assert found.level == 4  # spreading costs nothing, so it goes as far as the candidates say
    np.testing.assert_allclose(found.mass, [[1 / 8] * 4 + [0]] * 2)
    single = spread_mass(np.ones((3, 1)), np.ones((3, 1)), 0.5, 5.0)
    np.testing.assert_allclose(single.mass, 1 / 3)


def test_queries_that_run_out_of_candidates_are_counted():
    distances = np.array([[1.0, 1, 1, 1, 1], [1.0, 1, 1, 1, 1]])
    density = np.array([[5.0, 5, 5, 5, 5], [1.0, 1, 1, 1, 1]])
    found = spread_mass(distances, density, 0.5, 5.0)
    assert found.exhausted == 1
    np.testing.assert_allclose(found.mass.sum(axis=1), 0.5)


# ---------------------------------------------------------------------- the distribution


def data(seed=0, n=300, v=8):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 4)).astype(np.float32), rng.standard_normal((v, 4)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_probabilities_have_the_sum_1_and_lie_on_candidates(seed):
    points, queries = data(seed)
    found = target_distribution(points, queries, scale=1.0)
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert (found.probabilities >= 0).all()
    assert found.candidates == 30  # a tenth of the rows
    apart = np.linalg.norm(points[:, None] - queries[None], axis=2)
    candidates = np.unique(np.argsort(apart, axis=0, kind="stable")[:30])
    assert np.isin(np.flatnonzero(found.probabilities), candidates).all()


def test_near_alpha_1_only_the_nearest_rows_are_left():
    points, queries = data(1)
    nearest = np.linalg.norm(points[:, None] - queries[None], axis=2).argmin(axis=0)
    wanted = np.bincount(nearest, minlength=len(points)) / len(queries)
    for alpha in (1.0, 0.9999):
        found = target_distribution(points, queries, alpha=alpha, sigma=0.0, scale=0.1)
        np.testing.assert_allclose(found.probabilities, wanted, atol=1e-12)
    reach = [
        (target_distribution(points, queries, alpha=a, scale=0.5).probabilities > 0).sum() for a in (0.0, 0.5, 0.9, 1.0)
    ]
    assert reach == sorted(reach, reverse=True)
    assert reach[0] > reach[-1]


@pytest.mark.parametrize("copies", [2, 5, 10])
def test_copies_of_a_candidate_share_its_mass(copies):
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.standard_normal((200, 6)) * 2, np.zeros((1, 6))]).astype(np.float32)
    queries = np.full((1, 6), 0.2, np.float32)
    settings = {"scale": 5.0, "prefetch": 100, "most_share": 0.5}
    alone = target_distribution(points, queries, **settings).probabilities[200]
    many = np.concatenate([points, np.zeros((copies - 1, 6), np.float32)])
    shared = target_distribution(many, queries, **settings).probabilities[200:]
    np.testing.assert_allclose(shared, shared[0])
    assert shared.sum() == pytest.approx(alone, rel=0.02)
    # without the density every copy gets as much as a row of its own
    apart = target_distribution(many, queries, sigma=0.0, **settings).probabilities[200:]
    assert apart.sum() > 0.8 * copies * target_distribution(points, queries, sigma=0.0, **settings).probabilities[200]


def test_shuffling_the_rows_shuffles_the_distribution():
    points, queries = data(4)
    shuffle = np.random.default_rng(0).permutation(len(points))
    found, moved = (target_distribution(p, queries, scale=1.0).probabilities for p in (points, points[shuffle]))
    np.testing.assert_allclose(moved, found[shuffle], atol=1e-12)


# ---------------------------------------------------------------------- draws


def test_draws_without_replacement_follow_the_probabilities():
    probabilities = np.array([0.5, 0.3, 0.2, 0.0])
    rng = np.random.default_rng(0)
    orders = np.array([draw_without_replacement(probabilities, rng.exponential(size=4)) for _ in range(20_000)])
    assert orders.shape[1] == 3
    first = np.bincount(orders[:, 0], minlength=4) / 20_000
    np.testing.assert_allclose(first, probabilities, atol=0.015)
    second = np.bincount(orders[orders[:, 0] == 0, 1], minlength=4)
    np.testing.assert_allclose(second / second.sum(), [0, 0.6, 0.4, 0], atol=0.02)


def test_draws_with_replacement_collapse_in_the_order_of_their_first_draw():
    probabilities = np.array([0.25, 0.0, 0.5, 0.25])
    rows, times = draw_with_replacement(probabilities, np.array([0.3, 0.9, 0.31, 0.1, 0.999999]))
    assert rows.tolist() == [2, 3, 0]
    assert times.tolist() == [2, 2, 1]
    rows, times = draw_with_replacement(probabilities, np.random.default_rng(0).random(40_000))
    np.testing.assert_allclose(times[np.argsort(rows)] / 40_000, [0.25, 0.5, 0.25], atol=0.01)


# ---------------------------------------------------------------------- the method


def pick(method, values, queries=None, *, targets=None, count=10, eligible=None, known=None):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    features = Features(pool.fingerprint, np.asarray(values, np.float32), Missing.none(len(values)))
    asked = (
        None if queries is None else Features("queries", np.asarray(queries, np.float32), Missing.none(len(queries)))
    )
    chosen = None if targets is None else Selection(pool.fingerprint, len(values), np.asarray(targets))
    rows = np.arange(len(values)) if eligible is None else eligible
    return method.select(pool, Ask(rows, count, known), Runtime(), features=features, queries=asked, targets=chosen)


def test_picks_are_drawn_from_the_distribution_and_a_larger_budget_goes_on():
    points, queries = data(5)
    probabilities = target_distribution(points, queries, scale=1.0).probabilities
    found = pick(Tsds(scale=1.0), points, queries, count=12)
    np.testing.assert_allclose(found.gains, probabilities[found.order])
    assert (found.gains > 0).all()
    more = pick(Tsds(scale=1.0), points, queries, count=20)
    np.testing.assert_array_equal(more.order[:12], found.order)
    assert more.nested
    other = pick(Tsds(scale=1.0, seed=1), points, queries, count=12)
    assert other.order.tolist() != found.order.tolist()
    far = int(np.flatnonzero(probabilities == 0)[0])
    assert found.why(far) == "out: no query gives it probability"


def test_fewer_rows_than_asked_for_are_said():
    points, queries = data(6)
    found = pick(Tsds(alpha=1.0), points, queries, count=100)
    assert 0 < len(found) <= 8
    assert found.short_by == 100 - len(found)
    assert found.short_reason == f"only {len(found)} rows have a probability: lower alpha, or raise scale or prefetch"


def test_published_draws_collapse_and_say_so():
    points, queries = data(7)
    found = pick(Tsds(replacement="published", scale=1.0), points, queries, count=60)
    assert not found.nested
    assert found.weights.sum() == 60
    assert found.short_by == 60 - len(found) > 0
    assert found.short_reason == f"{found.short_by} of 60 draws came upon a row that was drawn before"
    assert len(np.unique(found.order)) == len(found)


def test_targets_are_not_drawn_unless_asked_for():
    points, _ = data(8)
    found = pick(Tsds(alpha=0.9), points, targets=[3, 50], count=5)
    assert not np.isin([3, 50], found.order).any()
    assert found.why(3) == "out: it is a target itself"
    themselves = pick(Tsds(alpha=1.0, pick_targets=True), points, targets=[3, 50], count=2)
    assert sorted(themselves.order) == [3, 50]
    with pytest.raises(CurationError, match="all are targets"):
        pick(Tsds(), points, targets=np.arange(300), count=5)


def test_small_pools_and_missing_queries():
    for n in (1, 2, 5):
        found = pick(Tsds(), np.eye(5)[:n], np.eye(5)[:2], count=1)
        assert len(found) == 1
    with pytest.raises(CurationError, match="neither targets nor queries"):
        pick(Tsds(), np.eye(3))
