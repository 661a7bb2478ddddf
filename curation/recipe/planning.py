"""From a recipe to a plan: names, types and parameters checked, a key for every step. Nothing is computed here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from curation.core.artifacts import KINDS, Artifact, Labels, Model, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, RecipeError
from curation.core.method import Generator, Method, Port, Selector, Trainer, find, parse_budget
from curation.core.quota import Quota
from curation.core.runtime import Runtime
from curation.recipe.data import INPUT_KINDS, RESERVED, Input, Recipe, first_problem
from curation.workspace import Workspace
from curation.workspace.files import exists, user_path

DERIVED = "@"
"""Before the key of a generator's step it names the Dataset which that step makes, whose rows are not known yet."""


def maker_of(dataset: str) -> str | None:
    """The key of the step that makes a Dataset, None for one that is there already."""
    return dataset.removeprefix(DERIVED) if dataset.startswith(DERIVED) else None


@dataclass(frozen=True)
class PlannedStep:
    """One step, checked, with its key.

    Args:
        name: In the recipe.
        method: Parameters, checked; `auto` resolved.
        use: The method's recipe name.
        ports: Port → key, list of keys, dict name → key, or None.
        references: Port → the names as written (`embed`), in the same shape.
        dataset: Fingerprint of the Dataset it works on; `@` and the step's key where another step makes it.
        within: Name and key of the Selection that limits it, or None.
        tokens: Key of the Score with token counts, or None.
        key: Of its result.
        order_key: Of the nested order that its result is cut from, or None.
        rows_key: Of its row-wise store, or None.
        quota: What every value of some Labels must and may have, with the Labels' name and key, or None.
    """

    name: str
    method: Method
    use: str
    ports: dict[str, Any]
    references: dict[str, Any]
    dataset: str
    within: tuple[str, str] | None
    tokens: str | None
    key: str
    order_key: str | None
    rows_key: str | None
    quota: tuple[str, str, Quota] | None = None


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which each comes after what it reads.

    Args:
        recipe: As given.
        steps: All of them.
        result: Name of the result's step.
        bindings: Input → fingerprint or key, files resolved.
        datasets: Fingerprints that the steps work on, those that a step makes left out.
    """

    recipe: Recipe
    steps: list[PlannedStep]
    result: str
    bindings: dict[str, str] = field(default_factory=dict)
    datasets: list[str] = field(default_factory=list)

    def step(self, name: str) -> PlannedStep:
        """A step by its name."""
        return next(s for s in self.steps if s.name == name)

    def resolved(self) -> Recipe:
        """The recipe with every parameter written out and every `auto` replaced."""
        steps = {}
        for s in self.steps:
            given = {k: v for k, v in self.recipe.steps[s.name].items() if k in RESERVED or k in s.ports}
            steps[s.name] = {**given, **s.method.model_dump(mode="json")}
        return self.recipe.model_copy(update={"steps": steps})

    def resolved_yaml(self) -> str:
        """`resolved` as YAML text."""
        return self.resolved().yaml()


def hash_key(facts: Any) -> str:
    """32 hex digits of plain data."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan(
    recipe: Recipe,
    workspace: Workspace,
    bindings: Mapping[str, str] | None = None,
    runtime: Runtime | None = None,
) -> Plan:
    """Check a recipe and make the keys of all its steps. Nothing is computed, no row is read.

    Args:
        recipe: What to do.
        workspace: Where inputs are looked up. A Dataset input may be bound to a file, which is then added.
        bindings: Input → dataset name, fingerprint or file; or the key of a stored artifact.
        runtime: For resolving `auto`; None = this machine's CPU.

    Raises:
        RecipeError: for unknown names, wrong types, cycles, bad parameters, unbound inputs, mixed datasets.
    """
    return _Planner(recipe, workspace, dict(bindings or {}), runtime or Runtime()).plan()


class _Planner:
    def __init__(self, recipe: Recipe, workspace: Workspace, bindings: dict[str, str], runtime: Runtime) -> None:
        self.recipe, self.workspace, self.bindings, self.runtime = recipe, workspace, bindings, runtime
        self.kinds: dict[str, type[Artifact] | None] = {}  # None = a Dataset
        self.keys: dict[str, str | None] = {}  # None = an optional input left unbound
        self.dataset_of: dict[str, str] = {}
        self.networks: dict[str, str] = {}  # key of a Model → what names its network in every pool alike
        self.planned: dict[str, PlannedStep] = {}
        self.open: list[str] = []

    def plan(self) -> Plan:
        clash = set(self.recipe.inputs) & set(self.recipe.steps)
        if clash:
            raise RecipeError(f"'{clash.pop()}' is both an input and a step")
        unknown = set(self.bindings) - set(self.recipe.inputs)
        if unknown:
            names = ", ".join(self.recipe.inputs) or "none"
            raise RecipeError(f"there is no input '{unknown.pop()}'", f"inputs: {names}")
        for name, spec in self.recipe.inputs.items():
            self._bind(name, spec)
        for name in self.recipe.steps:
            self._step(name)
        result = self.recipe.result.removeprefix("$")
        if result not in self.planned:
            raise RecipeError(f"the result '{self.recipe.result}' is no step", f"steps: {', '.join(self.planned)}")
        datasets = sorted({s.dataset for s in self.planned.values() if maker_of(s.dataset) is None})
        bound = {n: k for n in self.recipe.inputs if (k := self.keys[n]) is not None}
        return Plan(self.recipe, list(self.planned.values()), result, bound, datasets)

    def _bind(self, name: str, spec: Input) -> None:
        kind = INPUT_KINDS[spec.type]
        self.kinds[name] = KINDS.get(kind)
        given = self.bindings.get(name)
        if given is None and kind == "dataset" and not spec.optional:
            stored = [d for d in self.workspace.datasets() if not d.made_from]  # rows that a step made were not brought
            first = next(n for n, other in self.recipe.inputs.items() if other.type == spec.type)
            # with a single dataset there is nothing to choose, but it is not its own queries or evaluation set
            if len(stored) != 1 or name != first:
                names = ", ".join(d.name for d in stored) or "none yet; add one with: curate add FILE"
                raise RecipeError(f"the input '{name}' is not bound to a dataset", f"datasets: {names}")
            given = stored[0].fingerprint
        if given is None and not spec.optional:
            raise RecipeError(f"the input '{name}' ({spec.type}) is not bound", f"--input {name}=KEY")
        self.keys[name] = given
        if given is None:
            return
        if kind == "dataset":
            dataset = self._dataset(given)
            self.keys[name] = self.dataset_of[name] = dataset
        else:
            manifest = self.workspace.manifest(given)
            if manifest["kind"] != kind:
                raise RecipeError(f"the input '{name}' wants {kind}, {given} is {manifest['kind']}")
            self.dataset_of[name] = manifest["dataset"]

    def _dataset(self, given: str) -> str:
        if given and not self.workspace.known(given):
            path = user_path(given)
            if exists(path):
                return self.workspace.add(path).dataset.fingerprint
        return self.workspace.dataset(given).fingerprint

    # ------------------------------------------------------------------ steps

    def _step(self, name: str) -> None:
        if name in self.planned:
            return
        if name in self.open:
            raise RecipeError(f"steps go in a circle: {' → '.join([*self.open, name])}", step=name)
        self.open.append(name)
        try:
            self.planned[name] = self._planned(name)
        except RecipeError as error:
            raise error if error.step else RecipeError(error.message, error.hint, step=name) from None
        except ValidationError as error:
            raise RecipeError(first_problem(error), step=name) from None
        except CurationError as error:
            raise RecipeError(error.message, error.hint, step=name) from None
        self.open.pop()

    def _planned(self, name: str) -> PlannedStep:
        given = dict(self.recipe.steps[name])
        if "use" not in given:
            raise RecipeError("it has no 'use'")
        cls = find(str(given["use"]))
        ports = cls.ports()
        unknown = set(given) - set(RESERVED) - set(ports) - set(cls.model_fields)
        if unknown:
            word = sorted(unknown)[0]
            names = [*cls.model_fields, *ports]
            near = get_close_matches(word, names, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"it has: {', '.join(names)}"
            raise RecipeError(f"{cls.use()} has no '{word}'", hint)
        method = cls(**{k: v for k, v in given.items() if k in cls.model_fields}).resolve(self.runtime)
        references = {p: given.get(p) for p in ports}
        keys = {p: self._port(p, port, given.get(p), cls) for p, port in ports.items()}
        within = self._selection(given.get("within"))
        # `tokens` counts for a budget; a method may have a field of that name
        counts = None if "tokens" in cls.model_fields else given.get("tokens")
        tokens = self._one("tokens", Port(Score), counts) if counts else None
        here = {p: r for p, r in references.items() if p not in cls.elsewhere}
        quota = self._quota(given, cls)
        if quota is not None:
            here["quota"] = quota[0]
        dataset = self._dataset_for(given, here, within)
        budget = getattr(method, "budget", None)
        if budget is not None and parse_budget(budget)[0] == "tokens":
            if tokens is None:
                hint = "add  tokens: $length  (a step with scorer/length)"
                raise RecipeError("a budget in tokens needs token counts", hint)
            if not (isinstance(method, Selector) and method.is_nested()):
                hint = "use a budget in rows, or a method whose order is nested (k-center, random, top-k)"
                raise RecipeError("a budget in tokens needs a method whose order is nested", hint)
            if quota is not None:
                raise RecipeError("a quota needs a budget in rows or percent", "budget: 1000, or budget: 5%")
        return self._keyed(name, method, keys, references, dataset, within, tokens, quota)

    def _keyed(
        self,
        name: str,
        method: Method,
        keys: dict[str, Any],
        references: dict[str, Any],
        dataset: str,
        within: tuple[str, str] | None,
        tokens: str | None,
        quota: tuple[str, str, Quota] | None,
    ) -> PlannedStep:
        identity = {"use": method.use(), "version": method.version, "parameters": method.key_parameters()}
        facts = {**identity, "ports": keys, "dataset": dataset, "within": within and within[1]}
        order_key = rows_key = None
        key = hash_key(facts)
        if isinstance(method, Selector) and method.budgeted():
            if method.is_nested():
                order_key = key
            facts = {**facts, "budget": str(getattr(method, "budget", "")), "tokens": tokens}
            key = hash_key(facts)
        if quota is not None:  # the stored order is the same with any quota
            key = hash_key({**facts, "quota": {"labels": quota[1], **quota[2].facts()}})
        # what a row gets from another step is not told by its content; what it gets from a network is
        if method.row_wise and all(port.kind is Model for port in method.ports().values()):
            networks = {p: self.networks.get(k, k) for p, k in keys.items()}
            rows_key = hash_key({**identity, "ports": networks} if keys else identity)
        if isinstance(method, Trainer) and method.independent():
            self.networks[key] = hash_key(identity)
        self.kinds[name], self.keys[name], self.dataset_of[name] = method.returns, key, dataset
        if isinstance(method, Generator):  # what others read of it are its rows
            self.kinds[name], self.keys[name], self.dataset_of[name] = None, DERIVED + key, DERIVED + key
        return PlannedStep(
            name, method, method.use(), keys, references, dataset, within, tokens, key, order_key, rows_key, quota
        )

    # ------------------------------------------------------------------ references

    def _port(self, name: str, port: Port, value: Any, cls: type[Method]) -> Any:
        if value is None:
            if not port.optional:
                raise RecipeError(f"{cls.use()} needs '{name}' ({port.kind.__name__})", f"{name}: $STEP")
            return None
        if port.many == "list":
            if not isinstance(value, list):
                raise RecipeError(f"'{name}' wants a list of steps", f"{name}: [$a, $b]")
            return [self._one(name, port, v) for v in value]
        if port.many == "dict":
            if not isinstance(value, dict):
                raise RecipeError(f"'{name}' wants names and steps", f"{name}: {{a: $a, b: $b}}")
            return {str(k): self._one(name, port, v) for k, v in value.items()}
        return self._one(name, port, value)

    def _one(self, port_name: str, port: Port, value: Any) -> str | None:
        key = self._key(value)
        kind = self.kinds[value[1:]]
        if not issubclass(Dataset if kind is None else kind, port.kind):
            found = "a Dataset" if kind is None else kind.__name__
            raise RecipeError(f"'{port_name}' wants {port.kind.__name__}, {value} is {found}")
        if key is None and not port.optional:
            raise RecipeError(f"'{port_name}' reads {value}, which is not bound", f"--input {value[1:]}=KEY")
        return key

    def _key(self, value: Any) -> str | None:
        if not isinstance(value, str) or not value.startswith("$"):
            raise RecipeError(f"{value!r} is not a reference", "write $NAME of a step or an input")
        name = value[1:]
        if name in self.recipe.steps:
            self._step(name)
        elif name not in self.recipe.inputs:
            names = [*self.recipe.inputs, *self.recipe.steps]
            near = get_close_matches(name, names, 1)
            raise RecipeError(f"there is no step or input '{name}'", f"did you mean ${near[0]}?" if near else "")
        return self.keys[name]

    def _selection(self, value: Any) -> tuple[str, str] | None:
        if value is None:
            return None
        key = self._one("within", Port(Selection, optional=True), value)
        return None if key is None else (value[1:], key)

    def _quota(self, given: dict[str, Any], cls: type[Method]) -> tuple[str, str, Quota] | None:
        """Name and key of the labels that a quota counts, and the quota."""
        words = [w for w in ("quota", "at_least", "at_most") if given.get(w) is not None]
        if not words:
            return None
        if not issubclass(cls, Selector):
            raise RecipeError(f"{cls.use()} takes no '{words[0]}'", "quotas are for selectors")
        if words[0] != "quota":
            raise RecipeError(f"'{words[0]}' needs 'quota', the labels that it counts", "quota: $STEP of a labeller")
        quota = Quota.read(given.get("at_least"), given.get("at_most"))
        key = self._one("quota", Port(Labels), given["quota"])
        assert key is not None, "an unbound input is refused above"
        return given["quota"][1:], key, quota

    def _dataset_for(self, given: dict[str, Any], references: dict[str, Any], within: tuple[str, str] | None) -> str:
        # another Dataset that is read through a port is not the one that is worked on
        read = [r for r in _names(references) if r in self.dataset_of and self.kinds[r] is not None]
        named = {r: self.dataset_of[r] for r in read}
        if within:
            named[within[0]] = self.dataset_of[within[0]]
        if "on" in given:
            self._key(given["on"])
            name = given["on"][1:]
            if self.kinds[name] is not None:
                raise RecipeError(f"'on' wants a Dataset, {given['on']} is not")
            if name not in self.dataset_of:
                raise RecipeError(f"'on' reads {given['on']}, which is not bound", f"--input {name}=DATASET")
            named = {name: self.dataset_of[name], **named}
        if not named:
            inputs = [n for n in self.recipe.inputs if self.kinds[n] is None and n in self.dataset_of]
            if len(inputs) != 1:
                raise RecipeError("it is not said which rows it works on", "add  on: $pool")
            named = {inputs[0]: self.dataset_of[inputs[0]]}
        if len(set(named.values())) > 1:
            parts = ", ".join(f"{n} of {f[:8]}" for n, f in named.items())
            raise RecipeError(f"it mixes datasets: {parts}")
        return next(iter(named.values()))


def _names(references: Any) -> Iterator[str]:
    if isinstance(references, dict):
        for value in references.values():
            yield from _names(value)
    elif isinstance(references, list):
        for value in references:
            yield from _names(value)
    elif isinstance(references, str):
        yield references.removeprefix("$")
