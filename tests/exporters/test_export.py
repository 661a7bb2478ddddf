from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Coverage, Labels, Missing, Score
from curation.core.errors import CurationError
from curation.core.method import discover
from curation.core.runtime import Runtime
from curation.exporters import EXPORTERS, FORMATS, Alpaca, export_rows, look, loss_mask_preview, preview_records
from curation.exporters._export import checksum_lines

OUTPUTS = {
    "alpaca": "x.json",
    "sharegpt": "x.json",
    "messages": "x.jsonl",
    "prompt_completion": "x.jsonl",
    "parquet": "x.parquet",
    "csv": "x.csv",
    "hf": "x",
    "original": "x.jsonl",
}


@pytest.fixture
def ds(make, ask):
    return make(*[ask(f"q{i}", "a" * i) for i in range(6)], records=[{"n": i} for i in range(6)])


def test_every_format_is_a_method_with_a_sentence():
    assert set(FORMATS) == set(EXPORTERS) == set(OUTPUTS)
    assert all(text.endswith(".") and len(text) > 20 for text in FORMATS.values())
    assert {f"exporter/{name.replace('_', '-')}" for name in FORMATS} <= set(discover())


@pytest.mark.parametrize("format", OUTPUTS)
def test_parameters_survive_json(format):
    method = EXPORTERS[format](path="a/b.json", name="n")
    assert type(method).model_validate_json(method.model_dump_json()) == method


@pytest.mark.parametrize("format", OUTPUTS)
def test_all_rows_and_some_rows(ds, pick, tmp_path, format):
    output = tmp_path / OUTPUTS[format]
    whole = export_rows(ds, format=format, output=output)
    assert whole.rows == 6 and Path(whole.path) == output and whole.dataset == ds.fingerprint
    some = export_rows(ds, pick(ds, [4, 2]), format=format, output=output, overwrite=True)
    assert some.rows == 2
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert set(some.files) == files and all((tmp_path / f).is_file() for f in files), "no draft is left"
    for name, digest in some.files.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_checksums_are_those_of_sha256sum(ds, tmp_path):
    if not shutil.which("sha256sum"):
        pytest.skip("sha256sum is not here")
    export_rows(ds, output=tmp_path / "odd \\name.json", trainer="llama-factory", recipe="inputs: {}\n")
    folder = tmp_path / "odd \\name.json.d"
    run = subprocess.run(["sha256sum", "-c", "checksums.txt"], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.count(": OK") == 6, run
    (folder / "README.md").write_text("changed")
    assert subprocess.run(["sha256sum", "-c", "checksums.txt"], cwd=folder, capture_output=True).returncode == 1


def test_checksum_lines_escape_as_coreutils_do():
    assert checksum_lines({"a\nb": "0", "x.d/c": "1"}, "x.d") == "\\0  ../a\\nb\n1  c\n"


def test_order_of_rows(ds, pick, tmp_path):
    selection = pick(ds, [4, 0, 2])
    for order, wanted in (("dataset", [0, 2, 4]), ("pick", [4, 0, 2])):
        made = export_rows(ds, selection, output=tmp_path / f"{order}.json", order=order)
        assert [r["n"] for r in json.loads(Path(made.path).read_text())] == wanted


def test_an_empty_selection(ds, pick, tmp_path):
    made = export_rows(ds, pick(ds, []), output=tmp_path / "x.json")
    assert made.rows == 0 and json.loads(Path(made.path).read_text()) == []


def test_nothing_is_overwritten_unasked(ds, tmp_path):
    export_rows(ds, output=tmp_path / "x.json")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(CurationError, match="exists") as error:
        export_rows(ds, output=tmp_path / "x.json")
    assert "overwrite" in error.value.hint
    (tmp_path / "x.json").unlink()
    with pytest.raises(CurationError, match=r"x\.json\.d exists"):
        export_rows(ds, output=tmp_path / "x.json")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}.items() <= before.items()


def test_a_folder_of_the_users_is_never_replaced(ds, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(CurationError, match="not written by an export"):
        export_rows(ds, format="hf", output=tmp_path / "home", overwrite=True)
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


def test_a_failure_leaves_nothing_and_keeps_what_was(ds, tmp_path):
    export_rows(ds, output=tmp_path / "x.json")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def stop(done: float, total: float, note: str = "") -> None:
        if note == "writing":
            raise CurationError("stopped")

    with pytest.raises(CurationError, match="stopped"):
        export_rows(ds, output=tmp_path / "x.json", overwrite=True, runtime=Runtime(progress=stop))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_failing_rename_puts_back_what_was(ds, tmp_path, monkeypatch):
    export_rows(ds, output=tmp_path / "x.json")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    replace = Path.replace

    def broken(self: Path, target: Path) -> Path:
        if self.name == "x.json" and self.parent.suffix == ".tmp":
            raise OSError("disk full")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        export_rows(ds, output=tmp_path / "x.json", overwrite=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_where_the_output_goes(ds, tmp_path):
    assert Path(export_rows(ds, output=tmp_path / "deep" / "er" / "x").path).name == "x.json"
    method = Alpaca()
    made = method.export(ds, Runtime(context={"folder": tmp_path, "recipe": "inputs: {}"}))
    assert Path(made.path) == tmp_path / "made.json" and (tmp_path / "made.json.d" / "recipe.yaml").is_file()
    again = method.export(ds, Runtime(context={"folder": tmp_path}))
    assert again.path == made.path, "a run may replace what it wrote before it was stopped"
    other = method.export(ds, Runtime(context={"folder": tmp_path, "step": "second"}))
    assert Path(other.path).name == "made-second.json"
    with pytest.raises(CurationError, match="no output"):
        method.export(ds, Runtime())
    (tmp_path / "file").write_text("")
    with pytest.raises(CurationError, match="is a file"):
        export_rows(ds, output=tmp_path / "file" / "x.json")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "xml"}, "no format 'xml'"),
        ({"cutoff_len": 2}, "cutoff_len"),
        ({"nonsense": 1}, "nonsense"),
        ({"output": "x.parquet"}, "written as .json"),
        ({"format": "csv", "output": "x.json"}, "written as .csv"),
        ({"drop_unusable": True}, "needs a trainer"),
        ({"trainer": "trl"}, "no Alpaca columns"),
        ({"format": "hf", "trainer": "llama-factory", "output": "x"}, "save_to_disk"),
        ({"trainer": "llama-factory", "tokenizer": "/nowhere/at/all"}, "tokenizer"),
    ],
)
def test_mistakes_are_named(ds, tmp_path, options, said):
    given = {"output": "x.json", **options}
    with pytest.raises(CurationError, match=said) as error:
        export_rows(ds, **{**given, "output": tmp_path / given["output"]})
    assert error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_artifacts_of_another_dataset_are_refused(ds, make, ask, pick, tmp_path):
    other = make(ask("x", "y"))
    score = Score(other.fingerprint, np.zeros(1), Missing.none(1), "s")
    labels = Labels.from_values(other.fingerprint, ["a"])
    cover = Coverage(other.fingerprint, {}, np.empty(0, np.int64))
    for given in (
        {"selection": pick(other, [0])},
        {"scores": {"s": score}},
        {"labels": {"l": labels}},
        {"coverage": cover},
    ):
        with pytest.raises(CurationError, match="another dataset"):
            export_rows(ds, output=tmp_path / "x.json", **given)


def test_unusable_rows_can_be_left_out(make, ask, tmp_path):
    ds = make(ask("q", "a"), ask("q"), [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}])
    kept = export_rows(ds, output=tmp_path / "a.json", trainer="llama-factory")
    assert kept.rows == 3 and kept.info["trainer"]["used"] == 2
    assert kept.info["check"] == "2 of 3 will be used; 1 dropped: 1 empty output"
    cleaned = export_rows(ds, output=tmp_path / "b.json", trainer="llama-factory", drop_unusable=True)
    assert cleaned.rows == cleaned.info["trainer"]["used"] == 2
    assert cleaned.info["left_out"] == {"llama-factory does not use: empty output": 1}
    assert (tmp_path / "b.json.d" / "not_in_file.jsonl").is_file()


def test_look_is_what_export_writes(make, ask, tmp_path):
    ds = make(ask("q", "a"), ask("q1", "a1", "q2", "a2"), records=[{"prompt": 1}, {"prompt": 2}])
    seen = look(ds, format="alpaca", trainer="llama-factory", count=2)
    made = export_rows(ds, format="alpaca", trainer="llama-factory", output=tmp_path / "x.json")
    assert [p.record for p in seen.first] == json.loads(Path(made.path).read_text())
    assert seen.report is not None and seen.report.sentence() == made.info["check"]
    assert list(seen.columns) == made.info["columns"] and seen.rows == made.rows


def test_first_records_at_once(make, ask):
    ds = make(ask("q", "a"), [{"role": "user", "content": "q"}, {"role": "tool", "content": "r"}], ask("r", "b"))
    first, second = preview_records(ds, np.array([2, 1, 0]), format="alpaca", count=2)
    assert first.row == 2 and first.record["instruction"] == "r"
    assert second.record is None and second.problem == "alpaca cannot say: tool calls"
    assert preview_records(ds, format="original", count=1)[0].record == ds.record(0)


def test_loss_mask(ask):
    reading = loss_mask_preview(
        {"instruction": "q2", "input": "", "output": "a2", "history": [["q1", "a1"]]},
        format="alpaca",
        trainer="llama-factory",
    )
    assert [(s.text, s.trained) for s in reading.segments] == [
        ("q1", False),
        ("a1", True),
        ("q2", False),
        ("a2", True),
    ]
    assert loss_mask_preview({"messages": []}, format="messages", trainer="trl").verdict == "stops"


def test_the_folder_of_a_run_is_found_by_the_recipe_engine(ds, tmp_path):
    context = {
        "folder": tmp_path,
        "recipe": "inputs: {}\n",
        "command": "curate run recipe.yaml",
        "results": [{"name": "embed", "use": "encoder/sentence", "seconds": 1.25, "reused": True}],
    }
    made = Alpaca(path=str(tmp_path / "x.json")).export(ds, Runtime(context=context))
    card = Path(made.path + ".d", "README.md").read_text()
    assert "curate run recipe.yaml" in card and "| embed | encoder/sentence | 1.2 | yes |" in card
