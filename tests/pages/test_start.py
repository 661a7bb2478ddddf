"""Start: every step of the guided path, empty, under way and done."""

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from curation import jobs
from curation.ui import export_write, guide
from curation.ui.export_write import Order, zipped
from curation.ui.import_panel import safe_name
from curation.ui.start_view import duplicate_examples
from curation.workspace import Workspace


def labels(at):
    return [b.label for b in at.button]


def text(at):
    parts = [*at.markdown, *at.title, *at.subheader, *at.caption, *at.success, *at.info, *at.warning]
    return "\n".join(str(part.value) for part in parts)


@pytest.fixture
def workspace(filled_workspace, tmp_path):
    """A copy of the filled workspace that a test may change."""
    shutil.copytree(filled_workspace, tmp_path / "copy")
    return Workspace.open(tmp_path / "copy")


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    """Estimates come from what ran before; a measurement would go on after the test."""
    monkeypatch.setattr("curation.ui.measure.start", lambda *args, **kwargs: subprocess.Popen(["true"]))


# ------------------------------------------------------------------ empty


def test_empty_start_offers_a_file_and_the_demo(open_page, empty_workspace):
    at = open_page("start", empty_workspace)
    assert not at.exception
    assert at.title[0].value == "Keep the rows that teach"
    assert "Try the demo" in labels(at)
    assert at.get("file_uploader")
    assert not at.error


def test_one_click_opens_the_demo(open_page, empty_workspace):
    at = open_page("start", empty_workspace)
    at.button(key="start.demo").click().run()
    assert not at.exception
    assert at.metric[0].value == "1,000"
    assert at.query_params["dataset"] == "demo"
    assert "Draw the map" in labels(at)


def test_a_named_path_is_previewed_and_added(open_page, empty_workspace, few_rows):
    at = open_page("start", empty_workspace)
    at.text_input(key="start.import.path").set_value(str(few_rows)).run()
    assert not at.exception
    tiles = {m.label: m.value for m in at.metric}
    assert tiles == {"Records": "121", "Would be rejected": "1", "Read as": "alpaca"}
    assert at.dataframe[0].value["prompt"].tolist()[3].startswith("![x](http://evil.test")
    assert at.dataframe[1].value["why"].tolist() == ["is missing"]
    assert at.dataframe[1].value["line"].tolist() == [6]
    at.button(key="start.import.add").click().run()
    assert not at.exception
    assert Workspace.open(empty_workspace).datasets()[0].name == "few"
    assert {m.label: m.value for m in at.metric}["Rejected"] == "1"


def test_an_uploaded_file_is_added_under_its_own_name_and_its_copy_removed(open_page, empty_workspace, few_rows):
    at = open_page("start", empty_workspace)
    at.get("file_uploader")[0].upload("../../few.jsonl", few_rows.read_bytes(), "application/json")
    at.run()
    assert not at.exception
    at.button(key="start.import.add").click().run()
    assert not at.exception
    info = Workspace.open(empty_workspace).datasets()[0]
    assert (info.name, info.rows) == ("few", 120)
    assert not [f for f in (empty_workspace / "tmp").rglob("*") if f.is_file()]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.json", "a.json"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.csv", "y.csv"),
        (".hidden", "hidden"),
        ("..", "file"),
    ],
)
def test_upload_names_stay_in_their_folder(name, safe):
    assert safe_name(name) == safe


def test_a_file_that_cannot_be_read_is_an_error_with_a_hint(open_page, empty_workspace, tmp_path):
    bad = tmp_path / "empty.json"
    bad.write_text("")
    at = open_page("start", empty_workspace)
    at.text_input(key="start.import.path").set_value(str(bad)).run()
    assert not at.exception
    assert at.error
    assert "Add these rows" not in labels(at)


def test_unknown_fields_can_be_named(open_page, empty_workspace, tmp_path):
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"ask": "a?", "say": "b", "n": 1}\n{"ask": "c?", "say": "d", "n": 2}\n')
    at = open_page("start", empty_workspace)
    at.text_input(key="start.import.path").set_value(str(odd)).run()
    assert "known form" in at.error[0].value
    key = "start.import.preview.0"
    at.selectbox(key=f"{key}.form").set_value("prompt-completion").run()
    at.selectbox(key=f"{key}.prompt-completion.prompt").set_value("ask")
    at.selectbox(key=f"{key}.prompt-completion.response").set_value("say").run()
    at.button(key=f"{key}.apply").click().run()
    assert not at.exception
    assert not at.error
    assert at.dataframe[0].value["response"].tolist() == ["b", "d"]
    at.button(key="start.import.add").click().run()
    workspace = Workspace.open(empty_workspace)
    assert workspace.dataset("odd").texts("prompt") == ["a?", "c?"]


# ------------------------------------------------------------------ the path


def test_only_the_next_step_can_be_taken(open_page, empty_workspace, few_rows):
    Workspace.open(empty_workspace).add(few_rows, name="few")
    at = open_page("start", empty_workspace)
    assert not at.exception
    assert "Draw the map" in labels(at)
    assert not {"Find and remove duplicates", "Select rows", "Export"} & set(labels(at))


def test_a_click_starts_the_stage_as_a_job(open_page, empty_workspace, few_rows, monkeypatch):
    started = []
    monkeypatch.setattr("curation.jobs.control._spawn", lambda workspace, job: started.append(job.id))
    Workspace.open(empty_workspace).add(few_rows, name="few")
    at = open_page("start", empty_workspace)
    at.button(key="start.look").click().run()
    assert not at.exception
    status = jobs.status(Workspace.open(empty_workspace), started[0])
    assert (status.title, status.state) == ("First look: few", "queued")
    assert "Draw the map" not in labels(at)
    assert "Cancel" in labels(at)


def test_a_failed_stage_says_why_and_can_be_tried_again(open_page, workspace):
    at = open_page("start", workspace.root)
    assert "Export" in labels(at)
    pick = guide.progress(workspace, workspace.dataset("few"))["pick"].status
    status = workspace.root / "jobs" / pick.id / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"state": "failed", "message": "disk *full*"}))
    at = open_page("start", workspace.root)
    assert not at.exception
    assert "disk \\*full\\*" in at.error[0].value
    assert {"Resume", "Select rows"} <= set(labels(at))
    assert "Export" not in labels(at)


def test_everything_found_is_shown(open_page, filled_workspace):
    at = open_page("start", filled_workspace)
    assert not at.exception
    tiles = {m.label: m.value for m in at.metric}
    assert tiles["Rows"] == "120"
    assert tiles["Selected"] == "20"
    assert sum(int(tiles[name]) for name in ("Stay", "Copies", "Empty answers", "Refusals")) == 120
    assert {"Covering radius", "Clusters reached", "Share within reach"} & set(tiles)
    assert len(at.get("plotly_chart")) == 2
    assert all(f"{name}.seen" in at.session_state for name in ("start.map", "start.picks")), "two maps"
    assert text(at).count("after the step before") == 0


def test_pruned_results_make_a_stage_open_again(open_page, workspace):
    keys = guide.progress(workspace, workspace.dataset("few"))["pick"].keys
    shutil.rmtree(workspace.root / "results" / keys["map"])
    at = open_page("start", workspace.root)
    assert not at.exception
    assert "Export" not in labels(at)


def test_the_last_click_writes_files_and_shows_the_command(open_page, workspace):
    at = open_page("start", workspace.root)
    at.button(key="start.export").click().run()
    assert not at.exception
    assert any("20 rows written" in s.value for s in at.success)
    shown = [c.value for c in at.code]
    assert any("llamafactory-cli train" in c for c in shown)
    written = next(Path(c) for c in shown if c.endswith("few.json"))
    assert written.is_file()


@pytest.mark.parametrize("form", ["alpaca", "original", "messages"])
def test_the_zip_has_every_file(filled_workspace, tmp_path, form):
    workspace = Workspace.open(filled_workspace)
    order = Order(None, form, "none" if form == "original" else "llama-factory")
    target = tmp_path / ("few" if form == "original" else "few.json")
    written = export_write.write(workspace, workspace.dataset("few"), order, target)
    names = zipfile.ZipFile(io.BytesIO(zipped(Path(written.path)))).namelist()
    assert set(written.files) == set(names)


# ------------------------------------------------------------------ the guide


def test_a_stage_has_only_the_steps_it_needs():
    assert set(guide.stage_recipe("look").steps) == {"words", "near", "preview", "length"}
    unique = guide.stage_recipe("unique", similarity=0.9)
    assert unique.result == "$answered"
    assert unique.steps["duplicates"]["min_similarity"] == 0.9
    assert "embed" not in unique.steps
    pick = guide.stage_recipe("pick", budget="5%")
    assert set(unique.steps) <= set(pick.steps)
    assert pick.steps["pick"]["budget"] == "5%"
    assert not any(str(s["use"]).startswith("exporter/") for s in pick.steps.values())


def test_progress_is_read_from_the_jobs_on_disk(filled_workspace):
    workspace = Workspace.open(filled_workspace)
    done = guide.progress(workspace, workspace.dataset("few"))
    assert [stage for stage, p in done.items() if p.done] == list(guide.STAGES)
    assert guide.budget_of(done["pick"]) == 20


def test_the_format_is_the_one_the_file_came_in(filled_workspace):
    assert guide.default_format(Workspace.open(filled_workspace).dataset("few")) == "alpaca"


def test_examples_are_the_least_alike_pairs(filled_workspace):
    workspace = Workspace.open(filled_workspace)
    dataset = workspace.dataset("few")
    unique = guide.loaded(workspace, guide.progress(workspace, dataset)["unique"], "unique")
    found = duplicate_examples(dataset, unique)
    assert len(found) == min(4, len(dataset) - len(unique))
    alike = [f["alike"] for f in found]
    assert alike == sorted(alike)
    assert all(f["row"] != f["stays as row"] for f in found)
