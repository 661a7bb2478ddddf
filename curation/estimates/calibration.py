"""A short calibration: steps never run here are timed on samples of the real rows, and remembered like finished steps.

It runs in a process of its own (`python -m curation.estimates`): the caller may be the app's server, which loads no
models, and what loading takes is part of what is measured.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curation.core.artifacts import (
    Artifact,
    Coverage,
    Dynamics,
    Features,
    Labels,
    Layout,
    Missing,
    Model,
    Neighbours,
    Score,
    Selection,
)
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Method, Port, Selector, Size, find
from curation.core.runtime import Runtime
from curation.estimates.timings import DEFAULT_DIMS, count_of, digest, timing_entry
from curation.recipe import Plan, PlannedStep, maker_of
from curation.workspace import Workspace, folder_bytes

TIMEOUT_S = 240
ROWS = (48, 192, 768, 3072)
"""Samples of row-wise steps, each taken only while the one before was quick."""
POINTS = (500, 1000, 2000, 4000, 8000)
"""Samples of steps that see all rows at once."""
QUICK_S = 0.8


def calibrate_steps(steps: list[PlannedStep], plan: Plan, workspace: Workspace, runtime: Runtime) -> None:
    """Measure steps of a plan in processes of their own; what cannot be measured in time stays unknown.

    Two processes one after the other: the first fills caches (converted models, compiled loops) and measures samples,
    the second measures what a fresh process needs to begin, now that the caches are there.
    """
    jobs = [
        {
            "use": s.use,
            "parameters": s.method.model_dump(mode="json"),
            "dataset": s.dataset,
            "ports": s.ports,
            "maker": _maker(s, plan),
            "elsewhere": _elsewhere(s, plan),
        }
        for s in steps
        if s.method.cached and maker_of(s.dataset) is None
    ]
    if not jobs:
        return
    for what in ("samples", "startup"):
        command = [sys.executable, "-m", "curation.estimates", str(workspace.root), runtime.device, what]
        try:
            subprocess.run(
                command, input=json.dumps(jobs), text=True, capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return  # what was measured so far is remembered


def _maker(step: PlannedStep, plan: Plan) -> dict[str, Any] | None:
    """The step that first makes the network that this one reads: a quick one like it stands in where there is none."""
    for name, port in step.method.ports().items():
        if port.kind is Model and isinstance(step.ports[name], str):
            for other in plan.steps:
                if other.key == step.ports[name]:
                    here = {"use": other.use, "parameters": other.method.model_dump(mode="json")}
                    return _maker(other, plan) or here
    return None


def _elsewhere(step: PlannedStep, plan: Plan) -> dict[str, str]:
    """Port → the Dataset that its artifact belongs to, for ports that read of other rows."""
    keys = {step.ports.get(port): port for port in step.method.elsewhere if isinstance(step.ports.get(port), str)}
    return {keys[other.key]: other.dataset for other in plan.steps if other.key in keys}


def calibrate_here(workspace: Workspace, jobs: list[dict[str, Any]], device: str, what: str) -> None:
    """Run each step on samples of growing size, or twice on the smallest, and remember all times."""
    runtime = Runtime(device=device, cache=workspace.root / "cache")
    seen: set[str] = set()
    networks: dict[str, Model] = {}
    with workspace.scratch() as folder:
        for number, job in enumerate(jobs):
            same = json.dumps([job["use"], job["parameters"]], sort_keys=True)
            if same in seen:
                continue
            seen.add(same)
            method = find(job["use"])(**job["parameters"])
            pool = workspace.dataset(job["dataset"])
            here = dataclasses.replace(runtime, keep=folder / str(number))
            try:
                # not in `here.keep`, which is emptied before every sample
                apart = dataclasses.replace(runtime, keep=folder / f"network-{number}")
                network = _network(job["maker"], pool, apart, networks)
                _calibrate_one(
                    workspace, method, pool, here, _Reads(job["ports"], network, job.get("elsewhere", {})), what
                )
            except CurationError as error:
                sys.stderr.write(f"{job['use']}: {error}\n")


def _network(maker: dict[str, Any] | None, pool: Dataset, runtime: Runtime, made: dict[str, Model]) -> Model | None:
    """A network as large as the one that a step will read, made once from a few rows."""
    if maker is None:
        return None
    name = json.dumps(maker, sort_keys=True)
    if name not in made:
        method = find(maker["use"])(**maker["parameters"]).shortened()
        made[name] = getattr(method, method.verb)(
            pool.take(_spread_by_length(pool, min(POINTS[0], len(pool)))), runtime
        )
    return made[name]


@dataclass(frozen=True)
class _Reads:
    """What a sampled step reads.

    Args:
        keys: Of results and datasets, by port.
        network: Stands in for one that is not made yet.
        elsewhere: Port → fingerprint of the Dataset of its rows, for ports that do not read of the pool.
    """

    keys: dict[str, Any]
    network: Model | None
    elsewhere: dict[str, str] = field(default_factory=dict)

    def width(self, workspace: Workspace) -> int:
        """Of the vectors that are stored, so that those made up beside them compare."""
        stored = [workspace.load(k) for k in self.keys.values() if isinstance(k, str) and workspace.has(k)]
        return next((v.values.shape[1] for v in stored if isinstance(v, Features)), DEFAULT_DIMS)


def _calibrate_one(
    workspace: Workspace, full: Method, pool: Dataset, runtime: Runtime, reads: _Reads, what: str
) -> None:
    method = full.shortened()
    sizes = sorted({min(n, len(pool)) for n in (ROWS if method.row_wise else POINTS)})
    cold = _Sample(method, pool, sizes[0], workspace, reads).seconds(runtime)  # libraries, models, compiled loops
    for n in sizes:
        sample = _Sample(method, pool, n, workspace, reads)
        seconds = sample.seconds(runtime)
        if seconds < QUICK_S:  # the quicker of two: whatever else the machine does only ever adds
            seconds = min(seconds, sample.seconds(runtime))
        startup = max(cold - seconds, 0.0) if n == sizes[0] else None
        entry = timing_entry(
            method,
            sample.size,
            seconds,
            runtime.device,
            calibrated=True,
            startup=startup,
            bytes_per_row=sample.bytes_per_row(workspace),
        )
        workspace.record_timing({**entry, "digest": digest(full)})
        # two sizes at least: one alone cannot tell what grows from what does not
        if what == "startup" or (seconds > QUICK_S and n > sizes[0]) or seconds > 10 * QUICK_S:
            return


class _Sample:
    """A method on some rows, with what it reads."""

    def __init__(self, method: Method, pool: Dataset, n: int, workspace: Workspace, reads: _Reads) -> None:
        rows = _spread_by_length(pool, n)
        rng = np.random.default_rng(0)
        self.method, self.part = method, pool.take(rows)
        self.made: Artifact
        self.ports: dict[str, Any] = {}
        for name, port in method.ports().items():
            key = reads.keys.get(name)
            if key is None:
                self.ports[name] = None
                continue
            if port.kind is Dataset:
                other = workspace.dataset(key)
                self.ports[name] = other.take(_spread_by_length(other, min(n, len(other))))
                continue
            if port.kind is Model and not workspace.has(key):
                self.ports[name] = reads.network
                continue
            if name in method.elsewhere:
                self.ports[name] = _of_other_rows(port, key, n, workspace, reads, name, rng)
                continue
            real = workspace.load(key) if isinstance(key, str) and workspace.has(key) else None
            if real is None or not real.row_aligned or isinstance(real, Selection):
                self.ports[name] = _stand_in(port, self.part, rng, reads.width(workspace))
            else:
                self.ports[name] = real.take(rows, self.part.fingerprint)
        chars = int(self.part.lengths().sum())
        dims = max((v.values.shape[1] for v in self.ports.values() if isinstance(v, Features)), default=0)
        chosen = max((len(v) for v in self.ports.values() if isinstance(v, Selection)), default=0)
        networks = [float(v.info.get("parameters", 1.0)) for v in self.ports.values() if isinstance(v, Model)]
        self.size = Size(n, chars, dims, count_of(method, n) or chosen, max(networks, default=1.0))

    def seconds(self, runtime: Runtime) -> float:
        """Wall time of one run, from the start: nothing that an earlier one kept is used."""
        if runtime.keep is not None:
            shutil.rmtree(runtime.keep, ignore_errors=True)
            runtime.keep.mkdir(parents=True)
        start = time.perf_counter()
        if isinstance(self.method, Selector):
            ask = Ask(np.arange(self.size.rows), self.size.count)
            self.made = self.method.select(self.part, ask, runtime, **self.ports)  # type: ignore[attr-defined]
        else:
            self.made = getattr(self.method, self.method.verb)(self.part, runtime, **self.ports)
        return time.perf_counter() - start

    def bytes_per_row(self, workspace: Workspace) -> float:
        """Of the result, on disk."""
        with workspace.scratch() as folder:
            self.made.save(folder)
            return folder_bytes(folder) / self.size.rows


def _spread_by_length(pool: Dataset, n: int) -> np.ndarray:
    """`n` rows whose lengths stand for all."""
    order = np.argsort(pool.lengths(), kind="stable")
    return np.sort(order[((np.arange(n) + 0.5) * len(order) / n).astype(np.int64)])


def _of_other_rows(
    port: Port, key: Any, n: int, workspace: Workspace, reads: _Reads, name: str, rng: np.random.Generator
) -> Any:
    """What a port reads of another Dataset, cut to the rows that a sample of that Dataset has."""
    real = workspace.load(key) if isinstance(key, str) and workspace.has(key) else None
    home = reads.elsewhere.get(name, "") if real is None else real.dataset
    if home not in {d.fingerprint for d in workspace.datasets()}:
        return real  # a list or dict of them, or of rows that are gone
    other = workspace.dataset(home)
    rows = _spread_by_length(other, min(n, len(other)))
    part = other.take(rows)
    if real is None or not real.row_aligned or isinstance(real, Selection):
        return _stand_in(port, part, rng, reads.width(workspace))
    return real.take(rows, part.fingerprint)


def _stand_in(port: Port, pool: Dataset, rng: np.random.Generator, width: int) -> Any:
    """Made-up input of the right shape: its cost, not its content, is what counts."""
    if port.many == "list":
        return [_made_up(port.kind, pool, rng, width)]
    if port.many == "dict":
        return {"a": _made_up(port.kind, pool, rng, width)}
    return _made_up(port.kind, pool, rng, width)


def _made_up(kind: type[Artifact] | type[Dataset], pool: Dataset, rng: np.random.Generator, width: int) -> Artifact:
    n, name, none = len(pool), pool.fingerprint, Missing.none(len(pool))
    groups = rng.integers(12, size=n)
    if kind in (Features, Neighbours):
        centres = rng.normal(size=(12, width))
        values = centres[groups] + 0.7 * rng.normal(size=(n, width))
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        features = Features(name, values.astype(np.float32), none)
        if kind is Features:
            return features
        # a graph of anything but near points (a ring, random links) makes layouts start slowly
        method = find("neighbours").model_validate({"k": min(15, max(n - 1, 1))})
        return getattr(method, method.verb)(pool, Runtime(), features=features)
    if kind is Score:
        return Score(name, rng.normal(size=n), none, "score", True)
    if kind is Labels:
        return Labels(name, rng.integers(4, size=n).astype(np.int32), ("a", "b", "c", "d"), none)
    if kind is Layout:
        places = 8.0 * rng.normal(size=(12, 2))[groups] + rng.normal(size=(n, 2))
        return Layout(name, places.astype(np.float32), none)
    if kind is Selection:
        return Selection(name, n, rng.permutation(n)[: max(1, n // 10)])
    if kind is Dynamics:
        shares = rng.random((2, 3, n)).astype(np.float32)
        names = ("loss", "p_true", "correct", "el2n", "margin", "entropy", "grand", "presented")
        return Dynamics(name, none, dict.fromkeys(names, shares), np.arange(1.0, 4.0))
    if kind is Coverage:
        return Coverage(name, {}, np.empty(0, np.int64))
    raise CurationError(f"no stand-in for {kind.__name__}")
