"""Cosines to a vector: against the textbook, on ties, on rows without direction, in any block and type."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.linalg.cosine import cosine_to, highest


def cosine_naive(values, vector):
    found = []
    for row in np.asarray(values, np.float64):
        found.append(row @ vector / (np.linalg.norm(row) * np.linalg.norm(vector)))
    return np.array(found)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_textbook(kind, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(301, 17)).astype(kind)
    vectors = rng.normal(size=(3, 17))
    found = cosine_to(values, vectors)
    assert found.dtype == np.float32
    assert found.shape == (301, 3)
    for column, vector in enumerate(vectors):
        assert np.allclose(found[:, column], cosine_naive(values, vector), atol=1e-6)
        assert np.array_equal(cosine_to(values, vector), found[:, column])


@pytest.mark.parametrize("block", [1, 7, 64, 10_000])
def test_blocks_and_rows_change_nothing(block):
    rng = np.random.default_rng(1)
    values, vector = rng.normal(size=(200, 12)).astype(np.float32), rng.normal(size=12)
    rows = rng.permutation(200)[:77]
    whole = cosine_to(values, vector)
    assert np.array_equal(cosine_to(values, vector, block=block), whole)
    assert np.array_equal(cosine_to(values, vector, rows=rows, block=block), whole[rows])


def test_equal_rows_are_equal_wherever_they_lie():
    rng = np.random.default_rng(2)
    row = rng.normal(size=384).astype(np.float16)
    found = cosine_to(np.tile(row, (5003, 1)), rng.normal(size=384))
    assert len(set(found.tolist())) == 1


def test_a_row_is_nearest_to_itself_and_length_does_not_matter():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(50, 8)).astype(np.float32)
    found = cosine_to(values, values[13] * 1e-3)
    assert highest(found, 1).tolist() == [13]
    assert found[13] == 1
    assert np.abs(cosine_to(values * 7, values[13]) - found).max() < 1e-6


def test_rows_without_direction_are_nan_and_never_chosen():
    values = np.array([[1, 0], [0, 0], [np.nan, 1], [np.inf, 1], [-1, 0]], np.float32)
    found = cosine_to(values, np.array([1.0, 0]))
    assert np.isnan(found[1:4]).all()
    assert highest(found, 5).tolist() == [0, 4]
    assert highest(found, 5, farthest=True).tolist() == [4, 0]


def test_memory_mapped_half_precision(tmp_path):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(5000, 16)).astype(np.float16)
    np.save(tmp_path / "v.npy", values)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert np.array_equal(cosine_to(mapped, values[3]), cosine_to(values, values[3]))


@pytest.mark.parametrize(
    ("vector", "word"),
    [
        (np.ones(3), "3 numbers"),
        (np.zeros(4), "no direction"),
        (np.array([1, np.nan, 0, 0]), "no direction"),
        (np.float64(1), "1 numbers"),
    ],
)
def test_bad_vectors_are_told(vector, word):
    with pytest.raises(DataError, match=word):
        cosine_to(np.ones((5, 4)), vector)


def test_no_rows():
    assert cosine_to(np.empty((0, 4), np.float32), np.ones(4)).shape == (0,)
    assert highest(np.empty(0), 3).tolist() == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("farthest", [False, True])
def test_highest_equals_a_full_sort_with_ties(seed, farthest):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, 60).astype(np.float32)
    values[rng.random(60) < 0.2] = np.nan
    rows = [i for i in range(60) if not np.isnan(values[i])]
    order = sorted(rows, key=lambda i: (values[i] if farthest else -values[i], i))
    for count in (0, 1, 7, 30, 60, 100):
        assert highest(values, count, farthest=farthest).tolist() == order[:count]
