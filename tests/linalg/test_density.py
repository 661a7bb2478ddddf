from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.linalg import density as module
from curation.linalg.density import kernel_density


def density_naive(points, neighbours, width):
    wide = np.asarray(points, np.float64)
    squared = np.sort(((wide[:, None] - wide[None]) ** 2).sum(axis=2), axis=1)[:, :neighbours]
    return np.maximum(0, 1 - squared / width**2).sum(axis=1)


def points_of(kind, seed, n=90):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, 3))
    if kind == "copies":
        points[40:70] = points[3]
    if kind == "equal":
        points[:] = points[0]
    if kind == "offset":
        points += 3000
    return points if kind == "double" else points.astype(np.float32)


@pytest.mark.parametrize("kind", ["normal", "copies", "equal", "offset", "double"])
def test_near_rows_are_counted_by_how_near_they_are(kind, monkeypatch):
    for seed in range(3):
        points = points_of(kind, seed)
        for neighbours, width in ((90, 0.75), (10, 0.75), (5, 3.0), (1, 1.0), (500, 100.0)):
            found = []
            for rows, columns in ((1024, 4096), (7, 11), (90, 1)):
                monkeypatch.setattr(module, "ROW_BLOCK", rows)
                monkeypatch.setattr(module, "COLUMN_BLOCK", columns)
                found.append(kernel_density(points, neighbours, width))
            np.testing.assert_allclose(found[0], density_naive(points, neighbours, width), rtol=1e-9)
            assert (found[0] >= 1 - 1e-12).all()
            np.testing.assert_array_equal(found[0], found[1])
            np.testing.assert_array_equal(found[0], found[2])


def test_without_width_every_row_stands_alone_and_copies_count_whole():
    points = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    assert (kernel_density(points, 50, 0.0) == 1).all()
    assert (kernel_density(points, 50, 0.5) == 4).all()
    assert (kernel_density(points, 2, 0.5) == 2).all()


def test_rows_that_are_not_finite_are_named_and_progress_reaches_the_end():
    with pytest.raises(DataError, match="row 1"):
        kernel_density(np.array([[1.0], [np.nan]]), 2, 1.0)
    seen = []
    kernel_density(np.eye(4), 2, 1.0, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)
