"""A run that goes on after a failure: what does not read the failed step is finished, and all else is told."""

from __future__ import annotations

import errno
import json

import pytest

from curation import jobs
from curation.core.dataset import Row
from curation.core.errors import CurationError, JobCancelled
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.scorers.length import Length
from curation.workspace import Workspace

BRANCHES = """
inputs: {pool: Dataset}
steps:
  chance: {use: selector/random, on: $pool, budget: 5}
  broken: {use: labeller/column, on: $pool, field: nowhere}
  picked: {use: selector/where, labels: $broken, values: [a]}
  within: {use: selector/random, on: $pool, within: $picked, budget: 2}
  length: {use: scorer/length, on: $pool}
  long:   {use: selector/top-k, score: $length, keep: highest, budget: 3}
result: $chance
"""


@pytest.fixture
def workspace(tmp_path):
    made = Workspace.open(tmp_path / "ws")
    rows = []
    for i in range(20):
        messages = [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": "word " * i}]
        rows.append(Row(messages, json.dumps({"instruction": f"q{i}", "output": "word " * i}), "rows", i, "alpaca"))
    made.add_rows(rows, "rows")
    return made


def planned(workspace, text=BRANCHES):
    return plan(Recipe.read(text), workspace, {"pool": "rows"})


def test_independent_steps_are_finished(workspace):
    told = []
    outcome = run(planned(workspace), workspace, Runtime(), go_on=True, failed_step=told.append)
    assert [s.name for s in outcome.steps] == ["chance", "length", "long"]
    assert told == outcome.failed
    assert [(f.name, f.because) for f in outcome.failed] == [
        ("broken", ""),
        ("picked", "broken"),
        ("within", "broken"),
    ]
    assert "nowhere" in outcome.failed[0].message
    assert "'broken' failed" in outcome.failed[1].message
    assert len(outcome.artifact("long")) == 3


def test_without_it_the_first_failure_ends_the_run(workspace):
    with pytest.raises(CurationError, match="nowhere"):
        run(planned(workspace), workspace, Runtime())
    assert not [r for r in workspace.results() if r.step == "length"]


def test_a_result_that_cannot_be_made_is_an_error_after_all_else_is_done(workspace):
    with pytest.raises(CurationError, match="nowhere"):
        run(planned(workspace, BRANCHES.replace("result: $chance", "result: $within")), workspace, go_on=True)
    assert [r.step for r in workspace.results() if r.step == "long"] == ["long"]


def test_a_bug_in_one_method_is_told_and_the_others_go_on(workspace, monkeypatch):
    def broken(self, *args, **more):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Length, "score", broken)
    outcome = run(planned(workspace), workspace, Runtime(), go_on=True)
    bug = next(f for f in outcome.failed if f.name == "length")
    assert "ZeroDivisionError: oops" in bug.message
    assert "bug" in bug.hint
    assert [f.because for f in outcome.failed if f.name == "long"] == ["length"]
    assert [s.name for s in outcome.steps] == ["chance"]


@pytest.mark.parametrize("error", [JobCancelled("cancelled"), OSError(errno.ENOSPC, "no space", "here")])
def test_a_cancelled_job_and_a_full_disk_end_the_run(workspace, monkeypatch, error):
    def stopped(self, *args, **more):
        raise error

    monkeypatch.setattr(Length, "score", stopped)
    with pytest.raises(CurationError) as caught:
        run(planned(workspace), workspace, Runtime(), go_on=True)
    assert "cancelled" in str(caught.value) or "disk is full" in str(caught.value)


def test_the_job_is_done_and_says_what_is_missing(workspace):
    job, outcome = jobs.run_here(workspace, Recipe.read(BRANCHES), {"pool": "rows"}, go_on=True)
    status = jobs.status(workspace, job.id)
    assert status.state == "done"
    assert [f["name"] for f in status.failed] == ["broken", "picked", "within"]
    assert status.message.startswith("3 of 6 steps have no result: ")
    assert status.result == outcome.result.key


def test_a_job_without_it_fails_and_one_with_it_is_resumed_with_it(workspace):
    with pytest.raises(CurationError):
        jobs.run_here(workspace, Recipe.read(BRANCHES), {"pool": "rows"})
    assert jobs.listing(workspace)[0].state == "failed"
    job, _ = jobs.run_here(workspace, Recipe.read(BRANCHES), {"pool": "rows"}, go_on=True)
    again = jobs.resume(workspace, job.id)
    assert json.loads((again.folder / "job.json").read_text())["go_on"] is True
