from __future__ import annotations

import json
import random
from typing import Any

import pytest

from curation.exporters.check import llama_factory as lf

FORMATS = ("alpaca", "sharegpt", "messages", "openai")
READ = {f: getattr(lf, f"read_{f}") for f in FORMATS}


# ---------------------------------------------------------------------- the rules once more, naively, step by step


class RunEndsError(Exception):
    pass


NAMES = {
    "sharegpt": {"human": "user", "gpt": "assistant", "observation": "tool", "function_call": "call"},
    "messages": {"user": "user", "assistant": "assistant", "tool": "tool", "function_call": "call"},
    "openai": {"user": "user", "assistant": "assistant", "tool": "tool", "system": "system"},
}
WANTED = (("user", "tool"), ("assistant", "call"))


def alpaca_naive(record: dict[str, Any]) -> tuple[list, list, Any, Any]:
    prompt = []
    if isinstance(record["history"], list):
        for question, answer in record["history"]:
            prompt += [("user", question), ("assistant", answer)]
    pieces = [record[k] for k in ("instruction", "input") if record[k]]
    if any(type(p) is not str for p in pieces):
        raise RunEndsError
    prompt.append(("user", "\n".join(pieces)))
    answers = [("assistant", record["output"])] if isinstance(record["output"], str) else []
    return prompt, answers, record["system"], record["tools"]


def openai_turns_naive(turns: list[dict[str, Any]]) -> list:
    """Results of tools that follow each other become one turn; those at the very end are lost."""
    flat: list[Any] = []
    waiting: list[Any] = []
    for turn in turns:
        if turn["role"] not in NAMES["openai"]:
            raise RunEndsError
        if turn["role"] == "tool":
            waiting.append(turn["content"])
            continue
        if any(type(w) is not str for w in waiting):
            raise RunEndsError
        flat += [("tool", "\n".join(waiting))] if waiting else []
        waiting = []
        calls = turn.get("tool_calls") if turn["role"] == "assistant" else None
        flat.append(("call", json.dumps([c["function"] for c in calls])) if calls else (turn["role"], turn["content"]))
    return flat


def converted_naive(kind: str, record: dict[str, Any]) -> tuple[list, list, Any, Any]:
    """Prompt turns, answers, system and tools, as the converter leaves them."""
    if kind == "alpaca":
        return alpaca_naive(record)
    who, what = ("from", "value") if kind == "sharegpt" else ("role", "content")
    turns, system, tools = list(record["messages" if who == "role" else "conversations"]), "", record["tools"]
    if turns and turns[0][who] == "system":
        system = turns.pop(0)[what]
    if kind == "openai":
        if system and type(system) is not str:
            raise RunEndsError
        flat = openai_turns_naive(turns)
    else:
        flat = [(NAMES[kind].get(turn[who]), turn[what]) for turn in turns]
    in_order = all(role in WANTED[i % 2] for i, (role, _) in enumerate(flat))
    if not in_order or len(flat) % 2 == 1:
        return [], [], system, tools
    return flat[:-1], flat[-1:], system, tools


def verdict_naive(kind: str, record: dict[str, Any]) -> str:
    try:
        prompt, answers, system, tools = converted_naive(kind, record)
        if len(prompt) % 2 == 0 or len(answers) != 1:
            return "dropped"
        if system is not None and type(system) is not str:
            return "stops"
        if tools:
            if type(tools) is not str:
                return "stops"
            listed = json.loads(tools)
            if type(listed) is not list or any(type(t) is not dict for t in listed):
                return "stops"
        for role, text in prompt + answers:
            if type(text) is not str:
                return "stops"
            if role == "call":
                if text.startswith("<think>"):
                    text = text[text.index("</think>") + 8 :]
                calls = json.loads(text)
                for call in calls if type(calls) is list else [calls]:
                    call["name"], call["arguments"]
    except (RunEndsError, ValueError, KeyError, TypeError):
        return "stops"
    return "used"


TEXTS = ["hi", "", None, 5, '{"name": "f", "arguments": {}}', '{"name": "f"}', '[{"name": "f", "arguments": "{}"}]']
TEXTS += ['<think>hm</think>{"name": "f", "arguments": {}}', "not json"]
TOOLS = [None, "", "[]", '[{"name": "f", "parameters": {"properties": {}}}]', "bad", '{"a": 1}', "5"]


def random_record(rng: random.Random, kind: str) -> dict[str, Any]:
    if kind == "alpaca":
        return {
            "instruction": rng.choice(TEXTS[:4]),
            "input": rng.choice(TEXTS[:3]),
            "output": rng.choice(TEXTS),
            "system": rng.choice(["", None, "s", 3]),
            "history": rng.choice([None, [], [["a", "b"]], [["a", None]], "x"]),
            "tools": rng.choice(TOOLS),
        }
    who, what = ("from", "value") if kind == "sharegpt" else ("role", "content")
    names = ["human", "gpt", "observation", "function_call", "system", "bot"]
    if kind != "sharegpt":
        names = ["user", "assistant", "tool", "system", "bot"]
    turns = []
    for i in range(rng.randint(0, 5)):
        role = rng.choice(names) if rng.random() < 0.3 else names[i % 2]
        turn = {who: role, what: rng.choice(["hi"] * 8 + TEXTS)}
        if kind == "openai" and role == "assistant" and rng.random() < 0.3:
            turn["tool_calls"] = [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]
        turns.append(turn)
    if rng.random() < 0.3:
        turns.insert(0, {who: "system", what: rng.choice(["s", "", None])})
    return {"conversations" if kind == "sharegpt" else "messages": turns, "tools": rng.choice(TOOLS)}


@pytest.mark.parametrize("kind", FORMATS)
def test_same_verdicts_as_the_naive_rules(kind):
    rng = random.Random(kind)
    seen = set()
    for _ in range(3000):
        record = random_record(rng, kind)
        wanted = verdict_naive(kind, record)
        assert READ[kind](record).verdict == wanted, record
        seen.add(wanted)
    assert seen == {"used", "dropped", "stops"}


# ---------------------------------------------------------------------- planted rows


def turns(*roles: str, key: str = "from", text: str = "value") -> list[dict[str, str]]:
    return [{key: role, text: "hi"} for role in roles]


@pytest.mark.parametrize(
    ("kind", "record", "verdict", "reason"),
    [
        ("alpaca", {"instruction": "q", "output": None}, "dropped", "empty output"),
        ("alpaca", {"instruction": "q", "output": 7}, "dropped", "empty output"),
        ("alpaca", {"instruction": "q", "output": ""}, "used", ""),
        ("alpaca", {"instruction": 3, "output": "a"}, "stops", "instruction or input is not text"),
        ("alpaca", {"instruction": "q", "output": "a", "history": [["x"]]}, "stops", "history that is not pairs"),
        ("alpaca", {"instruction": "q", "output": "a", "tools": "x"}, "stops", "tools are not JSON text"),
        ("alpaca", {"instruction": "q", "output": "a", "tools": '{"a": 1}'}, "stops", "tools are not a list"),
        ("sharegpt", {"conversations": turns("human", "human")}, "dropped", "role order"),
        ("sharegpt", {"conversations": turns("gpt", "human")}, "dropped", "role order"),
        ("sharegpt", {"conversations": turns("human", "gpt", "system", "gpt")}, "dropped", "role order"),
        ("sharegpt", {"conversations": turns("human", "bot")}, "dropped", "unknown role"),
        ("sharegpt", {"conversations": turns("human", "gpt", "human")}, "dropped", "no answer at the end"),
        ("sharegpt", {"conversations": []}, "dropped", "no turns"),
        ("sharegpt", {"conversations": turns("system")}, "dropped", "no turns"),
        ("sharegpt", {"conversations": None}, "stops", "turns without roles"),
        ("sharegpt", {"conversations": turns("human", "function_call")}, "stops", "a tool call that is not JSON"),
        ("sharegpt", {"conversations": turns("system", "human", "gpt")}, "used", ""),
        (
            "sharegpt",
            {"conversations": turns("human", "gpt"), "images": ["a.png"]},
            "stops",
            "images that do not match their <image> marks",
        ),
        ("messages", {"messages": turns("user", "assistant", key="role", text="content")}, "used", ""),
        ("messages", {"messages": turns("user", "user", key="role", text="content")}, "dropped", "role order"),
        ("openai", {"messages": turns("user", "bot", key="role", text="content")}, "stops", "unknown role"),
        ("openai", {"messages": turns("user", "tool", "user", key="role", text="content")}, "dropped", "role order"),
    ],
)
def test_planted(kind, record, verdict, reason):
    reading = READ[kind](record)
    assert (reading.verdict, reading.reason) == (verdict, reason)


def test_what_is_trained_and_what_is_said_about_it():
    history = lf.read_alpaca({"instruction": "q2", "output": "", "history": [["q1", "a1"]], "system": "s"})
    assert [(s.role, s.text, s.trained) for s in history.segments] == [
        ("system", "s", False),
        ("user", "q1", False),
        ("assistant", "a1", True),
        ("user", "q2", False),
        ("assistant", "", True),
    ]
    assert history.notes == (lf.EMPTY_ANSWER,)
    weighted = turns("human", "gpt")
    weighted[1]["weight"] = 0.0
    assert lf.read_sharegpt({"conversations": weighted}).notes == (lf.LOSS_WEIGHTS,)
    call = {"role": "assistant", "content": "hm", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    said = lf.read_openai({"messages": [{"role": "user", "content": "q"}, call]})
    assert set(said.notes) == {lf.TEXT_BESIDE_CALL, lf.THINKING_OFF}
    loose = lf.read_sharegpt({"conversations": turns("human", "gpt"), "tools": '[{"name": "f"}]'})
    assert loose.notes == (lf.LOOSE_TOOLS,)


# ---------------------------------------------------------------------- cutting


def kept_naive(source: int, target: int, room: int) -> tuple[int, int]:
    """The shorter side is kept whole where it takes less than half of the room; else both shrink alike."""
    if 2 * target < room:
        target_room = room
    elif 2 * source < room:
        target_room = room - source
    else:
        target_room = room * target // (source + target)
    kept = min(target, target_room)
    return min(source, room - kept), kept


def test_lengths_after_cutting():
    rng = random.Random(0)
    for _ in range(2000):
        source, target, room = rng.randint(0, 60), rng.randint(1, 60), rng.randint(1, 60)
        assert lf.keep_lengths(source, target, room) == kept_naive(source, target, room)


@pytest.mark.parametrize(
    ("pairs", "limit", "lost"),
    [
        ([(10, 10)], 20, False),
        ([(100, 5)], 20, False),  # the question is cut
        ([(5, 100)], 20, True),
        ([(10, 10), (1, 1)], 20, True),  # the second answer is never reached
        ([(10, 5), (10, 2)], 20, False),  # the second question is cut to 3
    ],
)
def test_who_loses_an_answer(pairs, limit, lost):
    assert lf.loses_answer(pairs, limit) is lost
