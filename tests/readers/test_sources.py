from __future__ import annotations

import gzip
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from curation.core.errors import DataError
from curation.readers import preview
from curation.readers.containers import stream
from curation.readers.sources import expand

RECORDS = [{"instruction": f"q{i}", "output": f"a{i}"} for i in range(4)]
LINES = "".join(json.dumps(r) + "\n" for r in RECORDS).encode()
CSV = b"instruction,output\nq0,a0\nq1,a1\nq2,a2\nq3,a3\n"


def parquet_bytes():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(RECORDS), sink)
    return sink.getvalue().to_pybytes()


def arrow_bytes():
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(RECORDS)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


FILES = {
    "x.json": json.dumps(RECORDS).encode(),
    "x.jsonl": LINES,
    "x.csv": CSV,
    "x.tsv": CSV.replace(b",", b"\t"),
    "x.parquet": parquet_bytes(),
    "x.arrow": arrow_bytes(),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packing", ["", ".gz", ".zst", ".zip"])
def test_every_container_in_every_packing(tmp_path, load, name, packing):
    path = tmp_path / (name + packing)
    if packing == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner/" + name, FILES[name])
    else:
        path.write_bytes({"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[packing](FILES[name]))
    got = load(path)
    assert list(got.dataset.records()) == RECORDS
    source = got.facts["sources"][0]
    assert source["container"] == name.removeprefix("x.") + packing
    assert source["path"] == str(path)
    assert set(got.dataset.sources) == {name + packing + (f"/inner/{name}" if packing == ".zip" else "")}
    assert preview([path]).total == 4


def test_a_zip_of_several_files_is_several_sources(tmp_path, load):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("train.jsonl", "dev/test.jsonl", "__MACOSX/train.jsonl", ".hidden.jsonl"):
            archive.writestr(name, LINES)
        archive.writestr("README.md", "hello")
    got = load(path)
    assert got.dataset.sources == ["all.zip/train.jsonl"] * 4 + ["all.zip/dev/test.jsonl"] * 4
    assert got.notes == ["left aside in the archive: README.md", "rows equal to an earlier one, kept: 4"]


def test_several_files_make_one_dataset(tmp_path, load):
    for name in ("a.jsonl", "b.csv"):
        (tmp_path / name).write_bytes(FILES["x" + name[1:]])
    got = load(tmp_path / "a.jsonl", tmp_path / "b.csv")
    assert got.dataset.sources == ["a.jsonl"] * 4 + ["b.csv"] * 4
    assert got.dataset.table["copy"].to_pylist() == [0] * 4 + [1] * 4


def test_files_of_one_name_are_told_apart_by_their_folder(tmp_path, load):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.jsonl").write_bytes(LINES)
    got = load(tmp_path / "one/x.jsonl", tmp_path / "two/x.jsonl")
    assert set(got.dataset.sources) == {"one/x.jsonl", "two/x.jsonl"}


def test_folders_of_one_name_are_told_apart_by_a_number(tmp_path):
    for folder in ("a/data", "b/data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.jsonl").write_bytes(LINES)
    sources = expand([tmp_path / "a/data/x.jsonl", tmp_path / "b/data/x.jsonl"])
    assert [s.label for s in sources] == ["data/x.jsonl (1)", "data/x.jsonl (2)"]


def test_a_folder_of_data_files(tmp_path, load):
    folder = tmp_path / "set"
    (folder / "data").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("data/train.jsonl", "data/test.jsonl.gz", ".git/x.jsonl"):
        (folder / name).write_bytes(gzip.compress(LINES) if name.endswith("gz") else LINES)
    (folder / "dataset_infos.json").write_text("{}")
    (folder / "README.md").write_text("hello")
    got = load(folder)
    assert got.dataset.sources == ["set/data/test.jsonl.gz"] * 4 + ["set/data/train.jsonl"] * 4


def test_a_saved_hugging_face_data_set(tmp_path, load):
    data_sets = pytest.importorskip("datasets")
    own = data_sets.Dataset.from_list(RECORDS)
    own.save_to_disk(str(tmp_path / "one"), num_shards=2)
    data_sets.DatasetDict({"train": own, "test": own.select([0])}).save_to_disk(str(tmp_path / "both"))
    assert list(load(tmp_path / "one").dataset.records()) == RECORDS
    got = load(tmp_path / "both")
    assert got.dataset.sources == ["both/train"] * 4 + ["both/test"]


def test_a_saved_data_set_that_lacks_a_file(tmp_path):
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data-0.arrow"}]}')
    with pytest.raises(DataError, match=r"lacks data-0\.arrow"):
        expand([tmp_path])
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(DataError, match=r"state\.json cannot be used"):
        expand([tmp_path])


def test_a_folder_without_data_lists_what_is_there(tmp_path):
    for name in ("a.md", "b.md", "c.py"):
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"holds 2 × \.md, 1 × \.py"):
        expand([tmp_path])


@pytest.mark.parametrize(
    "name,match",
    [("inner.zip", "holds another archive"), ("inner.jsonl.gz", "holds another archive"), ("a.tar", "another archive")],
)
def test_nested_archives_are_refused(tmp_path, name, match):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.jsonl", LINES)
        archive.writestr(name, b"x")
    with pytest.raises(DataError, match=match):
        expand([path])


def test_an_archive_packed_again_is_refused(tmp_path, load):
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(gzip.compress(LINES)))
    with pytest.raises(DataError, match="is packed twice"):
        load(path)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("curation.readers.sources.MAX_MEMBERS", 3)
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(4):
            archive.writestr(f"{i}.jsonl", LINES)
    with pytest.raises(DataError, match="holds 4 files"):
        expand([path])


def test_a_zip_member_that_claims_less_than_it_holds_is_broken_off(tmp_path, load):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", LINES * 5000)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24  # the directory's entry: size after unpacking
    data[at : at + 4] = (100_000).to_bytes(4, "little")
    path.write_bytes(data)
    got = load(path)
    assert 1000 < len(got.dataset) < 3000
    assert len(got.rejected) == 1
    assert "cannot be read on" in got.rejected[0].reason


def test_a_bomb_is_refused_by_what_it_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "FREE_BYTES", 1 << 20)
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", b"\0" * (20 << 20))
    with pytest.raises(DataError, match="times its size"):
        expand([path])


def test_a_missing_file_gets_near_names(tmp_path):
    (tmp_path / "train.jsonl").write_bytes(LINES)
    with pytest.raises(DataError, match="no such file") as error:
        expand([tmp_path / "trian.jsonl"])
    assert error.value.hint == "did you mean train.jsonl?"


def test_a_mistyped_path_in_a_folder_that_exists_is_not_looked_for_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        expand(["data/alpaca"])
    assert expand(["hf://data/alpaca"])[0].hub
    assert expand(["owner/alpaca"])[0].hub


def test_names_that_are_no_utf_8_are_cleaned(tmp_path, load):
    path = tmp_path / "caf\udce9.jsonl"
    path.write_bytes(LINES)
    assert set(load(path).dataset.sources) == {"caf\ufffd.jsonl"}
