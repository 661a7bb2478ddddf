"""Bayesian linear regression against the formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.bayes_linear import bayes_linear


def data(n=60, d=4, seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d)) * np.arange(1, d + 1) + 3
    return points, points @ rng.normal(size=d) + 7 + noise * rng.normal(size=n)


def log_evidence(points, target, penalty):
    """Density of the target without its mean, under the covariance noise²·(I + X Xᵀ / penalty), at the best noise."""
    n = len(target)
    basis = np.linalg.svd(np.ones((1, n)))[2][1:]  # [n − 1, n]: what is left when the mean is gone
    apart = basis @ (points - points.mean(axis=0))
    left = basis @ target
    covariance = np.eye(n - 1) + apart @ apart.T / penalty
    quadratic = left @ np.linalg.solve(covariance, left)
    variance = quadratic / (n - 1)
    return -0.5 * ((n - 1) * np.log(variance) + np.linalg.slogdet(covariance)[1]), variance


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "d"), [(60, 4), (12, 30)])
def test_penalty_and_noise_have_the_highest_evidence(seed, n, d):
    points, target = data(n, d, seed, noise=2.0)
    found = bayes_linear(points, target)
    best, variance = log_evidence(points, target, found.penalty)
    assert found.noise**2 == pytest.approx(variance, rel=1e-6)
    largest = np.linalg.eigvalsh((points - points.mean(axis=0)).T @ (points - points.mean(axis=0)))[-1]
    for penalty in largest * np.logspace(-7, 5, 200):
        assert log_evidence(points, target, penalty)[0] <= best + 1e-4


def test_the_mean_solves_the_penalised_equations():
    points, target = data()
    found = bayes_linear(points, target)
    apart = points - points.mean(axis=0)
    matrix = apart.T @ apart + found.penalty * np.eye(4)
    np.testing.assert_allclose(found.coefficients, np.linalg.solve(matrix, apart.T @ target), rtol=1e-9)
    np.testing.assert_allclose(found.residuals, target - target.mean() - apart @ found.coefficients, atol=1e-9)
    assert found.r2 == pytest.approx(1 - (found.residuals**2).sum() / ((target - target.mean()) ** 2).sum())


@pytest.mark.parametrize(("n", "d"), [(25, 3), (10, 15)])
def test_leaving_a_row_out_is_what_a_refit_would_give(n, d):
    points, target = data(n, d, noise=1.0)
    found = bayes_linear(points, target)
    left, plain = 0.0, 0.0
    for row in range(n):
        rest = np.arange(n) != row
        centre, mean = points[rest].mean(axis=0), target[rest].mean()
        apart = points[rest] - centre
        line = np.linalg.solve(apart.T @ apart + found.penalty * np.eye(d), apart.T @ (target[rest] - mean))
        left += (target[row] - mean - (points[row] - centre) @ line) ** 2
        plain += (target[row] - mean) ** 2
    assert found.loo_r2 == pytest.approx(1 - left / plain, rel=1e-7)


def test_draws_have_the_covariance_of_the_posterior_and_more_of_them_begin_alike():
    points, target = data()
    found = bayes_linear(points, target)
    drawn = found.deviations(40_000, 1)
    apart = points - points.mean(axis=0)
    covariance = found.noise**2 * np.linalg.inv(apart.T @ apart + found.penalty * np.eye(4))
    scale = np.sqrt(np.diag(covariance))
    correlation = np.cov(drawn[:, :-1].T) / scale / scale[:, None]
    np.testing.assert_allclose(correlation, covariance / scale / scale[:, None], atol=0.03)
    assert drawn[:, -1].std() == pytest.approx(found.noise / np.sqrt(60), rel=0.02)
    assert abs(np.corrcoef(drawn.T)[-1, :-1]).max() < 0.03
    np.testing.assert_allclose(found.deviations(7, 1), drawn[:7], rtol=1e-9)
    assert not np.allclose(found.deviations(7, 2), drawn[:7])


def test_intervals_of_the_posterior_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(200):
        points, truth = rng.normal(size=(40, 3)), rng.normal(size=3)
        found = bayes_linear(points, points @ truth + rng.normal(size=40))
        ends = np.quantile(found.coefficients + found.deviations(400, 0)[:, :-1], [0.05, 0.95], axis=0)
        inside.append((ends[0] < truth) & (truth < ends[1]))
    assert 0.85 < np.mean(inside) < 0.95


def test_noise_is_not_foretold_and_a_line_is():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(200, 20))
    assert bayes_linear(points, rng.normal(size=200)).loo_r2 < 0.05
    exact = bayes_linear(points, points @ rng.normal(size=20))
    assert exact.loo_r2 > 0.999
    assert exact.noise > 0


def test_blocks_do_not_matter():
    points, target = data(90, 5)
    whole = bayes_linear(points.astype(np.float32), target)
    for block in (1, 7, 89):
        part = bayes_linear(points.astype(np.float32), target, block=block)
        assert part.penalty == whole.penalty
        np.testing.assert_allclose(part.residuals, whole.residuals, atol=1e-9)
        assert part.loo_r2 == pytest.approx(whole.loo_r2)


def test_columns_without_spread_say_nothing():
    points, target = data()
    found = bayes_linear(np.ones((60, 3)), target)
    assert found.coefficients.tolist() == [0, 0, 0]
    assert found.noise == pytest.approx(target.std(ddof=1))
    assert found.r2 == pytest.approx(0, abs=1e-9)
    assert np.isfinite(found.deviations(5, 0)).all()


def test_two_rows_are_enough_and_equal_targets_are_not():
    found = bayes_linear(np.array([[0.0], [1.0]]), np.array([1.0, 2.0]))
    assert np.isfinite([found.penalty, found.noise, found.loo_r2]).all()
    for points, target in ((np.ones((1, 2)), np.ones(1)), (np.eye(3), np.ones(3))):
        with pytest.raises(ValueError, match="two rows with different targets"):
            bayes_linear(points, target)
