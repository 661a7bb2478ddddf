"""Keyword search: what a query finds, in which text, and where it stands."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.dataset import from_pairs
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.selectors._patterns import MOST_STATES, checked_pattern, pattern_states
from curation.selectors._searching import found_in, read_query, snippet, spans_in
from curation.selectors.search import Search

POOL = from_pairs(
    [
        ("The River Thames", "flows to the sea"),
        ("riverbank walks", "by a river, or a lake"),
        ("ÜBER straße", "Слово и дело"),
        ("green\n  seven lamps", "green seven"),
        ("河流在哪里", "在这里"),
        ("", ""),
    ]
)


def found(query, inside="both", **flags):
    made = Search(query=query, inside=inside, **flags).select(POOL, Ask(np.arange(len(POOL))), Runtime())
    return made.order.tolist()


@pytest.mark.parametrize(
    ("query", "flags", "rows"),
    [
        ("river", {}, [0, 1]),
        ("RIVER", {}, [0, 1]),
        ("river", {"case": True}, [1]),
        ("river", {"whole": True}, [0, 1]),
        ("riverb", {"whole": True}, []),
        ("river sea", {}, [0]),
        ("sea river", {}, [0]),
        ("river -lake", {}, [0]),
        ("-river", {}, [2, 3, 4, 5]),
        ('"green seven"', {}, [3]),
        ('"green seven" lamps', {"whole": True}, [3]),
        ('-"green seven" -river', {}, [2, 4, 5]),
        ('"seven green"', {}, []),
        ("über", {}, [2]),
        ("ÜBER STRAßE", {}, [2]),
        ("СЛОВО", {}, [2]),
        ("слов", {"whole": True}, []),
        ("слово", {"whole": True}, [2]),
        ("河流", {}, [4]),
        ("“green seven”", {}, [3]),
        ('"unended quote', {}, []),
        ("r.ver", {}, []),
        ("r.v(er|en)\\b", {"regex": True}, [0, 1]),
        ("^the", {"regex": True}, [0]),
        ("^the", {"regex": True, "case": True}, []),
        ("green.*lamps", {"regex": True}, [3]),
    ],
)
def test_what_is_found(query, flags, rows):
    assert found(query, **flags) == rows


def test_where_it_looks():
    assert found("river", "prompt") == [0, 1]
    assert found("river", "response") == [1]
    assert found("green lamps", "response") == []
    assert found("-river", "response") == [0, 2, 3, 4, 5]


def test_rows_say_why_they_are_out():
    made = Search(query="river").select(POOL, Ask(np.array([1, 2])), Runtime())
    assert made.order.tolist() == [1]
    assert made.why(2) == "out: the words are not found"
    assert made.why(0) == "out: not eligible"


@pytest.mark.parametrize("query", ["", "   ", '""', '-""', "a " * 31, "x" * 501])
def test_a_query_without_words_or_with_too_many_is_an_error(query):
    with pytest.raises(ValidationError, match="query"):
        Search(query=query)


@pytest.mark.parametrize("pattern", ["(", "a{2000}", "(?=a)", "\\1", "((a?){100}){100}", "[", "x" * 301, "(?P<a", "*"])
def test_a_pattern_that_cannot_run_is_an_error(pattern):
    with pytest.raises(ValidationError, match="pattern"):
        Search(query=pattern, regex=True)


@pytest.mark.parametrize(
    "pattern",
    ["((a?){30}){30}", "(((a{1,9}){1,9}){1,9}){1,9}", "(\\pL{1,30}x){0,10}", "([^a]{1,50}){1,50}", "(?i)(abc){600}",
     "(a|b){0,3000}", "(\\w{5}){1,400}"],
)  # fmt: skip
def test_patterns_that_cost_too_much_for_each_letter_are_refused(pattern):
    assert pattern_states(pattern) > MOST_STATES
    with pytest.raises(ValueError, match="too large"):
        checked_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "\\d{4}-\\d{2}-\\d{2}",
        "foo.{0,300}bar",
        "[\\pL\\pN_]+",
        "(a+)+$",
        "(x+x+)+y",
        "\\Q(((\\E",
        "[]a]",
        "[[:alpha:]]{9}",
    ],
)
def test_usual_patterns_pass(pattern):
    assert checked_pattern(pattern) == pattern


def test_nested_repeats_are_linear_in_the_text():
    texts = pa.chunked_array([pa.array(["a" * 200_000 + "b"] * 2, pa.large_string())])
    assert not found_in([texts], read_query("^(a+)+$", regex=True)).any()


def test_the_time_limit_is_kept():
    with pytest.raises(CurationError, match="took more than"):
        found_in([POOL.column("prompt")], read_query("river"), time_limit=-1.0)


words = st.text("aAbß é\n-_.3é", max_size=12)


def found_naive(texts, query, whole):
    """Words by Python: letters fold alone, white space is any, a whole word ends where no letter goes on."""
    needed = [w for w in query.split() if not w.startswith("-") or w == "-"]
    excluded = [w[1:] for w in query.split() if w.startswith("-") and w != "-"]

    def has(word):
        for text in texts:
            for place in range(len(text) - len(word) + 1):
                if text[place : place + len(word)].lower() != word.lower():
                    continue
                edges = text[place - 1 : place] + text[place + len(word) : place + len(word) + 1]
                if not whole or not any(c == "_" or c.isalnum() for c in edges):
                    return True
        return False

    return all(map(has, needed)) and not any(map(has, excluded))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5), words, st.booleans())
def test_it_finds_what_the_loop_finds(pairs, query, whole):
    try:
        read = read_query(query, whole=whole)
    except ValueError:
        assert not [w for w in query.split() if w]
        return
    columns = [pa.chunked_array([pa.array(side, pa.large_string())]) for side in zip(*pairs, strict=True)]
    assert found_in(columns, read).tolist() == [found_naive(pair, query, whole) for pair in pairs]


def test_chunks_of_any_size_give_the_same():
    texts = [f"row {i} {'river' if i % 3 else 'lake'}" for i in range(50)]
    whole = pa.chunked_array([pa.array(texts, pa.large_string())])
    parts = pa.chunked_array([pa.array(texts[a:b], pa.large_string()) for a, b in ((0, 7), (7, 7), (7, 50))])
    for query in (read_query("river -4"), read_query("r[io]ver? 1", regex=True)):
        np.testing.assert_array_equal(found_in([whole, parts], query), found_in([whole, whole], query))


# ---------------------------------------------------------------------- where it stands


def test_spans_are_those_of_all_words_and_phrases():
    text = "A RIVER, river; green\n  Seven Über x"
    query = read_query('river "green seven" über -lake')
    assert [text[a:b] for a, b in spans_in(text, query)] == ["RIVER", "river", "green\n  Seven", "Über"]


def test_spans_that_touch_are_joined_and_whole_words_are_whole():
    assert spans_in("abcd", read_query("ab bc cd")) == [(0, 4)]
    assert spans_in("aa a aab a_a a", read_query("a", whole=True)) == [(3, 4), (13, 14)]
    assert spans_in("a a a", read_query("a", whole=True)) == [(0, 1), (2, 3), (4, 5)]
    assert spans_in("nothing", read_query("river")) == []
    assert spans_in("xx", read_query("y*", regex=True)) == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.text("ab.é\U000f0000\U000f0001", min_size=1, max_size=2))
def test_spans_hold_the_word_and_miss_none(text, word):
    spans = spans_in(text, read_query(word, case=True))
    covered = {i for a, b in spans for i in range(a, b)}
    expected = {i + k for i in (m.start() for m in re.finditer(re.escape(word), text)) for k in range(len(word))}
    assert covered == expected
    assert all(b < c for (_, b), (c, _) in zip(spans, spans[1:], strict=False))


def test_a_snippet_stands_around_the_first_place():
    query = read_query("river")
    made = snippet("x" * 500 + "River" + "y" * 500 + "river", query, 40)
    assert len(made.text) == 40
    assert [made.text[a:b] for a, b in made.spans] == ["River"]
    assert made.before
    assert made.after
    whole = snippet("a river", query)
    assert (whole.text, whole.spans, whole.before, whole.after) == ("a river", ((2, 7),), False, False)
    assert snippet("", query).text == ""
    assert snippet("z" * 300, query, 50).text == "z" * 50
