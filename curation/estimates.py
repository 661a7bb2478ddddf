"""What a plan will cost, before it runs: from what such steps took here before, else from a short calibration.

A method says how its work grows (`Method.work`); seconds per unit of work come from this machine. The calibration runs
each unknown step on two small samples of the real rows, in a process of its own, and is remembered in the workspace
like any finished step.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from curation.core.artifacts import (
    Artifact,
    Coverage,
    Features,
    Labels,
    Layout,
    Missing,
    Neighbours,
    Score,
    Selection,
)
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Method, Port, Selector, Size, find, parse_budget, resolve_count
from curation.core.runtime import Runtime
from curation.recipe import Plan, PlannedStep, hash_key
from curation.workspace import Workspace

DEFAULT_DIMS = 384
CALIBRATION_TIMEOUT_S = 180
SMALL_ROWS, LARGE_ROWS = 48, 240
"""Samples of row-wise steps."""
SMALL_POINTS, LARGE_POINTS = 500, 2000
"""Samples of steps that see all rows at once."""


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
        basis: "stored", "history", "calibration" or "unknown".
        gpu_memory: Bytes on the GPU, 0 on a CPU.
        money: 0 for everything that calls no paid service.
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


def timing_entry(
    method: Method, size: Size, seconds: float, device: str, *, calibrated: bool = False
) -> dict[str, Any]:
    """One line of the workspace's timings."""
    return {
        "use": method.use(),
        "digest": _digest(method),
        "device": device,
        "work": method.work(size),
        "rows": size.rows,
        "seconds": seconds,
        "calibrated": calibrated,
        "time": time.time(),
    }


def _digest(method: Method) -> str:
    parameters = method.model_dump(mode="json")
    parameters.pop("budget", None)  # enters through the work
    parameters.pop("path", None)
    return hash_key([method.version, parameters])


def estimate(plan: Plan, workspace: Workspace, runtime: Runtime, *, calibrate: bool = True) -> list[Estimate]:
    """Cost of every step of a plan.

    Args:
        plan: From `recipe.plan`.
        workspace: Knows what is stored, and what such steps took before.
        runtime: Device.
        calibrate: Run a short calibration for steps never run here (seconds); False leaves them "unknown".
    """
    datasets = {f: workspace.dataset(f) for f in plan.datasets}
    sizes = {s.name: _size(s, plan, workspace, datasets[s.dataset]) for s in plan.steps}
    timings = workspace.timings()
    if calibrate:
        unknown = [s for s in plan.steps if not _stored(s, workspace) and not _known(s, timings, runtime)]
        if unknown:
            _calibrate(unknown, workspace, runtime)
            timings = workspace.timings()
    return [_estimate(s, sizes[s.name], timings, workspace, runtime) for s in plan.steps]


def _stored(step: PlannedStep, workspace: Workspace) -> bool:
    return step.method.cached and workspace.has(step.key)


def _known(step: PlannedStep, timings: list[dict[str, Any]], runtime: Runtime) -> list[dict[str, Any]]:
    digest = _digest(step.method)
    return [t for t in timings if t["use"] == step.use and t["digest"] == digest and t["device"] == runtime.device]


def _estimate(
    step: PlannedStep, size: Size, timings: list[dict[str, Any]], workspace: Workspace, runtime: Runtime
) -> Estimate:
    memory, disk = step.method.memory(size), step.method.disk(size)
    gpu = memory if runtime.device != "cpu" else 0.0
    if _stored(step, workspace):
        return Estimate(step.name, step.use, 0.0, 0.0, 0.0, 0.0, 0.0, 0, True, "stored")
    known = _known(step, timings, runtime)
    if not known:
        nan = float("nan")
        return Estimate(step.name, step.use, nan, nan, nan, memory, disk, size.rows, False, "unknown", gpu)
    seconds, basis = predict(known, step.method.work(size))
    spread = 0.25 if basis == "history" else 0.5
    low, high = seconds * (1 - spread), seconds * (1 + spread)
    return Estimate(step.name, step.use, seconds, low, high, memory, disk, size.rows, False, basis, gpu)


def predict(known: list[dict[str, Any]], work: float) -> tuple[float, str]:
    """Seconds for some work from finished steps of the same method.

    A real run within a factor of three decides (the median of the last three, in proportion). Otherwise a line through
    the smallest and the largest known work, never falling, never below zero.
    """
    real = [t for t in known if not t["calibrated"]]
    near = [t for t in real if work / 3 <= t["work"] <= work * 3][-3:]
    if near:
        return float(np.median([t["seconds"] * work / t["work"] for t in near])), "history"
    points = sorted((t["work"], t["seconds"]) for t in known)
    (w0, s0), (w1, s1) = points[0], points[-1]
    basis = "history" if real else "calibration"
    if w1 <= w0 * 1.5:
        return s1 * work / w1 if work > w1 else s1, basis
    slope = max((s1 - s0) / (w1 - w0), 0.0)
    if work >= w1:
        return s1 + slope * (work - w1), basis
    return max(s1 - slope * (w1 - work), min(s0, s1) * work / w0 if work < w0 else 0.0), basis


def _size(step: PlannedStep, plan: Plan, workspace: Workspace, pool: Dataset) -> Size:
    rows = np.arange(len(pool))
    if step.rows_key is not None:
        contents, first = np.unique(pool.contents, return_index=True)
        rows = first[~workspace.row_store(step.rows_key).find(contents)]
    chars = int(pool.lengths()[rows].sum()) if len(rows) else 0
    dims = DEFAULT_DIMS if any(p.kind is Features for p in step.method.ports().values()) else 0
    count = _count(step.method, len(rows)) or _chosen(step, plan, len(pool))
    return Size(len(rows), chars, dims, count)


def _chosen(step: PlannedStep, plan: Plan, rows: int) -> int:
    """Rows of the Selection that a step reads, as far as its budget tells."""
    names = [r.removeprefix("$") for r in step.references.values() if isinstance(r, str)]
    return max((_count(s.method, rows) for s in plan.steps if s.name in names), default=0)


def _count(method: Method, rows: int) -> int:
    budget = getattr(method, "budget", None)
    if budget is None or not rows:
        return 0
    if parse_budget(budget)[0] == "tokens":
        return max(1, rows // 10)  # how many rows the tokens are is only known later
    return resolve_count(budget, rows)


# ---------------------------------------------------------------------- calibration


def _calibrate(steps: list[PlannedStep], workspace: Workspace, runtime: Runtime) -> None:
    """Measure steps in a process of its own: the caller may be the app's server, which loads no models."""
    jobs = [{"use": s.use, "parameters": s.method.model_dump(mode="json"), "dataset": s.dataset} for s in steps]
    done = {(t["use"], t["digest"]) for t in workspace.timings()}
    jobs = [j for j, s in zip(jobs, steps, strict=True) if (s.use, _digest(s.method)) not in done and s.method.cached]
    if not jobs:
        return
    command = [sys.executable, "-m", "curation.estimates", str(workspace.root), runtime.device]
    try:
        subprocess.run(
            command, input=json.dumps(jobs), text=True, capture_output=True, timeout=CALIBRATION_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return  # what was measured so far is remembered; the rest stays "unknown"


def calibrate_here(workspace: Workspace, jobs: list[dict[str, Any]], device: str) -> None:
    """Run each step on a small and a larger sample, and remember both times."""
    runtime = Runtime(device=device, cache=workspace.root / "cache")
    for job in jobs:
        method = find(job["use"])(**job["parameters"])
        pool = workspace.dataset(job["dataset"])
        try:
            for size, seconds in _measure(method, pool, runtime):
                workspace.record_timing(timing_entry(method, size, seconds, device, calibrated=True))
        except CurationError as error:
            sys.stderr.write(f"{job['use']}: {error}\n")


def _measure(method: Method, pool: Dataset, runtime: Runtime) -> list[tuple[Size, float]]:
    samples = (SMALL_ROWS, LARGE_ROWS) if method.row_wise else (SMALL_POINTS, LARGE_POINTS)
    found = []
    for n in dict.fromkeys(min(k, len(pool)) for k in samples):
        part = pool.take(_spread_by_length(pool, n))
        rng = np.random.default_rng(0)
        ports = {p: _stand_in(port, part, rng) for p, port in method.ports().items()}
        chars = int(part.lengths().sum())
        dims = max((v.values.shape[1] for v in ports.values() if isinstance(v, Features)), default=0)
        chosen = max((len(v) for v in ports.values() if isinstance(v, Selection)), default=0)
        size = Size(n, chars, dims, _count(method, n) or chosen)
        start = time.perf_counter()
        if isinstance(method, Selector):
            method.select(part, Ask(np.arange(n), size.count), runtime, **ports)  # type: ignore[attr-defined]
        else:
            getattr(method, method.verb)(part, runtime, **ports)
        found.append((size, time.perf_counter() - start))
    return found


def _spread_by_length(pool: Dataset, n: int) -> np.ndarray:
    """`n` rows whose lengths stand for all."""
    order = np.argsort(pool.lengths(), kind="stable")
    return np.sort(order[((np.arange(n) + 0.5) * len(order) / n).astype(np.int64)])


def _stand_in(port: Port, pool: Dataset, rng: np.random.Generator) -> Any:
    """Made-up input of the right shape: its cost, not its content, is what counts."""
    if port.many == "list":
        return [_made_up(port.kind, pool, rng)]
    if port.many == "dict":
        return {"a": _made_up(port.kind, pool, rng)}
    return _made_up(port.kind, pool, rng)


def _made_up(kind: type[Artifact], pool: Dataset, rng: np.random.Generator) -> Artifact:
    n, name, none = len(pool), pool.fingerprint, Missing.none(len(pool))
    if kind is Features:
        centres = rng.normal(size=(12, DEFAULT_DIMS))
        values = centres[rng.integers(12, size=n)] + 0.7 * rng.normal(size=(n, DEFAULT_DIMS))
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return Features(name, values.astype(np.float32), none)
    if kind is Score:
        return Score(name, rng.normal(size=n), none, "score")
    if kind is Labels:
        return Labels(name, rng.integers(4, size=n).astype(np.int32), ("a", "b", "c", "d"), none)
    if kind is Layout:
        return Layout(name, rng.normal(size=(n, 2)).astype(np.float32), none)
    if kind is Selection:
        return Selection(name, n, rng.permutation(n)[: max(1, n // 10)])
    if kind is Coverage:
        return Coverage(name, {}, np.empty(0, np.int64))
    if kind is Neighbours:
        k = min(15, n - 1)
        indices = (np.arange(n)[:, None] + 1 + np.arange(k)) % n
        return Neighbours(name, indices.astype(np.int32), np.full((n, k), 0.5, np.float32), "cosine", none)
    raise CurationError(f"no stand-in for {kind.__name__}")


def total(estimates: list[Estimate]) -> dict[str, Any]:
    """Sums over steps: seconds (low, high), the largest memory, disk, and how many steps are unknown."""
    known = [e for e in estimates if e.basis != "unknown"]
    return {
        "seconds": sum(e.seconds for e in known),
        "low": sum(e.low for e in known),
        "high": sum(e.high for e in known),
        "memory": max((e.memory for e in estimates), default=0.0),
        "disk": sum(e.disk for e in estimates),
        "money": sum(e.money for e in estimates),
        "unknown": len(estimates) - len(known),
    }


def as_dicts(estimates: list[Estimate]) -> list[dict[str, Any]]:
    """Plain data."""
    return [asdict(e) for e in estimates]


if __name__ == "__main__":
    calibrate_here(Workspace.open(sys.argv[1]), json.loads(sys.stdin.read()), sys.argv[2])
