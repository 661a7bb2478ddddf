from __future__ import annotations

import json

import pytest

from curation.core.dataset import DatasetWriter
from curation.core.errors import DataError, JobCancelled
from curation.readers import Mapping, read

GOOD = {"instruction": "q", "output": "a"}


def test_read_and_rejected_are_all_records_and_positions_count_both(load_records):
    got = load_records(GOOD, {"instruction": "q"}, GOOD, {"instruction": 5, "output": "a"}, {**GOOD, "output": "b"})
    assert got.dataset.table["line"].to_pylist() == [0, 2, 4]
    assert [(r.record, r.line, r.field) for r in got.rejected] == [(1, 2, "output"), (3, 4, "instruction")]
    source = got.facts["sources"][0]
    assert (source["rows"], source["rejected"]) == (3, 2)
    assert sum(source["reasons"].values()) == 2


def test_excerpts_are_cut(load_records):
    got = load_records(GOOD, {"instruction": "q" * 10_000, "output": 5})
    assert len(got.rejected[0].excerpt) == 2000


def test_records_survive_field_for_field(load_records):
    records = [{**GOOD, "meta": {"nested": [1, None, {"x": "é😀\u2028"}]}, "id": i, "": 0.1} for i in range(3)]
    got = load_records(*records)
    assert list(got.dataset.records()) == records
    assert got.dataset.field_names() == ["instruction", "output", "meta", "id", ""]


def test_one_mapping_per_source(tmp_path, load):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(json.dumps({"x": "1", "y": "2"}) + "\n")
    mapping = {
        "a.jsonl": Mapping(form="prompt-completion", prompt="x", response="y"),
        str(tmp_path / "b.jsonl"): Mapping(form="text", text="y"),
    }
    got = load(tmp_path / "a.jsonl", tmp_path / "b.jsonl", mapping=mapping)
    assert got.dataset.texts("prompt") == ["1", ""]
    assert got.dataset.texts("response") == ["2", "2"]


def test_one_mapping_per_split(tmp_path, load):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"train": [["a", "b"]], "test": [["a", "b"]]}))
    swapped = Mapping(form="text-label", text="1", label="0")
    got = load(path, mapping={"s.json/test": swapped})
    assert got.dataset.texts("prompt") == ["a", "b"]


def test_a_source_without_a_single_row_is_an_error_that_shows_the_first_reason(tmp_path, load):
    path = tmp_path / "x.jsonl"
    path.write_text('{"instruction": 1, "output": "a"}\n{bad}\n')
    with pytest.raises(
        DataError, match=r"x\.jsonl: not one of 2 records can be read; line 1: field 'instruction' is a num"
    ):
        load(path, mapping=Mapping(form="alpaca", prompt="instruction", response="output"))


@pytest.mark.parametrize("text", ["[]", "{}\n", '{"train": []}'])
def test_a_file_without_records(tmp_path, load, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"x\.json: (holds no record|no known form fits)"):
        load(path)


def test_progress_rises_to_the_end_and_may_stop_the_reading(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text((json.dumps(GOOD) + "\n") * 60_000)
    seen = []
    writer = DatasetWriter(tmp_path, "x")
    read([path], writer, reject=print, progress=lambda done, total, note: seen.append((done, total, note)))
    done = [d for d, _, _ in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][1] == path.stat().st_size
    assert seen[1][2] == "x.jsonl: 1,000 rows"

    def stop(done, total, note):
        if done > 1_000_000:
            raise JobCancelled("stopped")

    with pytest.raises(JobCancelled):
        read([path], DatasetWriter(tmp_path, "y"), reject=print, progress=stop)


def test_the_same_file_gives_the_same_fingerprint(load_records):
    assert load_records(GOOD).dataset.fingerprint == load_records(GOOD).dataset.fingerprint
    assert load_records(GOOD).dataset.fingerprint != load_records({**GOOD, "id": 1}).dataset.fingerprint


def test_duplicate_ids_and_rows_are_kept_and_told_apart(load_records):
    got = load_records({**GOOD, "id": 7}, {"instruction": "other", "output": "x", "id": 7}, {**GOOD, "id": 7})
    assert len(got.dataset) == 3
    assert len(set(got.dataset.row_ids())) == 3
    assert got.dataset.table["copy"].to_pylist() == [0, 0, 1]
