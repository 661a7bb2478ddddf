"""Jobs: one recipe running in its own process, whose whole state is files.

```
jobs/<id>/recipe.yaml     what to do
jobs/<id>/job.json        title, bindings, device
jobs/<id>/status.json     written by the running process, atomically
jobs/<id>/log.txt         everything it said
jobs/<id>/cancel          present = please stop
```

Closing the page, or killing the server, does not touch a running job. A job killed at any moment is resumed by running
the same recipe again: what was stored is reused.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from curation.core.errors import CurationError, JobCancelled
from curation.core.runtime import Runtime, resolve_device
from curation.engine import Outcome, StepFact, run
from curation.estimates import as_dicts, estimate
from curation.recipe import Recipe, plan
from curation.workspace import Workspace, write_atomically

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
ENDED = ("done", "failed", "cancelled", "lost")
STATUS_EVERY_S = 0.5
START_GRACE_S = 60.0
"""A job whose process has not written a status after this long is lost."""

log = logging.getLogger(__name__)


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
        estimates: Estimate of each step, made before the run.
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
    estimates: list[dict[str, Any]] = field(default_factory=list)
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


# ---------------------------------------------------------------------- start, read, stop


def create(
    workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], *, title: str = "", device: str = "auto"
) -> Job:
    """Write a job's folder; nothing runs yet. The plan is checked first, so that mistakes are told at once."""
    checked = plan(recipe, workspace, bindings)
    job_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    folder = workspace.root / "jobs" / job_id
    folder.mkdir(parents=True)
    title = title or str(recipe.about.get("title", "")) or f"{checked.step(checked.result).use}"
    datasets = {d.fingerprint: d.name for d in workspace.datasets()}
    # resolved bindings: a file is not read again, and another dataset may be added before a resume
    pinned = checked.bindings
    (folder / "recipe.yaml").write_text(recipe.yaml(), encoding="utf-8")
    facts = {"title": title, "bindings": pinned, "device": device}
    (folder / "job.json").write_text(json.dumps(facts, ensure_ascii=False))
    first = datasets.get(checked.datasets[0], "") if checked.datasets else ""
    now = time.time()
    status = Status(job_id, title, "queued", started=now, updated=now, dataset=first, datasets=checked.datasets)
    _write(folder, status)
    return Job(job_id, folder)


def start(
    workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], *, title: str = "", device: str = "auto"
) -> Job:
    """Start a recipe in its own process and return at once.

    Raises:
        RecipeError: if the recipe cannot be planned.
    """
    job = create(workspace, recipe, bindings, title=title, device=device)
    _spawn(workspace, job)
    return job


def _spawn(workspace: Workspace, job: Job) -> None:
    command = [sys.executable, "-m", "curation.jobs", str(workspace.root), job.id]
    with (job.folder / "log.txt").open("ab") as out:
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            cwd=workspace.root,
        )  # fmt: skip


def _write(folder: Path, status: Status) -> None:
    write_atomically(folder / "status.json", json.dumps(asdict(status), ensure_ascii=False))


def status(workspace: Workspace, job_id: str) -> Status:
    """What a job is doing now.

    Raises:
        CurationError: if there is no such job.
    """
    folder = _folder(workspace, job_id)
    found = Status(**json.loads((folder / "status.json").read_text(encoding="utf-8")))
    if found.ended:
        return found
    if found.pid:
        alive = _alive(found.pid, found.pid_created)
    else:
        alive = time.time() - found.updated < START_GRACE_S
    if alive:
        return found
    # the process may have finished between our two looks
    found = Status(**json.loads((folder / "status.json").read_text(encoding="utf-8")))
    if found.ended:
        return found
    facts = asdict(found) | {
        "state": "lost",
        "message": "its process is gone",
        "hint": "resume it: stored work is reused",
    }
    return Status(**facts)


def _alive(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - created) < 1.0
    except psutil.NoSuchProcess:
        return False


def _folder(workspace: Workspace, job_id: str) -> Path:
    folder = workspace.root / "jobs" / job_id
    if "/" in job_id or not (folder / "status.json").exists():
        raise CurationError(f"there is no job '{job_id}'", "see: curate jobs")
    return folder


def listing(workspace: Workspace) -> list[Status]:
    """All jobs, newest first."""
    ids = [f.name for f in (workspace.root / "jobs").iterdir() if (f / "status.json").exists()]
    return [status(workspace, job_id) for job_id in sorted(ids, reverse=True)]


def cancel(workspace: Workspace, job_id: str) -> None:
    """Ask a job to stop; it does so at its next progress report."""
    (_folder(workspace, job_id) / "cancel").touch()


def resume(workspace: Workspace, job_id: str) -> Job:
    """Run a job's recipe again as a new job; what was stored is reused."""
    folder = _folder(workspace, job_id)
    facts = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    recipe = Recipe.read(folder / "recipe.yaml")
    return start(workspace, recipe, facts["bindings"], title=facts["title"], device=facts["device"])


def recipe_of(workspace: Workspace, job_id: str) -> str:
    """The recipe's YAML."""
    return (_folder(workspace, job_id) / "recipe.yaml").read_text(encoding="utf-8")


def read_log(workspace: Workspace, job_id: str, last: int = 200) -> str:
    """The last lines of a job's log."""
    path = _folder(workspace, job_id) / "log.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return "\n".join(lines[-last:])


def delete(workspace: Workspace, job_id: str) -> None:
    """Forget an ended job. Its results stay until `prune`.

    Raises:
        CurationError: if it is still running.
    """
    if not status(workspace, job_id).ended:
        raise CurationError(f"the job {job_id} is still running", "cancel it first")
    shutil.rmtree(_folder(workspace, job_id))


# ---------------------------------------------------------------------- running


class _Reporter:
    """Keeps the status of a running job and writes it a few times a second."""

    def __init__(self, folder: Path, status: Status, echo: Callable[[Status], None]) -> None:
        self.folder, self.facts, self.echo = folder, asdict(status), echo
        self.written = 0.0
        self.step_started = time.monotonic()

    def set(self, **facts: Any) -> None:
        """Change the status and write it."""
        self._set(facts, now=True)

    def _set(self, facts: dict[str, Any], *, now: bool) -> None:
        self.facts.update(facts, updated=time.time())
        if now or time.monotonic() - self.written > STATUS_EVERY_S:
            self.written = time.monotonic()
            status = Status(**self.facts)
            _write(self.folder, status)
            self.echo(status)

    def check(self) -> None:
        if (self.folder / "cancel").exists():
            raise JobCancelled("cancelled", "what was finished is stored; resume goes on from there")

    def waiting(self, what: str) -> None:
        self.check()
        self._set({"note": what}, now=False)

    def on_step(self, name: str, index: int, count: int) -> None:
        self.check()
        self.step_started = time.monotonic()
        zero = {"done": 0.0, "total": 0.0, "rate": 0.0, "seconds_left": None, "note": ""}
        self.set(step=name, step_index=index, step_count=count, **zero)

    def done_step(self, fact: StepFact) -> None:
        expected = {e["step"]: e["seconds"] for e in self.facts["estimates"] if e["basis"] != "unknown"}
        line = {**asdict(fact), "estimate": expected.get(fact.name)}
        self.set(steps=[*self.facts["steps"], line])
        log.info("%s: %s", fact.name, "reused" if fact.reused else f"{fact.seconds:.2f} s, peak {fact.peak_mb:.0f} MB")

    def progress(self, done: float, total: float, note: str = "") -> None:
        self.check()
        seconds = time.monotonic() - self.step_started
        rate = done / seconds if seconds > 0.2 else 0.0
        left = (total - done) / rate if rate > 0 and done > 0 else None
        facts = {"done": float(done), "total": float(total), "rate": rate, "seconds_left": left, "note": note}
        self._set(facts, now=False)


def run_here(
    workspace: Workspace,
    recipe: Recipe,
    bindings: Mapping[str, str],
    *,
    title: str = "",
    device: str = "auto",
    echo: Callable[[Status], None] = lambda status: None,
    outputs: Path | None = None,
) -> tuple[Job, Outcome]:
    """Run a recipe in this process, as a job of the list.

    Args:
        workspace: Where.
        recipe: What.
        bindings: Its inputs.
        title: For people.
        device: "auto", "cpu", "cuda" or "mps".
        echo: Called with every new status.
        outputs: Folder for what exporters write.
    """
    job = create(workspace, recipe, bindings, title=title, device=device)
    return job, _carry_out(workspace, job, echo, outputs)


def _carry_out(
    workspace: Workspace, job: Job, echo: Callable[[Status], None] = lambda status: None, outputs: Path | None = None
) -> Outcome:
    facts = json.loads((job.folder / "job.json").read_text(encoding="utf-8"))
    first = Status(**json.loads((job.folder / "status.json").read_text(encoding="utf-8")))
    reporter = _Reporter(job.folder, first, echo)
    me = psutil.Process(os.getpid())
    reporter.set(pid=me.pid, pid_created=me.create_time())
    try:
        device = resolve_device() if facts["device"] == "auto" else facts["device"]
        runtime = Runtime(device=device, workers=os.cpu_count() or 1, progress=reporter.progress)
        recipe = Recipe.read(job.folder / "recipe.yaml")
        turn = "cpu" if device == "cpu" else "gpu"
        with workspace.lock(turn, lambda: reporter.waiting("waiting for another job to finish")):
            made = plan(recipe, workspace, facts["bindings"], runtime)
            (job.folder / "resolved.yaml").write_text(made.resolved_yaml(), encoding="utf-8")
            expected = as_dicts(estimate(made, workspace, runtime, calibrate=False))
            reporter.set(state="running", note="", estimates=expected)
            outcome = run(
                made, workspace, runtime,
                on_step=reporter.on_step, done_step=reporter.done_step, waiting=reporter.waiting,
                outputs=outputs or workspace.root / "exports" / job.id,
            )  # fmt: skip
        end = {"step_index": len(made.steps), "seconds_left": None, "note": "", "finished": time.time()}
        reporter.set(state="done", result=outcome.result.key, result_step=outcome.result.name, **end)
        return outcome
    except JobCancelled as error:
        reporter.set(state="cancelled", message=error.message, hint=error.hint, finished=time.time())
        raise
    except KeyboardInterrupt:
        hint = "what was finished is stored; resume goes on from there"
        reporter.set(state="cancelled", message="interrupted", hint=hint, finished=time.time())
        raise
    except CurationError as error:
        reporter.set(state="failed", message=error.message, hint=error.hint, finished=time.time())
        raise
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"
        reporter.set(state="failed", message=text, hint="this is a bug: the log has the details", finished=time.time())
        raise


def main() -> int:
    """Entry of the job's own process: `python -m curation.jobs WORKSPACE ID`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    workspace = Workspace.open(sys.argv[1])
    folder = _folder(workspace, sys.argv[2])
    try:
        _carry_out(workspace, Job(sys.argv[2], folder))
    except CurationError as error:
        log.info("%s", error)
        return 2
    except Exception:  # the end of the process: written to the log, which is all anyone will see
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
