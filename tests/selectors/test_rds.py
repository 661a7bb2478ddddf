from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg.distances import unit_rows
from curation.selectors import rds
from curation.selectors.rds import Rds, round_robin


def round_robin_naive(points, queries, budget, groups=None, strict=False):
    """Sort all rows for every group, then loop over the groups until there are enough."""
    wide, asked = points.astype(np.float64), queries.astype(np.float64)
    squared = ((wide[None] - asked[:, None]) ** 2).sum(axis=2)  # [v, n]
    groups = [[v] for v in range(len(queries))] if groups is None else groups
    apart = np.array([squared[members].min(axis=0) for members in groups])
    nearest = [np.asarray(members)[squared[members].argmin(axis=0)] for members in groups]
    lists = [list(np.lexsort((np.arange(len(wide)), row))) for row in apart]
    order, gains, served = [], [], []
    while len(order) < min(budget, len(wide)):
        for group, rows in enumerate(lists):
            if len(order) == min(budget, len(wide)):
                break
            row = rows.pop(0)
            while not strict and row in order:
                row = rows.pop(0)
            if row not in order:
                order.append(row)
                gains.append(apart[group, row])
                served.append(nearest[group][row])
    return order, gains, served


def unit(values):
    return unit_rows(np.asarray(values, np.float32)).values


def data_of(kind, seed, n=120, v=7):
    rng = np.random.default_rng(seed)
    points, queries = rng.standard_normal((n, 5)), rng.standard_normal((v, 5))
    if kind == "grid":
        points, queries = rng.integers(1, 4, (n, 3)), rng.integers(1, 4, (v, 3))
    if kind == "copies":
        points[15:] = points[rng.integers(0, 15, n - 15)]
    if kind == "same queries":
        queries[:] = queries[0]
    if kind == "near queries":
        queries = queries[:1] + 0.01 * rng.standard_normal((v, 5))
    return unit(points), unit(queries)


KINDS = ["normal", "grid", "copies", "same queries", "near queries"]
TASKS = [np.array([0, 3]), np.array([1, 2, 5, 6]), np.array([4])]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("groups", [None, TASKS, [np.arange(7)]], ids=["queries", "tasks", "one"])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_loop_over_sorted_lists_however_long_the_lists_are(kind, groups, strict, monkeypatch):
    for seed in range(3):
        points, queries = data_of(kind, seed)
        for budget in (1, 30, 200):
            order, squared, served = round_robin_naive(points, queries, budget, groups, strict)
            for room, values in ((32, 1 << 25), (0, 1), (2, 40)):
                monkeypatch.setattr(rds, "ROOM", room)
                monkeypatch.setattr(rds, "LIST_VALUES", values)
                found = round_robin(points, queries, budget, groups=groups, strict_turns=strict)
                assert found.order.tolist() == order
                np.testing.assert_allclose(found.squared, squared, rtol=1e-12)
                assert found.served.tolist() == served


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_smaller_budgets_are_prefixes_and_known_picks_change_nothing(kind, strict):
    points, queries = data_of(kind, 5)
    whole = round_robin(points, queries, 90, strict_turns=strict)
    for budget in (1, 8, 89):
        assert round_robin(points, queries, budget, strict_turns=strict).order.tolist() == whole.order[:budget].tolist()
    for known in (1, 20, 90):
        again = round_robin(points, queries, 90, known=whole.order[:known], strict_turns=strict)
        for ours, theirs in zip(again, whole, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    cut = round_robin(points, queries, 5, known=whole.order[:40], strict_turns=strict)
    np.testing.assert_array_equal(cut.order, whole.order[:5])


def test_a_spent_turn_in_a_hand_case():
    # both queries like row 0 best; the first likes 1 next, the second 2
    points = unit([[1, 1], [3, 1], [1, 3], [4, 1], [1, 4]])
    queries = unit([[1.01, 1], [1, 1.01]])
    assert round_robin(points, queries, 4).order.tolist() == [0, 2, 1, 4]
    # the second query's first turn is spent on row 0
    assert round_robin(points, queries, 4, strict_turns=True).order.tolist() == [0, 1, 2, 3]


def test_errors_of_the_pure_function(monkeypatch):
    points, queries = data_of("normal", 0)
    with pytest.raises(CurationError, match="budget 0"):
        round_robin(points, queries, 0)
    monkeypatch.setattr(rds, "MOST_LISTED", 10)
    with pytest.raises(CurationError, match="lists of .* for each of 7 queries"):
        round_robin(points, queries, 30, strict_turns=True)


# ---------------------------------------------------------------------- the method


def pool_of(n):
    return from_pairs([(f"question {i}", f"answer {i}") for i in range(n)])


def features_of(values, dataset, **info):
    values = np.asarray(values, np.float32)
    return Features(dataset, values, Missing.where(~np.isfinite(values).all(axis=1), "not encoded"), info=info)


def pick(method, values, queries=None, *, targets=None, tasks=None, count=5, eligible=None, known=None):
    pool = pool_of(len(values))
    features = features_of(values, pool.fingerprint)
    rows = np.arange(len(values)) if eligible is None else np.asarray(eligible)
    rows = rows[~features.missing.mask[rows]]
    asked = None if queries is None else features_of(queries, "queries")
    chosen = None if targets is None else Selection(pool.fingerprint, len(values), np.asarray(targets))
    labels = None if tasks is None else Labels.from_values("queries", tasks)
    return method.select(
        pool, Ask(rows, count, known), Runtime(), features=features, queries=asked, targets=chosen, query_tasks=labels
    )


def cosine(values, others):
    values, others = (np.asarray(v, float) / np.linalg.norm(v, axis=1, keepdims=True) for v in (values, others))
    return values @ others.T


def test_one_query_takes_the_rows_of_highest_cosine():
    rng = np.random.default_rng(0)
    values, query = rng.standard_normal((80, 6)) * rng.uniform(0.1, 9, (80, 1)), rng.standard_normal((1, 6))
    similar = cosine(values, query)[:, 0]
    for aggregate in ("round-robin", "mean", "max"):
        found = pick(Rds(aggregate=aggregate), values, query, count=12)
        np.testing.assert_array_equal(found.order, np.argsort(-similar)[:12])
        np.testing.assert_allclose(found.gains, np.sort(-similar)[:12] * -1, atol=1e-6)


def test_every_query_is_served_alike_when_their_rows_are_apart():
    rng = np.random.default_rng(1)
    queries = np.eye(4)
    blob = np.repeat(np.arange(4), 30)
    values = queries[blob] + 0.1 * rng.standard_normal((120, 4))
    for strict in (False, True):
        found = pick(Rds(strict_turns=strict), values, queries, count=27)
        served = np.bincount(found.info["served"], minlength=4)
        assert served.max() - served.min() <= 1
        np.testing.assert_array_equal(blob[found.order], found.info["served"])


def test_a_copy_of_a_target_comes_first():
    values = np.random.default_rng(2).standard_normal((40, 5))
    values[31] = values[9] * 3
    found = pick(Rds(), values, targets=[9], count=3)
    assert found.order[0] == 31
    assert found.gains[0] == pytest.approx(1)
    assert found.info["served"] == [9, 9, 9]


def test_targets_are_not_picked_unless_asked_for():
    values = np.random.default_rng(3).standard_normal((20, 4))
    found = pick(Rds(), values, targets=[4, 2, 11], count=20)
    assert sorted(found.order) == [r for r in range(20) if r not in (2, 4, 11)]
    assert found.short_by == 3
    assert found.short_reason == "3 eligible rows are targets themselves"
    assert found.why(4) == "out: it is a target itself"
    assert found.info["served"][:4] == [2, 4, 11, 2]  # in row order
    themselves = pick(Rds(pick_targets=True), values, targets=[4, 2, 11], count=20)
    assert themselves.order[:3].tolist() == [2, 4, 11]
    assert len(themselves) == 20


def test_tasks_take_turns_and_a_row_is_as_near_as_to_their_nearest_query():
    rng = np.random.default_rng(4)
    values, queries = rng.standard_normal((90, 5)), rng.standard_normal((7, 5))
    names = ["b", "a", "a", "b", None, "a", "a"]
    found = pick(Rds(), values, queries, tasks=names, count=20)
    groups = [[1, 2, 5, 6], [0, 3]]  # a before b; query 4 has no task
    order, _, served = round_robin_naive(unit(values), unit(queries), 20, groups)
    assert found.order.tolist() == order
    assert found.info["served"] == served
    assert found.info["tasks"] == ["a", "b"]
    np.testing.assert_allclose(found.gains, cosine(values, queries)[order, served], atol=1e-6)


def test_mean_and_max_rank_by_that_cosine():
    rng = np.random.default_rng(5)
    values, queries = rng.standard_normal((70, 5)), rng.standard_normal((6, 5))
    similar = cosine(values, queries)
    for aggregate, ranked in (("mean", similar.mean(axis=1)), ("max", similar.max(axis=1))):
        found = pick(Rds(aggregate=aggregate), values, queries, count=30)
        np.testing.assert_array_equal(found.order, np.argsort(-ranked)[:30])
        np.testing.assert_allclose(found.gains, ranked[found.order], atol=1e-6)
    tasks = ["x", "y", "x", "y", "y", "x"]
    found = pick(Rds(aggregate="mean"), values, queries, tasks=tasks, count=2)
    assert found.order[0] == similar[:, [0, 2, 5]].mean(axis=1).argmax()
    np.testing.assert_allclose(found.gains[1], similar[:, [1, 3, 4]].mean(axis=1)[found.order[1]], atol=1e-6)


@pytest.mark.parametrize("aggregate", ["round-robin", "mean", "max"])
def test_an_order_is_extended_among_eligible_rows(aggregate):
    rng = np.random.default_rng(6)
    values, queries = rng.standard_normal((60, 4)), rng.standard_normal((4, 4))
    values[[7, 30]] = 0
    eligible = np.arange(5, 55)
    whole = pick(Rds(aggregate=aggregate), values, queries, eligible=eligible, count=40)
    assert np.isin(whole.order, eligible).all()
    again = pick(Rds(aggregate=aggregate), values, queries, eligible=eligible, count=40, known=whole.order[:17])
    np.testing.assert_array_equal(again.order, whole.order)
    np.testing.assert_allclose(again.gains, whole.gains)
    everyone = pick(Rds(aggregate=aggregate), values, queries, eligible=eligible, count=50)
    assert everyone.short_by == 2
    assert everyone.short_reason == "2 eligible rows have no direction"
    assert everyone.why(7) == "out: its vector has no direction"


def test_queries_without_a_vector_are_counted():
    values, queries = np.eye(3), np.array([[0.0, 0, 0], [np.nan, 1, 1], [0, 1, 0]])
    found = pick(Rds(), values, queries, count=1)
    assert found.order.tolist() == [1]
    assert found.info["served"] == [2]
    assert found.info["queries_without_vector"] == 2


def test_what_does_not_fit_together_is_named():
    values, queries = np.eye(4), np.eye(4)
    with pytest.raises(CurationError, match="neither targets nor queries"):
        pick(Rds(), values)
    with pytest.raises(CurationError, match="both given"):
        pick(Rds(), values, queries, targets=[1])
    with pytest.raises(CurationError, match="queries have 2 numbers each, features 4"):
        pick(Rds(), values, np.ones((3, 2)))
    with pytest.raises(CurationError, match="none of the 2 queries"):
        pick(Rds(), values, np.zeros((2, 4)))
    with pytest.raises(CurationError, match="targets hold no row"):
        pick(Rds(), values, targets=np.empty(0, np.int64))
    with pytest.raises(CurationError, match="can be picked"):
        pick(Rds(), values, targets=[0, 1, 2, 3])
    with pytest.raises(CurationError, match="no query has a task"):
        pick(Rds(), values, queries, tasks=[None] * 4)
    with pytest.raises(CurationError, match="labels of 2 rows, the query file has 4"):
        pick(Rds(), values, queries, tasks=["a", "b"])
    with pytest.raises(CurationError, match="labels of other rows than those of the pool"):
        pick(Rds(), values, targets=[0, 1], tasks=["a", "b", "a", "b"])


@pytest.mark.parametrize(
    ("made", "asked", "message"),
    [("packaged", "other", "embedded by other, features by packaged"), ("tfidf", "tfidf", "do not compare")],
)
def test_vectors_of_two_encoders_do_not_compare(made, asked, message):
    pool = pool_of(3)
    with pytest.raises(CurationError, match=message):
        Rds().select(
            pool,
            Ask(np.arange(3), 1),
            Runtime(),
            features=features_of(np.eye(3), pool.fingerprint, encoder=made),
            queries=features_of(np.eye(3), "queries", encoder=asked),
        )
