from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.principal import principal_directions


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_directions_are_those_of_the_singular_value_decomposition(dtype):
    points = (np.random.default_rng(0).standard_normal((300, 5)) * [9, 5, 3, 1, 0.5] + 40).astype(dtype)
    mean, variances, directions = principal_directions(points)
    wide = points.astype(np.float64)
    _, singular, right = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(mean, wide.mean(axis=0))
    np.testing.assert_allclose(variances, singular**2 / 300)
    np.testing.assert_allclose(np.abs(right @ directions), np.eye(5), atol=1e-9)
    for block in (1, 7):
        np.testing.assert_allclose(principal_directions(points, block)[1], variances)


def test_equal_rows_and_one_row_have_no_variance():
    for points in (np.full((100_000, 3), 0.1, np.float32), np.array([[1.0, 2.0]])):
        mean, variances, directions = principal_directions(points)
        np.testing.assert_array_equal(mean, points[0])
        np.testing.assert_array_equal(variances, 0)
        np.testing.assert_allclose(directions.T @ directions, np.eye(points.shape[1]))
