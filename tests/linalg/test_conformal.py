"""Conformal quantiles, p-values and Benjamini-Hochberg, against the definitions written out."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.conformal import (
    auc,
    benjamini_hochberg,
    conformal_p_values,
    conformal_quantile,
    coverage_range,
    rows_needed,
    smallest_rate,
)


def hochberg_naive(p, q):
    order, best = sorted(p), 0.0
    for k, value in enumerate(order, 1):
        if value <= q * k / len(p) + 1e-15:
            best = value
    return np.array([value <= best for value in p])


@pytest.mark.parametrize("seed", range(5))
def test_p_values_and_hochberg_are_what_their_definitions_say(seed):
    rng = np.random.default_rng(seed)
    predicted, held = rng.integers(0, 12, 40) / 4, rng.integers(0, 12, 30) / 4  # many ties
    good = rng.random(30) < 0.4
    found = conformal_p_values(predicted, held, good)
    naive = [(1 + sum(not g and h >= p for h, g in zip(held, good, strict=True))) / 31 for p in predicted]
    np.testing.assert_allclose(found, naive)
    assert found.min() >= 1 / 31
    assert found.max() <= 1
    for q in (0.05, 0.2, 0.5, 0.9):
        np.testing.assert_array_equal(benjamini_hochberg(found, q), hochberg_naive(found, q))


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_rate_is_where_rows_begin(seed):
    p = np.random.default_rng(seed).random(50) ** 2
    lowest = smallest_rate(p)
    assert benjamini_hochberg(p, lowest * 1.0001).any()
    assert not benjamini_hochberg(p, lowest * 0.999).any()
    assert smallest_rate(np.empty(0)) == float("inf")
    assert not benjamini_hochberg(np.empty(0), 0.5).any()


def test_the_quantile_is_infinite_until_there_are_enough_rows():
    assert rows_needed(0.9) == 9
    assert rows_needed(0.95) == 19
    assert conformal_quantile(np.arange(8.0), 0.9) == float("inf")
    assert conformal_quantile(np.arange(9.0), 0.9) == 8.0  # the 9th of 9
    assert conformal_quantile(np.arange(19.0), 0.9) == 17.0  # the 18th of 19
    assert conformal_quantile(np.empty(0), 0.9) == float("inf")


def test_the_promised_range_of_coverage_holds_nine_of_ten_draws():
    rng, n = np.random.default_rng(0), 60
    low, high = coverage_range(n, 0.9)
    # of uniform errors the true coverage of "below t" is t
    true = [conformal_quantile(rng.random(n), 0.9) for _ in range(4000)]
    assert np.mean([low <= t <= high for t in true]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(true) == pytest.approx(np.ceil(61 * 0.9) / 61, abs=0.003)


def test_auc_counts_pairs_and_ties_half():
    rng = np.random.default_rng(0)
    values, positive = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in values[positive] for b in values[~positive]]
    assert auc(values, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(auc(values, np.ones(60, bool)))
