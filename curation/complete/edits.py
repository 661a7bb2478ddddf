"""The recipe that carries decisions out; page, `curate decisions recipe` and `Pool.edited` come through here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curation.complete import Step
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.row_ranges import format_rows, rows_digest
from curation.recipe import Recipe
from curation.workspace import Decisions, Workspace

EDIT = "selector/edit"
_NAME = "by-hand"


def edit_step(decisions: Decisions, dataset: Dataset) -> Step:
    """The step `selector/edit` of what was decided on a dataset, without what it is based on.

    Raises:
        CurationError: if nothing is kept or dropped.
    """
    named = np.concatenate([decisions.kept, decisions.dropped])
    if not len(named):
        raise CurationError("no row is kept or dropped by hand", "curate decisions drop ROWS, or read rows in the app")
    texts = {"keep": format_rows(decisions.kept), "drop": format_rows(decisions.dropped)}
    return {"use": EDIT, **{k: v for k, v in texts.items() if v}, "digest": rows_digest(dataset, named)}


def edited(decisions: Decisions, dataset: Dataset, base: Recipe | None = None, pool: str = "pool") -> Recipe:
    """A recipe whose result is a selection, or all rows, after decisions by hand.

    Args:
        decisions: What was decided.
        dataset: Whose rows.
        base: A recipe whose result is a selection; one that is edited already is edited anew, from what it is based on.
        pool: The input of `base` that is the dataset.

    Raises:
        CurationError: if nothing is kept or dropped.
    """
    step = edit_step(decisions, dataset)
    if base is None:
        return Recipe.read({"inputs": {"pool": "Dataset"}, "steps": {_NAME: {**step, "on": "$pool"}},
                            "result": f"${_NAME}"})  # fmt: skip
    steps = {name: dict(s) for name, s in base.steps.items()}
    last = base.result.removeprefix("$")
    on: Step = {"on": f"${pool}"}
    if steps.get(last, {}).get("use") == EDIT:
        before = steps.pop(last)
        on.update({k: v for k, v in before.items() if k in ("selection", "on", "within")})
    else:
        on["selection"] = base.result
    name = _NAME
    while name in steps or name in base.inputs:
        name += "-2"
    inputs = {k: v.model_dump() for k, v in base.inputs.items()}
    return Recipe.read(
        {"about": dict(base.about), "inputs": inputs, "steps": {**steps, name: {**step, **on}}, "result": f"${name}"}
    )


def edited_result(
    workspace: Workspace, decisions: Decisions, dataset: Dataset, key: str | None
) -> tuple[Recipe, dict[str, str]]:
    """As `edited`, from a stored selection, or from all rows where `key` is None: recipe and bindings.

    Raises:
        CurationError: if the result is no selection of this dataset.
    """
    if key is None:
        return edited(decisions, dataset), {"pool": dataset.fingerprint}
    manifest = workspace.manifest(key)
    if manifest["kind"] != "selection" or manifest["dataset"] != dataset.fingerprint:
        what = f"a selection of '{dataset.name}'"
        raise CurationError(f"only {what} can be edited with its decisions", "name another result, or another dataset")
    whole = Recipe.read(str(manifest["recipe"])).upto(str(manifest["step"]))
    bindings: Mapping[str, str] = manifest.get("bindings", {})
    pool = next((n for n, bound in bindings.items() if bound == dataset.fingerprint), "")
    if not pool:
        raise CurationError("the selection was made on rows that its own recipe made", "edit the recipe by hand")
    recipe = edited(decisions, dataset, whole.model_copy(update={"about": {}}), pool)
    used = recipe.upto(recipe.result.removeprefix("$"))
    needed = {n for n in used.inputs if _mentions(used.steps, f"${n}")} | {pool}
    recipe = used.model_copy(update={"inputs": {n: v for n, v in used.inputs.items() if n in needed}})
    return recipe, {n: bound for n, bound in bindings.items() if n in recipe.inputs}


def _mentions(value: object, reference: str) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(v, reference) for v in value.values())
    if isinstance(value, list):
        return any(_mentions(v, reference) for v in value)
    return bool(value == reference)
