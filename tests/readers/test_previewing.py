from __future__ import annotations

import json

import pytest

from curation.core.errors import DataError
from curation.readers import Mapping, preview, previewing


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.jsonl"
    records = [{"instruction": f"q{i}", "output": None if i % 4 else 5, "id": i} for i in range(40)]
    path.write_text("".join(json.dumps(r) + "\n" for r in records) + "{bad}\n")
    return path


def test_what_is_shown_before_reading(path, load):
    seen = preview([path], rows=2).sources[0]
    assert (seen.label, seen.container, seen.form) == ("x.jsonl", "jsonl", "alpaca")
    assert seen.fields == ["instruction", "output", "id"]
    assert [row.messages[0]["content"] for row in seen.rows] == ["q1", "q2"]
    assert [row.line for row in seen.rows] == [1, 2]
    assert (seen.looked_at, seen.total, seen.rejected) == (41, 41, 11)
    assert seen.reasons == {
        "output is a number, a text is needed": 10,
        "not valid JSON: expecting property name enclosed in double quotes at character ": 1,
    }
    assert [(r.line, r.field) for r in seen.examples] == [(1 + 4 * i, "output") for i in range(5)]
    assert "of the first 40 records fit" in seen.why
    got = load(path)
    assert len(got.rejected) == seen.rejected


def test_only_a_sample_is_tried_but_all_are_counted(path):
    seen = preview([path], sample=10)
    assert (seen.sources[0].looked_at, seen.total, seen.rejected) == (10, 41, 3)


def test_large_files_are_not_counted_to_the_end(path, monkeypatch):
    monkeypatch.setattr(previewing, "COUNT_BYTES", 100)
    assert preview([path], sample=10).total is None


def test_a_corrected_mapping_is_tried(path):
    seen = preview([path], Mapping(form="text", text="instruction")).sources[0]
    assert (seen.form, seen.why, seen.rejected) == ("text", "as given", 1)


def test_every_split_is_shown(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"train": [["a", "b"]] * 30, "test": [["a", "b"]] * 3}))
    seen = preview([path], sample=5)
    assert [(s.label, s.split, s.looked_at, s.total) for s in seen.sources] == [
        ("s.json/train", "train", 5, 30),
        ("s.json/test", "test", 3, 3),
    ]


def test_a_file_that_cannot_be_read_at_all_raises(tmp_path):
    (tmp_path / "x.json").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        preview([tmp_path / "x.json"])
