"""Shares of labels in arms, against plain counts and random draws."""

from __future__ import annotations

import numpy as np
import pytest

from curation.comparison.shares import grouped, shares
from curation.core.artifacts import Labels, Missing
from curation.core.dataset import from_pairs
from curation.core.given import source_labels


def labels_of(codes, names, missing=()):
    mask = np.zeros(len(codes), bool)
    mask[list(missing)] = True
    return Labels("x", np.array(codes, np.int32), names, Missing.where(mask, "made so"))


def test_largest_labels_have_names_and_the_rest_is_together():
    codes, names = grouped(labels_of([0, 0, 0, 1, 1, 2, 3, 4, -1, -1], tuple("abcde"), [9]), np.arange(10), 2)
    assert names == ("a", "b", "others", "noise", "no label")
    assert codes.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 4]


def test_one_small_label_keeps_its_name():
    _, names = grouped(labels_of([0, 0, 1, 2], tuple("abc")), np.arange(4), 2)
    assert names == ("a", "b", "c")


@pytest.mark.parametrize("seed", range(4))
def test_shares_are_plain_counts(seed, comparison):
    generator = np.random.default_rng(seed)
    codes = generator.integers(-1, 3, 60)
    arms = {"a": generator.permutation(60)[:20].tolist(), "b": generator.permutation(60)[:33].tolist()}
    found = shares("k", "clusters", labels_of(codes, tuple("abc")), comparison(arms, 60))
    named = {name: place for place, name in enumerate("abc")} | {"noise": -1}
    for i, rows in enumerate(arms.values()):
        for label, name in enumerate(found.labels):
            count = sum(codes[row] == named[name] for row in rows)
            assert found.counts[i, label] == count
            assert found.shares[i, label] == pytest.approx(count / len(rows))
            assert found.chance_low[i, label] <= found.random_high[i, label]
            assert found.random_low[i, label] <= found.random_high[i, label]
    assert found.pool.sum() == pytest.approx(1)
    assert np.allclose(found.shares.sum(axis=1), 1)


def test_a_planted_preference_is_beyond_chance(comparison):
    codes = np.arange(400) % 4
    rows = np.flatnonzero(codes == 2)[:50].tolist()
    even = list(range(48))
    found = shares("k", "made", labels_of(codes, tuple("abcd")), comparison({"picky": rows, "even": even}, 400))
    place = found.labels.index("c")
    assert found.shares[0, place] == 1 > found.chance_high[0, place]
    assert (found.shares[1] >= found.chance_low[1]).all()
    assert (found.shares[1] <= found.chance_high[1]).all()


def test_random_draws_from_eligible_rows_only(comparison):
    found = shares(
        "k", "made", labels_of([0] * 10 + [1] * 10, ("a", "b")), comparison({"x": [0, 1]}, 20, eligible=range(10))
    )
    assert dict(zip(found.labels, found.pool.tolist(), strict=True)) == {"a": 1.0, "b": 0.0}
    assert found.random_high[0, found.labels.index("b")] == 0


def test_an_empty_arm_has_no_shares(comparison):
    found = shares("k", "made", labels_of([0, 1], ("a", "b")), comparison({"x": [], "y": [0]}, 2))
    assert np.isnan(found.shares[0]).all()


def test_sources_are_labels_in_alphabetical_order():
    dataset = from_pairs([("a", "b"), ("c", "d")], "mine")
    found = source_labels(dataset)
    assert [found.value(row) for row in range(2)] == dataset.sources
