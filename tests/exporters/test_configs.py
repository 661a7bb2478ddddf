from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import yaml

from curation.exporters import export_rows

CALL = [
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"x": 1}}]},
]


def info(path: Path) -> dict:
    return json.loads((path.parent / f"{path.name}.d" / "dataset_info.json").read_text())[path.stem]


def test_only_columns_that_are_there_are_named(make, ask, tmp_path):
    plain, full = tmp_path / "plain.json", tmp_path / "full.json"
    export_rows(make(ask("q", "a")), output=plain)
    export_rows(make(ask("q", "a", "q", "a", system="s"), tools=[{"name": "f"}]), output=full)
    assert info(plain)["columns"] == {"prompt": "instruction", "query": "input", "response": "output"}
    assert set(info(full)["columns"]) == {"prompt", "query", "response", "system", "history", "tools"}
    assert (tmp_path / "plain.json.d" / info(plain)["file_name"]).samefile(plain)


@pytest.mark.parametrize(
    ("messages", "formatting"), [([{"role": "user", "content": "q"}], "sharegpt"), (CALL, "openai")]
)
def test_messages_are_read_as_sharegpt_unless_there_are_calls(make, tmp_path, messages, formatting):
    export_rows(make(messages), format="messages", output=tmp_path / "a.jsonl")
    entry = info(tmp_path / "a.jsonl")
    assert entry["formatting"] == formatting
    assert entry["tags"]["observation_tag"] == "tool" and len(entry["tags"]) == 7, "unnamed tags become nothing there"


@pytest.mark.parametrize(
    ("format", "output"),
    [("alpaca", "a.json"), ("sharegpt", "a.json"), ("messages", "a.jsonl"), ("parquet", "a.parquet")],
)
def test_llama_factory(make, ask, tmp_path, format, output):
    export_rows(make(ask("q", "a")), format=format, output=tmp_path / output, trainer="llama-factory", cutoff_len=512)
    config = yaml.safe_load((tmp_path / f"{output}.d" / "llamafactory.yaml").read_text())
    assert config["cutoff_len"] == 512 and config["dataset"] == "a" and config["dataset_dir"] == "."
    assert info(tmp_path / output)["file_name"] == f"../{output}"


def axolotl(folder: Path) -> dict:
    return yaml.safe_load((folder / "axolotl.yaml").read_text())


def test_axolotl(make, ask, tmp_path):
    ds = make(ask("q", "a"))
    weighted = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 1.0}]
    export_rows(ds, output=tmp_path / "a.json", trainer="axolotl")
    export_rows(make(weighted), format="messages", output=tmp_path / "m.jsonl", trainer="axolotl", cutoff_len=99)
    export_rows(ds, format="sharegpt", output=tmp_path / "s.json", trainer="axolotl")
    export_rows(ds, format="prompt_completion", output=tmp_path / "p.jsonl", trainer="axolotl")
    assert axolotl(tmp_path / "a.json.d")["datasets"] == [{"path": "../a.json", "ds_type": "json", "type": "alpaca"}]
    messages = axolotl(tmp_path / "m.jsonl.d")
    assert messages["sequence_len"] == 99 and messages["sample_packing"] is True
    assert messages["datasets"][0]["message_field_training"] == "weight"
    assert messages["datasets"][0]["roles_to_train"] == ["assistant"]
    sharegpt = axolotl(tmp_path / "s.json.d")["datasets"][0]
    assert sharegpt["message_property_mappings"] == {"role": "from", "content": "value"}
    assert "message_field_training" not in sharegpt and "function_call" in sharegpt["roles"]["assistant"]
    assert axolotl(tmp_path / "p.jsonl.d")["datasets"][0]["type"]["field_output"] == "completion"


@pytest.mark.parametrize(
    ("format", "output", "flag", "loader"),
    [
        ("messages", "a b'\".jsonl", "assistant_only_loss", "load_dataset"),
        ("prompt_completion", "p.jsonl", "completion_only_loss", "load_dataset"),
        ("hf", "h", "assistant_only_loss", "load_from_disk"),
    ],
)
def test_trl(make, ask, tmp_path, format, output, flag, loader):
    export_rows(
        make(ask("q", "a")), format=format, output=tmp_path / output, trainer="trl", base_model='x"; import os #'
    )
    script = (tmp_path / f"{output}.d" / "train_trl.py").read_text()
    tree = ast.parse(script)
    config = next(n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "SFTConfig")
    keywords = {k.arg: k.value for k in config.keywords}
    assert ast.literal_eval(keywords[flag]) is True and ast.literal_eval(keywords["max_length"]) == 2048
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert 'x"; import os #' in strings and f"../{output}" in strings
    assert any(isinstance(n, ast.Call) and getattr(n.func, "id", "") == loader for n in ast.walk(tree))
    imported = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert imported == [], "a name cannot become code"


def test_the_written_file_loads(make, ask, tmp_path):
    datasets = pytest.importorskip("datasets")
    ds = make(ask("q", "a"), ask("q1", "a1", "q2", "a2", system="s"), records=[{"x": 1}, {"x": "y"}])
    for format, output in [("alpaca", "a.json"), ("sharegpt", "s.json"), ("messages", "m.jsonl"), ("csv", "c.csv")]:
        path = tmp_path / output
        export_rows(ds, format=format, output=path, trainer="llama-factory")
        kind = "csv" if output.endswith("csv") else "json"
        back = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
        for name in info(path)["columns"].values():
            assert name in back.column_names
