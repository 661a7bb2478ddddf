"""MODN against a loop, on planted tasks and clusters, and its preset."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors.modn import Modn, closest_to_mean, greedy_by_cluster, task_centre


def unit(points):
    points = np.asarray(points, np.float64)
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def greedy_naive(points, rows, count, first):
    """Every distance anew at each step, in float64; the lowest row among equals."""
    wide = points.astype(np.float64)
    picked = [first]
    while len(picked) < min(count, len(rows)):
        nearest = {i: min(((wide[i] - wide[j]) ** 2).sum() for j in picked) for i in rows if i not in picked}
        row = max(nearest, key=lambda i: (nearest[i], -i))
        if nearest[row] == 0:
            break
        picked.append(row)
    return picked


def modn_naive(points, codes, tasks, target, count):
    """Steps 4 to 6 as the paper's summary gives them."""
    rows = [i for i in range(len(points)) if tasks[i] == target]
    frequency = [sum(codes[i] == k for i in rows) for k in range(max(codes) + 1)]
    cluster = frequency.index(max(frequency))
    centroid = points[codes == cluster].astype(np.float64).mean(axis=0)
    centroid /= np.linalg.norm(centroid)
    cosine = [float(points[i].astype(np.float64) @ centroid) for i in rows]
    return greedy_naive(points, rows, count, rows[cosine.index(max(cosine))])


def two_tasks(seed, n=120):
    """Three blobs; task `a` mostly in the first, `b` mostly in the second."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n)
    points = unit(np.eye(3, 8)[codes] * 3 + rng.normal(0, 0.4, (n, 8)))
    chance = np.array([0.8, 0.1, 0.3])[codes]
    tasks = np.where(rng.random(n) < chance, "a", "b")
    return points, codes, tasks


def pick(build, points, count, clusters=None, tasks=None, eligible=None, known=None, **parameters):
    pool = build(len(points))
    return Modn(**parameters).select(
        pool.pool,
        pool.ask(count, eligible, known),
        Runtime(),
        features=pool.features(points),
        clusters=None if clusters is None else pool.labels([str(c) for c in clusters]),
        tasks=None if tasks is None else pool.labels(list(tasks)),
    )


@pytest.mark.parametrize("seed", range(6))
def test_task_mode_equals_the_naive_loop(build, seed):
    points, codes, tasks = two_tasks(seed)
    for target in "ab":
        made = pick(build, points, 25, codes, tasks, mode="task", task=target)
        assert made.order.tolist() == modn_naive(points, codes, tasks, target, 25)


@pytest.mark.parametrize("seed", range(4))
def test_task_mode_never_leaves_the_task_and_finds_its_cluster(build, seed):
    points, codes, tasks = two_tasks(seed)
    made = pick(build, points, len(points), codes, tasks, mode="task", task="a")
    assert set(tasks[made.order]) == {"a"}
    assert made.info["cluster"] == "0"
    assert made.short_by == int((tasks == "b").sum())
    assert "only" in made.short_reason
    other = int(np.flatnonzero(tasks == "b")[0])
    assert made.why(other) == "out: not of the task 'a'"


def test_the_centroid_is_that_of_the_whole_cluster_not_of_the_task():
    # the task's own mean is row 0; the cluster, pulled by the other task, is centred at row 1
    points = unit([[1, 0], [1, 0.5], [1, -0.5], [1, 0.9], [1, 0.9], [1, 0.9]])
    codes = np.zeros(6, int)
    task = np.array([0, 1, 2])
    assert closest_to_mean(points, task, task) == 0
    assert task_centre(points, codes, task).row == 1


def test_the_fuller_cluster_wins_and_the_lower_among_equals():
    points = unit(np.random.default_rng(0).normal(size=(6, 3)))
    codes = np.array([1, 1, 0, 0, 2, -1])
    assert task_centre(points, codes, np.arange(6)).cluster == 0
    assert task_centre(points, codes, np.array([0, 1, 2, 5])).cluster == 1
    with pytest.raises(CurationError, match="no row of the task is in a cluster"):
        task_centre(points, codes, np.array([5]))


def test_restricted_to_the_main_cluster(build):
    points, codes, tasks = two_tasks(0)
    made = pick(build, points, 500, codes, tasks, mode="task", task="a", restrict_to_dominant_cluster=True)
    assert sorted(made.order) == np.flatnonzero((codes == 0) & (tasks == "a")).tolist()


@pytest.mark.parametrize("start", ["centre", "random"])
def test_planted_blobs_get_exactly_one_row_each(build, start):
    rng = np.random.default_rng(1)
    blob = np.repeat(np.arange(7), 20)
    points = np.eye(7, 9)[blob] + rng.normal(0, 0.01, (140, 9))
    for seed in range(5):
        whole = pick(build, points, 7, mode="global", start=start, seed=seed)
        assert sorted(blob[whole.order]) == list(range(7))
        each = pick(build, points, 7, blob, mode="clusters", start=start, seed=seed)
        assert sorted(blob[each.order]) == list(range(7))


def test_clusters_share_the_budget_in_proportion_and_take_turns(build):
    codes = np.repeat([0, 1, 2], [10, 60, 30])
    points = unit(np.random.default_rng(2).normal(size=(100, 6)))
    made = pick(build, points, 20, codes, mode="clusters")
    assert np.bincount(codes[made.order]).tolist() == [2, 12, 6]
    assert codes[made.order[:6]].tolist() == [1, 2, 0, 1, 2, 0]
    assert (made.info["clusters"], made.info["clusters_reached"]) == (3, 3)


@pytest.mark.parametrize("seed", range(3))
def test_each_cluster_equals_the_naive_loop_in_it(seed):
    rng = np.random.default_rng(seed)
    points, codes = unit(rng.normal(size=(80, 5))), rng.integers(0, 3, 80)
    members = [np.flatnonzero(codes == k) for k in range(3)]
    found = greedy_by_cluster(points, members, 30)
    for rows in members:
        mine = [int(r) for r in found.order if r in rows]
        mean = points[rows].astype(np.float64).mean(axis=0)
        first = int(rows[((points[rows] - mean / np.linalg.norm(mean)) ** 2).sum(axis=1).argmin()])
        assert mine == greedy_naive(points, rows.tolist(), len(mine), first)


def test_global_mode_starts_at_the_row_closest_to_the_mean(build):
    points = unit(np.random.default_rng(3).normal(size=(50, 4)) + 1)
    made = pick(build, points, 10, mode="global")
    mean = points.astype(np.float64).mean(axis=0)
    first = int((points @ mean).argmax())
    assert made.order.tolist() == greedy_naive(points, list(range(50)), 10, first)


@pytest.mark.parametrize("mode", ["task", "global"])
def test_known_picks_are_extended(build, mode):
    points, codes, tasks = two_tasks(4)
    parameters = {"mode": mode, "task": "a"}
    long = pick(build, points, 30, codes, tasks, **parameters)
    short = pick(build, points, 12, codes, tasks, **parameters)
    assert long.order[:12].tolist() == short.order.tolist()
    again = pick(build, points, 30, codes, tasks, known=short.order.tolist(), **parameters)
    assert again.order.tolist() == long.order.tolist()
    np.testing.assert_allclose(again.gains, long.gains)


def test_only_copies_left_stops_short_or_fills(build):
    points = np.repeat(np.eye(3), 4, axis=0)
    made = pick(build, points, 6, mode="global")
    assert (len(made), made.short_by) == (3, 3)
    assert "identical" in made.short_reason
    full = pick(build, points, 6, mode="global", copies="fill")
    assert (len(full), full.short_by) == (6, 0)
    codes = np.repeat([0, 1], 6)
    assert pick(build, points, 12, codes, mode="clusters").short_by == 8
    assert sorted(pick(build, points, 12, codes, mode="clusters", copies="fill").order) == list(range(12))


def test_gains_are_cosine_distances_and_rows_out_name_their_pick(build):
    points = np.array([[1, 0], [1, 0.02], [0, 1], [-1, 0]])
    made = pick(build, points, 3, mode="global", start="centre")
    assert made.why(1 if 0 in made.order else 0).startswith("out: a picked row stands for it")
    out = next(row for row in range(4) if row not in made.order)
    pair = unit(points)[[out, made.covered_by[out]]].astype(np.float64)
    assert made.distance[out] == pytest.approx(1 - pair[0] @ pair[1], abs=1e-6)
    assert np.isinf(made.gains[0])


def test_neither_length_nor_rotation_of_the_vectors_matters(build):
    points, codes, tasks = two_tasks(5)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))
    stretched = (points @ turn) * np.random.default_rng(1).uniform(0.5, 2, (len(points), 1))
    before = pick(build, points, 15, codes, tasks, mode="task", task="a")
    after = pick(build, stretched, 15, codes, tasks, mode="task", task="a")
    assert before.order.tolist() == after.order.tolist()


def test_rows_without_a_cluster_or_a_direction_are_counted(build):
    points = np.random.default_rng(0).normal(size=(10, 3))
    points[4] = 0
    pool = build(10)
    clusters = pool.labels(["x"] * 10)
    clusters.codes[7:] = -1
    made = Modn().select(pool.pool, pool.ask(10), Runtime(), features=pool.features(points), clusters=clusters)
    assert sorted(made.order) == [0, 1, 2, 3, 5, 6]
    assert (made.short_by, made.short_reason) == (4, "all other rows are in no cluster")
    assert made.why(8) == "out: in no cluster"
    assert made.why(4) == "out: its vector has no direction"


def test_what_a_mode_needs_is_said(build):
    points, codes, tasks = two_tasks(0)
    with pytest.raises(ValidationError, match="needs 'task'"):
        Modn(mode="task")
    with pytest.raises(CurationError, match="needs 'clusters'"):
        pick(build, points, 5)
    with pytest.raises(CurationError, match="needs 'tasks'"):
        pick(build, points, 5, codes, mode="task", task="a")
    with pytest.raises(CurationError, match="no task is named 'c'"):
        pick(build, points, 5, codes, tasks, mode="task", task="c")
    eligible = np.flatnonzero(tasks == "b").tolist()
    with pytest.raises(CurationError, match="no eligible row is of the task 'a'"):
        pick(build, points, 5, codes, tasks, eligible=eligible, mode="task", task="a")


def test_only_the_cluster_mode_is_not_nested():
    assert not Modn(mode="clusters").is_nested()
    assert Modn(mode="global").is_nested()
    assert Modn(mode="task", task="a").is_nested()
