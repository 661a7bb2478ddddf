"""Ridge regression: leave-one-out against refitting, planted coefficients, intervals, collinearity."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.ridge import PENALTIES, by_luck, inflation, intervals, ridge


def planted(m, p, noise, seed, scales=None):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(m, p)) * (scales if scales is not None else np.ones(p)) + rng.normal(size=p)
    truth = rng.normal(size=p) / (scales if scales is not None else np.ones(p))
    return columns, truth, 0.7 + columns @ truth + noise * rng.normal(size=m)


def ridge_naive(columns, target, penalty):
    """The penalised least squares solved as written, columns standardised."""
    m, p = columns.shape
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    design = np.hstack([np.ones((m, 1)), (columns - centre) / scale])
    weights = np.diag([0.0] + [penalty * m] * p)
    found = np.linalg.solve(design.T @ design + weights, design.T @ target)
    return found[0] - centre @ (found[1:] / scale), found[1:] / scale


def left_out_naive(columns, target, penalty):
    """Refit without each row in turn, on the scale of all rows."""
    m, p = columns.shape
    standard = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    design = np.hstack([np.ones((m, 1)), standard])
    weights = np.diag([0.0] + [penalty * m] * p)
    errors = []
    for i in range(m):
        rest = np.arange(m) != i
        found = np.linalg.solve(design[rest].T @ design[rest] + weights, design[rest].T @ target[rest])
        errors.append(target[i] - design[i] @ found)
    return np.array(errors)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", [0.0, 0.01, 1.0])
def test_it_equals_the_textbook_solution_and_refitting_without_each_row(seed, penalty):
    columns, _, target = planted(25, 4, 0.3, seed, np.array([1e-3, 1.0, 50.0, 3.0]))
    made = ridge(columns, target, (penalty,))
    intercept, coefficients = ridge_naive(columns, target, penalty)
    np.testing.assert_allclose(made.coefficients, coefficients, rtol=1e-8)
    assert made.intercept == pytest.approx(intercept, rel=1e-8)
    errors = left_out_naive(columns, target, penalty)
    means = np.array([np.delete(target, i).mean() for i in range(25)])
    assert made.loo_r2 == pytest.approx(1 - (errors**2).sum() / ((target - means) ** 2).sum(), rel=1e-8)
    np.testing.assert_allclose(made.predict(columns), intercept + columns @ coefficients)


@pytest.mark.parametrize("seed", range(5))
def test_without_noise_it_recovers_the_planted_coefficients(seed):
    columns, truth, target = planted(30, 5, 0.0, seed)
    made = ridge(columns, target)
    np.testing.assert_allclose(made.coefficients, truth, rtol=1e-6, atol=1e-9)
    assert made.intercept == pytest.approx(0.7, abs=1e-6)
    assert made.loo_r2 == pytest.approx(1, abs=1e-9)


def test_with_noise_the_coefficients_lie_within_three_standard_errors():
    far = 0
    for seed in range(40):
        columns, truth, target = planted(50, 4, 0.5, seed)
        made = ridge(columns, target)
        design = np.hstack([np.ones((50, 1)), columns])
        errors = made.sigma * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[1:]
        far += int((np.abs(made.coefficients - truth) > 3 * errors).sum())
    assert far <= 2  # of 160; 0.4 are expected


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    inside = []
    for seed in range(60):
        columns, truth, target = planted(50, 3, 0.5, 100 + seed)
        ends = intervals(columns, target, seed=seed, draws=200)
        assert (ends[:, 0] < ends[:, 1]).all()
        inside.append((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    assert 0.88 <= np.mean(inside) <= 0.99


def test_noise_alone_gets_a_large_penalty_and_explains_nothing_left_out():
    rng = np.random.default_rng(0)
    made = ridge(rng.normal(size=(20, 8)), rng.normal(size=20))
    assert made.penalty > 0.1
    assert made.loo_r2 < 0.3


def test_noise_is_as_good_by_luck_and_a_planted_line_is_not():
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found.append(by_luck(rng.normal(size=(24, 4)), rng.normal(size=24), seed=seed, draws=39))
    assert np.mean(np.array(found) <= 0.05) <= 0.2
    assert 0.3 < np.mean(found) < 0.7
    columns, _, target = planted(24, 4, 0.5, 0)
    assert by_luck(columns, target, seed=0, draws=39) == pytest.approx(1 / 40)


def test_a_column_without_spread_gets_no_coefficient():
    columns, _, target = planted(20, 3, 0.1, 0)
    columns[:, 1] = 0.1
    made = ridge(columns, target)
    assert made.coefficients[1] == 0
    assert np.isnan(inflation(columns)[1])
    flat = ridge(np.ones((5, 2)), np.arange(5.0))
    assert flat.intercept == pytest.approx(2)
    assert flat.r2 == pytest.approx(0)


def test_more_columns_than_rows_and_copies_of_a_column_are_fitted_with_a_penalty():
    columns, _, target = planted(6, 10, 0.1, 0)
    assert ridge(columns, target).penalty > 0
    columns, _, target = planted(30, 2, 0.1, 1)
    twice = ridge(np.hstack([columns, columns[:, :1]]), target, PENALTIES)
    np.testing.assert_allclose(twice.coefficients[0], twice.coefficients[2], rtol=1e-6)


def test_inflation_is_one_for_columns_of_their_own_and_infinite_for_a_sum():
    made = np.random.default_rng(0).normal(size=(40, 4))
    made = np.linalg.qr(made - made.mean(axis=0))[0]  # orthogonal columns of mean 0
    np.testing.assert_allclose(inflation(made), 1, rtol=1e-6)
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(200, 2))
    mixed = np.column_stack([columns, 0.9 * columns[:, 0] + rng.normal(size=200) * 0.3])
    r2 = np.corrcoef(mixed.T)
    np.testing.assert_allclose(inflation(mixed), np.diag(np.linalg.inv(r2)), rtol=1e-8)
    assert np.isinf(inflation(np.column_stack([columns, columns.sum(axis=1)]))).all()


def test_one_row_is_no_line():
    with pytest.raises(ValueError, match="two rows"):
        ridge(np.ones((1, 1)), np.ones(1))


@pytest.mark.parametrize("value", [0.5, 0.1])  # the mean of tenths is not quite a tenth
def test_a_target_without_spread_is_explained_by_nothing(value):
    columns, target = np.random.default_rng(0).normal(size=(20, 3)), np.full(20, value)
    made = ridge(columns, target)
    assert np.isnan([made.r2, made.loo_r2]).all()
    assert by_luck(columns, target, seed=0, draws=9) == 1
