from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from curation.core.artifacts import Features, Missing, Neighbours
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, DataError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg import facility
from curation.linalg.knn import nearest_neighbours
from curation.selectors.facility_location import FacilityLocation, facility_location

ONE = 1 << 30


def whole_similarities(points, similarity="shifted"):
    """int64 [n, n], as `curation.linalg.facility` defines them, by integer arithmetic alone."""
    wide = np.asarray(points, np.float64)
    unit = (wide / np.sqrt(np.einsum("ij,ij->i", wide, wide))[:, None]).astype(np.float32)
    grid = np.rint(unit.astype(np.float64) * 2**26).astype(np.int64)
    products = grid @ grid.T
    whole = (products + 2**52) * 2.0**-23 if similarity == "shifted" else products * 2.0**-22
    whole = np.maximum(0, np.rint(whole)).astype(np.int64)
    return np.where(whole >= ONE - 128, ONE, whole)


def facility_location_naive(similarities, budget, candidates=None, factor=1.0, bonus=None):
    """The textbook loop: every candidate measured anew before each pick; argmax takes the lowest of equals.

    Args:
        similarities: int64 [c, m], of covered rows to rows that may be picked.
    """
    best, order, gains = np.zeros(len(similarities), np.int64), [], []
    allowed = np.arange(similarities.shape[1]) if candidates is None else np.asarray(candidates)
    bonus = np.zeros(similarities.shape[1]) if bonus is None else bonus
    for _ in range(min(budget, len(allowed))):
        gain = np.maximum(0, similarities[:, allowed] - best[:, None]).sum(axis=0)
        key = factor * gain + bonus[allowed]
        key[np.isin(allowed, order)] = -np.inf
        pick = int(allowed[key.argmax()])
        gains.append(int(gain[key.argmax()]))
        order.append(pick)
        best = np.maximum(best, similarities[:, pick])
    return order, np.array(gains) / ONE, best


def points_of(kind, rng, n=150):
    points = rng.standard_normal((n, 8)).astype(np.float32)
    if kind == "grid":
        return rng.integers(1, 4, (n, 3)).astype(np.float32)
    if kind == "signs":
        return rng.choice([-1.0, 1.0], (n, 4)).astype(np.float32)
    if kind == "axes":
        return np.eye(6, dtype=np.float32)[rng.integers(0, 6, n)]
    if kind == "simplex":
        return np.eye(n, dtype=np.float32)
    if kind == "copies":
        points[40:] = points[rng.integers(0, 40, n - 40)]
    if kind == "equal":
        points[:] = points[0]
    if kind == "crowded":
        points += 3
    if kind == "double":
        return points.astype(np.float64)
    return points


KINDS = ["normal", "grid", "signs", "axes", "simplex", "copies", "equal", "crowded", "double"]
MEMORY = [2 << 30, 40_000, 1]  # all pairs fit; only after some picks; never


@pytest.mark.parametrize("similarity", ["shifted", "clipped"])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_textbook_loop_whatever_memory_and_blocks(kind, similarity, monkeypatch):
    for seed in range(2):
        points = points_of(kind, np.random.default_rng(seed))
        whole = whole_similarities(points, similarity)
        order, gains, best = facility_location_naive(whole, 45)
        for memory, tile, block in itertools.product(MEMORY, (1008, 37), (64, 3)):
            monkeypatch.setattr(facility, "TILE", tile)
            monkeypatch.setattr(facility, "ROW_BLOCK", block)
            monkeypatch.setattr(facility, "FEW_PAIRS", 100 if block == 3 else 1 << 22)
            found = facility_location(points, 45, similarity=similarity, memory_bytes=memory)
            assert found.order.tolist() == order
            np.testing.assert_array_equal(found.gains, gains)
            assert found.info["value"] == best.sum() / ONE


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=10),
        elements=st.integers(-2, 2).map(lambda v: v + 0.5),
    ),
    st.integers(1, 12),
    st.sampled_from(["shifted", "clipped"]),
    st.sampled_from(MEMORY),
)
def test_equals_the_textbook_loop_on_small_grids(points, budget, similarity, memory):
    found = facility_location(points, budget, similarity=similarity, memory_bytes=memory)
    assert found.order.tolist() == facility_location_naive(whole_similarities(points, similarity), budget)[0]


@pytest.mark.parametrize("seed", range(3))
def test_every_pick_is_the_best_by_cosines_in_float64(seed):
    points = points_of("normal", np.random.default_rng(seed))
    unit = points.astype(np.float64) / np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True)
    for similarity, weights in (("shifted", (1 + unit @ unit.T) / 2), ("clipped", np.maximum(0, unit @ unit.T))):
        found = facility_location(points, 60, similarity=similarity)
        best = np.zeros(150)
        for pick, gain in zip(found.order, found.gains, strict=True):
            gains = np.maximum(0, weights - best[:, None]).sum(axis=0)
            assert gains[pick] == pytest.approx(gain, abs=2e-6)
            assert gains[pick] >= gains.max() - 2e-6
            best = np.maximum(best, weights[:, pick])
        assert found.info["value"] == pytest.approx(best.sum(), abs=2e-5)


@pytest.mark.parametrize("d", [2, 8, 384, 3000])
def test_of_two_rows_that_cover_only_each_other_the_lower_comes_first(d):
    for seed in range(30):
        pair = np.random.default_rng(seed).standard_normal((2, d)).astype(np.float32)
        for similarity in ("shifted", "clipped"):
            found = facility_location(pair, 2, similarity=similarity)
            assert found.order.tolist() == [0, 1]
            assert found.info["value"] == 2.0  # every row is exactly 1 to itself


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_nothing(threads, monkeypatch):
    points = points_of("copies", np.random.default_rng(0), 300)
    monkeypatch.setattr(facility.nb, "get_num_threads", lambda: threads)
    monkeypatch.setattr(facility, "TILE", 64)
    assert facility_location(points, 80).order.tolist() == facility_location_naive(whole_similarities(points), 80)[0]


@pytest.mark.parametrize("method", ["lazy", "stochastic"])
@pytest.mark.parametrize("similarity", ["shifted", "clipped"])
@pytest.mark.parametrize("memory", MEMORY)
def test_a_device_of_torch_gives_the_same(similarity, memory, method):
    points = points_of("copies", np.random.default_rng(5))
    asked = {"similarity": similarity, "method": method, "memory_bytes": memory}
    here, there = (facility_location(points, 30, device=device, **asked) for device in ("cpu", "cpu:0"))
    np.testing.assert_array_equal(here.order, there.order)
    np.testing.assert_array_equal(here.gains, there.gains)


def test_grid_rows_are_whole_and_their_products_exact():
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((60, 500))
    unit[0] = 0
    unit[0, 3] = 1  # an entry far above 1/4
    unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)
    grid = facility.on_grid(unit)
    assert grid.dtype == np.float32
    np.testing.assert_array_equal(grid, np.rint(grid))
    assert np.abs(grid / 2**26 - unit).max() <= 2.0**-27
    whole = grid.astype(np.int64)
    np.testing.assert_array_equal(grid.astype(np.float64) @ grid.astype(np.float64).T, whole @ whole.T)


@pytest.mark.parametrize("kind", ["normal", "copies", "crowded"])
def test_first_bounds_are_bounds(kind):
    unit = points_of(kind, np.random.default_rng(0))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    bounds = facility.Points(unit).first_bounds()
    gains = whole_similarities(unit).sum(axis=0)
    assert (bounds >= gains).all()
    assert (bounds - gains).max() < 1e-6 * gains.max()  # and tight ones


# ---------------------------------------------------------------------- properties


@pytest.mark.parametrize("similarity", ["shifted", "clipped"])
@pytest.mark.parametrize("seed", range(25))
def test_value_is_at_least_what_greedy_promises(seed, similarity):
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(4, 13)), int(rng.integers(1, 5))
    points = rng.standard_normal((n, 3))
    whole = whole_similarities(points, similarity)
    best = max(whole[:, list(some)].max(axis=1).sum() for some in itertools.combinations(range(n), min(k, n)))
    assert facility_location(points, k, similarity=similarity).info["value"] * ONE >= (1 - np.exp(-1)) * best


@pytest.mark.parametrize("kind", KINDS)
def test_gains_never_grow_and_add_up_to_the_value(kind):
    points = points_of(kind, np.random.default_rng(1))
    found = facility_location(points, len(points))
    assert (np.diff(found.gains) <= 0).all()
    assert found.gains.sum() == pytest.approx(found.info["value"], rel=1e-12)
    assert sorted(found.order) == list(range(len(points)))


@pytest.mark.parametrize("similarity", ["shifted", "clipped"])
def test_all_rows_are_worth_the_sum_of_their_largest_similarities(similarity):
    points = points_of("normal", np.random.default_rng(2))
    whole = whole_similarities(points, similarity)
    assert facility_location(points, 150, similarity=similarity).info["value"] == whole.max(axis=1).sum() / ONE


def test_one_pick_of_each_planted_cluster_comes_first():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        cluster = rng.permutation(np.repeat(np.arange(8), 15))
        points = np.eye(8)[cluster] + 0.1 * rng.standard_normal((120, 8))
        assert sorted(cluster[facility_location(points, 8).order]) == list(range(8))
        assert sorted(cluster[facility_location(points, 8, similarity="clipped").order]) == list(range(8))


def test_larger_clusters_come_first_and_get_more():
    cluster = np.repeat([0, 1, 2], [10, 60, 30])
    points = np.eye(3)[cluster] + 0.2 * np.random.default_rng(0).standard_normal((100, 3))
    picks = cluster[facility_location(points, 20).order]
    assert picks[:3].tolist() == [1, 2, 0]
    counts = np.bincount(picks)
    assert counts[1] > counts[2] > counts[0]


def test_any_rising_linear_function_of_the_cosine_picks_the_same():
    points = points_of("normal", np.random.default_rng(3))
    unit = points.astype(np.float64) / np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True)
    squared = ((unit[:, None] - unit[None]) ** 2).sum(axis=2)
    order, _, _ = facility_location_naive(squared.max() - squared, 30)
    assert facility_location(points, 30).order.tolist() == order


def test_every_row_is_covered_by_its_most_similar_pick():
    points = points_of("copies", np.random.default_rng(4))
    found = facility_location(points, 12)
    whole = whole_similarities(points)
    out = np.flatnonzero(found.stage == 1)
    np.testing.assert_array_equal(found.covered_by[out], found.order[whole[out][:, found.order].argmax(axis=1)])
    unit = points.astype(np.float64) / np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True)
    cosine = np.einsum("ij,ij->i", unit, unit[found.covered_by])
    np.testing.assert_allclose(found.distance, 1 - cosine, atol=1e-6)
    np.testing.assert_array_equal(found.covered_by[found.order], found.order)
    assert (found.distance[found.order] == 0).all()
    assert found.info["mean similarity"] == pytest.approx((1 - found.distance / 2).mean(), abs=1e-6)


def test_rows_that_no_pick_is_similar_to_are_said_to_be():
    points = np.array([[1.0, 0], [0.9, 0.1], [-1, 0], [0.95, 0.05]])
    found = facility_location(points, 1, similarity="clipped")
    assert found.covered_by[2] == -1
    assert np.isnan(found.distance[2])
    assert found.why(2) == "out: no picked row is similar to it"


# ---------------------------------------------------------------------- candidates and known picks


@pytest.mark.parametrize("kind", ["normal", "grid", "copies"])
@pytest.mark.parametrize("memory", MEMORY)
def test_all_rows_can_be_covered_by_picks_among_some(kind, memory, monkeypatch):
    rng = np.random.default_rng(6)
    points = points_of(kind, rng)
    some = np.sort(rng.choice(150, 60, replace=False))
    for tile in (1008, 41):
        monkeypatch.setattr(facility, "TILE", tile)
        for similarity in ("shifted", "clipped"):
            found = facility_location(points, 25, candidates=some, similarity=similarity, memory_bytes=memory)
            order, gains, _ = facility_location_naive(whole_similarities(points, similarity), 25, some)
            assert found.order.tolist() == order
            np.testing.assert_array_equal(found.gains, gains)


@pytest.mark.parametrize("memory", MEMORY)
@pytest.mark.parametrize("kind", ["normal", "grid", "copies", "equal"])
def test_smaller_budgets_are_prefixes_and_known_picks_change_nothing(kind, memory):
    points = points_of(kind, np.random.default_rng(0))
    whole = facility_location(points, 90, memory_bytes=memory)
    for budget in (1, 2, 40, 89):
        part = facility_location(points, budget, memory_bytes=memory)
        assert part.order.tolist() == whole.order[:budget].tolist()
    for known in (1, 33, 90):
        again = facility_location(points, 90, known=whole.order[:known], memory_bytes=memory)
        np.testing.assert_array_equal(again.order, whole.order)
        np.testing.assert_array_equal(again.gains, whole.gains)
        np.testing.assert_array_equal(again.covered_by, whole.covered_by)
    cut = facility_location(points, 5, known=whole.order, memory_bytes=memory)
    np.testing.assert_array_equal(cut.order, whole.order[:5])


# ---------------------------------------------------------------------- a graph of neighbours


def graph_of(points, k):
    found = nearest_neighbours(points, k)
    return Neighbours("", found.indices, found.distances, "cosine", Missing.none(len(points)))


@pytest.mark.parametrize("similarity", ["shifted", "clipped"])
@pytest.mark.parametrize("seed", range(3))
def test_a_full_graph_gives_what_all_pairs_give(seed, similarity):
    points = points_of("normal", np.random.default_rng(seed), 90)
    dense = facility_location(points, 40, similarity=similarity)
    sparse = facility_location(None, 40, neighbours=graph_of(points, 89), similarity=similarity)
    np.testing.assert_array_equal(sparse.order, dense.order)
    np.testing.assert_allclose(sparse.gains, dense.gains, atol=1e-5)
    np.testing.assert_array_equal(sparse.covered_by, dense.covered_by)
    np.testing.assert_allclose(sparse.distance, dense.distance, atol=1e-6)


@pytest.mark.parametrize("similarity", ["shifted", "clipped"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_equals_the_textbook_loop_with_zeros_elsewhere(kind, similarity):
    rng = np.random.default_rng(1)
    points = points_of(kind, rng)
    graph = graph_of(points, 7)
    cosine = 1 - graph.distances.astype(np.float64)
    weights = np.zeros((150, 150), np.int64)
    share = (1 + cosine) / 2 if similarity == "shifted" else np.maximum(0, cosine)
    np.put_along_axis(weights, graph.indices.astype(np.int64), np.rint(share * ONE).astype(np.int64), 1)
    np.fill_diagonal(weights, ONE)
    for some in (None, np.sort(rng.choice(150, 70, replace=False))):
        order, gains, best = facility_location_naive(weights, 60, some)
        found = facility_location(None, 60, neighbours=graph, candidates=some, similarity=similarity)
        assert found.order.tolist() == order
        np.testing.assert_array_equal(found.gains, gains)
        assert found.info["value"] == best.sum() / ONE
        again = facility_location(
            None, 60, neighbours=graph, candidates=some, similarity=similarity, known=found.order[:21]
        )
        np.testing.assert_array_equal(again.order, found.order)
        np.testing.assert_array_equal(again.gains, found.gains)
        np.testing.assert_array_equal(again.covered_by, found.covered_by)


def test_a_graph_of_distances_is_refused():
    graph = Neighbours("", np.array([[1], [0]], np.int32), np.ones((2, 1), np.float32), "euclidean", Missing.none(2))
    with pytest.raises(CurationError, match="euclidean distances, not cosines"):
        facility_location(None, 1, neighbours=graph)


# ---------------------------------------------------------------------- stochastic


@pytest.mark.parametrize("memory", MEMORY)
def test_stochastic_picks_the_best_of_a_seeded_sample(memory):
    points = points_of("copies", np.random.default_rng(2))
    asked = {"method": "stochastic", "epsilon": 0.1, "memory_bytes": memory}
    first, again, other = (facility_location(points, 20, seed=seed, **asked) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.order, again.order)
    assert first.order.tolist() != other.order.tolist()
    assert len(set(first.order.tolist())) == 20
    assert not first.nested
    assert first.info["sample"] == int(np.ceil(150 / 20 * np.log(10)))
    # the same samples, measured naively
    whole, left, generator = whole_similarities(points), np.arange(150), np.random.default_rng(1)
    best, count = np.zeros(150, np.int64), 150
    for pick, gain in zip(first.order, first.gains, strict=True):
        places = generator.choice(count, min(18, count), replace=False, shuffle=False)
        some = np.sort(left[places])
        gains = np.maximum(0, whole[:, some] - best[:, None]).sum(axis=0)
        assert pick == some[gains.argmax()]
        assert gain == gains.max() / ONE
        best = np.maximum(best, whole[:, pick])
        count -= 1
        left[np.flatnonzero(left[:150] == pick)[0]] = left[count]
        left = left[:count]


def test_stochastic_of_everything_is_lazy():
    points = points_of("normal", np.random.default_rng(3))
    every = facility_location(points, 1, method="stochastic", epsilon=0.05)
    assert every.info["sample"] >= 150
    np.testing.assert_array_equal(every.order, facility_location(points, 1).order)


def test_stochastic_keeps_its_promise_on_average():
    epsilon, shares = 0.3, []
    for seed in range(12):
        points = np.random.default_rng(seed).standard_normal((12, 3))
        whole = whole_similarities(points, "clipped")
        best = max(whole[:, list(some)].max(axis=1).sum() for some in itertools.combinations(range(12), 3))
        for draw in range(10):
            found = facility_location(points, 3, similarity="clipped", method="stochastic", epsilon=epsilon, seed=draw)
            shares.append(found.info["value"] * ONE / best)
    assert np.mean(shares) >= 1 - np.exp(-1) - epsilon
    assert min(shares) < 1  # it is not the exact one


def test_stochastic_on_a_graph():
    points = points_of("normal", np.random.default_rng(3))
    found = facility_location(None, 30, neighbours=graph_of(points, 10), method="stochastic")
    lazy = facility_location(None, 30, neighbours=graph_of(points, 10))
    assert len(set(found.order.tolist())) == 30
    assert 0.9 * lazy.info["value"] < found.info["value"] <= lazy.info["value"]


def test_the_guarantee_is_said():
    points = points_of("normal", np.random.default_rng(3), 20)
    assert facility_location(points, 3).info["guarantee"] == "at least 0.632 of the best possible value"
    drawn = facility_location(points, 3, method="stochastic", epsilon=0.1)
    assert drawn.info["guarantee"] == "at least 0.532 of the best possible value, in expectation"


# ---------------------------------------------------------------------- borders


def test_one_row_and_more_asked_for_than_there_is():
    assert facility_location(np.ones((1, 3)), 5).order.tolist() == [0]
    assert facility_location(np.eye(3), 9).order.tolist() == [0, 1, 2]
    assert facility_location(np.eye(3), 9, method="stochastic").order.shape == (3,)


def test_points_are_untouched_and_progress_reaches_the_end():
    points = points_of("normal", np.random.default_rng(2))
    before = points.copy()
    for memory in MEMORY:
        seen = []
        facility_location(points, 20, memory_bytes=memory, progress=lambda *at, seen=seen: seen.append(at))
        np.testing.assert_array_equal(points, before)
        assert seen[-1] == (20, 20)


def test_a_cancelled_run_stops():
    class StopError(Exception):
        pass

    def stop(done, total):
        if done >= 3:
            raise StopError

    points = points_of("normal", np.random.default_rng(2))
    for memory in MEMORY:
        with pytest.raises(StopError):
            facility_location(points, 20, memory_bytes=memory, progress=stop)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": 0}, "budget 0"),
        ({"candidates": [2, 1]}, "increasing rows from 0 to 3"),
        ({"candidates": [2, 4]}, "increasing rows from 0 to 3"),
        ({"candidates": []}, "no row to pick from"),
        ({"known": [2, 2]}, "twice"),
        ({"known": [2], "candidates": [1, 3]}, "no candidate"),
        ({"epsilon": 0.7}, "epsilon 0.7"),
        ({"epsilon": 0}, "epsilon 0"),
        ({"points": None}, "one of the two"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(CurationError, match=message):
        facility_location(**{"points": np.eye(4), "budget": 2, **arguments})


def test_rows_without_direction_are_named():
    with pytest.raises(DataError, match="1 of 2 rows have no direction"):
        facility_location(np.array([[1.0], [0.0]]), 1)


# ---------------------------------------------------------------------- the method


def ask_of(method, values, eligible=None, count=5, known=None, runtime=None, **ports):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    missing = Missing.where(~np.isfinite(values).all(axis=1), "not encoded")
    ports.setdefault("features", Features(pool.fingerprint, np.asarray(values, np.float32), missing))
    rows = np.arange(len(values)) if eligible is None else np.asarray(eligible)
    return method.select(pool, Ask(rows[~missing.mask[rows]], count, known), runtime or Runtime(), **ports)


def test_method_picks_among_eligible_rows_only_and_explains_the_others():
    values = np.random.default_rng(0).standard_normal((40, 6))
    values[7], values[8] = np.nan, 0
    eligible = np.arange(0, 40, 2)
    found = ask_of(FacilityLocation(budget=6), values, eligible, 6)
    measured = np.setdiff1d(eligible, [8])
    order = facility_location(values[measured], 6).order
    np.testing.assert_array_equal(found.order, measured[order])
    assert found.n == 40
    assert found.why(8) == "out: its vector has no direction"
    assert found.why(9) == "out: not eligible"
    out = int(np.setdiff1d(measured, found.order)[0])
    assert found.why(out).startswith("out: a picked row stands for it; row ")
    assert found.why(int(found.order[1])).startswith("in: pick 2 of 6, gain ")
    assert (found.covered_by[1::2] == -1).all()
    assert found.nested


def test_the_whole_pool_can_be_what_is_represented():
    values = np.random.default_rng(1).standard_normal((40, 6))
    values[7], values[8] = np.nan, 0
    eligible = np.arange(0, 40, 2)
    found = ask_of(FacilityLocation(cover="pool"), values, eligible, 6)
    measured = np.setdiff1d(np.arange(40), [7, 8])
    places = np.flatnonzero(np.isin(measured, eligible))
    np.testing.assert_array_equal(
        found.order, measured[facility_location(values[measured], 6, candidates=places).order]
    )
    assert found.why(9) == "out: not eligible; row " + found.why(9).split("row ")[1]  # covered all the same


def test_method_on_a_graph_leaves_out_rows_that_are_not_in_it():
    values = np.random.default_rng(2).standard_normal((30, 4))
    found = nearest_neighbours(values, 6)
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(30)])
    absent = np.isin(np.arange(30), [3, 4])
    graph = Neighbours(pool.fingerprint, found.indices, found.distances, "cosine", Missing.where(absent, "no vector"))
    picked = ask_of(FacilityLocation(pairs="neighbours"), values, np.arange(3, 20), 17, neighbours=graph)
    assert sorted(picked.order) == list(range(5, 20))
    assert picked.short_by == 2
    assert picked.short_reason == "2 eligible rows: not in the graph of neighbours"


def test_the_input_that_is_needed_is_named():
    values = np.random.default_rng(2).standard_normal((5, 4))
    with pytest.raises(CurationError, match="needs a graph"):
        ask_of(FacilityLocation(pairs="neighbours"), values)
    with pytest.raises(CurationError, match="usable vector"):
        ask_of(FacilityLocation(), np.zeros((3, 2)), count=2)


def test_an_order_is_extended_from_the_known_picks():
    values = np.random.default_rng(3).standard_normal((50, 4))
    eligible = np.arange(5, 50)
    whole = ask_of(FacilityLocation(), values, eligible, 30)
    extended = ask_of(FacilityLocation(), values, eligible, 30, known=whole.order[:11])
    np.testing.assert_array_equal(extended.order, whole.order)
    np.testing.assert_array_equal(extended.gains, whole.gains)


def test_only_the_lazy_order_is_nested():
    assert FacilityLocation().is_nested()
    assert not FacilityLocation(method="stochastic").is_nested()
    assert "budget" in FacilityLocation(method="stochastic").key_parameters()
    drawn = ask_of(FacilityLocation(method="stochastic"), np.random.default_rng(3).standard_normal((50, 4)))
    assert not drawn.nested


def test_memory_of_the_run_is_used():
    values = np.random.default_rng(3).standard_normal((50, 4))
    whole = ask_of(FacilityLocation(), values)
    small = ask_of(FacilityLocation(), values, runtime=Runtime(memory_bytes=1))
    np.testing.assert_array_equal(small.order, whole.order)


def test_an_estimate_of_the_pairs_left_that_was_too_low_changes_nothing(monkeypatch):
    points = points_of("copies", np.random.default_rng(1))
    monkeypatch.setattr(facility._Greedy, "_pairs_left", lambda self: 0)
    found = facility_location(points, 40, memory_bytes=20_000)
    assert found.order.tolist() == facility_location_naive(whole_similarities(points), 40)[0]


def test_pairs_are_written_as_soon_as_they_fit(monkeypatch):
    written = []
    sweep = facility._Greedy._sweep
    monkeypatch.setattr(
        facility._Greedy, "_sweep", lambda self, writing: (written.append((self.done, writing)), sweep(self, writing))
    )
    points = points_of("normal", np.random.default_rng(1))
    expected = {2 << 30: [(1, True)], 1: [(1, False)]}
    for memory, passes in expected.items():
        written.clear()
        facility_location(points, 40, memory_bytes=memory)
        assert written == passes
    written.clear()
    facility_location(points, 40, memory_bytes=40_000)
    assert written[0] == (1, False)
    assert written[1][1]
    assert len(written) == 2


def test_lists_are_written_only_where_their_beginnings_fit_too(monkeypatch):
    points = points_of("normal", np.random.default_rng(0))
    order = facility_location(points, 40).order
    written = []

    class Watched(facility._Sweep):
        def __init__(self, source, best, room):
            super().__init__(source, best, room)
            written.append(self.starts.nbytes + self.lengths.nbytes)

    monkeypatch.setattr(facility, "_Sweep", Watched)
    monkeypatch.setattr(facility, "TILE", 4)
    for memory in (40_000, 90_000, 400_000):  # 150 rows, 38 pieces each: 68,400 bytes
        written.clear()
        np.testing.assert_array_equal(facility_location(points, 40, memory_bytes=memory).order, order)
        assert max(written) <= memory
    assert max(written) == 68_400
