"""Sparse sums against the textbook loops, step by step."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError
from curation.linalg.sparse_sum import FULL, NO_STEP, REACHED, STEPS, Given, fit_weights, sparse_sum

SEARCHES = ["giga", "frank-wolfe"]


def centred(n, width, seed, spread=1.0):
    """Vectors of sum far from zero, of very different lengths."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, width)) + spread * rng.normal(size=width)
    return values * rng.lognormal(size=(n, 1))


def frank_wolfe_naive(vectors, budget, steps):
    total, lengths = vectors.sum(axis=0), np.linalg.norm(vectors, axis=1)
    weights, picks, errors = np.zeros(len(vectors)), [], []
    for step in range(steps):
        missing = total - weights @ vectors
        best, best_value = -1, -np.inf
        for row in range(len(vectors)):
            if lengths[row] > 0 and missing @ vectors[row] / lengths[row] > best_value + 1e-12:
                best, best_value = row, missing @ vectors[row] / lengths[row]
        if weights[best] == 0 and best not in picks and len(set(picks)) == budget:
            break
        share = lengths.sum() / lengths[best]
        toward = share * vectors[best] - weights @ vectors
        size = 1.0 if step == 0 else np.clip(toward @ missing / (toward @ toward), 0, 1)
        weights *= 1 - size
        weights[best] += size * share
        picks.append(best)
        errors.append(np.linalg.norm(total - weights @ vectors))
    return weights, picks, errors


def giga_naive(vectors, budget, steps):
    """Campbell and Broderick's geodesic ascent, one row after the other."""
    total, lengths = vectors.sum(axis=0), np.linalg.norm(vectors, axis=1)
    aim, units = total / np.linalg.norm(total), vectors / np.where(lengths > 0, lengths, 1)[:, None]
    weights, now, picks, errors = np.zeros(len(vectors)), np.zeros(len(total)), [], []
    for step in range(steps):
        best, best_value = -1, -np.inf
        away = aim - (aim @ now) * now
        for row in range(len(vectors)):
            side = units[row] - (units[row] @ now) * now
            if lengths[row] == 0 or np.linalg.norm(side) < 1e-6:
                continue
            value = away @ side / np.linalg.norm(side)
            if value > best_value + 1e-12:
                best, best_value = row, value
        if best not in picks and len(set(picks)) == budget:
            break
        size = 1.0
        if step:
            a, b, c = aim @ units[best], aim @ now, units[best] @ now
            size = (a - b * c) / ((a - b * c) + (b - a * c))
            size = min(max(size, 0), 1)
        weights *= 1 - size
        weights[best] += size
        now = (1 - size) * now + size * units[best]
        weights, now = weights / np.linalg.norm(now), now / np.linalg.norm(now)
        picks.append(best)
        errors.append(np.linalg.norm(total - (total @ now) * now))
    return weights * (total @ now) / np.where(lengths > 0, lengths, 1), picks, errors


NAIVE = {"giga": giga_naive, "frank-wolfe": frank_wolfe_naive}


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_textbook_loop(search, seed):
    vectors = centred(70, 12, seed, spread=seed / 3)
    vectors[[11, 30, 31]] = 0
    vectors[[5, 44, 60]] = vectors[2]
    found = sparse_sum(Given(vectors), 15, search=search, most_steps=25)
    weights, picks, errors = NAIVE[search](vectors, 15, 25)
    assert found.picks.tolist() == picks
    assert found.rows.tolist() == list(dict.fromkeys(picks))
    np.testing.assert_allclose(found.errors, errors, rtol=1e-8)
    np.testing.assert_allclose(found.weights, weights[found.rows], rtol=1e-8)
    assert found.zero.tolist() == [11, 30, 31]
    assert not {5, 44, 60} & set(picks)  # the lowest of equal rows comes first


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("seed", range(4))
def test_the_error_never_grows_and_is_that_of_the_weights(search, seed):
    vectors = centred(200, 20, seed, spread=0.3)
    found = sparse_sum(Given(vectors), 60, search=search, most_steps=150)
    assert (np.diff(found.errors) <= 0).all()
    assert (found.weights >= 0).all()
    left = np.linalg.norm(vectors.sum(axis=0) - found.weights @ vectors[found.rows])
    assert left == pytest.approx(found.errors[-1], rel=1e-6)
    assert len(found.rows) <= 60
    if search == "frank-wolfe":
        lengths = np.linalg.norm(vectors, axis=1)
        assert found.weights @ lengths[found.rows] == pytest.approx(lengths.sum())


def test_the_first_row_of_frank_wolfe_gets_all_the_length():
    vectors = centred(30, 5, 0)
    lengths = np.linalg.norm(vectors, axis=1)
    first = int(np.argmax(vectors @ vectors.sum(axis=0) / lengths))
    found = sparse_sum(Given(vectors), 1, search="frank-wolfe")
    assert found.rows.tolist() == [first]
    assert found.weights[0] == pytest.approx(lengths.sum() / lengths[first])


@pytest.mark.parametrize("search", SEARCHES)
def test_the_error_drops_by_orders_of_magnitude_with_fewer_rows_than_steps(search):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 4))  # they nearly cancel: frank-wolfe begins far off
    vectors[:, 0] += 0.3
    found = sparse_sum(Given(vectors), 60, search=search, most_steps=60)
    assert len(found.picks) <= 60
    if search == "frank-wolfe":
        assert len(found.rows) < len(found.picks)
    assert found.errors[-1] < found.errors[0] / 1000
    fitted = fit_weights(vectors[found.rows], found.total)
    assert np.linalg.norm(found.total - fitted @ vectors[found.rows]) < min(1e-8, found.errors[-1])


@pytest.mark.parametrize("search", SEARCHES)
def test_one_row_is_the_best_single_one(search):
    for seed in range(5):
        vectors = centred(12, 6, seed)
        found = sparse_sum(Given(vectors), 1, search=search)
        total = vectors.sum(axis=0)
        alone = [
            np.linalg.norm(total - max(total @ v, 0) / (v @ v) * v)  # with its best weight
            for v in vectors
        ]
        assert found.rows.tolist() == [int(np.argmin(alone))]
        weight = fit_weights(vectors[found.rows], total)
        assert np.linalg.norm(total - weight @ vectors[found.rows]) == pytest.approx(min(alone))


@pytest.mark.parametrize("search", SEARCHES)
def test_counts_are_copies(search):
    vectors = centred(40, 8, 3)
    counts = np.random.default_rng(1).integers(1, 5, 40)
    once = sparse_sum(Given(vectors), 10, search=search, counts=counts.astype(float), most_steps=20)
    many = sparse_sum(Given(np.repeat(vectors, counts, axis=0)), 10, search=search, most_steps=20)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    assert first[once.picks].tolist() == many.picks.tolist()
    np.testing.assert_allclose(once.weights, many.weights, rtol=1e-9)


@pytest.mark.parametrize("search", SEARCHES)
def test_blocks_memory_and_device_change_nothing(search):
    vectors = centred(150, 16, 4, spread=0.2)
    vectors[100:120] = vectors[7]
    whole = sparse_sum(Given(vectors), 40, search=search, most_steps=60)
    assert whole.in_memory
    for more in (
        {"block": 1},
        {"block": 17},
        {"memory_bytes": 0},
        {"memory_bytes": 0, "block": 13},
        {"device": "cpu:0"},
    ):
        other = sparse_sum(Given(vectors), 40, search=search, most_steps=60, **more)
        assert other.picks.tolist() == whole.picks.tolist()
        np.testing.assert_allclose(other.weights, whole.weights, rtol=1e-9)
        assert other.in_memory == (more.get("memory_bytes") is None)


def test_why_it_ended():
    vectors = centred(50, 6, 5)
    assert sparse_sum(Given(vectors), 3).ended == FULL
    assert sparse_sum(Given(vectors), 50, most_steps=5).ended == STEPS
    for search in SEARCHES:
        alike = sparse_sum(Given(np.array([[1.0, 2.0]] * 3)), 2, search=search)
        assert alike.rows.tolist() == [0]
        assert alike.weights[0] == pytest.approx(3)
        assert alike.ended in (REACHED, NO_STEP)
        right_angles = sparse_sum(Given(np.eye(3)), 3, search=search, most_steps=10_000)
        assert sorted(right_angles.rows.tolist()) == [0, 1, 2]
        np.testing.assert_allclose(right_angles.weights, 1, atol=1e-3)


@pytest.mark.parametrize("search", SEARCHES)
def test_nothing_to_add_up_is_an_error(search):
    with pytest.raises(CurationError, match="all vectors are zero") as error:
        sparse_sum(Given(np.zeros((4, 3))), 2, search=search)
    assert error.value.hint
    with pytest.raises(CurationError, match="add up to zero"):
        sparse_sum(Given(np.array([[1.0, 2.0], [-1.0, -2.0]])), 2, search=search)


def test_fitted_weights_reach_the_sum_with_all_rows_and_are_never_worse():
    for seed in range(5):
        vectors = centred(30, 60, seed)
        every = fit_weights(vectors, vectors.sum(axis=0))
        np.testing.assert_allclose(every, 1, rtol=1e-6)
        assert np.linalg.norm(vectors.sum(axis=0) - every @ vectors) < 1e-8
        for search in SEARCHES:
            found = sparse_sum(Given(vectors), 10, search=search)
            fitted = fit_weights(vectors[found.rows], found.total)
            assert (fitted >= 0).all()
            assert np.linalg.norm(found.total - fitted @ vectors[found.rows]) <= found.errors[-1] * (1 + 1e-12)
