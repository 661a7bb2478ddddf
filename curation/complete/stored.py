"""Recipes from what is stored: the steps that made a result become steps of a new recipe, so it can be run anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.complete import Step, merge
from curation.core.artifacts import KINDS
from curation.recipe import Plan, Recipe, plan
from curation.workspace import Workspace


class Parts:
    """Gathers steps for a new recipe on one dataset.

    A result whose recipe reads only that dataset brings its steps along; their results are stored, so nothing is
    computed twice. Any other result becomes an input bound to its key.

    Args:
        workspace: Where the results are.
        dataset: Fingerprint.
    """

    def __init__(self, workspace: Workspace, dataset: str) -> None:
        self.workspace, self.dataset = workspace, dataset
        self.steps: dict[str, Step] = {}
        self.inputs: dict[str, str] = {"pool": "Dataset"}
        self.bindings: dict[str, str] = {"pool": dataset}

    def add(self, key: str) -> str:
        """The reference (`$name`) to a stored result, its steps being added where they are not there yet.

        The fingerprint of another dataset becomes an input.
        """
        if not self.workspace.has(key):
            name = f"rows-{self.workspace.dataset(key).fingerprint[:6]}"
            self.inputs[name], self.bindings[name] = "Dataset", key
            return f"${name}"
        manifest = self.workspace.manifest(key)
        steps = _steps(manifest, self.dataset)
        if steps is not None:
            return f"${merge(self.steps, steps)[manifest['step']]}"
        name = f"{manifest['step']}-{key[:6]}"
        self.inputs[name] = KINDS[manifest["kind"]].__name__
        self.bindings[name] = key
        return f"${name}"

    def add_steps(self, steps: Mapping[str, Step]) -> dict[str, str]:
        """Add new steps; returns old name → name it has now."""
        return merge(self.steps, steps)

    def recipe(self, result: str, about: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe with `$result` as its result, each step once, and only what the result needs."""
        whole = Recipe.read({"about": dict(about or {}), "inputs": self.inputs, "steps": self.steps, "result": result})
        return tidy(whole, plan(whole, self.workspace, self.bindings))


def _steps(manifest: Mapping[str, Any], dataset: str) -> dict[str, Step] | None:
    """The steps that made a result, its dataset called `pool`; None when they read anything else."""
    text = str(manifest.get("recipe", ""))
    if "\n" not in text:
        return None
    recipe = Recipe.read(text)
    part = reached_from(recipe, (manifest["step"],))
    used = [name for name in recipe.inputs if _mentions(part.steps, f"${name}")] or list(recipe.inputs)[:1]
    bindings = manifest.get("bindings", {})
    if any(recipe.inputs[n].type != "Dataset" or bindings.get(n) != dataset for n in used) or "pool" in part.steps:
        return None
    return {name: _renamed(step, {f"${n}": "$pool" for n in used}) for name, step in part.steps.items()}


def _mentions(value: Any, reference: str) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(v, reference) for v in value.values())
    if isinstance(value, list):
        return any(_mentions(v, reference) for v in value)
    return bool(value == reference)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {k: _renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, names) for v in value]
    return names.get(value, value) if isinstance(value, str) else value


def tidy(recipe: Recipe, made: Plan) -> Recipe:
    """A recipe in which no two steps have the same key: the same method with the same parameters is one step.

    Args:
        recipe: With `auto` written out in some steps and not in others.
        made: Its plan.
    """
    first: dict[str, str] = {}
    for step in made.steps:
        if step.key not in first or len(step.name) < len(first[step.key]):
            first[step.key] = step.name
    names = {f"${s.name}": f"${first[s.key]}" for s in made.steps}
    kept = set(first.values())
    steps = {name: _renamed(step, names) for name, step in recipe.steps.items() if name in kept}
    result = names.get(recipe.result, recipe.result)
    return recipe.model_copy(update={"steps": steps, "result": result})


def reached_from(recipe: Recipe, wanted: tuple[str, ...]) -> Recipe:
    """The part of a recipe that some of its steps need; the last of them is its result."""
    needed: set[str] = set()

    def visit(value: Any) -> None:
        if isinstance(value, Mapping):
            for inner in value.values():
                visit(inner)
        elif isinstance(value, list):
            for inner in value:
                visit(inner)
        elif isinstance(value, str) and value[1:] in recipe.steps and value[1:] not in needed and value[0] == "$":
            needed.add(value[1:])
            visit(recipe.steps[value[1:]])

    for name in wanted:
        visit(f"${name}")
    steps = {name: step for name, step in recipe.steps.items() if name in needed}
    return recipe.model_copy(update={"steps": steps, "result": f"${wanted[-1]}"})
