from __future__ import annotations

import pytest

from curation.exporters.check import axolotl as ax


def turns(*pairs: tuple[str, str | None], **more) -> list[dict]:
    return [{"role": role, "content": text, **more} for role, text in pairs]


QA = turns(("user", "q"), ("assistant", "a"))


def with_call(arguments):
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"messages": [QA[0], {"role": "assistant", "content": "", "tool_calls": [call]}]}


@pytest.mark.parametrize(
    ("read", "record", "verdict", "reason"),
    [
        ("messages", {"messages": QA}, "used", ""),
        ("messages", {"messages": []}, "stops", "no turns"),
        ("messages", {"messages": None}, "stops", "no messages"),
        ("messages", {"messages": [{"content": "x"}]}, "stops", "turns without roles"),
        ("messages", {"messages": turns(("user", "q"), ("bot", "a"))}, "stops", "unknown role"),
        ("messages", {"messages": turns(("user", "q"))}, "dropped", "nothing to train on"),
        ("messages", {"messages": turns(("user", "q"), ("assistant", ""))}, "dropped", "nothing to train on"),
        (
            "messages",
            {"messages": turns(("user", "q"), ("assistant", "a"), weight=0.0)},
            "dropped",
            "nothing to train on",
        ),
        ("messages", {"messages": turns(("user", "q"), ("assistant", "a"), weight=1.0)}, "used", ""),
        ("messages", {"messages": '[{"role": "user", "content": "q"}]'}, "dropped", "nothing to train on"),
        ("messages", {"messages": "nope"}, "stops", "messages are not JSON"),
        ("messages", {"messages": QA, "tools": "nope"}, "stops", "tools that are not JSON"),
        ("messages", with_call("nope"), "stops", "tool arguments that are not JSON"),
        ("messages", with_call('{"x": 1}'), "used", ""),
        ("sharegpt", {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, "used", ""),
        ("sharegpt", {"conversations": [{"from": "human", "value": "q"}]}, "dropped", "nothing to train on"),
        ("sharegpt", {"conversations": [{"from": "robot", "value": "q"}]}, "stops", "unknown role"),
        ("alpaca", {"instruction": "q", "input": "", "output": "a"}, "used", ""),
        ("alpaca", {"instruction": "q", "output": ""}, "dropped", "empty output"),
        ("alpaca", {"instruction": "q", "output": None}, "dropped", "empty output"),
        ("alpaca", {"instruction": "q", "output": 5}, "stops", "output is not text"),
        ("alpaca", {"prompt": "q"}, "stops", "no instruction or output"),
        ("prompt_completion", {"prompt": "q", "completion": "a"}, "used", ""),
        ("prompt_completion", {"prompt": QA, "completion": QA}, "stops", "prompt is a list of messages"),
    ],
)
def test_planted(read, record, verdict, reason):
    reading = getattr(ax, f"read_{read}")(record)
    assert (reading.verdict, reading.reason) == (verdict, reason)


def test_a_turns_own_flag_decides():
    messages = [
        *turns(("user", "q"), weight=1.0),
        *turns(("assistant", "a")),
        *turns(("user", "r"), ("assistant", "b"), weight=0),
    ]
    reading = ax.read_messages({"messages": messages})
    assert [s.trained for s in reading.segments] == [True, True, False, False]
    assert reading.notes == (ax.LAST_UNTRAINED,)


def test_what_alpaca_does_not_read_is_said():
    reading = ax.read_alpaca({"instruction": "q", "output": "a", "system": "s", "history": [["x", "y"]]})
    assert set(reading.notes) == {ax.HISTORY_UNREAD, ax.SYSTEM_UNREAD}
