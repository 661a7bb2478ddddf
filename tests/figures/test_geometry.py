"""The polygon test for many corners: the same booleans as the loop over all edges."""

import numpy as np
import pytest

from curation.figures.geometry import inside_box, inside_polygon


def inside_naive(xy, x, y):
    """Every edge looks at every point within the box of the polygon."""
    px, py = xy[:, 0].astype(np.float64), xy[:, 1].astype(np.float64)
    crossed = np.zeros(len(xy), bool)
    for i in range(len(x)):
        x0, y0, x1, y1 = x[i - 1], y[i - 1], x[i], y[i]
        if y0 == y1:
            continue
        crossed ^= ((y0 > py) != (y1 > py)) & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    return crossed & inside_box(xy, x, y)


@pytest.mark.parametrize("seed", range(60))
def test_it_is_the_loop_also_on_corners_and_edges(seed):
    rng = np.random.default_rng(seed)
    xy = rng.normal(0, 5, (300, 2)).astype(np.float32)
    corners = rng.normal(0, 6, (rng.integers(3, 25), 2))
    if seed % 2:
        xy, corners = np.round(xy), np.round(corners)
    if seed % 3 == 0:
        xy[::7] = np.nan
        corners[1] = corners[0]
    x, y = corners[:, 0].tolist(), corners[:, 1].tolist()
    np.testing.assert_array_equal(inside_polygon(xy, x, y), inside_naive(xy, x, y))
