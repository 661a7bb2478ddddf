from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curation.core.errors import CurationError, DataError
from curation.linalg import knn, top
from curation.linalg.distances import unit_rows
from curation.linalg.knn import exact_neighbours, nearest_neighbours, recall_of


def neighbours_naive(points, k):
    """All distances in float64, sorted by (distance, row)."""
    wide = points.astype(np.float64)
    n = len(wide)
    indices = np.full((n, k), -1)
    squared = np.full((n, k), np.inf)
    for i in range(n):
        difference = wide - wide[i]
        distance = np.einsum("ij,ij->i", difference, difference)
        order = [j for j in np.lexsort((np.arange(n), distance)) if j != i][:k]
        indices[i, : len(order)] = order
        squared[i, : len(order)] = distance[order]
    return indices, squared


@pytest.fixture(params=["usual blocks", "tiny blocks", "many kept"])
def blocks(request, monkeypatch):
    if request.param == "tiny blocks":
        monkeypatch.setattr(knn, "QUERY_BLOCK", 7)
        monkeypatch.setattr(knn, "FIRST_COLUMNS", 5)
        monkeypatch.setattr(knn, "COLUMN_BLOCK", 11)
        monkeypatch.setattr(knn, "SCAN_BLOCK", 13)
        monkeypatch.setattr(knn, "SPARE", 1)
    if request.param == "many kept":  # the way for more neighbours than are kept by scanning
        monkeypatch.setattr(top, "MOST_KEPT", 0)
        monkeypatch.setattr(knn, "FIRST_COLUMNS", 20)
        monkeypatch.setattr(knn, "COLUMN_BLOCK", 11)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["normal", "grid", "copies", "offset", "uneven"])
def test_equals_the_naive_answer(kind, seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((160, 9)).astype(np.float32)
    if kind == "grid":
        points = rng.integers(0, 3, (160, 4)).astype(np.float32)
    if kind == "copies":
        points[20:90] = points[rng.integers(0, 6, 70)]
    if kind == "offset":
        points += 1000
    if kind == "uneven":
        points *= 10.0 ** rng.integers(-3, 4, (160, 1)).astype(np.float32)
    for k in (1, 6):
        found = exact_neighbours(points, np.arange(160), k)
        wanted = neighbours_naive(points, k)
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1], wanted[1])


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(-3, 3).map(float)
    ),
    st.integers(1, 8),
)
def test_equals_the_naive_answer_on_small_grids(points, k):
    found = exact_neighbours(points, np.arange(len(points)), k)
    np.testing.assert_array_equal(found[0], neighbours_naive(points, k)[0])


def test_some_queries_get_the_rows_of_all():
    rng = np.random.default_rng(0)
    points = rng.integers(0, 4, (80, 3)).astype(np.float64)
    every = exact_neighbours(points, np.arange(80), 5)
    some = np.array([3, 70, 12, 3])
    part = exact_neighbours(points, some, 5)
    np.testing.assert_array_equal(part[0], every[0][some])
    np.testing.assert_array_equal(part[1], every[1][some])


def test_cosine_distance_is_one_minus_cos():
    points = np.random.default_rng(1).standard_normal((50, 6)) * np.linspace(0.1, 90, 50)[:, None]
    found = nearest_neighbours(points, 4)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    cosine = np.take_along_axis(1 - unit @ unit.T, found.indices, 1)
    np.testing.assert_allclose(found.distances, cosine, atol=1e-6)
    assert found.exact
    assert found.recall == 1.0
    assert found.indices.dtype == np.int32
    assert found.distances.dtype == np.float32


def test_a_row_is_never_its_own_neighbour_even_among_copies():
    found = nearest_neighbours(np.ones((30, 3)), 4)
    assert (found.indices != np.arange(30)[:, None]).all()
    np.testing.assert_array_equal(found.indices[0], [1, 2, 3, 4])
    np.testing.assert_array_equal(found.indices[2], [0, 1, 3, 4])
    np.testing.assert_array_equal(found.indices[29], [0, 1, 2, 3])
    assert (found.distances == 0).all()


def test_fewer_rows_than_neighbours():
    found = nearest_neighbours(np.eye(3), 5, metric="euclidean")
    np.testing.assert_array_equal(found.indices[1], [0, 2, -1, -1, -1])
    assert np.isinf(found.distances[:, 2:]).all()
    alone = nearest_neighbours(np.ones((1, 2)), 2)
    np.testing.assert_array_equal(alone.indices, [[-1, -1]])


def test_progress_reaches_the_end():
    seen = []
    nearest_neighbours(np.random.default_rng(0).standard_normal((40, 3)), 2, progress=lambda a, b: seen.append((a, b)))
    assert seen[-1] == (40, 40)


def test_approximate_above_the_stated_size_and_its_recall_is_measured():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((20, 16))[rng.integers(0, 20, 1500)] + 0.3 * rng.standard_normal((1500, 16))
    exact = nearest_neighbours(points, 10)
    found = nearest_neighbours(points, 10, exact_up_to=1499)
    assert not found.exact
    assert 0.8 < found.recall <= 1.0
    assert abs(recall_of(found.indices, exact.indices) - found.recall) < 0.02
    assert (found.indices != np.arange(1500)[:, None]).all()
    assert (np.diff(found.distances, axis=1) >= 0).all()
    again = nearest_neighbours(points, 10, exact_up_to=1499)
    np.testing.assert_array_equal(again.indices, found.indices)


def test_approximate_fills_rows_of_many_copies():
    points = np.repeat(np.random.default_rng(0).standard_normal((15, 5)), 60, axis=0)
    found = nearest_neighbours(points, 6, exact_up_to=100)
    assert not found.exact
    assert (found.indices >= 0).all()
    assert (found.indices != np.arange(900)[:, None]).all()


def test_recall_counts_shared_rows():
    assert recall_of(np.array([[1, 2], [3, 4]]), np.array([[2, 9], [4, 3]])) == 0.75
    assert recall_of(np.array([[-1]]), np.array([[-1]])) == 0


def test_errors_name_what_is_wrong():
    with pytest.raises(CurationError, match="0 neighbours"):
        nearest_neighbours(np.eye(3), 0)
    with pytest.raises(DataError, match="row 2.*no direction"):
        nearest_neighbours(np.array([[1.0], [2.0], [0.0]]), 1)
    with pytest.raises(DataError, match="row 1.*not finite"):
        nearest_neighbours(np.array([[1.0], [np.nan]]), 1, metric="euclidean")


@pytest.mark.gpu
def test_the_device_changes_nothing():
    rng = np.random.default_rng(0)
    points = unit_rows(rng.standard_normal((3000, 64))).values
    points[100:200] = points[0]
    here, there = nearest_neighbours(points, 15), nearest_neighbours(points, 15, device="cuda")
    np.testing.assert_array_equal(here.indices, there.indices)
    np.testing.assert_array_equal(here.distances, there.distances)


def test_products_of_torch_give_the_same():
    rng = np.random.default_rng(3)
    points = rng.integers(0, 3, (300, 5)).astype(np.float32)
    here = exact_neighbours(points, np.arange(300), 7)
    there = exact_neighbours(points, np.arange(300), 7, device="cpu:0")
    np.testing.assert_array_equal(here[0], there[0])
    np.testing.assert_array_equal(here[1], there[1])
