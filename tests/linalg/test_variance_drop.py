from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import CurationError, DataError
from curation.linalg import variance_drop
from curation.linalg.variance_drop import greedy_variance_drop


def variance(chosen, noise, targets, prior):
    """Mean posterior variance of v·β, by inverting the precision of all rows at once."""
    precision = prior * np.eye(targets.shape[1]) + (chosen / noise[:, None]).T @ chosen
    return float(np.einsum("ij,jk,ik->i", targets, np.linalg.inv(precision), targets).mean())


def greedy_variance_drop_naive(points, targets, budget, prior, noise):
    """Tries every row in every step; the first row of equal ones is taken."""
    points, order, drops = points.astype(np.float64), [], []
    for _ in range(min(budget, len(points))):
        before = variance(points[order], noise[order], targets, prior)
        fall = np.full(len(points), -np.inf)
        for row in np.setdiff1d(np.arange(len(points)), order):
            some = [*order, row]
            fall[row] = before - variance(points[some], noise[some], targets, prior)
        best = int((fall >= fall.max() - 1e-9 * fall.max() - 1e-13).argmax())
        order.append(best)
        drops.append(fall[best])
    return order, drops, fall


def made(seed, n=30, d=4):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n, d))
    points[-10:] = points[:10]  # copies
    return points, rng.standard_normal((7, d)), rng.uniform(0.5, 5, n).round(1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prior", [1.0, 0.01])
def test_the_drop_is_that_of_the_variance_recomputed_and_the_picks_are_the_best(seed, prior, monkeypatch):
    points, targets, noise = made(seed)
    order, drops, _ = greedy_variance_drop_naive(points, targets, 12, prior, noise)
    for block, refresh, copy in ((4096, 512, 1 << 25), (7, 3, 0)):
        monkeypatch.setattr(variance_drop, "ROW_BLOCK", block)
        monkeypatch.setattr(variance_drop, "WIDE", copy)
        found = greedy_variance_drop(points, targets, 12, prior=prior, noise=noise, refresh=refresh)
        assert found.order.tolist() == order
        np.testing.assert_allclose(found.drops, drops, rtol=1e-7, atol=1e-12)
        assert found.before == pytest.approx(variance(points[:0], noise[:0], targets, prior))
        assert found.after == pytest.approx(variance(points[order], noise[order], targets, prior))
        assert found.before - found.after == pytest.approx(sum(drops))
        for row in (3, 17):
            more = variance(points[[*order, row]], noise[[*order, row]], targets, prior)
            assert found.left[row] == pytest.approx(found.after - more, rel=1e-6)


def test_only_what_points_to_the_targets_is_picked():
    points = np.repeat(np.eye(4), 5, axis=0)
    found = greedy_variance_drop(points, np.array([[0, 2.0, 0, 0]]), 20, prior=1.0, noise=np.ones(20))
    assert found.order.tolist() == [5, 6, 7, 8, 9]
    np.testing.assert_allclose(found.drops, 4 * np.array([1 / 2, 1 / 6, 1 / 12, 1 / 20, 1 / 30]))
    assert len(greedy_variance_drop(points, np.zeros((1, 4)), 5, prior=1.0, noise=np.ones(20)).order) == 0


def test_noisy_rows_come_after_clean_ones_that_are_equal():
    points, noise = np.ones((4, 1)), np.array([9.0, 1, 9, 1])
    assert greedy_variance_drop(points, points[:1], 4, prior=1.0, noise=noise).order.tolist() == [1, 3, 0, 2]


def test_smaller_budgets_are_prefixes_and_known_picks_change_nothing():
    points, targets, noise = made(9, 200, 6)
    arguments = {"prior": 1.0, "noise": noise, "refresh": 16}
    whole = greedy_variance_drop(points, targets, 60, **arguments)
    for count in (1, 17, 60):
        part = greedy_variance_drop(points, targets, count, **arguments)
        again = greedy_variance_drop(points, targets, 60, known=whole.order[:count], **arguments)
        np.testing.assert_array_equal(part.order, whole.order[:count])
        np.testing.assert_array_equal(again.order, whole.order)
        np.testing.assert_allclose(again.drops, whole.drops)


def test_a_refresh_agrees_with_the_updates():
    points, targets, noise = made(1, 400, 12)
    often, never = (
        greedy_variance_drop(points, targets, 300, prior=1.0, noise=noise, refresh=size) for size in (5, 10_000)
    )
    np.testing.assert_array_equal(often.order, never.order)
    np.testing.assert_allclose(often.left, never.left, rtol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget 0"),
        ({"prior": 0.0}, "prior precision 0"),
        ({"noise": np.zeros(4)}, "noise variances are not"),
        ({"known": np.array([7])}, "does not exist"),
        ({"known": np.array([1, 1])}, "twice"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(CurationError, match=message) as error:
        greedy_variance_drop(np.eye(4), np.eye(4), **{"budget": 2, "prior": 1.0, "noise": np.ones(4), **arguments})
    assert error.value.hint


def test_rows_that_are_not_finite_are_named():
    with pytest.raises(DataError, match="row 1"):
        greedy_variance_drop(np.array([[1.0], [np.nan]]), np.ones((1, 1)), 1, prior=1.0, noise=np.ones(2))
