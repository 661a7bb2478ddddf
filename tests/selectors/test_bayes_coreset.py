"""The Bayesian coreset against a loop over its definition, and on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.linalg.bayes_linear import bayes_linear
from curation.linalg.sparse_sum import Given
from curation.selectors.bayes_coreset import BayesCoreset, Likelihoods, bayes_coreset

SEARCHES = ["giga", "frank-wolfe"]


def data(n=120, d=3, seed=0, noise=0.7):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, d)).astype(np.float32)
    return points, points @ rng.normal(size=d) + noise * rng.normal(size=n)


def go(build, points, target, count, ask=None, **parameters):
    pool = build(len(points))
    method = BayesCoreset(**parameters)
    asked = ask(pool) if ask else pool.ask(count)
    return method.select(
        pool.pool, asked, Runtime(), features=pool.features(points), signal=pool.score(np.asarray(target))
    )


def likelihoods_naive(points, target, samples, seed):
    """−(y − a − x·b)² / 2σ² for every row and draw, centred over the draws and divided by √draws."""
    line = bayes_linear(points, target)
    draws = line.deviations(samples, seed)
    found = np.empty((len(points), samples))
    for i, row in enumerate(points.astype(np.float64)):
        for s in range(samples):
            value = line.intercept + draws[s, -1] + (row - line.centre) @ (line.coefficients + draws[s, :-1])
            found[i, s] = -((target[i] - value) ** 2) / (2 * line.noise**2)
    return (found - found.mean(axis=1, keepdims=True)) / np.sqrt(samples)


def searched_naive(vectors, budget, search):
    """Rows in the order of their first pick."""
    total, lengths = vectors.sum(axis=0), np.linalg.norm(vectors, axis=1)
    units, picks = vectors / lengths[:, None], []
    now = np.zeros(len(total))
    aim = total / np.linalg.norm(total)
    for step in range(2000):
        if search == "frank-wolfe":
            values = units @ (total - now)
        else:
            side = units - (units @ now)[:, None] * now
            size = np.linalg.norm(side, axis=1)
            values = np.where(size > 1e-6, side @ (aim - (aim @ now) * now) / np.maximum(size, 1e-6), -np.inf)
        best = int(np.argmax(values))
        if best not in picks and len(set(picks)) == budget:
            break
        picks.append(best)
        if search == "frank-wolfe":
            toward = lengths.sum() / lengths[best] * vectors[best] - now
            share = 1.0 if step == 0 else np.clip(toward @ (total - now) / (toward @ toward), 0, 1)
            now = now + share * toward
        else:
            a, b, c = aim @ units[best], aim @ now, units[best] @ now
            share = 1.0 if step == 0 else np.clip((a - b * c) / ((a - b * c) + (b - a * c)), 0, 1)
            now = (1 - share) * now + share * units[best]
            now /= np.linalg.norm(now)
    return list(dict.fromkeys(picks))


# ---------------------------------------------------------------------- the vectors


def test_vectors_are_log_likelihoods_centred_over_the_draws():
    points, target = data(40)
    line = bayes_linear(points, target)
    vectors = Likelihoods(points, line.residuals, line, line.deviations(50, 3))
    assert vectors.shape == (40, 50)
    naive = likelihoods_naive(points, target, 50, 3)
    np.testing.assert_allclose(vectors.block(slice(0, 40)), naive, atol=1e-10)
    np.testing.assert_allclose(vectors.exact(np.array([7, 3])), naive[[7, 3]], atol=1e-10)
    np.testing.assert_allclose(vectors.block(slice(0, 40)).mean(axis=1), 0, atol=1e-12)


def test_an_exact_vector_does_not_depend_on_the_rows_beside_it():
    points, target = data(60, 7)
    line = bayes_linear(points, target)
    vectors = Likelihoods(points, line.residuals, line, line.deviations(33, 0))
    alone = vectors.exact(np.array([11]))[0].tolist()
    for rows in ([3, 11, 40], [11, 0], np.r_[np.arange(30), 11]):
        made = vectors.exact(np.array(rows))
        assert made[np.flatnonzero(np.array(rows) == 11)[-1]].tolist() == alone


# ---------------------------------------------------------------------- the pure function


@pytest.mark.parametrize("search", SEARCHES)
def test_weights_are_fitted_anew_and_rows_without_one_are_dropped(search):
    vectors = np.random.default_rng(0).normal(size=(60, 5)) + 0.2
    found = bayes_coreset(Given(vectors), 20, search=search, most_steps=40)
    plain = bayes_coreset(Given(vectors), 20, search=search, most_steps=40, finish="none")
    assert (found.weights > 0).all()
    assert (plain.weights > 0).all()
    assert len(found.rows) <= 5  # no more are needed in five dimensions
    assert sorted([*found.rows, *found.dropped]) == sorted([*plain.rows, *plain.dropped])
    assert found.error < 1e-8
    assert found.error <= plain.error == pytest.approx(plain.path.errors[-1])


def test_a_budget_of_all_rows_takes_them_with_their_counts():
    vectors = np.random.default_rng(1).normal(size=(9, 4))
    for budget in (9, 20):
        found = bayes_coreset(Given(vectors), budget)
        assert found.rows.tolist() == list(range(9))
        assert found.weights.tolist() == [1] * 9
        assert found.error == 0
    counts = np.arange(1.0, 10)
    assert bayes_coreset(Given(vectors), 9, counts=counts).weights.tolist() == counts.tolist()


# ---------------------------------------------------------------------- the selector


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_loop_over_the_definition(build, search, seed):
    points, target = data(90, 4, seed)
    made = go(build, points, target, 12, search=search, seed=seed, samples=60)
    vectors = likelihoods_naive(points, target, 60, seed)
    rows = searched_naive(vectors, 12, search)
    weights, error = nnls(vectors[rows].T, vectors.sum(axis=0), maxiter=1000)
    expected = sorted((-w, r) for r, w in zip(rows, weights, strict=True) if w > 0)
    assert made.order.tolist() == [r for _, r in expected]
    np.testing.assert_allclose(made.weights, [-w for w, _ in expected], rtol=1e-6)
    assert made.gains.tolist() == made.weights.tolist()
    assert made.info["error"] == pytest.approx(error, rel=1e-6, abs=1e-10)
    assert made.info["error without rows"] == pytest.approx(np.linalg.norm(vectors.sum(axis=0)))
    curve = made.info["errors of the search"]
    assert len(curve) == made.info["steps"]
    assert all(b <= a for a, b in zip(curve, curve[1:], strict=False))
    assert curve[-1] == made.info["error of the search"] >= made.info["error"]


@pytest.mark.parametrize("search", SEARCHES)
def test_the_weighted_rows_give_the_line_of_all_rows(build, search):
    points, target = data(200, 3)
    made = go(build, points, target, 60, search=search)
    line = bayes_linear(points, target)
    assert made.info["error"] < 1e-8 * made.info["error without rows"]
    assert len(made) <= 14 < 60  # as many as a quadratic in three slopes and an intercept has free coefficients
    # Σ w (y − x·b)² differs from the sum over all rows by a constant, whatever b, so its least point is the same
    columns = np.column_stack([points[made.order] - line.centre, np.ones(len(made))]).astype(np.float64)
    penalty = np.diag([line.penalty] * 3 + [0])
    root = made.weights[:, None] * columns
    found = np.linalg.solve(columns.T @ root + penalty, root.T @ target[made.order])
    np.testing.assert_allclose(found, [*line.coefficients, line.intercept], rtol=1e-6)
    chance = np.random.default_rng(0).permutation(200)[: len(made)]
    plain = np.column_stack([points[chance] - line.centre, np.ones(len(made))]).astype(np.float64)
    other = np.linalg.lstsq(plain, target[chance], rcond=None)[0]
    assert np.abs(other - [*line.coefficients, line.intercept]).max() > 1e-2


def test_giga_comes_closer_than_frank_wolfe_with_as_many_rows(build):
    for seed in range(4):
        points, target = data(1000, 30, seed)
        errors = {s: go(build, points, target, 40, search=s).info["error"] for s in SEARCHES}
        assert errors["giga"] < errors["frank-wolfe"] / 1.2


def test_with_all_rows_it_is_exact(build):
    points, target = data(30)
    made = go(build, points, target, 30)
    assert made.order.tolist() == list(range(30))
    assert made.weights.tolist() == [1] * 30
    assert made.info["error"] == 0
    assert made.short_by == 0
    one = go(build, points[:1], target[:1], 1)
    assert one.order.tolist() == [0]


def test_copies_are_one_row_with_a_count(build):
    points, target = data(50)
    points[[20, 33, 49]], target[[20, 33, 49]] = points[4], target[4]
    made = go(build, points, target, 48)
    assert made.short_by == 1
    assert made.short_reason == "3 rows are identical to one that is picked"
    assert made.order[0] == 4  # the largest weight
    assert made.weights[0] == 4
    assert made.covered_by[[20, 33, 49]].tolist() == [4, 4, 4]
    assert (
        made.why(33)
        == "out: identical to a picked row, which is weighted for both; row 4 stands for it (distance 0.000)"
    )
    apart = target.copy()
    apart[33] += 1  # another score: another row
    assert 33 in go(build, points, apart, 48).order


@pytest.mark.parametrize("search", SEARCHES)
def test_a_copy_is_never_picked_beside_its_first_row(build, search):
    points, target = data(80, 2)
    points[40:], target[40:] = points[:40], target[:40]
    made = go(build, points, target, 12, search=search)
    assert (made.order < 40).all()
    half = go(build, points, target, 12, search=search, ask=lambda pool: pool.ask(12, list(range(40))))
    assert len(half) > 3
    copies = made.order + 40
    assert made.covered_by[copies].tolist() == made.order.tolist()
    outside = np.setdiff1d(np.arange(80), [*made.order, *copies])
    assert (made.covered_by[outside] == -1).all()


def test_all_rows_alike_give_one_that_stands_for_all(build):
    made = go(build, np.ones((6, 2)), np.full(6, 3.0), 4)
    assert made.order.tolist() == [0]
    assert made.weights.tolist() == [6]
    assert made.short_by == 3
    assert "5 rows are identical" in made.short_reason


def test_rows_without_score_or_vector_are_out(build):
    points, target = data(40)
    points[3], target[5] = np.nan, np.nan
    made = go(build, points, target, 10)
    assert made.why(3) == "out: no vector"
    assert made.why(5) == "out: no score"
    assert not {3, 5} & set(made.order.tolist())
    every = go(build, points, target, 40)
    assert every.short_by == 2
    assert every.short_reason == "2 rows have no score or no vector"


def test_only_eligible_rows_count(build):
    points, target = data(60)
    rows = list(range(0, 60, 2))
    made = go(build, points, target, 8, ask=lambda pool: pool.ask(8, rows))
    alone = go(build, points[rows], target[rows], 8)
    assert made.order.tolist() == [rows[i] for i in alone.order]
    np.testing.assert_allclose(made.weights, alone.weights, rtol=1e-9)
    assert made.why(1) == "out: not eligible"


def test_fewer_rows_than_the_budget_say_why(build):
    points, target = data(200, 3)
    made = go(build, points, target, 60)
    assert made.short_by == 60 - len(made) > 0
    assert "weight 0" in made.short_reason
    few = go(build, *data(200, 20), 50, samples=10)
    assert len(few) <= 9
    assert "9 rows at most" in few.short_reason
    steps = go(build, *data(200, 20), 50, most_steps=7, finish="none")
    assert len(steps) <= 7
    assert steps.short_reason == f"the 7 steps ended at {len(steps)} different rows"


def test_it_says_how_good_the_line_is(build):
    points, target = data(300, 4, noise=0.3)
    good = go(build, points, target, 20)
    assert good.info["R² of rows left out"] == bayes_linear(points, target).loo_r2 > 0.8
    assert good.info["notes"] == []
    noise = go(build, points, np.random.default_rng(9).normal(size=300), 20)
    assert noise.info["R² of rows left out"] < 0.1
    assert "says little about this score" in noise.info["notes"][0]


def test_weights_of_frank_wolfe_that_are_worse_than_nothing_are_said_to_be(build):
    points, target = data(400, 30)
    plain = go(build, points, target, 20, search="frank-wolfe", finish="none")
    assert plain.info["error"] > plain.info["error without rows"]
    assert "farther from the sum than no rows" in plain.info["notes"][-1]
    assert go(build, points, target, 20, search="frank-wolfe").info["error"] < plain.info["error without rows"]


def test_the_seed_decides_the_draws_and_nothing_else(build):
    points, target = data(150, 8)
    a, b, c = (go(build, points, target, 15, seed=seed) for seed in (0, 0, 1))
    assert a.order.tolist() == b.order.tolist()
    assert a.weights.tolist() == b.weights.tolist()
    assert set(a.order.tolist()) != set(c.order.tolist())
    assert a.info["penalty"] == c.info["penalty"]


def test_memory_and_the_scale_of_the_score_change_nothing(build):
    points, target = data(150, 8)
    pool = build(150)
    ports = {"features": pool.features(points), "signal": pool.score(target)}
    usual = BayesCoreset().select(pool.pool, pool.ask(15), Runtime(), **ports)
    tight = BayesCoreset().select(pool.pool, pool.ask(15), Runtime(memory_bytes=1), **ports)
    assert usual.info["vectors kept in memory"]
    assert not tight.info["vectors kept in memory"]
    assert usual.order.tolist() == tight.order.tolist()
    scaled = go(build, points, target * 1000 + 5, 15)
    assert scaled.order.tolist() == usual.order.tolist()
    np.testing.assert_allclose(scaled.weights, usual.weights, rtol=1e-6)


def test_a_column_can_be_the_signal(build):
    points, target = data(60)
    pool = build(60)
    ports = {"features": pool.features(points), "signal": pool.score(np.zeros(60), loss=target)}
    made = BayesCoreset(column="loss").select(pool.pool, pool.ask(8), Runtime(), **ports)
    assert made.order.tolist() == go(build, points, target, 8).order.tolist()


def test_a_score_without_spread_and_a_pool_without_rows_are_errors(build):
    points, target = data(20)
    with pytest.raises(CurationError, match="is 2 in all 20 rows") as error:
        go(build, points, np.full(20, 2.0), 5)
    assert error.value.hint
    with pytest.raises(CurationError, match="no eligible row has a vector and a score"):
        go(build, points, np.full(20, np.nan), 5)
