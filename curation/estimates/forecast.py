"""Cost of a plan's steps that ask a chat model: from probes and runs that the workspace remembers, else from limits."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.runtime import Runtime
from curation.estimates.asking import PROBE_ROWS, cut_port, probe, stored_groups
from curation.estimates.counting import Calls, plan_calls
from curation.estimates.extrapolate import Range
from curation.estimates.spending import Cost, Group, cost_from_groups, limits, priced
from curation.estimates.timings import count_of, digest
from curation.models.chat.asking import Asking
from curation.recipe import Plan, PlannedStep, maker_of
from curation.workspace import Workspace

REUSED = 0.05
"""A run that found more of its replies stored says little about what one that finds none will take."""
DRIFT = 0.05
"""How far another set of rows is off beyond chance."""


def asking_steps(plan: Plan, workspace: Workspace) -> list[PlannedStep]:
    """The steps that would ask a chat model: those whose result is not stored."""
    return [s for s in plan.steps if isinstance(s.method, Asking) and not workspace.has(s.key)]


def rows_asked(step: PlannedStep, plan: Plan, workspace: Workspace, pool: Dataset) -> tuple[Dataset, float]:
    """The rows that a step works on, and the share of them that will be asked about, as far as that is known.

    The share is below 1 where a Selection that limits the step is not made yet but has a budget.
    """
    if step.within is None:
        return pool, 1.0
    if workspace.has(step.within[1]):
        chosen = workspace.load(step.within[1])
        assert isinstance(chosen, Selection)
        return pool.take(np.sort(chosen.order)), 1.0
    maker = next((s for s in plan.steps if s.key == step.within[1]), None) if step.within else None
    count = count_of(maker.method, len(pool)) if maker else 0
    return pool, min(count / len(pool), 1.0) if count and len(pool) else 1.0


def forecast(
    step: PlannedStep, plan: Plan, workspace: Workspace, pool: Dataset, runtime: Runtime, timings: list[dict[str, Any]]
) -> Cost:
    """What a step will cost. Sends nothing.

    Args:
        step: Whose method is an `Asking`.
        plan: Its plan.
        workspace: Remembers replies, probes and runs.
        pool: The Dataset that it works on.
        runtime: How it will run.
        timings: `workspace.timings()`.
    """
    assert isinstance(step.method, Asking)
    rows, share = rows_asked(step, plan, workspace, pool)
    runtime = with_replies(runtime, workspace)
    counted = _counted(step.method, rows, runtime)
    if not counted.open:
        return cost_from_groups(step.method, counted, ())
    same = [t for t in timings if t.get("digest") == digest(step.method) and t.get("use") == step.use]
    known = _probes(same, rows.fingerprint)
    if known:
        found = cost_from_groups(step.method, counted, known)
    elif run := _run_before(same):
        found = _from_run(step.method, counted, rows, run)
    elif groups := stored_groups(step.method, rows, counted, runtime):
        found = cost_from_groups(step.method, counted, groups, basis="replies")
    else:
        found = limits(step.method, counted)
    return found if share == 1 else _scaled(found, share)


def probe_steps(
    plan: Plan,
    workspace: Workspace,
    runtime: Runtime,
    *,
    rows: int = PROBE_ROWS,
    steps: tuple[str, ...] = (),
    told: Callable[[str], None] = lambda name: None,
) -> dict[str, Cost | str]:
    """Really ask about a few rows of each step that asks, and remember what that took.

    Args:
        plan: Of the recipe.
        workspace: Keeps the replies and what the probe found.
        runtime: How to run; `caps` hold for each step by itself.
        rows: For each step, at most.
        steps: Names of the steps to probe, () = all that ask.
        told: Called with each step's name before it is asked.

    Returns:
        Step → its cost, or why it cannot be probed yet.

    Raises:
        CurationError: as `probe`.
    """
    found: dict[str, Cost | str] = {}
    for step in asking_steps(plan, workspace):
        if steps and step.name not in steps:
            continue
        told(step.name)
        found[step.name] = _probe_step(step, plan, workspace, with_replies(runtime, workspace), rows)
    return found


def with_replies(runtime: Runtime, workspace: Workspace) -> Runtime:
    """The runtime with the workspace's stored replies."""
    return dataclasses.replace(runtime, replies=runtime.replies or workspace.root / "replies.sqlite")


def dataset_of(step: PlannedStep, workspace: Workspace) -> Dataset | None:
    """The rows that a step works on; None where another step has still to make them."""
    maker = maker_of(step.dataset)
    if maker is None:
        return workspace.dataset(step.dataset)
    if not workspace.has(maker):
        return None
    made = getattr(workspace.load(maker), "rows", "")
    return workspace.dataset(made) if workspace.holds(made) else None


def _probe_step(step: PlannedStep, plan: Plan, workspace: Workspace, runtime: Runtime, rows: int) -> Cost | str:
    assert isinstance(step.method, Asking)
    pool = dataset_of(step, workspace)
    if pool is None:
        return "the rows that it asks about are made by a step that has not run yet"
    missing = [step.references.get(name) or name for name, key in step.ports.items() if not _there(key, workspace)]
    if missing:
        return f"it reads the result of '{missing[0]}', which has not run yet"
    part, share = rows_asked(step, plan, workspace, pool)
    if not len(part):
        return "there is no row to ask about"
    ports = {name: _port(key, workspace) for name, key in step.ports.items()}
    if step.within and workspace.has(step.within[1]):
        chosen = np.sort(_load(step.within[1], workspace).order)
        here = {name: value for name, value in ports.items() if name not in step.method.elsewhere}
        ports |= {name: cut_port(value, chosen, part) for name, value in here.items()}
    timings = [t for t in workspace.timings() if t.get("digest") == digest(step.method) and t.get("use") == step.use]
    before = _probes(timings, part.fingerprint)
    found = probe(step.method, part, runtime, rows, ports, known=before)
    if set(found.groups) - set(before):
        workspace.record_timing(probe_entry(step.method, part, found, runtime.device))
    return found if share == 1 else _scaled(found, share)


def _there(key: Any, workspace: Workspace) -> bool:
    if isinstance(key, list | dict):
        return all(_there(each, workspace) for each in (key.values() if isinstance(key, dict) else key))
    if key is None:
        return True
    maker = maker_of(key)
    return workspace.has(maker or key) or (maker is None and workspace.holds(key))


def _load(key: str, workspace: Workspace) -> Any:
    maker = maker_of(key)
    if maker is not None:
        return workspace.dataset(_load(maker, workspace).rows)
    return workspace.load(key) if workspace.has(key) else workspace.dataset(key)


def _port(key: Any, workspace: Workspace) -> Any:
    """What a port reads: an artifact, a Dataset, a list or dict of them, or None."""
    if isinstance(key, list):
        return [_port(each, workspace) for each in key]
    if isinstance(key, dict):
        return {name: _port(each, workspace) for name, each in key.items()}
    return None if key is None else _load(key, workspace)


# ------------------------------------------------------------------ what is remembered


def probe_entry(method: Asking, pool: Dataset, cost: Cost, device: str) -> dict[str, Any]:
    """A line of the workspace's timings that `forecast` reads; it has no seconds, so nothing else does."""
    return {
        "use": method.use(),
        "digest": digest(method),
        "device": device,
        "dataset": pool.fingerprint,
        "groups": [dataclasses.asdict(group) for group in cost.groups],
        "time": time.time(),
    }


def _probes(timings: list[dict[str, Any]], dataset: str) -> tuple[Group, ...]:
    """The groups of the newest probe of a Dataset; damaged entries are left out."""
    for entry in reversed(timings):
        if entry.get("dataset") == dataset and isinstance(entry.get("groups"), list):
            try:
                return tuple(Group(**group) for group in entry["groups"])
            except TypeError:
                continue
    return ()


def _run_before(timings: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest finished run that asked for nearly all of its replies."""
    for entry in reversed(timings):
        calls, reused = _number(entry, "calls"), _number(entry, "reused")
        if calls > 0 and reused <= REUSED * (calls + reused) and _number(entry, "rows") and _number(entry, "chars"):
            return entry
    return None


def _number(entry: Mapping[str, Any], name: str) -> float:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and value == value else 0.0


def _from_run(method: Asking, counted: Calls, rows: Dataset, run: Mapping[str, Any]) -> Cost:
    """As much as a run before took, by characters asked for what is read and by rows for the rest.

    What is asked beside a row's own text (the wording of the prompt) is taken to be as long then as now. Between rows,
    calls and tokens are taken to scatter by as much as their mean.
    """
    asked = max(int((counted.counts > 0).sum()), 1)
    by_rows = float(counted.open_counts.sum()) / max(float(counted.counts.sum()), 1.0)
    by_rows *= len(rows) / _number(run, "rows")
    around_row = (float(counted.sizes.sum()) - float(rows.lengths().sum())) / asked
    then = max(_number(run, "chars") + around_row * _number(run, "rows"), 1.0)
    by_text = float(counted.open_sizes.sum()) / then
    off = min(DRIFT + 2 * float(np.sqrt(1 / _number(run, "calls") + 1 / max(counted.open, 1))), 1.0)

    def around(value: float) -> Range:
        return Range(value, value * (1 - off), value * (1 + off))

    calls, written = (around(_number(run, name) * by_rows) for name in ("calls", "tokens_out"))
    read = around(_number(run, "tokens_in") * by_text)
    seconds = around(_number(run, "seconds") * by_rows)
    money = lambda i, o: read.times(i).plus(written.times(o))  # noqa: E731 - as short as it reads
    found = priced(method, counted.open, calls, read, written, money, seconds, "history", ())
    return dataclasses.replace(found, sample=int(_number(run, "rows")))


def _scaled(cost: Cost, share: float) -> Cost:
    """A cost for a share of the rows."""
    return dataclasses.replace(
        cost,
        rows=round(cost.rows * share),
        calls=cost.calls.times(share),
        tokens_in=cost.tokens_in.times(share),
        tokens_out=cost.tokens_out.times(share),
        money=cost.money and cost.money.times(share),
        seconds=cost.seconds and cost.seconds.times(share),
    )


# ------------------------------------------------------------------ counting once


@dataclass(frozen=True)
class _Asked:
    """A method and a Dataset as the key of a cache, with the state of the stored replies."""

    method: str
    dataset: str
    replies: tuple[Any, ...]
    what: tuple[Asking, Dataset, Runtime] = field(compare=False)


def _counted(method: Asking, pool: Dataset, runtime: Runtime) -> Calls:
    """`plan_calls`, counted once while neither rows nor stored replies change: a form asks whenever it is drawn."""
    files = (
        [] if runtime.replies is None else [runtime.replies, runtime.replies.with_name(f"{runtime.replies.name}-wal")]
    )
    facts = [path.stat() if path.exists() else None for path in files]
    state = tuple(f and (f.st_size, f.st_mtime_ns) for f in facts)
    return _count(_Asked(method.model_dump_json(), pool.fingerprint, state, (method, pool, runtime)))


@lru_cache(8)
def _count(asked: _Asked) -> Calls:
    return plan_calls(*asked.what)
