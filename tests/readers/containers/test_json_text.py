from __future__ import annotations

import json

import pytest

from curation.readers.containers.json_text import layout_of

ALPACA = [{"instruction": f"q{i}", "input": "", "output": "a"} for i in range(5)]


@pytest.mark.parametrize(
    "text,ending,layout",
    [
        ('[{"a": 1}]', ".json", "lists"),
        ('[\n{"a": 1}\n]', ".jsonl", "lists"),
        ('{"a": 1}\n{"a": 2}\n', ".json", "lines"),
        ('{"a": 1}\n', ".jsonl", "lines"),
        ('{"a": 1}\n', ".json", "values"),
        ('{\n "a": 1\n}\n{\n "a": 2\n}', ".jsonl", "values"),
        ('{"a": 1}{"a": 2}', ".json", "values"),
        ('["t", "x"]\n["t", "y"]\n', ".json", "lines"),
        ('{"train": [{"a": 1}], "test": []}', ".json", "splits"),
        ('{\n "version": 1,\n "data": [\n {"a": 1}]}', ".json", "splits"),
        ('{"train": [["t", "x"]', ".json", "splits"),
        ('{"messages": [{"role": "user", "content": "q"}]}', ".json", "values"),
        ('{"tokens": ["a"], "tags": ["O"]}', ".json", "values"),
        ('{\n "id": 1,\n "paragraphs": [{"a": 1}]\n}\n{\n "id": 2}', ".json", "values"),
        ("not json at all", ".jsonl", "lines"),
        ('{"a": }\n{"a": 1}\n', ".jsonl", "lines"),
    ],
)
def test_the_layout_is_found_from_the_content(text, ending, layout):
    assert layout_of(text.encode(), ending) == layout


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ALPACA),
        json.dumps(ALPACA, indent=2),
        "".join(json.dumps(r) + "\n" for r in ALPACA),
        "\n\n".join(json.dumps(r) for r in ALPACA),
        "\r\n".join(json.dumps(r) for r in ALPACA),
        "\r".join(json.dumps(r) for r in ALPACA),
        "\n".join(json.dumps(r, indent=4) for r in ALPACA),
    ],
    ids=["list", "indented", "lines", "blank-lines", "crlf", "cr", "indented-values"],
)
def test_every_layout_gives_the_same_rows(tmp_path, load, name, text):
    path = tmp_path / name
    path.write_bytes(text.encode())
    got = load(path)
    assert list(got.dataset.records()) == ALPACA
    assert got.dataset.table["line"].to_pylist() == list(range(5))


def test_one_single_record(tmp_path, load):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(ALPACA[0], indent=2))
    assert list(load(path).dataset.records()) == ALPACA[:1]


def test_named_splits_are_sources_of_their_own_in_order(tmp_path, load):
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"version": "1", "test": ALPACA[:2], "train": ALPACA[2:], "empty": []}, indent=1))
    got = load(path)
    assert got.dataset.sources == ["splits.json/test"] * 2 + ["splits.json/train"] * 3
    assert got.dataset.table["line"].to_pylist() == [0, 1, 0, 1, 2]
    assert [s["split"] for s in got.facts["sources"]] == ["test", "train"]
    assert got.facts["sources"][0]["notes"] == ["'version' is no list of records: left aside"]


def test_splits_may_differ_in_form(tmp_path, load):
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"train": ALPACA, "test": [["t", "x"], ["t", "x"]]}))
    assert [s["form"] for s in load(path).facts["sources"]] == ["alpaca", "text-label"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("lines", [True, False])
def test_marks_and_wide_encodings(tmp_path, load, encoding, lines):
    records = [{"instruction": "qu'est-ce — 什么?", "output": f"é😀{i}"} for i in range(3)]
    text = "\n".join(json.dumps(r, ensure_ascii=False) for r in records) if lines else json.dumps(records)
    path = tmp_path / "x.json"
    path.write_bytes(text.encode(encoding))
    got = load(path)
    assert list(got.dataset.records()) == records
    assert len(got.notes) == 1


def test_latin_1_lines_are_read_and_counted(tmp_path, load):
    records = [{"instruction": f"{word} {i}", "output": "é"} for i in range(2) for word in ("café", "plain")]
    path = tmp_path / "latin.jsonl"
    path.write_bytes("\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode("latin-1"))
    got = load(path)
    assert list(got.dataset.records()) == records
    assert got.notes == ["not UTF-8: read as Latin-1 (4 times)"]


def test_numbers_and_nan_survive_as_written(tmp_path, load):
    path = tmp_path / "n.jsonl"
    path.write_text('{"prompt": "q", "completion": "a", "big": 123456789012345678901234567890, "x": 1.10, "n": NaN}\n')
    record = load(path).dataset.record(0)
    assert record["big"] == 123456789012345678901234567890
    assert record["n"] != record["n"]
