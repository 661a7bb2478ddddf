from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.exporters import InexpressibleError, export_rows, to_alpaca


def test_single_turn(ask):
    assert to_alpaca(ask("q", "a")) == {"instruction": "q", "input": "", "output": "a"}


def test_split_of_the_record_is_kept(ask):
    record = {"instruction": "add", "input": "1 2", "output": "3"}
    assert to_alpaca(ask("add\n1 2", "3"), None, record) == record


def test_dolly_context_is_the_input(ask):
    record = {"instruction": "sum up", "context": "long text", "response": "short"}
    out = to_alpaca(ask("sum up\nlong text", "short"), None, record)
    assert (out["instruction"], out["input"]) == ("sum up", "long text")


def test_a_record_that_says_something_else_is_not_trusted(ask):
    record = {"instruction": "add", "input": "9 9", "output": "3"}
    out = to_alpaca(ask("add\n1 2", "3"), None, record)
    assert (out["instruction"], out["input"]) == ("add\n1 2", "")


def test_history_and_system(ask):
    out = to_alpaca(ask("q1", "a1", "q2", "a2", system="be kind"))
    assert out == {
        "instruction": "q2",
        "input": "",
        "output": "a2",
        "system": "be kind",
        "history": [["q1", "a1"]],
    }


def test_missing_answer_is_missing_and_an_empty_one_is_empty(ask):
    assert to_alpaca(ask("q"))["output"] is None
    assert to_alpaca(ask("q", ""))["output"] == ""
    assert to_alpaca(ask("q", ""), None, {"instruction": "q", "output": None})["output"] is None


def test_plain_text_is_an_answer_to_nothing():
    assert to_alpaca([{"role": "assistant", "content": "text"}]) == {"instruction": "", "input": "", "output": "text"}


def test_offered_tools_are_json_text(ask):
    assert json.loads(to_alpaca(ask("q", "a"), [{"name": "f"}])["tools"]) == [{"name": "f"}]


def test_images_get_a_mark_and_a_column():
    parts = [{"type": "text", "text": "see "}, {"type": "image", "image": "cat.png"}, {"type": "text", "text": "?"}]
    messages = [{"role": "user", "content": "see ?", "parts": parts}, {"role": "assistant", "content": "a cat"}]
    out = to_alpaca(messages)
    assert out["instruction"] == "see <image>?" and out["images"] == ["cat.png"]


def test_names_and_publishers_keys_go_into_a_column(ask):
    messages = ask("q", "a")
    messages[0]["name"], messages[1]["score"] = "Ann", 3
    assert json.loads(to_alpaca(messages)["turn_fields"]) == [{"name": "Ann"}, {"score": 3}]


CALL = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([{"role": "user", "content": "q"}, CALL], "tool calls"),
        ([{"role": "user", "content": "q"}, {"role": "tool", "content": "r"}], "tool calls"),
        ([{"role": "user", "content": "q"}, {"role": "user", "content": "q"}], "role order"),
        ([], "role order"),
        (
            [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "a"},
                {"role": "system", "content": "s"},
            ],
            "a system message after the start",
        ),
        ([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 0.0}], "loss weights"),
        ([{"role": "user", "content": "q", "weight": 1.0}, {"role": "assistant", "content": "a"}], "loss weights"),
        (
            [{"role": "user", "content": "", "parts": [{"type": "image", "image": {"bytes": "x"}}]}],
            "image without a path",
        ),
        ([{"role": "user", "content": "", "parts": [{"type": "thinking", "thinking": "x"}]}], "part of type thinking"),
    ],
)
def test_what_cannot_be_said_is_refused(messages, reason):
    with pytest.raises(InexpressibleError) as error:
        to_alpaca(messages)
    assert error.value.reason == reason


def test_usual_weights_say_nothing(ask):
    messages = ask("q", "a")
    messages[0]["weight"], messages[1]["weight"] = 0.0, 1.0
    assert "output" in to_alpaca(messages)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_files_come_back(make, ask, tmp_path: Path, suffix):
    ds = make(ask("q", "a"), ask("é 中文\n\u2028", 'a "quoted" \\ \t'), ask("q1", "a1", "q2", "a2"))
    made = export_rows(ds, format="alpaca", output=tmp_path / f"out{suffix}")
    text = Path(made.path).read_text(encoding="utf-8")
    rows = json.loads(text) if suffix == ".json" else [json.loads(line) for line in text.split("\n") if line]
    assert [r["instruction"] for r in rows] == ["q", "é 中文\n\u2028", "q2"]
    assert rows[1]["output"] == 'a "quoted" \\ \t'
    assert [r["history"] for r in rows] == [[], [], [["q1", "a1"]]], "every record has every column"


def test_a_real_alpaca_file_comes_back(shared_data, load, tmp_path):
    path = shared_data / "alpaca_9k.json"
    made = export_rows(load(path), format="alpaca", output=tmp_path / "out.json")
    assert json.loads(Path(made.path).read_text()) == json.loads(path.read_text())
