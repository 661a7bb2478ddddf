"""Distributions over the arms: bins, distances and their chance, planted differences."""

from __future__ import annotations

import numpy as np
import pytest

from curation.comparison.spread import Ranked, common_edges, counts_in, score_spread, spread_of
from curation.core.artifacts import Missing, Score


def ks_naive(values, rows):
    """The distance at every value, from two empirical distributions."""
    pool = values[np.isfinite(values)]
    mine = values[rows][np.isfinite(values[rows])]
    return max(abs((mine <= v).mean() - (pool <= v).mean()) for v in pool)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ties", [False, True])
def test_distance_is_that_of_two_distributions(seed, ties):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=120)
    if ties:
        values = np.round(values)
    values[generator.permutation(120)[:10]] = np.nan
    rows = generator.permutation(120)[:40]
    mask = np.zeros(120, bool)
    mask[rows] = True
    assert Ranked(values).ks(mask) == pytest.approx(ks_naive(values, rows))


def test_bins_hold_every_value():
    values = np.concatenate([np.random.default_rng(0).normal(size=1000), [1e6, -1e6]])
    edges = common_edges(values)
    assert len(edges) == 41
    assert (np.diff(edges) > 0).all()
    assert abs(edges).max() < 10  # two values far away do not stretch the bins
    assert counts_in(values, edges).sum() == len(values)


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0], [0.0] * 999 + [1.0]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_bins_of_few_values(values, logarithmic):
    edges = common_edges(np.array(values), logarithmic=logarithmic)
    assert len(edges) >= 2
    assert (np.diff(edges) > 0).all()
    assert counts_in(np.array(values), edges).sum() == len(values)


def test_whole_numbers_get_a_bin_each():
    edges = common_edges(np.array([1.0, 2.0, 2.0, 5.0] * 50))
    assert edges.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


def test_a_planted_shift_is_found_and_random_is_not(comparison):
    generator = np.random.default_rng(0)
    n = 4000
    values = generator.normal(size=n)
    high, chance = np.argsort(-values)[:400].tolist(), generator.permutation(n)[:400].tolist()
    found = spread_of("k", "made", values, comparison({"high": high, "chance": chance}, n))
    best, other = found.arms
    assert best.smd == pytest.approx((values[high].mean() - values.mean()) / values.std())
    assert best.ks > 10 * best.ks_chance
    assert abs(other.smd) < 0.2
    assert other.ks < 1.5 * other.ks_chance
    low, top = best.smd_random
    assert -0.2 < low < top < 0.2
    assert best.quantiles.tolist() == pytest.approx(np.quantile(values[high], [0.05, 0.25, 0.5, 0.75, 0.95]).tolist())
    assert found.pool.ks == pytest.approx(0)
    assert [draw.name for draw in found.random] == ["random 0", "random 1", "random 2"]


def test_missing_values_are_counted_and_left_aside(comparison):
    values = np.array([1.0, 2.0, 3.0, 4.0])
    missing = Missing.where(np.array([False, True, False, False]), "made so")
    found = score_spread("k", Score("x", values, missing, "made", True), comparison({"a": [0, 1], "b": [1]}, 4))
    assert (found.arms[0].present, found.arms[0].missing, found.arms[0].mean) == (1, 1, 1.0)
    assert found.arms[1].present == 0
    assert np.isnan([found.arms[1].mean, found.arms[1].ks, found.arms[1].smd]).all()
    assert found.pool.present == 3


def test_a_score_that_is_missing_everywhere_or_does_not_vary(comparison):
    arms = comparison({"a": [0, 1]}, 4)
    nothing = spread_of("k", "made", np.full(4, np.nan), arms)
    assert nothing.arms[0].present == 0
    same = spread_of("k", "made", np.ones(4), arms)
    assert np.isnan(same.arms[0].smd)
    assert same.arms[0].ks == 0


def test_sizes_with_a_long_tail_get_logarithmic_bins(comparison):
    values = np.round(np.random.default_rng(0).lognormal(5, 1.5, 500))
    made = Score("x", values, Missing.none(500), "tokens")
    assert score_spread("k", made, comparison({"a": [0, 1]}, 500)).logarithmic
