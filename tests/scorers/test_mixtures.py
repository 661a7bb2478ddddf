"""Subsets for the refit: as many rows as asked for, widely different means, less correlated than rows are."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.ridge import inflation
from curation.scorers._mixtures import mixtures, normal_scores


def correlated(p=2, n=2000, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    return np.exp(common + 0.5 * rng.normal(size=(n, p))) * 10.0 ** np.arange(p)  # skewed, on different scales


def means_of(values, drawn):
    return np.array([values[rows].mean(axis=0) for rows in drawn])


def test_each_subset_has_the_size_and_no_row_twice():
    values, clusters = np.arange(100.0).reshape(50, 2), np.arange(50) % 3
    for size in (1, 20, 50):
        drawn = mixtures(values, 7, size, clusters=clusters, seed=1)
        assert len(drawn) == 7
        assert all(len(np.unique(rows)) == size and rows.max() < 50 for rows in drawn)
    first, again = (mixtures(values, 3, 5, seed=2) for _ in range(2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in again]
    assert mixtures(values, 1, 20, seed=2)[0].tolist() != mixtures(values, 1, 20, seed=3)[0].tolist()


@pytest.mark.parametrize("p", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_means_vary_more_and_are_less_tangled_than_those_of_random_subsets(p, seed):
    values = np.log(correlated(p, seed=seed))
    means = means_of(values, mixtures(values, 100, 200, seed=seed))
    rng = np.random.default_rng(seed)
    random = means_of(values, [rng.choice(2000, 200, replace=False) for _ in range(100)])
    assert (means.std(axis=0) > 5 * random.std(axis=0)).all()
    assert inflation(means).max() < 0.8 * inflation(random).max()
    pairs = np.triu_indices(p, 1)
    assert np.corrcoef(means.T)[pairs].mean() < np.corrcoef(values.T)[pairs].mean() - 0.15


def test_clusters_are_mixed_too_and_a_large_concentration_makes_them_alike():
    clusters = np.arange(2000) % 4
    flat = np.ones((2000, 1))
    spread = [
        np.std([(clusters[rows] == 0).mean() for rows in mixtures(flat, 60, 200, clusters=clusters, concentration=c)])
        for c in (0.1, 1.0, 1000.0)
    ]
    assert spread[0] > spread[1] > 3 * spread[2]


def test_copies_and_flat_indicators_do_no_harm():
    values = correlated(1)
    same = np.column_stack([values, values, np.ones(2000)])
    means = means_of(np.log(same), mixtures(same, 50, 200, seed=0))
    assert means[:, 0].std() > 0.2 * np.log(values).std()


def test_scores_are_normal_whatever_the_scale_and_ties_stay_together():
    made = normal_scores(correlated(2))
    np.testing.assert_allclose(made.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(made.std(axis=0), 1, atol=0.01)
    ties = normal_scores(np.repeat([1.0, 2.0], [3, 1])[:, None])[:, 0]
    assert ties[0] == ties[1] == ties[2] < ties[3]


def test_a_small_cluster_gets_its_share_of_the_subsets_too():
    """Two clusters of 1,800 and 200 rows, concentration 1: every share of the small one is as likely as any other."""
    clusters = np.repeat([0, 1], [1800, 200])
    drawn = mixtures(np.ones((2000, 1)), 400, 50, clusters=clusters, concentration=1.0)
    shares = np.array([(clusters[rows] == 1).mean() for rows in drawn])
    np.testing.assert_allclose(np.quantile(shares, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.07)
