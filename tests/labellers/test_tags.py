"""Several tags per row."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Labels
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, DataError
from curation.core.runtime import Runtime
from curation.labellers.tags import Tags, tags_in


def tags_of(labels: Labels, row: int) -> list[str]:
    return [labels.names[code] for code in labels.columns["tags"][row] if code >= 0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["Math", "math", " code "], ["math", "code"]),
        ("a, B , ,a", ["a", "b"]),
        ('["x", "y, z"]', ["x", "y, z"]),
        ("[not, a list", ["[not", "a list"]),
        ([{"tag": "Sum", "explanation": "…"}, {"other": 1}, None, [1]], ["sum"]),
        ([1, True, 2.5], ["1", "true", "2.5"]),
        (7, ["7"]),
        (None, []),
        ({"a": 1}, []),
        ("", []),
        ([], []),
    ],
)
def test_what_counts_as_tags(value, expected):
    assert tags_in(value) == expected


def test_case_and_separator():
    assert tags_in("A;a, b", ";", lower=False) == ["A", "a, b"]


def test_a_field_of_the_records():
    pool = from_pairs([("q", "a")] * 4, topics=[["b", "a"], "a", None, "c, a, b"])
    made = Tags(field="topics").label(pool, Runtime())
    assert [tags_of(made, i) for i in range(4)] == [["b", "a"], ["a"], [], ["c", "a", "b"]]
    assert [made.value(i) for i in range(4)] == ["b", "a", None, "c"]  # the first tag is the label
    assert made.columns["tags"].dtype == np.int32
    assert made.missing.counts() == {"no tags": 1}
    assert made.info["proxy"] is False
    with pytest.raises(DataError, match="no record has the field 'topic'"):
        Tags(field="topic").label(pool, Runtime())


def test_tags_follow_their_rows_into_subsets_and_back():
    pool = from_pairs([("q", "a")] * 4, topics=[["b", "a"], "a", None, "c, a, b"])
    made = Tags(field="topics").label(pool, Runtime())
    part = made.take(np.array([3, 0]), "part")
    assert [tags_of(part, i) for i in range(2)] == [["c", "a", "b"], ["b", "a"]]
    back = part.scatter(np.array([3, 0]), 4, "whole", "outside")
    assert [tags_of(back, i) for i in range(4)] == [["b", "a"], [], [], ["c", "a", "b"]]


def test_rare_tags_are_dropped_and_rows_that_lose_all_say_so():
    pool = from_pairs([("q", "a")] * 3, topics=["a,b", "a", "c"])
    made = Tags(field="topics", min_count=2).label(pool, Runtime())
    assert made.names == ("a",)
    assert [tags_of(made, i) for i in range(3)] == [["a"], ["a"], []]
    assert made.missing.reason(2) == "all its tags are too rare"


def test_more_tags_than_are_read_are_counted():
    pool = from_pairs([("q", "a")] * 2, topics=["a,b,c", "a"])
    made = Tags(field="topics", most=2).label(pool, Runtime())
    assert tags_of(made, 0) == ["a", "b"]
    assert made.info["rows_cut"] == 1


def test_labels_stand_in_for_tags_and_say_that_they_do():
    pool = from_pairs([("q", "a")] * 3)
    coarse = Labels.from_values(pool.fingerprint, ["food", "food", None])
    fine = Labels.from_values(pool.fingerprint, ["bread", "food", "stars"])  # "food" here is another cluster
    made = Tags().label(pool, Runtime(), labels=[coarse, fine])
    assert [tags_of(made, i) for i in range(3)] == [["food", "bread"], ["food", "food (2)"], ["stars"]]
    assert made.info["proxy"] is True


def test_without_a_field_or_labels_there_are_no_tags():
    with pytest.raises(CurationError, match="not said where tags come from") as caught:
        Tags().label(from_pairs([("q", "a")]), Runtime())
    assert caught.value.hint
