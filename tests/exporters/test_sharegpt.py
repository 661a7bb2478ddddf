from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.exporters import InexpressibleError, export_rows, to_sharegpt


def test_roles_are_renamed(ask):
    assert to_sharegpt(ask("q", "a", system="s")) == {
        "conversations": [
            {"from": "system", "value": "s"},
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "a"},
        ]
    }


def test_one_call_is_an_object_and_several_are_a_list():
    calls = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": '{"y": 2}'}]
    for count in (1, 2):
        turn = {"role": "assistant", "content": "", "tool_calls": calls[:count]}
        out = to_sharegpt([{"role": "user", "content": "q"}, turn, {"role": "tool", "content": "r"}])
        said = json.loads(out["conversations"][1]["value"])
        wanted = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"y": 2}}]
        assert said == (wanted[0] if count == 1 else wanted)
        assert [t["from"] for t in out["conversations"]] == ["human", "function_call", "observation"]


def test_a_call_keeps_the_words_of_its_record():
    text = '{"name":"f",  "arguments":{"x":1}}'
    turn = {"role": "assistant", "content": text, "tool_calls": [{"name": "f", "arguments": {"x": 1}}]}
    assert to_sharegpt([turn])["conversations"][0]["value"] == text


@pytest.mark.parametrize("content", ["let me look", '{"name": "other", "arguments": {}}'])
def test_text_beside_a_call_is_refused(content):
    turn = {"role": "assistant", "content": content, "tool_calls": [{"name": "f", "arguments": {}}]}
    with pytest.raises(InexpressibleError, match="text beside a tool call"):
        to_sharegpt([turn])


def test_weights_names_and_other_keys_stay_on_their_turn(ask):
    messages = ask("q", "a")
    messages[1].update(weight=0.5, name="bot", source="x")
    assert to_sharegpt(messages)["conversations"][1] == {
        "from": "gpt",
        "value": "a",
        "weight": 0.5,
        "name": "bot",
        "source": "x",
    }


def test_a_real_tool_file_comes_back(shared_data, load, tmp_path):
    path = shared_data / "glaive_toolcall_sharegpt.json"
    made = export_rows(load(path), format="sharegpt", output=tmp_path / "out.json")
    for ours, theirs in zip(json.loads(Path(made.path).read_text()), json.loads(path.read_text()), strict=True):
        assert [t["from"] for t in ours["conversations"]] == [t["from"] for t in theirs["conversations"]]
        for a, b in zip(ours["conversations"], theirs["conversations"], strict=True):
            same = json.loads(a["value"]) == json.loads(b["value"]) if a["from"] == "function_call" else a == b
            assert same
        assert json.loads(ours["tools"] or "[]") == json.loads(theirs.get("tools") or "[]")
