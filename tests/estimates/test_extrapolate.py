"""Extrapolation from groups: exact where it can be, and intervals that hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from curation.estimates.extrapolate import Range, exactly, extrapolate


def planted(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Characters, tokens read and tokens written of rows, with the long tails that real rows have."""
    rng = np.random.default_rng(seed)
    characters = np.exp(rng.normal(6.3, 0.8, n)) + 600
    read = characters / rng.normal(4.2, 0.35, n).clip(2, 6) + 12
    written = np.exp(rng.normal(4.0, 0.5, n)).round()
    return characters, read, written


def split(seed: int, rows: int = 30, groups: int = 10) -> tuple[Range, float, Range, float, Range, float]:
    characters, read, written = planted(seed)
    order = np.random.default_rng(seed + 999).permutation(len(read))
    members, rest = order[:rows].reshape(groups, -1), order[rows:]
    size = np.full(groups, members.shape[1])
    x, y, z = (a[members].sum(1) for a in (characters, read, written))
    count = size.astype(float)
    far = characters[rest].sum()
    tokens = extrapolate(y[:, None], x[:, None], np.array([far]), size, len(rest))
    out = extrapolate(z[:, None], count[:, None], np.array([float(len(rest))]), size, len(rest))
    both = extrapolate(
        np.stack([0.15 * y, 0.6 * z], 1), np.stack([x, count], 1), np.array([far, len(rest)]), size, len(rest)
    )
    money = 0.15 * read[rest].sum() + 0.6 * written[rest].sum()
    return tokens, read[rest].sum(), out, written[rest].sum(), both, money


def test_what_is_in_proportion_is_found_exactly():
    x = np.array([[10.0], [30.0], [20.0]])
    found = extrapolate(2.5 * x, x, np.array([400.0]), np.array([1, 1, 1]), 9)
    assert found.value == pytest.approx(1000)
    assert found.high - found.low == pytest.approx(0, abs=1e-6)


def test_parts_with_sizes_of_their_own_add_up():
    a, b = np.array([[1.0], [2.0]]), np.array([[4.0], [4.0]])
    rows = np.array([2, 2])
    alone = [extrapolate(part, size, np.array([10.0]), rows, 6).value for part, size in ((a, b), (b, a))]
    both = extrapolate(np.hstack([a, b]), np.hstack([b, a]), np.array([10.0, 10.0]), rows, 6)
    assert both.value == pytest.approx(sum(alone))


def test_the_interval_is_that_of_a_mean_by_hand():
    y = np.array([3.0, 5.0, 10.0, 6.0])
    found = extrapolate(y[:, None], np.ones((4, 1)), np.array([50.0]), np.ones(4, int), 50)
    # mean 6: the jackknife of a mean is s² / g, and fifty more rows scatter by 50 s²
    spread = np.sqrt(50**2 * y.var(ddof=1) / 4 + 50 * y.var(ddof=1))
    assert found.value == pytest.approx(300)
    assert found.high == pytest.approx(300 + t.ppf(0.975, 3) * spread)
    assert found.low == pytest.approx(max(300 - t.ppf(0.975, 3) * spread, 0))


def test_nothing_left_costs_nothing_and_one_group_has_no_upper_end():
    one = np.ones((1, 1))
    assert extrapolate(one, one, np.array([0.0]), np.array([3]), 0) == exactly(0.0)
    found = extrapolate(one, one, np.array([7.0]), np.array([3]), 7)
    assert (found.value, found.low, found.high) == (7.0, 0.0, float("inf"))


def test_nothing_measured_is_zero_not_an_error():
    none = np.zeros((3, 1))
    assert extrapolate(none, none, np.array([5.0]), np.ones(3, int), 5).value == 0


def test_the_interval_holds_the_truth_as_often_as_it_says():
    # 95 % is promised; of 400 splits 2 % fewer is as much as chance allows (1.8 deviations). A test of 20 splits that
    # asks for 18 would fail by chance alone in one of fourteen runs.
    splits = [split(seed) for seed in range(400)]
    for place in (0, 2, 4):
        held = np.mean([found[place].holds(found[place + 1]) for found in splits])
        assert 0.93 <= held <= 0.985, (place, held)


def test_the_interval_is_no_wider_than_it_must_be():
    widths = [(s[0].high / s[0].value - 1, s[4].high / s[4].value - 1) for s in map(split, range(20))]
    tokens, money = np.median(widths, 0)
    assert tokens < 0.08  # tokens read follow from characters
    assert money < 0.25


def test_more_rows_narrow_it():
    few = np.median([split(s)[2].high / split(s)[2].value for s in range(8)])
    many = np.median([split(s, rows=300)[2].high / split(s, rows=300)[2].value for s in range(8)])
    assert many - 1 < 0.6 * (few - 1)
