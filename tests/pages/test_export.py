"""The Export page: preview, trainer check, writing."""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation import jobs
from curation.core.artifacts import Selection
from curation.jobs import running
from curation.ui.export_job import read_back
from curation.ui.export_view import sample_of
from curation.ui.export_write import Order, write
from curation.workspace import Workspace


def texts(at):
    return " ".join(str(e.value) for kind in (at.markdown, at.caption, at.success, at.warning) for e in kind)


def test_without_a_dataset_it_shows_the_way(open_page, empty_workspace):
    at = open_page("export", empty_workspace)
    assert not at.exception
    assert "There are no rows here yet" in texts(at)


@pytest.fixture
def filled(open_page, made_workspace):
    at = open_page("export", made_workspace)
    assert not at.exception
    return at


def test_the_newest_selection_is_checked_and_shown(filled):
    assert "20 of 20 will be used" in texts(filled)
    assert len([c for c in filled.code if c.language == "json"]) == 3


def test_all_rows_can_be_exported(filled):
    at = filled.selectbox(key="export.selection").select("").run()
    assert "60 rows" in at.selectbox(key="export.selection").value or "of 60 will be used" in texts(at)


@pytest.mark.parametrize("form", ["alpaca", "sharegpt", "messages", "prompt_completion", "parquet", "csv", "original"])
def test_every_format_has_a_preview(filled, form):
    at = filled.selectbox(key="export.format").select(form).run()
    assert not at.exception
    assert not at.error
    assert "First records" in texts(at)


@pytest.mark.parametrize(("trainer", "form"), [("axolotl", "alpaca"), ("trl", "messages"), ("none", "alpaca")])
def test_every_trainer(filled, trainer, form):
    filled.selectbox(key="export.format").select(form).run()
    at = filled.segmented_control(key="export.trainer").set_value(trainer).run()
    assert not at.exception
    assert ("will be used" in texts(at)) == (trainer != "none")


def test_a_form_that_the_trainer_cannot_read_is_an_error_with_a_hint(filled):
    at = filled.segmented_control(key="export.trainer").set_value("trl").run()
    assert not at.exception
    assert len(at.error) == 1
    assert "lightbulb" in texts(at)


def test_writing_relative_to_where_the_app_was_started(filled, tmp_path, monkeypatch, made_workspace):
    monkeypatch.setenv("CURATION_FOLDER", str(tmp_path))
    at = filled.text_input(key="export.folder").set_value("out").run()
    at.button(key="export.run").click().run()
    assert not at.exception
    assert "20 rows written" in texts(at)
    records = json.loads((tmp_path / "out" / "made-20.json").read_text())
    workspace = Workspace.open(made_workspace)
    info = next(r for r in workspace.results() if r.use == "selector/k-center")
    rows = sorted(workspace.load(info.key).order.tolist())
    dataset = workspace.dataset("made")
    assert [r["instruction"] for r in records] == [dataset.record(i)["instruction"] for i in rows]
    assert any("llamafactory-cli train" in c.value for c in at.code)
    assert any("file_name" in c.value for c in at.code), "the entry for dataset_info.json"

    at.button(key="export.run").click().run()
    assert any("exists" in e.value for e in at.error)
    at.checkbox(key="export.replace").check().run()
    at.button(key="export.run").click().run()
    assert not at.error


def test_a_name_is_no_way_out_of_the_folder(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_FOLDER", str(tmp_path))
    filled.text_input(key="export.folder").set_value("out").run()
    filled.text_input(key="export.name.made-20.json").set_value("../made.json").run()
    at = filled.button(key="export.run").click().run()
    assert any("is not a file name" in e.value for e in at.error)
    assert not (tmp_path / "made.json").exists()


def test_of_many_rows_a_sample_is_checked_at_once_and_all_when_asked(open_page, made_workspace, monkeypatch):
    monkeypatch.setattr("curation.ui.export_view.CHECK_AT_ONCE", 12)
    at = open_page("export", made_workspace)
    assert "an even sample of 12 of 20 rows" in texts(at)
    assert "12 of 12 will be used" in texts(at)
    at = at.toggle(key="export.check").set_value(True).run()
    assert "20 of 20 will be used" in texts(at)
    assert "sample" not in texts(at)
    monkeypatch.setattr("curation.ui.export_view.CHECK_MOST", 19)
    at = open_page("export", made_workspace)
    assert "all are checked while they are written" in texts(at)
    assert "export.check" not in [t.key for t in at.toggle]


def test_the_sample_keeps_the_order_of_the_picks_and_its_first(made_workspace):
    workspace = Workspace.open(made_workspace)
    dataset = workspace.dataset("made")
    order = np.random.default_rng(0).permutation(60)
    picked = Selection(dataset.fingerprint, 60, order)
    found = sample_of(dataset, picked, 7).order
    places = [order.tolist().index(row) for row in found]
    assert places == sorted(places)
    assert (len(found), places[0], places[-1]) == (7, 0, 59)
    assert sample_of(dataset, None, 100).order.tolist() == list(range(60))
    assert len(sample_of(dataset, Selection(dataset.fingerprint, 60, order[:0]), 5)) == 0


def test_many_rows_are_written_by_a_job_and_what_it_wrote_is_read_back(
    open_page, made_workspace, tmp_path, monkeypatch
):
    shutil.copytree(made_workspace, tmp_path / "copy")
    workspace = Workspace.open(tmp_path / "copy")
    monkeypatch.setattr("curation.ui.export_job.AT_ONCE", 10)
    spawned = []
    monkeypatch.setattr("curation.jobs.control._spawn", lambda workspace, job: spawned.append(job))
    monkeypatch.setenv("CURATION_FOLDER", str(tmp_path))
    at = open_page("export", workspace.root)
    at.text_input(key="export.folder").set_value("out").run()
    at.button(key="export.run").click().run()
    assert not at.exception
    assert "rows written" not in texts(at)
    assert "Cancel" in [b.label for b in at.button]
    assert jobs.status(workspace, spawned[0].id).title == "Export: made, made-20.json"

    running._carry_out(workspace, spawned[0])
    at = open_page("export", workspace.root)
    assert not at.exception
    assert "20 rows written" in texts(at)
    assert "Pack all files for download" in [b.label for b in at.button]
    written = read_back(tmp_path / "out" / "made-20.json", "llama-factory", "")
    assert written.rows == 20
    assert written.info["check"] == "20 of 20 will be used"
    for name, digest in written.files.items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    scores = pq.read_schema(tmp_path / "out" / "made-20.json.d" / "decisions.parquet").names
    assert {"length", "compression"} & set(scores)


def test_packing_makes_a_whole_archive_at_once(tmp_path, made_workspace):
    workspace = Workspace.open(made_workspace)
    made = write(workspace, workspace.dataset("made"), Order(None, "alpaca"), tmp_path / "all.json")
    command = [sys.executable, "-m", "curation.ui.pack", made.path, str(tmp_path / "all.zip")]
    subprocess.run(command, check=True, timeout=60)
    assert set(zipfile.ZipFile(tmp_path / "all.zip").namelist()) == set(made.files)
    assert not list(tmp_path.glob("*.part"))
