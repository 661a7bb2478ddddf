"""From what is typed into the search box to a condition."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Missing
from curation.core.errors import CurationError
from curation.ui.search_wish import Wish, condition_of, quoted, rows_named, under
from curation.views import Like, Where, Words


def features(_key: str) -> Features:
    missing = Missing.where(np.arange(10) == 4, "no text")
    return Features("d", np.ones((10, 3), np.float32), missing)


def asked(wish: Wish, said: list | None = None):
    def embed(text, key):
        if "broken" in text:
            raise CurationError("the process broke down", "again")
        (said if said is not None else []).append((text, key))
        return np.ones(3)

    def where(expression):
        if expression == "bad":
            raise CurationError("no column 'bad', at letter 1: bad", "columns: row")
        return Where(expression=expression, names=(("q", "k1"),))

    return condition_of(wish, open_features=features, embed=embed, where=where)


def test_words_with_their_settings():
    wish = Wish("words", 'river "salt lake" -sea', inside="prompt", whole=True, case=True)
    assert asked(wish) == Words(text='river "salt lake" -sea', inside="prompt", whole=True, case=True)
    assert asked(Wish("words", "colou?rs?", regex=True)) == Words(text="colou?rs?", regex=True)


@pytest.mark.parametrize("wish", [Wish("words", "(", regex=True), Wish("words", "x" * 501)])
def test_words_that_are_not_understood_are_told(wish):
    with pytest.raises(CurationError) as caught:
        asked(wish)
    assert caught.value.hint


def test_a_text_is_encoded_once_before_it_becomes_a_condition():
    said: list = []
    found = asked(Wish("meaning", "about cooking", features="f1", top=7, farthest=True), said)
    assert found == Like(features="f1", text="about cooking", top=7, farthest=True)
    assert said == [("about cooking", "f1")]
    with pytest.raises(CurationError, match="broke down"):
        asked(Wish("meaning", "broken", features="f1"))


def test_rows_are_named_in_words_and_nothing_is_encoded():
    said: list = []
    assert asked(Wish("meaning", " Row 7 ", features="f1"), said) == Like(features="f1", rows=(7,))
    assert asked(Wish("meaning", "rows 1, 3, 5-6", features="f1"), said) == Like(features="f1", rows=(1, 3, 5, 6))
    assert not said


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("row 10", "no row 10"),
        ("rows 3, 4", "row 4 has no vector"),
        ("rows 5-1", "neither"),
        ("rows 0-5000", "at most"),
    ],
)
def test_rows_that_cannot_be_compared_are_told(text, word):
    with pytest.raises(CurationError, match=word):
        asked(Wish("meaning", text, features="f1"))


def test_without_vectors_it_says_where_they_come_from():
    with pytest.raises(CurationError, match="no vectors") as caught:
        asked(Wish("meaning", "cooking"))
    assert "Map page" in caught.value.hint


def test_limits_of_a_condition_are_told_in_its_words():
    with pytest.raises(CurationError, match="text"):
        asked(Wish("meaning", "x" * 2001, features="f1"))
    with pytest.raises(CurationError, match="top"):
        asked(Wish("meaning", "x", features="f1", top=0))


def test_a_filter_is_bound_or_told_with_its_place():
    assert asked(Wish("filter", "row > 3")).names == (("q", "k1"),)
    with pytest.raises(CurationError, match="at letter 1"):
        asked(Wish("filter", "bad"))


@pytest.mark.parametrize(
    ("text", "rows"),
    [("row 3", "3"), ("ROWS 3,4", "3,4"), ("rows 1-5, 9", "1-5, 9"), ("row", None), ("rows of corn", None),
     ("the row 3", None), ("row boats", None), ("row ", None)],
)  # fmt: skip
def test_which_texts_name_rows(text, rows):
    assert rows_named(text) == rows


@pytest.mark.parametrize(
    ("expression", "message", "shown"),
    [
        ("abc > 3", "no column 'abc', at letter 1: abc", "abc > 3\n^"),
        ("a > 3 AND\nfoo = 2", "no, at letter 11: foo", "a > 3 AND\nfoo = 2\n^"),
        ("a = 'é' AND q", "no, at letter 13: q", "a = 'é' AND q\n            ^"),
        ("a", "something else", ""),
        ("a", "no, at letter 9: x", ""),
    ],
)
def test_the_place_of_an_error_is_marked(expression, message, shown):
    assert under(expression, message) == shown


@pytest.mark.parametrize(("name", "written"), [("a_1", "a_1"), ("a.b", "a.b"), ("a b", '"a b"'), ('x"y', '"x""y"')])
def test_names_are_quoted_where_they_must_be(name, written):
    assert quoted(name) == written
