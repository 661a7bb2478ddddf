"""Scores from the file."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.scorers.column import Column

VALUES = [3, 2.5, "4.5", " 1e2 ", True, None, "", "good", [1], "nan", float("inf"), 10**400]


def test_numbers_count_and_the_rest_says_why():
    pool = from_pairs([("q", "a")] * len(VALUES), rating=VALUES)
    score = Column(field="rating").score(pool, Runtime())
    np.testing.assert_array_equal(score.values, [3, 2.5, 4.5, 100, 1] + [np.nan] * 7)
    assert [score.missing.reason(row) for row in range(5, 12)] == [
        "no value", "no value", "not a number", "not a number", "not finite", "not finite", "not a number",
    ]  # fmt: skip
    assert (score.name, score.higher_is_better) == ("rating", True)


def test_neither_end_need_be_better():
    pool = from_pairs([("q", "a")], rating=[1])
    assert Column(field="rating", higher_is_better=None).score(pool, Runtime()).higher_is_better is None


def test_a_field_without_any_number_is_an_error_not_a_column_of_nothing():
    with pytest.raises(DataError, match="no record has a number there, the first has 'cat'"):
        Column(field="kind").score(from_pairs([("q", "a")] * 2, kind=["cat", "dog"]), Runtime())


def test_an_unknown_field_is_an_error():
    with pytest.raises(DataError, match="no record has the field"):
        Column(field="nope").score(from_pairs([("q", "a")]), Runtime())


def test_a_dot_reaches_into_objects():
    pool = from_pairs([("q", "a")] * 2, meta=[{"score": 0.5}, {}])
    np.testing.assert_array_equal(Column(field="meta.score").score(pool, Runtime()).values, [0.5, np.nan])
