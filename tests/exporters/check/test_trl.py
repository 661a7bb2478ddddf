from __future__ import annotations

import pytest

from curation.exporters.check import trl

Q, A = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def call(arguments):
    function = {"name": "f", "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": function}]}


@pytest.mark.parametrize(
    ("read", "record", "verdict", "reason"),
    [
        ("messages", {"messages": [Q, A]}, "used", ""),
        ("messages", {"messages": []}, "stops", "no turns"),
        ("messages", {"messages": None}, "stops", "no turns"),
        ("messages", {"messages": [Q]}, "stops", "no assistant turn under assistant_only_loss"),
        ("messages", {"messages": [Q, {"role": "gpt", "content": "a"}]}, "stops", "unknown role"),
        ("messages", {"messages": [Q, {"role": "assistant", "content": None}]}, "stops", "a turn without text"),
        ("messages", {"messages": [Q, call({})]}, "used", ""),
        ("messages", {"messages": [Q, A], "tools": ""}, "stops", "tools that are not JSON"),
        ("messages", {"messages": [Q, A], "tools": None}, "used", ""),
        ("sharegpt", {"conversations": [{"from": "human", "value": "q"}]}, "stops", "unknown role"),
        (
            "sharegpt",
            {"conversations": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}]},
            "used",
            "",
        ),
        ("alpaca", {"instruction": "q", "output": "a"}, "stops", "no column that TRL reads"),
        ("prompt_completion", {"prompt": "q", "completion": "a"}, "used", ""),
        ("prompt_completion", {"prompt": "q", "completion": None}, "stops", "empty completion"),
        ("prompt_completion", {"prompt": "q", "completion": [A]}, "stops", "prompt and completion of different kinds"),
        ("prompt_completion", {"prompt": [Q], "completion": [A]}, "used", ""),
        ("prompt_completion", {"prompt": [], "completion": []}, "stops", "no turns"),
    ],
)
def test_planted(read, record, verdict, reason):
    reading = getattr(trl, f"read_{read}")(record)
    assert (reading.verdict, reading.reason) == (verdict, reason)


def test_where_the_loss_is():
    messages = trl.read_messages({"messages": [Q, A, Q, {**A, "weight": 0}]})
    assert [s.trained for s in messages.segments] == [False, True, False, True]
    assert messages.notes == (trl.LOSS_WEIGHTS,)
    completion = trl.read_prompt_completion({"prompt": [Q, A, Q], "completion": [A]})
    assert [s.trained for s in completion.segments] == [False, False, False, True]


def test_notes():
    assert trl.read_messages({"messages": [Q, call("{}")]}).notes == (trl.TEXT_ARGUMENTS,)
    assert trl.read_prompt_completion({"prompt": "q", "completion": ""}).notes == (trl.EMPTY_ANSWER,)
