from __future__ import annotations

import json

import pytest

from curation.readers import Mapping

CALL = {"name": "area", "arguments": {"shape": "circle", "dimensions": [4]}}
TOOLS = [{"name": "area", "description": "computes it"}]


def turns(*pairs):
    return {"conversations": [{"from": who, "value": what} for who, what in pairs]}


def test_human_and_gpt(load_records):
    got = load_records(turns(("human", "q"), ("gpt", "a")))
    assert got.facts["sources"][0]["form"] == "sharegpt"
    assert got.dataset.messages(0) == [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def test_calls_observations_and_tools(load_records):
    record = turns(("human", "q"), ("function_call", json.dumps(CALL)), ("observation", "50.3"), ("gpt", "a"))
    got = load_records({**record, "tools": json.dumps(TOOLS)}, {**record, "tools": TOOLS}, {**record, "tools": "[]"})
    for row in (0, 1):
        assert got.dataset.messages(row)[1] == {"role": "assistant", "content": "", "tool_calls": [CALL]}
        assert got.dataset.messages(row)[2] == {"role": "tool", "content": "50.3"}
        assert got.dataset.tools(row) == TOOLS
    assert got.dataset.tools(2) is None
    assert got.dataset.texts("response")[0] == json.dumps(CALL) + "\n\na"
    assert got.dataset.texts("prompt")[0] == "q\n\n50.3"


def test_several_calls_in_one_turn(load_records):
    got = load_records(turns(("human", "q"), ("function_call", json.dumps([CALL, CALL])), ("gpt", "a")))
    assert got.dataset.messages(0)[1]["tool_calls"] == [CALL, CALL]


def test_key_order_of_arguments_is_kept(load_records):
    got = load_records(turns(("human", "q"), ("function_call", '{"name": "f", "arguments": {"z": 1, "a": 2}}')))
    assert list(got.dataset.messages(0)[1]["tool_calls"][0]["arguments"]) == ["z", "a"]


def test_a_system_turn_wins_over_the_system_field(load_records):
    record = turns(("system", "turn"), ("human", "q"), ("gpt", "a"))
    got = load_records({**record, "system": "field"}, {**turns(("human", "q"), ("gpt", "a")), "system": "field"})
    assert [m["content"] for m in got.dataset.messages(0)] == ["turn", "q", "a"]
    assert [m["content"] for m in got.dataset.messages(1)] == ["field", "q", "a"]


def test_a_flag_per_turn_is_its_weight(load_records):
    record = turns(("human", "q"), ("gpt", "a"))
    record["conversations"][1]["train"] = False
    got = load_records(record)
    assert got.dataset.messages(0)[1]["weight"] == 0.0
    assert "weight" not in got.dataset.messages(0)[0]


def test_a_record_that_is_a_list_of_turns(load_records):
    got = load_records(*[turns(("human", "q"), ("gpt", a))["conversations"] for a in "ab"])
    assert got.dataset.texts("response") == ["a", "b"]


@pytest.mark.parametrize(
    "record,reason",
    [
        ({"conversations": []}, "conversations holds no turn"),
        ({"conversations": None}, "conversations is null, a list of turns is needed"),
        ({"conversations": "hello"}, "conversations is a text, a list of turns is needed"),
        ({"other": 1}, "conversations is missing"),
        ({"conversations": ["hi"]}, "conversations[0] is a text, a turn with 'from' and 'value' is needed"),
        (turns(("narrator", "x")), "conversations[0].from 'narrator' is no known speaker"),
        ({"conversations": [{"value": "x"}]}, "conversations[0].from is missing"),
        ({"conversations": [{"from": "human"}]}, "conversations[0].value is missing"),
        (turns(("human", "q"), ("gpt", 3)), "conversations[1].value is a number, a text is needed"),
        (turns(("human", "q"), ("function_call", "f(x)")), "conversations[1].value is not JSON"),
        (
            turns(("human", "q"), ("function_call", "[1]")),
            "conversations[1].value is no tool call: JSON with 'name' and 'arguments' is needed",
        ),
        ({**turns(("human", "q")), "tools": "{"}, "tools is not JSON"),
        (
            turns(("human", "q"), ("function_call", '{"name": "\\ud800"}')),
            "conversations[1].value holds the lone surrogate U+D800 at character 1, which is half a character",
        ),
    ],
)
def test_what_cannot_be_read_names_the_turn(load_records, record, reason):
    good = turns(("human", "q"), ("gpt", "a"))
    got = load_records(good, good, record)
    assert got.reasons == [f"3: {reason}"]


def test_other_speakers_by_a_mapping(load_records):
    mapping = Mapping(
        form="sharegpt", conversations="talk", role="who", content="says", roles={"A": "user", "B": "assistant"}
    )
    got = load_records({"talk": [{"who": "A", "says": "q"}, {"who": "B", "says": "a"}]}, mapping=mapping)
    assert got.dataset.texts("both") == ["q\n\na"]
