"""Steps of a plan, one after the other."""

from __future__ import annotations

import dataclasses
import errno
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from curation.core.artifacts import Artifact, Derived, Features, Layout, Missing, Neighbours, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, JobCancelled, RecipeError, machine_problem
from curation.core.method import Generator, Selector
from curation.core.runtime import Runtime
from curation.engine.context import Context, Made, call
from curation.engine.cutting import cut, either, outside, size_of, spread
from curation.engine.facts import FailedStep, Outcome, StepFact
from curation.engine.generating import generate, with_note
from curation.engine.peak import peak_mb, reset_peak
from curation.engine.rows import row_wise
from curation.engine.selecting import select
from curation.estimates import timing_entry
from curation.recipe import Plan, PlannedStep, maker_of
from curation.workspace import Workspace, folder_bytes

log = logging.getLogger(__name__)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors after which no other step could store its result either."""


def run(
    plan: Plan,
    workspace: Workspace,
    runtime: Runtime | None = None,
    *,
    on_step: Callable[[str, int, int], None] = lambda name, index, count: None,
    done_step: Callable[[StepFact], None] = lambda fact: None,
    waiting: Callable[[str], None] = lambda what: None,
    outputs: Path | None = None,
    go_on: bool = False,
    failed_step: Callable[[FailedStep], None] = lambda failure: None,
    turn: Callable[[PlannedStep], AbstractContextManager[None]] = lambda step: nullcontext(),
) -> Outcome:
    """Carry out all steps of a plan.

    Args:
        plan: From `recipe.plan`.
        workspace: Where results are kept.
        runtime: How to run; its `progress` is called with work done and in total.
        on_step: Called before each step with its name, index and the number of steps.
        done_step: Called after each.
        waiting: Called while another process computes the same; may raise JobCancelled.
        outputs: Folder for what exporters write; None = a new one in the workspace's `exports/`.
        go_on: After a step that fails, go on with those that do not read it. A full disk and a cancelled job still end
            the run.
        failed_step: Called after each step that failed or was left out because of one.
        turn: Held while a step is carried out: other processes may have to wait for it.

    Raises:
        CurationError: naming the step and method; with `go_on` only if there is no result in the end.
    """
    runtime = runtime or Runtime()
    runtime = dataclasses.replace(
        runtime,
        cache=runtime.cache or workspace.root / "cache",
        replies=runtime.replies or workspace.root / "replies.sqlite",
    )
    folder = outputs or workspace.root / "exports" / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
    runner = _Runner(Context(plan, workspace, runtime, waiting), folder)
    steps: list[StepFact] = []
    failed: list[FailedStep] = []
    broken: dict[str, str] = {}  # key of what failed → name of the step
    for index, step in enumerate(plan.steps):
        on_step(step.name, index, len(plan.steps))
        because = next((broken[key] for key in _read_by(step) if key in broken), "")
        if because:
            failed.append(FailedStep(step.name, step.use, f"left out, since '{because}' failed", "", because))
        else:
            with turn(step):
                made = runner.attempt(step, steps) if go_on else runner.step(step, steps)
            if isinstance(made, StepFact):
                steps.append(made)
                done_step(made)
                continue
            failed.append(made)
        broken[step.key] = because or step.name
        failed_step(failed[-1])
    if plan.result not in runner.artifacts:
        raise CurationError(failed[0].message, failed[0].hint)
    return Outcome(workspace, plan, steps, runner.artifacts, failed)


def _read_by(step: PlannedStep) -> Iterator[str]:
    """Keys of what a step reads."""
    more = [step.dataset, step.within and step.within[1], step.tokens, step.quota and step.quota[1]]
    line: list[Any] = [*step.ports.values(), *more]
    while line:
        value = line.pop(0)
        if isinstance(value, str):
            yield maker_of(value) or value
        elif isinstance(value, dict):
            line += value.values()
        elif isinstance(value, list):
            line += value


class _Runner:
    def __init__(self, context: Context, folder: Path) -> None:
        self.context, self.folder = context, folder
        self.artifacts: dict[str, Artifact] = {}

    def step(self, step: PlannedStep, before: list[StepFact]) -> StepFact:
        place = f"step '{step.name}' ({step.use})"
        try:
            return self._step(step, before)
        except RecipeError:
            raise
        except CurationError as error:
            error.message = f"{place}: {error.message}"
            error.args = (error.message,)
            raise
        except (OSError, MemoryError) as error:
            problem = machine_problem(error)
            if problem is None:
                raise
            raise CurationError(f"{place}: {problem.message}", problem.hint) from error

    def attempt(self, step: PlannedStep, before: list[StepFact]) -> StepFact | FailedStep:
        """As `step`, but a failure is told rather than raised, unless no other step could succeed either."""
        try:
            return self.step(step, before)
        except JobCancelled:
            raise
        except CurationError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in NO_ROOM:
                raise
            log.warning("%s failed: %s", step.name, error)
            return FailedStep(step.name, step.use, error.message, error.hint)
        except Exception as error:  # a bug in one method must not lose what the others would make
            log.exception("step '%s' (%s)", step.name, step.use)
            text = f"step '{step.name}' ({step.use}): {type(error).__name__}: {error}"
            return FailedStep(step.name, step.use, text, "this is a bug: the log has the details")

    def _step(self, step: PlannedStep, before: list[StepFact]) -> StepFact:
        context, workspace = self.context, self.context.workspace
        context.runtime.progress(0, 1, step.name)
        if context.has(step):
            return self._fact(step, 0.0, reused=True)
        with workspace.lock(step.key, lambda: context.waiting(f"another job computes '{step.name}'")):
            if context.has(step):
                return self._fact(step, 0.0, reused=True)
            reset_peak()
            context.waited = 0.0
            start, meter = time.perf_counter(), dataclasses.replace(context.runtime.meter)
            made = self._compute(step, before)
            seconds = max(time.perf_counter() - start - context.waited, 0.0)
            peak, spent = peak_mb(), context.runtime.meter.since(meter)
            if step.method.cached:
                if isinstance(made.artifact, Derived):
                    workspace.forget(step.key)  # of rows that were removed since
                workspace.publish(step.key, made.artifact, context.manifest(step, seconds, peak, made, spent))
                workspace.discard(step.key)
                # from here on as stored: mapped instead of in memory, and read-only
                context.by_key[step.key] = workspace.load(step.key)
            else:
                context.by_key[step.key] = made.artifact
        if made.whole and made.size.rows:
            rows = len(context.dataset(step.dataset))
            size = folder_bytes(workspace.root / "results" / step.key) / rows if step.method.cached else None
            device = context.runtime.device
            entry = timing_entry(step.method, made.size, seconds, device, bytes_per_row=size)
            workspace.record_timing({**entry, **spent})
        return self._fact(step, seconds, reused=False, peak=peak, made=made, spent=spent)

    def _fact(
        self,
        step: PlannedStep,
        seconds: float,
        *,
        reused: bool,
        peak: float = 0.0,
        made: Made | None = None,
        spent: dict[str, float] | None = None,
    ) -> StepFact:
        artifact = cast(Artifact, self.context.load(step.key))
        self.artifacts[step.name] = artifact
        missing = getattr(artifact, "missing", None)
        note = made.note if made else ""
        if isinstance(artifact, Selection) and artifact.short_by:
            note = f"{artifact.short_by:,} rows fewer than asked: {artifact.short_reason}"
        return StepFact(
            name=step.name,
            use=step.use,
            kind=artifact.kind,
            key=step.key,
            seconds=seconds,
            reused=reused,
            rows=made.size.rows if made else len(self.context.dataset(step.dataset)),
            rows_reused=made.rows_reused if made else 0,
            missing=missing.counts() if isinstance(missing, Missing) else {},
            peak_mb=peak,
            order_key=step.order_key,
            rows_key=step.rows_key,
            note=note,
            spent=spent or {},
        )

    # ------------------------------------------------------------------ the three ways

    def _compute(self, step: PlannedStep, before: list[StepFact]) -> Made:
        context, workspace = self.context, self.context.workspace
        pool = context.dataset(step.dataset)
        within = cast(Selection | None, context.load(step.within[1])) if step.within else None
        ports = context.ports(step)
        if isinstance(step.method, Selector):
            return select(context, step, step.method, pool, ports, within)
        if isinstance(step.method, Generator):
            made = generate(workspace, step, step.method, pool, context.keeping(step), ports, within)
            context.by_key.pop(step.key, None)
            return Made(made, size_of(pool, np.flatnonzero(made.children() > 0), ports, 0), note=with_note(made))
        if step.rows_key is not None:
            return row_wise(context, step, pool, within, ports)
        return self._whole(step, pool, ports, within, before)

    def _whole(
        self, step: PlannedStep, pool: Dataset, ports: dict[str, Any], within: Selection | None, before: list[StepFact]
    ) -> Made:
        """A method that sees all its rows at once. Rows outside, or missing in features, are cut and spread again."""
        absent = Missing.none(len(pool))
        if within is not None and step.within:
            absent = outside(within, step.within[0])
        here = {name: value for name, value in ports.items() if name not in step.method.elsewhere}
        if step.method.returns.row_aligned:
            for value in here.values():
                if isinstance(value, Features | Neighbours | Layout) and value.missing.mask.any():
                    absent = either(absent, value.missing)
        runtime = self._with_context(step, before)
        rows = np.flatnonzero(~absent.mask)
        chosen = max((len(v) for v in here.values() if isinstance(v, Selection)), default=0)
        size = size_of(pool, rows, ports, chosen)
        if len(rows) == len(pool):
            return Made(call(step.method, pool, runtime, ports), size)
        if not len(rows):
            raise CurationError("no row is left to work on", "; ".join(f"{k}: {v}" for k, v in absent.counts().items()))
        part = pool.take(rows)
        parts = {**ports, **{p: cut(v, rows, part.fingerprint) for p, v in here.items()}}
        made = call(step.method, part, runtime, parts)
        if not made.row_aligned:
            return Made(dataclasses.replace(made, dataset=pool.fingerprint), size)
        return Made(spread(made, rows, pool, absent), size)

    def _with_context(self, step: PlannedStep, before: list[StepFact]) -> Runtime:
        if step.method.cached:
            return self.context.keeping(step)
        runtime = self.context.runtime
        self.folder.mkdir(parents=True, exist_ok=True)
        context = {
            "recipe": self.context.plan.resolved_yaml(),
            "folder": self.folder,
            "step": step.name,
            "results": [asdict(f) for f in before],
        }
        return dataclasses.replace(runtime, context={**context, **runtime.context})
