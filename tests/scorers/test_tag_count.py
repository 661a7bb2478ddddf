"""Number of tags: different ones count once, rows without are missing."""

from __future__ import annotations

import numpy as np

from curation.core.artifacts import Labels, Missing
from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.labellers.tags import tag_labels
from curation.scorers.tag_count import TagCount, tag_counts


def test_different_tags_are_counted():
    assert tag_counts(np.array([[0, 1, 2], [1, 1, -1], [-1, -1, -1], [2, -1, 2]])).tolist() == [3, 1, 0, 1]


def test_rows_without_tags_are_missing_for_the_reason_of_the_labels():
    pool = from_pairs([("a", "x"), ("b", "x"), ("c", "x")])
    labels = tag_labels(pool.fingerprint, [["p", "q"], [], ["q"]], [None, "refused", None], proxy=False)
    made = TagCount().score(pool, Runtime(), tags=labels)
    np.testing.assert_array_equal(made.values, [2, np.nan, 1])
    assert made.missing.counts() == {"refused": 1}
    assert made.higher_is_better is True
    assert made.info == {"proxy": False}


def test_labels_of_another_kind_are_one_tag_and_a_proxy():
    pool = from_pairs([("a", "x"), ("b", "x")])
    labels = Labels(pool.fingerprint, np.array([0, -1], np.int32), ("one",), Missing.none(2))
    made = TagCount().score(pool, Runtime(), tags=labels)
    np.testing.assert_array_equal(made.values, [1, np.nan])
    assert made.missing.reason(1) == "no tags"
    assert made.info == {"proxy": True}
