from __future__ import annotations

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import CurationError
from curation.linalg import pairs, scan
from curation.linalg.distances import all_unit_rows
from curation.linalg.pairs import first_copies, nearest_earlier, similar_pairs


def cosines(points):
    """All cosines as the project defines them: 1 − s/2 with s summed in float64, never below -1."""
    wide = points.astype(np.float64)
    squared = np.empty((len(wide), len(wide)))
    for i in range(len(wide)):
        difference = wide - wide[i]
        squared[i] = np.einsum("ij,ij->i", difference, difference)
    return np.maximum(1 - squared / 2, -1.0)


def earlier_naive(points):
    """One row at a time: the largest cosine to the rows before, the first of equals."""
    cosine = cosines(points)
    rows, similarity = [-1], [-1.0]
    for j in range(1, len(points)):
        rows.append(int(cosine[j, :j].argmax()))
        similarity.append(cosine[j, rows[-1]])
    return rows[: len(points)], similarity[: len(points)]


def pairs_naive(points, at_least):
    """All pairs of rows that have no copy before them."""
    cosine = cosines(points)
    first = [min(i for i in range(len(points)) if (points[i] == points[j]).all()) for j in range(len(points))]
    return [
        (j, i, cosine[j, i])
        for j in range(len(points))
        for i in range(j)
        if first[j] == j and first[i] == i and cosine[j, i] >= at_least
    ], first


def greedy_naive(points, above):
    cosine = cosines(points)
    kept, by = [], []
    for j in range(len(points)):
        near = [(-cosine[j, i], i) for i in kept if cosine[j, i] > above]
        first = min(i for i in range(j + 1) if (points[i] == points[j]).all())
        copy_of_one_that_is_out = first < j and by[first] >= 0
        by.append(by[first] if copy_of_one_that_is_out else min(near)[1] if near else -1)
        if by[-1] < 0:
            kept.append(j)
    return by


def points_of(kind, seed, n=150):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, 9))
    if kind == "grid":  # many equal cosines
        points = rng.integers(-1, 2, (n, 4)) + 0.0
        points[(points == 0).all(axis=1)] = 1
    if kind == "copies":
        points[20:70] = points[rng.integers(0, 6, 50)]
    if kind == "crowd":  # cosines that differ in the last digits only
        points = np.ones((n, 9)) + 1e-6 * rng.standard_normal((n, 9))
    if kind == "equal":
        points[:] = points[0]
    if kind == "flat":  # two dimensions hold nearly all
        points[:, 2:] *= 0.05
    if kind == "opposite":
        points[1::2] = -points[::2]
    return all_unit_rows(points)


KINDS = ["normal", "grid", "copies", "crowd", "equal", "flat", "opposite"]


@pytest.fixture(params=["usual", "tiny blocks", "heads", "torch"])
def way(request, monkeypatch):
    """Blocks of any size, bounds of any width, and the way of a GPU must give the same; returns the device."""
    if request.param in ("tiny blocks", "heads"):
        monkeypatch.setattr(pairs, "ROW_BLOCK", 7)
        monkeypatch.setattr(pairs, "COLUMN_BLOCK", 11)
        monkeypatch.setattr(pairs, "FOUND_AT_ONCE", 12)
        monkeypatch.setattr(pairs, "SETTLE_VALUES", 700)
    if request.param == "heads":
        monkeypatch.setattr(pairs, "LEAST_ROWS", 2)
        monkeypatch.setattr(pairs, "WIDTHS", (3,))
        monkeypatch.setattr(pairs, "MEASURING", 0.0)  # so that the narrow bounds are always taken
    if request.param == "torch":
        monkeypatch.setattr(pairs, "DEVICE_BLOCK_VALUES", 2000)
        return "cpu:0"  # any name but "cpu" goes by torch
    return "cpu"


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_earlier_row_is_that_of_the_naive_loop(kind, seed, way):
    points = points_of(kind, seed)
    found = nearest_earlier(points, device=way)
    rows, similarity = earlier_naive(points)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.similarity, similarity)
    assert found.similarity.max() <= 1


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_least", [-1.0, 0.3, 0.95])
def test_the_pairs_are_those_of_the_naive_loop(kind, seed, at_least, way):
    points = points_of(kind, seed, 80)
    found = similar_pairs(points, at_least, device=way)
    wanted, first = pairs_naive(points, at_least)
    assert list(zip(found.rows.tolist(), found.others.tolist(), found.similarity.tolist(), strict=True)) == wanted
    assert found.first.tolist() == first
    assert found.at_least == at_least
    assert len(found) == len(wanted)


def test_a_pair_exactly_at_the_threshold_is_in():
    points = points_of("normal", 0, 60)
    cosine = cosines(points)
    rows, others = np.tril_indices(60, -1)
    for value in np.sort(cosine[rows, others])[[5, 800, -3]]:
        assert len(similar_pairs(points, value)) == (cosine[rows, others] >= value).sum()
        assert len(similar_pairs(points, np.nextafter(value, 2))) == (cosine[rows, others] > value).sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("above", [0.2, 0.9, 0.99999, 1.0])
def test_greedy_blocks_as_the_naive_loop_does(kind, above):
    points = points_of(kind, 1, 80)
    found = similar_pairs(points, 0.2)
    np.testing.assert_array_equal(found.greedy(above), greedy_naive(points, above))


def test_greedy_needs_the_pairs():
    with pytest.raises(ValueError, match="below 0.5 are not here"):
        similar_pairs(points_of("normal", 0), 0.5).greedy(0.4)


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_know_the_nearest_earlier_row_above_their_threshold(kind):
    points = points_of(kind, 2, 80)
    wanted = nearest_earlier(points)
    found = similar_pairs(points, 0.5).earlier()
    above = wanted.similarity >= 0.5
    np.testing.assert_array_equal(found.rows, np.where(above, wanted.rows, -1))
    np.testing.assert_array_equal(found.similarity, np.where(above, wanted.similarity, -1.0))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 25), st.integers(1, 4), st.floats(-1, 1))
def test_small_grids(seed, n, d, at_least):
    points = np.random.default_rng(seed).integers(-2, 3, (n, d)).astype(float)
    points[(points == 0).all(axis=1)] = 1
    points = all_unit_rows(points)
    assert nearest_earlier(points).rows.tolist() == earlier_naive(points)[0]
    found = similar_pairs(points, at_least)
    assert list(zip(found.rows, found.others, found.similarity, strict=True)) == pairs_naive(points, at_least)[0]


@pytest.mark.parametrize("n", [700, 3000])
def test_several_blocks_and_a_basis_from_a_sample(n):
    """Wide rows of few directions, for which heads are taken; compared with one product in float64."""
    rng = np.random.default_rng(n)
    points = rng.standard_normal((n, 12)) @ rng.standard_normal((12, 96)) + 0.1 * rng.standard_normal((n, 96))
    points = all_unit_rows(points)
    cosine = points.astype(float) @ points.T.astype(float)
    cosine[np.triu_indices(n)] = -2
    found = similar_pairs(points, 0.7)
    assert len(found) == (cosine >= 0.7).sum() > 0
    np.testing.assert_allclose(found.similarity, cosine[found.rows, found.others], atol=1e-6)
    near = nearest_earlier(points)
    np.testing.assert_array_equal(near.rows[1:], cosine[1:].argmax(axis=1))


def test_heads_are_taken_where_they_pay_and_are_upper_bounds():
    rng = np.random.default_rng(0)
    flat = all_unit_rows(rng.standard_normal((3000, 8)) @ rng.standard_normal((8, 96)))
    even = all_unit_rows(rng.standard_normal((3000, 96)))
    assert pairs._cheapest(flat, 0.9, None).vectors.shape[1] == 16
    assert pairs._cheapest(even, 0.3, None).vectors.shape[1] == 96
    for points in (flat, even):
        basis = pairs._basis(points, 15)
        np.testing.assert_allclose(basis.T @ basis, np.eye(15), atol=1e-12)
        upper = pairs._Upper.of(points, basis)
        bounds = upper.vectors[:300] @ upper.vectors[:300].T + upper.slack
        assert (bounds >= cosines(points[:300])).all()
        shorter = pairs._shorter(upper.vectors, 6)
        np.testing.assert_allclose(shorter, pairs._Upper.of(points, basis[:, :5]).vectors, atol=1e-5)


def test_a_million_copies_make_no_pair():
    points = np.ones((1_000_000, 2), np.float32) / np.sqrt(np.float32(2))
    points[-1] = [1, 0]
    found = similar_pairs(points, 0.5)
    assert len(found) == 1
    assert found.greedy(0.99).tolist() == [-1, *[0] * 999_998, -1]
    assert (nearest_earlier(points).similarity[1:-1] == 1).all()


def test_too_many_pairs_are_an_error_that_names_the_threshold():
    points = points_of("crowd", 0, 100)
    assert len(similar_pairs(points, 0.9, most=4950)) == 4950
    with pytest.raises(CurationError, match=r"more than 4,949 pairs .* at least 0\.9") as error:
        similar_pairs(points, 0.9, most=4949)
    assert "threshold" in error.value.hint


def test_rows_are_copies_when_their_numbers_are_equal():
    points = np.array([[0.0, 1], [1, 0], [-0.0, 1], [1, -0.0], [1, 0], [-1, 0]], np.float32)
    assert first_copies(points).tolist() == [0, 1, 0, 1, 1, 5]


def test_rows_of_one_hash_that_differ_are_no_copies(monkeypatch):
    points = points_of("copies", 0)
    wanted = first_copies(points)
    monkeypatch.setattr(pairs, "row_hashes", lambda words: np.zeros(len(words), np.uint64))
    np.testing.assert_array_equal(first_copies(points), wanted)


@pytest.mark.parametrize("search", [nearest_earlier, lambda points, **more: similar_pairs(points, 0.9, **more)])
def test_progress_reaches_the_end_and_may_stop_the_work(search, monkeypatch):
    monkeypatch.setattr(pairs, "ROW_BLOCK", 16)
    points, seen = points_of("normal", 0), []
    search(points, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (150 * 149 // 2, 150 * 149 // 2)
    assert seen == sorted(seen)

    def stop(done, total):
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        search(points, progress=stop)
    assert threading.active_count() == before


@pytest.mark.parametrize("search", [nearest_earlier, lambda points: similar_pairs(points, 0.9)])
def test_products_have_their_threads_back_afterwards(search):
    before = pairs._products().info()
    search(points_of("normal", 0, 1200))
    assert pairs._products().info() == before


def test_no_row_and_one_row():
    for n in (0, 1):
        points = np.ones((n, 1), np.float32)
        assert nearest_earlier(points).rows.tolist() == [-1] * n
        assert len(similar_pairs(points, 0.0)) == 0
        assert similar_pairs(points, 0.0).greedy(0.5).tolist() == [-1] * n


def test_ties_beyond_what_is_kept_are_settled(monkeypatch):
    points = np.eye(40, dtype=np.float32)
    most = np.zeros(40, np.int32)
    kept = pairs.improve
    monkeypatch.setattr(pairs, "improve", lambda *a: (kept(*a), np.maximum(most, a[-1], out=most))[0])
    found = nearest_earlier(points)
    assert found.rows.tolist() == earlier_naive(points)[0]
    assert most.max() > scan.MOST_TIES


def test_pairs_take_little_more_than_their_arrays_while_they_are_sorted():
    rng = np.random.default_rng(0)
    points = (1 + 1e-4 * rng.standard_normal((1500, 32))) / np.sqrt(32)
    points = points.astype(np.float32)
    similar_pairs(points[:100], 0.9)
    tracemalloc.start()
    found = similar_pairs(points, 0.9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 1500 * 1499 // 2
    assert peak < 70 * len(found)  # 80 if nothing were let go
