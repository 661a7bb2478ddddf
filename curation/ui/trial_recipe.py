"""From what the Trial page asks to a recipe: selections, what is trained, the evaluation set, groups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from curation.complete import Step, add_default, complete
from curation.complete.stored import Parts, tidy
from curation.complete.trial import TRUSTED_FILE, trial_recipe
from curation.core.artifacts import Selection
from curation.core.errors import RecipeError
from curation.recipe import Input, Recipe, plan, preset_names
from curation.ui.pool import preset_title, title_of
from curation.ui.ports import SCRATCH
from curation.workspace import Workspace

Kind = Literal["none", "source", "field", "labels", "selection", "file"]


@dataclass(frozen=True)
class Trusted:
    """The evaluation set that the user vouches for.

    Args:
        kind: How it is named; "none" when it is not.
        values: Names of sources, or of labels.
        field: Of the records, for "field".
        key: Of stored labels or of a selection, or the fingerprint of another dataset.
    """

    kind: Kind = "none"
    values: tuple[str, ...] = ()
    field: str = ""
    key: str = ""


@dataclass(frozen=True)
class TrialWish:
    """What was asked for on the Trial page.

    Args:
        selections: Keys of stored selections, and names of presets.
        budget: Of the presets; None = as each one says.
        base: "scratch", or name or folder of a model.
        classes: Key of stored labels: train a classifier on them instead of a language model; "" for none.
        trusted: Evaluation set.
        groups: Keys of labels to tell verdicts apart by.
        duplicates: Look for near-duplicates of evaluation rows.
        values: Parameters of the trial that are not at their defaults.
        settings: Preset → settings of its steps, `STEP.FIELD=VALUE` each.
    """

    selections: tuple[str, ...]
    budget: int | str | None = None
    base: str = SCRATCH
    classes: str = ""
    trusted: Trusted = Trusted()
    groups: tuple[str, ...] = ()
    duplicates: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)


def wished_trial(workspace: Workspace, dataset: str, wish: TrialWish) -> tuple[Recipe, dict[str, str]]:
    """The recipe of a wish, and its bindings.

    Args:
        workspace: Where stored results are.
        dataset: Fingerprint.
        wish: What was asked for.

    Raises:
        RecipeError: if no selection is named, or the recipe cannot be planned.
    """
    if not wish.selections:
        raise RecipeError("a trial needs a selection", "choose one to six")
    bindings = {"pool": dataset}
    selections = _selections(workspace, wish, bindings)
    evaluation: str | Recipe = ""
    if wish.trusted.kind == "file":
        evaluation, bindings[TRUSTED_FILE] = f"file={wish.trusted.key}", wish.trusted.key
    elif wish.trusted.kind != "none":
        evaluation = _evaluation(Parts(workspace, dataset), wish.trusted, bindings)
    model = "" if wish.base == SCRATCH else wish.base
    recipe = trial_recipe(selections, evaluation=evaluation, model=model, settings=wish.values)
    return _with_stored(workspace, recipe, bindings, wish)


def _with_stored(
    workspace: Workspace, recipe: Recipe, bindings: dict[str, str], wish: TrialWish
) -> tuple[Recipe, dict[str, str]]:
    """The same trial with stored results in place of its default steps."""
    parts = Parts(workspace, bindings["pool"])
    parts.steps = {n: dict(s) for n, s in recipe.steps.items()}
    parts.inputs = {n: spec.type for n, spec in recipe.inputs.items()}
    parts.bindings = bindings
    step = parts.steps[recipe.result.removeprefix("$")]
    if wish.classes:
        step |= {"labels": parts.add(wish.classes), "features": f"${add_default(parts.steps, 'embed')}"}
        del step["model"]
    if not wish.duplicates:
        del step["duplicates"]
    groups = _groups(parts, wish.groups)
    if groups:
        step["groups"] = groups
    inputs = {name: Input(type=kind) for name, kind in parts.inputs.items()}
    whole = recipe.model_copy(update={"inputs": inputs, "steps": parts.steps}).upto(recipe.result.removeprefix("$"))
    used = {name: key for name, key in parts.bindings.items() if name in whole.inputs}
    return tidy(whole, plan(whole, workspace, used)), used


def _selections(workspace: Workspace, wish: TrialWish, bindings: dict[str, str]) -> dict[str, Recipe]:
    """Name of each arm → the recipe of its selection; what the recipes read goes into the bindings."""
    named: dict[str, Recipe] = {}
    for chosen in wish.selections:
        if chosen in preset_names():
            recipe = complete(chosen, {} if wish.budget is None else {"budget": wish.budget})
            recipe = recipe.with_settings(wish.settings.get(chosen, ()))
        else:
            parts = Parts(workspace, bindings["pool"])
            recipe = parts.recipe(parts.add(chosen))
            bindings |= parts.bindings
        named[_free(_arm(workspace, chosen), named)] = recipe
    return named


def _arm(workspace: Workspace, chosen: str) -> str:
    if chosen in preset_names():
        return str(Recipe.read(chosen).about.get("title", chosen))
    return arm_name(workspace, chosen)


def arm_name(workspace: Workspace, key: str) -> str:
    """What the arm of a stored selection is called: method or preset, and rows."""
    manifest = workspace.manifest(key)
    selection = workspace.load(key)
    title = preset_title(key, manifest["step"], str(manifest.get("recipe", ""))) or title_of(manifest["use"])
    return f"{title}, {len(selection):,} rows" if isinstance(selection, Selection) else title


def _free(name: str, taken: Mapping[str, Any]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name} ({count})"
    return found


def _evaluation(parts: Parts, trusted: Trusted, bindings: dict[str, str]) -> Recipe:
    """The recipe of the trusted rows of the pool."""
    if trusted.kind == "selection":
        result = parts.add(trusted.key)
    else:
        column: Step = {"use": "labeller/column", "on": "$pool"}
        if trusted.kind == "field":
            column["field"] = trusted.field
        stored = trusted.kind == "labels"
        labels = parts.add(trusted.key) if stored else f"${parts.add_steps({'named': column})['named']}"
        where: Step = {"use": "selector/where", "labels": labels, "values": list(trusted.values)}
        result = f"${parts.add_steps({'trusted-rows': where})['trusted-rows']}"
    recipe = parts.recipe(result)
    bindings |= parts.bindings
    return recipe


def _groups(parts: Parts, keys: tuple[str, ...]) -> dict[str, str]:
    """Name of each grouping → reference."""
    named: dict[str, str] = {}
    for key in keys:
        manifest = parts.workspace.manifest(key)
        name = title_of(manifest["use"]).lower()
        if manifest["use"] == "labeller/column":
            name = str(manifest["parameters"].get("field") or "source")
        named[_free(name, named)] = parts.add(key)
    return named


def trial_command(workspace: Workspace, dataset: str, wish: TrialWish) -> list[str] | None:
    """The words of `curate trial` that say the same, None where it has no words for a wish.

    Args:
        workspace: Where stored results are.
        dataset: Name of the dataset.
        wish: What was asked for.
    """
    evaluation = _evaluation_words(workspace, wish.trusted)
    label = _label_word(workspace, wish.classes)
    kinds = [workspace.manifest(key)["use"] for key in wish.groups]
    if (
        any(wish.settings.values())
        or evaluation is None
        or label is None
        or kinds not in ([], ["labeller/clusters"])
        or not wish.duplicates
    ):
        return None
    words = ["curate", "trial", dataset]
    named: dict[str, str] = {}
    for chosen in wish.selections:
        name = _free(_arm(workspace, chosen), named)
        named[name] = chosen
        words += ["--selection", f"{name}={chosen}"]
    options = {
        "--budget": "" if wish.budget is None else str(wish.budget),
        "--evaluation": evaluation,
        "--model": "" if wish.base == SCRATCH else wish.base,
        "--label": label,
    }
    for option, value in options.items():
        words += [option, value] if value else []
    words += ["--clusters"] if kinds else []
    for field_name, value in wish.values.items():
        words += ["--set", f"{field_name}={json.dumps(value)}"]
    return words


def _evaluation_words(workspace: Workspace, trusted: Trusted) -> str | None:
    """As `curate trial --evaluation` reads it, "" for none, None where it cannot be said."""
    if trusted.kind == "none":
        return ""
    if trusted.kind == "file":
        return f"file={workspace.dataset(trusted.key).name}"
    if len(trusted.values) != 1 or trusted.kind not in ("source", "field"):
        return None
    kind = "source" if trusted.kind == "source" else f"label:{trusted.field}"
    return f"{kind}={trusted.values[0]}"


def _label_word(workspace: Workspace, classes: str) -> str | None:
    """The field that labels were read from, "" without labels, None where they are from elsewhere."""
    if not classes:
        return ""
    manifest = workspace.manifest(classes)
    field_name = manifest["parameters"].get("field") if manifest["use"] == "labeller/column" else None
    return str(field_name) if field_name else None
