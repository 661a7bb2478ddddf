"""Jobs: own process, cancel, kill -9 and resume, lost, one at a time."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from curation import jobs
from curation.core.dataset import Row
from curation.core.errors import CurationError, RecipeError
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
    segments = (workspace.root / "rows" / made.steps[0].rows_key).glob("*/manifest.json")
    return sum(json.loads(s.read_text())["rows"] for s in segments)


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
  length: {use: scorer/length, on: $pool}
  none:   {use: selector/threshold, score: $length, above: 1.0e+9}
  pick:   {use: selector/random, within: $none, budget: 5}
result: $pick
"""
    job = jobs.start(workspace, Recipe.read(text), {"pool": "rows"})
    failed = wait(workspace, job.id, lambda s: s.ended)
    assert failed.state == "failed"
    assert "no row is eligible" in failed.message
    assert "outside `none`" in failed.hint


def test_running_job_cannot_be_deleted_and_unknown_is_told(workspace):
    with pytest.raises(CurationError, match="no job"):
        jobs.status(workspace, "nothing")
    with pytest.raises(CurationError, match="no job"):
        jobs.status(workspace, "../datasets")
