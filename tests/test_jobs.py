"""Jobs: own process, cancel, kill -9 and resume, lost, one at a time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from curation import jobs
from curation.core.dataset import Row
from curation.core.errors import CurationError, RecipeError
from curation.core.spending import Caps
from curation.jobs.control import caps_of
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

SLOW = """
inputs: {pool: Dataset}
steps:
  mtld:   {use: scorer/mtld, on: $pool, text: both}
result: $mtld
"""


def long_rows(n: int) -> list[Row]:
    """Rows that take a while: lexical diversity of long texts."""
    made = []
    for i in range(n):
        words = [f"word{(i * 31 + k * k) % 997}" for k in range(700)]
        prompt, response = f"Question {i}?", " ".join(words)
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        made.append(Row(messages, json.dumps({"instruction": prompt, "output": response}), "rows", i, "alpaca"))
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    ws = Workspace.open(tmp_path / "ws")
    ws.add_rows(long_rows(3000), "rows")
    return ws


def wait(workspace: Workspace, job_id: str, until, seconds: float = 90) -> jobs.Status:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = jobs.status(workspace, job_id)
        if until(status):
            return status
        time.sleep(0.1)
    raise AssertionError(f"still {status.state} after {seconds} s\n{jobs.read_log(workspace, job_id)}")


def stored_rows(workspace: Workspace) -> int:
    made = plan(Recipe.read(SLOW), workspace, {"pool": "rows"})
    found: set[bytes] = set()  # while segments are joined, a row may be stored twice for a moment
    for file in (workspace.root / "rows" / made.steps[0].rows_key).glob("*/ids.npy"):
        with contextlib.suppress(FileNotFoundError):
            found |= set(np.load(file).tolist())
    return len(found)


def test_killed_job_is_lost_and_resumes_without_recomputing(workspace, monkeypatch):
    monkeypatch.setenv("CURATION_SEGMENT_SECONDS", "0.2")
    job = jobs.start(workspace, Recipe.read(SLOW), {"pool": "rows"})
    running = wait(workspace, job.id, lambda s: s.state == "running" and stored_rows(workspace) > 200)
    os.kill(running.pid, signal.SIGKILL)
    lost = wait(workspace, job.id, lambda s: s.ended)
    assert lost.state == "lost"
    kept = stored_rows(workspace)
    assert 200 < kept < 3000
    again = jobs.resume(workspace, job.id)
    done = wait(workspace, again.id, lambda s: s.ended)
    assert done.state == "done", done.message
    assert done.steps[0]["rows_reused"] == kept
    assert done.steps[0]["rows"] == 3000 - kept


def test_cancel_stops_and_keeps_what_was_finished(workspace, monkeypatch):
    monkeypatch.setenv("CURATION_SEGMENT_SECONDS", "0.2")
    job = jobs.start(workspace, Recipe.read(SLOW), {"pool": "rows"})
    wait(workspace, job.id, lambda s: s.state == "running" and stored_rows(workspace) > 100)
    jobs.cancel(workspace, job.id)
    ended = wait(workspace, job.id, lambda s: s.ended)
    assert ended.state == "cancelled"
    assert stored_rows(workspace) > 100


def test_second_job_waits_its_turn(workspace):
    with workspace.lock("cpu"):
        job = jobs.start(workspace, Recipe.read(SLOW), {"pool": "rows"}, device="cpu")
        queued = wait(workspace, job.id, lambda s: s.note != "")
        assert (queued.state, "another job" in queued.note) == ("queued", True)
        jobs.cancel(workspace, job.id)
        assert wait(workspace, job.id, lambda s: s.ended).state == "cancelled"


def test_mistakes_are_told_before_a_job_exists(workspace):
    with pytest.raises(RecipeError):
        jobs.start(workspace, Recipe.read(SLOW).with_settings(["mtld.txet=both"]), {"pool": "rows"})
    assert jobs.listing(workspace) == []


def test_failed_job_tells_message_and_hint(workspace):
    text = """
inputs: {pool: Dataset}
steps:
  absent: {use: scorer/column, on: $pool, field: nowhere}
  pick:   {use: selector/top-k, score: $absent, budget: 5}
result: $pick
"""
    job = jobs.start(workspace, Recipe.read(text), {"pool": "rows"})
    failed = wait(workspace, job.id, lambda s: s.ended)
    assert failed.state == "failed"
    assert "no record has the field" in failed.message
    assert "fields:" in failed.hint


def test_running_job_cannot_be_deleted_and_unknown_is_told(workspace):
    with pytest.raises(CurationError, match="no job"):
        jobs.status(workspace, "nothing")
    with pytest.raises(CurationError, match="no job"):
        jobs.status(workspace, "../datasets")


@pytest.fixture
def small(tmp_path: Path) -> Workspace:
    ws = Workspace.open(tmp_path / "small ws")
    ws.add_rows(long_rows(3), "rows")
    return ws


LENGTH = "inputs: {pool: Dataset}\nsteps: {l: {use: scorer/length, on: $pool}}\nresult: $l\n"


def written(workspace: Workspace, name: str, **facts: object) -> str:
    """A job whose process last said `facts`."""
    job = jobs.create(workspace, Recipe.read(LENGTH), {"pool": "rows"}, title=name)
    path = job.folder / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))
    return job.id


def test_who_runs_and_who_is_lost(small):
    me = psutil.Process()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    psutil.Process(zombie.pid).create_time()
    made = psutil.Process(zombie.pid).create_time()
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    now = time.time()
    expected = {
        written(small, "alive", state="running", pid=me.pid, pid_created=me.create_time()): "running",
        written(small, "reused pid", state="running", pid=me.pid, pid_created=me.create_time() - 900): "lost",
        written(small, "gone", state="running", pid=999_999_999, pid_created=1.0): "lost",
        written(small, "zombie", state="running", pid=zombie.pid, pid_created=made): "lost",
        written(small, "just started", updated=now): "queued",
        written(small, "never began", updated=now - 300): "lost",
        written(small, "clock went back", updated=now + 86_400): "lost",
        written(small, "ended", state="done", pid=999_999_999): "done",
    }
    zombie.wait()
    assert {s.id: s.state for s in jobs.listing(small)} == expected


def test_a_damaged_status_is_a_lost_job_that_can_be_resumed(small):
    job = jobs.create(small, Recipe.read(LENGTH), {"pool": "rows"}, title="mine")
    (job.folder / "status.json").write_text('{"id": "x", "sta')
    (seen,) = jobs.listing(small)
    assert (seen.title, seen.state) == ("mine", "lost")
    again = jobs.resume(small, job.id)
    assert wait(small, again.id, lambda s: s.ended).state == "done"


def test_a_status_from_a_newer_version_can_be_read(small):
    job_id = written(small, "new", state="done", something_new=1)
    assert jobs.status(small, job_id).state == "done"


def test_five_hundred_jobs_are_listed_in_a_moment(small):
    template = jobs.create(small, Recipe.read(LENGTH), {"pool": "rows"}).folder
    text = {name: (template / name).read_text() for name in ("status.json", "job.json", "recipe.yaml")}
    for i in range(500):
        folder = small.root / "jobs" / f"20250101-000000-{i:04x}"
        folder.mkdir()
        for name, content in text.items():
            (folder / name).write_text(content.replace('"queued"', '"done"').replace(template.name, folder.name))
    start = time.process_time()
    assert len(jobs.listing(small)) == 501
    assert time.process_time() - start < 1.0


def test_status_is_valid_json_even_where_nothing_is_known(small):
    job, outcome = jobs.run_here(small, Recipe.read(LENGTH), {"pool": "rows"}, title="a\nb")

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    facts = json.loads((job.folder / "status.json").read_text(), parse_constant=refuse)
    assert facts["estimates"][0]["basis"] == "unknown"
    assert facts["estimates"][0]["seconds"] is None
    assert facts["title"] == "a b"
    assert outcome.result.key in facts["keys"]


def test_ctrl_c_is_a_cancelled_job_and_exit_code_130(workspace):
    command = [sys.executable, "-m", "curation.cli", "score", "mtld", "--set", "text=both"]
    process = subprocess.Popen(
        [*command, "--workspace", str(workspace.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a shell ignores the signal for what it starts in the background, and that is inherited
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    end = time.monotonic() + 60
    while not any(s.state == "running" for s in jobs.listing(workspace)) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; what was finished is stored" in said
    assert "Traceback" not in said
    assert [s.state for s in jobs.listing(workspace)] == ["cancelled"]


def test_a_device_that_is_none_is_refused_before_a_job_exists(small):
    with pytest.raises(CurationError, match="'gpu' is no device"):
        jobs.start(small, Recipe.read(LENGTH), {"pool": "rows"}, device="gpu")
    assert jobs.listing(small) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "x\0", "y" * 5000])
def test_strange_job_names_are_unknown(small, name):
    with pytest.raises(CurationError, match="no job"):
        jobs.status(small, name)


# ---------------------------------------------------------------------- what asking may cost


def test_caps_are_told_and_a_resumed_job_has_them_again(workspace: Workspace) -> None:
    job = jobs.create(workspace, Recipe.read(SLOW), {}, caps=Caps(money=2.5, calls=100))
    assert jobs.status(workspace, job.id).caps == {"money": 2.5, "tokens": None, "calls": 100}
    facts = json.loads((job.folder / "job.json").read_text())
    assert caps_of(facts) == Caps(money=2.5, calls=100)
    assert caps_of({"title": "of an older version"}) == Caps()
