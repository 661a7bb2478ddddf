from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.linalg import distances
from curation.linalg.distances import (
    all_unit_rows,
    bound_share,
    finite_points,
    pair_squared_distances,
    squared_norms,
    unit_rows,
)


def test_unit_rows_reports_rows_without_direction():
    points = np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [-2.0, 0.0]])
    unit = unit_rows(points)
    np.testing.assert_array_equal(unit.kept, [0, 4])
    np.testing.assert_array_equal(unit.rejected, [1, 2, 3])
    np.testing.assert_allclose(unit.values, [[0.6, 0.8], [-1, 0]], rtol=1e-7)
    assert unit.values.dtype == np.float32


def test_unit_rows_of_very_long_and_very_short_rows():
    unit = unit_rows(np.array([[1e30, 1e30], [1e-30, 0]], np.float32))
    np.testing.assert_allclose(np.linalg.norm(unit.values, axis=1), 1, rtol=1e-6)
    assert not len(unit.rejected)


def test_all_unit_rows_refuses_and_names_the_first():
    with pytest.raises(DataError, match="row 1: 2 of 3 rows have no direction"):
        all_unit_rows(np.array([[1.0], [0.0], [0.0]]))


def test_inputs_are_untouched():
    points = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    before = points.copy()
    unit_rows(points)
    finite_points(points)
    pair_squared_distances(points, np.array([0, 1]), np.array([2, 3]))
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize(
    ("dtype", "scale", "wanted"),
    [
        (np.float32, 1, np.float32),
        (np.float16, 1, np.float32),
        (np.float64, 1, np.float64),
        (np.int64, 1, np.float64),
        (np.float32, 1e17, np.float64),
        (np.float32, 1e-16, np.float64),
        (np.float32, 0, np.float32),
    ],
)
def test_precision_of_products(dtype, scale, wanted):
    points = finite_points((np.arange(1, 7).reshape(3, 2) * scale).astype(dtype))
    assert points.dtype == wanted
    assert points.flags.c_contiguous


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_points_that_are_not_finite_are_refused(bad):
    points = np.ones((4, 2))
    points[2, 1] = bad
    with pytest.raises(DataError, match="row 2"):
        finite_points(points)


@pytest.mark.parametrize("points", [np.ones(3), np.ones((2, 0)), np.array([["a"]]), np.empty((0, 2))])
def test_shapes_that_are_not_rows_are_refused(points):
    with pytest.raises(DataError):
        finite_points(points)


def test_pair_distances_do_not_depend_on_company_or_direction(monkeypatch):
    rng = np.random.default_rng(0)
    for d in (1, 2, 3, 7, 8, 33, 384):
        points = (rng.standard_normal((40, d)) * 100).astype(np.float32)
        points[7] = points[3]
        rows, others = rng.integers(0, 40, 500), rng.integers(0, 40, 500)
        together = pair_squared_distances(points, rows, others)
        alone = [pair_squared_distances(points, rows[i : i + 1], others[i : i + 1])[0] for i in range(500)]
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(together, pair_squared_distances(points, others, rows))
        monkeypatch.setattr(distances, "PAIR_BLOCK", 3)
        np.testing.assert_array_equal(together, pair_squared_distances(points, rows, others))
        monkeypatch.undo()
        assert pair_squared_distances(points, np.array([7]), np.array([3]))[0] == 0
        wide = points.astype(np.float64)
        np.testing.assert_allclose(together, ((wide[rows] - wide[others]) ** 2).sum(1), rtol=1e-12)
        # of either memory order
        np.testing.assert_array_equal(together, pair_squared_distances(np.asfortranarray(points), rows, others))


def test_one_row_against_all_and_other_points():
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(pair_squared_distances(points, np.arange(2), np.array([1])), [25, 0])
    other = np.array([[1.0, 0.0]])
    np.testing.assert_array_equal(
        pair_squared_distances(points, np.arange(2), np.array([0]), other_points=other), [1, 20]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 5, 384])
def test_products_are_off_by_less_than_the_bound(dtype, d):
    rng = np.random.default_rng(d)
    scale = 10.0 ** rng.integers(-4, 5, (300, 1))
    points = (rng.standard_normal((300, d)) * scale + rng.choice([0, 50], (300, 1))).astype(dtype)
    norms = squared_norms(points)
    rows, others = (each.ravel() for each in np.meshgrid(np.arange(300), np.arange(300), indexing="ij"))
    exact = pair_squared_distances(points, rows, others).reshape(300, 300)
    low = ((1 - bound_share(points)) * norms).astype(dtype)
    lower = points @ (points * dtype(-2)).T + low[:, None] + low[None, :]
    assert (lower <= exact).all()
    # and the bound is not so wide as to be useless
    assert bound_share(points) < 1e-3
