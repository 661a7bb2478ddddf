from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curation.core.artifacts import Features, Missing, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, DataError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg import nearest
from curation.selectors.k_center import KCenter, k_center_greedy, most_central


def k_center_naive(points, budget, first=None, already=()):
    """The textbook loop: one vector of float64 distances, one pick at a time; argmax takes the lowest of equals."""
    wide = np.asarray(points).astype(np.float64)
    squared, covered_by = np.full(len(wide), np.inf), np.full(len(wide), -1)

    def place(centre):
        difference = wide - wide[centre]
        distance = np.einsum("ij,ij->i", difference, difference)
        better = distance < squared
        squared[better], covered_by[better] = distance[better], centre

    for centre in already:
        place(centre)
    order, gains = [], []
    if first is not None:
        order, gains = [first], [squared[first]]
        place(first)
    while len(order) < min(budget, len(wide) - len(already)) and squared.max() > 0:
        pick = int(squared.argmax())
        order.append(pick)
        gains.append(squared[pick])
        place(pick)
    return order, np.sqrt(gains), covered_by, np.sqrt(squared)


def points_of(kind, rng, n=240):
    points = rng.standard_normal((n, 10)).astype(np.float32)
    if kind == "grid":
        return rng.integers(0, 4, (n, 3)).astype(np.float32)
    if kind == "simplex":
        return np.eye(n, dtype=np.float32)
    if kind == "unit grid":
        points = rng.integers(1, 3, (n, 5)).astype(np.float32)
        return points / np.linalg.norm(points, axis=1, keepdims=True)
    if kind == "copies":
        points[60:] = points[rng.integers(0, 60, n - 60)]
    if kind == "equal":
        points[:] = points[0]
    if kind == "offset":
        points += 5000
    if kind == "outliers":
        points[rng.integers(0, n, 6)] *= 1e5
    if kind == "double":
        return points.astype(np.float64)
    return points


KINDS = ["normal", "grid", "simplex", "unit grid", "copies", "equal", "offset", "outliers", "double"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_textbook_loop_whatever_pool_and_blocks(kind, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    points = points_of(kind, rng)
    first = int(rng.integers(len(points)))
    already = rng.choice(len(points), 5, replace=False)
    for budget, start, taken in ((60, first, []), (1000, first, []), (50, None, already)):
        order, gains, covered_by, distance = k_center_naive(points, budget, start, np.sort(taken).astype(int))
        for pool, block in ((1024, 4096), (16, 50), (1, 7)):
            monkeypatch.setattr(nearest, "ROW_BLOCK", block)
            monkeypatch.setattr(nearest, "CENTRE_BLOCK", block // 2)
            found = k_center_greedy(points, budget, first=start, already=taken, pool=pool)
            assert found.order.tolist() == order
            np.testing.assert_array_equal(found.gains, gains)
            np.testing.assert_array_equal(found.covered_by, covered_by)
            np.testing.assert_array_equal(found.distance, distance)
            assert found.short_by == min(budget, len(points) - len(taken)) - len(order)
            assert found.info["radius"] == distance.max()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_device_and_in_half_precision_the_picks_are_the_same(kind, seed, tmp_path):
    """ "cpu:0" takes the way of GPUs on the processor."""
    points = points_of(kind, np.random.default_rng(seed))
    expected = k_center_greedy(points, 70)
    found = k_center_greedy(points, 70, pool=16, device="cpu:0")
    np.testing.assert_array_equal(found.order, expected.order)
    np.testing.assert_array_equal(found.distance, expected.distance)
    np.testing.assert_array_equal(found.covered_by, expected.covered_by)
    if kind in ("double", "outliers"):
        return  # beyond the range of half precision
    half = points.astype(np.float16)
    np.save(tmp_path / "half.npy", half)
    mapped = np.load(tmp_path / "half.npy", mmap_mode="r")
    wide = k_center_greedy(half.astype(np.float64), 70)
    for device in ("cpu", "cpu:0"):
        narrow = k_center_greedy(mapped, 70, pool=16, device=device)
        np.testing.assert_array_equal(narrow.order, wide.order)
        np.testing.assert_array_equal(narrow.gains, wide.gains)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ignore", [1, 7, 40])
def test_passing_over_the_farthest_equals_the_loop(kind, ignore):
    points = points_of(kind, np.random.default_rng(1))
    wide = points.astype(np.float64)
    squared, order = np.full(len(wide), np.inf), [3]
    while True:
        difference = wide - wide[order[-1]]
        squared = np.minimum(squared, np.einsum("ij,ij->i", difference, difference))
        ranked = np.argsort(-squared, kind="stable")
        if len(order) == 50 or squared[ranked[ignore]] <= 0:
            break
        order.append(int(ranked[ignore]))
    for pool in (1, 16, 512):
        found = k_center_greedy(points, 50, first=3, ignore=ignore, pool=pool)
        assert found.order.tolist() == order
        assert found.short_by == 50 - len(order)
        assert bool(found.short_by) == bool(found.short_reason)
        np.testing.assert_array_equal(found.order[:9], k_center_greedy(points, 9, first=3, ignore=ignore).order)
    assert found.info["radius"] <= np.sqrt(squared.max())


def test_planted_outliers_are_passed_over_and_every_blob_is_reached():
    rng = np.random.default_rng(0)
    blobs = np.repeat(np.eye(6) * 10, 30, axis=0) + rng.standard_normal((180, 6)) * 0.05
    outliers = rng.standard_normal((5, 6)) * 1000
    points = np.concatenate([blobs, outliers])
    plain, robust = (k_center_greedy(points, 6, first=0, ignore=k) for k in (0, 5))
    assert np.isin(plain.order, np.arange(180, 185)).sum() == 5
    assert sorted(robust.order // 30) == [0, 1, 2, 3, 4, 5]
    assert (robust.stage[180:] == 3).all()
    assert robust.info["radius"] < 1
    with pytest.raises(CurationError, match="passed over"):
        k_center_greedy(points, 6, ignore=185)


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-2, 2).map(float)
    ),
    st.integers(1, 14),
    st.integers(1, 5),
    st.data(),
)
def test_equals_the_textbook_loop_on_small_grids(points, budget, pool, data):
    first = data.draw(st.integers(0, len(points) - 1))
    found = k_center_greedy(points, budget, first=first, pool=pool)
    assert found.order.tolist() == k_center_naive(points, budget, first)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_smaller_budgets_are_prefixes_and_known_picks_change_nothing(kind):
    points = points_of(kind, np.random.default_rng(0))
    whole = k_center_greedy(points, 90)
    for budget in (1, 2, 40, 89):
        assert k_center_greedy(points, budget).order.tolist() == whole.order[:budget].tolist()
    for known in (1, 33, len(whole.order)):
        again = k_center_greedy(points, 90, known=whole.order[:known])
        np.testing.assert_array_equal(again.order, whole.order)
        np.testing.assert_array_equal(again.gains, whole.gains)
        np.testing.assert_array_equal(again.covered_by, whole.covered_by)
        np.testing.assert_array_equal(again.distance, whole.distance)


def test_known_picks_after_rows_already_there():
    points = points_of("normal", np.random.default_rng(4))
    whole = k_center_greedy(points, 30, already=[3, 9])
    again = k_center_greedy(points, 30, already=[9, 3], known=whole.order[:12])
    np.testing.assert_array_equal(again.order, whole.order)
    np.testing.assert_array_equal(again.gains, whole.gains)


def test_more_known_than_asked_for_is_cut():
    points = points_of("normal", np.random.default_rng(4))
    whole = k_center_greedy(points, 30)
    cut = k_center_greedy(points, 8, known=whole.order)
    np.testing.assert_array_equal(cut.order, whole.order[:8])
    np.testing.assert_array_equal(cut.distance, k_center_greedy(points, 8).distance)


@pytest.mark.parametrize("seed", range(60))
def test_radius_is_at_most_twice_the_best(seed):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(4, 11)), int(rng.integers(1, 5))
    points = rng.standard_normal((n, 2))
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    best = min(apart[:, list(some)].min(axis=1).max() for some in itertools.combinations(range(n), min(k, n)))
    for first in range(n):
        assert k_center_greedy(points, k, first=first).info["radius"] <= 2 * best + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_one_row_of_each_planted_blob_from_every_start(seed):
    rng = np.random.default_rng(seed)
    blob = np.repeat(np.arange(8), 15)
    points = 10 * np.eye(8)[blob] + 0.5 * rng.uniform(-1, 1, (120, 8))
    for first in rng.integers(0, 120, 10):
        picks = k_center_greedy(points, 8, first=int(first)).order
        assert sorted(blob[picks]) == list(range(8))


@pytest.mark.parametrize("seed", range(3))
def test_turning_mirroring_and_shuffling_change_nothing(seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((150, 6))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    wanted = k_center_greedy(points, 30).order
    np.testing.assert_array_equal(k_center_greedy(points @ turn, 30).order, wanted)
    np.testing.assert_array_equal(k_center_greedy(points * [-1, 1, 1, 1, 1, 1], 30).order, wanted)
    shuffle = rng.permutation(150)
    np.testing.assert_array_equal(shuffle[k_center_greedy(points[shuffle], 30).order], wanted)


def test_gains_are_the_radius_that_the_picks_before_left():
    points = points_of("normal", np.random.default_rng(1))
    found = k_center_greedy(points, 25)
    assert found.gains[0] == np.inf
    for k in (1, 5, 24):
        assert k_center_greedy(points, k).info["radius"] == found.gains[k]
    assert (np.diff(found.gains) <= 0).all()


def test_copies_stop_it_short_or_fill_it_up():
    points = np.array([[0.0], [0], [5], [5], [0]])
    short = k_center_greedy(points, 4, first=4)
    assert short.order.tolist() == [4, 2]
    assert short.short_by == 2
    assert "identical" in short.short_reason
    full = k_center_greedy(points, 4, first=4, fill=True)
    assert full.order.tolist() == [4, 2, 0, 1]
    assert full.short_by == 0
    np.testing.assert_array_equal(full.gains, [np.inf, 5, 0, 0])
    assert k_center_greedy(points, 9, fill=True).short_by == 0


def test_filling_up_with_copies_passes_over_what_is_passed_over():
    points = np.zeros((6, 2))
    points[1] = 9
    found = k_center_greedy(points, 4, first=0, ignore=1, fill=True)
    assert found.order.tolist() == [0, 2, 3, 4]
    np.testing.assert_array_equal(found.gains, [np.inf, 0, 0, 0])
    more = k_center_greedy(points, 6, first=0, ignore=1, fill=True, known=found.order)
    assert more.order.tolist() == [0, 2, 3, 4, 5]
    np.testing.assert_array_equal(more.gains, [np.inf, 0, 0, 0, 0])
    assert (more.short_by, more.stages[more.stage[1] - 1]) == (1, "passed over as one of the farthest")


def test_a_copy_of_a_pick_is_covered_and_not_passed_over():
    found = k_center_greedy(np.ones((10, 3)), 2, ignore=3)
    assert found.order.tolist() == [0]
    np.testing.assert_array_equal(found.stage[1:], 1)
    assert found.info["ignored"] == 0


@pytest.mark.parametrize("known", [0, 4000])
def test_many_copies_of_picks_are_not_compared_with_each_other(known):
    points = np.zeros((20_000, 32), np.float32)
    points[:5] = np.eye(5, 32)
    found = k_center_greedy(
        points, 8000, first=0, fill=True, known=np.r_[0, 1, 2, 3, 4, 5 : known + 1] if known else None
    )
    np.testing.assert_array_equal(found.order, np.arange(8000))
    np.testing.assert_array_equal(found.gains[6:], 0)


def test_most_central_takes_the_lowest_of_equals():
    assert most_central(np.array([[-1.0], [1.0], [-1.0]])) == 0
    assert most_central(np.array([[9.0], [4.0], [-9.0], [4.0]])) == 1


def test_one_row_and_nothing_left():
    assert k_center_greedy(np.ones((1, 2)), 5).order.tolist() == [0]
    nothing = k_center_greedy(np.ones((2, 2)), 5, already=[0, 1])
    assert nothing.order.tolist() == []
    assert nothing.short_by == 0


def test_points_are_untouched_and_progress_reaches_the_end():
    points = points_of("normal", np.random.default_rng(2))
    before, seen = points.copy(), []
    k_center_greedy(points, 20, pool=8, progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_array_equal(points, before)
    assert seen[-1] == (20, 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget 0"),
        ({"first": 9}, "row 9 does not exist"),
        ({"already": [-1]}, "row -1 does not exist"),
        ({"first": 1, "already": [1]}, "row 1, counts as picked"),
        ({"known": [2, 2]}, "twice"),
        ({"known": [2], "already": [2]}, "twice"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(CurationError, match=message):
        k_center_greedy(np.eye(4), **{"budget": 2, **arguments})


def test_rows_that_are_not_finite_are_named():
    with pytest.raises(DataError, match="row 1"):
        k_center_greedy(np.array([[1.0], [np.nan]]), 1)


# ---------------------------------------------------------------------- the method


def ask_of(method, values, eligible=None, count=5, known=None, **ports):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    missing = Missing.where(~np.isfinite(values).all(axis=1), "not encoded")
    features = Features(pool.fingerprint, np.asarray(values, np.float32), missing)
    rows = np.arange(len(values)) if eligible is None else np.asarray(eligible)
    rows = rows[~missing.mask[rows]]
    return method.select(pool, Ask(rows, count, known), Runtime(), features=features, **ports)


def test_method_picks_among_eligible_rows_only_and_explains_the_others():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 6)) * rng.uniform(0.1, 9, (40, 1))
    values[7] = np.nan
    eligible = np.arange(0, 40, 2)
    found = ask_of(KCenter(budget=6), values, eligible, 6)
    assert found.n == 40
    assert np.isin(found.order, eligible).all()
    unit = values[eligible] / np.linalg.norm(values[eligible], axis=1, keepdims=True)
    cosine = 1 - unit @ (values[found.order] / np.linalg.norm(values[found.order], axis=1, keepdims=True)).T
    np.testing.assert_allclose(found.distance[eligible], cosine.min(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.covered_by[eligible], found.order[cosine.argmin(axis=1)])
    assert (found.covered_by[1::2] == -1).all()
    out = int(np.setdiff1d(eligible, found.order)[0])
    assert found.why(out).startswith("out: a picked row stands for it")
    assert f"row {found.covered_by[out]} stands for it" in found.why(out)
    assert (found.margin[np.setdiff1d(eligible, found.order)] >= 0).all()
    assert found.why(int(found.order[1])).startswith("in: pick 2 of 6")


def test_cosine_and_euclidean_on_unit_rows_pick_the_same():
    values = np.random.default_rng(0).standard_normal((60, 5))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    cosine, euclidean = (ask_of(KCenter(metric=metric), values, count=20) for metric in ("cosine", "euclidean"))
    np.testing.assert_array_equal(cosine.order, euclidean.order)
    np.testing.assert_allclose(cosine.gains[1:], euclidean.gains[1:] ** 2 / 2, rtol=1e-4)
    assert cosine.info["metric"] == "cosine"


def test_rows_without_direction_are_left_out_and_counted():
    values = np.random.default_rng(0).standard_normal((6, 3))
    values[[1, 4]] = 0
    found = ask_of(KCenter(), values, count=6)
    assert sorted(found.order) == [0, 2, 3, 5]
    assert found.short_by == 2
    assert found.short_reason == "2 eligible rows have no direction"
    assert found.why(4) == "out: its vector has no direction"
    assert np.isin([1, 4], ask_of(KCenter(metric="euclidean"), values, count=6).order).sum() == 1
    with pytest.raises(CurationError, match="usable vector"):
        ask_of(KCenter(), np.zeros((3, 2)), count=2)


def test_rows_of_an_earlier_selection_count_as_picked():
    values = np.random.default_rng(0).standard_normal((50, 4))
    whole = ask_of(KCenter(), values, count=20)
    standing = Selection("", 50, whole.order[:8])
    more = ask_of(KCenter(), values, count=12, already=standing)
    np.testing.assert_array_equal(more.order, whole.order[8:])
    outside = ask_of(
        KCenter(), values, eligible=np.setdiff1d(np.arange(50), whole.order[:8]), count=12, already=standing
    )
    np.testing.assert_array_equal(outside.order, whole.order[8:])
    every = ask_of(KCenter(), values, count=50, already=standing)
    assert len(every) == 42
    assert every.short_reason == "8 eligible rows count as picked already"


def test_an_order_is_extended_from_the_known_picks():
    values = np.random.default_rng(3).standard_normal((50, 4))
    eligible = np.arange(5, 50)
    whole = ask_of(KCenter(), values, eligible, 30)
    extended = ask_of(KCenter(), values, eligible, 30, known=whole.order[:11])
    np.testing.assert_array_equal(extended.order, whole.order)
    np.testing.assert_array_equal(extended.gains, whole.gains)


def test_the_share_passed_over_is_not_lost_to_floating_point():
    values = np.random.default_rng(0).standard_normal((100, 4))
    assert ask_of(KCenter(ignore_farthest=0.29), values, count=5).info["ignored"] == 29  # 0.29 · 100 < 29 in float64


def test_a_shortfall_counts_the_rows_that_are_left():
    values = np.vstack([np.repeat(np.eye(3), 4, axis=0), -np.eye(3)[:1]])
    assert ask_of(KCenter(), values, count=5).short_reason == "9 rows are identical to one that is picked"
    found = ask_of(KCenter(ignore_farthest=0.1), values, count=5)
    assert found.short_reason == "9 rows are identical to one that is picked; 1 rows are passed over as the farthest"


def test_copies_are_a_choice():
    values = np.repeat(np.eye(3), 4, axis=0)
    stopped = ask_of(KCenter(), values, count=5)
    assert len(stopped) == 3
    assert stopped.short_by == 2
    assert len(ask_of(KCenter(copies="fill"), values, count=5)) == 5
