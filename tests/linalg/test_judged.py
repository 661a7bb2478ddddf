"""A line of a judge's scores, and which rows to judge next, against the formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.judged import acquire, design, judge_line, near_weights, posterior_sd


def data(n=80, d=6, seed=0):
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(n, d)) * np.linspace(2, 0.3, d) + 1).astype(np.float32)
    return points, points @ rng.normal(size=d) + 3 + 0.4 * rng.normal(size=n)


# ---------------------------------------------------------------------- columns


def test_components_keep_their_proportions_and_indicators_are_standardised():
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(200, 5)) * [4, 2, 1, 0.5, 0.1]).astype(np.float32)
    length, flat = rng.normal(50, 20, 200), np.full(200, 7.0)
    length[:30] = np.nan
    made = design(vectors, {"length": length, "flat": flat}, dims=3)
    assert made.names == ("component 1", "component 2", "component 3", "length", "length is missing")
    variances = made.points[:, :3].var(axis=0)
    assert variances.mean() == pytest.approx(1, rel=1e-3)
    assert variances[0] / variances[1] == pytest.approx(4, rel=0.5)
    assert (made.points[:30, 3] == 0).all()  # the mean
    assert made.points[30:, 3].std() == pytest.approx(1, rel=1e-3)
    np.testing.assert_allclose(made.points[:, 4].mean(), 0, atol=1e-6)
    assert len(np.unique(made.points[:, 4])) == 2


def test_where_nothing_varies_there_is_a_column_that_says_nothing():
    made = design(np.ones((5, 3), np.float32))
    assert made.names == ("nothing varies",) and (made.points == np.zeros((5, 1))).all()


# ---------------------------------------------------------------------- the line


def test_means_and_deviations_are_those_of_the_posterior():
    points, scores = data()
    some = np.arange(40)
    line = judge_line(points[some], scores[some])
    mean, sd = line.predict(points)
    wide = points.astype(np.float64)
    apart = wide - wide[some].mean(axis=0)
    inverse = np.linalg.inv(apart[some].T @ apart[some] + line.penalty * np.eye(6))
    expected = scores[some].mean() + apart @ inverse @ apart[some].T @ (scores[some] - scores[some].mean())
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    variance = line.noise**2 * (1 / 40 + np.einsum("ij,jk,ik->i", apart, inverse, apart))
    np.testing.assert_allclose(sd**2, line.noise**2 + variance, rtol=1e-6)
    np.testing.assert_allclose(posterior_sd(points, some, line.penalty, line.noise) ** 2, variance, rtol=1e-6)


def test_the_error_of_a_row_left_out_is_what_a_refit_leaves():
    points, scores = data(30, 4)
    line = judge_line(points, scores)
    wide = points.astype(np.float64)
    for row in (0, 7, 29):
        rest = np.arange(30) != row
        centre, mean = wide[rest].mean(axis=0), scores[rest].mean()
        apart = wide[rest] - centre
        slope = np.linalg.solve(apart.T @ apart + line.penalty * np.eye(4), apart.T @ (scores[rest] - mean))
        assert line.left_out[row] == pytest.approx(scores[row] - mean - (wide[row] - centre) @ slope, rel=1e-5)


def test_equal_scores_are_foretold_for_all():
    line = judge_line(data()[0], np.full(80, 3.5))
    mean, sd = line.predict(data()[0])
    assert (mean == 3.5).all()
    assert (sd == 1).all()


# ---------------------------------------------------------------------- what to judge next


def acquire_naive(points, candidates, count, judged, penalty, weights, draws, share):
    """One row at a time, a matrix inverse for each; the intercept has a flat prior, the other rows their weights."""
    taken = sorted(candidates, key=lambda r: draws[r])[: int(np.floor(share * count + 0.5))]
    wide = np.column_stack(
        [points.astype(np.float64) - points[judged].astype(np.float64).mean(axis=0), np.ones(len(points))]
    )
    prior = penalty * np.eye(wide.shape[1])
    prior[-1, -1] = 1e-9
    rows, scale = [*judged, *taken], [1.0] * (len(judged) + len(taken))
    gains = []
    while len(rows) < len(judged) + count:
        x = wide[rows] * np.sqrt(scale)[:, None]
        inverse = np.linalg.inv(prior + x.T @ x)
        value = {r: weights[r] * (wide[r] @ inverse @ wide[r]) for r in candidates if r not in rows}
        best = max(value, key=lambda r: (value[r], -r))
        rows.append(best)
        scale.append(weights[best])
        gains.append(np.log1p(value[best]) / 2)
    return rows[len(judged) :], gains


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_picks_are_those_of_the_textbook_loop(seed, share):
    points, _ = data(60, 5, seed)
    rng = np.random.default_rng(seed)
    judged = rng.permutation(60)[:12]
    candidates = np.setdiff1d(np.arange(60), judged)[:40]
    weights, draws = rng.uniform(0.1, 1, 60), rng.random(60)
    more = {"judged": judged, "penalty": 2.0, "weights": weights, "draws": draws, "random_share": share}
    found = acquire(points, candidates, 15, **more)
    order, gains = acquire_naive(points, candidates, 15, judged, 2.0, weights, draws, share)
    np.testing.assert_array_equal(found.order, order)
    assert found.drawn == round(15 * share)
    np.testing.assert_allclose(found.gains[found.drawn :], gains, rtol=1e-3)
    assert np.isfinite(found.left[np.setdiff1d(candidates, found.order)]).all()
    assert np.isnan(found.left[np.concatenate([judged, found.order])]).all()


def test_without_judged_rows_and_with_more_asked_for_than_there_is():
    points, _ = data(20, 3)
    found = acquire(points, np.arange(20), 50, judged=np.empty(0, np.int64), penalty=None, draws=np.arange(20.0))
    assert sorted(found.order) == list(range(20))
    assert list(found.order[:4]) == [0, 1, 2, 3]


def test_closeness_to_the_threshold_is_measured_in_deviations():
    weights = near_weights(np.array([4.5, 3.5, 3.5, np.nan]), np.array([1.0, 1.0, 2.0, 1.0]), 4.5, 0.5)
    np.testing.assert_allclose(weights, [1, 0.5 + 0.5 * np.exp(-0.5), 0.5 + 0.5 * np.exp(-0.125), 0.5])
    assert (near_weights(np.array([1.0, 9.0]), np.ones(2), 4.5, 0) == 1).all()


def test_acquired_rows_lower_the_deviation_more_than_random_ones():
    points, scores = data(400, 20, 3)
    judged = np.arange(25)
    line = judge_line(points[judged], scores[judged])
    rest = np.arange(25, 400)
    found = acquire(points, rest, 40, judged=judged, penalty=line.penalty, draws=np.arange(400.0), random_share=0)
    best = posterior_sd(points, np.concatenate([judged, found.order]), line.penalty, line.noise)[rest].mean()
    for seed in range(10):
        chance = np.random.default_rng(seed).choice(rest, 40, replace=False)
        drawn = posterior_sd(points, np.concatenate([judged, chance]), line.penalty, line.noise)[rest].mean()
        assert best < drawn
