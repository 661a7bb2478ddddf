"""Spearman's ρ of many columns equals scipy's pair by pair, with ties and gaps of any pattern."""

import numpy as np
import pytest
from scipy import stats

from curation.linalg.rank_correlation import (
    Correlations,
    cluster_order,
    correlations,
    ranked,
    ranks,
    sample_rows,
    spearman,
)


@pytest.mark.parametrize("seed", range(3))
def test_ranks_equal_scipys(seed):
    values = np.random.default_rng(seed).integers(0, 9, 40).astype(float)
    assert ranks(values).tolist() == (stats.rankdata(values) - 1).tolist()
    assert ranks(np.empty(0)).tolist() == []


def columns(seed, n=300):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    made = [a, np.exp(a), -a + rng.normal(size=n), rng.integers(0, 4, n).astype(float), a.copy(), np.full(n, 2.0)]
    made[2][rng.random(n) < 0.2] = np.nan
    made[3][rng.random(n) < 0.1] = np.nan
    made[4][:10] = np.inf
    return made


@pytest.mark.parametrize("seed", range(4))
def test_every_pair_equals_scipy_on_the_shared_rows(seed):
    given = columns(seed)
    found = correlations([ranked(c) for c in given])
    for i, a in enumerate(given):
        for j, b in enumerate(given):
            both = np.isfinite(a) & np.isfinite(b)
            assert found.rows[i, j] == both.sum()
            if 5 in (i, j):
                assert np.isnan(found.rho[i, j]), "a constant correlates with nothing"
            else:
                assert found.rho[i, j] == pytest.approx(stats.spearmanr(a[both], b[both]).statistic, abs=1e-6)
                assert found.rho[i, j] == pytest.approx(spearman(a, b), abs=1e-6)
    assert found.worst_error() == 0


def test_columns_that_share_no_row():
    found = correlations([ranked(np.array([1.0, 2, np.nan, np.nan])), ranked(np.array([np.nan, np.nan, 1.0, 2]))])
    assert np.isnan(found.rho[0, 1])
    assert found.rows[0, 1] == 0
    assert correlations([]).rho.shape == (0, 0)
    assert correlations([ranked(np.full(4, np.nan))]).rows[0, 0] == 0


def test_the_stated_error_of_a_sample_is_what_samples_really_scatter():
    rng = np.random.default_rng(0)
    n, m = 20_000, 500
    x = rng.normal(size=n)
    y = 0.6 * x + 0.8 * rng.normal(size=n)
    whole = spearman(x, y)
    found = []
    for _ in range(300):
        rows = rng.choice(n, m, replace=False)
        made = correlations([ranked(x[rows]), ranked(y[rows])], of=n)
        found.append(made.rho[0, 1])
    assert np.mean(found) == pytest.approx(whole, abs=0.01)
    assert made.error(0, 1) == pytest.approx(np.std(found), rel=0.25)


def test_the_sample_is_fixed_and_only_taken_where_needed():
    assert sample_rows(10, 10) is None
    first = sample_rows(1000, 50)
    assert len(set(first.tolist())) == 50
    assert np.array_equal(first, sample_rows(1000, 50))
    assert np.array_equal(first, np.sort(first))


def test_like_columns_stand_together_also_when_one_is_turned_around():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=500), rng.normal(size=500)
    given = [a, b, -a + 0.1 * rng.normal(size=500), b + 0.1 * rng.normal(size=500), np.ones(500)]
    order = cluster_order(correlations([ranked(c) for c in given]).rho).tolist()
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert abs(order.index(0) - order.index(2)) == 1
    assert abs(order.index(1) - order.index(3)) == 1


def test_the_error_is_unknown_below_four_rows():
    assert np.isnan(Correlations(np.eye(2), np.full((2, 2), 3), 9).error(0, 1))
