"""Numbers from a file, joined by row id, content hash or a field."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from curation.core.dataset import from_pairs
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.recipe import Recipe, plan
from curation.scorers.imported import Imported, as_key, as_value, collect, digest_of, join
from curation.workspace import Workspace


@pytest.fixture
def pool():
    """Four rows, the last a copy of the first."""
    pairs = [("a?", "A"), ("b?", "B"), ("c?", "C"), ("a?", "A")]
    return from_pairs(pairs, number=[7, "x9", None, 7.0])


def write(path, records):
    """Records in the form that the file's name says."""
    fields = list(dict.fromkeys(name for record in records for name in record))
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([{f: r.get(f) for f in fields} for r in records]), path)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fields, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(records)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records))
    else:
        path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def score(pool, path, **parameters):
    method = Imported(**{"path": str(path), "column": "loss", **parameters})
    return method.resolve(Runtime()).score(pool, Runtime())


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".parquet"])
def test_by_row_id_in_any_form_and_any_order(pool, tmp_path, ending):
    ids = pool.row_ids()
    lines = [{"row_id": ids[i], "loss": loss, "tokens": 10 + i} for i, loss in ((3, 0.5), (0, 2.25), (1, None))]
    made = score(pool, write(tmp_path / f"losses{ending}", lines), columns=("tokens",), note="base 7B")
    np.testing.assert_array_equal(made.values, [2.25, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(made.columns["tokens"], [10, 11, np.nan, 13])
    assert [made.missing.reason(i) for i in range(4)] == [None, "no value in the file", "not in the file", None]
    assert made.info["model"] == made.info["note"] == "base 7B"
    assert (made.info["lines"], made.info["matched_lines"], made.info["lines_without_a_row"]) == (3, 3, 0)
    assert made.info["sha256"] == digest_of(tmp_path / f"losses{ending}")
    assert made.name == "loss"


def test_by_content_a_copy_gets_the_same(pool, tmp_path):
    content = [row_id.partition("-")[0] for row_id in pool.row_ids()]
    lines = [{"content": content[0], "loss": 1}, {"content": content[1], "loss": 2}, {"content": "f" * 32, "loss": 3}]
    made = score(pool, write(tmp_path / "l.jsonl", lines), match="content")
    np.testing.assert_array_equal(made.values, [1, 2, np.nan, 1])
    assert made.info["lines_without_a_row"] == 1


def test_by_a_field_numbers_and_texts_are_one(pool, tmp_path):
    lines = [{"id": "7", "loss": "1.5"}, {"id": " x9 ", "loss": "1e-1"}, {"id": "", "loss": "4"}]
    made = score(pool, write(tmp_path / "l.csv", lines), match="field", field="number")
    np.testing.assert_array_equal(made.values, [1.5, 0.1, np.nan, 1.5])
    assert made.missing.reason(2) == "it has no value to find it by"
    assert made.info["lines_without_a_key"] == 1
    assert [as_key(v) for v in (7, 7.0, "7", 7.5, True, None, [7], "")] == [
        "7",
        "7",
        "7",
        "7.5",
        None,
        None,
        None,
        None,
    ]


def test_repeated_lines_count_and_contradictions_are_missing(pool, tmp_path):
    ids = pool.row_ids()
    lines = [{"row_id": ids[i], "loss": loss} for i, loss in ((0, 1), (0, 1), (1, 2), (1, 3), (2, 4))]
    made = score(pool, write(tmp_path / "l.jsonl", lines))
    np.testing.assert_array_equal(made.values, [1, np.nan, 4, np.nan])
    assert made.missing.reason(1) == "the file gives it different values"
    assert made.info["repeated_lines"] == 2


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.jsonl", '{"row_id": "a"}\n{"row_id": "b", "loss": "high"}\n', r"l\.jsonl: row 2, field 'loss': 'high'"),
        ("l.jsonl", '{"row_id": "a", "loss": [1]}\n', r"row 1, field 'loss': '\[1\]' is not a number"),
        ("l.jsonl", '{"row_id": "a", "loss": 1e999}\n', "row 1, field 'loss': it is not finite"),
        ("l.jsonl", '{"row_id": "a", "loss": 1}\n{"row_id"', r"l\.jsonl: row 2: it is not JSON"),
        ("l.jsonl", "[1, 2]\n", r"l\.jsonl: row 1: it is list, not an object"),
        ("l.jsonl", '{"id": "a", "loss": 1}\n', "field 'row_id': no line has this field"),
        ("l.jsonl", "", "no line has this field"),
        ("l.csv", "row_id,loss\na,1,2\n", r"l\.csv: row 1: it has more cells than the header"),
        ("l.csv", "row_id,perplexity\na,1\n", "field 'loss': no line has this field"),
        ("l.json", '{"row_id": "a"}', "it holds no list of objects"),
        ("l.json", "[", r"l\.json: it cannot be read"),
        ("l.parquet", "no parquet", r"l\.parquet: it cannot be read"),
        ("l.jsonl", '{"row_id": "a", "loss": 1}\n', "none of its 1 lines .* first key is 'a', the first row's '"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(pool, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message) as error:
        score(pool, tmp_path / name)
    assert error.value.hint
    assert error.value.file == name


def test_a_file_in_another_encoding_is_an_error(pool, tmp_path):
    (tmp_path / "l.csv").write_bytes("row_id,loss\né,1\n".encode("utf-16"))
    with pytest.raises(DataError, match="cannot be read"):
        score(pool, tmp_path / "l.csv")


def test_only_contradictions_are_an_error(pool, tmp_path):
    row = pool.row_id(0)
    path = write(tmp_path / "l.jsonl", [{"row_id": row, "loss": 1}, {"row_id": row, "loss": 2}])
    with pytest.raises(DataError, match="no row has one clear number"):
        score(pool, path)


def test_an_absent_file_is_named_before_anything_runs(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        Imported(path=str(tmp_path / "no.csv"), column="loss").resolve(Runtime())
    with pytest.raises(DataError, match="no path"):
        Imported(path="~no-such-user-here/l.csv", column="loss").resolve(Runtime())


def test_matching_by_a_field_wants_its_name():
    with pytest.raises(ValidationError, match="wants the field"):
        Imported(path="l.csv", column="loss", match="field")


def test_the_digest_is_in_the_key_and_the_folder_is_not(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "l.csv").write_text("row_id,loss\nx,1\n")
    here, there = (Imported(path=str(f / "l.csv"), column="loss").resolve(Runtime()) for f in folders)
    assert here.path != there.path
    assert here.key_parameters() == there.key_parameters()
    assert here.resolve(Runtime()) is here
    (folders[1] / "l.csv").write_text("row_id,loss\nx,2\n")
    changed = Imported(path=str(folders[1] / "l.csv"), column="loss").resolve(Runtime())
    assert changed.key_parameters() != here.key_parameters()


def test_a_file_that_changed_after_planning_is_refused(pool, tmp_path):
    path = write(tmp_path / "l.jsonl", [{"row_id": pool.row_id(0), "loss": 1}])
    planned = Imported(path=str(path), column="loss").resolve(Runtime())
    write(path, [{"row_id": pool.row_id(0), "loss": 2}])
    with pytest.raises(DataError, match="was changed"):
        planned.score(pool, Runtime())


def test_a_relative_path_is_below_the_folder_that_the_user_stands_in(pool, tmp_path, monkeypatch):
    write(tmp_path / "l.jsonl", [{"row_id": pool.row_id(0), "loss": 1}])
    monkeypatch.setenv("CURATION_FOLDER", str(tmp_path))
    assert Imported(path="l.jsonl", column="loss").resolve(Runtime()).path == str(tmp_path / "l.jsonl")


def test_losses_from_elsewhere_make_the_same_learnability(pool, tmp_path):
    """A recipe of two imported columns and scorer/learnability, planned and run by the engine."""
    from curation.engine import run

    workspace = Workspace.open(tmp_path / "ws")
    (tmp_path / "rows.json").write_text(json.dumps([{"instruction": f"q{i}", "output": f"a{i}"} for i in range(4)]))
    dataset = workspace.add(tmp_path / "rows.json", name="rows").dataset
    initial, reference = [4.0, 2.0, 1.0, 3.0], [1.0, 2.0, 1.5, 2.7]
    rows = zip(dataset.row_ids(), initial, reference, strict=True)
    lines = [{"row_id": row, "before": before, "after": after} for row, before, after in rows]
    path = str(write(tmp_path / "losses.csv", lines))
    steps = {
        "before": {"use": "scorer/imported", "on": "$pool", "path": path, "column": "before", "note": "base"},
        "after": {"use": "scorer/imported", "on": "$pool", "path": path, "column": "after", "note": "tuned"},
        "learn": {"use": "scorer/learnability", "initial": "$before", "reference": "$after"},
    }
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$learn"})
    made = run(plan(recipe, workspace, {"pool": "rows"}), workspace).artifact("learn")
    np.testing.assert_allclose(made.values, [0.75, 0, -0.5, 0.1])
    assert (made.info["initial_model"], made.info["reference_model"]) == ("base", "tuned")


@pytest.mark.parametrize("text", ["4_5", "٣"])
def test_what_only_python_reads_as_a_number_is_none(text):
    with pytest.raises(ValueError, match="is not a number"):
        as_value(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, True, " "])
def test_what_names_nothing_is_no_key(value):
    assert as_key(value) is None


def test_an_empty_cell_of_a_table_is_not_matched_with_a_record_without_a_value():
    pool = from_pairs([("a", "b"), ("c", "d")], id=[float("nan"), 7])
    given = collect([(1, {"id": float("nan"), "x": 3.0}), (2, {"id": 7.0, "x": 4.0})], "id", ["x"])
    assert given.keyless == 1
    values, missing = join([as_key(v) for v in pool.field("id")], given, 1)
    np.testing.assert_array_equal(values[:, 0], [np.nan, 4])
    assert missing.reason(0) == "it has no value to find it by"
