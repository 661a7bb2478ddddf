"""From what the Select page asks to a recipe: method, inputs, which rows may be picked, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from curation.complete import Step, complete, with_coverage
from curation.complete.stored import Parts, tidy
from curation.core.method import Method, find
from curation.recipe import Input, Recipe, plan, preset_names
from curation.ui.quota_ask import FIELD, WORDS, QuotaWish
from curation.workspace import Workspace

BY_HAND = ("selector/rows",)
"""Made on the Map page."""
NEAR_DUPLICATES: Step = {"use": "labeller/near-duplicates", "on": "$pool"}
PORT_DEFAULTS: dict[str, Step] = {"duplicates": NEAR_DUPLICATES}
"""What stands behind a port of this name when nothing was chosen; other ports: `complete.STEP_FOR_KIND`."""


@dataclass(frozen=True)
class Wish:
    """What was asked for on the Select page.

    Args:
        use: Recipe name of a selector, or of a preset.
        values: Parameters that are not at their defaults.
        ports: Port → key of a stored result, or a list of keys; ports left to their default are not in it. A preset has
            none: its own steps stand behind them.
        within: Key of a selection, None = all rows.
        hold_out: Share of rows that are set aside first, 0 = none.
        coverage: Measure coverage as well.
        settings: Of a preset's other steps, `STEP.FIELD=VALUE` each.
        quota: Minima and maxima by the values of a label.
        inputs: Of a preset that reads other rows: input → fingerprint of their dataset.
    """

    use: str
    values: Mapping[str, Any]
    ports: Mapping[str, str | list[str]] = field(default_factory=dict)
    within: str | None = None
    hold_out: float = 0.0
    coverage: bool = True
    settings: Sequence[str] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    quota: QuotaWish | None = None


def method_of(use: str) -> type[Method]:
    """The selector of a recipe name; of a preset, that of its result."""
    if use not in preset_names():
        return find(use)
    recipe = Recipe.read(use)
    return find(recipe.steps[recipe.result.removeprefix("$")]["use"])


def preset_values(use: str) -> dict[str, Any]:
    """What a preset sets in the step of its result; {} for a selector."""
    if use not in preset_names():
        return {}
    recipe = Recipe.read(use)
    fields = method_of(use).model_fields
    return {k: v for k, v in recipe.steps[recipe.result.removeprefix("$")].items() if k in fields}


def preset_inputs(use: str) -> dict[str, Input]:
    """The datasets beside the pool that a preset reads: query rows, evaluation rows."""
    if use not in preset_names():
        return {}
    inputs = Recipe.read(use).inputs
    return {name: spec for name, spec in inputs.items() if name != "pool" and spec.type == "Dataset"}


def selection_recipe(workspace: Workspace, dataset: str, wish: Wish) -> tuple[Recipe, dict[str, str]]:
    """The recipe of a wish, and its bindings.

    Args:
        workspace: Where stored results are.
        dataset: Fingerprint.
        wish: What was asked for.

    Raises:
        RecipeError: if a required input is missing or a parameter is wrong.
    """
    parts = Parts(workspace, dataset)
    values = {**wish.values, **_quota(parts, wish.quota)}
    if wish.use in preset_names():
        recipe = complete(wish.use, values, steps=parts.steps).with_settings(wish.settings)
        # the Export page writes files
        parts.steps = {n: dict(s) for n, s in recipe.steps.items() if not str(s["use"]).startswith("exporter/")}
        parts.inputs.update({name: spec.type for name, spec in preset_inputs(wish.use).items()})
        parts.bindings.update(wish.inputs)
    else:
        for port, keys in wish.ports.items():
            values[port] = [parts.add(k) for k in keys] if isinstance(keys, list) else parts.add(keys)
        for port in method_of(wish.use).ports():
            if values.get(port) is None and port in PORT_DEFAULTS:
                values[port] = f"${parts.add_steps({port: PORT_DEFAULTS[port]})[port]}"
        recipe = complete(wish.use, values, steps=parts.steps)
        parts.steps = {n: dict(s) for n, s in recipe.steps.items()}
    _limit(parts, recipe.result.removeprefix("$"), wish)
    optional = {name for name, spec in preset_inputs(wish.use).items() if spec.optional}
    inputs = {name: Input(type=kind, optional=name in optional) for name, kind in parts.inputs.items()}
    recipe = recipe.model_copy(update={"steps": parts.steps, "inputs": inputs})
    planned = plan(recipe, workspace, parts.bindings)
    picks = next(step for step in planned.steps if step.name == recipe.result.removeprefix("$"))
    if wish.coverage and picks.dataset == dataset:  # rows that a recipe writes itself cover nothing of the pool
        recipe = with_coverage(recipe)
        planned = plan(recipe, workspace, parts.bindings)
    return tidy(recipe, planned), parts.bindings


def _quota(parts: Parts, quota: QuotaWish | None) -> dict[str, Any]:
    """The reserved words of a step that stand for a quota."""
    if quota is None:
        return {}
    if quota.of in WORDS:
        of = quota.of
    elif quota.of.startswith(FIELD):
        step: Step = {"use": "labeller/column", "on": "$pool", "field": quota.of.removeprefix(FIELD)}
        of = f"${parts.add_steps({'category': step})['category']}"
    else:
        of = parts.add(quota.of)
    found: dict[str, Any] = {"quota": of}
    if quota.at_least:
        found["at_least"] = dict(quota.at_least)
    if quota.at_most:
        found["at_most"] = dict(quota.at_most)
    return found


def _limit(parts: Parts, result: str, wish: Wish) -> None:
    """Let the result pick only within the asked-for rows, and never from those that are held out."""
    own = parts.steps[result].get("within")
    limit = None if wish.within is None else parts.add(wish.within)
    if limit is not None and own is not None and own != limit:
        both = parts.add_steps({"both": {"use": "selector/intersect", "of": [own, limit]}})
        limit = f"${both['both']}"
    limit = limit or own
    if wish.hold_out:
        copies = parts.add_steps({"duplicates": NEAR_DUPLICATES})["duplicates"]
        split = {"use": "labeller/split", "on": "$pool", "share": wish.hold_out, "groups": [f"${copies}"]}
        split_name = parts.add_steps({"split": split})["split"]
        train: Step = {"use": "selector/where", "labels": f"${split_name}", "values": ["train"]}
        if limit is not None:
            train["within"] = limit
        limit = f"${parts.add_steps({'train': train})['train']}"
    if limit is not None:
        parts.steps[result]["within"] = limit
