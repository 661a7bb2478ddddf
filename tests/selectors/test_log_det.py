from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError, DataError
from curation.core.runtime import Runtime
from curation.selectors.log_det import LogDet, log_det


def log_det_of(points, order, ridge, quality=None):
    """log det of the picked rows' kernel, in one go."""
    chosen = np.asarray(points, np.float64)[order]
    kernel = chosen @ chosen.T + ridge * np.eye(len(order))
    q = np.ones(len(order)) if quality is None else quality[order]
    return float(np.linalg.slogdet(q[:, None] * kernel * q)[1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ridge", [1.0, 1e-3])
def test_gains_are_differences_of_log_determinants_and_never_grow(seed, ridge):
    rng = np.random.default_rng(seed)
    points, quality = rng.standard_normal((50, 6)), rng.uniform(0.1, 1, 50)
    for q in (None, quality):
        found = log_det(points, 20, quality=q, ridge=ridge)
        steps = np.diff([0, *(log_det_of(points, found.order[:k], ridge, q) for k in range(1, 21))])
        np.testing.assert_allclose(found.gains, steps, atol=1e-8)
        assert (np.diff(found.gains) <= 1e-9).all()
        assert found.info["log_det"] == pytest.approx(log_det_of(points, found.order, ridge, q), abs=1e-8)
        out = np.setdiff1d(np.arange(50), found.order)
        assert (found.margin[out] >= found.gains[-1] - found.gains[-2] - 1e-9).all()
        next_best = out[np.argmin(found.margin[out])]
        assert log_det(points, 21, quality=q, ridge=ridge).order[-1] == next_best


def test_orthogonal_planted_rows_come_first():
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal((300, 12)) * ([1.0] * 4 + [0.01] * 8)
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    points = np.vstack([crowd, np.eye(12)[4:]])
    found = log_det(points, 12)
    assert set(range(300, 308)) <= set(found.order)
    assert set(range(300, 308)) <= set(found.order[:10])


def test_copies_never_come_before_rows_that_are_different():
    rng = np.random.default_rng(1)
    distinct = rng.standard_normal((8, 10))
    distinct /= np.linalg.norm(distinct, axis=1, keepdims=True)
    points = np.repeat(distinct, 5, axis=0)
    found = log_det(points, 40)
    assert sorted(found.order[:8].tolist()) == list(range(0, 40, 5))  # and the first copy of each
    assert (found.gains[:8] > -3).all()
    assert (found.gains[8:] < -6).all()


def test_orthonormal_rows_gain_the_same_and_come_in_order():
    found = log_det(np.eye(9), 9, ridge=0.01)
    assert found.order.tolist() == list(range(9))
    np.testing.assert_allclose(found.gains, np.log(1.01))


@pytest.mark.parametrize("seed", range(3))
def test_turning_shuffling_and_a_common_quality_change_nothing(seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((120, 7))
    wanted = log_det(points, 40)
    turn = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    np.testing.assert_array_equal(log_det(points @ turn, 40).order, wanted.order)
    np.testing.assert_array_equal(log_det(points, 40, quality=np.full(120, 0.3)).order, wanted.order)
    shuffle = rng.permutation(120)
    np.testing.assert_array_equal(shuffle[log_det(points[shuffle], 40).order], wanted.order)


def test_quality_decides_between_equal_rows_and_a_vanishing_one_never_wins():
    rng = np.random.default_rng(2)
    points = np.repeat(rng.standard_normal((10, 12)), 2, axis=0)
    quality = np.tile([1e-6, 1.0], 10)
    order = log_det(points, 20, quality=quality, tolerance=0).order
    assert (order[:10] % 2 == 1).all()
    place = np.argsort(order)
    assert (place[0::2] > place[1::2]).all()


def test_it_stops_at_the_rank_without_a_ridge_and_says_so():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((40, 3)) @ rng.standard_normal((3, 8))
    found = log_det(points, 10, ridge=0)
    assert len(found) == 3
    assert found.short_by == 7
    assert "tolerance" in found.short_reason
    assert len(log_det(points, 10)) == 10
    stopped = log_det(points / np.linalg.norm(points, axis=1, keepdims=True), 10, ridge=1e-6, tolerance=1e-3)
    assert len(stopped) == 3


def test_one_row_and_wrong_arguments():
    assert log_det(np.ones((1, 2)), 5).order.tolist() == [0]
    with pytest.raises(CurationError, match="budget 0"):
        log_det(np.eye(3), 0)
    with pytest.raises(DataError, match="row 2"):
        log_det(np.array([[1.0], [2], [np.inf]]), 1)


# ---------------------------------------------------------------------- the method


def test_method_picks_among_eligible_rows_only_and_explains_the_others(build):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 6)) * rng.uniform(0.1, 9, (40, 1))
    values[8] = 0
    b = build(40)
    ask = b.ask(10, list(range(0, 40, 2)))
    found = LogDet().select(b.pool, ask, Runtime(), features=b.features(values))
    assert np.isin(found.order, np.arange(0, 40, 2)).all()
    assert found.why(8) == "out: its vector has no direction"
    assert found.why(1) == "out: not eligible"
    out = int(np.setdiff1d(np.arange(0, 40, 2), [*found.order, 8])[0])
    assert found.why(out).startswith("out: adds less volume than the picks (by ")
    assert (found.margin[np.setdiff1d(np.arange(0, 40, 2), [*found.order, 8])] >= 0).all()
    unit = values[::2].astype(np.float32).astype(np.float64)
    unit[4] = 1
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    keep = np.setdiff1d(np.arange(20), [4])
    np.testing.assert_array_equal(found.order, 2 * keep[log_det(unit[keep], 10).order])
    every = LogDet().select(b.pool, b.ask(20, list(range(0, 40, 2))), Runtime(), features=b.features(values))
    assert every.short_by == 1
    assert every.short_reason == "1 eligible rows have no direction"
    euclidean = LogDet(metric="euclidean").select(b.pool, b.ask(40), Runtime(), features=b.features(values))
    assert sorted(euclidean.order) == list(range(40))
    assert euclidean.order[-1] == 8


def test_a_score_weighs_by_rank_whatever_its_unit(build):
    rng = np.random.default_rng(1)
    values, score = rng.standard_normal((60, 5)), rng.standard_normal(60)
    b = build(60)
    features = b.features(values)

    def pick(method, score, better=True):
        return method.select(b.pool, b.ask(15), Runtime(), features=features, score=b.score(score, better))

    found = pick(LogDet(quality_weight=3), score)
    unit = values.astype(np.float32).astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rank = np.argsort(np.argsort(score)) / 59
    expected = log_det(unit, 15, quality=np.exp(-3 * (1 - rank) / 2))
    np.testing.assert_array_equal(found.order, expected.order)
    np.testing.assert_allclose(found.gains, expected.gains, atol=1e-6)
    np.testing.assert_array_equal(pick(LogDet(quality_weight=3), np.exp(score)).order, found.order)
    np.testing.assert_array_equal(pick(LogDet(quality_weight=3), -score, False).order, found.order)
    np.testing.assert_array_equal(pick(LogDet(quality_weight=3, keep="lowest"), -score).order, found.order)
    plain = LogDet().select(b.pool, b.ask(15), Runtime(), features=features)
    np.testing.assert_array_equal(pick(LogDet(quality_weight=0), score).order, plain.order)
    heavy = pick(LogDet(quality_weight=100), score)
    assert score[heavy.order].mean() > score[found.order].mean() > score[plain.order].mean()


def test_rows_without_a_score_are_out_with_a_reason(build):
    rng = np.random.default_rng(2)
    score = rng.standard_normal(12)
    score[3] = np.nan
    b = build(12)
    features = b.features(rng.standard_normal((12, 4)))
    found = LogDet().select(b.pool, b.ask(12), Runtime(), features=features, score=b.score(score))
    assert 3 not in found.order
    assert found.why(3) == "out: no score"
    assert found.short_reason == "1 eligible rows have no score"
    with pytest.raises(CurationError, match="does not say whether"):
        LogDet().select(b.pool, b.ask(3), Runtime(), features=features, score=b.score(score, None))
    with pytest.raises(CurationError, match="usable vector and a score"):
        LogDet().select(b.pool, b.ask(3), Runtime(), features=features, score=b.score(np.full(12, np.nan)))


def test_an_order_is_extended_from_the_known_picks(build):
    b = build(50)
    features = b.features(np.random.default_rng(3).standard_normal((50, 4)))
    eligible = list(range(5, 50))
    whole = LogDet().select(b.pool, b.ask(30, eligible), Runtime(), features=features)
    again = LogDet().select(b.pool, b.ask(30, eligible, whole.order[:11].tolist()), Runtime(), features=features)
    np.testing.assert_array_equal(again.order, whole.order)
    np.testing.assert_allclose(again.gains, whole.gains)


def test_a_pool_of_copies_and_one_without_vectors(build):
    b = build(6)
    copies = b.features(np.ones((6, 3)))
    found = LogDet().select(b.pool, b.ask(4), Runtime(), features=copies)
    assert found.order.tolist() == [0, 1, 2, 3]
    short = LogDet(ridge=0).select(b.pool, b.ask(4), Runtime(), features=copies)
    assert short.order.tolist() == [0]
    assert short.short_reason == "5 rows add less volume than the tolerance"
    with pytest.raises(CurationError, match="no eligible row has a usable vector"):
        LogDet().select(b.pool, b.ask(4), Runtime(), features=b.features(np.zeros((6, 3))))
