from __future__ import annotations


def test_a_text_is_one_assistant_message(load_records):
    got = load_records({"text": "once upon a time"})
    assert got.facts["sources"][0]["form"] == "text"
    assert got.dataset.messages(0) == [{"role": "assistant", "content": "once upon a time"}]


def test_records_that_are_texts_themselves(load_records):
    got = load_records("one", "two<|endoftext|>")
    assert got.dataset.texts("response") == ["one", "two"]
    assert list(got.dataset.records()) == ["one", "two<|endoftext|>"]


def test_what_cannot_be_read_names_the_field(load_records):
    got = load_records({"text": "t"}, {"text": "t"}, {"text": "t"}, {"text": None}, {"text": 5}, {"other": "x"})
    assert got.reasons == [
        "4: text is null, a text is needed",
        "5: text is a number, a text is needed",
        "6: text is missing",
    ]
