from __future__ import annotations

import itertools

import numpy as np
import pytest

from curation.core.errors import CurationError, DataError
from curation.linalg import log_det
from curation.linalg.log_det import greedy_log_det, lowest_of_equals


def greedy_log_det_naive(points, budget, ridge, weights=None, scale=None, tolerance=0.0):
    """The loop of the paper, in float64: a vector per row that grows with each pick; ties go to the lowest row."""
    wide = np.asarray(points).astype(np.float64) * (1 if scale is None else np.asarray(scale)[:, None])
    root = np.ones(len(wide)) if weights is None else np.sqrt(weights)
    n = len(wide)
    wide = wide * root[:, None]
    left = np.einsum("ij,ij->i", wide, wide) + ridge * root**2
    start = left.max()
    columns, order, values = np.empty((0, n)), [], []
    out = np.zeros(n, bool)
    while len(order) < min(budget, n):
        now = np.where(out, -np.inf, left)
        best = now.max()
        if best <= tolerance * start:
            break
        pick = int((now >= best - 1e-9 * best - 1e-13 * start).argmax())
        order.append(pick)
        values.append(left[pick])
        out[pick] = True
        kernel = wide @ wide[pick]
        kernel[pick] += ridge * root[pick] ** 2
        lost = (kernel - columns[:, pick] @ columns) / np.sqrt(left[pick])
        columns = np.vstack([columns, lost])
        left = np.maximum(left - lost**2, 0)
    return order, values


def points_of(kind, rng, n=110, d=9):
    points = rng.standard_normal((n, d)).astype(np.float32)
    if kind == "grid":
        return rng.integers(0, 3, (n, 4)).astype(np.float32)
    if kind == "orthonormal":
        return np.eye(n, dtype=np.float32)
    if kind == "copies":
        points[40:] = points[rng.integers(0, 40, n - 40)]
    if kind == "equal":
        points[:] = points[0]
    if kind == "some zero":
        points[::7] = 0
    if kind == "offset":
        points += 30
    if kind == "wide":
        return rng.standard_normal((n, n + 20)).astype(np.float32)
    if kind == "double":
        return points.astype(np.float64)
    return points


KINDS = ["normal", "grid", "orthonormal", "copies", "equal", "some zero", "offset", "wide", "double"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ridge", [1.0, 1e-3, 1e-5])
def test_equals_the_textbook_loop_whatever_pool_and_blocks(kind, seed, ridge, monkeypatch):
    rng = np.random.default_rng(seed)
    points = points_of(kind, rng)
    weights, scale = rng.uniform(0.2, 1, len(points)), rng.uniform(0.5, 2, len(points))
    for more in ({}, {"weights": weights, "scale": scale}):
        order, values = greedy_log_det_naive(points, 80, ridge, **more)
        for pool, block, steps, fresh, copy in (
            (1024, 4096, 128, 512, 1 << 25),
            (16, 50, 7, 20, 0),
            (1, 7, 1, 1000, 0),
        ):
            for name, value in {"ROW_BLOCK": block, "ROUND": steps, "REFRESH": fresh, "WIDE": copy, "PANEL": 4}.items():
                monkeypatch.setattr(log_det, name, value)
            found = greedy_log_det(points, 80, ridge=ridge, pool=pool, **more)
            assert found.order.tolist() == order
            np.testing.assert_allclose(found.values, values, rtol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1e-10])
def test_a_tiny_ridge_equals_the_loop_up_to_the_rank_and_stops_there(ridge):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((80, 6)) @ rng.standard_normal((6, 20))
    order, values = greedy_log_det_naive(points, 50, ridge, tolerance=1e-8)
    assert len(order) == 6
    for pool in (1024, 3):
        found = greedy_log_det(points, 50, ridge=ridge, tolerance=1e-8, pool=pool)
        assert found.order.tolist() == order
        np.testing.assert_allclose(found.values, values, rtol=1e-9)


def test_without_a_ridge_rounding_is_not_taken_for_volume():
    points = np.random.default_rng(1).standard_normal((60, 5))
    assert len(greedy_log_det(points, 60, ridge=0).order) == 5
    assert len(greedy_log_det(np.zeros((4, 3)), 4, ridge=0).order) == 0


@pytest.mark.parametrize("seed", range(5))
def test_values_are_steps_of_the_determinant_and_picks_the_best_of_every_step(seed):
    rng = np.random.default_rng(seed)
    points, weights = rng.standard_normal((40, 5)), rng.uniform(0.1, 1, 40)
    kernel = np.sqrt(np.outer(weights, weights)) * (points @ points.T + 0.01 * np.eye(40))
    found = greedy_log_det(points, 15, ridge=0.01, weights=weights)
    before = 0.0
    for step in range(15):
        chosen = found.order[:step].tolist()
        reach = [
            -np.inf if row in chosen else np.linalg.slogdet(kernel[np.ix_([*chosen, row], [*chosen, row])])[1]
            for row in range(40)
        ]
        assert found.order[step] == np.argmax(reach)
        assert np.log(found.values[step]) == pytest.approx(max(reach) - before, abs=1e-9)
        before = max(reach)
    picked, out = found.order, np.setdiff1d(np.arange(40), found.order)
    across = kernel[np.ix_(out, picked)]
    explained = (across * np.linalg.solve(kernel[np.ix_(picked, picked)], across.T).T).sum(axis=1)
    np.testing.assert_allclose(found.left[out], kernel[out, out] - explained, rtol=1e-8)


def test_the_greedy_is_near_the_best_set():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((10, 4))
    kernel = points @ points.T + np.eye(10)
    best = max(np.linalg.slogdet(kernel[np.ix_(s, s)])[1] for s in itertools.combinations(range(10), 4))
    assert np.log(greedy_log_det(points, 4, ridge=1.0).values).sum() >= (1 - 1 / np.e) * best


def test_drift_is_taken_out_by_refreshing():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((3000, 24))
    found = greedy_log_det(points, 1500, ridge=1e-6)
    chosen = points[found.order]
    inverse = np.linalg.inv(chosen.T @ chosen + 1e-6 * np.eye(24))
    exact = 1e-6 * (1 + np.einsum("ij,jk,ik->i", points, inverse, points))
    np.testing.assert_allclose(found.left, exact, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_smaller_budgets_are_prefixes_and_known_picks_change_nothing(kind):
    points = points_of(kind, np.random.default_rng(0))
    whole = greedy_log_det(points, 90, ridge=1e-3)
    assert (np.diff(whole.values) <= 1e-9).all()
    for budget in (1, 2, 40, 89):
        np.testing.assert_array_equal(greedy_log_det(points, budget, ridge=1e-3).order, whole.order[:budget])
    for known in (1, 33, 90):
        again = greedy_log_det(points, 90, ridge=1e-3, known=whole.order[:known])
        np.testing.assert_array_equal(again.order, whole.order)
        np.testing.assert_allclose(again.values, whole.values, rtol=1e-9)
    cut = greedy_log_det(points, 8, ridge=1e-3, known=whole.order)
    np.testing.assert_array_equal(cut.order, whole.order[:8])


def test_ties_go_to_the_lowest_row_and_marks_of_gone_rows_never_win():
    assert lowest_of_equals(np.array([1.0, 2.0 - 1e-12, 2.0, -np.inf]), 2.0) == (2.0, 1)
    assert lowest_of_equals(np.array([1.0, 2.0 - 1e-6, 2.0]), 2.0) == (2.0, 2)
    assert lowest_of_equals(np.array([1e-14, 2e-14]), 1.0) == (2e-14, 0)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    assert greedy_log_det(turn, 30, ridge=1e-3, pool=4).order.tolist() == list(range(30))


def test_a_row_outside_the_pool_that_ties_with_a_later_one_inside_comes_first():
    ridge = 1e-3
    inside = np.array([[2.0, 0, 0], [1.5, 1, 0]])
    same = np.sqrt(1 + 1.5**2 * ridge / (4 + ridge))  # what the second has left after the first
    points = np.vstack([[[0, 0, same]], inside])
    assert greedy_log_det_naive(points, 3, ridge)[0] == [1, 0, 2]
    assert greedy_log_det(points, 3, ridge=ridge, pool=2).order.tolist() == [1, 0, 2]


def test_points_are_untouched_and_progress_reaches_the_end():
    points = points_of("normal", np.random.default_rng(2))
    before, seen = points.copy(), []
    greedy_log_det(points, 20, ridge=1e-3, pool=8, progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(points, before)
    assert seen[-1] == (20, 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget 0"),
        ({"ridge": -1.0}, "ridge -1"),
        ({"ridge": float("nan")}, "ridge nan"),
        ({"tolerance": -1.0}, "tolerance -1"),
        ({"weights": np.array([1.0, 0, 1, 1])}, "weights are not"),
        ({"scale": np.ones(3)}, "multipliers are not"),
        ({"known": np.array([9])}, "row 9 does not exist"),
        ({"known": np.array([2, 2])}, "twice"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(CurationError, match=message) as error:
        greedy_log_det(np.eye(4), **{"budget": 2, "ridge": 1e-3, **arguments})
    assert error.value.hint


def test_rows_that_are_not_finite_are_named():
    with pytest.raises(DataError, match="row 1"):
        greedy_log_det(np.array([[1.0], [np.nan]]), 1, ridge=1e-3)
