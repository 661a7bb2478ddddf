"""Rows most alike: against the textbook loop, ties, thresholds, rows of another dataset."""

import numpy as np
import pytest
from pydantic import ValidationError

from curation.core.artifacts import Features, Missing
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.selectors import similar
from curation.selectors.similar import Similar, similarity_to


def similar_naive(points, given, how, farthest):
    """Order by the mean or highest cosine, one pair at a time; equal ones by the lowest row."""
    found = []
    for row, x in enumerate(points):
        if np.isnan(x).any():
            continue
        cosines = [float(x @ g / np.linalg.norm(x) / np.linalg.norm(g)) for g in given]
        value = np.float32(np.mean(cosines) if how == "mean" else np.max(cosines))
        found.append((float(value) if farthest else -float(value), row))
    return [row for _, row in sorted(found)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("farthest", [False, True])
def test_it_is_the_loop(build, seed, how, farthest):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(60, 5))
    points[7] = np.nan
    made = build(60)
    rows = rng.choice(np.delete(np.arange(60), 7), 4, replace=False)
    method = Similar(rows=",".join(map(str, rows)), how=how, farthest=farthest, budget=59)
    features = made.features(points)
    got = method.select(made.pool, made.ask(59, np.delete(np.arange(60), 7).tolist()), Runtime(), features=features)
    expected = similar_naive(
        features.values.astype(np.float64), features.values[rows].astype(np.float64), how, farthest
    )
    assert got.order.tolist() == expected


def test_equal_rows_go_to_the_lowest(build):
    made = build(6)
    features = made.features(np.array([[1, 0], [0, 1], [2, 0], [1, 0], [0, 3], [1, 1]], np.float64))
    got = Similar(rows="3", budget=6).select(made.pool, made.ask(6), Runtime(), features=features)
    assert got.order.tolist() == [0, 2, 3, 5, 1, 4]
    np.testing.assert_allclose(got.gains, [1, 1, 1, 0.5**0.5, 0, 0], atol=1e-6)
    assert got.nested


def test_many_given_rows_are_compared_in_parts(build, monkeypatch):
    rng = np.random.default_rng(1)
    values, given = rng.normal(size=(30, 4)), rng.normal(size=(23, 4))
    for how in ("mean", "max"):
        whole = similarity_to(values, given, how)
        monkeypatch.setattr(similar, "AT_ONCE", 5)
        np.testing.assert_allclose(similarity_to(values, given, how), whole, rtol=1e-6)
        monkeypatch.undo()


def test_a_threshold_ends_the_order_and_says_so(build):
    made = build(4)
    features = made.features(np.array([[1, 0], [1, 1], [0, 1], [-1, 0]], np.float64))
    got = Similar(rows="0", min_similarity=0.5).select(made.pool, made.ask(4), Runtime(), features=features)
    assert got.order.tolist() == [0, 1]
    assert got.short_by == 2
    assert "at least 0.5" in got.short_reason
    assert got.why(3) == "out: not alike enough"
    far = Similar(rows="0", min_similarity=0.5, farthest=True)
    assert far.select(made.pool, made.ask(4), Runtime(), features=features).order.tolist() == [3, 2]


def test_rows_of_another_dataset(build):
    made, others = build(4), build(3)
    features = made.features(np.array([[1, 0], [1, 1], [0, 1], [-1, 0]], np.float64))
    values = np.array([[0, 2], [np.nan, np.nan], [0, 1]], np.float32)
    queries = Features(others.fingerprint, values, Missing.where(np.isnan(values[:, 0]), "empty"))
    got = Similar(budget=2).select(made.pool, made.ask(2), Runtime(), features=features, queries=queries)
    assert got.order.tolist() == [2, 1]


def test_a_row_of_zeros_has_no_direction(build):
    made = build(3)
    features = made.features(np.array([[1, 0], [0, 0], [1, 1]], np.float64))
    got = Similar(rows="0", budget=3).select(made.pool, made.ask(3), Runtime(), features=features)
    assert got.order.tolist() == [0, 2]
    assert got.why(1) == "out: no direction"
    assert got.short_by == 1


def test_what_is_not_given_is_an_error(build):
    made = build(3)
    features = made.features(np.array([[1, 0], [np.nan, 0], [1, 1]], np.float64))
    for method, more, said in (
        (Similar(), {}, "nothing to be like"),
        (Similar(rows="1"), {}, "row 1 has no vector"),
        (Similar(rows="5"), {}, "there is no row 5"),
        (Similar(rows="0"), {"queries": features}, "by number and as queries"),
    ):
        with pytest.raises(CurationError, match=said):
            method.select(made.pool, made.ask(1), Runtime(), features=features, **more)
    with pytest.raises(ValidationError, match="rows"):
        Similar(rows="a-b")
    with pytest.raises(ValidationError, match="rows"):
        Similar(rows="0-20000")
