"""What a running plan holds: its datasets, artifacts, locks."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from curation.core.artifacts import Artifact, Derived
from curation.core.dataset import Dataset
from curation.core.method import Method, Size
from curation.core.runtime import Runtime
from curation.recipe import Plan, PlannedStep, maker_of
from curation.workspace import Workspace


@dataclass(frozen=True)
class Made:
    """What a step came to.

    Args:
        artifact: The result.
        size: What was worked on.
        rows_reused: Rows whose result was there already.
        note: Anything the user should know.
        whole: False when a part was taken from an earlier run, so that the time says nothing about the method.
    """

    artifact: Artifact
    size: Size
    rows_reused: int = 0
    note: str = ""
    whole: bool = True


@dataclass
class Context:
    """Shared by the ways in which steps are carried out."""

    plan: Plan
    workspace: Workspace
    runtime: Runtime
    waiting: Callable[[str], None]
    waited: float = 0.0
    by_key: dict[str, Artifact] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)

    def dataset(self, fingerprint: str) -> Dataset:
        """A Dataset, opened once; one that a step makes by that step's key."""
        maker = maker_of(fingerprint)
        if maker is not None:
            derived = self.load(maker)
            assert isinstance(derived, Derived), "a plan has every step after what it reads"
            fingerprint = derived.rows
        if fingerprint not in self.datasets:
            self.datasets[fingerprint] = self.workspace.dataset(fingerprint)
        return self.datasets[fingerprint]

    def load(self, key: str | None) -> Artifact | None:
        """An artifact, loaded once; None for no key."""
        if key is None:
            return None
        if key not in self.by_key:
            self.by_key[key] = self.workspace.load(key)
        return self.by_key[key]

    def has(self, step: PlannedStep) -> bool:
        """True when a step's result is stored; rows that a step made can have been removed as a dataset."""
        if not (step.method.cached and self.workspace.has(step.key)):
            return False
        if step.method.returns is not Derived:
            return True
        derived = self.workspace.load(step.key)
        return isinstance(derived, Derived) and self.workspace.holds(derived.rows)

    def ports(self, step: PlannedStep) -> dict[str, Any]:
        """What a step's verb reads: artifacts, and other Datasets."""
        kinds = {name: port.kind for name, port in step.method.ports().items()}
        return {
            name: self.dataset(keys) if kinds[name] is Dataset and keys is not None else self._value(keys)
            for name, keys in step.ports.items()
        }

    def _value(self, keys: Any) -> Any:
        """An artifact, a list or a dict of them, or None."""
        if isinstance(keys, list):
            return [self.load(k) for k in keys]
        if isinstance(keys, dict):
            return {name: self.load(k) for name, k in keys.items()}
        return self.load(keys)

    def _found(self, keys: Any) -> Any:
        """Keys as they are, Datasets by their fingerprint."""
        return self.dataset(keys).fingerprint if isinstance(keys, str) and maker_of(keys) else keys

    def keeping(self, step: PlannedStep) -> Runtime:
        """The runtime of one step: with a folder of its own that outlives a kill."""
        return dataclasses.replace(self.runtime, keep=self.workspace.keep(step.key))

    @contextlib.contextmanager
    def lock(self, name: str, what: str) -> Iterator[None]:
        """Hold a lock of the workspace; the time spent waiting for it is no part of a step's time."""
        start = time.perf_counter()
        with self.workspace.lock(name, lambda: self.waiting(what)):
            self.waited += time.perf_counter() - start
            yield

    def manifest(
        self,
        step: PlannedStep,
        seconds: float,
        peak: float,
        made: Made | None = None,
        spent: dict[str, float] | None = None,
    ) -> dict[str, Any]:
        """How a result was made; `made` says how much of the work its seconds stand for."""
        return {
            "use": step.use,
            "version": step.method.version,
            "step": step.name,
            "parameters": step.method.model_dump(mode="json"),
            "ports": {name: self._found(keys) for name, keys in step.ports.items()},
            "references": step.references,
            "within": step.within,
            "tokens": step.tokens,
            "quota": step.quota and step.quota[:2],
            "dataset": self.dataset(step.dataset).fingerprint,
            # a shorter prefix of the order does not keep to the quota
            "order_key": None if step.quota else step.order_key,
            "rows_key": step.rows_key,
            "seconds": seconds,
            "rows_reused": made.rows_reused if made else 0,
            "whole": made.whole if made else True,
            "peak_mb": peak,
            "spent": spent or {},
            "recipe": self.plan.resolved_yaml(),
            "bindings": self.plan.bindings,
        }


def call(method: Method, pool: Dataset, runtime: Runtime, ports: dict[str, Any]) -> Artifact:
    """Run a method's verb and check what it returns. Generators make rows, not an artifact; see `engine.generating`."""
    made = getattr(method, method.verb)(pool, runtime, **ports)
    if not isinstance(made, method.returns):
        raise TypeError(f"{method.use()} returned {type(made).__name__}, not {method.returns.__name__}")
    return made
