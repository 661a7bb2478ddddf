from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.exporters import export_rows, to_messages

CALL = {"role": "assistant", "content": "wait", "tool_calls": [{"id": "c1", "name": "f", "arguments": {"x": 1}}]}


def test_turns(ask):
    assert to_messages(ask("q", "a", system="s"))["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    ]


@pytest.mark.parametrize(("arguments", "wanted"), [("text", '{"x": 1}'), ("object", {"x": 1})])
def test_tool_calls(arguments, wanted):
    turn = to_messages([CALL], arguments=arguments)["messages"][0]
    assert turn == {
        "role": "assistant",
        "content": "wait",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": wanted}}],
    }


def test_arguments_that_are_no_json_stay_as_they_are():
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": "x=1"}]}
    for arguments in ("text", "object"):
        made = to_messages([call], arguments=arguments)["messages"][0]["tool_calls"][0]["function"]["arguments"]
        assert made == "x=1"


def test_images_stay_typed_parts():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,xx"}}
    parts = [{"type": "text", "value": "see"}, image]
    turn = to_messages([{"role": "user", "content": "see", "parts": parts}])["messages"][0]
    assert turn["content"] == [{"type": "text", "text": "see"}, image]


def test_images_become_a_column_where_types_are_fixed():
    parts = [{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "what?"}]
    out = to_messages([{"role": "user", "content": "what?", "parts": parts}], images="marks")
    assert out == {"messages": [{"role": "user", "content": "<image>what?"}], "images": ["a.png"]}


def test_trl_wants_slots_and_a_column():
    parts = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "what?"}]
    out = to_messages([{"role": "user", "content": "what?", "parts": parts}], images="slots")
    assert out["messages"][0]["content"] == [{"type": "image"}, {"type": "text", "text": "what?"}]
    assert out["images"] == ["a.png"]


@pytest.mark.parametrize("trainer", ["none", "llama-factory", "axolotl", "trl"])
def test_images_reach_every_trainer_in_its_way_or_that_is_said(make, tmp_path, trainer):
    parts = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "what?"}]
    ds = make([{"role": "user", "content": "what?", "parts": parts}, {"role": "assistant", "content": "a cat"}])
    made = export_rows(ds, format="messages", output=tmp_path / "a.jsonl", trainer=trainer)
    record = json.loads(Path(made.path).read_text())
    content = record["messages"][0]["content"]
    if trainer == "llama-factory":
        assert content == "<image>what?" and record["images"] == ["a.png"]
    elif trainer == "trl":
        assert content[0] == {"type": "image"} and record["images"] == ["a.png"]
    else:
        assert content == parts
    if trainer != "none":
        assert made.info["trainer"]["used"] == 1
        assert bool(made.info["trainer"]["notes"]) == (trainer == "axolotl")


def test_text_parts_are_text():
    turn = to_messages([{"role": "user", "content": "hi", "parts": [{"type": "text", "value": "hi"}]}])["messages"][0]
    assert turn["content"] == "hi"


def test_tools_are_a_list_for_openai_and_text_for_trainers(make, ask, tmp_path: Path):
    ds = make(ask("q", "a"), tools=[{"type": "function", "function": {"name": "f"}}])
    plain = export_rows(ds, format="messages", output=tmp_path / "a.jsonl")
    trained = export_rows(ds, format="messages", output=tmp_path / "b.jsonl", trainer="trl")
    first, second = (json.loads(Path(m.path).read_text()) for m in (plain, trained))
    assert first["tools"] == json.loads(second["tools"]) == [{"type": "function", "function": {"name": "f"}}]


def test_real_messages_with_weights(shared_data, load, tmp_path):
    path = shared_data / "v1_sft_messages.jsonl"
    made = export_rows(load(path), format="messages", output=tmp_path / "out.jsonl")
    ours = [json.loads(line) for line in Path(made.path).read_text().split("\n") if line]
    theirs = [json.loads(line) for line in path.read_text().split("\n") if line]
    assert len(ours) == 500
    for a, b in zip(ours, theirs, strict=True):
        wanted = [(t["role"], "\n".join(p["value"] for p in t["content"]), t.get("loss_weight")) for t in b["messages"]]
        assert [(t["role"], t["content"], t.get("weight")) for t in a["messages"]] == wanted


def test_keys_of_the_publishers_turns_survive(make, tmp_path):
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    record = {"messages": [{**messages[0], "at": "noon"}, {**messages[1], "reasoning_content": "because"}]}
    made = export_rows(make(messages, records=[record]), format="messages", output=tmp_path / "out.jsonl")
    assert json.loads(Path(made.path).read_text()) == record
