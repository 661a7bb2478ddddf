"""Cost of a plan's steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from curation.core.artifacts import Derived, Features, Model
from curation.core.dataset import Dataset
from curation.core.method import Size, Trainer
from curation.core.runtime import Runtime
from curation.estimates.calibration import calibrate_steps
from curation.estimates.forecast import forecast
from curation.estimates.spending import Cost
from curation.estimates.timings import DEFAULT_DIMS, count_of, digest, predict, usable
from curation.models.chat.asking import Asking
from curation.recipe import Plan, PlannedStep, maker_of
from curation.workspace import Workspace


@dataclass(frozen=True)
class Estimate:
    """Cost of one step.

    Args:
        step: Its name.
        use: The method.
        seconds: Expected wall time; NaN when it could not be calibrated.
        low: Lower end of the expected range.
        high: Upper end.
        memory: Bytes at the peak beyond the inputs.
        disk: Bytes of the result.
        rows: Rows to compute.
        reused: True when the result is stored already.
        basis: "stored", "history", "calibration", "similar" (other parameters) or "unknown"; of a step that asks also
            "probe" and "replies", see `Cost`.
        gpu_memory: Bytes on the GPU, 0 on a CPU.
        money: In the currency of `asks`; 0 for everything that asks nobody, NaN where prices or rows are not known.
        asks: What asking chat models will take, None for everything that asks nobody, or of rows still to be made.
    """

    step: str
    use: str
    seconds: float
    low: float
    high: float
    memory: float
    disk: float
    rows: int
    reused: bool
    basis: str
    gpu_memory: float = 0.0
    money: float = 0.0
    asks: Cost | None = None


def estimate(plan: Plan, workspace: Workspace, runtime: Runtime, *, calibrate: bool = True) -> list[Estimate]:
    """Cost of every step of a plan.

    Args:
        plan: From `recipe.plan`.
        workspace: Knows what is stored, and what such steps took before.
        runtime: Device.
        calibrate: Run a short calibration for steps never run here (seconds); False leaves them "unknown", or "similar"
            where the same method ran with other parameters.
    """
    datasets = {s.name: _rows_for(s, plan, workspace) for s in plan.steps}
    sizes = {s.name: _size(s, plan, workspace, datasets[s.name][0]) for s in plan.steps}
    timings = workspace.timings()
    if calibrate:
        there = [s for s in plan.steps if datasets[s.name][1] and not s.method.remote]  # asking costs money
        unknown = [s for s in there if not _stored(s, workspace) and not _known(s, timings, runtime)]
        if unknown:
            calibrate_steps(unknown, plan, workspace, runtime)
            timings = workspace.timings()
    begun: set[str] = set()
    found = []
    for step in plan.steps:
        rows, cold = len(datasets[step.name][0]), step.use not in begun
        made = _estimate(step, sizes[step.name], timings, workspace, runtime, rows=rows, cold=cold)
        if isinstance(step.method, Asking) and not made.reused:
            pool, known = datasets[step.name]
            made = _asking(made, forecast(step, plan, workspace, pool, runtime, timings) if known else None)
        found.append(made)
        if not found[-1].reused:
            begun.add(step.use)
    return found


def _asking(made: Estimate, cost: Cost | None) -> Estimate:
    """The estimate of a step that asks; its time follows from how much of it was measured like the money."""
    if cost is None:
        return replace(made, money=float("nan"))
    money = float("nan") if cost.money is None else cost.money.value
    if cost.seconds is None:
        return replace(made, money=money, asks=cost)
    took = cost.seconds
    return replace(made, seconds=took.value, low=took.low, high=took.high, basis=cost.basis, money=money, asks=cost)


def _rows_for(step: PlannedStep, plan: Plan, workspace: Workspace) -> tuple[Dataset, bool]:
    """The Dataset that a step works on, and whether it is that; before a generator has run, the rows it reads."""
    maker = maker_of(step.dataset)
    if maker is None:
        return workspace.dataset(step.dataset), True
    if workspace.has(maker):
        made = workspace.load(maker)
        assert isinstance(made, Derived)
        if workspace.holds(made.rows):
            return workspace.dataset(made.rows), True
    before = next(s for s in plan.steps if s.key == maker)
    return _rows_for(before, plan, workspace)[0], False


def _stored(step: PlannedStep, workspace: Workspace) -> bool:
    return step.method.cached and workspace.has(step.key)


def _known(step: PlannedStep, timings: list[dict[str, Any]], runtime: Runtime) -> list[dict[str, Any]]:
    same = digest(step.method)
    return [t for t in _alike(step, timings, runtime) if t.get("digest") == same]


def _alike(step: PlannedStep, timings: list[dict[str, Any]], runtime: Runtime) -> list[dict[str, Any]]:
    """Timings of the same method on the same device, with any parameters."""
    return [t for t in timings if t.get("use") == step.use and t.get("device") == runtime.device and usable(t)]


def _estimate(
    step: PlannedStep,
    size: Size,
    timings: list[dict[str, Any]],
    workspace: Workspace,
    runtime: Runtime,
    *,
    rows: int,
    cold: bool,
) -> Estimate:
    """One step; `rows` are those of its Dataset, `size` what is left to compute."""
    if _stored(step, workspace):
        return Estimate(step.name, step.use, 0.0, 0.0, 0.0, 0.0, 0.0, 0, True, "stored")
    memory = step.method.memory(size)
    known = _known(step, timings, runtime)
    disk = _disk(step, size, known, rows)
    gpu = memory if runtime.device != "cpu" else 0.0
    similar = [] if known else _alike(step, timings, runtime)
    if not known and not similar:
        nan = float("nan")
        return Estimate(step.name, step.use, nan, nan, nan, memory, disk, size.rows, False, "unknown", gpu)
    seconds, basis, spread = predict(known or similar, step.method.work(size), cold=cold)
    if similar:
        basis, spread = "similar", 0.5
    low, high = seconds * (1 - spread), seconds * (1 + spread)
    return Estimate(step.name, step.use, seconds, low, high, memory, disk, size.rows, False, basis, gpu)


def _disk(step: PlannedStep, size: Size, known: list[dict[str, Any]], rows: int) -> float:
    """Bytes: as much per row as such results took before, else what the method says."""
    stored = [t for t in known if t.get("bytes_per_row")]
    # from the largest: a few rows are mostly the headers of their files
    largest = max(stored, key=lambda t: float(t.get("rows") or 0), default=None)
    once = step.method.disk(size) if largest is None else float(largest["bytes_per_row"]) * rows
    # row-wise results are kept by content as well, and an order beside the selection cut from it
    again = once * size.rows / max(rows, 1) if step.rows_key else once if step.order_key else 0.0
    return once + again


@dataclass(frozen=True)
class _Pool:
    """A Dataset as the key of a cache: the fingerprint says all about its rows."""

    fingerprint: str
    dataset: Dataset = field(compare=False)


@dataclass(frozen=True)
class _Rows:
    """What estimates know of a Dataset: distinct contents S16 `[m]`, characters of their rows `[m]`, and of all."""

    contents: np.ndarray
    characters: np.ndarray
    total: int


@lru_cache(4)
def _rows_of(pool: _Pool) -> _Rows:
    """Sorted once per Dataset: a form asks for the estimate of many steps, whenever anything on it changes."""
    contents, first = np.unique(pool.dataset.contents, return_index=True)
    lengths = pool.dataset.lengths()
    return _Rows(contents, lengths[first], int(lengths.sum()))


def _size(step: PlannedStep, plan: Plan, workspace: Workspace, pool: Dataset) -> Size:
    known = _rows_of(_Pool(pool.fingerprint, pool))
    rows, chars = len(pool), known.total
    if step.rows_key is not None:
        new = ~workspace.row_store(step.rows_key).find(known.contents)
        rows, chars = int(new.sum()), int(known.characters[new].sum())
    dims = DEFAULT_DIMS if any(p.kind is Features for p in step.method.ports().values()) else 0
    count = count_of(step.method, rows) or _chosen(step, plan, len(pool))
    return Size(rows, chars, dims, count, _parameters(step, plan, workspace))


def _parameters(step: PlannedStep, plan: Plan, workspace: Workspace) -> float:
    """Of the network that a step reads; where it is not made yet, what the step that makes it says."""
    for name, port in step.method.ports().items():
        key = step.ports[name]
        if port.kind is not Model or not isinstance(key, str):
            continue
        if workspace.has(key):
            return float(workspace.load(key).info.get("parameters", 1.0))  # type: ignore[attr-defined]
        maker = next((s for s in plan.steps if s.key == key), None)
        if maker is not None and isinstance(maker.method, Trainer):
            return maker.method.parameters() or _parameters(maker, plan, workspace)
    return 1.0


def _chosen(step: PlannedStep, plan: Plan, rows: int) -> int:
    """Rows of the Selection that a step reads, as far as its budget tells."""
    names = [r.removeprefix("$") for r in step.references.values() if isinstance(r, str)]
    return max((count_of(s.method, rows) for s in plan.steps if s.name in names), default=0)


def total(estimates: list[Estimate]) -> dict[str, Any]:
    """Sums over steps: seconds (low, high), the largest memory, disk, money, and how many steps are unknown.

    Money is the sum over steps where it is known, NaN when they are in several currencies; `money_unknown` counts the
    others. Ends of intervals are summed as if all steps were at their worst together.
    """
    priced = [(e.asks.money, e.asks.currency) for e in estimates if e.asks and e.asks.money]
    currencies = sorted({currency for _, currency in priced})
    none = float("nan") if len(currencies) > 1 else 0.0
    known = [e for e in estimates if e.basis != "unknown"]
    return {
        "seconds": sum(e.seconds for e in known),
        "low": sum(e.low for e in known),
        "high": sum(e.high for e in known),
        "memory": max((e.memory for e in estimates), default=0.0),
        "disk": sum(e.disk for e in estimates),
        "money": sum((money.value for money, _ in priced), none),
        "money_low": sum((money.low for money, _ in priced), none),
        "money_high": sum((money.high for money, _ in priced), none),
        "currency": ", ".join(currencies),
        "money_unknown": sum(e.money != e.money for e in estimates),
        "unknown": len(estimates) - len(known),
    }


def as_dicts(estimates: list[Estimate]) -> list[dict[str, Any]]:
    """Plain data."""
    return [asdict(e) for e in estimates]
