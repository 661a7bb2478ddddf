from __future__ import annotations

RECORD = {"tokens": ["play", "abba"], "tags": ["O", "B-artist"], "intent": "PlayMusic"}


def test_tokens_are_the_prompt_and_the_intent_is_the_response(load_records):
    got = load_records(RECORD)
    assert got.facts["sources"][0]["form"] == "slots"
    assert (got.dataset.texts("prompt"), got.dataset.texts("response")) == (["play abba"], ["PlayMusic"])
    assert list(got.dataset.records()) == [RECORD]


def test_without_an_intent_the_tags_are_the_response(load_records):
    got = load_records({"tokens": ["a", "b"], "ner_tags": [0, 3]})
    assert got.dataset.texts("response") == ["0 3"]


def test_what_cannot_be_read_names_the_field(load_records):
    got = load_records(
        *[RECORD] * 4,
        {**RECORD, "tags": ["O"]},
        {**RECORD, "tokens": "play abba"},
        {**RECORD, "tokens": ["play", 5]},
        {"tokens": ["play"], "tags": ["O"]},
    )
    assert got.reasons == [
        "5: tags holds 1 tags for 2 tokens",
        "6: tokens is a text, a list is needed",
        "7: tokens[1] is a number, a text is needed",
        "8: intent is missing",
    ]
