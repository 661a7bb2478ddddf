from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.errors import CurationError
from curation.exporters import export_rows

FILES = [
    "alpaca_9k.json",
    "alpaca_zh_1k.json",
    "banking77_test.csv",
    "banking77_train.csv",
    "clinc150_small.json",
    "dolly_3k.json",
    "dpo_en_demo.json",
    "glaive_toolcall_sharegpt.json",
    "gsm8k_7k.json",
    "snips_test.jsonl",
    "snips_train.jsonl",
    "t0_tasks.jsonl",
    "v1_sft_messages.jsonl",
]


def content(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n") if line]
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", FILES)
def test_every_real_file_comes_back_field_for_field(shared_data, load, tmp_path, name):
    made = export_rows(load(shared_data / name), format="original", output=tmp_path / "back")
    assert Path(made.path).suffix == Path(name).suffix
    assert content(Path(made.path)) == content(shared_data / name)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_several_files_become_a_folder(load, tmp_path):
    (tmp_path / "x").mkdir()
    one = write(tmp_path / "a.jsonl", '{"instruction": "q", "output": "1"}\n{"instruction": "q", "output": "2"}\n')
    two = write(tmp_path / "x" / "b.csv", "text;label\nhello;good\nbye;bad\nso;good\nno;bad\n")
    ds = load(one, two)
    made = export_rows(ds, format="original", output=tmp_path / "out")
    assert content(tmp_path / "out" / "a.jsonl") == content(one)
    assert (tmp_path / "out" / "b.csv").read_text() == two.read_text(), "the delimiter too"
    assert made.rows == 6


def test_a_selection_keeps_the_order_and_the_splits(load, tmp_path, pick):
    records = {"train": [["hello", "good"], ["bye", "bad"], ["so", "good"]], "test": [["ok", "good"], ["no", "bad"]]}
    ds = load(write(tmp_path / "s.json", json.dumps(records)))
    made = export_rows(ds, pick(ds, [4, 0, 2]), format="original", output=tmp_path / "out.json")
    assert content(Path(made.path)) == {"train": [["hello", "good"], ["so", "good"]], "test": [["no", "bad"]]}


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"delimiter": "\t"}, 'prompt\tcompletion\na b\tsaid "so"\n\t x \n'),
        ({}, 'prompt,completion\r\n"a, b","line\nend"\r\n=1+1,-x\r\n'),
    ],
)
def test_delimited_text(load, tmp_path, columns, text):
    path = write(tmp_path / ("a.tsv" if columns else "a.csv"), text)
    before = load(path)
    made = export_rows(before, format="original", output=tmp_path / "out")
    after = load(Path(made.path))
    assert list(after.records()) == list(before.records()) and len(after) == len(before)


def test_typed_columns(load, tmp_path):
    schema = pa.schema(
        [
            ("prompt", pa.string()),
            ("completion", pa.large_string()),
            ("n", pa.int8()),
            ("when", pa.timestamp("ms", tz="UTC")),
            ("blob", pa.binary()),
            ("tags", pa.list_(pa.string())),
        ]
    )
    rows = [
        {"prompt": "q", "completion": "a", "n": 1, "when": 1_700_000_000_123, "blob": b"\x00\xff", "tags": ["x", None]},
        {"prompt": "r", "completion": "b", "n": None, "when": None, "blob": None, "tags": None},
    ]
    table = pa.Table.from_pylist(rows, schema)
    pq.write_table(table, tmp_path / "a.parquet")
    with pa.ipc.new_file(str(tmp_path / "a.arrow"), schema) as writer:
        writer.write_table(table)
    for name in ("a.parquet", "a.arrow"):
        made = export_rows(load(tmp_path / name), format="original", output=tmp_path / f"out-{name}")
        if name.endswith("parquet"):
            back = pq.read_table(made.path)
        else:
            back = pa.ipc.open_file(made.path).read_all()
        assert back.schema.equals(schema) and back.to_pylist() == table.to_pylist()


def test_packed_files_are_unpacked_and_that_is_said(load, tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "q", "completion": "a"}\n'))
    made = export_rows(load(path), format="original", output=tmp_path / "out")
    assert Path(made.path).name == "out.jsonl" and content(Path(made.path)) == [{"prompt": "q", "completion": "a"}]
    assert "packed" in made.info["notes"][0]


def test_rows_made_here_are_json_lines(make, ask, tmp_path):
    ds = make(ask("q", "a"), records=[{"x": [1, None]}])
    made = export_rows(ds, format="original", output=tmp_path / "out")
    assert content(Path(made.path)) == [{"x": [1, None]}] and made.path.endswith(".jsonl")


def test_wrong_suffix_and_trainer_are_refused(make, ask, tmp_path):
    ds = make(ask("q", "a"))
    with pytest.raises(CurationError, match=r"came as \.jsonl"):
        export_rows(ds, format="original", output=tmp_path / "out.csv")
    with pytest.raises(CurationError, match="not checked"):
        export_rows(ds, format="original", output=tmp_path / "out", trainer="trl")


def test_preference_pairs_get_an_entry_for_ranking(shared_data, load, tmp_path):
    made = export_rows(load(shared_data / "dpo_en_demo.json"), format="original", output=tmp_path / "dpo.json")
    info = json.loads((tmp_path / "dpo.json.d" / "dataset_info.json").read_text())["dpo"]
    assert info["ranking"] is True and info["formatting"] == "sharegpt"
    assert info["columns"] == {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    assert info["tags"]["role_tag"] == "from" and (tmp_path / "dpo.json.d" / info["file_name"]).samefile(made.path)
