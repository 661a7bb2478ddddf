"""What a job is doing, read from its files."""

from __future__ import annotations

import dataclasses
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.saving import to_json
from curation.workspace import Workspace, write_atomically
from curation.workspace.files import folders, read_facts
from curation.workspace.pruning import unfinished

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
ENDED = ("done", "failed", "cancelled", "lost")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True)
class Status:
    """What a job is doing, as its process last said.

    Args:
        id: Of the job.
        title: For people.
        state: See State; "lost" is found out by the reader when the process is gone.
        step: Name of the running step.
        step_index: 0-based.
        step_count: How many.
        done: Work done in this step.
        total: Work of this step.
        rate: Work per second in this step.
        seconds_left: Of this step, None while unknown.
        note: What it waits for, or is doing.
        started: Seconds since 1970.
        updated: Of the last word.
        finished: None while it runs.
        message: Of the error, if it failed.
        hint: What to do about it.
        dataset: Name of the first bound dataset.
        datasets: Fingerprints.
        result: Key of the result, when done.
        result_step: Name of the result's step.
        steps: StepFact of each finished step.
        failed: FailedStep of each step that a job which goes on after failures had to do without.
        estimates: Estimate of each step, made before the run.
        keys: Of everything the plan makes, so that `prune` keeps what a killed job would need again.
        spent: What asking chat models took so far in this run, see `core.spending.Meter`.
        caps: What it may take at most: money, tokens, calls.
        pid: Of the process.
        pid_created: Start time of the process: a reused pid does not count.
    """

    id: str
    title: str
    state: State
    step: str = ""
    step_index: int = 0
    step_count: int = 0
    done: float = 0.0
    total: float = 0.0
    rate: float = 0.0
    seconds_left: float | None = None
    note: str = ""
    started: float = 0.0
    updated: float = 0.0
    finished: float | None = None
    message: str = ""
    hint: str = ""
    dataset: str = ""
    datasets: list[str] = field(default_factory=list)
    result: str = ""
    result_step: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    estimates: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    spent: dict[str, Any] = field(default_factory=dict)
    caps: dict[str, Any] = field(default_factory=dict)
    pid: int = 0
    pid_created: float = 0.0

    @property
    def ended(self) -> bool:
        """True when nothing more will happen."""
        return self.state in ENDED

    @property
    def share(self) -> float:
        """0 to 1, steps counted equally."""
        if self.state == "done":
            return 1.0
        inside = self.done / self.total if self.total else 0.0
        return min((self.step_index + min(inside, 1.0)) / self.step_count, 1.0) if self.step_count else 0.0


@dataclass(frozen=True)
class Job:
    """A started job."""

    id: str
    folder: Path


_FIELDS = {f.name for f in dataclasses.fields(Status)}


def write_status(folder: Path, status: Status) -> None:
    """Replace a job's status."""
    write_atomically(folder / "status.json", to_json(asdict(status)))


def read_status(folder: Path) -> Status:
    """What the job's process last said; "lost" when that cannot be read."""
    facts = read_facts(folder / "status.json")
    known = {k: v for k, v in facts.items() if k in _FIELDS}
    if {"id", "title", "state"} <= set(known):
        return Status(**known)
    title = str(read_facts(folder / "job.json").get("title", ""))
    hint = "resume it: stored work is reused"
    return Status(folder.name, title, "lost", message="its status file is damaged", hint=hint)


def status(workspace: Workspace, job_id: str) -> Status:
    """What a job is doing now.

    Raises:
        CurationError: if there is no such job.
    """
    return _now(job_folder(workspace, job_id))


def _now(folder: Path) -> Status:
    found = read_status(folder)
    if found.ended or unfinished(_liveness(found), time.time()):
        return found
    found = read_status(folder)  # the process may have finished between our two looks
    if found.ended:
        return found
    hint = "resume it: stored work is reused"
    return dataclasses.replace(found, state="lost", message="its process is gone", hint=hint)


def _liveness(found: Status) -> dict[str, Any]:
    return {"state": found.state, "pid": found.pid, "pid_created": found.pid_created, "updated": found.updated}


def _is_job(folder: Path) -> bool:
    return (folder / "status.json").exists() or (folder / "job.json").exists()


def job_folder(workspace: Workspace, job_id: str) -> Path:
    """Where a job's files are.

    Raises:
        CurationError: if there is no such job.
    """
    folder = workspace.root / "jobs" / job_id
    if not _ID.fullmatch(job_id) or not _is_job(folder):
        raise CurationError(f"there is no job '{job_id}'", "see: curate jobs")
    return folder


def listing(workspace: Workspace) -> list[Status]:
    """All jobs, newest first."""
    found = [_now(f) for f in folders(workspace.root / "jobs") if _is_job(f)]
    return sorted(found, key=lambda s: (s.started, s.id), reverse=True)
