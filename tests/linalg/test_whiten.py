from __future__ import annotations

import numpy as np
import pytest

from curation.linalg import whiten
from curation.linalg.whiten import whitening


def test_components_have_spread_one_and_an_intercept(monkeypatch):
    monkeypatch.setattr(whiten, "ROW_BLOCK", 17)
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 6)) * [9, 5, 3, 1, 0.5, 0.1] + 40
    found = whitening(points, 10)
    made = found.apply(points, np.float64)
    assert made.shape == (300, 7)
    np.testing.assert_array_equal(made[:, -1], 1)
    np.testing.assert_allclose(made[:, :-1].T @ made[:, :-1] / 300, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(made[:, :-1].mean(axis=0), 0, atol=1e-9)
    assert found.kept == 1.0
    assert found.apply(points).dtype == np.float32


def test_shrinking_keeps_proportions_and_the_first_components_hold_the_most():
    points = np.random.default_rng(1).standard_normal((400, 5)) * [8, 4, 2, 1, 0.5]
    variance = np.sort(np.linalg.eigvalsh(np.cov(points.T, bias=True)))[::-1]
    whole, half = (whitening(points, 3, shrink).apply(points, np.float64)[:, :-1].var(axis=0) for shrink in (1, 0.5))
    np.testing.assert_allclose(whole, variance[:3] / variance[:3].mean())
    np.testing.assert_allclose(half, variance[:3] / (variance[:3] / 2 + variance[:3].mean() / 2))
    assert whitening(points, 3).kept == pytest.approx(variance[:3].sum() / variance.sum())


def test_lengths_and_angles_do_not_depend_on_how_points_are_turned():
    rng = np.random.default_rng(2)
    points = rng.standard_normal((80, 6)) * [5, 4, 3, 2, 1, 0.5]
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    one, two = (whitening(p, 4, 0.1).apply(p, np.float64) for p in (points, points @ turn))
    np.testing.assert_allclose(one @ one.T, two @ two.T, atol=1e-9)


@pytest.mark.parametrize("points", [np.ones((1, 4)), np.full((9, 4), 0.1), np.zeros((3, 2))])
def test_rows_without_spread_have_the_intercept_alone(points):
    found = whitening(points, 4)
    np.testing.assert_array_equal(found.apply(points), np.ones((len(points), 1)))
    assert found.kept == 1.0


def test_directions_that_the_rows_do_not_span_are_left_out():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((50, 2)) @ rng.standard_normal((2, 8))
    assert whitening(points, 8).axes.shape == (8, 2)
    assert whitening(rng.standard_normal((4, 8)), 8).axes.shape == (8, 3)
