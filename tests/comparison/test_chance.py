"""What chance gives: against exact sums and against draws."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from curation.comparison.chance import expected_overlap, hypergeometric_interval, ks_limit


def interval_naive(population, marked, draws, level):
    """The two quantiles from whole-number counts of all draws."""
    total, below, ends = comb(population, draws), 0, []
    targets = [(1 - level) / 2, (1 + level) / 2]
    for k in range(min(marked, draws) + 1):
        below += comb(marked, k) * comb(population - marked, draws - k) if draws - k <= population - marked else 0
        while targets and below / total >= targets[0] - 1e-12:
            ends.append(k)
            targets.pop(0)
    return tuple(ends)


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("seed", range(20))
def test_interval_is_the_exact_one(seed, level):
    generator = np.random.default_rng(seed)
    population = int(generator.integers(1, 60))
    marked, draws = (int(generator.integers(0, population + 1)) for _ in range(2))
    assert hypergeometric_interval(population, marked, draws, level) == interval_naive(population, marked, draws, level)


@pytest.mark.parametrize(("population", "marked", "draws"), [(0, 0, 0), (5, 0, 3), (5, 5, 3), (5, 3, 5), (5, 3, 0)])
def test_what_cannot_vary_is_one_number(population, marked, draws):
    low, high = hypergeometric_interval(population, marked, draws)
    assert low == high == (marked * draws // population if population else 0)


def test_a_million_rows_agree_with_draws():
    generator = np.random.default_rng(0)
    found = generator.hypergeometric(100_000, 900_000, 50_000, 20_000)
    low, high = hypergeometric_interval(1_000_000, 100_000, 50_000)
    assert abs(found.mean() - expected_overlap(1_000_000, 100_000, 50_000)) < 2
    assert np.quantile(found, [0.025, 0.975]) == pytest.approx([low, high], abs=8)
    assert 0.94 < ((found >= low) & (found <= high)).mean() < 0.965


@pytest.mark.parametrize("size", [50, 300, 900])
def test_five_draws_of_a_hundred_are_beyond_the_limit(size):
    generator = np.random.default_rng(size)
    n = 1000
    place = np.arange(1, n + 1) / n
    limit, beyond = ks_limit(size, n), 0
    for _ in range(2000):
        taken = np.zeros(n)
        taken[generator.permutation(n)[:size]] = 1
        beyond += bool(np.abs(np.cumsum(taken) / size - place).max() > limit)
    assert 0.02 < beyond / 2000 < 0.07


def test_the_whole_pool_is_no_distance_from_itself():
    assert ks_limit(10, 10) == 0
    assert np.isnan(ks_limit(0, 10))
