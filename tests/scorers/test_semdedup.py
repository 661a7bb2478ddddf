from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.linalg.distances import all_unit_rows
from curation.scorers.semdedup import SemDeDup, semdedup


def pool_of(n):
    return from_pairs([(f"q{i}", "a") for i in range(n)])


def features_of(pool, points, missing=None):
    return Features(pool.fingerprint, np.asarray(points, np.float32), missing or Missing.none(len(points)))


def labels_of(pool, codes, missing=None):
    codes = np.asarray(codes, np.int32)
    names = tuple(f"c{i}" for i in range(codes.max() + 1))
    return Labels(pool.fingerprint, codes, names, missing or Missing.none(len(codes)))


def score_of(pool, values, better=True):
    values = np.asarray(values, float)
    return Score(pool.fingerprint, values, Missing.where(np.isnan(values), "made so"), "wish", better)


def semdedup_naive(points, codes, keep, score=None, seed=0):
    """Cluster by cluster, one row at a time, every cosine to the rows before it."""
    wide = points.astype(float)
    cosine = 1 - np.array([[((a - b) ** 2).sum() for b in wide] for a in wide]) / 2
    shuffled = np.random.default_rng(seed).permutation(len(points))
    similarity, of = np.full(len(points), -1.0), np.full(len(points), -1)
    for code in sorted(set(codes.tolist()) - {-1}):
        members = [i for i in range(len(points)) if codes[i] == code]
        mean = points[members].mean(axis=0, dtype=float)
        mean /= np.linalg.norm(mean)
        distance = {i: ((wide[i] - mean) ** 2).sum() / 2 for i in members}
        key = {
            "hard": lambda i, away=distance: -away[i],
            "easy": lambda i, away=distance: away[i],
            "random": lambda i: shuffled[i],
            "score": lambda i: np.inf if np.isnan(score[i]) else -score[i],
        }[keep]
        order = sorted(members, key=lambda i: (key(i), i))
        for place, j in enumerate(order):
            for i in order[:place]:
                if of[j] < 0 or cosine[i, j] > similarity[j]:
                    similarity[j], of[j] = cosine[i, j], i
    return similarity, of


def planted(seed, n=90, d=6):
    """Rows around a few directions, with exact copies among them."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(5, d))[rng.integers(0, 5, n)] + 0.2 * rng.normal(size=(n, d))
    points[rng.integers(0, n, 12)] = points[rng.integers(0, n, 12)]
    return all_unit_rows(points), rng.integers(-1, 3, n), rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize("keep", ["hard", "easy", "random", "score"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_naive_loop(keep, seed):
    points, codes, score = planted(seed)
    score[3] = np.nan
    found = semdedup(points, codes, keep=keep, score=score, seed=seed)
    similarity, of = semdedup_naive(points, codes, keep, score, seed)
    np.testing.assert_array_equal(found.of, of)
    np.testing.assert_allclose(found.similarity, similarity, atol=1e-15)


def kept(similarity, eps):
    return set(np.flatnonzero(similarity <= 1 - eps).tolist())


def test_of_a_chain_only_the_first_row_stays():
    angles = np.deg2rad([0, 20, 40])  # neighbours: cos 0.94; ends: 0.77
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = semdedup(points, keep="score", score=np.array([3.0, 2, 1]))
    assert found.of.tolist() == [-1, 0, 1]
    assert kept(found.similarity, 0.1) == {0}
    assert kept(found.similarity, 0.05) == {0, 1, 2}


def test_identical_rows_are_one_at_any_epsilon_above_zero():
    points = all_unit_rows(np.random.default_rng(0).normal(size=(4, 7)))[[0, 1, 0, 2, 1, 0, 3, 3]]
    found = semdedup(points)
    for eps in (1e-12, 1e-6, 0.01):
        assert len({points[i].tobytes() for i in kept(found.similarity, eps)}) == len(kept(found.similarity, eps)) == 4
    assert (found.similarity <= 1).all()
    assert kept(found.similarity, 0) == set(range(8)), "with ε = 0 nothing is above 1"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_a_larger_epsilon_never_keeps_more(seed, epsilons):
    points, codes, _ = planted(seed, 40, 4)
    similarity = semdedup(points, codes).similarity
    sets = [kept(similarity, eps) for eps in sorted(epsilons)]
    assert all(b <= a for a, b in zip(sets, sets[1:], strict=False))


def test_rows_of_two_clusters_are_never_compared():
    points = np.ones((6, 3), np.float32) / np.sqrt(np.float32(3))
    found = semdedup(points, np.array([0, 1, 0, -1, -1, 2]))
    assert found.of.tolist() == [-1, -1, 0, -1, -1, -1]
    assert found.similarity.tolist() == [-1, -1, 1, -1, -1, -1]
    assert found.place.tolist() == [0, 0, 1, 0, 0, 0]


def test_one_cluster_sees_what_clusters_hide():
    points, codes, _ = planted(1)
    inside = np.where(codes < 0, -1.0, semdedup(points, codes, keep="random", seed=3).similarity)
    assert (semdedup(points, keep="random", seed=3).similarity >= inside).all()


def test_hard_keeps_the_least_prototypical_of_two_and_easy_the_other():
    rng = np.random.default_rng(0)
    crowd = np.array([1.0, 0, 0]) + 0.01 * rng.normal(size=(20, 3))
    pair = np.array([[1.0, 0.5, 0], [1.0, 0.55, 0]])
    points = all_unit_rows(np.concatenate([crowd, pair]))
    near, far = 20, 21
    assert semdedup(points, keep="hard").of[near] == far
    assert semdedup(points, keep="easy").of[far] == near


def test_progress_reaches_the_end():
    points, codes, _ = planted(0)
    seen = []
    semdedup(points, np.maximum(codes, 0), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (90, 90)
    assert seen == sorted(seen)


# ---------------------------------------------------------------------- the method


def test_the_better_end_of_a_preference_survives_and_a_missing_one_comes_last():
    pool = pool_of(4)
    features = features_of(pool, np.ones((4, 3)))
    values = [1.0, np.nan, 2.0, 3.0]
    method = SemDeDup(keep="score")
    best = method.score(pool, Runtime(), features=features, preference=score_of(pool, values))
    assert best.columns["of"].tolist() == [3, 3, 3, -1]
    assert best.columns["place"].tolist() == [2, 3, 1, 0]
    lowest = method.score(pool, Runtime(), features=features, preference=score_of(pool, values, better=False))
    assert lowest.columns["of"].tolist() == [-1, 0, 0, 0]
    assert best.higher_is_better is False
    assert best.name == "similarity to an earlier copy"


def test_a_preference_and_keep_belong_together():
    pool = pool_of(3)
    features = features_of(pool, np.eye(3))
    with pytest.raises(CurationError, match="there is no preference"):
        SemDeDup(keep="score").score(pool, Runtime(), features=features)
    with pytest.raises(CurationError, match="but keep is 'hard'"):
        SemDeDup().score(pool, Runtime(), features=features, preference=score_of(pool, [1, 2, 3]))


def test_rows_without_direction_or_label_are_missing_and_noise_is_alone():
    pool = pool_of(6)
    points = np.array([[1, 1], [0, 0], [1, 1], [1, 1], [1, 1], [1, 1]])
    missing = Missing.where(np.arange(6) == 3, "no category")
    labels = labels_of(pool, [0, 0, 0, -1, -1, 0], missing)
    score = SemDeDup().score(pool, Runtime(), features=features_of(pool, points), clusters=labels)
    assert [score.missing.reason(i) for i in range(6)] == [
        None, "its vector has no direction", None, "it has no cluster", None, None,
    ]  # fmt: skip
    np.testing.assert_array_equal(score.values, [-1, np.nan, 1, np.nan, -1, 1])
    assert score.columns["of"].tolist() == [-1, -1, 0, -1, -1, 0]


def test_nothing_to_compare_is_all_missing():
    pool = pool_of(2)
    score = SemDeDup().score(pool, Runtime(), features=features_of(pool, np.zeros((2, 3))))
    assert np.isnan(score.values).all()
    assert score.missing.counts() == {"its vector has no direction": 2}


def test_lengths_of_vectors_do_not_matter():
    points, _, _ = planted(2)
    pool = pool_of(len(points))
    wanted = SemDeDup().score(pool, Runtime(), features=features_of(pool, points))
    longer = points * 2.0 ** np.random.default_rng(0).integers(-4, 6, (len(points), 1))
    found = SemDeDup().score(pool, Runtime(), features=features_of(pool, longer))
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-6)


def test_the_row_it_names_is_renumbered_with_the_rows():
    pool = pool_of(5)
    points = np.eye(5)[[0, 1, 0, 1, 1]]
    score = SemDeDup(keep="score").score(
        pool, Runtime(), features=features_of(pool, points), preference=score_of(pool, [1, 5, 2, 4, 3])
    )
    assert score.columns["of"].tolist() == [2, -1, 1, 1, 1]
    part = score.take(np.array([4, 1, 3, 0]), "part")
    assert part.columns["of"].tolist() == [1, -1, 1, -1]
    whole = part.scatter(np.array([4, 1, 3, 0]), 5, "whole", "outside")
    assert whole.columns["of"].tolist() == [-1, -1, -1, 1, 1]
    assert whole.columns["place"].tolist() == [score.columns["place"][0], 0, -1, *score.columns["place"][3:]]
