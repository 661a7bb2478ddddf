from __future__ import annotations

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.linalg import queries as module
from curation.linalg.queries import QuerySearch


def nearest_naive(points, queries, groups, k, among=None):
    """All float64 distances; a group's is its least; sorted by (distance, row)."""
    wide, asked = np.asarray(points, np.float64), np.asarray(queries, np.float64)
    rows = np.arange(len(wide)) if among is None else np.asarray(among)
    found = []
    for members in groups:
        apart = ((wide[rows][:, None] - asked[members]) ** 2).sum(axis=2)
        least = apart.min(axis=1)
        order = np.lexsort((rows, least))[:k]
        found.append((rows[order], least[order], np.asarray(members)[apart[order].argmin(axis=1)]))
    return found


def data_of(kind, seed, n=130, v=9):
    rng = np.random.default_rng(seed)
    points, queries = rng.standard_normal((n, 6)), rng.standard_normal((v, 6))
    if kind == "grid":
        points, queries = rng.integers(0, 3, (n, 3)), rng.integers(0, 3, (v, 3))
    if kind == "copies":
        points[20:] = points[rng.integers(0, 20, n - 20)]
        queries[:3] = points[5]
    if kind == "equal":
        points[:], queries[:] = points[0], points[0]
    if kind == "offset":
        points, queries = points + 4000, queries + 4000
    if kind == "zero":
        points[::3], queries[0] = 0, 0
    if kind == "double":
        return points, queries
    return points.astype(np.float32), queries.astype(np.float32)


KINDS = ["normal", "grid", "copies", "equal", "offset", "zero", "double"]
GROUPS = {
    "single": None,
    "tasks": [np.array([0, 4, 7]), np.array([1]), np.array([2, 3, 5, 6, 8])],
    "one": [np.arange(9)],
}


@pytest.mark.parametrize("grouping", GROUPS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_sorting_all_distances_whatever_the_blocks_and_the_device(kind, grouping, monkeypatch):
    groups = GROUPS[grouping]
    for seed in range(2):
        points, queries = data_of(kind, seed)
        among = np.sort(np.random.default_rng(seed).choice(130, 90, replace=False))
        for some, k in ((None, 7), (among, 85), (None, 130)):
            naive = nearest_naive(points, queries, groups or [[q] for q in range(9)], k, some)
            for query_block, row_block, device in ((512, 16_384, "cpu"), (4, 31, "cpu"), (3, 11, "cpu:0")):
                monkeypatch.setattr(module, "QUERY_BLOCK", query_block)
                monkeypatch.setattr(module, "ROW_BLOCK", row_block)
                monkeypatch.setattr(module, "MEASURE_VALUES", query_block)
                found = QuerySearch(points, queries, groups=groups, device=device).nearest(k, among=some)
                for g, (rows, squared, nearest) in enumerate(naive):
                    np.testing.assert_array_equal(found.rows[g, : len(rows)], rows)
                    np.testing.assert_allclose(found.squared[g, : len(rows)], squared, rtol=1e-12)
                    np.testing.assert_array_equal(found.queries[g, : len(rows)], nearest)
                    assert (found.rows[g, len(rows) :] == -1).all()
                    assert np.isinf(found.squared[g, len(rows) :]).all()


def test_more_than_are_kept_by_the_compiled_scan():
    rng = np.random.default_rng(0)
    points, queries = rng.standard_normal((2000, 5)).astype(np.float32), rng.standard_normal((5, 5)).astype(np.float32)
    found = QuerySearch(points, queries).nearest(700)
    for g, (rows, _, _) in enumerate(nearest_naive(points, queries, [[q] for q in range(5)], 700)):
        np.testing.assert_array_equal(found.rows[g], rows)


def test_some_groups_only_and_measuring_chosen_rows():
    points, queries = data_of("normal", 1)
    search = QuerySearch(points, queries, groups=GROUPS["tasks"])
    whole, part = search.nearest(5), search.nearest(5, which=np.array([2, 0]))
    np.testing.assert_array_equal(part.rows, whole.rows[[2, 0]])
    squared, nearest = search.measure(2, whole.rows[2])
    np.testing.assert_array_equal(squared, whole.squared[2])
    np.testing.assert_array_equal(nearest, whole.queries[2])


def test_rows_beyond_the_distance_that_matters_need_not_be_told_exactly_but_those_within_must():
    points, queries = data_of("copies", 2)
    found = QuerySearch(points, queries).nearest(20, within=1.0)
    for g, (_, squared, _) in enumerate(nearest_naive(points, queries, [[q] for q in range(9)], 20)):
        near = squared < 1
        np.testing.assert_allclose(found.squared[g][near], squared[near], atol=1e-12)


def test_queries_of_another_size_than_float32_holds():
    points = np.array([[1.0, 0], [0, 1], [3, 3]], np.float32)
    found = QuerySearch(points, np.array([[0.0, 2e15]])).nearest(3)
    assert found.rows[0].tolist() == [2, 1, 0]


def test_errors_name_both_widths_and_progress_reaches_the_end():
    with pytest.raises(DataError, match="queries have 2 numbers each, the rows 3"):
        QuerySearch(np.eye(3), np.ones((1, 2)))
    seen = []
    QuerySearch(np.eye(3), np.eye(3)).nearest(1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
