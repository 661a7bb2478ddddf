from __future__ import annotations

import pytest


def said(got, row=0):
    return [(m["role"], m["content"]) for m in got.dataset.messages(row)]


USER, GOOD, BAD = {"role": "user", "content": "q"}, {"role": "assistant", "content": "good"}, "bad"
QA = [("user", "q"), ("assistant", "good")]


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"},
        {"question": "q", "response_chosen": "good", "response_rejected": "bad"},
        {"prompt": [USER], "chosen": [GOOD], "rejected": [GOOD]},
        {"chosen": [USER, GOOD], "rejected": [USER, GOOD]},
        {"prompt": "q", "chosen": [USER, GOOD], "rejected": [USER, GOOD]},
        {"messages": [USER], "chosen": GOOD, "rejected": GOOD},
        {
            "conversations": [{"from": "human", "value": "q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
        {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"},
        {"prompt": "q", "chosen": "good</s>", "rejected": "bad</s>"},
    ],
)
def test_chosen_is_the_response_and_the_record_keeps_both(load_records, record):
    got = load_records(record)
    assert got.facts["sources"][0]["form"] == "preference"
    assert said(got) == QA
    assert list(got.dataset.records()) == [record]


def test_system_and_history(load_records):
    record = {"instruction": "q", "system": "S", "history": [["q0", "a0"]], "chosen": "good", "rejected": "bad"}
    assert said(load_records(record)) == [("system", "S"), ("user", "q0"), ("assistant", "a0"), *QA]


def test_a_system_prompt_beside_a_whole_conversation(load_records):
    record = {"system": "S", "chosen": [USER, GOOD], "rejected": [USER, GOOD]}
    assert said(load_records(record)) == [("system", "S"), *QA]


@pytest.mark.parametrize(
    "record,reason",
    [
        ({"prompt": "q", "chosen": None, "rejected": "bad"}, "chosen is null, a response is needed"),
        ({"prompt": "q", "chosen": "good"}, "rejected is missing"),
        ({"prompt": "q", "chosen": 5, "rejected": "bad"}, "chosen is a number, a response is needed"),
        ({"prompt": "q", "chosen": [], "rejected": "bad"}, "chosen holds no turn"),
        ({"chosen": "good", "rejected": "bad"}, "prompt is missing"),
    ],
)
def test_what_cannot_be_read_names_the_field(load_records, record, reason):
    good = {"prompt": "q", "chosen": "good", "rejected": "bad"}
    assert load_records(good, good, record).reasons == [f"3: {reason}"]


def test_two_answers_without_any_prompt_are_refused(load_records):
    dialogue = {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "x"}
    got = load_records(dialogue, dialogue, {"chosen": "good", "rejected": "bad"})
    assert got.reasons == ['3: chosen has no prompt beside it and is no dialogue marked "Human:" and "Assistant:"']
