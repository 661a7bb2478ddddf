"""Turns of conversations."""

from curation.models.chat.turns import (
    NO_QUESTION,
    NO_RESPONSE,
    NOT_TEXT,
    SEVERAL,
    Turn,
    question_of,
    single_turn,
    turns_of,
)


def said(*pairs):
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return [{"role": roles[role], "content": text} for role, text in pairs]


def test_texts_of_one_side_are_one_text():
    found = turns_of(
        said(("s", "be brief"), ("u", "a"), ("u", "b"), ("a", "c"), ("t", "x"), ("a", "d"), ("u", "e"), ("a", "f"))
    )
    assert found == [Turn("a\n\nb", "c\n\nd"), Turn("e", "f")]


def test_a_question_after_the_last_answer_is_left_out():
    assert turns_of(said(("u", "a"), ("a", "b"), ("u", "c"))) == [Turn("a", "b")]


def test_why_there_are_none():
    assert turns_of(said(("u", "a"))) == NO_RESPONSE
    assert turns_of([]) == NO_RESPONSE
    assert turns_of(said(("u", "a"), ("a", " "))) == NO_RESPONSE
    assert turns_of(said(("a", "b"))) == NO_QUESTION
    assert turns_of(said(("s", "a"), ("a", "b"), ("u", "c"), ("a", "d"))) == NO_QUESTION
    pictured = said(("u", "a"), ("a", "b"))
    pictured[0]["parts"] = [{"type": "image", "image": "x.png"}]
    assert turns_of(pictured) == NOT_TEXT


def test_tool_calls_are_part_of_an_answer():
    messages = [*said(("u", "a")), {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]}]
    assert turns_of(messages) == [Turn("a", '{"name": "f", "arguments": {}}')]


def test_a_single_turn_or_a_single_question():
    assert single_turn(said(("u", "a"), ("a", "b"))) == Turn("a", "b")
    assert single_turn(said(("u", "a"), ("a", "b"), ("u", "c"), ("a", "d"))) == SEVERAL
    assert single_turn(said(("u", "a"))) == NO_RESPONSE
    assert question_of(said(("s", "x"), ("u", " a "))) == "a"
    assert question_of(said(("u", "a"), ("a", "b"), ("u", "c"))) == ""
