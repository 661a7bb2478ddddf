from __future__ import annotations

import pytest

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def test_content_as_text(load_records):
    got = load_records({"messages": [{"role": "developer", "content": "S"}, USER, ANSWER]})
    assert got.facts["sources"][0]["form"] == "messages"
    assert [m["role"] for m in got.dataset.messages(0)] == ["system", "user", "assistant"]


def test_typed_parts_and_loss_weights(load_records):
    parts = [{"type": "text", "value": "one"}, {"type": "text", "text": "two"}]
    got = load_records(
        {"messages": [{"role": "user", "content": parts, "loss_weight": 0.0}, ANSWER | {"loss_weight": 1}]}
    )
    assert got.dataset.messages(0) == [
        {"role": "user", "content": "one\ntwo", "parts": parts, "weight": 0.0},
        {"role": "assistant", "content": "a", "weight": 1.0},
    ]


def test_image_parts_and_paths_are_kept(load_records):
    parts = [{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "what?"}]
    got = load_records({"messages": [{"role": "user", "content": parts}, ANSWER]})
    assert got.dataset.messages(0)[0]["parts"] == parts
    assert got.dataset.texts("prompt") == ["what?"]


def test_empty_image_parts_get_the_images_beside_them(load_records):
    parts = [{"type": "image"}, {"type": "text", "text": "what?"}, {"type": "image", "image": None}]
    record = {"messages": [{"role": "user", "content": parts}, ANSWER], "images": ["1.png", {"path": "2.png"}]}
    got = load_records(record)
    assert got.dataset.messages(0)[0]["parts"] == [
        {"type": "image", "image": "1.png"},
        {"type": "text", "text": "what?"},
        {"type": "image", "image": {"path": "2.png"}},
    ]
    assert list(got.dataset.records()) == [record]


@pytest.mark.parametrize(
    "turn",
    [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "7", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
        },
        {"role": "assistant", "tool_calls": [{"id": "7", "function": {"name": "f", "arguments": {"x": 1}}}]},
    ],
)
def test_tool_calls(load_records, turn):
    tools = [{"type": "function", "function": {"name": "f"}}]
    result = {"role": "tool", "content": "5", "name": "f", "tool_call_id": "7"}
    got = load_records({"messages": [USER, turn, result, ANSWER], "tools": tools})
    assert got.dataset.messages(0)[1] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"name": "f", "arguments": {"x": 1}, "id": "7"}],
    }
    assert got.dataset.messages(0)[2] == {"role": "tool", "content": "5", "name": "f"}
    assert got.dataset.tools(0) == tools


def test_the_older_function_call(load_records):
    call = {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "no json"}}
    got = load_records({"messages": [USER, call, {"role": "function", "name": "f", "content": "5"}]})
    assert got.dataset.messages(0)[1]["tool_calls"] == [{"name": "f", "arguments": "no json"}]
    assert got.dataset.messages(0)[2]["role"] == "tool"


@pytest.mark.parametrize(
    "turn,reason",
    [
        ({"role": "user", "content": 5}, "messages[0].content is a number, a text is needed"),
        ({"role": "user", "content": [5]}, "messages[0].content[0] is a number, a part with a type is needed"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text is missing"),
        ({"role": "user", "content": [{"text": 5}]}, "messages[0].content[0].text is a number, a text is needed"),
        ({"role": "user", "content": {"a": 1}}, "messages[0].content is an object, a text is needed"),
        ({"role": 5, "content": "q"}, "messages[0].role is a number"),
        ({"role": "user", "content": "q", "weight": "x"}, "messages[0].weight is a text, a number is needed"),
        ({"role": "assistant", "tool_calls": {"a": 1}}, "messages[0].tool_calls is an object, a list is needed"),
        (
            {"role": "assistant", "tool_calls": [{"function": {}}]},
            "messages[0].tool_calls[0] is no tool call: a function with a name is needed",
        ),
    ],
)
def test_what_cannot_be_read_names_the_message(load_records, turn, reason):
    got = load_records({"messages": [USER, ANSWER]}, {"messages": [USER, ANSWER]}, {"messages": [turn]})
    assert got.reasons == [f"3: {reason}"]


def test_a_picture_of_the_wrong_kind_names_its_place(load_records):
    good = {"messages": [USER, ANSWER], "images": ["1.png"]}
    got = load_records(good, {**good, "images": ["1.png", 5]})
    assert got.reasons == ["2: images[1] is a number, a path or an object is needed"]


def test_messages_win_over_a_prompt_beside_them(load_records):
    got = load_records({"prompt": "q", "prompt_id": "1", "messages": [USER, ANSWER]})
    assert got.facts["sources"][0]["form"] == "messages"
