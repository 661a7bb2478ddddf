from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg.distances import all_unit_rows
from curation.selectors.semdedup import Removal, SemDeDup, similar_in_clusters


def pool_of(n):
    return from_pairs([(f"q{i}", "a") for i in range(n)])


def features_of(pool, points):
    return Features(pool.fingerprint, np.asarray(points, np.float32), Missing.none(len(points)))


def score_of(pool, values, better=True):
    values = np.asarray(values, float)
    return Score(pool.fingerprint, values, Missing.where(np.isnan(values), "made so"), "wish", better)


def labels_of(pool, codes):
    codes = np.asarray(codes, np.int32)
    return Labels(pool.fingerprint, codes, tuple(f"c{i}" for i in range(codes.max() + 1)), Missing.none(len(codes)))


def select(points, eligible=None, clusters=None, preference=None, **parameters):
    pool = pool_of(len(points))
    eligible = np.arange(len(points)) if eligible is None else np.asarray(eligible)
    return SemDeDup(**parameters).select(
        pool,
        Ask(eligible),
        Runtime(),
        features=features_of(pool, points),
        clusters=None if clusters is None else labels_of(pool, clusters),
        preference=None if preference is None else score_of(pool, preference),
    )


def cosines(points):
    wide = points.astype(np.float64)
    return 1 - ((wide[:, None] - wide[None]) ** 2).sum(axis=2) / 2


def removal_naive(points, codes, above, rule, score):
    """Row by row, the best first: which kept row stands for each, and whether only through rows that are out."""
    cosine = cosines(points)
    order = sorted(range(len(points)), key=lambda i: (-score[i], i))
    by, chained = np.full(len(points), -1), np.zeros(len(points), bool)
    before: list[int] = []
    for j in order:
        near = [i for i in before if codes[i] == codes[j] >= 0 and cosine[i, j] > above]
        kept = [i for i in near if by[i] < 0]
        first = next((i for i in before if codes[i] == codes[j] >= 0 and (points[i] == points[j]).all()), None)
        if kept and (first is None or by[first] < 0):
            by[j] = min(kept, key=lambda i: (-cosine[i, j], before.index(i)))
        elif first is not None and near:  # what stands for the first copy stands for all
            by[j], chained[j] = by[first], chained[first]
        elif near and rule == "published":
            nearest = min(near, key=lambda i: (-cosine[i, j], before.index(i)))
            by[j], chained[j] = by[nearest], True
        before.append(j)
    return by, chained


def planted(seed, n=70, d=5):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(6, d))[rng.integers(0, 6, n)] + 0.35 * rng.normal(size=(n, d))
    points[rng.integers(0, n, 10)] = points[rng.integers(0, n, 10)]
    return all_unit_rows(points), rng.integers(-1, 3, n), rng.integers(0, 5, n).astype(float)


def chain():
    """Three rows of which only neighbours are similar: cosines 0.94, 0.94 and 0.77."""
    angles = np.deg2rad([0, 20, 40])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


# ---------------------------------------------------------------------- the function


@pytest.mark.parametrize("rule", ["published", "greedy"])
@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.1, 0.4, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_naive_loop_at_every_epsilon_from_one_pass(rule, epsilon, seed):
    points, codes, score = planted(seed)
    ordered = similar_in_clusters(points, 0.0, codes, keep="score", score=score)
    found = ordered.removal(1 - epsilon, rule)
    by, chained = removal_naive(points, codes, 1 - epsilon, rule, score)
    np.testing.assert_array_equal(found.by, by)
    np.testing.assert_array_equal(found.chained, chained)
    alone = similar_in_clusters(points, 1 - epsilon, codes, keep="score", score=score).removal(1 - epsilon, rule)
    np.testing.assert_array_equal(alone.by, by)


def test_of_a_chain_published_keeps_the_first_and_greedy_both_ends():
    ordered = similar_in_clusters(chain(), 0.9, keep="score", score=np.array([3.0, 2, 1]))
    published, greedy = ordered.removal(0.9, "published"), ordered.removal(0.9, "greedy")
    assert published.by.tolist() == [-1, 0, 0]
    assert published.chained.tolist() == [False, False, True]
    assert greedy.by.tolist() == [-1, 0, -1]
    assert not greedy.chained.any()


def kept(removal: Removal) -> set[int]:
    return set(np.flatnonzero(removal.by < 0).tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_a_larger_epsilon_never_keeps_more_by_the_published_rule(seed, epsilons):
    points, codes, score = planted(seed, 40, 4)
    ordered = similar_in_clusters(points, 0.0, codes, keep="score", score=score)
    sets = [kept(ordered.removal(1 - eps, "published")) for eps in sorted(epsilons)]
    assert all(b <= a for a, b in zip(sets, sets[1:], strict=False))


@pytest.mark.parametrize("keep", ["hard", "easy", "random"])
@pytest.mark.parametrize("epsilon", [1e-12, 0.02, 0.2])
def test_what_stays_and_what_goes(keep, epsilon):
    """Greedy: no two kept rows are too similar, and each row that goes is too similar to a kept one."""
    points, codes, _ = planted(3)
    points[np.flatnonzero(codes == 0)[[4, 7]]] = points[np.flatnonzero(codes == 0)[2]]
    ordered = similar_in_clusters(points, 1 - epsilon, codes, keep=keep, seed=4)
    greedy, published = ordered.removal(1 - epsilon, "greedy"), ordered.removal(1 - epsilon, "published")
    assert kept(published) <= kept(greedy)
    cosine = np.where(codes[:, None] == codes[None], cosines(points), -1.0)
    stays = np.flatnonzero((greedy.by < 0) & (codes >= 0))
    among = cosine[np.ix_(stays, stays)] - 2 * np.eye(len(stays))
    assert among.max() <= 1 - epsilon + 1e-15
    gone = np.flatnonzero(greedy.by >= 0)
    assert len(gone)
    assert (cosine[gone, greedy.by[gone]] > 1 - epsilon - 1e-15).all()
    assert (codes[gone] == codes[greedy.by[gone]]).all()
    assert set(greedy.by[gone]) <= kept(greedy)
    assert set(published.by[published.by >= 0]) <= kept(published)


def test_identical_rows_are_one_at_any_epsilon_above_zero_and_all_at_zero():
    points = all_unit_rows(np.random.default_rng(0).normal(size=(4, 7)))[[0, 1, 0, 2, 1, 0, 3, 3]]
    for rule in ("published", "greedy"):
        ordered = similar_in_clusters(points, 0.99)
        assert kept(ordered.removal(1 - 1e-12, rule)) == {0, 1, 3, 6}
        assert kept(ordered.removal(1.0, rule)) == set(range(8))


def test_rows_of_two_clusters_are_never_compared():
    points = all_unit_rows(np.ones((6, 3)))
    for rule in ("published", "greedy"):
        found = similar_in_clusters(points, 0.5, np.array([0, 1, 0, -1, -1, 2])).removal(0.5, rule)
        assert found.by.tolist() == [-1, -1, 0, -1, -1, -1]


@pytest.mark.parametrize("rule", ["published", "greedy"])
def test_a_threshold_below_the_pairs_is_refused(rule):
    with pytest.raises(ValueError, match=r"below 0\.9 are not here"):
        similar_in_clusters(chain(), 0.9).removal(0.5, rule)


@pytest.mark.parametrize("rule", ["published", "greedy"])
@pytest.mark.parametrize("seed", range(3))
def test_down_to_removes_the_most_similar_and_no_more_than_needed(rule, seed):
    points, _, score = planted(seed)
    ordered = similar_in_clusters(points, -1.0, keep="score", score=score)
    for count in range(2, 71, 4):
        found = ordered.down_to(count, rule)
        assert len(kept(found)) <= count
        values = np.unique(np.append(ordered.pairs.similarity, 1.0))
        if rule == "published" and len(kept(found)) < 70:
            less = ordered.removal(values[values > found.above][0], rule)
            assert len(kept(less)) > count, "a higher threshold would have done"
        again = ordered.removal(found.above, rule)
        np.testing.assert_array_equal(again.by, found.by)
    assert len(kept(ordered.down_to(70, rule))) == 70


def test_down_to_by_the_published_rule_are_the_rows_with_the_lowest_m():
    points, _, score = planted(1)
    ordered = similar_in_clusters(points, -1.0, keep="score", score=score)
    m = np.empty(70)
    m[ordered.order] = ordered.pairs.earlier().similarity
    for count in (5, 20, 50):
        rows = kept(ordered.down_to(count, "published"))
        if len(rows) == count:  # no equal ones at the edge
            assert rows == set(np.argsort(m, kind="stable")[:count].tolist())
    assert len(kept(ordered.down_to(20, "published"))) == 20


@pytest.mark.parametrize("rule", ["published", "greedy"])
def test_down_to_what_epsilon_does_not_reach_is_an_error(rule):
    points = np.concatenate([np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)[:1]])
    ordered = similar_in_clusters(points, 0.9)
    assert len(kept(ordered.down_to(4, rule))) == 4
    with pytest.raises(CurationError, match="4 rows are left when all that are as similar as 0.9 go, not 3"):
        ordered.down_to(3, rule)
    with pytest.raises(CurationError, match="4 rows are left"):
        similar_in_clusters(np.eye(4, dtype=np.float32), 0.9).down_to(2, rule)


def test_too_many_pairs_over_all_clusters_are_an_error():
    points = all_unit_rows(np.ones((30, 3)) + 1e-4 * np.random.default_rng(0).normal(size=(30, 3)))
    codes = np.arange(30) % 2
    assert len(similar_in_clusters(points, 0.5, codes, most=210).pairs) == 210
    with pytest.raises(CurationError, match="pairs of different rows"):
        similar_in_clusters(points, 0.5, codes, most=209)


def test_progress_reaches_the_end():
    points, codes, _ = planted(0)
    seen = []
    similar_in_clusters(points, 0.5, np.maximum(codes, 0), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (70, 70)
    assert seen == sorted(seen)


# ---------------------------------------------------------------------- the method


def test_every_row_that_goes_names_the_kept_row_that_stands_for_it():
    points, codes, score = planted(2)
    cosine = cosines(points)
    for rule in ("published", "greedy"):
        found = select(points, clusters=codes, preference=score, keep="score", rule=rule, epsilon=0.1)
        by, chained = removal_naive(points, codes, 0.9, rule, score)
        out = np.flatnonzero(by >= 0)
        assert found.order.tolist() == np.flatnonzero(by < 0).tolist()
        np.testing.assert_array_equal(found.covered_by, by)
        np.testing.assert_allclose(found.distance[out], 1 - cosine[out, by[out]], atol=1e-12)
        np.testing.assert_array_equal(found.stage[out], np.where(chained[out], 2, 1))
        direct = out[~chained[out]]
        np.testing.assert_allclose(found.margin[direct], cosine[direct, by[direct]] - 0.9, atol=1e-12)
        assert np.isnan(found.margin[chained]).all()
        assert (found.gains == [(by == row).sum() for row in found.order]).all()
        assert found.info["removed"] == len(out)
        assert found.info["removed_by_chains"] == chained.sum()
    assert chained.sum() == 0


def test_it_says_so_when_only_a_row_that_is_out_is_similar():
    found = select(chain(), preference=[3, 2, 1], keep="score", epsilon=0.1)
    assert found.order.tolist() == [0]
    assert found.why(1) == (
        "out: a kept row is more similar than 0.9 (by 0.03969); row 0 stands for it (distance 0.060)"
    )
    assert found.why(2) == (
        "out: rows that are out themselves, in a chain, are more similar than 0.9; row 0 stands for it (distance 0.234)"
    )


def test_the_better_end_of_a_preference_stays():
    points = np.ones((4, 3))
    assert select(points, preference=[1, np.nan, 2, 3], keep="score").order.tolist() == [3]
    pool = pool_of(4)
    method = SemDeDup(keep="score")
    found = method.select(
        pool,
        Ask(np.arange(4)),
        Runtime(),
        features=features_of(pool, points),
        preference=score_of(pool, [1, np.nan, 2, 3], better=False),
    )
    assert found.order.tolist() == [0]


def test_a_preference_and_keep_belong_together():
    with pytest.raises(CurationError, match="there is no preference"):
        select(np.eye(3), keep="score")
    with pytest.raises(CurationError, match="but keep is 'easy'"):
        select(np.eye(3), keep="easy", preference=[1, 2, 3])


def test_rows_that_are_not_eligible_stand_for_none_and_change_no_centroid():
    points, _, _ = planted(5)
    rows = np.arange(0, 70, 2)
    part, whole = select(points[rows]), select(points, eligible=rows)
    np.testing.assert_array_equal(whole.order, rows[part.order])
    assert np.isin(whole.covered_by[whole.covered_by >= 0], rows).all()
    assert whole.why(1) == "out: not eligible"


def test_rows_without_direction_are_out_and_rows_in_no_cluster_stay():
    points = np.array([[1, 1], [0, 0], [1, 1], [1, 1], [1, 1]])
    found = select(points, clusters=[0, 0, 0, -1, -1])
    assert found.order.tolist() == [0, 3, 4]
    assert found.why(1) == "out: its vector has no direction"
    with pytest.raises(CurationError, match="no eligible row has a usable vector"):
        select(np.zeros((2, 3)))


def test_down_to_counts_rows_in_no_cluster_and_takes_percentages():
    points, _, _ = planted(0)
    codes = np.where(np.arange(70) < 10, -1, 0)
    found = select(points, clusters=codes, down_to=40, epsilon=1.0)
    assert 35 <= len(found) <= 40
    assert set(range(10)) <= set(found.order.tolist())
    assert 0 < found.info["epsilon"] < 1
    same = select(points, clusters=codes, epsilon=found.info["epsilon"])
    assert abs(len(same) - len(found)) <= 1  # 1 − (1 − ε) may round
    assert len(select(points, down_to="50%", epsilon=1.0)) <= 35
    assert len(select(points, down_to=1000)) == 70
    with pytest.raises(ValidationError, match="not of tokens"):
        SemDeDup(down_to="200 tokens")


def test_the_same_rows_go_as_by_score_and_threshold():
    from curation.scorers.semdedup import semdedup

    points, codes, _ = planted(4)
    for keep in ("hard", "easy", "random"):
        similarity = semdedup(points, codes, keep=keep, seed=7).similarity
        found = select(points, clusters=codes, keep=keep, seed=7, epsilon=0.1)
        assert found.order.tolist() == np.flatnonzero(similarity <= 0.9).tolist()
