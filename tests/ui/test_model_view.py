"""Means of what a training measured, an epoch at a time."""

import numpy as np

from curation.ui.model_view import mean_over_rows


def test_the_mean_is_over_the_rows_that_have_a_value():
    values = np.random.default_rng(0).normal(size=(2, 3, 50)).astype(np.float32)
    values[0, 1, :20] = np.nan
    values[1, 2, 5] = np.inf
    values[1, 0] = np.nan
    found = mean_over_rows(values)
    assert found.dtype == np.float64
    for run in range(2):
        for epoch in range(3):
            there = [float(v) for v in values[run, epoch] if np.isfinite(v)]
            assert np.isnan(found[run, epoch]) if not there else np.isclose(found[run, epoch], np.mean(there))
