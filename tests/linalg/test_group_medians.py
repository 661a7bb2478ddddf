import numpy as np
import pytest

from curation.linalg.group_medians import group_medians


@pytest.mark.parametrize("seed", range(4))
def test_medians_equal_the_loop(seed):
    rng = np.random.default_rng(seed)
    values, codes = rng.integers(0, 9, 200).astype(float), rng.integers(-1, 6, 200)
    values[rng.random(200) < 0.2] = np.nan
    values[3] = np.inf
    codes[codes == 4] = 0
    medians, counts = group_medians(values, codes, 6)
    for g in range(6):
        own = values[(codes == g) & np.isfinite(values)]
        assert counts[g] == len(own)
        assert np.isnan(medians[g]) if not len(own) else medians[g] == np.median(own)
    assert counts[4] == 0


def test_no_rows_and_no_groups():
    medians, counts = group_medians(np.empty(0), np.empty(0, int), 2)
    assert np.isnan(medians).all()
    assert counts.tolist() == [0, 0]
    assert len(group_medians(np.array([1.0]), np.array([-1]), 0)[0]) == 0
