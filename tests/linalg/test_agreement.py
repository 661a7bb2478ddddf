"""Agreement, position and length bias, against references and planted truths."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.saving import to_json
from curation.linalg.agreement import (
    agreement,
    judge_report,
    length_bias,
    mean,
    mean_difference,
    quadratic_kappa,
    share,
)


def two(n=80, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 11, n) / 2
    second = np.clip(first + rng.integers(-2, 3, n) / 2 * (rng.random(n) < noise), 0, 5)
    return first, second


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_a_table_with_quadratic_weights(seed):
    from sklearn.metrics import cohen_kappa_score

    a, b = two(seed=seed)
    labels = list(range(11))
    expected = cohen_kappa_score((a * 2).astype(int), (b * 2).astype(int), labels=labels, weights="quadratic")
    assert quadratic_kappa(a, b) == pytest.approx(expected, abs=1e-12)
    assert quadratic_kappa(a * 7 - 3, b * 7 - 3) == pytest.approx(expected)
    assert quadratic_kappa(a, a) == 1.0
    assert np.isnan(quadratic_kappa(np.ones(5), np.ones(5)))


def test_values_of_agreement_are_those_of_scipy():
    from scipy.stats import pearsonr, spearmanr

    a, b = two()
    found = agreement(a, b, step=0.5, draws=200)
    assert found.rows == 80
    assert found.exact.value == np.mean(a == b)
    assert found.within.value == np.mean(np.abs(a - b) <= 0.5)
    assert found.difference.value == pytest.approx(np.abs(a - b).mean())
    assert found.shift.value == pytest.approx((b - a).mean())
    assert found.pearson.value == pytest.approx(pearsonr(a, b)[0])
    assert found.spearman.value == pytest.approx(spearmanr(a, b)[0])
    for part in (found.exact, found.within, found.difference, found.shift, found.pearson, found.spearman, found.kappa):
        assert part.low < part.value < part.high


def test_the_correlation_interval_is_near_that_of_scipys_bootstrap():
    from scipy.stats import bootstrap, pearsonr

    a, b = two(120)
    found = agreement(a, b, draws=4000).pearson
    expected = bootstrap((a, b), lambda x, y: pearsonr(x, y)[0], paired=True, vectorized=False, n_resamples=2000,
                         method="percentile", random_state=0).confidence_interval  # fmt: skip
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.02)


def test_a_share_has_the_exact_interval():
    from scipy.stats import binomtest

    for hits, of in [(0, 10), (10, 10), (3, 7), (45, 50)]:
        expected = binomtest(hits, of).proportion_ci(method="exact")
        found = share(hits, of)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert np.isnan(share(0, 0).value)


def test_means_have_the_intervals_of_student_and_welch():
    from scipy.stats import ttest_1samp, ttest_ind

    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, 30), rng.normal(0, 1, 50)
    one, other = ttest_1samp(a, 0).confidence_interval(), ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (mean(a).low, mean(a).high) == pytest.approx((one.low, one.high))
    found = mean_difference(a, b)
    assert (found.low, found.high) == pytest.approx((other.low, other.high))


def test_rows_that_are_missing_once_do_not_count():
    a, b = two(50)
    a[:10], b[5:20] = np.nan, np.nan
    assert agreement(a, b, draws=10).rows == 30
    assert agreement(np.full(5, np.nan), np.zeros(5)).rows == 0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_have_values_without_intervals_or_none(n):
    a = np.arange(n, dtype=float)
    report = judge_report(a, a, a + 1, np.arange(n) + 1)
    json.loads(to_json(report.facts()))
    assert np.isnan(report.again.kappa.low)
    assert np.isnan(report.position.low)
    if n:
        assert report.again.exact.value == 1.0
        assert report.position.value == 1.0
    else:
        assert np.isnan(report.again.exact.value)


def test_a_few_shifts_that_are_all_the_same_prove_nothing():
    nothing, three, ten = np.zeros(3), np.full(3, -0.5), np.full(10, -0.5)
    assert np.isnan(mean(three).low)
    assert not mean_difference(three, nothing).excludes(0)
    assert mean_difference(three, nothing).value == -0.5
    # ten times the same sign is no chance
    assert mean(ten).excludes(0)
    assert mean_difference(ten, np.zeros(10)).excludes(0)
    assert np.isnan(mean(np.full(5, -0.5)).low)
    assert mean(np.full(6, -0.5)).excludes(0)


def test_pairs_that_all_agree_have_no_bootstrap_interval():
    a, _ = two(20)
    found = agreement(a, a)
    assert found.kappa.value == 1.0
    assert np.isnan(found.kappa.low)
    assert found.exact.low > 0.8  # the exact interval knows that 20 are not all


def test_a_judge_that_prefers_what_comes_first_is_found_and_a_fair_one_is_not():
    rng = np.random.default_rng(1)
    n = 400
    truth = rng.uniform(0, 5, n)
    turns = rng.integers(0, 2, n).astype(bool)
    ask = lambda shift: truth + rng.normal(0, 0.5, n) + shift  # noqa: E731
    first = ask(0)
    for shift, biased in [(0.0, False), (-0.4, True), (0.4, True)]:
        report = judge_report(first, np.where(turns, ask(0), np.nan), np.where(~turns, ask(shift), np.nan), np.ones(n))
        assert report.position.excludes(0) == biased
        assert report.position.low < shift < report.position.high
        assert not report.again.shift.excludes(0)


def test_the_position_interval_covers_in_its_share_of_runs():
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(0, 1, 25), rng.normal(0.3, 2, 40)
        found = mean_difference(b, a)
        hits += found.low <= 0.3 <= found.high
    assert 0.92 <= hits / 300 <= 0.98


def test_length_bias_is_points_per_doubling():
    rng = np.random.default_rng(2)
    lengths = rng.integers(10, 4000, 500)
    scores = 1 + 0.3 * np.log2(lengths) + rng.normal(0, 0.2, 500)
    rho, slope = length_bias(scores, lengths)
    assert slope.low < 0.3 < slope.high
    assert slope.high - slope.low < 0.05
    assert rho.low < rho.value < rho.high
    assert rho.value > 0.8
    fair, flat = length_bias(rng.normal(size=500), lengths)
    assert not fair.excludes(0)
    assert not flat.excludes(0)


def test_the_slope_and_its_error_are_those_of_an_independent_fit():
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 500, 60)
    x = np.log2(lengths)
    scores = x * 0.5 + rng.normal(0, 1, 60) * x
    _, slope = length_bias(scores, lengths)
    design = np.column_stack([np.ones(60), x])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ scores
    hat = np.einsum("ij,jk,ik->i", design, inverse, design)
    rest = (scores - design @ beta) / (1 - hat)
    hc3 = inverse @ (design.T * rest**2) @ design @ inverse
    assert slope.value == pytest.approx(beta[1])
    from scipy.stats import t

    assert slope.high - slope.value == pytest.approx(t.ppf(0.975, 58) * np.sqrt(hc3[1, 1]))


def test_rows_without_a_response_or_of_one_length_say_nothing():
    rho, slope = length_bias(np.arange(5.0), np.zeros(5))
    assert np.isnan(rho.value)
    assert np.isnan(slope.value)
    rho, slope = length_bias(np.arange(5.0), np.full(5, 7))
    assert np.isnan(slope.value)


def test_the_same_twice_and_another_seed_a_little_else():
    a, b = two(40)
    assert agreement(a, b, draws=300) == agreement(a, b, draws=300)
    assert agreement(a, b, draws=300, seed=1).kappa.low != agreement(a, b, draws=300).kappa.low
