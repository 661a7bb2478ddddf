"""DEITA's diverse filter: the loop over single rows, and what its specification promises."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curation.core.artifacts import BEYOND_BUDGET, Features, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import pair_squared_distances, unit_rows
from curation.selectors import diverse_filter as module
from curation.selectors.diverse_filter import NO_DIRECTION, NO_SCORE, SIMILAR, DiverseFilter, diverse_filter, kept_curve


def cosine_matrix(points):
    """All cosines as this package defines them; NaN for rows without a direction."""
    unit, n = unit_rows(points), len(points)
    cosine = np.full((n, n), np.nan)
    i, j = (x.ravel() for x in np.indices((len(unit.kept),) * 2))
    cosine[unit.kept[i], unit.kept[j]] = 1 - pair_squared_distances(unit.values, i, j) / 2
    return cosine


def diverse_filter_naive(points, scores, budget, max_similarity):
    """The textbook loop: one row at a time against the rows kept so far."""
    cosine, kept, covered_by = cosine_matrix(points), [], np.full(len(points), -1)
    usable = np.isfinite(scores) & np.isfinite(np.diag(cosine))
    for row in sorted(np.flatnonzero(usable), key=lambda row: (-scores[row], row)):
        if len(kept) == budget:
            break
        above = [other for other in kept if cosine[row, other] > max_similarity]
        if above:
            covered_by[row] = above[0]
        else:
            kept.append(row)
    return kept, covered_by


def points_of(kind, rng, n=120):
    points = rng.standard_normal((n, 4)).astype(np.float32)
    if kind == "grid":
        points = rng.integers(0, 3, (n, 4)).astype(np.float32)  # some rows are zero
    if kind == "simplex":
        points = np.eye(n, dtype=np.float32)
    if kind == "copies":
        points[20:] = points[rng.integers(0, 20, n - 20)]
    if kind == "equal":
        points[:] = points[0]
    if kind == "zeros":
        points[rng.integers(0, n, 30)] = 0
    return points


KINDS = ["normal", "grid", "simplex", "copies", "equal", "zeros"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_loop_for_every_size_of_blocks(kind, seed):
    rng = np.random.default_rng(seed)
    points = points_of(kind, rng)
    scores = rng.integers(0, 30, len(points)).astype(float)  # many equal ones
    scores[rng.integers(0, len(points), 5)] = np.nan
    for budget, limit in ((25, 0.9), (1000, 0.9), (1000, 0.0)):
        order, covered_by = diverse_filter_naive(points, scores, budget, limit)
        for block in (1, 2, 7, len(points), None):
            found = diverse_filter(points, scores, budget, limit, block=block)
            assert found.order.tolist() == order
            np.testing.assert_array_equal(found.covered_by, covered_by)
            np.testing.assert_array_equal(found.gains, scores[order])
            assert found.short_by == min(budget, len(points)) - len(order)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=11), elements=st.integers(-2, 2).map(float)
    ),
    st.sampled_from([-1, -0.5, 0, 0.5, 0.9, 1]),
    st.integers(1, 12),
    st.integers(1, 4),
    st.data(),
)
def test_equals_the_loop_on_small_grids(points, limit, budget, block, data):
    scores = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(points), max_size=len(points))), float)
    found = diverse_filter(points, scores, budget, limit, block=block)
    assert found.order.tolist() == diverse_filter_naive(points, scores, budget, limit)[0]


@pytest.mark.parametrize("seed", range(3))
def test_kept_rows_are_apart_and_every_dropped_row_has_a_better_one_that_is_too_similar(seed):
    rng = np.random.default_rng(seed)
    points, scores = points_of("normal", rng), rng.integers(0, 20, 120).astype(float)
    cosine = cosine_matrix(points)
    for budget, limit in ((20, 0.8), (120, 0.8), (120, 0.3)):
        found = diverse_filter(points, scores, budget, limit)
        among = cosine[np.ix_(found.order, found.order)]
        assert among[~np.eye(len(among), dtype=bool)].max() <= limit
        dropped = np.flatnonzero(found.covered_by >= 0)
        by = found.covered_by[dropped]
        assert len(dropped) + len(found) == found.info["examined"]
        assert np.isin(by, found.order).all()
        assert (scores[by] >= scores[dropped]).all()
        assert (cosine[dropped, by] > limit).all()
        np.testing.assert_allclose(found.distance[dropped], 1 - cosine[dropped, by], atol=1e-15)
        np.testing.assert_allclose(found.margin[dropped], cosine[dropped, by] - limit, atol=1e-15)
        for row, first in zip(dropped, by, strict=True):  # the first kept of all that are too similar
            earlier = found.order[: np.flatnonzero(found.order == first)[0]]
            assert (cosine[row, earlier] <= limit).all()


def test_rows_after_the_last_pick_are_beyond_the_budget():
    rng = np.random.default_rng(0)
    points, scores = points_of("normal", rng), rng.standard_normal(120)
    found = diverse_filter(points, scores, 15, 0.7)
    turn = np.argsort(-scores)
    last = int(np.flatnonzero(turn == found.order[-1])[0])
    assert found.info["examined"] == last + 1
    assert {found.why(row) for row in turn[last + 1 :]} == {f"out: {BEYOND_BUDGET}"}
    assert all(found.why(row).startswith(f"out: {SIMILAR} (by ") for row in np.setdiff1d(turn[:last], found.order))


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_of_one_is_the_plain_top_and_of_minus_one_the_top_row(kind):
    rng = np.random.default_rng(1)
    points, scores = points_of(kind, rng), rng.integers(0, 30, 120).astype(float)
    top = [row for row in np.argsort(-scores, kind="stable") if points[row].any()]
    for limit in (1.0, 1 + 1e-6):
        assert diverse_filter(points, scores, 40, limit).order.tolist() == top[:40]
    lowest = diverse_filter(points, scores, 40, -1.0)
    assert lowest.order.tolist() == top[:1]
    assert (lowest.covered_by[top[1:]] == top[0]).all()


def test_an_exactly_opposite_row_stays_at_minus_one():
    points = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    assert diverse_filter(points, np.arange(4.0)[::-1], 4, -1.0).order.tolist() == [0, 2]


def test_a_limit_below_one_drops_exact_copies_only():
    points = np.array([[1.0, 2], [3, 6], [1, 2.001], [1, 2], [2, 1]], np.float32)
    found = diverse_filter(points, np.arange(5.0)[::-1], 5, 1 - 1e-9)
    assert found.order.tolist() == [0, 2, 4]
    assert found.covered_by.tolist() == [-1, 0, -1, 0, -1]
    assert found.distance[[1, 3]].tolist() == [0, 0]


@pytest.mark.parametrize("block", [1, 2, 3])
def test_a_dropped_row_drops_no_other(block):
    """a and b are too similar, b and c too, a and c not: published code with a batch of three keeps a alone."""
    degrees = np.radians([0, 20, 40])
    chain = np.stack([np.cos(degrees), np.sin(degrees)], axis=1)
    found = diverse_filter(chain, np.array([3.0, 2, 1]), 3, 0.9, block=block)
    assert found.order.tolist() == [0, 2]
    assert found.covered_by.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("seed", range(4))
def test_a_higher_score_never_moves_a_row_back(seed):
    rng = np.random.default_rng(seed)
    points, scores = points_of("normal", rng, 60), rng.standard_normal(60)
    place = {int(row): i for i, row in enumerate(diverse_filter(points, scores, 60, 0.7).order)}
    for row in range(60):
        for more in (0.1, 1.0, 9.0):
            raised = scores.copy()
            raised[row] += more
            found = diverse_filter(points, raised, 60, 0.7).order.tolist()
            if row in place:
                assert found.index(row) <= place[row]


def test_lengths_of_vectors_and_scale_of_scores_change_nothing():
    rng = np.random.default_rng(0)
    points, scores = points_of("normal", rng), rng.standard_normal(120)
    wanted = diverse_filter(points, scores, 50, 0.7)
    for scaled in (points * 4, points * 2.0 ** rng.integers(-20, 20, (120, 1)), points.astype(float) * 0.3):
        np.testing.assert_array_equal(diverse_filter(scaled, scores, 50, 0.7).order, wanted.order)
    np.testing.assert_array_equal(diverse_filter(points, scores * 7 + 2, 50, 0.7).order, wanted.order)
    low = diverse_filter(points, -scores, 50, 0.7, highest=False)
    np.testing.assert_array_equal(low.order, wanted.order)


def test_copies_of_the_top_row_are_all_dropped():
    rng = np.random.default_rng(0)
    points, scores = rng.standard_normal((50, 6)), rng.standard_normal(50)
    top = int(scores.argmax())
    copies = np.setdiff1d(rng.choice(50, 12, replace=False), [top])
    points[copies] = points[top] * rng.uniform(0.1, 9, (len(copies), 1))
    found = diverse_filter(points, scores, 50, 0.9999)
    assert not np.isin(copies, found.order).any()
    assert (found.covered_by[copies] == top).all()
    assert (found.distance[copies] < 1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_smaller_budgets_are_prefixes(kind):
    rng = np.random.default_rng(0)
    points, scores = points_of(kind, rng), rng.standard_normal(120)
    whole = diverse_filter(points, scores, 120, 0.8)
    for budget in (1, 2, 9, max(1, len(whole) - 1)):
        assert diverse_filter(points, scores, budget, 0.8).order.tolist() == whole.order[:budget].tolist()


def test_rows_without_a_direction_or_score_are_never_kept():
    points = np.array([[1.0, 0], [0, 0], [0, 1], [np.nan, 1], [1, 1]])
    found = diverse_filter(points, np.array([1, 9, np.nan, 8, np.inf]), 5, 0.9)
    assert found.order.tolist() == [0]
    assert [found.stages[code - 1] for code in found.stage[1:]] == [NO_DIRECTION, NO_SCORE, NO_DIRECTION, NO_SCORE]
    assert found.short_by == 4
    assert found.short_reason == "2 rows have a vector without direction; 2 rows have no score"
    assert diverse_filter(np.zeros((3, 2)), np.ones(3), 2).order.tolist() == []
    assert diverse_filter(np.ones((1, 2)), np.zeros(1), 2).order.tolist() == [0]


def test_inputs_are_untouched_and_progress_reaches_the_end():
    rng = np.random.default_rng(2)
    points, scores, seen = points_of("normal", rng), rng.standard_normal(120), []
    points.flags.writeable = scores.flags.writeable = False
    diverse_filter(points, scores, 120, 0.8, block=16, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (120, 120)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget 0"),
        ({"scores": np.ones(3)}, "4 rows have 3 scores"),
        ({"max_similarity": np.nan}, "not a number"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(CurationError, match=message):
        diverse_filter(**{"points": np.eye(4), "scores": np.ones(4), "budget": 2, **arguments})


# ---------------------------------------------------------------------- the curve


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [None, 18])
def test_the_curve_counts_what_the_filter_keeps_at_every_limit(kind, budget):
    rng = np.random.default_rng(0)
    points, scores = points_of(kind, rng), rng.integers(0, 40, 120).astype(float)
    scores[3] = np.nan
    limits = [-1, 0.2, 0.5, 0.7, 0.9, 0.999, 1, 1.5]
    found = kept_curve(points, scores, np.array(limits)[::-1], budget, block=16)
    np.testing.assert_array_equal(found.max_similarity, limits)
    for place, limit in enumerate(limits):
        wanted = diverse_filter_naive(points, scores, budget or 120, limit)[0]
        assert found.kept[place] == len(wanted)
        assert found.rows(place).tolist() == wanted


def test_a_row_may_be_kept_at_a_low_limit_and_dropped_at_a_higher_one():
    """Which is why the curve keeps a bit per limit, and not one number per row."""
    degrees = np.radians([0, 25, 48])
    chain = np.stack([np.cos(degrees), np.sin(degrees)], axis=1)
    limits = np.array([0.5, 0.7, 0.91, 0.95])  # cosines: 0.906 of a and b, 0.921 of b and c, 0.669 of a and c
    found = kept_curve(chain, np.array([3.0, 2, 1]), limits)
    assert [found.rows(place).tolist() for place in range(4)] == [[0], [0, 2], [0, 1], [0, 1, 2]]


def test_limits_of_one_and_above_need_no_products():
    found = kept_curve(np.eye(5), np.arange(5.0), np.array([1.0, 2.0]), 3)
    assert found.kept.tolist() == [3, 3]
    assert found.rows(0).tolist() == [4, 3, 2]


@pytest.mark.parametrize("limits", [[], np.linspace(-1, 0.9, 64)])
def test_too_many_limits_or_none_are_refused(limits):
    with pytest.raises(CurationError, match="limits"):
        kept_curve(np.eye(3), np.ones(3), np.array(limits))


# ---------------------------------------------------------------------- the method


def ask_of(method, values, scores, eligible=None, count=5, known=None, better=True):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    lacks = Missing.where(~np.isfinite(values).all(axis=1), "not encoded")
    features = Features(pool.fingerprint, np.asarray(values, np.float32), lacks)
    scores = np.asarray(scores, float)
    score = Score(
        pool.fingerprint, scores, Missing.where(~np.isfinite(scores), "not scored"), "made", better, {"extra": -scores}
    )
    rows = np.arange(len(values)) if eligible is None else np.asarray(eligible)
    return method.select(pool, Ask(rows, count, known), Runtime(), features=features, score=score)


def test_method_picks_among_eligible_rows_only_and_explains_the_others():
    rng = np.random.default_rng(0)
    values, scores = rng.standard_normal((40, 3)), rng.standard_normal(40)
    values[7], values[8], scores[10] = np.nan, 0, np.nan
    eligible = np.arange(0, 40, 2)
    found = ask_of(DiverseFilter(max_similarity=0.8), values, scores, eligible, 20)
    usable = np.where(np.isin(np.arange(40), eligible), scores, np.nan)
    order, covered_by = diverse_filter_naive(values.astype(np.float32), usable, 20, 0.8)
    assert found.order.tolist() == order
    np.testing.assert_array_equal(found.covered_by, covered_by)
    assert found.nested
    assert found.why(order[0]).startswith(f"in: pick 1 of {len(order)}, gain")
    assert found.why(8) == f"out: {NO_DIRECTION}"
    assert found.why(10) == f"out: {NO_SCORE}"
    assert found.why(1) == "out: not eligible"
    dropped = int(np.flatnonzero(covered_by >= 0)[0])
    assert f"row {covered_by[dropped]} stands for it" in found.why(dropped)
    assert found.short_by == 20 - len(order)
    similar = 20 - len(order) - 2
    assert found.short_reason == (
        f"{similar:,} rows are too similar to rows kept before them; 1 rows have a vector without direction; "
        "1 rows have no score"
    )


def test_an_order_is_extended_from_the_known_picks():
    rng = np.random.default_rng(3)
    values, scores = rng.standard_normal((50, 4)), rng.standard_normal(50)
    method = DiverseFilter(max_similarity=0.7)
    whole = ask_of(method, values, scores, count=30)
    extended = ask_of(method, values, scores, count=30, known=whole.order[:11])
    np.testing.assert_array_equal(extended.order, whole.order)
    np.testing.assert_array_equal(extended.covered_by, whole.covered_by)
    assert extended.info["curve"] == ask_of(method, values, scores, count=3).info["curve"]


def test_the_end_of_the_score_is_a_choice():
    rng = np.random.default_rng(3)
    values, scores = rng.standard_normal((30, 4)), rng.standard_normal(30)
    low = ask_of(DiverseFilter(keep="lowest"), values, scores).order
    assert low[0] == scores.argmin()
    np.testing.assert_array_equal(ask_of(DiverseFilter(), values, scores, better=False).order, low)
    np.testing.assert_array_equal(ask_of(DiverseFilter(column="extra"), values, scores).order, low)
    with pytest.raises(CurationError, match="does not say"):
        ask_of(DiverseFilter(), values, scores, better=None)


def test_the_curve_is_told_with_the_selection_and_is_plain_data(monkeypatch):
    rng = np.random.default_rng(3)
    values, scores = rng.standard_normal((50, 4)), rng.standard_normal(50)
    found = ask_of(DiverseFilter(max_similarity=0.77), values, scores, count=50)
    curve = json.loads(json.dumps(found.info))["curve"]
    assert curve["max_similarity"] == sorted({*module.CURVE_LIMITS, 0.77})
    assert curve["kept"][curve["max_similarity"].index(0.77)] == len(found)
    assert curve["kept"][-1] == 50
    assert "curve" not in ask_of(DiverseFilter(curve=False), values, scores).info
    monkeypatch.setattr(module, "CURVE_OPERATIONS", 4999)  # 50² · 4 / 2 is 5,000
    told = ask_of(DiverseFilter(), values, scores).info
    assert "curve" not in told
    assert "50 rows" in told["no_curve"]


def test_nothing_usable_is_an_error():
    with pytest.raises(CurationError, match="usable vector"):
        ask_of(DiverseFilter(), np.zeros((3, 2)), np.ones(3))
    with pytest.raises(CurationError, match="a score"):
        ask_of(DiverseFilter(), np.ones((3, 2)), np.full(3, np.nan))


def test_the_curve_counts_in_the_estimate():
    size = Size(10_000, 1_000_000, 384, 100)
    assert DiverseFilter().work(size) > 10 * DiverseFilter(curve=False).work(size)


def test_distances_to_the_rows_kept_are_measured_in_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    points, scores = rng.standard_normal((300, 3)), rng.standard_normal(300)
    whole = diverse_filter(points, scores, 300, 0.5)
    sizes = []

    def counting(some):
        sizes.append(len(some))
        return unit_rows(some)

    monkeypatch.setattr(module, "unit_rows", counting)
    monkeypatch.setattr(module, "PAIR_BLOCK", 7)
    np.testing.assert_array_equal(diverse_filter(points, scores, 300, 0.5).distance, whole.distance)
    assert max(sizes) <= 14
