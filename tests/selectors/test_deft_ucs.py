from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.artifacts import NO_ROW, Features, Labels, Missing, Selection
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg import prototypes
from curation.linalg.distances import unit_rows
from curation.linalg.prototypes import centroid_distances
from curation.selectors.deft_ucs import DeftUcs, deft_ucs
from curation.selectors.random import Random


def deft_ucs_naive(points, codes, per_cluster, easy, hard):
    """The textbook loop for shares that add up to one: sort each cluster by 1 − cos, take both ends."""
    wide = points.astype(np.float64)
    picked = []
    for code in sorted(set(codes.tolist()) - {-1}):
        rows = [i for i in range(len(codes)) if codes[i] == code]
        mean = sum(wide[i] for i in rows) / len(rows)
        mean = mean / np.sqrt(mean @ mean)
        far = {i: sum((wide[i] - mean) ** 2) / 2 for i in rows}  # 1 − cos of unit vectors
        near_count, far_count = math.floor(easy * per_cluster + 1e-9), math.floor(hard * per_cluster + 1e-9)
        near_rows = sorted(rows, key=lambda i: (far[i], i))[:near_count]
        rest = [i for i in rows if i not in near_rows]
        picked += near_rows + sorted(rest, key=lambda i: (-far[i], i))[:far_count]
    return picked


def blobs(seed, sizes=(40, 25, 60), width=6, spread=0.4):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    rng.shuffle(codes)
    points = np.eye(width)[codes] + spread * rng.standard_normal((len(codes), width))
    return unit_rows(points).values, codes


def fan(distances):
    """Unit rows of one cluster whose cosine distances to its centroid are known: each with its mirror image.

    Row 2i and row 2i + 1 are at distances[i] on the two sides of the centroid.
    """
    angles = np.arccos(1 - np.asarray(distances))
    angles = np.column_stack([angles, -angles]).ravel()
    return np.column_stack([np.cos(angles), np.sin(angles)])


MODES = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.3, 0.7)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("easy", "hard"), MODES)
def test_equals_the_textbook_loop(seed, easy, hard):
    points, codes = blobs(seed)
    codes[np.random.default_rng(seed).integers(0, len(codes), 9)] = -1
    for per_cluster in (1, 2, 5, 10, 30):
        found = deft_ucs(points, codes, 3 * per_cluster, easy=easy, hard=hard)
        assert found.order.tolist() == deft_ucs_naive(points, codes, per_cluster, easy, hard)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("easy", "hard"), MODES)
def test_equals_the_textbook_loop_with_copies(seed, easy, hard):
    rng = np.random.default_rng(seed)
    points, codes = blobs(seed)
    copied = rng.integers(0, 20, len(codes))
    points = points[copied]  # copies may lie in other clusters
    for per_cluster in (3, 10, 24):
        found = deft_ucs(points, codes, 3 * per_cluster, easy=easy, hard=hard)
        naive = deft_ucs_naive(points, codes, per_cluster, easy, hard)
        # rows at distances that differ by rounding alone may change places; copies may not
        apart = centroid_distances(points, codes)
        np.testing.assert_allclose(apart[found.order], apart[naive], atol=1e-12)
        assert found.order.tolist() == naive


def test_two_nearest_and_two_farthest_of_one_cluster():
    """Distances 0.1 to 1.0 in one cluster, A = 4, half and half."""
    distances = np.arange(1, 11) / 10
    points = unit_rows(np.column_stack([fan(distances)[::2], np.zeros(10)])).values
    mirrored = unit_rows(np.column_stack([fan(distances)[1::2], np.zeros(10)])).values
    both = np.concatenate([points, mirrored])
    np.testing.assert_allclose(centroid_distances(both, np.zeros(20, int)), np.tile(distances, 2), atol=1e-6)
    found = deft_ucs(both, np.zeros(20, int), 4, candidates=np.arange(10))
    assert found.order.tolist() == [0, 1, 9, 8]
    np.testing.assert_allclose(found.distances[found.order], [0.1, 0.2, 1.0, 0.9], atol=1e-6)
    assert (found.near, found.far, found.drawn) == (2, 2, 0)
    # each of the others says how much it is away from the nearer edge
    np.testing.assert_allclose(found.margin[2:8], [0.1, 0.2, 0.3, 0.3, 0.2, 0.1], atol=1e-6)
    assert np.isnan(found.margin[[0, 1, 8, 9]]).all()


def test_hard_is_far_from_the_centroid():
    points = unit_rows(np.array([[1, 0.0], [1, 0.1], [1, -0.1], [1, 0.05], [0.2, 1]])).values
    codes = np.zeros(5, int)
    assert deft_ucs(points, codes, 1, easy=0, hard=1).order.tolist() == [4]
    assert deft_ucs(points, codes, 1, easy=1, hard=0).order.tolist() == [1]  # the odd row pulls the mean over
    assert 4 not in deft_ucs(points, codes, 4, easy=1, hard=0).order


@pytest.mark.parametrize("seed", range(5))
def test_every_picked_row_is_nearer_or_farther_than_every_other_of_its_cluster(seed):
    points, codes = blobs(seed)
    for easy, sign in ((1.0, 1), (0.0, -1)):
        found = deft_ucs(points, codes, 36, easy=easy, hard=1 - easy)
        for code in range(3):
            inside = np.flatnonzero(codes == code)
            picked = np.isin(inside, found.order)
            apart = sign * found.distances[inside]
            assert picked.sum() == 12
            assert apart[picked].max() <= apart[~picked].min()


@pytest.mark.parametrize(("easy", "hard"), [*MODES, (0.7, 0.3), (0.9, 0.1)])
@pytest.mark.parametrize("per_cluster", [1, 2, 3, 7, 10, 20])
def test_size_law(per_cluster, easy, hard):
    points, codes = blobs(1)
    found = deft_ucs(points, codes, 3 * per_cluster, easy=easy, hard=hard)
    near, far = math.floor(easy * per_cluster + 1e-9), math.floor(hard * per_cluster + 1e-9)
    assert len(found.order) == 3 * (near + far)
    assert (found.near, found.far, found.drawn) == (3 * near, 3 * far, 0)
    assert (found.small, found.rounded) == (0, 3 * (per_cluster - near - far))
    for code in range(3):  # with (1, 0) no far rows, with (0, 1) no near ones
        apart = np.sort(found.distances[codes == code])
        picked = found.distances[found.order[codes[found.order] == code]]
        assert (np.isin(apart[:near], picked)).all()
        assert (np.isin(apart[len(apart) - far :], picked)).all()
        assert len(picked) == near + far


def test_a_share_of_no_rows_is_no_rows_and_not_the_whole_cluster():
    points, codes = blobs(2)
    assert len(deft_ucs(points, codes, 9, easy=1, hard=0).order) == 9
    assert len(deft_ucs(points, codes, 9, easy=0, hard=1).order) == 9
    found = deft_ucs(points, codes, 9, easy=0.7, hard=0.3)  # ⌊0.3 · 3⌋ = 0
    assert (found.near, found.far, found.rounded) == (6, 0, 3)
    assert len(deft_ucs(points, codes, 0).order) == 0


def test_shares_are_not_lost_to_floating_point():
    points, codes = blobs(0, sizes=(150,))
    assert 0.29 * 100 < 29
    assert deft_ucs(points, codes, 100, easy=0.29, hard=0.71).near == 29
    found = deft_ucs(points, codes, 10, easy=0.7, hard=0.3)
    assert (found.near, found.far) == (7, 3)
    assert deft_ucs(points, codes, 10, easy=0.1 + 0.2, hard=0.7).drawn == 0


def test_a_cluster_smaller_than_its_share_is_taken_whole_once():
    points, codes = blobs(3, sizes=(30, 3, 40))
    found = deft_ucs(points, codes, 30)
    assert len(np.unique(found.order)) == len(found.order) == 10 + 3 + 10
    assert set(np.flatnonzero(codes == 1)) <= set(found.order.tolist())
    assert (found.small, found.rounded) == (7, 0)
    drawn = deft_ucs(points, codes, 30, easy=0.2, hard=0.2)
    assert len(np.unique(drawn.order)) == len(drawn.order) == 23
    assert drawn.small == 7


def test_refill_gives_what_small_clusters_lack_to_the_others_in_proportion_to_what_they_have_left():
    points, codes = blobs(3, sizes=(20, 4, 40))
    found = deft_ucs(points, codes, 30, refill="proportional")
    # 6 rows are lacking; 10 and 30 candidates are left over: 1.5 and 4.5, equal remainders to the lowest code
    assert np.bincount(codes[found.order]).tolist() == [12, 4, 14]
    assert (found.small, found.rounded) == (0, 0)
    assert len(np.unique(found.order)) == 30
    for budget in (1, 2, 3, 7, 31, 63, 64, 90):
        for easy, hard in (*MODES, (0.0, 0.0), (0.2, 0.3)):
            for allocation in ("balanced", "proportional"):
                all_of_it = deft_ucs(
                    points, codes, budget, easy=easy, hard=hard, allocation=allocation, refill="proportional"
                )
                assert len(np.unique(all_of_it.order)) == len(all_of_it.order) == min(budget, 64)


def test_quotas_are_balanced_within_one_row_or_proportional():
    points, codes = blobs(4, sizes=(60, 30, 10))
    for budget in (9, 10, 11):
        found = deft_ucs(points, codes, budget, easy=1, hard=0)
        sizes = np.bincount(codes[found.order])
        assert sizes.sum() == budget
        assert sizes.max() - sizes.min() <= 1
        assert (np.diff(sizes) <= 0).all()  # what is left over goes to the lowest codes
    found = deft_ucs(points, codes, 50, easy=0, hard=1, allocation="proportional")
    assert np.bincount(codes[found.order]).tolist() == [30, 15, 5]


def test_rows_with_a_negative_similarity_are_picked_as_well():
    points = unit_rows(np.array([[1.0, 0], [1, 0.1], [1, -0.1], [-1, 0.2], [1, 0.02]])).values
    found = deft_ucs(points, np.zeros(5, int), 1, easy=0, hard=1)
    assert found.distances[3] > 1
    assert found.order.tolist() == [3]
    assert 3 in deft_ucs(points, np.zeros(5, int), 5, easy=0.5, hard=0.5, refill="proportional").order


def test_picks_are_rows_of_the_whole_and_not_places_in_the_cluster():
    points, codes = blobs(5, sizes=(10, 10))
    order = np.argsort(codes, kind="stable")  # cluster 1 lies behind cluster 0
    found = deft_ucs(points[order], codes[order], 8)
    assert np.bincount(codes[order][found.order]).tolist() == [4, 4]
    assert found.order[4:].min() >= 10


def test_all_rows_equal_and_rows_that_cancel_out_go_by_the_lowest_row():
    same = np.tile(unit_rows(np.array([[1.0, 2]])).values, (6, 1))
    assert deft_ucs(same, np.zeros(6, int), 4).order.tolist() == [0, 1, 2, 3]
    opposite = unit_rows(np.array([[1.0, 2], [-1, -2], [2, 4], [-2, -4]])).values
    found = deft_ucs(opposite, np.zeros(4, int), 2)
    assert found.order.tolist() == [0, 1]
    assert np.isnan(found.distances).all()
    assert np.isnan(found.margin).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("easy", "hard"), MODES)
def test_scaling_and_turning_change_nothing_and_shuffled_rows_give_shuffled_picks(seed, easy, hard):
    rng = np.random.default_rng(seed)
    raw = np.eye(6)[np.arange(90) % 3] + 0.4 * rng.standard_normal((90, 6))
    codes = np.arange(90) % 3

    def picks(values, codes):
        return deft_ucs(unit_rows(values).values, codes, 30, easy=easy, hard=hard).order

    usual = picks(raw, codes)
    np.testing.assert_array_equal(picks(raw * 37.5, codes), usual)
    np.testing.assert_array_equal(picks(raw * rng.uniform(0.01, 100, (90, 1)), codes), usual)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    np.testing.assert_array_equal(picks(raw @ turn, codes), usual)
    shuffle = rng.permutation(90)
    np.testing.assert_array_equal(shuffle[picks(raw[shuffle], codes[shuffle])], usual)


def test_the_random_mode_draws_every_row_of_a_cluster_alike():
    """Chi-square of how often each row is drawn, against A / n_k."""
    points, codes = blobs(0, sizes=(12, 30))
    draws, per_cluster = 1500, 5
    times = np.zeros(42)
    for seed in range(draws):
        found = deft_ucs(points, codes, 10, easy=0, hard=0, seed=seed)
        assert (found.near, found.far, found.drawn) == (0, 0, 10)
        times[found.order] += 1
    for code, size in ((0, 12), (1, 30)):
        expected = draws * per_cluster / size
        # draws without replacement vary less, by 1 − A/n_k; n_k − 1 degrees of freedom
        chi = ((times[codes == code] - expected) ** 2 / (expected * (1 - per_cluster / size))).sum() * (size - 1) / size
        assert chi < (size - 1) + 4 * np.sqrt(2 * (size - 1))
        assert chi > (size - 1) - 4 * np.sqrt(2 * (size - 1))


def test_what_easy_and_hard_leave_of_one_is_drawn_from_the_middle():
    points, codes = blobs(6)
    seen = set()
    for seed in range(20):
        found = deft_ucs(points, codes, 30, easy=0.2, hard=0.3, seed=seed)
        assert (found.near, found.far, found.drawn) == (6, 9, 15)
        assert len(np.unique(found.order)) == 30
        ends = deft_ucs(points, codes, 30, easy=0.2, hard=0.8)
        for code in range(3):
            own = found.order[codes[found.order] == code]
            apart = found.distances[own]
            assert own[:2].tolist() == ends.order[codes[ends.order] == code][:2].tolist()
            assert (apart[5:] >= apart[:2].max()).all()
            assert (apart[5:] <= apart[2:5].min()).all()
        seen.add(tuple(found.order.tolist()))
    assert len(seen) == 20
    again = deft_ucs(points, codes, 30, easy=0.2, hard=0.3, seed=19)
    assert tuple(again.order.tolist()) in seen


def test_only_candidates_are_picked_but_all_rows_of_a_cluster_make_its_centroid():
    points, codes = blobs(7)
    candidates = np.flatnonzero(np.arange(len(codes)) % 2)
    found = deft_ucs(points, codes, 18, candidates=candidates)
    assert np.isin(found.order, candidates).all()
    np.testing.assert_array_equal(found.distances, deft_ucs(points, codes, 18).distances)
    only_one = deft_ucs(points, codes, 6, candidates=np.flatnonzero(codes == 2))
    assert only_one.clusters == 1
    assert len(only_one.order) == 6


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    points, codes = blobs(8)
    usual = deft_ucs(points, codes, 40)
    monkeypatch.setattr(prototypes, "ROW_BLOCK", 3)
    again = deft_ucs(points, codes, 40)
    np.testing.assert_array_equal(again.order, usual.order)
    np.testing.assert_array_equal(again.distances, usual.distances)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"easy": 0.6, "hard": 0.5}, "easy 0.6 and hard 0.5"),
        ({"easy": -0.1}, "easy -0.1"),
        ({"hard": float("nan")}, "hard nan"),
        ({"budget": -1}, "budget -1"),
        ({"codes": np.full(125, -1)}, "in a cluster"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    points, codes = blobs(0)
    with pytest.raises(CurationError, match=message) as error:
        deft_ucs(**{"points": points, "codes": codes, "budget": 5, **arguments})
    assert error.value.hint


# ---------------------------------------------------------------------- the method


def inputs(values, codes, unlabelled=()):
    pool = from_pairs([(f"question {i}", f"answer {i}") for i in range(len(values))])
    absent = Missing.where(~np.isfinite(values).all(axis=1), "not encoded")
    mask = np.isin(np.arange(len(values)), unlabelled)
    codes = np.where(mask, NO_ROW, codes).astype(np.int32)
    names = tuple(f"c{i}" for i in range(int(codes.max()) + 1))
    labels = Labels(pool.fingerprint, codes, names, Missing.where(mask, "outside"))
    return pool, Features(pool.fingerprint, np.asarray(values, np.float32), absent), labels


def selected(pool, rows):
    stage = np.ones(len(pool), np.int16)
    stage[rows] = 0
    return Selection(pool.fingerprint, len(pool), np.asarray(rows, np.int64), stage=stage, stages=("not picked",))


def test_base_rows_come_first_count_and_are_never_picked_again():
    points, codes = blobs(1)
    pool, features, labels = inputs(points, codes)
    base = selected(pool, [70, 3, 41, 8])
    for easy, hard in (*MODES, (0, 0)):
        method = DeftUcs(budget=34, easy=easy, hard=hard)
        found = method.select(pool, Ask(np.arange(125), 34), Runtime(), features=features, clusters=labels, base=base)
        assert found.order[:4].tolist() == [70, 3, 41, 8]
        core = found.order[4:]
        assert not np.isin(core, base.order).any()
        assert np.bincount(codes[core]).tolist() == [10, 10, 10]
        assert len(found) == 34
        assert found.short_by == 0
        assert np.isnan(found.gains[:4]).all()
        np.testing.assert_allclose(found.gains[4:], centroid_distances(points, codes)[core])
        assert {k: found.info[k] for k in ("base", "core", "clusters")} == {"base": 4, "core": 30, "clusters": 3}


@pytest.mark.parametrize("seed", range(5))
def test_a_stratified_base_is_proportional_within_one_row_and_apart_from_the_core(seed):
    rng = np.random.default_rng(seed)
    points, codes = blobs(seed)
    pool, features, labels = inputs(points, codes)
    intent = rng.choice(4, 125, p=[0.5, 0.3, 0.15, 0.05]).astype(np.int32)
    strata = Labels(pool.fingerprint, intent, tuple("abcd"), Missing.none(125))
    everything = np.arange(125)
    base = Random(draw="stratified", budget=20, seed=seed).select(pool, Ask(everything, 20), Runtime(), labels=strata)
    remain = np.setdiff1d(everything, base.order)
    outside = np.isin(everything, base.order)
    labels = Labels(
        pool.fingerprint,
        np.where(outside, NO_ROW, codes).astype(np.int32),
        labels.names,
        Missing.where(outside, "base"),
    )
    found = DeftUcs(budget=50).select(
        pool, Ask(everything, 50), Runtime(), features=features, clusters=labels, base=base
    )
    share = np.bincount(intent, minlength=4) * 20 / 125
    assert (np.abs(np.bincount(intent[found.order[:20]], minlength=4) - share) < 1).all()
    assert np.isin(found.order[20:], remain).all()
    assert len(np.unique(found.order)) == len(found) == 50


def test_base_rows_that_are_not_eligible_are_left_out():
    points, codes = blobs(1)
    pool, features, labels = inputs(points, codes)
    eligible = np.arange(0, 125, 2)
    found = DeftUcs(budget=20, hard=1, easy=0).select(
        pool, Ask(eligible, 20), Runtime(), features=features, clusters=labels, base=selected(pool, [3, 4, 5, 8])
    )
    assert found.order[:2].tolist() == [4, 8]
    assert np.isin(found.order, eligible).all()
    assert len(found) == 20


def test_every_row_that_is_out_says_why():
    points, codes = blobs(1)
    values = points.copy()
    values[6] = 0
    pool, features, labels = inputs(values, codes, unlabelled=[9])
    for easy, hard, reason in (
        (1, 0, "farther from its centroid than the easy rows"),
        (0, 1, "nearer to its centroid than the hard rows"),
        (0.5, 0.5, "between the easy and the hard rows"),
        (0, 0, "not drawn in its cluster"),
        (0.2, 0.2, "not drawn from the middle of its cluster"),
    ):
        found = DeftUcs(easy=easy, hard=hard).select(
            pool, Ask(np.arange(125), 30), Runtime(), features=features, clusters=labels
        )
        assert not {6, 9} & set(found.order.tolist())
        assert "no direction" in found.why(6)
        assert "in no cluster" in found.why(9)
        out = np.setdiff1d(np.arange(125), [*found.order, 6, 9])
        assert all(reason in found.why(row) for row in out)
        assert np.isfinite(found.margin[out]).all() == (easy + hard > 0)


def test_a_shortfall_is_explained():
    points, codes = blobs(3, sizes=(30, 3, 40))
    pool, features, labels = inputs(points, codes, unlabelled=np.flatnonzero(codes == 0)[:25])

    def pick(budget, **settings):
        return DeftUcs(**settings).select(
            pool, Ask(np.arange(73), budget), Runtime(), features=features, clusters=labels
        )

    found = pick(33)  # A = 11, 5 + 5 of each
    assert len(found) == 5 + 3 + 10
    assert found.short_by == 15
    assert found.short_reason == ("12 because clusters are smaller than their share; 3 because shares are rounded down")
    whole = pick(73, refill="proportional")
    assert len(whole) == 48
    assert whole.short_reason == "25 because the other rows are in no cluster"
    assert pick(33, refill="proportional").short_by == 0


def test_a_base_beyond_the_budget_and_rows_without_clusters_are_errors():
    points, codes = blobs(1)
    pool, features, labels = inputs(points, codes)
    with pytest.raises(CurationError, match="the base has 5 rows, the budget is 4 in all"):
        DeftUcs().select(
            pool, Ask(np.arange(125), 4), Runtime(), features=features, clusters=labels,
            base=selected(pool, range(5)),
        )  # fmt: skip
    none = inputs(points, codes, unlabelled=range(124))[2]
    with pytest.raises(CurationError, match="outside the base is in a cluster"):
        DeftUcs().select(pool, Ask(np.arange(124), 9), Runtime(), features=features, clusters=none)


def test_shares_above_one_together_are_refused():
    with pytest.raises(ValidationError, match=r"easy 0.6 and hard 0.5 are more than 1"):
        DeftUcs(easy=0.6, hard=0.5)
    DeftUcs(easy=0.7, hard=0.3)
    DeftUcs(easy=0.1 + 0.2, hard=0.7)
