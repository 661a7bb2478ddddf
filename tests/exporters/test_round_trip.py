"""Files written here, read by the readers again: the same conversations."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.exporters import export_rows


def said(dataset) -> list:
    keep = ("role", "content", "weight", "tool_calls", "name")
    rows = [dataset.messages(i) for i in range(len(dataset))]
    # a call that an exporter numbers no further has no id; a weight may have become 1.0 from 1
    return [[{k: m[k] for k in keep if k in m} for m in messages] for messages in rows]


@pytest.mark.parametrize(
    ("name", "format", "output", "options"),
    [
        ("alpaca_zh_1k.json", "alpaca", "a.json", {}),
        ("alpaca_zh_1k.json", "csv", "a.csv", {"escape_formulas": "no"}),
        ("alpaca_zh_1k.json", "prompt_completion", "a.jsonl", {}),
        ("dpo_en_demo.json", "alpaca", "a.json", {}),
        ("dpo_en_demo.json", "parquet", "a.parquet", {}),
        ("dpo_en_demo.json", "prompt_completion", "a.jsonl", {}),
        ("glaive_toolcall_sharegpt.json", "sharegpt", "a.json", {}),
        ("glaive_toolcall_sharegpt.json", "messages", "a.jsonl", {}),
        ("glaive_toolcall_sharegpt.json", "messages", "a.jsonl", {"arguments": "object"}),
        ("glaive_toolcall_sharegpt.json", "parquet", "a.parquet", {"columns": "messages"}),
        ("glaive_toolcall_sharegpt.json", "parquet", "a.parquet", {"columns": "sharegpt"}),
        ("v1_sft_messages.jsonl", "messages", "a.jsonl", {}),
        ("v1_sft_messages.jsonl", "sharegpt", "a.json", {}),
    ],
)
def test_conversations_come_back(shared_data, load, tmp_path, name, format, output, options):
    before = load(shared_data / name)
    made = export_rows(before, format=format, output=tmp_path / output, **options)
    after = load(Path(made.path))
    assert made.rows == len(before) == len(after)
    assert said(after) == said(before)
    assert [after.tools(i) for i in range(len(after))] == [before.tools(i) for i in range(len(before))]
