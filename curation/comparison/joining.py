"""Plans of several recipes as the steps of one: equal results once, inputs told apart by what they are bound to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from curation.comparison.facts import RANDOM
from curation.complete import DEFAULT_STEPS
from curation.core.errors import RecipeError
from curation.core.method import parse_budget
from curation.recipe import Plan, PlannedStep, Recipe, plan
from curation.workspace import Workspace

Step = dict[str, Any]


class Joined:
    """Plans of several recipes as one set of steps, equal results once.

    A step that several arms need keeps its plain name; one that a single arm needs is called after the arm, and the
    arm's last step bears the arm's name.
    """

    def __init__(self, workspace: Workspace, parts: Iterable[tuple[str, Plan]], budget: int | str, seeds: int) -> None:
        self.workspace = workspace
        self.steps: dict[str, Step] = {}
        self.inputs: dict[str, Any] = {"pool": "Dataset"}
        self.bindings: dict[str, str] = {}
        self.arms: dict[str, str] = {}
        self.random: list[str] = []
        self.coverage: dict[str, str] = {}
        self.named: dict[str, str] = {}  # key of a result → its step here
        self.parts = list(parts)
        self.bindings["pool"] = self._pool()
        # all inputs come first, since a step of one recipe may be called as an input of another
        self.moved = {
            arm: {
                name: self._input(name, spec.model_dump(), part.bindings) for name, spec in part.recipe.inputs.items()
            }
            for arm, part in self.parts
        }
        for seed in range(max(seeds, 1)):
            step = {"use": "selector/random", "on": "$pool", "budget": budget, "seed": seed}
            self.random.append(self._put(f"{RANDOM}-{seed}", step))
        if parse_budget(budget)[0] == "tokens":
            tokens = self._put("tokens", dict(DEFAULT_STEPS["tokens"]))
            for name in self.random:
                self.steps[name]["tokens"] = f"${tokens}"
        self.users: dict[str, set[str]] = {}
        for name, part in self.parts:
            for planned in part.steps:
                self.users.setdefault(planned.key, set()).add(name)
        for name, part in self.parts:
            self._join(name, part)

    def _pool(self) -> str:
        for _, part in self.parts:
            for name, spec in part.recipe.inputs.items():
                if spec.type == "Dataset":
                    return part.bindings[name]
        raise RecipeError("no arm reads a dataset", "name its pool")

    def _put(self, wanted: str, step: Step) -> str:
        name, count = wanted, 1
        while name in self.steps or name in self.inputs:
            count += 1
            name = f"{wanted}-{count}"
        self.steps[name] = step
        return name

    def _join(self, arm: str, part: Plan) -> None:
        resolved = part.resolved()
        moved = dict(self.moved[arm])
        for planned in _needed(part):
            if planned.key in self.named:
                moved[planned.name] = self.named[planned.key]
                continue
            step = _with_references(resolved.steps[planned.name], moved)
            last = planned.name == part.result
            shared = len(self.users[planned.key]) > 1
            wanted = arm if last else planned.name if shared else f"{arm}-{planned.name}"
            moved[planned.name] = self.named[planned.key] = self._put(wanted, step)
        self.arms[arm] = moved[part.result]

    def _input(self, name: str, spec: Mapping[str, Any], bound: Mapping[str, str]) -> str:
        """The name that an input has here; the pool is one for all, others are told apart by what they are bound to."""
        value = bound.get(name)
        if value == self.bindings["pool"] and spec["type"] == "Dataset":
            return "pool"
        free, count = name, 1
        wanted = (dict(spec), value)
        while free in self.inputs and (self.inputs[free], self.bindings.get(free)) != wanted:
            count += 1
            free = f"{name}-{count}"
        self.inputs[free] = dict(spec)
        if value is not None:
            self.bindings[free] = value
        return free

    def add_coverage(self) -> None:
        """A coverage step for every arm, all in one space: that of the default encoder."""
        alone = {"inputs": {"pool": "Dataset"}, "steps": {"embed": DEFAULT_STEPS["embed"]}, "result": "$embed"}
        wanted = plan(Recipe.read(alone), self.workspace, {"pool": self.bindings["pool"]})
        key = wanted.steps[0].key
        if key not in self.named:
            self.named[key] = self._put("embed", wanted.resolved().steps["embed"])
        after: dict[str, str] = {}  # two arms may be one step, which is measured once
        for arm, step in self.arms.items():
            if step in after:
                self.coverage[arm] = after[step]
                continue
            measured = {"use": "coverage", "selection": f"${step}", "features": f"${self.named[key]}"}
            self.coverage[arm] = after[step] = self._put(f"coverage-{arm}", measured)
        # every arm's coverage right after it, so that a comparison can be looked at while dear arms still run
        ordered: dict[str, Step] = {}
        for name in self.steps:
            if name in self.coverage.values():
                continue
            ordered[name] = self.steps[name]
            if name in after:
                ordered[after[name]] = self.steps[after[name]]
        self.steps = ordered


def _needed(part: Plan) -> list[PlannedStep]:
    """The steps that a plan's result needs, in the order of the plan."""
    names = set(part.recipe.upto(part.result).steps)
    return [step for step in part.steps if step.name in names]


def _with_references(value: Any, moved: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_references(inner, moved) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_references(inner, moved) for inner in value]
    if isinstance(value, str) and value.startswith("$") and value[1:] in moved:
        return f"${moved[value[1:]]}"
    return value
