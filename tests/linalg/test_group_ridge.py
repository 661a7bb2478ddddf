"""A line whose penalty is chosen by groups left out, against fits without them."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.bayes_linear import bayes_linear
from curation.linalg.group_ridge import GRID, PENALTIES, group_ridge


def line_naive(points, target, penalty):
    centre, mean = points.mean(axis=0), target.mean()
    apart = points - centre
    slope = np.linalg.solve(apart.T @ apart + penalty * np.eye(points.shape[1]), apart.T @ (target - mean))
    return lambda new: mean + (new - centre) @ slope


def errors_naive(points, target, groups, penalty):
    errors = np.empty(len(target))
    for group in np.unique(groups):
        inside = groups == group
        errors[inside] = target[inside] - line_naive(points[~inside], target[~inside], penalty)(points[inside])
    return errors


def group_ridge_naive(points, target, groups):
    """The penalty of the grid with the least squared error of groups left out, by refitting."""
    apart = points - points.mean(axis=0)
    top = np.linalg.eigvalsh(apart.T @ apart)[-1]
    tried = top * np.geomspace(*PENALTIES, GRID)
    losses = [(errors_naive(points, target, groups, p) ** 2).sum() for p in tried]
    return tried[int(np.argmin(losses))]


def drawn(seed, n, d):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d))
    return points, points[:, 0] * 2 + rng.normal(size=n), rng.integers(0, 9, n)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "d"), [(40, 5), (30, 50)])
def test_it_equals_fits_without_each_group(seed, n, d):
    points, target, groups = drawn(seed, n, d)
    fit = group_ridge(points, target, groups)
    penalty = group_ridge_naive(points, target, groups)
    assert fit.penalty == pytest.approx(penalty, rel=1e-6)
    errors = errors_naive(points, target, groups, penalty)
    np.testing.assert_allclose(fit.errors, errors, rtol=1e-6, atol=1e-7)
    new = np.random.default_rng(9).normal(size=(7, d))
    np.testing.assert_allclose(fit.predict(new), line_naive(points, target, penalty)(new), rtol=1e-6, atol=1e-7)
    means = np.array([target[groups != g].mean() for g in groups])
    assert fit.left_out_r2 == pytest.approx(1 - (errors**2).sum() / ((target - means) ** 2).sum())


def test_a_line_that_is_there_is_found():
    points, _, groups = drawn(0, 200, 6)
    truth = points @ [1, 2, 3, 0, 0, -1] + 4
    fit = group_ridge(points, truth, groups)
    assert fit.r2 > 0.999999
    assert fit.left_out_r2 > 0.999999
    np.testing.assert_allclose(fit.predict(points), truth, atol=1e-3)


def test_what_only_siblings_share_is_not_learnt_where_evidence_would():
    found, spread = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), 5)
        points = rng.normal(size=(40, 60))[groups] + 0.01 * rng.normal(size=(200, 60))
        target = rng.normal(size=40)[groups] + 0.01 * rng.normal(size=200)
        assert bayes_linear(points, target).loo_r2 > 0.9  # siblings tell
        fit = group_ridge(points, target, groups)
        found.append(fit.left_out_r2)
        spread.append(fit.predict(rng.normal(size=(50, 60))).std() / target.std())
    assert min(found) > -0.01  # never worse than the mean
    assert np.median(found) < 0.1  # 40 families agree with 60 columns by luck in some
    assert np.median(spread) < 0.5


def test_the_order_of_rows_and_the_names_of_groups_change_nothing():
    points, target, groups = drawn(3, 60, 8)
    order = np.random.default_rng(0).permutation(60)
    one = group_ridge(points, target, groups)
    other = group_ridge(points[order], target[order], 100 - groups[order])
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=1e-9)
    np.testing.assert_allclose(one.errors[order], other.errors, atol=1e-9)


def test_columns_without_spread_give_the_mean():
    fit = group_ridge(np.ones((6, 3)), np.arange(6.0), np.arange(6) // 2)
    np.testing.assert_allclose(fit.predict(np.ones((2, 3))), 2.5)


def test_one_group_is_an_error():
    with pytest.raises(ValueError, match="two groups"):
        group_ridge(np.ones((4, 2)), np.arange(4.0), np.zeros(4, int))
