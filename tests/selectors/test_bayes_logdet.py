from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.linalg.whiten import whitening
from curation.selectors.bayes_logdet import BayesLogdet, information_gain, variance_reduction


def information(points, noise, order, prior=1.0):
    """Information of a set, from the determinant of d × d, whatever the order."""
    chosen = np.asarray(points, np.float64)[order] / np.sqrt(noise[order])[:, None]
    return float(np.linalg.slogdet(np.eye(points.shape[1]) + chosen.T @ chosen / prior)[1]) / 2


def variance(points, noise, order, targets, prior=1.0):
    """Mean posterior variance at the targets, by inverting the whole precision."""
    chosen = points[order] / np.sqrt(noise[order])[:, None]
    return float(
        np.einsum(
            "ij,jk,ik->i", targets, np.linalg.inv(prior * np.eye(points.shape[1]) + chosen.T @ chosen), targets
        ).mean()
    )


# ---------------------------------------------------------------------- information gain


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prior", [1.0, 0.1])
def test_picks_are_those_of_brute_force_on_forty_rows(seed, prior):
    rng = np.random.default_rng(seed)
    points, noise = rng.standard_normal((40, 5)), rng.uniform(0.5, 5, 40)
    found = information_gain(points, 12, noise=noise, prior=prior)
    order, before = [], 0.0
    for step in range(12):
        reach = [-1 if i in order else information(points, noise, [*order, i], prior) for i in range(40)]
        order.append(int(np.argmax(reach)))
        assert found.gains[step] == pytest.approx(max(reach) - before, abs=1e-10)
        before = max(reach)
    assert found.order.tolist() == order
    assert found.gains.sum() == pytest.approx(information(points, noise, order, prior))
    assert found.info["information"] == pytest.approx(found.gains.sum())


@pytest.mark.parametrize("seed", range(3))
def test_the_gain_of_a_row_never_grows_while_rows_are_picked(seed):
    rng = np.random.default_rng(seed)
    points, noise = rng.standard_normal((60, 4)), rng.uniform(0.5, 2, 60)
    found = [information_gain(points, k, noise=noise) for k in range(1, 30)]
    left = np.array([f.gains[-1] - f.margin for f in found])  # what each row would add next; NaN once it is in
    steps = np.diff(left, axis=0)
    assert (steps[np.isfinite(steps)] <= 1e-12).all()
    assert (np.diff(found[-1].gains) <= 1e-12).all()
    row = int(np.flatnonzero(np.isfinite(left).all(axis=0))[0])
    for picked, gain in zip((1, 10, 29), left[[0, 9, 28], row], strict=True):
        some = found[-1].order[:picked].tolist()
        assert gain == pytest.approx(information(points, noise, [*some, row]) - information(points, noise, some))


@pytest.mark.parametrize("length", [0.3, 1.0, 4.0])
def test_a_second_copy_gains_what_the_formula_says(length):
    noise, prior = 0.7, 0.4
    points = np.zeros((2, 3))
    points[:, 1] = length
    found = information_gain(points, 2, noise=np.full(2, noise), prior=prior)
    a = length**2 / (prior * noise)
    assert found.order.tolist() == [0, 1]
    np.testing.assert_allclose(found.gains, [np.log1p(a) / 2, np.log((1 + 2 * a) / (1 + a)) / 2])
    assert found.gains[1] < found.gains[0]


def test_orthonormal_rows_gain_the_same():
    rows = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))[0]
    found = information_gain(rows, 8, noise=np.full(8, 0.5))
    assert found.order.tolist() == list(range(8))
    np.testing.assert_allclose(found.gains, np.log(3) / 2)


@pytest.mark.parametrize("seed", range(4))
def test_a_planted_rare_direction_comes_within_as_many_picks_as_directions(seed):
    rng = np.random.default_rng(seed)
    rank = 6
    points = np.zeros((500, rank))
    points[:, :-1] = rng.standard_normal((500, rank - 1))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rare = int(rng.integers(500))
    points[rare] = np.eye(rank)[-1]
    assert rare in information_gain(points, rank, noise=np.full(500, 0.1)).order


@pytest.mark.parametrize("seed", range(3))
def test_turning_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    points, noise = rng.standard_normal((100, 6)), rng.uniform(0.5, 2, 100)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    one, two = (information_gain(p, 50, noise=noise) for p in (points, points @ turn))
    np.testing.assert_array_equal(one.order, two.order)
    np.testing.assert_allclose(one.gains, two.gains)


@pytest.mark.parametrize("worse", [2.0, 1e3, 1e12])
def test_a_noisy_row_never_comes_before_a_clean_one_with_equal_features(worse):
    rng = np.random.default_rng(1)
    points = np.repeat(rng.standard_normal((15, 4)), 2, axis=0)
    noise = np.tile([worse, 1.0], 15)
    place = np.argsort(information_gain(points, 30, noise=noise).order)
    assert (place[0::2] > place[1::2]).all()
    aimed = np.argsort(variance_reduction(points, rng.standard_normal((5, 4)), 30, noise=noise, tolerance=0).order)
    assert (aimed[0::2] > aimed[1::2]).all()


def test_wrong_arguments_are_named():
    with pytest.raises(CurationError, match="prior precisions are not"):
        information_gain(np.eye(3), 1, noise=np.ones(3), prior=0)
    with pytest.raises(CurationError, match="noise variances are not"):
        information_gain(np.eye(3), 1, noise=np.zeros(3))


# ---------------------------------------------------------------------- targeted


@pytest.mark.parametrize("seed", range(4))
def test_the_targeted_score_is_the_drop_of_the_variance_recomputed(seed):
    rng = np.random.default_rng(seed)
    points, noise, targets = rng.standard_normal((30, 4)), rng.uniform(0.5, 3, 30), rng.standard_normal((6, 4))
    found = variance_reduction(points, targets, 10, noise=noise)
    order, before = [], variance(points, noise, [], targets)
    for step in range(10):
        falls = [-1 if i in order else before - variance(points, noise, [*order, i], targets) for i in range(30)]
        order.append(int(np.argmax(falls)))
        assert found.gains[step] == pytest.approx(max(falls), rel=1e-8)
        before -= max(falls)
    assert found.order.tolist() == order
    assert found.info["target_variance_after"] == pytest.approx(before)
    assert (found.margin[np.setdiff1d(np.arange(30), order)] > -1e-9).all()


def test_it_stops_when_no_row_says_anything_about_the_targets():
    points = np.repeat(np.eye(3), 2, axis=0)
    found = variance_reduction(points, np.array([[0.0, 0, 1]]), 6, noise=np.ones(6))
    assert found.order.tolist() == [4, 5]
    assert found.short_by == 4
    assert found.short_reason == "no row left says anything about the targets"


# ---------------------------------------------------------------------- the method


def pick(b, values, count, method=None, **ports):
    return (method or BayesLogdet()).select(b.pool, b.ask(count), Runtime(), features=b.features(values), **ports)


def test_defaults_give_the_median_row_half_of_log_two(build):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((200, 5)) * [3, 2, 1, 1, 0.5] + 7
    b = build(200)
    found = pick(b, values, 200)
    points = whitening(values.astype(np.float32), 256, 0.1).apply(values.astype(np.float32)).astype(np.float64)
    lengths = (points**2).sum(axis=1)
    assert found.info["noise"] == pytest.approx(np.median(lengths))
    assert np.median(np.log1p(lengths / found.info["noise"]) / 2) == pytest.approx(np.log(2) / 2, abs=1e-3)
    assert found.info["dims"] == 5
    expected = information_gain(points, 200, noise=np.full(200, np.median(lengths)))
    np.testing.assert_array_equal(found.order[:50], expected.order[:50])
    np.testing.assert_allclose(found.gains, expected.gains, rtol=1e-4)
    half = pick(b, values, 200, BayesLogdet(prior=0.5))
    np.testing.assert_array_equal(half.order[:50], found.order[:50])  # the noise follows the prior
    assert half.info["noise"] == pytest.approx(2 * found.info["noise"])


def test_turning_the_features_changes_nothing(build):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((80, 6)) * [5, 4, 3, 2, 1, 1]
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    b = build(80)
    one, two = (pick(b, v, 30, BayesLogdet(dims=4)) for v in (values, values @ turn))
    np.testing.assert_array_equal(one.order, two.order)


def test_worse_rows_are_noisier(build):
    rng = np.random.default_rng(2)
    values = np.repeat(rng.standard_normal((30, 4)), 2, axis=0)
    score = np.tile([0.0, 1.0], 30)
    b = build(60)
    found = pick(b, values, 60, score=b.score(score))
    place = np.argsort(found.order)
    assert (place[0::2] > place[1::2]).all()
    reversed_ = np.argsort(pick(b, values, 60, score=b.score(score, False)).order)
    assert (reversed_[0::2] < reversed_[1::2]).all()
    ignored = pick(b, values, 60, BayesLogdet(least_quality=1), score=b.score(score))
    np.testing.assert_array_equal(ignored.order, pick(b, values, 60).order)
    points = whitening(values.astype(np.float32), 256, 0.1).apply(values.astype(np.float32))
    rank = np.where(score > 0, 0.75, 0.25) + [0.5 / 59 / 2 * (1 if s > 0 else -1) for s in score]
    expected = information_gain(points, 20, noise=found.info["noise"] / (0.1 + 0.9 * rank))
    np.testing.assert_allclose(found.gains[:20], expected.gains, rtol=1e-5)


def test_rows_without_a_score_are_out_with_a_reason(build):
    rng = np.random.default_rng(3)
    score = rng.standard_normal(12)
    score[3] = np.nan
    b = build(12)
    found = pick(b, rng.standard_normal((12, 4)), 12, score=b.score(score))
    assert 3 not in found.order
    assert found.why(3) == "out: no score"
    assert found.short_reason == "1 eligible rows have no score"


def test_targets_of_the_pool_and_queries_of_another_file_aim_at_the_same(build):
    rng = np.random.default_rng(4)
    values = rng.standard_normal((120, 6)) * 0.3
    values[:60, 0] += 3  # two topics
    values[60:, 1] += 3
    b = build(120)
    wanted = list(range(60, 80))
    aimed = pick(b, values, 20, targets=b.picks(wanted))
    assert aimed.info["targets"] == 20
    assert aimed.info["target_variance_after"] < aimed.info["target_variance_before"]
    plain = pick(b, values, 20)
    assert (aimed.order >= 60).mean() > (plain.order >= 60).mean()
    other = Features("other file", values[wanted].astype(np.float32), Missing.none(20))
    queried = pick(b, values, 20, queries=other)
    np.testing.assert_array_equal(queried.order, aimed.order)
    np.testing.assert_allclose(queried.gains, aimed.gains)
    points = whitening(values.astype(np.float32), 256, 0.1).apply(values.astype(np.float32)).astype(np.float64)
    expected = variance_reduction(points, points[wanted], 20, noise=np.full(120, aimed.info["noise"]))
    np.testing.assert_array_equal(aimed.order, expected.order)
    with pytest.raises(CurationError, match="both given"):
        pick(b, values, 5, targets=b.picks(wanted), queries=other)
    with pytest.raises(CurationError, match="queries have 2 numbers"):
        pick(b, values, 5, queries=dataclasses.replace(other, values=other.values[:, :2]))


@pytest.mark.parametrize("aimed", [False, True])
def test_an_order_is_extended_from_the_known_picks(build, aimed):
    b = build(50)
    features = b.features(np.random.default_rng(5).standard_normal((50, 4)))
    ports = {"targets": b.picks([0, 1, 2])} if aimed else {}
    eligible = list(range(5, 50))
    whole = BayesLogdet().select(b.pool, b.ask(30, eligible), Runtime(), features=features, **ports)
    known = whole.order[:11].tolist()
    again = BayesLogdet().select(b.pool, b.ask(30, eligible, known), Runtime(), features=features, **ports)
    np.testing.assert_array_equal(again.order, whole.order)
    np.testing.assert_allclose(again.gains, whole.gains)
    assert again.why(0) == "out: not eligible"


def test_the_fit_of_the_linear_model_is_shown_or_said_not_to_be_measured(build):
    rng = np.random.default_rng(6)
    values = rng.standard_normal((300, 5))
    b = build(300)
    assert pick(b, values, 5).info["fit"] == "not measured: no signal was given"
    linear = values @ rng.standard_normal(5)
    linear[7] = np.nan
    good = pick(b, values, 5, signal=b.score(linear))
    assert good.info["fit_r2"] > 0.99
    assert good.info["fit_rank_correlation"] > 0.99
    assert good.info["fit_rows"] == 299
    assert good.info["fit_signal"] == "made"
    assert "100%" in good.info["fit"]
    bad = pick(b, values, 5, signal=b.score(rng.standard_normal(300)))
    assert bad.info["fit_r2"] < 0.05
    assert "0%" in bad.info["fit"] or "of the variance" in bad.info["fit"]
    np.testing.assert_array_equal(good.order, bad.order)  # it does not enter the choice
    flat = pick(b, values, 5, signal=b.score(np.ones(300)))
    assert flat.info["fit"].startswith("not measured on 'made': nearly all rows have the same value")


def test_one_row_and_copies(build):
    assert pick(build(1), np.ones((1, 3)), 5).order.tolist() == [0]
    found = pick(build(6), np.ones((6, 3)), 3)
    assert found.order.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.gains, np.log([2, 3 / 2, 4 / 3]) / 2)
