"""MIG: the greedy against the loop that measures every row, its objective, the graph of tags."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.labellers.tags import tag_labels
from curation.selectors import mig as module
from curation.selectors._tags import tag_sets
from curation.selectors.mig import (
    DIGITS,
    Information,
    Mig,
    information_greedy,
    propagation,
    similar_tags,
    spread_of,
    tag_vectors,
)


def phi(x: np.ndarray, a: float = 1e-6, b: float = 0.8) -> np.ndarray:
    return (x + a) ** b


def mig_naive(z: np.ndarray, budget: int, gain: str, a: float = 1e-6, b: float = 0.8) -> tuple[list[int], list[float]]:
    """Every row is measured at each step, on dense rows z `[n, v]`; the largest gain wins, of equals the lowest row."""
    standing, picks, gains, unit = np.zeros(z.shape[1]), [], [], 0.0
    for step in range(budget):
        if gain == "exact":
            now = (phi(standing + z, a, b) - phi(standing, a, b)).sum(axis=1)
        else:
            now = z @ (b * (standing + a) ** (b - 1))
        unit = unit or float(now.max()) * 2.0**-DIGITS or 1.0
        rounded = np.rint(now / unit)
        rounded[picks] = -np.inf
        best = int(rounded.argmax())
        picks.append(best)
        gains.append(float(now[best]))
        standing += z[best]
        assert step < budget
    return picks, gains


def some_rows(seed: int, n: int = 60, vocabulary: int = 9, most: int = 4) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[f"t{i}" for i in rng.choice(vocabulary, int(rng.integers(1, most + 1)), replace=False)] for _ in range(n)]


def pool_of(n: int):
    return from_pairs([(f"q{i}", f"a{i}") for i in range(n)])


def labels_of(pool, rows: list[list[str]]) -> Labels:
    return tag_labels(pool.fingerprint, rows, ["no tags"] * len(rows))


def a_graph(seed: int, count: int):
    """A propagation with random links."""
    rng = np.random.default_rng(seed)
    firsts, seconds = np.triu_indices(count, 1)
    keep = rng.random(len(firsts)) < 0.2
    return propagation(count, firsts[keep], seconds[keep], rng.uniform(0.9, 1, int(keep.sum())), 1.0)


def spread(rows: list[list[str]], p=None, *, per_tag: bool = False):
    pool = pool_of(len(rows))
    sets = tag_sets(labels_of(pool, rows))
    p = a_graph(0, len(sets.names)) if p is None else p
    return *spread_of(sets, np.arange(len(rows)), p, per_tag=per_tag), sets, p


def dense(sets, p, quality: np.ndarray, *, per_tag: bool = False) -> np.ndarray:
    """z `[n, v]` as the paper writes it."""
    v = np.zeros((len(quality), len(sets.names)))
    for row in range(len(quality)):
        v[row, sets.of(row)] = quality[row] / (len(sets.of(row)) if per_tag else 1)
    return v @ p.toarray()


@pytest.mark.parametrize("gain", ["exact", "first-order"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("qualities", ["none", "few", "many"])
@pytest.mark.parametrize("batch", [16, 1])
def test_the_picks_are_those_of_the_loop_that_measures_every_row(seed, gain, qualities, batch, monkeypatch):
    monkeypatch.setattr(module, "BATCH", batch)
    rows = some_rows(seed)
    rng = np.random.default_rng(seed + 100)
    quality = {
        "none": np.ones(60),
        "few": rng.integers(0, 3, 60).astype(float),  # ties and zeros
        "many": rng.random(60) * 6,
    }[qualities]
    per_tag = bool(seed % 2)
    made, which, sets, p = spread(rows, per_tag=per_tag)
    picks, gains, _ = information_greedy(made, which, quality, 60, gain=gain)
    naive, naive_gains = mig_naive(dense(sets, p, quality, per_tag=per_tag), 60, gain)
    assert picks.tolist() == naive
    np.testing.assert_allclose(gains, naive_gains, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("gain", ["exact", "first-order"])
def test_the_size_of_batches_changes_no_pick(gain, monkeypatch):
    rows, quality = some_rows(3, 200, 20), np.random.default_rng(3).random(200)
    made, which, _, _ = spread(rows)
    expected = information_greedy(made, which, quality, 80, gain=gain)
    for batch in (1, 3, 1000):
        monkeypatch.setattr(module, "BATCH", batch)
        monkeypatch.setattr(module, "BLOCK", batch)
        found = information_greedy(made, which, quality, 80, gain=gain)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_exact_gain_is_what_the_objective_grows_by():
    rows, quality = some_rows(1), np.random.default_rng(1).random(60)
    made, which, sets, p = spread(rows)
    z = dense(sets, p, quality)
    picks, gains, after = information_greedy(made, which, quality, 20)
    worth = [phi(z[picks[:k]].sum(axis=0)).sum() for k in range(21)]
    np.testing.assert_allclose(gains, np.diff(worth), rtol=1e-9)
    np.testing.assert_allclose(after, [phi(z[picks].sum(axis=0) + row).sum() - worth[-1] for row in z], rtol=1e-7)


@pytest.mark.parametrize("gain", ["exact", "first-order"])
def test_gains_never_grow(gain):
    rows, quality = some_rows(2), np.random.default_rng(2).random(60)
    made, which, _, _ = spread(rows)
    info = Information(made, 1e-6, 0.8, gain)
    before = info.gains(which, quality)
    for row in range(0, 60, 3):
        info.add(int(which[row]), float(quality[row]))
        now = info.gains(which, quality)
        assert (now <= before + 1e-12).all()
        before = now
    assert (np.diff(information_greedy(made, which, quality, 60, gain=gain)[1]) <= 1e-12).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_first_pick_of_the_published_gain_brings_most_in_all(seed):
    rows, quality = some_rows(seed), np.random.default_rng(seed).random(60)
    made, which, sets, p = spread(rows)
    z = dense(sets, p, quality)
    assert information_greedy(made, which, quality, 1, gain="first-order")[0][0] == z.sum(axis=1).argmax()
    assert information_greedy(made, which, quality, 1, gain="exact")[0][0] == phi(z).sum(axis=1).argmax()


@pytest.mark.parametrize("seed", range(20))
def test_the_greedy_is_within_its_bound_of_the_best(seed):
    from itertools import combinations

    rows, quality = some_rows(seed, 9, 5), np.random.default_rng(seed).random(9)
    made, which, sets, p = spread(rows)
    z = dense(sets, p, quality)
    floor = phi(np.zeros(z.shape[1])).sum()
    best = max(phi(z[[*c]].sum(axis=0)).sum() - floor for c in combinations(range(9), 3))
    assert information_greedy(made, which, quality, 3)[1].sum() >= (1 - 1 / np.e) * best


def test_a_zero_gamma_leaves_tags_to_themselves():
    none = np.empty(0, np.int64)
    np.testing.assert_array_equal(propagation(4, none, none, np.empty(0), 0.0).toarray(), np.eye(4))
    linked = propagation(4, np.array([0]), np.array([2]), np.array([0.95]), 0.0)
    np.testing.assert_array_equal(linked.toarray(), np.eye(4))
    # with independent tags of one row each, the order is that of the qualities
    rows, quality = [["a"], ["b"], ["c"], ["d"]], np.array([0.2, 0.9, 0.4, 0.9])
    made, which, _, _ = spread(rows, linked)
    assert information_greedy(made, which, quality, 4)[0].tolist() == [1, 3, 2, 0]


def test_columns_of_the_propagation_sum_to_one():
    p = propagation(3, np.array([0]), np.array([1]), np.array([0.9]), 2.0).toarray()
    np.testing.assert_allclose(p, [[1 / 2.8, 1.8 / 2.8, 0], [1.8 / 2.8, 1 / 2.8, 0], [0, 0, 1]])
    np.testing.assert_allclose(a_graph(4, 12).sum(axis=0), 1.0)


def test_tags_are_linked_from_the_similarity_on_whatever_the_block(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 4))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    vectors[7] = vectors[3]
    cosines = vectors.astype(float) @ vectors.T.astype(float)
    expected = [(i, j) for i in range(40) for j in range(i + 1, 40) if cosines[i, j] >= 0.8]
    for block in (512, 7, 1):
        monkeypatch.setattr(module, "TAG_BLOCK", block)
        monkeypatch.setattr(module, "COSINES_AT_ONCE", 10 * block)
        firsts, seconds, found = similar_tags(vectors, 0.8)
        assert [*zip(firsts.tolist(), seconds.tolist(), strict=True)] == expected
        np.testing.assert_allclose(found, cosines[firsts, seconds], atol=1e-6)
    assert found[expected.index((3, 7))] == 1.0


def test_a_tag_points_to_the_mean_of_its_rows():
    pool = pool_of(4)
    sets = tag_sets(labels_of(pool, [["a", "b"], ["b"], ["c"], ["d"]]))
    points = np.array([[1, 0], [0, 1], [0, 0], [0, -1]], np.float32)
    vectors, have = tag_vectors(points, np.array([True, True, False, True]), sets)
    assert have.tolist() == [0, 1, 3]  # c has no usable row
    np.testing.assert_allclose(vectors, [[1, 0], [0.5**0.5, 0.5**0.5], [0, -1]], atol=1e-6)


# ---------------------------------------------------------------------- the method


def features_of(pool, values) -> Features:
    values = np.asarray(values, np.float32)
    return Features(pool.fingerprint, values, Missing.where(np.isnan(values).any(axis=1), "no words"))


def run(rows, values, budget, score=None, known=None, **parameters):
    pool = pool_of(len(rows))
    made = score and Score(pool.fingerprint, score.values, score.missing, score.name, score.higher_is_better)
    eligible = np.arange(len(rows)) if made is None else np.flatnonzero(np.isfinite(made.values))
    return Mig(budget=budget, **parameters).select(
        pool, Ask(eligible, budget, known), Runtime(), tags=labels_of(pool, rows), features=features_of(pool, values),
        score=made,
    )  # fmt: skip


def quality_score(values, better=True) -> Score:
    values = np.asarray(values, float)
    return Score("", values, Missing.where(np.isnan(values), "none"), "quality", better)


def test_rows_under_similar_tags_share_what_they_bring():
    # "a" and "b" mean the same, "c" is far away; three rows each
    rows = [["a"], ["a"], ["b"], ["b"], ["c"], ["c"]]
    values = [[1, 0], [1, 0], [1, 0.01], [1, 0.01], [0, 1], [0, 1]]
    linked = run(rows, values, 6)
    assert linked.info["links"] == 1
    assert sorted(linked.order[:2].tolist()) in ([0, 4], [2, 4])
    alone = run(rows, values, 6, gamma=0.0)
    assert alone.info["links"] == 0
    assert alone.order.tolist() == [0, 2, 4, 1, 3, 5]


def test_quality_comes_first_and_missing_quality_never():
    rows = [["a"], ["a"], ["b"], ["b"]]
    made = run(rows, np.eye(4), 3, quality_score([1.0, 5.0, np.nan, 4.0]))
    assert made.order.tolist() == [1, 3, 0]
    assert made.short_by == 0


def test_what_a_row_would_now_add_less_than_the_last_pick_is_its_margin():
    made = run([["a"], ["b"], ["a"], []], np.eye(4), 2)
    assert made.order.tolist() == [0, 1]
    assert made.margin[2] == pytest.approx(made.gains[1] - (phi(np.array(2.0)) - phi(np.array(1.0))))
    assert made.why(2).startswith("out: brings less information than the picks (by ")
    assert made.why(3) == "out: no tags"


def test_rows_without_tags_or_features():
    values = np.eye(4)
    values[1] = np.nan
    assert run([["a"], ["b"], [], ["a"]], values, 4).order.tolist() == [0, 1, 3]
    assert run([["a"], ["b"], [], ["a"]], values, 4).short_reason == "the other rows have no tags"
    last = run([["a"], ["b"], [], ["a"]], values, 4, untagged="last")
    assert last.order.tolist() == [0, 1, 3, 2]
    again = run([["a"], ["b"], [], ["a"]], values, 4, untagged="last", known=last.order)
    np.testing.assert_array_equal(again.order, last.order)


@pytest.mark.parametrize("seed", range(3))
def test_known_picks_are_gone_on_from(seed):
    rows, values = some_rows(seed), np.random.default_rng(seed).normal(size=(60, 4))
    score = quality_score(np.random.default_rng(seed + 1).random(60))
    whole = run(rows, values, 40, score)
    for count in (1, 17, 40):
        again = run(rows, values, 40, score, known=whole.order[:count])
        np.testing.assert_array_equal(again.order, whole.order)
        np.testing.assert_allclose(again.gains, whole.gains, rtol=1e-12)


def test_scores_that_are_no_qualities_are_refused():
    for score, words in (
        (quality_score([1, -2.0]), "goes down to -2"),
        (quality_score([1, 2], False), "lower is better"),
    ):
        with pytest.raises(CurationError, match=words) as caught:
            run([["a"], ["b"]], np.eye(2), 1, score)
        assert caught.value.hint
