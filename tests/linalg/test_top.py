"""The best scores, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.top import keep_top


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_equals_sorting_all_scores(seed, dtype):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 20, (30, 57)).astype(dtype)  # many equal ones
    scores[scores == 0] = -np.inf
    kept, columns = np.full((30, 6), -np.inf, dtype), np.full((30, 6), -1, np.int64)
    for left in range(0, 57, 10):
        keep_top(np.ascontiguousarray(scores[:, left : left + 10]), left, kept, columns)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :6]
    np.testing.assert_array_equal(kept, np.take_along_axis(scores, order, 1))
    np.testing.assert_array_equal(columns, order)


def test_nothing_is_kept_of_nothing():
    kept, columns = np.full((2, 3), -np.inf, np.float32), np.full((2, 3), -1, np.int64)
    keep_top(np.full((2, 5), -np.inf, np.float32), 0, kept, columns)
    assert (columns == -1).all()
