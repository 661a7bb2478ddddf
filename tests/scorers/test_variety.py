"""LIFT's variety against a plain reference, and on planted outliers and copies."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, DataError
from curation.core.runtime import Runtime
from curation.scorers.variety import RowVariety, _level, overlap_of_tops, row_variance


def variety_naive(points, retained=0.95, off_by_one=False):
    """Standardise, SVD, cut, fix the signs, and one row after the other."""
    points = np.asarray(points, np.float64)
    points = points[:, points.max(axis=0) > points.min(axis=0)]
    standard = (points - points.mean(axis=0)) / points.std(axis=0)
    _, singular, right = np.linalg.svd(standard, full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    r = next(k for k in range(len(share)) if share[k] >= retained) + (0 if off_by_one else 1)
    for k in range(r):
        largest = int(np.argmax(np.abs(right[k])))
        if right[k, largest] < 0:
            right[k] = -right[k]
    scores = standard @ right[:r].T
    variance = [((row - row.sum() / r) ** 2).sum() / r for row in scores]
    return np.array(variance), (scores**2).sum(axis=1) / r, r, scores


def kept(values):
    return values > np.percentile(values, 80)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("off_by_one", [False, True])
def test_it_is_the_plain_computation(seed, off_by_one):
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(120, 12)) @ rng.normal(size=(12, 12)) + rng.normal(size=12)).astype(np.float32)
    variance, energy, r, _ = variety_naive(points, off_by_one=off_by_one)
    found = row_variance(points, components="paper" if off_by_one else "smallest")
    assert found.components == r
    np.testing.assert_allclose(found.variance, variance, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.energy, energy, rtol=0, atol=1e-8)
    assert found.values is found.variance
    assert row_variance(points, variety="energy").values.tolist() == row_variance(points).energy.tolist()


@pytest.mark.parametrize("retained", [0.3, 0.8, 1.0])
def test_as_few_components_as_hold_the_share(retained):
    points = np.random.default_rng(1).normal(size=(60, 9)) * np.arange(1, 10)
    points[:, 3:6] += points[:, :1] * 3
    found, fewer = row_variance(points, retained=retained), row_variance(points, retained=retained, components="paper")
    assert found.components == fewer.components + 1
    assert fewer.retained < retained <= found.retained + 1e-12
    assert found.components == variety_naive(points, retained - 1e-12)[2]


def test_energy_does_not_change_when_the_components_are_rotated():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(80, 10))
    found = row_variance(points)
    scores = variety_naive(points)[3]
    for _ in range(3):
        rotation = np.linalg.qr(rng.normal(size=(found.components, found.components)))[0]
        np.testing.assert_allclose(found.energy, ((scores @ rotation) ** 2).mean(axis=1), atol=1e-10)
    flipped = scores * rng.choice([-1, 1], found.components)
    assert np.abs(flipped.var(axis=1) - found.variance).max() > 1e-3  # which is why the signs are fixed


def test_signs_do_not_depend_on_the_order_of_rows_nor_on_rounding():
    points = np.random.default_rng(3).normal(size=(50, 2))  # loadings of two columns are equal in size
    found = row_variance(points)
    np.testing.assert_allclose(row_variance(points[::-1]).variance, found.variance[::-1], atol=1e-10)
    assert (found.loadings[0] > 0).all()


def test_of_100_distinct_values_20_are_kept():
    found = row_variance(np.random.default_rng(4).normal(size=(100, 8)))
    assert len(np.unique(found.values)) == 100
    assert kept(found.values).sum() == 20


@pytest.mark.parametrize("variety", ["variance", "energy"])
def test_planted_outliers_stay_and_copies_at_the_mean_go(variety):
    rng = np.random.default_rng(5)
    points = rng.normal(size=(200, 16))
    points[:10] *= 10
    points[10:50] = points[np.r_[:10, 50:200]].mean(axis=0)
    found = row_variance(points.astype(np.float32), variety=variety)
    assert kept(found.values)[:10].all()
    assert not kept(found.values)[10:50].any()


def test_two_identical_outliers_are_both_kept():
    points = np.random.default_rng(6).normal(size=(101, 8)).astype(np.float32)
    points[[17, 60]] = points[17] * 20
    found = row_variance(points)
    assert found.values[17] == found.values[60] == found.values.max()
    assert kept(found.values)[[17, 60]].all()


def test_identical_rows_get_identical_values_wherever_they_stand():
    rng = np.random.default_rng(7)
    points = rng.normal(size=(300, 37)).astype(np.float32)
    copies = rng.choice(300, 90, replace=False)
    points[copies] = points[copies[0]]
    for block in (1, 7, 4096):
        assert len(set(row_variance(points, block=block).values[copies])) == 1


def test_rounding_does_not_tell_identical_rows_apart():
    rng = np.random.default_rng(12)
    points = rng.normal(size=(50, 3)).astype(np.float32)
    points[[4, 9, 30]] = points[2]
    points[[20, 21]] = points[20]
    points[20, 0], points[21, 0] = 0.0, -0.0  # the same number
    exact = rng.random(50)
    exact[[4, 9, 30]], exact[21], exact[40] = exact[2], exact[20], exact[41] * (1 + 1e-13)
    values = exact * (1 + 1e-15 * rng.integers(-3, 4, 50))
    before = values.copy()
    _level(values, points)
    assert values[[4, 9, 30]].tolist() == [before[2]] * 3
    assert values[21] == before[20]
    others = np.setdiff1d(np.arange(50), [4, 9, 30, 21])
    assert values[others].tolist() == before[others].tolist()  # near one another, but not the same row


def test_blocks_do_not_matter():
    points = np.random.default_rng(8).normal(size=(90, 11)).astype(np.float32)
    whole = row_variance(points)
    for block in (1, 13, 89):
        part = row_variance(points, block=block)
        assert part.components == whole.components
        np.testing.assert_allclose(part.values, whole.values, rtol=1e-10)


def test_fewer_rows_than_columns():
    points = np.random.default_rng(9).normal(size=(12, 40)).astype(np.float32)
    variance, energy, r, _ = variety_naive(points)
    found = row_variance(points)
    assert found.components == r <= 11
    np.testing.assert_allclose(found.variance, variance, atol=1e-8)
    np.testing.assert_allclose(found.energy, energy, atol=1e-8)
    assert row_variance(points, retained=1.0).components == 11


def test_columns_without_spread_are_left_out():
    points = np.random.default_rng(10).normal(size=(60, 6)).astype(np.float32)
    padded = np.insert(points, [0, 3, 6], [0.1, 0.0, 1e6], axis=1).astype(np.float32)
    found = row_variance(padded)
    np.testing.assert_allclose(found.values, row_variance(points).values, rtol=1e-10)
    assert found.columns.tolist() == [1, 2, 3, 5, 6, 7]


def test_equal_rows_stand_nowhere_apart():
    for points in (np.full((30, 4), 0.1, np.float32), np.full((1, 4), 3.0)):
        found = row_variance(points)
        assert found.components == 0
        assert (found.values == 0).all()
        assert np.isnan(found.retained)
        assert not kept(found.values).any()


def test_the_papers_count_may_leave_nothing():
    points = np.outer(np.arange(20.0), [1, 2, 3])
    assert row_variance(points).components == 1
    with pytest.raises(CurationError, match="one component holds 100%") as error:
        row_variance(points, components="paper")
    assert "smallest" in error.value.hint


def test_rows_that_are_not_finite_are_named():
    points = np.ones((4, 3))
    points[2, 1] = np.nan
    with pytest.raises(DataError) as error:
        row_variance(points)
    assert error.value.row == 2


def test_the_share_common_to_both_tops():
    a = np.arange(100.0)
    assert overlap_of_tops(a, a) == 1
    assert overlap_of_tops(a, -a) == 0
    assert overlap_of_tops(a, np.roll(a, 10)) == 0.5
    assert np.isnan(overlap_of_tops(np.ones(10), np.ones(10)))


def test_the_score_holds_both_forms_and_says_what_was_kept():
    points = np.random.default_rng(11).normal(size=(50, 5)).astype(np.float32)
    points[:, 2] = 1
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(50)])
    features = Features(pool.fingerprint, points, Missing.none(50))
    made = RowVariety(variety="energy").score(pool, Runtime(), features=features)
    found = row_variance(points)
    assert made.values.tolist() == found.energy.tolist() == made.columns["energy"].tolist()
    assert made.columns["variance"].tolist() == found.variance.tolist()
    assert made.higher_is_better is None
    assert made.info["components"] == found.components
    assert made.info["columns without spread"] == 1
    assert made.info["variance retained"] == found.retained >= 0.95
    common = made.info["share of the top 20 % common to variance and energy"]
    assert common == len(set(np.flatnonzero(kept(found.energy))) & set(np.flatnonzero(kept(found.variance)))) / 10
    assert "largest loading" in made.info["signs"]


def test_equal_rows_are_said_to_be_equal():
    pool = from_pairs([("question", "answer")] * 3)
    made = RowVariety().score(
        pool, Runtime(), features=Features(pool.fingerprint, np.ones((3, 2), np.float32), Missing.none(3))
    )
    assert made.values.tolist() == [0, 0, 0]
    assert "same vector" in made.info["notes"][0]


def test_one_component_has_no_variance_and_that_is_said():
    line = np.outer(np.random.default_rng(0).normal(size=40), [1, -2, 3]).astype(np.float32)
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(40)])
    features = Features(pool.fingerprint, line, Missing.none(40))
    made = RowVariety().score(pool, Runtime(), features=features)
    assert (made.values == 0).all()
    assert "energy" in made.info["notes"][0]
    assert "notes" not in RowVariety(variety="energy").score(pool, Runtime(), features=features).info
