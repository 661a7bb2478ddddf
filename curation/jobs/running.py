"""The running job: carries the recipe out and says so in its status."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from curation.core.errors import CurationError, JobCancelled, machine_problem
from curation.core.runtime import Runtime, checked_device, resolve_device
from curation.core.spending import Caps, Meter
from curation.engine import FailedStep, Outcome, StepFact, run
from curation.estimates import as_dicts, estimate
from curation.jobs.control import NO_CAPS, caps_of, create
from curation.jobs.metrics import record
from curation.jobs.status import Job, Status, job_folder, read_status, write_status
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

STATUS_EVERY_S = 0.5
BUG = "this is a bug: the log has the details"

log = logging.getLogger(__name__)


class _Reporter:
    """Keeps the status of a running job and writes it a few times a second."""

    def __init__(self, folder: Path, status: Status, echo: Callable[[Status], None]) -> None:
        self.folder, self.facts, self.echo = folder, asdict(status), echo
        self.written = 0.0
        self.meter = Meter()
        self.step_started = time.monotonic()

    def set(self, **facts: Any) -> None:
        """Change the status and write it."""
        self._set(facts, now=True)

    def _set(self, facts: dict[str, Any], *, now: bool) -> None:
        self.facts.update(facts, updated=time.time())
        if self.meter.calls or self.meter.reused:
            self.facts["spent"] = self.meter.facts()
        if now or time.monotonic() - self.written > STATUS_EVERY_S:
            self.written = time.monotonic()
            status = Status(**self.facts)
            write_status(self.folder, status)
            self.echo(status)

    def end(self, state: str, error: BaseException, hint: str = "") -> None:
        """Write how it went wrong. A disk that is full must not hide what happened."""
        message = error.message if isinstance(error, CurationError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, CurationError) else hint
        try:
            self.set(state=state, message=message, hint=hint, note="", seconds_left=None, finished=time.time())
        except OSError as problem:
            log.warning("the status cannot be written: %s", problem)

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

    def failed_step(self, failure: FailedStep) -> None:
        self.set(failed=[*self.facts["failed"], asdict(failure)])
        log.info("%s: %s", failure.name, failure.message)

    def record(self, values: dict[str, float]) -> None:
        record(self.folder, str(self.facts["step"]), values)

    def progress(self, done: float, total: float, note: str = "") -> None:
        self.check()
        seconds = time.monotonic() - self.step_started
        rate = done / seconds if seconds > 0.2 else 0.0
        left = (total - done) / rate if rate > 0 and done > 0 else None
        facts = {"done": float(done), "total": float(total), "rate": rate, "seconds_left": left, "note": note}
        self._set(facts, now=False)


class _Turns:
    """One job at a time computes on a device."""

    def __init__(self, workspace: Workspace, device: str, reporter: _Reporter) -> None:
        self.workspace, self.device, self.reporter = workspace, device, reporter

    def taken(self) -> contextlib.AbstractContextManager[None]:
        """The turn, once it is free."""
        return self.workspace.lock(self.device, lambda: self.reporter.waiting("waiting for another job to finish"))


def run_here(
    workspace: Workspace,
    recipe: Recipe,
    bindings: Mapping[str, str],
    *,
    title: str = "",
    device: str = "auto",
    echo: Callable[[Status], None] = lambda status: None,
    outputs: Path | None = None,
    go_on: bool = False,
    caps: Caps = NO_CAPS,
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
        go_on: After a step that fails, go on with those that do not read it; `Outcome.failed` tells which.
        caps: What asking chat models may cost.
    """
    job = create(workspace, recipe, bindings, title=title, device=device, go_on=go_on, caps=caps)
    return job, _carry_out(workspace, job, echo, outputs)


def _carry_out(
    workspace: Workspace, job: Job, echo: Callable[[Status], None] = lambda status: None, outputs: Path | None = None
) -> Outcome:
    facts = json.loads((job.folder / "job.json").read_text(encoding="utf-8"))
    reporter = _Reporter(job.folder, read_status(job.folder), echo)
    me = psutil.Process(os.getpid())
    reporter.set(pid=me.pid, pid_created=me.create_time())
    try:
        device = resolve_device() if facts["device"] == "auto" else checked_device(facts["device"])
        runtime = Runtime(
            device=device, workers=os.cpu_count() or 1, progress=reporter.progress, record=reporter.record,
            caps=caps_of(facts), meter=reporter.meter,
        )  # fmt: skip
        recipe = Recipe.read(job.folder / "recipe.yaml")
        turns = _Turns(workspace, "cpu" if device == "cpu" else "gpu", reporter)
        made = plan(recipe, workspace, facts["bindings"], runtime)
        # a job that waits for a server half of its time takes the turn step by step, so that others compute meanwhile
        stepwise = any(step.method.waits() for step in made.steps)
        with contextlib.nullcontext() if stepwise else turns.taken():
            keys = [k for s in made.steps for k in (s.key, s.order_key, s.rows_key) if k]
            (job.folder / "resolved.yaml").write_text(made.resolved_yaml(), encoding="utf-8")
            expected = as_dicts(estimate(made, workspace, runtime, calibrate=False))
            reporter.set(state="running", note="", estimates=expected, keys=keys)
            outcome = run(
                made, workspace, runtime,
                on_step=reporter.on_step, done_step=reporter.done_step, waiting=reporter.waiting,
                outputs=outputs or workspace.root / "exports" / job.id, go_on=bool(facts.get("go_on")),
                failed_step=reporter.failed_step,
                turn=lambda step: turns.taken() if stepwise and not step.method.waits() else contextlib.nullcontext(),
            )  # fmt: skip
        end: dict[str, Any] = {"step_index": len(made.steps), "seconds_left": None, "note": "", "finished": time.time()}
        if outcome.failed:
            own = [failure for failure in outcome.failed if not failure.because]
            count = f"{len(outcome.failed)} of {len(made.steps)} steps have no result"
            end |= {"message": f"{count}: {'; '.join(f.message for f in own)}", "hint": own[0].hint}
        reporter.set(state="done", result=outcome.result.key, result_step=outcome.result.name, **end)
        return outcome
    except JobCancelled as error:
        reporter.end("cancelled", error)
        raise
    except KeyboardInterrupt:
        stopped = JobCancelled("interrupted", "what was finished is stored; resume goes on from there")
        reporter.end("cancelled", stopped)
        raise
    except CurationError as error:
        reporter.end("failed", error)
        raise
    except (OSError, MemoryError) as error:
        problem = machine_problem(error)
        reporter.end("failed", problem or error, BUG)
        if problem is None:
            raise
        raise problem from error
    except BaseException as error:
        reporter.end("failed", error, BUG)
        raise


def main() -> int:
    """Entry of the job's own process: `python -m curation.jobs WORKSPACE ID`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    workspace = Workspace.open(sys.argv[1])
    folder = job_folder(workspace, sys.argv[2])
    try:
        _carry_out(workspace, Job(sys.argv[2], folder))
    except CurationError as error:
        log.info("%s", error)
        return 2
    except Exception:  # the end of the process: written to the log, which is all anyone will see
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0
