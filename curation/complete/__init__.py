"""Fills in the steps that a single method needs: "k-center, 200 rows" becomes a whole recipe.

The app's forms, `curate select` and `Pool.select` all come through here, so that the three say the same recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.core.artifacts import Artifact, Dynamics, Features, Labels, Layout, Model, Neighbours
from curation.core.dataset import Dataset
from curation.core.errors import RecipeError
from curation.core.method import discover, find
from curation.recipe import Recipe, preset_names

Step = dict[str, Any]

DEFAULT_STEPS: dict[str, Step] = {
    "embed": {"use": "encoder/sentence", "on": "$pool"},
    "graph": {"use": "neighbours", "features": "$embed"},
    "map": {"use": "layout", "neighbours": "$graph", "features": "$embed"},
    "clusters": {"use": "labeller/clusters", "layout": "$map"},
    "duplicates": {"use": "labeller/near-duplicates", "on": "$pool"},
    "tokens": {"use": "scorer/length", "text": "both", "unit": "tokens", "on": "$pool"},
    "lengths": {"use": "labeller/bands", "score": "$tokens"},
    "sources": {"use": "labeller/column", "on": "$pool"},
    "languages": {"use": "labeller/language", "on": "$pool"},
    "base": {"use": "trainer/base", "on": "$pool"},
    "tune": {
        "use": "trainer/causal",
        "model": "$base",
        "record": ["loss", "p_true", "correct", "el2n", "margin"],
    },
    "before": {"use": "scorer/loss", "model": "$base"},
    "after": {"use": "scorer/loss", "model": "$tune"},
}
"""What stands behind a port that was not given."""

STEP_FOR_PORT: dict[str, str] = {"duplicates": "duplicates", "initial": "before", "reference": "after"}
"""The default behind a port of this name; it goes before the kind's."""

QUOTA_STEPS: dict[str, str] = {
    "cluster": "clusters",
    "source": "sources",
    "language": "languages",
    "length": "lengths",
}
"""Words that may stand for the labels of a quota; `field:NAME` is a field of the records."""

STEP_FOR_KIND: dict[type[Artifact] | type[Dataset], str] = {
    Features: "embed",
    Neighbours: "graph",
    Layout: "map",
    Labels: "clusters",
    Model: "base",
    Dynamics: "tune",
}


def method_name(name: str, family: str | None = None) -> str:
    """The full recipe name of a method given with or without its family.

    Raises:
        RecipeError: if there is none.
    """
    full = name if "/" in name or family is None else f"{family}/{name}"
    return find(full).use()


def merge(steps: dict[str, Step], more: Mapping[str, Step]) -> dict[str, str]:
    """Add steps to `steps` in place, renaming those whose name is taken by another step; references follow.

    Returns:
        Old name → name it has now.
    """
    renamed: dict[str, str] = {}
    for name, step in more.items():
        moved = _moved(step, renamed)
        same = next((n for n, s in steps.items() if s == moved), None)
        free = same or name
        count = 1
        while same is None and free in steps:
            count += 1
            free = f"{name}-{count}"
        steps[free] = moved
        renamed[name] = free
    return renamed


def _moved(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: _moved(v, renamed) for k, v in value.items()}
    if isinstance(value, list):
        return [_moved(v, renamed) for v in value]
    if isinstance(value, str) and value.startswith("$"):
        return f"${renamed.get(value[1:], value[1:])}"
    return value


def add_default(steps: dict[str, Step], name: str) -> str:
    """Add one of DEFAULT_STEPS with all that it reads; returns the name it has."""
    wanted: dict[str, Step] = {}

    def visit(step: str) -> None:
        for value in DEFAULT_STEPS[step].values():
            if isinstance(value, str) and value[1:] in DEFAULT_STEPS and value.startswith("$"):
                visit(value[1:])
        wanted.setdefault(step, DEFAULT_STEPS[step])

    visit(name)
    return merge(steps, wanted)[name]


def _quota_step(steps: dict[str, Step], word: str) -> str:
    """The reference to the labels that a word of `QUOTA_STEPS` stands for, their steps being added."""
    if word in QUOTA_STEPS:
        return f"${add_default(steps, QUOTA_STEPS[word])}"
    if word.startswith("field:"):
        field = word.removeprefix("field:").strip()
        return f"${merge(steps, {'groups': {'use': 'labeller/column', 'on': '$pool', 'field': field}})['groups']}"
    words = ", ".join([*QUOTA_STEPS, "field:NAME"])
    raise RecipeError(f"'{word}' is nothing that a quota can count", f"use {words}, or $STEP of a labeller")


def _finish(steps: dict[str, Step], step: Step) -> None:
    """Fill in what reserved words of a selector's step need."""
    if str(step.get("budget", "")).lower().endswith("tokens") and "tokens" not in step:
        step["tokens"] = f"${add_default(steps, 'tokens')}"
    quota = step.get("quota")
    if isinstance(quota, str) and not quota.startswith("$"):
        step["quota"] = _quota_step(steps, quota)


def complete(
    use: str, values: Mapping[str, Any], *, steps: Mapping[str, Step] | None = None, name: str | None = None
) -> Recipe:
    """A recipe whose result is one method, with default steps for the required inputs that were not given.

    Args:
        use: Recipe name of the method ("selector/k-center"), or of a preset, whose result's step then takes `values`
            (and `STEP.FIELD` sets a field of another step).
        values: Parameters, and `$references` into `steps`; a `quota` may be a word of `QUOTA_STEPS`.
        steps: Steps that the references name.
        name: What to call the step; None = from the method.

    Raises:
        RecipeError: if a required input has no default, or a name is unknown.
    """
    if use in preset_names():
        return _preset(use, values, steps or {})
    cls = find(use)
    whole: dict[str, Step] = {}
    renamed = merge(whole, steps or {})
    step: Step = {"use": use, **{k: _moved(v, renamed) for k, v in values.items()}}
    for port, spec in cls.ports().items():
        if step.get(port) is None and not spec.optional:
            # a default step works on the pool, so it cannot stand for results of other rows
            default = None if port in cls.elsewhere else STEP_FOR_PORT.get(port) or STEP_FOR_KIND.get(spec.kind)
            if default is None or spec.many != "one":
                kind = spec.kind.__name__
                raise RecipeError(f"{use} needs '{port}' ({kind})", f"name a step that makes {kind}: {port}=$STEP")
            step[port] = f"${add_default(whole, default)}"
    _finish(whole, step)
    # what belongs to another Dataset does not say which rows the step works on
    own = [p for p, spec in cls.ports().items() if p not in cls.elsewhere and spec.kind is not Dataset]
    if all(step.get(p) is None for p in own):
        step.setdefault("on", "$pool")
    final = merge(whole, {name or use.rpartition("/")[2]: step})
    return Recipe.read({"inputs": {"pool": "Dataset"}, "steps": whole, "result": f"${[*final.values()][0]}"})


def _preset(preset: str, values: Mapping[str, Any], more: Mapping[str, Step]) -> Recipe:
    recipe = Recipe.read(preset)
    result = recipe.result.removeprefix("$")
    steps = {n: dict(s) for n, s in recipe.steps.items()}
    renamed = merge(steps, more)
    for place, value in values.items():
        step, dot, field = place.rpartition(".")
        target = step if dot else result
        if target not in steps:
            raise RecipeError(f"the preset '{preset}' has no step '{target}'", f"steps: {', '.join(steps)}")
        steps[target][field] = _moved(value, renamed)
    _finish(steps, steps[result])
    return recipe.model_copy(update={"steps": steps})


def with_coverage(recipe: Recipe, *, labels: bool = True) -> Recipe:
    """The recipe with a coverage step (and the embeddings it needs) for its result, which must be a Selection."""
    steps = {n: dict(s) for n, s in recipe.steps.items()}
    # another input's vectors say nothing about the pool
    ours = (None, *(f"${name}" for name in [n for n, i in recipe.inputs.items() if i.type == "Dataset"][:1]))
    # the space that the selection was made in; else the sentence encoder's, never some other step's word counts
    own = str(steps[recipe.result.removeprefix("$")].get("features") or "").removeprefix("$")
    sentence = next((n for n, s in steps.items() if s["use"] == "encoder/sentence" and s.get("on") in ours), "")
    embed = own or sentence or add_default(steps, "embed")
    step: Step = {"use": "coverage", "selection": recipe.result, "features": f"${embed}"}
    if labels:
        clusters = next((n for n, s in steps.items() if s["use"] == "labeller/clusters"), None)
        step["labels"] = f"${clusters or add_default(steps, 'clusters')}"
    merge(steps, {"coverage": step})
    return recipe.model_copy(update={"steps": steps})


def selectors() -> list[str]:
    """Names of everything that selects: presets first, then selectors."""
    return [*preset_names(), *(use for use in discover() if use.startswith("selector/"))]
