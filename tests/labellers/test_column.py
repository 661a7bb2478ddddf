"""Labels from the file."""

from __future__ import annotations

import pytest

from curation.core.dataset import Row, from_pairs, in_memory
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.labellers.column import Column

VALUES = ["b", " a ", 3, True, None, "", [1], {"x": 1}]


def test_values_become_labels_and_the_rest_says_why():
    pool = from_pairs([("q", "a")] * 8, kind=VALUES)
    labels = Column(field="kind").label(pool, Runtime())
    assert labels.names == ("3", "True", "a", "b")
    assert [labels.value(row) for row in range(8)] == ["b", "a", "3", "True", None, None, None, None]
    assert labels.missing.counts() == {"no value": 2, "a list or an object, not one value": 2}


def test_without_a_field_the_source_is_the_label():
    messages = [{"role": "user", "content": "q"}]
    pool = in_memory([Row(messages, "{}", source, 0, "x") for source in ["two.json", "one.json", "two.json"]])
    labels = Column().label(pool, Runtime())
    assert labels.names == ("one.json", "two.json")
    assert labels.codes.tolist() == [1, 0, 1]


def test_a_dot_reaches_into_objects_unless_a_field_has_that_name():
    pool = from_pairs([("q", "a")] * 3, meta=[{"topic": "x", "deep": {"er": 1}}, {"other": 1}, "text"])
    assert [Column(field="meta.topic").label(pool, Runtime()).value(i) for i in range(3)] == ["x", None, None]
    assert Column(field="meta.deep.er").label(pool, Runtime()).value(0) == "1"
    dotted = from_pairs([("q", "a")], **{"a.b": ["whole"], "a": [{"b": "inner"}]})
    assert Column(field="a.b").label(dotted, Runtime()).value(0) == "whole"


def test_equal_content_with_other_fields_keeps_its_own_label():
    # the label does not follow from the content, so it must not be kept per row content
    pool = from_pairs([("same", "same")] * 2, kind=["x", "y"])
    assert pool.contents[0] == pool.contents[1]
    assert Column(field="kind").label(pool, Runtime()).codes.tolist() == [0, 1]
    assert not Column.row_wise


def test_an_unknown_field_names_the_known():
    with pytest.raises(DataError, match="no record has the field 'kin'") as error:
        Column(field="kin").label(from_pairs([("q", "a")], kind=["x"]), Runtime())
    assert "kind" in error.value.hint
