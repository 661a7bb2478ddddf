"""A conversation as runs of text: nothing is lost, nothing hidden, marks where they belong."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ui.conversation import conversation_data, find_words
from curation.ui.conversation.pieces import (
    LEFT_OUT,
    MARKED,
    MOST_LETTERS,
    MOST_MESSAGES,
    PLAIN,
    UNSEEN,
    blocks_of,
    message_data,
    runs_of,
)

TEXTS = st.text(st.sampled_from("ab `\n\r\t\u202e\u200b😀漢ع\U000e0041"), max_size=60)


def message(content, role="assistant", **more):
    return {"role": role, "content": content, **more}


def original(data):
    """As the browser copies it."""

    def joined(runs):
        return "".join(run[2] if run[0] == UNSEEN else run[1] for run in runs)

    return "".join(b["head"] + joined(b["runs"]) + b["tail"] for b in data["blocks"])


@given(st.lists(TEXTS, max_size=6), st.lists(st.tuples(st.integers(-3, 90), st.integers(-3, 90)), max_size=4))
def test_what_is_copied_is_the_text_letter_by_letter(lines, spans):
    text = "\n".join(["```py", *lines, "```"]) if len(lines) % 2 else "\n".join(lines)
    data = conversation_data([message(text)], marks=[(0, a, b) for a, b in spans])
    assert original(data["messages"][0]) == text


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4))
def test_exactly_the_letters_of_the_marks_are_marked(text, spans):
    text = text.replace("`", "x")
    data = conversation_data([message(text)], marks=[(0, a, b) for a, b in spans])["messages"][0]
    marked, at = set(), 0
    for block in data["blocks"]:
        for run in block["runs"]:
            letters = run[2] if run[0] == UNSEEN else run[1]
            if run[0] == MARKED:
                marked |= set(range(at, at + len(letters)))
            at += len(letters)
    hidden = {i for i, c in enumerate(text) if c in "\r\u202e\u200b\U000e0041"}
    wanted = {i for a, b in spans for i in range(a, min(b, len(text)))}
    assert marked - hidden == wanted - hidden


def test_fences_are_found_and_said_to_be_open():
    blocks = blocks_of("one\n```python title\nx = 1\n```\ntwo\n````\n``` inner\n````\n```\nno end")
    assert [(b.code, b.language, b.closed) for b in blocks] == [
        (False, "", True), (True, "python title", True), (False, "", True), (True, "", True), (True, "", False),
    ]  # fmt: skip
    text = "a\n```\n```"
    assert [(b.code, text[b.start : b.end]) for b in blocks_of(text)] == [(False, "a\n"), (True, "")]
    assert [b.code for b in blocks_of("in `line` and ``` in a line ```")] == [False]


def test_what_turns_or_hides_text_is_made_visible():
    text = "a\u202eb\u200bc\U000e0041\x1bd\r\ne\rf"
    runs = runs_of(text, 0, len(text), ())
    assert [r[1] for r in runs if r[0] == UNSEEN] == ["\\u202e", "\\u200b", "\\U000e0041", "\\u001b", "\\u000d"]
    assert [r[1] for r in runs if r[0] == LEFT_OUT] == ["\r"]
    assert not any(c in r[1] for r in runs if r[0] == PLAIN for c in "\u202e\u200b\U000e0041\x1b")


@pytest.mark.parametrize("words", [["<b>"], ["a.c"], [" "], [""]])
def test_words_are_text_not_patterns(words):
    assert find_words("abc <b> a.c", words) == {"<b>": [(4, 7)], "a.c": [(8, 11)]}.get(words[0], [])


def test_words_are_found_in_any_case_the_longest_first_in_code_points():
    assert find_words("😀 Sea SEASON", ["sea", "season"]) == [(2, 5), (6, 12)]


def test_a_search_says_where_to_mark():
    data = conversation_data(
        [message("a river"), message("none"), message("River RIVER")],
        words=["ver r"], find=lambda text: [(m.start(), m.end()) for m in re.finditer("(?i)river", text)],
    )  # fmt: skip
    assert [m["marks"] for m in data["messages"]] == [1, 0, 1]  # those that overlap are one
    assert data["messages"][2]["blocks"][0]["runs"] == [[MARKED, "River RIVER"]]


def test_tool_calls_and_answers_are_laid_out_and_images_only_named():
    calls = [{"name": "look", "arguments": '{"a":[1]}'}, {"function": {"name": "f", "arguments": {"b": 2}}}]
    made = message_data(message("", tool_calls=calls), ())
    assert [c["name"][0][1] for c in made["calls"]] == ["look", "f"]
    assert json.loads(made["calls"][0]["runs"][0][1]) == {"a": [1]}
    assert "\n" in made["calls"][0]["runs"][0][1]
    tool = message_data(message('{"ok":true}', "tool"), ())
    assert tool["blocks"][0]["code"]
    assert tool["original"] == '{"ok":true}'
    assert message_data(message("[not json", "tool"), ())["original"] is None
    assert message_data(message("[" * 100_000, "tool"), ())["original"] is None
    parts = [
        {"type": "image_url", "image_url": {"url": "http://evil.test/x.png"}},
        {"type": "image", "image": "d" * 999},
    ]
    made = message_data(message("", "user", parts=parts), ())
    assert [(p["kind"][0][1], p["lost"]) for p in made["parts"]] == [("image_url", 0), ("image", 699)]
    assert made["parts"][0]["runs"] == [[PLAIN, "http://evil.test/x.png"]]


def test_long_messages_are_folded_unless_something_is_marked_in_them():
    text = "word " * 2000
    assert message_data(message(text), ())["fold"]
    assert not message_data(message(text), [(3, 7)])["fold"]
    assert not message_data(message("short"), ())["fold"]


def test_no_more_than_can_be_read_goes_to_the_browser():
    made = message_data(message("x" * (MOST_LETTERS + 5)), ())
    assert (made["lost"], len(original(made))) == (5, MOST_LETTERS)
    many = conversation_data([message("x")] * (MOST_MESSAGES + 7))
    assert (len(many["messages"]), many["more"]) == (MOST_MESSAGES, 7)
    large = conversation_data([message("x" * MOST_LETTERS)] * 9)
    assert (len(large["messages"]), large["more"]) == (5, 4)


def test_roles_names_weights_and_emptiness_are_told():
    made = [message_data(m, ()) for m in (message("", "user"), message("x", weight=0, name="<i>"))]
    assert made[0]["empty"]
    assert made[1]["untrained"]
    assert made[1]["name"] == [[PLAIN, "<i>"]]
