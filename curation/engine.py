"""Carries a plan out: reuses what is stored, computes what is missing, keeps row-wise results per row content."""

from __future__ import annotations

import dataclasses
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from curation.core.artifacts import NO_ROW, Artifact, Features, Missing, Neighbours, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, RecipeError
from curation.core.method import Ask, Method, Selector, Size, parse_budget, resolve_count
from curation.core.runtime import Runtime
from curation.estimates import Estimate, estimate, timing_entry
from curation.recipe import Plan, PlannedStep
from curation.workspace import RowStore, Workspace

log = logging.getLogger(__name__)

SEGMENT_SECONDS = float(os.environ.get("CURATION_SEGMENT_SECONDS", "5"))
"""Row-wise results are published about this often: what a kill can lose."""
FIRST_SEGMENT_ROWS = 128
COVER_OPERATIONS = 4e12
"""Above this many multiply-adds, `covered_by` of a selection is not filled in by the engine."""

__all__ = ["Estimate", "Outcome", "StepFact", "estimate", "run"]


@dataclass(frozen=True)
class StepFact:
    """What happened to one step.

    Args:
        name: In the recipe.
        use: The method's recipe name.
        kind: Of the artifact.
        key: Of the result.
        seconds: Wall time, 0 when reused.
        reused: True when nothing had to be computed.
        rows: Rows worked on.
        rows_reused: Rows whose result was there already (row-wise methods).
        missing: Rows without a result, by reason.
        peak_mb: Peak memory of the process during the step, in MB.
        estimate: Seconds that were estimated before, or None.
        order_key: Key of the nested order, or None.
        rows_key: Key of the row-wise store, or None.
        note: Anything the user should know.
    """

    name: str
    use: str
    kind: str
    key: str
    seconds: float
    reused: bool
    rows: int = 0
    rows_reused: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    peak_mb: float = 0.0
    estimate: float | None = None
    order_key: str | None = None
    rows_key: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """All steps of a run, and access to their artifacts."""

    workspace: Workspace
    plan: Plan
    steps: list[StepFact]
    artifacts: dict[str, Artifact]

    @property
    def result(self) -> StepFact:
        """The step that the recipe names as its result."""
        return next(s for s in self.steps if s.name == self.plan.result)

    def artifact(self, name: str) -> Artifact:
        """The artifact of a step."""
        return self.artifacts[name]


def run(
    plan: Plan,
    workspace: Workspace,
    runtime: Runtime | None = None,
    *,
    on_step: Callable[[str, int, int], None] = lambda name, index, count: None,
    done_step: Callable[[StepFact], None] = lambda fact: None,
    waiting: Callable[[str], None] = lambda what: None,
    outputs: Path | None = None,
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

    Raises:
        CurationError: naming the step and method.
    """
    runtime = runtime or Runtime()
    if runtime.cache is None:
        runtime = dataclasses.replace(runtime, cache=workspace.root / "cache")
    folder = outputs or workspace.root / "exports" / time.strftime("%Y%m%d-%H%M%S")
    runner = _Runner(plan, workspace, runtime, waiting, folder)
    steps: list[StepFact] = []
    for index, step in enumerate(plan.steps):
        on_step(step.name, index, len(plan.steps))
        steps.append(runner.step(step, steps))
        done_step(steps[-1])
    return Outcome(workspace, plan, steps, runner.artifacts)


class _Runner:
    def __init__(
        self, plan: Plan, workspace: Workspace, runtime: Runtime, waiting: Callable[[str], None], folder: Path
    ) -> None:
        self.plan, self.workspace, self.runtime = plan, workspace, runtime
        self.waiting, self.folder = waiting, folder
        self.artifacts: dict[str, Artifact] = {}
        self.by_key: dict[str, Artifact] = {}
        self.datasets: dict[str, Dataset] = {}

    def dataset(self, fingerprint: str) -> Dataset:
        if fingerprint not in self.datasets:
            self.datasets[fingerprint] = self.workspace.dataset(fingerprint)
        return self.datasets[fingerprint]

    def load(self, key: str | None) -> Artifact | None:
        if key is None:
            return None
        if key not in self.by_key:
            self.by_key[key] = self.workspace.load(key)
        return self.by_key[key]

    def step(self, step: PlannedStep, before: list[StepFact]) -> StepFact:
        try:
            return self._step(step, before)
        except RecipeError:
            raise
        except CurationError as error:
            error.args = (f"step '{step.name}' ({step.use}): {error.message}",)
            error.message = str(error.args[0])
            raise

    def _step(self, step: PlannedStep, before: list[StepFact]) -> StepFact:
        self.runtime.progress(0, 1, step.name)
        if step.method.cached and self.workspace.has(step.key):
            return self._fact(step, 0.0, reused=True)
        with self.workspace.lock(step.key, lambda: self.waiting(f"another job computes '{step.name}'")):
            if step.method.cached and self.workspace.has(step.key):
                return self._fact(step, 0.0, reused=True)
            reset_peak()
            start = time.perf_counter()
            artifact, size, rows_reused, note = self._compute(step, before)
            seconds = time.perf_counter() - start
            peak = peak_mb()
            self.by_key[step.key] = artifact
            if step.method.cached:
                self.workspace.publish(step.key, artifact, self._manifest(step, seconds, peak))
        self.workspace.record_timing(timing_entry(step.method, size, seconds, self.runtime.device))
        return self._fact(step, seconds, reused=False, peak=peak, rows_reused=rows_reused, rows=size.rows, note=note)

    def _manifest(self, step: PlannedStep, seconds: float, peak: float) -> dict[str, Any]:
        return {
            "use": step.use,
            "version": step.method.version,
            "step": step.name,
            "parameters": step.method.model_dump(mode="json"),
            "ports": step.ports,
            "references": step.references,
            "within": step.within,
            "dataset": step.dataset,
            "order_key": step.order_key,
            "rows_key": step.rows_key,
            "seconds": seconds,
            "peak_mb": peak,
            "recipe": self.plan.resolved_yaml(),
            "bindings": self.plan.bindings,
        }

    def _fact(
        self,
        step: PlannedStep,
        seconds: float,
        *,
        reused: bool,
        peak: float = 0.0,
        rows_reused: int = 0,
        rows: int = 0,
        note: str = "",
    ) -> StepFact:
        artifact = cast(Artifact, self.load(step.key))
        self.artifacts[step.name] = artifact
        missing = getattr(artifact, "missing", None)
        if not note and isinstance(artifact, Selection) and artifact.short_by:
            note = f"{artifact.short_by} rows fewer than asked: {artifact.short_reason}"
        return StepFact(
            step.name,
            step.use,
            artifact.kind,
            step.key,
            seconds,
            reused,
            rows or len(self.dataset(step.dataset)),
            rows_reused,
            missing.counts() if isinstance(missing, Missing) else {},
            peak,
            None,
            step.order_key,
            step.rows_key,
            note,
        )

    # ------------------------------------------------------------------ the three ways

    def _compute(self, step: PlannedStep, before: list[StepFact]) -> tuple[Artifact, Size, int, str]:
        pool = self.dataset(step.dataset)
        ports = {p: self._value(k) for p, k in step.ports.items()}
        within = cast(Selection | None, self.load(step.within[1])) if step.within else None
        if isinstance(step.method, Selector):
            return self._select(step, step.method, pool, ports, within)
        if step.method.row_wise:
            return self._row_wise(step, pool, within)
        return self._whole(step, pool, ports, within, before)

    def _value(self, keys: Any) -> Any:
        if isinstance(keys, list):
            return [self.load(k) for k in keys]
        if isinstance(keys, dict):
            return {name: self.load(k) for name, k in keys.items()}
        return self.load(keys)

    def _whole(
        self, step: PlannedStep, pool: Dataset, ports: dict[str, Any], within: Selection | None, before: list[StepFact]
    ) -> tuple[Artifact, Size, int, str]:
        """A method that sees all its rows at once. Rows outside, or missing in features, are cut and spread again."""
        absent = Missing.none(len(pool))
        if within is not None and step.within:
            absent = _outside(within, step.within[0])
        if step.method.returns.row_aligned:
            for value in ports.values():
                if isinstance(value, Features | Neighbours) and value.missing.mask.any():
                    absent = _either(absent, value.missing)
        runtime = self._with_context(step, before)
        rows = np.flatnonzero(~absent.mask)
        chosen = max((len(v) for v in ports.values() if isinstance(v, Selection)), default=0)
        size = _size(pool, rows, ports, chosen)
        if len(rows) == len(pool):
            return self._call(step.method, pool, runtime, ports), size, 0, ""
        if not len(rows):
            raise CurationError("no row is left to work on", "; ".join(f"{k}: {v}" for k, v in absent.counts().items()))
        part = pool.take(rows)
        cut = {p: _cut(v, rows, part.fingerprint) for p, v in ports.items()}
        made = self._call(step.method, part, runtime, cut)
        if not made.row_aligned:
            return dataclasses.replace(made, dataset=pool.fingerprint), size, 0, ""
        return _spread(made, rows, pool, absent), size, 0, ""

    def _call(self, method: Method, pool: Dataset, runtime: Runtime, ports: dict[str, Any]) -> Artifact:
        made = getattr(method, method.verb)(pool, runtime, **ports)
        if not isinstance(made, method.returns):
            raise TypeError(f"{method.use()} returned {type(made).__name__}, not {method.returns.__name__}")
        return made

    def _with_context(self, step: PlannedStep, before: list[StepFact]) -> Runtime:
        if step.method.cached:
            return self.runtime
        self.folder.mkdir(parents=True, exist_ok=True)
        context = {
            "recipe": self.plan.resolved_yaml(),
            "folder": self.folder,
            "step": step.name,
            "results": [asdict(f) for f in before],
        }
        return dataclasses.replace(self.runtime, context={**context, **self.runtime.context})

    # ------------------------------------------------------------------ row-wise

    def _row_wise(self, step: PlannedStep, pool: Dataset, within: Selection | None) -> tuple[Artifact, Size, int, str]:
        """Compute only the rows whose content has no result yet, longest first, publishing every few seconds."""
        assert step.rows_key is not None
        rows = np.arange(len(pool)) if within is None else np.sort(within.order)
        contents = pool.contents[rows]
        store = self.workspace.row_store(step.rows_key)
        lock = f"rows-{step.rows_key}"
        with self.workspace.lock(lock, lambda: self.waiting(f"another job computes rows of '{step.name}'")):
            unique, first = np.unique(contents, return_index=True)
            todo = rows[first[~store.find(unique)]]
            lengths = pool.lengths()
            todo = todo[np.argsort(-lengths[todo], kind="stable")]
            size = _size(pool, todo, {}, 0)
            self._fill(step.method, pool, todo, lengths, store)
            store.merge()
            made = store.gather(contents, pool.fingerprint)
        if len(rows) < len(pool) and step.within:
            reason = f"outside `{step.within[0]}`"
            made = made.scatter(rows, len(pool), pool.fingerprint, reason)
        return made, size, int(len(rows) - np.isin(contents, pool.contents[todo]).sum()), ""

    def _fill(self, method: Method, pool: Dataset, todo: np.ndarray, lengths: np.ndarray, store: RowStore) -> None:
        cost = np.concatenate([[0], np.cumsum(lengths[todo] + 1.0)])
        total, begin, target = float(cost[-1]), 0, float(cost[min(FIRST_SEGMENT_ROWS, len(todo))])
        while begin < len(todo):
            end = int(np.searchsorted(cost, cost[begin] + target, side="right")) - 1
            end = min(max(end, begin + 1), len(todo))
            chunk, base, share = todo[begin:end], cost[begin], cost[end] - cost[begin]

            def progress(done: float, of: float, note: str = "", base: float = base, share: float = share) -> None:
                self.runtime.progress(base + share * done / max(of, 1e-9), total, note)

            progress(0, 1)
            start = time.perf_counter()
            part = pool.take(chunk)
            made = self._call(method, part, dataclasses.replace(self.runtime, progress=progress), {})
            store.append(part.contents, made)
            seconds = time.perf_counter() - start
            target = max(target, 1.0) * min(max(SEGMENT_SECONDS / max(seconds, 1e-3), 0.5), 4.0)
            begin = end
        if not len(todo) and not store.find(pool.contents[:1]).any() and len(pool) == 0:
            raise CurationError("the dataset has no rows")

    # ------------------------------------------------------------------ selectors

    def _select(
        self, step: PlannedStep, method: Selector, pool: Dataset, ports: dict[str, Any], within: Selection | None
    ) -> tuple[Artifact, Size, int, str]:
        absent = Missing.none(len(pool))
        if within is not None and step.within:
            absent = _outside(within, step.within[0])
        for name in method.eligible_ports:
            value = ports.get(name)
            if isinstance(value, Artifact) and hasattr(value, "missing"):
                absent = _either(absent, value.missing)
            if isinstance(value, Score):
                absent = _either(absent, Missing.where(~np.isfinite(value.values), "no score"))
        eligible = np.flatnonzero(~absent.mask)
        if not len(eligible):
            reasons = "; ".join(f"{v:,} rows {k}" for k, v in absent.counts().items())
            raise CurationError("no row is eligible", reasons or "the dataset has no rows")
        if not method.budgeted():
            size = _size(pool, eligible, ports, 0)
            made = method.select(pool, Ask(eligible), self.runtime, **ports)  # type: ignore[attr-defined]
            return self._finish(made, absent, ports, None), size, 0, ""
        budget = getattr(method, "budget")  # noqa: B009 - budgeted selectors have it, the base does not
        tokens = cast(Score | None, self.load(step.tokens))
        if parse_budget(budget)[0] == "tokens":
            return self._by_tokens(step, method, pool, ports, absent, eligible, cast(Score, tokens), budget)
        count = resolve_count(budget, len(eligible))
        unit, number = parse_budget(budget)
        wanted = int(number) if unit == "rows" else count
        made, size = self._ordered(step, method, pool, ports, eligible, count)
        if wanted > len(made) and not made.short_by:
            why = f"only {len(eligible):,} rows are eligible"
            made = dataclasses.replace(made, short_by=wanted - len(made), short_reason=why)
        return self._finish(made, absent, ports, count), size, 0, ""

    def _ordered(
        self,
        step: PlannedStep,
        method: Selector,
        pool: Dataset,
        ports: dict[str, Any],
        eligible: np.ndarray,
        count: int,
    ) -> tuple[Selection, Size]:
        """The first `count` picks; a nested order is stored once and only ever extended."""
        size = _size(pool, eligible, ports, count)
        if step.order_key is None:
            return method.select(pool, Ask(eligible, count), self.runtime, **ports), size  # type: ignore[attr-defined]
        with self.workspace.lock(f"order-{step.order_key}", lambda: self.waiting("another job extends the same order")):
            known = self.workspace.order(step.order_key)
            if known is None or (len(known) < count and not known.short_by):
                ask = Ask(eligible, count, None if known is None else np.asarray(known.order))
                made = method.select(pool, ask, self.runtime, **ports)  # type: ignore[attr-defined]
                made = dataclasses.replace(made, nested=True)
                self.workspace.publish_order(step.order_key, made, self._manifest(step, 0.0, 0.0))
                known = made
        return known.prefix(count), size

    def _by_tokens(
        self,
        step: PlannedStep,
        method: Selector,
        pool: Dataset,
        ports: dict[str, Any],
        absent: Missing,
        eligible: np.ndarray,
        tokens: Score,
        budget: int | str,
    ) -> tuple[Artifact, Size, int, str]:
        """Picks in order until the next one would exceed the token budget."""
        if step.order_key is None:
            raise CurationError("a budget in tokens needs a method whose order is nested", "use a budget in rows")
        parts = [tokens.columns[c] for c in ("prompt_tokens", "response_tokens") if c in tokens.columns]
        counts = np.sum(parts, axis=0) if parts else np.asarray(tokens.values, float)
        counts = np.where(np.isfinite(counts), counts, 0.0)
        limit = parse_budget(budget)[1]
        count = min(len(eligible), max(1, int(limit / max(counts[eligible].mean(), 1e-9) * 1.1)))
        while True:
            made, size = self._ordered(step, method, pool, ports, eligible, count)
            spent = np.cumsum(counts[made.order])
            if len(made) < count or count == len(eligible) or (len(spent) and spent[-1] > limit):
                break
            count = min(len(eligible), count * 2)
        fits = int(np.searchsorted(spent, limit, side="right"))
        if not fits:
            raise CurationError(f"not one row fits into {budget}", f"the first pick has {int(spent[0])} tokens")
        cut = made.prefix(fits)
        cut = dataclasses.replace(cut, info={**cut.info, "tokens": float(spent[fits - 1])})
        return self._finish(cut, absent, ports, fits), size, 0, f"{int(spent[fits - 1]):,} tokens"

    def _finish(self, made: Selection, absent: Missing, ports: dict[str, Any], count: int | None) -> Selection:
        """Check what a selector returned, write why the others are out and which pick stands for them."""
        order = np.asarray(made.order)
        if len(np.unique(order)) != len(order) or absent.mask[order].any():
            raise AssertionError("a selector returned a row twice, or one that was not eligible")
        if count is not None and len(order) + made.short_by < count:
            raise AssertionError(f"a selector returned {len(order)} rows of {count} and did not say why")
        stages = (*made.stages, *absent.reasons)
        stage = np.array(made.stage) if len(made.stage) else np.zeros(made.n, np.int16)
        stage = np.where(absent.mask, absent.codes + len(made.stages), stage).astype(np.int16)
        stage[order] = 0
        made = dataclasses.replace(made, stage=stage, stages=stages)
        features = ports.get("features")
        if isinstance(features, Features) and len(order) and not len(made.covered_by):
            made = self._cover(made, features)
        return made

    def _cover(self, made: Selection, features: Features) -> Selection:
        from curation.linalg.distances import measurable_rows
        from curation.linalg.nearest import nearest_selected

        metric = made.info.get("metric", "cosine")
        values = np.asarray(features.values)
        present, points = measurable_rows(values, np.flatnonzero(~features.missing.mask), metric)
        picks = made.order[np.isin(made.order, present)]
        work = float(len(present)) * len(picks) * values.shape[1]
        if not len(picks) or work > COVER_OPERATIONS:
            return made
        # unit rows, so the metric below is only how the distance is told
        near = nearest_selected(points, np.searchsorted(present, picks), metric=metric)
        covered = np.full(made.n, NO_ROW, np.int64)
        apart = np.full(made.n, np.nan)
        covered[present], apart[present] = present[near.rows], near.distances
        return dataclasses.replace(made, covered_by=covered, distance=apart)


def _cut(value: Any, rows: np.ndarray, dataset: str) -> Any:
    if isinstance(value, list):
        return [_cut(v, rows, dataset) for v in value]
    if isinstance(value, dict):
        return {k: _cut(v, rows, dataset) for k, v in value.items()}
    if isinstance(value, Selection):
        raise CurationError("this step cannot be limited to some rows, since it reads a selection")
    return value.take(rows, dataset) if isinstance(value, Artifact) and value.row_aligned else value


def _outside(within: Selection, name: str) -> Missing:
    """Rows outside a selection, each with the reason it has there; a reason that is itself "outside ..." stays."""
    reasons = [s if s.startswith("outside") else f"outside `{name}`: {s}" for s in within.stages]
    codes = np.array(within.stage) if len(within.stage) else np.zeros(within.n, np.int16)
    codes = np.where(within.mask, 0, np.where(codes > 0, codes, len(reasons) + 1)).astype(np.int16)
    return Missing(codes, (*reasons, f"outside `{name}`"))


def _either(a: Missing, b: Missing) -> Missing:
    """Missing in a or b; where both, the reason of a."""
    codes = np.where(a.codes > 0, a.codes, np.where(b.codes > 0, b.codes + len(a.reasons), 0)).astype(np.int16)
    return Missing(codes, (*a.reasons, *b.reasons))


def _spread(made: Artifact, rows: np.ndarray, pool: Dataset, absent: Missing) -> Artifact:
    whole = made.scatter(rows, len(pool), pool.fingerprint, "")
    own = cast(Missing, whole.missing)  # type: ignore[attr-defined]
    outside = len(own.reasons)  # scatter's placeholder, replaced by the reason each row really has
    codes = np.where(own.codes == outside, absent.codes + outside - 1, own.codes).astype(np.int16)
    missing = Missing(codes, (*own.reasons[:-1], *absent.reasons))
    return dataclasses.replace(whole, missing=missing)  # type: ignore[call-arg]


def _size(pool: Dataset, rows: np.ndarray, ports: dict[str, Any], count: int) -> Size:
    dims = max((v.values.shape[1] for v in ports.values() if isinstance(v, Features)), default=0)
    chars = int(pool.lengths()[rows].sum()) if len(rows) else 0
    return Size(len(rows), chars, dims, count)


def reset_peak() -> None:
    """Start measuring peak memory anew, where the system can."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            log.debug("peak memory cannot be reset here; it is that of the whole process")


def peak_mb() -> float:
    """Peak memory of this process in MB, since `reset_peak` where the system can tell."""
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20
