from __future__ import annotations

import pytest

from curation.readers.prompt_completion import END_MARKERS, without_marker


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "q", "completion": "a"},
        {"question": "q", "answer": "a"},
        {"Prompt": "q", "Response": "a"},
        {"input": "q", "output": "a"},
        {"query": "q", "target": "a", "id": 7},
    ],
)
def test_the_usual_names_are_known(load_records, record):
    got = load_records(record)
    assert got.facts["sources"][0]["form"] == "prompt-completion"
    assert (got.dataset.texts("prompt"), got.dataset.texts("response")) == (["q"], ["a"])


def test_lists_of_turns_as_trl_writes_them(load_records):
    got = load_records(
        {
            "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "q"}],
            "completion": [{"role": "assistant", "content": "a"}],
        }
    )
    assert [m["role"] for m in got.dataset.messages(0)] == ["system", "user", "assistant"]
    assert got.dataset.texts("both") == ["S\n\nq\n\na"]


def test_an_end_of_text_marker_stays_in_the_record_and_leaves_the_text(load_records):
    records = [{"prompt": "q", "completion": f"a{m}"} for m in END_MARKERS]
    got = load_records(*records, {"prompt": "q", "completion": "x<|endoftext|>y"})
    assert got.dataset.texts("response") == ["a"] * len(END_MARKERS) + ["x<|endoftext|>y"]
    assert list(got.dataset.records())[: len(records)] == records
    assert "end-of-text marker </s> kept in the record, left out of the text" in got.notes


def test_only_the_last_marker_is_taken():
    assert without_marker("a</s></s>")[0] == "a</s>"
    assert without_marker("a</s>\n")[0] == "a"
    assert without_marker("a > b") == ("a > b", None)


def test_a_context_beside_the_question_is_part_of_the_prompt(load_records):
    got = load_records({"question": "When?", "context": "In 1990.", "answer": "1990"})
    assert got.dataset.texts("prompt") == ["When?\nIn 1990."]


def test_a_json_answer_stays_text(load_records):
    got = load_records({"prompt": "q", "completion": '[{"a": 1}]'}, {"prompt": "q", "completion": '{"role": 1}'})
    assert got.dataset.texts("response") == ['[{"a": 1}]', '{"role": 1}']


def test_pairs_in_lists(load_records):
    got = load_records(*[[f"question {i}", f"a longer answer {i}"] for i in range(5)])
    assert got.facts["sources"][0]["mapping"] == {
        "form": "prompt-completion",
        "prompt": "0",
        "response": "1",
        "system": "system",
        "tools": "tools",
        "images": "images",
    }
    assert got.dataset.texts("response")[4] == "a longer answer 4"


def test_a_completion_of_another_type_is_refused(load_records):
    got = load_records({"prompt": "q", "completion": "a"}, {"prompt": "q", "completion": 3}, {"prompt": "q"})
    assert got.reasons == ["2: completion is a number, a text is needed", "3: completion is missing"]
