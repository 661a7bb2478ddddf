from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.exporters import export_rows

RECORDS = [
    {"id": 1, "score": 1, "ok": True, "tags": ["a"], "odd": 1, "big": 1 << 70},
    {"id": 2, "score": 0.5, "ok": None, "tags": None, "odd": "x", "big": 2},
]


def test_types_of_extra_columns(make, ask, tmp_path):
    ds = make(ask("q", "a"), ask("é", "中"), records=RECORDS)
    made = export_rows(ds, format="parquet", output=tmp_path / "out.parquet", columns="alpaca")
    table = pq.read_table(made.path)
    kinds = {f.name: f.type for f in table.schema}
    assert kinds["id"] == pa.int64() and kinds["score"] == pa.float64() and kinds["ok"] == pa.bool_()
    rows = table.to_pylist()
    assert [r["score"] for r in rows] == [1.0, 0.5]
    assert [json.loads(r["odd"]) for r in rows] == [1, "x"], "mixed values are JSON text"
    assert [json.loads(r["big"]) for r in rows] == [1 << 70, 2]
    assert json.loads(rows[0]["tags"]) == ["a"] and rows[1]["tags"] is None
    assert rows[1]["instruction"] == "é"


@pytest.mark.parametrize("columns", ["messages", "sharegpt"])
def test_turns_are_typed(make, tmp_path, columns):
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": 1}}]}
    turns = [{"role": "user", "content": "q", "weight": 0, "at": {"h": 1}}, call, {"role": "tool", "content": "r"}]
    made = export_rows(make(turns), format="parquet", output=tmp_path / "out.parquet", columns=columns)
    row = pq.read_table(made.path).to_pylist()[0]
    said = row["messages" if columns == "messages" else "conversations"]
    assert said[0]["weight"] == 0.0 and json.loads(said[0]["at"]) == {"h": 1}
    if columns == "messages":
        function = said[1]["tool_calls"][0]["function"]
        assert function["name"] == "f" and json.loads(function["arguments"]) == {"x": 1}
    else:
        assert json.loads(said[1]["value"]) == {"name": "f", "arguments": {"x": 1}}


def test_conversations_as_prompt_and_completion(make, ask, tmp_path):
    ds = make(ask("q", "a"), ask("q1", "a1", "q2", "a2"))
    made = export_rows(ds, format="parquet", output=tmp_path / "out.parquet", columns="prompt_completion")
    rows = pq.read_table(made.path).to_pylist()
    assert [r["completion"][0]["content"] for r in rows] == ["a", "a2"]


def test_many_batches(make, ask, tmp_path, monkeypatch):
    monkeypatch.setattr("curation.exporters._writers.ARROW_ROWS", 3)
    ds = make(*[ask(f"q{i}", f"a{i}") for i in range(10)])
    made = export_rows(ds, format="parquet", output=tmp_path / "out.parquet")
    assert [r["messages"][0]["content"] for r in pq.read_table(made.path).to_pylist()] == [f"q{i}" for i in range(10)]
