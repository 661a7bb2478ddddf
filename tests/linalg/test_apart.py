"""Rows kept apart: the loop over single rows, whatever blocks, bounds and devices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curation.core.errors import CurationError, DataError
from curation.linalg import apart
from curation.linalg.apart import keep_apart
from curation.linalg.distances import pair_squared_distances, unit_rows


def keep_apart_naive(points, order, limits, most):
    """One row at a time and one limit at a time; who drops a row is the first row kept that is too similar."""
    unit = unit_rows(points).values
    kept, by = np.zeros((len(limits), len(order)), bool), np.full(len(order), -1)
    for t, limit in enumerate(limits):
        places = []
        for place, row in enumerate(order):
            if len(places) == most:
                break
            before = order[places]
            cosine = 1 - pair_squared_distances(unit, before, np.array([row])) / 2
            above = np.flatnonzero(cosine > limit)
            if len(above):
                by[place] = places[above[0]]
            else:
                kept[t, place] = True
                places.append(place)
    return kept, by


def points_of(kind, rng, n=120):
    points = rng.standard_normal((n, 5)).astype(np.float32)
    if kind == "grid":
        points = rng.integers(1, 4, (n, 4)).astype(np.float32)
    if kind == "signs":
        points = rng.choice([-1.0, 1.0], (n, 4)).astype(np.float32)  # cosines of -1, -0.5, 0, 0.5 and 1
    if kind == "copies":
        points[30:] = points[rng.integers(0, 30, n - 30)]
    if kind == "equal":
        points[:] = points[0]
    if kind == "offset":
        points += 30
    if kind == "double":
        return rng.standard_normal((n, 5)) * 10.0 ** rng.integers(-30, 30, (n, 1))
    return points


KINDS = ["normal", "grid", "signs", "copies", "equal", "offset", "double"]


def cosines_of(points, rng, count):
    """Cosines of pairs of these rows, to the last bit."""
    unit = unit_rows(points).values
    pairs = rng.integers(0, len(points), (2, count))
    return np.unique(1 - pair_squared_distances(unit, *pairs) / 2)


@pytest.fixture(params=["usual", "all measured", "all decided as defined"])
def bounds(request, monkeypatch):
    """Products that decide nothing, and compiled sums that decide nothing either."""
    if request.param != "usual":
        monkeypatch.setattr(apart, "ROUNDING", 9.0)
    if request.param == "all decided as defined":
        init = apart._Walk.__init__

        def unsure(self, *arguments):
            init(self, *arguments)
            self.tiny = 9.0

        monkeypatch.setattr(apart._Walk, "__init__", unsure)


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_loop_for_one_limit(kind, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    points = points_of(kind, rng)
    order = rng.permutation(len(points))[: 80 + 20 * seed]
    monkeypatch.setattr(apart, "COLUMN_BLOCK", 13)
    for limit in (-1.0, 0.0, 0.5, 0.9, 1.0, *cosines_of(points, rng, 2)):
        for most, block in ((1, 1), (12, 7), (1000, 40)):
            kept, by = keep_apart_naive(points, order, [limit], most)
            found = keep_apart(points, order, np.array([limit]), most=most, block=block)
            np.testing.assert_array_equal(found.kept > 0, kept[0])
            np.testing.assert_array_equal(found.by, by)
            assert found.counts.tolist() == [kept.sum()]
            last = np.flatnonzero(kept[0])[-1] + 1 if kept.sum() == most else len(order)
            assert found.examined == last


@pytest.mark.usefixtures("bounds")
@pytest.mark.parametrize("kind", KINDS)
def test_many_limits_at_once_are_those_one_by_one(kind, monkeypatch):
    rng = np.random.default_rng(3)
    points = points_of(kind, rng, 90)
    order = rng.permutation(90)
    monkeypatch.setattr(apart, "COLUMN_BLOCK", 17)
    exact = cosines_of(points, rng, 5)
    for limits in (np.unique([-0.4, 0.2, 0.7, 0.95, 1.0, *exact]), np.linspace(-1, 1, 63)):
        for most, block in ((None, 8), (4, 8), (15, 33)):
            kept, _ = keep_apart_naive(points, order, limits, most)
            found = keep_apart(points, order, limits, most=most, block=block)
            bits = found.kept[None] >> np.arange(len(limits), dtype=np.uint64)[:, None] & np.uint64(1)
            np.testing.assert_array_equal(bits > 0, kept)
            np.testing.assert_array_equal(found.counts, kept.sum(axis=1))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(1, 3).map(float)
    ),
    st.lists(st.sampled_from([-1, 0, 0.5, 0.8, 0.9, 0.95, 0.99, 1]), min_size=1, max_size=5, unique=True).map(sorted),
    st.integers(1, 13),
    st.integers(1, 5),
)
def test_equals_the_loop_on_small_grids(points, limits, most, block):
    order = np.arange(len(points))[::-1]
    kept, _ = keep_apart_naive(points, order, limits, most)
    found = keep_apart(points, order, np.array(limits, float), most=most, block=block)
    np.testing.assert_array_equal(found.counts, kept.sum(axis=1))


def test_a_device_changes_nothing():
    """torch on the CPU takes the way of a device."""
    rng = np.random.default_rng(5)
    points, limits = points_of("grid", rng, 300), np.array([0.8, 0.9, 0.97])
    here = keep_apart(points, np.arange(300), limits, block=64)
    there = keep_apart(points, np.arange(300), limits, block=64, device="cpu:0")
    np.testing.assert_array_equal(here.kept, there.kept)


def test_nothing_is_asked_for_or_there_is_nothing():
    points = points_of("normal", np.random.default_rng(0))
    none = keep_apart(points, np.arange(9), np.array([0.5]), most=0)
    assert none.examined == none.counts[0] == 0
    assert keep_apart(points, np.empty(0, np.int64), np.array([0.5])).counts.tolist() == [0]


def test_points_may_be_read_only_and_progress_reaches_the_end():
    points, seen = points_of("normal", np.random.default_rng(2)), []
    points.flags.writeable = False
    keep_apart(points, np.arange(50), np.array([0.5]), block=8, progress=lambda a, b: seen.append((a, b)))
    assert seen[-1] == (50, 50)


@pytest.mark.parametrize("limits", [[], [0.5, 0.5], [0.6, 0.5], np.linspace(0, 1, 64)])
def test_limits_that_cannot_be_counted_are_refused(limits):
    with pytest.raises(CurationError, match="limits"):
        keep_apart(np.eye(3), np.arange(3), np.array(limits))


def test_a_row_without_direction_is_refused():
    with pytest.raises(DataError, match="no direction"):
        keep_apart(np.array([[1.0, 0], [0, 0]]), np.arange(2), np.array([0.5]))
