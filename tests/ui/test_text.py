"""Numbers for people; text that shows letter by letter."""

import re

import pytest

from curation.ui import text


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](http://a.b/c.png)",
        "**bold** _it_ `code` ~~no~~",
        "<b>tag</b> $x$ :red[hot]",
        "# title",
        "| a | b |",
        "[link](javascript:alert(1))",
        ":material/home: :smile:",
    ],
)
def test_no_markdown_is_left(hostile):
    shown = text.plain(hostile)
    assert re.sub(r"\\(.)", r"\1", shown) == hostile
    assert not re.search(r"(?<!\\)[`*_{}\[\]<>#$~|!]", shown)
    assert not re.search(r"(?<!\\):[\w+-]+[:\[]", shown)


def test_no_character_turns_the_text_around():
    assert text.plain("a\u202eb") == r"a\\u202eb", "the backslash is escaped for Markdown"
    assert text.one_line("a\u2066b\u200f") == r"a\u2066b\u200f"


@pytest.mark.parametrize(("line", "shown"), [("1. one", "1\\. one"), ("- item", "\\- item"), ("a-b 1.5", "a-b 1.5")])
def test_a_line_is_no_list(line, shown):
    assert text.plain(line) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.01, "under 0.1 s"),
        (3.14, "3.1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
        (7384, "2 h 3 min"),
    ],
)
def test_durations(seconds, shown):
    assert text.duration(seconds) == shown


def test_unknown_is_a_dash():
    nan = float("nan")
    assert text.duration(None) == text.duration(nan) == text.number(nan) == text.percent(1, 0) == "–"


def test_other_numbers():
    assert text.number(12345) == "12,345"
    assert text.number(0.123456) == "0.1235"
    assert text.size(999) == "999 B"
    assert text.size(1_500_000) == "1.5 MB"
    assert text.percent(1, 8) == "12.5 %"
    assert text.ago(0, now=30) == "just now"
    assert text.ago(0, now=7200) == "2 hours ago"
    assert text.when(1e9) == text.when(1e9 + 1)
    assert text.one_line(" a\n b ") == "a b"
    assert text.one_line("x" * 20, 5) == "xxxx…"


def test_prose_keeps_code_and_nothing_else():
    assert text.prose("rows with `a` ≤ *score* < `b`") == "rows with `a` ≤ \\*score\\* \\< `b`"
    assert text.prose("one ` alone") == "one \\` alone"
