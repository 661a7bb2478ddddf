"""The recipe of a trial from a few words; page, `curate trial` and `Pool.trial` all come through here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from curation.complete import DEFAULT_STEPS, Step, add_default, merge
from curation.core.errors import RecipeError
from curation.recipe import Recipe

TRUSTED_FILE = "trusted"
"""Name of the input that a trusted file is bound to."""
WAYS = "source=FILE (rows of that file in the pool), label:FIELD=VALUE, or file=PATH (another file)"


def trial_recipe(
    selections: Mapping[str, Recipe],
    *,
    evaluation: str | Recipe = "",
    model: str = "",
    labels: str = "",
    clusters: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Recipe:
    """A recipe whose result is a trial of selections.

    Args:
        selections: Name → a recipe whose result is a Selection of the same pool, its first Dataset. Further inputs
            keep their names, so that two recipes that call an input alike are given the same.
        evaluation: The trusted rows: "source=NAME", "label:FIELD=VALUE", "file=PATH" (bind it with `trial_bindings`), a
            recipe whose result is a Selection, or "" for none.
        model: Name or folder of the causal language model; "" = the small one made here.
        labels: A field of the records: train a classifier on it instead of a language model.
        clusters: Tell verdicts apart by the clusters of the map; always done where a selection computes them anyway.
        settings: Fields of the trial.

    Raises:
        RecipeError: for an evaluation set that is written in none of the ways, or a recipe without a dataset.
    """
    steps: dict[str, Step] = {}
    inputs: dict[str, Any] = {"pool": "Dataset"}
    references = {name: _joined(recipe, steps, inputs) for name, recipe in selections.items()}
    step: Step = {"use": "trial", "selections": references}
    if isinstance(evaluation, Recipe):
        step["evaluation"] = _joined(evaluation, steps, inputs)
    elif evaluation:
        kind, field, value = _read(evaluation)
        if kind == "file":
            inputs[TRUSTED_FILE] = "Dataset"
            step["evaluation_file"] = f"${TRUSTED_FILE}"
        else:
            named: Step = {"use": "labeller/column", "on": "$pool"}
            of = _add(
                steps,
                "sources" if kind == "source" else "trusted-labels",
                {**named, "field": field} if field else named,
            )
            step["evaluation"] = _add(steps, "trusted-rows", {"use": "selector/where", "labels": of, "values": [value]})
    if labels:
        step["features"] = f"${add_default(steps, 'embed')}"
        step["labels"] = _add(steps, "classes", {"use": "labeller/column", "on": "$pool", "field": labels})
    else:
        base = {**DEFAULT_STEPS["base"], "name": model} if model else DEFAULT_STEPS["base"]
        step["model"] = _add(steps, "base", base)
    step["duplicates"] = f"${add_default(steps, 'duplicates')}"
    known = next((n for n, s in steps.items() if s["use"] == "labeller/clusters"), None)
    if known or clusters:
        step["groups"] = {"cluster": f"${known or add_default(steps, 'clusters')}"}
    result = _add(steps, "trial", {**step, **(settings or {})})
    return Recipe.read({"inputs": inputs, "steps": steps, "result": result})


def trial_bindings(evaluation: str | Recipe) -> dict[str, str]:
    """Input → file, for a trusted file; nothing for any other evaluation set."""
    if not isinstance(evaluation, str) or not evaluation:
        return {}
    kind, _, value = _read(evaluation)
    return {TRUSTED_FILE: value} if kind == "file" else {}


def _read(evaluation: str) -> tuple[str, str, str]:
    """(source, label or file; field; value) from "source=x", "label:field=x" or "file=x"."""
    place, _, value = evaluation.partition("=")
    kind, _, field = place.strip().partition(":")
    value = value.strip()
    right = (kind in ("source", "file") and not field) or (kind == "label" and field.strip())
    if not right or not value:
        raise RecipeError(f"'{evaluation}' names no evaluation set", f"write {WAYS}")
    return kind, field.strip(), value


def _joined(recipe: Recipe, steps: dict[str, Step], inputs: dict[str, Any]) -> str:
    """Add a recipe's steps and inputs; its result as a reference."""
    pools = [name for name, spec in recipe.inputs.items() if spec.type == "Dataset"]
    if not pools:
        raise RecipeError("a selection in a trial reads a dataset, this one reads none", "name its pool")
    for name, spec in recipe.inputs.items():
        if name != pools[0]:  # the first is the pool; others are queries or an evaluation set
            inputs[name] = spec.model_dump()
    needed = recipe.upto(recipe.result.removeprefix("$"))
    moved = merge(steps, {n: _with_pool(s, pools[0]) for n, s in needed.steps.items()})
    return f"${moved[recipe.result.removeprefix('$')]}"


def _with_pool(value: Any, pool: str) -> Any:
    """Plain data in which the dataset is called `pool`."""
    if isinstance(value, dict):
        return {k: _with_pool(v, pool) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_pool(v, pool) for v in value]
    return "$pool" if value == f"${pool}" else value


def _add(steps: dict[str, Step], name: str, step: Step) -> str:
    return f"${merge(steps, {name: step})[name]}"
