from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from curation.core.errors import CurationError
from curation.linalg.linear_fit import LEAST_ROWS, linear_fit


def test_a_linear_signal_is_predicted_and_noise_is_not():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 10)).astype(np.float32)
    slope = rng.standard_normal(10)
    clean = features @ slope + 3
    assert linear_fit(features, clean).r2 > 0.9999
    assert linear_fit(features, clean).rank_correlation > 0.999
    noisy = clean + rng.standard_normal(600) * clean.std()  # half of the variance is noise
    assert linear_fit(features, noisy).r2 == pytest.approx(0.5, abs=0.07)
    nothing = linear_fit(features, rng.standard_normal(600))
    assert abs(nothing.r2) < 0.03
    assert abs(nothing.rank_correlation) < 0.2


def test_a_signal_that_is_not_linear_is_not_explained():
    features = np.random.default_rng(1).standard_normal((800, 3))
    fit = linear_fit(features, features[:, 0] ** 2)
    assert fit.r2 < 0.05


def test_it_equals_ridge_regression_refitted_in_every_fold(monkeypatch):
    """The same parts, predicted from penalised normal equations, with the penalty that was found."""
    from curation.linalg import linear_fit as module

    rng = np.random.default_rng(2)
    features = rng.standard_normal((60, 4))
    values = features @ [1.0, -2, 0, 0.5] + rng.standard_normal(60)
    part = module._parts(features, 5, 0)
    assert sorted(np.bincount(part)) == [12] * 5
    found, predicted, base = [], np.empty(60), np.empty(60)
    original = module.bayes_linear
    monkeypatch.setattr(module, "bayes_linear", lambda x, y: found.append(original(x, y)) or found[-1])
    fit = linear_fit(features, values)
    for fold, line in enumerate(found):
        rest, inside = part != fold, part == fold
        centre, mean = features[rest].mean(axis=0), values[rest].mean()
        scatter = (features[rest] - centre).T @ (features[rest] - centre) + line.penalty * np.eye(4)
        slope = np.linalg.solve(scatter, (features[rest] - centre).T @ (values[rest] - mean))
        predicted[inside], base[inside] = mean + (features[inside] - centre) @ slope, mean
    assert fit.r2 == pytest.approx(1 - ((values - predicted) ** 2).sum() / ((values - base) ** 2).sum())
    ranks = [spearmanr(predicted[part == f], values[part == f]).statistic for f in range(5)]
    assert fit.rank_correlation == pytest.approx(np.mean(ranks))
    assert fit.fold_r2.shape == (5,)
    assert fit.rows == 60


def test_copies_share_a_fold_so_that_nothing_is_predicted_from_its_copy():
    rng = np.random.default_rng(3)
    few = rng.standard_normal((30, 25))
    features, values = np.repeat(few, 8, axis=0), np.repeat(rng.standard_normal(30), 8)
    assert linear_fit(features, values).r2 < 0.2  # 25 numbers would learn 30 rows by heart


def test_unit_and_shift_of_the_signal_do_not_matter():
    rng = np.random.default_rng(4)
    features, values = rng.standard_normal((100, 5)), rng.standard_normal(100)
    assert linear_fit(features, 1e4 * values - 7).r2 == pytest.approx(linear_fit(features, values).r2, abs=1e-6)


def test_what_cannot_be_measured_is_an_error():
    rng = np.random.default_rng(5)
    with pytest.raises(CurationError, match="19 rows are too few"):
        linear_fit(rng.standard_normal((LEAST_ROWS - 1, 2)), rng.standard_normal(LEAST_ROWS - 1))
    with pytest.raises(CurationError, match="only 1 different"):
        linear_fit(np.ones((40, 2)), rng.standard_normal(40))
    with pytest.raises(CurationError, match="only 1 different"):
        linear_fit(np.empty((40, 0)), rng.standard_normal(40))
    with pytest.raises(CurationError, match="the same value"):
        linear_fit(rng.standard_normal((40, 2)), np.ones(40))
