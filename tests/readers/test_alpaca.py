from __future__ import annotations

import pytest

from curation.readers import Mapping


def roles(messages):
    return [(m["role"], m["content"]) for m in messages]


def test_instruction_and_input_are_joined_by_a_newline_as_llama_factory_does(load_records):
    got = load_records(
        {"instruction": "Add.", "input": "1 2", "output": "3"},
        {"instruction": "Hi", "input": "", "output": "Ho"},
        {"instruction": "", "input": "only input", "output": "x"},
    )
    assert got.facts["sources"][0]["form"] == "alpaca"
    assert roles(got.dataset.messages(0)) == [("user", "Add.\n1 2"), ("assistant", "3")]
    assert roles(got.dataset.messages(1)) == [("user", "Hi"), ("assistant", "Ho")]
    assert roles(got.dataset.messages(2)) == [("user", "only input"), ("assistant", "x")]


def test_system_and_history_come_first_even_when_they_first_occur_late(load_records):
    plain = [{"instruction": f"q{i}", "output": "a"} for i in range(300)]
    last = {"instruction": "q", "output": "a", "system": "S", "history": [["q1", "a1"], ["q2", "a2"]]}
    got = load_records(*plain, last)
    assert roles(got.dataset.messages(300)) == [
        ("system", "S"),
        ("user", "q1"),
        ("assistant", "a1"),
        ("user", "q2"),
        ("assistant", "a2"),
        ("user", "q"),
        ("assistant", "a"),
    ]


def test_response_is_read_as_output(load_records):
    got = load_records({"instruction": "q", "response": "a"})
    assert got.facts["sources"][0]["mapping"]["response"] == "response"
    assert got.dataset.texts("response") == ["a"]


def test_empty_and_null_answers_are_data(load_records):
    got = load_records({"instruction": "q", "output": ""}, {"instruction": "q", "output": None})
    assert got.dataset.texts("response") == ["", ""]
    assert not got.rejected


@pytest.mark.parametrize(
    "record,reason",
    [
        ({"instruction": "q", "output": 5}, "output is a number, a text is needed"),
        ({"instruction": "q", "output": ["a"]}, "output is a list, a text is needed"),
        ({"instruction": "q"}, "output is missing"),
        ({"output": "a"}, "instruction is missing"),
        ({"instruction": None, "input": "", "output": "a"}, "instruction is null, a prompt is needed"),
        ({"instruction": {"a": 1}, "output": "a"}, "instruction is an object, a text is needed"),
        ({"instruction": "q", "input": True, "output": "a"}, "input is true or false, a text is needed"),
        ({"instruction": "q", "output": "a", "system": 1}, "system is a number, a text is needed"),
        (
            {"instruction": "q", "output": "a", "history": "x"},
            "history is a text, a list of [question, answer] is needed",
        ),
        ({"instruction": "q", "output": "a", "history": [["x"]]}, "history[0] is no pair of question and answer"),
        ({"instruction": "q", "output": "a", "history": [["x", 1]]}, "history[0][1] is a number, a text is needed"),
        (["q", "a"], "instruction is missing"),
        ("q", "the record is a text, an object with fields is needed"),
        (None, "the record is null, an object with fields is needed"),
    ],
)
def test_what_cannot_be_read_names_line_and_field(load_records, record, reason):
    got = load_records({"instruction": "q", "output": "a"}, {"instruction": "q", "output": "b"}, record)
    assert got.reasons == [f"3: {reason}"]
    assert len(got.dataset) == 2


def test_images_stand_where_the_marks_are(load_records):
    got = load_records(
        {"instruction": "Compare <image> with <image>.", "output": "a", "images": ["1.png", "2.png"]},
        {"instruction": "Describe.", "output": "a", "images": ["3.png"]},
        {"instruction": "No picture.", "output": "a", "images": []},
    )
    assert got.dataset.messages(0)[0]["parts"] == [
        {"type": "text", "text": "Compare "},
        {"type": "image", "image": "1.png"},
        {"type": "text", "text": " with "},
        {"type": "image", "image": "2.png"},
        {"type": "text", "text": "."},
    ]
    assert got.dataset.messages(0)[0]["content"] == "Compare <image> with <image>."
    assert got.dataset.messages(1)[0]["parts"][0] == {"type": "image", "image": "3.png"}
    assert "parts" not in got.dataset.messages(2)[0]


def test_rows_that_differ_only_in_their_image_are_different_rows(load_records):
    record = {"instruction": "Describe.", "output": "a"}
    got = load_records({**record, "images": ["1.png"]}, {**record, "images": ["2.png"]})
    assert len(set(got.dataset.contents)) == 2


def test_the_user_can_correct_the_mapping(load_records):
    records = [{"instruction": "the answer", "output": "the question", "note": "n"}]
    got = load_records(*records, mapping=Mapping(form="alpaca", prompt="output", response="instruction"))
    assert roles(got.dataset.messages(0)) == [("user", "the question"), ("assistant", "the answer")]
    assert list(got.dataset.records()) == records
