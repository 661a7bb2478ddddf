"""Groups left out, against fits without them."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.bayes_linear import bayes_linear
from curation.linalg.left_out_groups import left_out_groups, left_out_r2


def left_out_naive(points, target, groups, penalty):
    errors = np.empty(len(target))
    for group in np.unique(groups):
        inside = groups == group
        x, y = points[~inside], target[~inside]
        centre, mean = x.mean(axis=0), y.mean()
        slope = np.linalg.solve(
            (x - centre).T @ (x - centre) + penalty * np.eye(x.shape[1]), (x - centre).T @ (y - mean)
        )
        errors[inside] = target[inside] - mean - (points[inside] - centre) @ slope
    return errors


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "d"), [(40, 5), (30, 50)])
def test_errors_equal_those_of_fits_without_the_group(seed, n, d):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d))
    target = points[:, 0] * 2 + rng.normal(size=n)
    groups = rng.integers(0, 9, n)
    fit = bayes_linear(points, target)
    found = left_out_groups(fit, points, groups)
    np.testing.assert_allclose(found, left_out_naive(points, target, groups, fit.penalty), rtol=1e-6, atol=1e-8)


def test_single_rows_as_groups_are_leave_one_out():
    rng = np.random.default_rng(0)
    points, groups = rng.normal(size=(50, 3)), np.arange(50)
    target = points @ [1, 2, 3] + rng.normal(size=50)
    fit = bayes_linear(points, target)
    assert left_out_r2(target, left_out_groups(fit, points, groups), groups) == pytest.approx(fit.loo_r2)


def test_what_only_siblings_share_is_worth_nothing_on_other_groups():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    own = rng.normal(size=(40, 60))
    points = own[groups] + 0.01 * rng.normal(size=(200, 60))
    target = rng.normal(size=40)[groups] + 0.01 * rng.normal(size=200)
    fit = bayes_linear(points, target)
    assert fit.loo_r2 > 0.9  # siblings tell
    assert left_out_r2(target, left_out_groups(fit, points, groups), groups) < 0.1


def test_one_group_has_nothing_to_learn_from():
    points, target = np.arange(4.0)[:, None], np.arange(4.0)
    groups = np.zeros(4, int)
    found = left_out_groups(bayes_linear(points, target), points, groups)
    assert np.isnan(found).all()
    assert np.isnan(left_out_r2(target, found, groups))
