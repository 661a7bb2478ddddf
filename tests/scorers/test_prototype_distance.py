from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import NO_ROW, Features, Labels, Missing
from curation.core.dataset import from_pairs
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.scorers.prototype_distance import PrototypeDistance, places
from curation.selectors.top_k import TopK


def inputs(values, codes, unlabelled=None):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    values, codes = np.asarray(values, np.float32), np.asarray(codes, np.int32)
    absent = Missing.where(~np.isfinite(values).all(axis=1), "not encoded")
    missing = Missing.none(len(codes)) if unlabelled is None else unlabelled
    names = tuple(f"c{i}" for i in range(int(codes.max(initial=0)) + 1))
    return pool, Features(pool.fingerprint, values, absent), Labels(pool.fingerprint, codes, names, missing)


def score_of(values, codes, unlabelled=None):
    pool, features, labels = inputs(values, codes, unlabelled)
    return PrototypeDistance().score(pool, Runtime(), features=features, clusters=labels)


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_cosine_to_the_mean_direction(seed):
    rng = np.random.default_rng(seed)
    values, codes = rng.standard_normal((90, 5)).astype(np.float32), rng.integers(0, 4, 90)
    score = score_of(values, codes)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    for code in range(4):
        mean = unit[codes == code].mean(axis=0)
        cosine = unit[codes == code] @ mean / np.linalg.norm(mean)
        np.testing.assert_allclose(score.values[codes == code], 1 - cosine, atol=1e-6)
        order = np.argsort(score.values[codes == code], kind="stable")
        m = len(order)
        np.testing.assert_allclose(score.columns["place"][codes == code][order], np.arange(m) / (m - 1))
        assert (score.columns["size"][codes == code] == m).all()
    assert score.higher_is_better is None
    assert score.info["clusters"] == 4


def test_the_planted_prototype_is_near_and_the_planted_oddity_far_and_top_k_keeps_either():
    angles = np.array([0.0, 0.1, -0.1, 0.2, -0.2, 1.2])
    values = np.column_stack([np.cos(angles), np.sin(angles)])
    pool, features, labels = inputs(values, np.zeros(6))
    score = PrototypeDistance().score(pool, Runtime(), features=features, clusters=labels)
    rows = np.arange(6)
    hard = TopK(keep="highest", budget=2).select(pool, Ask(rows, 2), Runtime(), score=score)
    easy = TopK(keep="lowest", budget=2).select(pool, Ask(rows, 2), Runtime(), score=score)
    assert hard.order.tolist() == [5, 4]  # the mean lies near an angle of 0.2
    assert easy.order.tolist() == [3, 1]
    assert hard.nested
    assert easy.nested


def test_the_place_prunes_every_cluster_alike():
    rng = np.random.default_rng(0)
    tight, wide = rng.normal(0, 0.01, (40, 4)) + [1, 0, 0, 0], rng.normal(0, 0.6, (40, 4)) + [0, 1, 0, 0]
    pool, features, labels = inputs(np.concatenate([tight, wide]), np.repeat([0, 1], 40))
    score = PrototypeDistance().score(pool, Runtime(), features=features, clusters=labels)
    by_distance = TopK(keep="highest", budget=40).select(pool, Ask(np.arange(80), 40), Runtime(), score=score)
    by_place = TopK(keep="highest", budget=40, column="place").select(
        pool, Ask(np.arange(80), 40), Runtime(), score=score
    )
    assert (by_distance.order >= 40).all()
    assert (by_place.order >= 40).sum() == 20


def test_every_missing_row_says_why():
    values = np.array([[1.0, 0], [0, 0], [np.nan, 1], [0, 1], [0, -1], [1, 1], [1, 1], [3, 1]])
    outside = Missing(np.array([0, 0, 1, 0, 0, 0, 1, 0], np.int16), ("outside `some`",))
    score = score_of(values, [0, 0, 0, 1, 1, NO_ROW, NO_ROW, 0], outside)
    assert [score.missing.reason(i) for i in range(8)] == [
        None,
        "its vector has no direction",
        "not encoded",
        "the rows of its cluster share no direction",
        "the rows of its cluster share no direction",
        "in no cluster",
        "outside `some`",
        None,
    ]
    np.testing.assert_array_equal(np.isnan(score.values), score.missing.mask)
    np.testing.assert_array_equal(np.isnan(score.columns["place"]), score.missing.mask)
    np.testing.assert_array_equal(score.columns["size"], [2, -1, -1, -1, -1, -1, -1, 2])
    assert sorted(score.columns["place"][[0, 7]]) == [0, 1]


def test_places_of_equals_of_one_and_of_none():
    found = places(np.array([0.5, 0.5, 0.1, np.nan, 0.2]), np.array([1, 1, 1, 1, 3]))
    np.testing.assert_array_equal(found, [0.5, 1, 0, np.nan, 0])
    assert places(np.array([np.nan]), np.array([-1])).tolist() != [0]


def test_scaling_turning_and_shuffling_change_nothing():
    rng = np.random.default_rng(3)
    values, codes = rng.standard_normal((60, 6)), rng.integers(0, 3, 60)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    usual = score_of(values, codes).values
    np.testing.assert_allclose(score_of(values * rng.uniform(0.1, 50, (60, 1)), codes).values, usual, atol=1e-6)
    np.testing.assert_allclose(score_of(values @ turn, codes).values, usual, atol=1e-6)
    shuffle = rng.permutation(60)
    np.testing.assert_allclose(score_of(values[shuffle], codes[shuffle]).values, usual[shuffle], atol=1e-12)
