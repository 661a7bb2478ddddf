"""The forest of duplicates against brute force."""

import numpy as np
import pytest

from curation.linalg.groups import Links, link


def components_naive(n, pairs, threshold):
    """Lowest row of each row's group, by repeated relabelling."""
    group = list(range(n))
    changed = True
    while changed:
        changed = False
        for a, b, s in pairs:
            low = min(group[a], group[b])
            if s >= threshold and (group[a] != low or group[b] != low):
                group[a] = group[b] = low
                changed = True
    return group


def bottleneck_naive(n, pairs):
    """Best weakest link between all rows, Floyd–Warshall with max-min."""
    best = np.full((n, n), -np.inf)
    for a, b, s in pairs:
        best[a, b] = best[b, a] = max(best[a, b], s)
    for k in range(n):
        best = np.maximum(best, np.minimum(best[:, [k]], best[[k], :]))
    return best


def random_pairs(seed, n=40, m=45):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, n, (m, 2))
    return pairs[:, 0], pairs[:, 1], rng.integers(1, 8, m) / 8  # many ties


@pytest.mark.parametrize("seed", range(5))
def test_every_higher_threshold_gives_the_groups_of_that_threshold(seed):
    a, b, s = random_pairs(seed)
    links = link(40, a, b, s)
    pairs = [(x, y, z) for x, y, z in zip(a, b, s, strict=True) if x != y]
    for threshold in (0.0, 0.25, 0.5, 0.625, 1.0):
        assert links.cut(threshold).first().tolist() == components_naive(40, pairs, threshold)
        assert links.above(threshold).first().tolist() == components_naive(40, pairs, threshold)


@pytest.mark.parametrize("seed", range(3))
def test_the_lowest_row_is_the_root_and_links_are_given_pairs(seed):
    a, b, s = random_pairs(seed)
    links = link(40, a, b, s)
    best = {}
    for x, y, z in zip(a.tolist(), b.tolist(), s.tolist(), strict=True):
        best[x, y] = best[y, x] = max(z, best.get((x, y), 0))
    assert (links.of[np.unique(links.first())] == -1).all()
    for row in np.flatnonzero(links.of >= 0):
        assert best[row, links.of[row]] == links.similarity[row]
    assert (np.isnan(links.similarity) == (links.of < 0)).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_weakest_link_is_the_highest_threshold_that_keeps_two_rows_together(seed):
    a, b, s = random_pairs(seed)
    links = link(40, a, b, s)
    naive = bottleneck_naive(40, [(x, y, z) for x, y, z in zip(a, b, s, strict=True) if x != y])
    kept = np.array([np.flatnonzero(links.first() == g)[-1] for g in np.unique(links.first())])
    by, weakest = links.weakest(kept)
    for row in range(40):
        if row in kept:
            assert by[row] == -1
        else:
            assert links.first()[by[row]] == links.first()[row]
            assert weakest[row] == naive[row, by[row]]


def test_the_order_of_pairs_does_not_matter():
    a, b, s = random_pairs(9)
    mixed = np.random.default_rng(0).permutation(len(a))
    one, two = link(40, a, b, s), link(40, b[mixed], a[mixed], s[mixed])
    assert one.of.tolist() == two.of.tolist()


def test_nothing_to_link():
    links = link(3, np.empty(0, int), np.empty(0, int), np.empty(0))
    assert links.of.tolist() == [-1, -1, -1]
    assert links.first().tolist() == [0, 1, 2]
    assert links.cut(0.5).first().tolist() == [0, 1, 2]
    assert Links(np.empty(0, np.int64), np.empty(0)).first().tolist() == []
