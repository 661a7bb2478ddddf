from __future__ import annotations

import base64
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.core.arrow_json import from_records
from curation.core.errors import DataError
from curation.readers import preview

TABLE = pa.table(
    {
        "instruction": [f"q{i}" for i in range(1500)],
        "output": [f"a{i}" for i in range(1500)],
        "score": [float("nan") if i == 3 else i / 7 for i in range(1500)],
        "made": [date(2020, 1, 1)] * 1500,
        "raw": [b"\x00\xff"] * 1500,
        "tags": [["x", None]] * 1500,
    }
)


def write_stream(table, path):
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


def write_file(table, path):
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)


WRITERS = {"x.parquet": pq.write_table, "x.arrow": write_file, "stream.arrow": write_stream, "x.feather": write_file}


@pytest.mark.parametrize("name", WRITERS)
def test_rows_and_types_survive(tmp_path, load, name):
    path = tmp_path / name
    WRITERS[name](TABLE, path)
    got = load(path)
    assert got.facts["sources"][0]["form"] == "alpaca"
    assert len(got.dataset) == 1500
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(got.facts["sources"][0]["arrow_schema"])))
    again = from_records(list(got.dataset.records()), schema)
    assert again.drop_columns("score").equals(TABLE.drop_columns("score"))
    assert str(again["score"].to_pylist()) == str(TABLE["score"].to_pylist())


def test_a_preview_takes_the_count_from_the_file(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path)
    seen = preview([path], sample=10).sources[0]
    assert (seen.total, seen.looked_at, seen.container) == (1500, 10, "parquet")


def test_names_of_labels_come_from_hugging_face_metadata(tmp_path, load):
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}, "text": {"_type": "Value"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"text": ["a", "b"], "label": [1, 0]}).replace_schema_metadata(metadata)
    pq.write_table(table, tmp_path / "x.parquet")
    got = load(tmp_path / "x.parquet")
    assert got.dataset.texts("response") == ["pos", "neg"]
    assert [r["label"] for r in got.dataset.records()] == [1, 0]


@pytest.mark.parametrize("metadata", ["{}", "[1]", "no json", '{"info": {"features": {"text": 5}}}'])
def test_odd_metadata_is_no_harm(tmp_path, load, metadata):
    table = pa.table({"text": ["a"], "label": [1]}).replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").dataset.texts("response") == ["1"]


def test_turns_in_parquet(tmp_path, load):
    turns = [
        {"role": "user", "content": "q", "tool_calls": None},
        {"role": "assistant", "content": "a", "tool_calls": None},
    ]
    pq.write_table(pa.Table.from_pylist([{"messages": turns}]), tmp_path / "x.parquet")
    got = load(tmp_path / "x.parquet")
    assert got.dataset.texts("both") == ["q\n\na"]


def test_a_parquet_file_that_is_cut_off_is_an_error(tmp_path, load):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"x\.parquet: is a damaged parquet file"):
        load(path)


def test_a_damaged_page_costs_its_row_group_only(tmp_path, load):
    path = tmp_path / "x.parquet"
    pq.write_table(TABLE.select(["instruction", "output"]), path, row_group_size=500, compression="zstd")
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(data)
    got = load(path)
    assert got.dataset.texts("prompt") == [f"q{i}" for i in (*range(500), *range(1000, 1500))]
    assert [r.line for r in got.rejected] == list(range(501, 1001))
    assert "lies in row group 2, which is damaged" in got.rejected[0].reason


def test_an_arrow_stream_that_is_cut_off_keeps_the_rows_before_it(tmp_path, load):
    path = tmp_path / "x.arrow"
    with pa.ipc.new_stream(path, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=500)
    path.write_bytes(path.read_bytes()[:-20_000])
    got = load(path)
    assert len(got.dataset) in (500, 1000)
    assert "cannot be read from here on" in got.rejected[0].reason


def test_text_that_is_not_utf_8_is_rejected_row_by_row(tmp_path, load):
    offsets, data = pa.array([0, 1, 3, 4], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff\xfeb")
    broken = pa.StringArray.from_buffers(3, offsets, data)
    table = pa.table({"instruction": broken, "output": ["x", "y", "z"]})
    write_file(table, tmp_path / "x.arrow")
    got = load(tmp_path / "x.arrow")
    assert got.dataset.texts("prompt") == ["a", "b"]
    assert got.rejected[0].line == 2
    assert "value that cannot be read" in got.rejected[0].reason


def test_a_file_that_is_no_parquet(tmp_path, load):
    path = tmp_path / "x.parquet"
    path.write_text('{"a": 1}\n')
    with pytest.raises(DataError, match="is no parquet file"):
        load(path)


def test_a_column_without_a_json_form_names_file_and_column(tmp_path, load):
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    write_file(pa.table({"odd": union}), tmp_path / "x.arrow")
    with pytest.raises(DataError, match=r"x\.arrow.*odd"):
        load(tmp_path / "x.arrow")
