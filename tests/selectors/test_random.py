"""Random draws."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.random import Random, balanced_order, stratified_picks, uniform_order

LETTERS = ["a"] * 50 + ["b"] * 30 + ["c"] * 5 + [None] * 15


def test_every_row_is_drawn_equally_often():
    n, m, draws = 20, 5, 4000
    counts = np.zeros(n)
    for seed in range(draws):
        counts[uniform_order(np.arange(n), seed)[:m]] += 1
    expected = draws * m / n
    # the chi-square statistic of n − 1 degrees of freedom has mean 19 and deviation 6
    assert ((counts - expected) ** 2 / expected).sum() < 19 + 5 * 6


def test_balanced_draws_differ_by_one_until_a_value_runs_out():
    codes = np.repeat([0, 1, 2], [50, 30, 5])
    order = balanced_order(np.arange(85), codes, 3)
    assert np.sort(order).tolist() == list(range(85))
    for k in range(1, 86):
        counts = np.bincount(codes[order[:k]], minlength=3)
        for value, size in enumerate([50, 30, 5]):
            assert counts[value] >= min(size, counts.max() - 1)


def test_balanced_draws_are_random_inside_a_value_and_in_the_order_of_values():
    codes = np.repeat([0, 1], [10, 10])
    firsts = {int(balanced_order(np.arange(20), codes, seed)[0]) for seed in range(200)}
    assert firsts == set(range(20))


def test_rows_that_are_not_sorted_by_value_are_balanced_too():
    codes = np.array([2, 0, 1, 0, 2, 1, 0, 0])
    order = balanced_order(np.arange(8), codes, 0)
    assert sorted(codes[order[:3]].tolist()) == [0, 1, 2]
    assert sorted(codes[order[:6]].tolist()) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("seed", range(5))
def test_stratified_draws_are_within_one_row_of_proportional(seed):
    codes = np.random.default_rng(seed).integers(-1, 5, 200)
    for count in (1, 7, 50, 200):
        picked = stratified_picks(np.arange(200), codes, count, seed)
        assert len(np.unique(picked)) == count
        for value in range(-1, 5):
            exact = (codes == value).sum() * count / 200
            assert abs((codes[picked] == value).sum() - exact) < 1


def test_uniform_draws_ignore_no_labels_silently(build):
    pool = build(100)
    with pytest.raises(CurationError, match="reads no labels"):
        Random().select(pool.pool, pool.ask(10), Runtime(), labels=pool.labels(LETTERS))


@pytest.mark.parametrize("draw", ["balanced", "stratified"])
def test_labels_are_needed_and_rows_without_one_are_never_drawn(build, draw):
    pool = build(100)
    with pytest.raises(CurationError, match="needs labels"):
        Random(draw=draw).select(pool.pool, pool.ask(10), Runtime())
    made = Random(draw=draw).select(pool.pool, pool.ask(100), Runtime(), labels=pool.labels(LETTERS))
    assert sorted(made.order) == list(range(85))
    assert (made.short_by, made.short_reason) == (15, "the other rows have no label")
    assert made.why(99) == "out: no label"


def test_noise_is_one_more_label(build):
    pool = build(6)
    labels = pool.labels(["a", "a", "a", "a", "a", "b"])
    labels.codes[4] = -1  # noise: no label, and not missing
    made = Random(draw="balanced").select(pool.pool, pool.ask(3), Runtime(), labels=labels)
    assert sorted(labels.codes[made.order].tolist()) == [-1, 0, 1]


def test_another_seed_is_another_draw(build):
    pool = build(50)
    draws = {tuple(Random(seed=seed).select(pool.pool, pool.ask(10), Runtime()).order) for seed in range(10)}
    assert len(draws) == 10


def test_stratified_draws_are_not_nested():
    assert Random().is_nested()
    assert Random(draw="balanced").is_nested()
    assert not Random(draw="stratified").is_nested()
