"""The funnel of the Deduplicate page."""

from __future__ import annotations

import numpy as np
import pytest

from curation.linalg.groups import link
from curation.ui.dedup_facts import Filter, borderline, funnel, threshold_for


def links_of(n, pairs):
    rows, others, similarity = (np.array(part) for part in zip(*pairs, strict=True))
    return link(n, rows, others, similarity.astype(float))


def groups_naive(n, pairs, threshold):
    """Groups by repeated merging."""
    group = list(range(n))
    for a, b, similarity in pairs:
        if similarity >= threshold:
            group = [group[a] if g == group[b] else g for g in group]
    return group


@pytest.mark.parametrize("seed", range(4))
def test_each_stage_keeps_one_row_of_a_group_among_those_that_came(seed):
    rng = np.random.default_rng(seed)
    n = 40
    sets = [[(int(a), int(b), float(s)) for a, b, s in zip(rng.integers(0, n, 25), rng.integers(0, n, 25),
            rng.random(25), strict=True) if a != b] for _ in range(2)]  # fmt: skip
    preference = rng.permutation(n).astype(float)
    found = funnel([Filter(links_of(n, pairs), 0.4) for pairs in sets], n, preference)
    left = set(range(n))
    for pairs, kept in zip(sets, found, strict=True):
        group = groups_naive(n, pairs, 0.4)
        best: dict[int, int] = {}
        for row in sorted(left):
            if group[row] not in best or preference[row] > preference[best[group[row]]]:
                best[group[row]] = row
        left = set(best.values())
        assert kept.tolist() == sorted(left)


def test_no_stage_keeps_all():
    assert funnel([], 3) == []


def test_the_threshold_for_a_number_of_rows():
    links = links_of(6, [(0, 1, 0.9), (1, 2, 0.8), (3, 4, 0.7)])
    everything = np.arange(6)
    for wanted, expected in ((6, 0.9), (5, 0.9), (4, 0.8), (3, 0.7), (2, None)):
        found = threshold_for(links, everything, wanted)
        assert found == expected
        if found is not None:
            assert len(funnel([Filter(links, found)], 6)[0]) <= wanted
    assert threshold_for(links, np.array([0, 2, 5]), 2) == 0.8


def test_borderline_pairs_come_nearest_first_and_only_among_rows_that_came():
    links = links_of(7, [(0, 1, 0.99), (2, 3, 0.91), (4, 5, 0.88), (5, 6, 0.5)])
    pairs = borderline(links, np.arange(7), 0.9, 10)
    assert list(zip(pairs.first, pairs.second, strict=True)) == [(2, 3), (4, 5), (0, 1), (5, 6)]
    assert pairs.joined.tolist() == [True, False, True, False]
    assert len(borderline(links, np.arange(7), 0.9, 2)) == 2
    some = borderline(links, np.array([0, 1, 2, 5, 6]), 0.9, 10)
    assert some.first.tolist() == [0, 5]
