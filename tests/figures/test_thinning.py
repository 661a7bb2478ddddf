"""Thinned lines keep their ends and their peaks."""

import numpy as np
import pytest

from curation.figures.thinning import even, extremes


@pytest.mark.parametrize(("n", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (1000, 7), (12_345, 4000)])
def test_even_places_begin_and_end_with_the_line(n, most):
    found = even(n, most)
    assert len(found) == min(n, most)
    assert (np.diff(found) > 0).all()
    if n:
        assert (found[0], found[-1]) == (0, n - 1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n", "most"), [(3, 4), (500, 4), (997, 20), (20_000, 400)])
def test_no_peak_is_lost(n, most, seed):
    values = np.random.default_rng(seed).normal(size=n)
    values[n // 3], values[n // 2] = 99, -99
    found = extremes(values, most)
    assert len(found) <= most
    assert (np.diff(found) > 0).all()
    assert (found[0], found[-1]) == (0, n - 1)
    if n > 3:
        assert {n // 3, n // 2} <= set(found.tolist())
    edges = np.linspace(0, n, most // 2).astype(int) if n > most else np.arange(n + 1)
    for a, b in zip(edges[:-1], edges[1:], strict=True):  # every stretch is drawn as high and as low as it is
        inside = values[found[(found >= a) & (found < b)]]
        assert (inside.min(), inside.max()) == (values[a:b].min(), values[a:b].max())
