"""Jobs: empty, filled, running; the card's actions are tested with the components."""

import json
import shutil

from curation import jobs
from curation.workspace import Workspace


def test_empty_jobs_page_shows_the_way(open_page, empty_workspace):
    at = open_page("jobs", empty_workspace)
    assert not at.exception
    assert any("Nothing has run yet." in m.value for m in at.markdown)
    assert "Go to Start" in [b.label for b in at.button]


def test_finished_jobs_are_listed_newest_first_with_their_steps(open_page, filled_workspace):
    at = open_page("jobs", filled_workspace)
    assert not at.exception
    titles = [m.value for m in at.markdown if m.value.startswith("**")]
    assert titles == ["**Select rows: few**", "**Remove duplicates: few**", "**First look: few**"]
    frame = at.dataframe[0].value.set_index("step")
    assert frame.loc["duplicates", "actual"] == "reused"
    assert frame.loc["pick", "method"] == "selector/k-center"
    assert any("embed" in c.value for c in at.code)


def test_states_can_be_filtered(open_page, filled_workspace, tmp_path):
    shutil.copytree(filled_workspace, tmp_path / "copy")
    workspace = Workspace.open(tmp_path / "copy")
    newest = jobs.listing(workspace)[0].id
    status = workspace.root / "jobs" / newest / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"state": "cancelled"}))
    at = open_page("jobs", workspace.root)
    at.segmented_control(key="jobs.state").set_value("cancelled").run()
    assert [b.label for b in at.button if b.key and b.key.startswith("job.")] == ["Resume", "Forget"]


def test_a_waiting_job_is_shown_here_and_in_the_sidebar_and_can_be_cancelled(
    open_page, filled_workspace, tmp_path, monkeypatch
):
    monkeypatch.setattr("curation.jobs.control._spawn", lambda workspace, job: None)
    shutil.copytree(filled_workspace, tmp_path / "copy")
    workspace = Workspace.open(tmp_path / "copy")
    job = jobs.resume(workspace, jobs.listing(workspace)[0].id)
    at = open_page("jobs", workspace.root)
    assert not at.exception
    assert len(at.sidebar.get("progress")) == 1
    at.button(key=f"job.{job.id}.Cancel").click().run()
    assert (job.folder / "cancel").exists()
