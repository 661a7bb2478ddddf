"""From what the Influence page asks to a recipe: the target, the warm-up, what is compared, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from curation.complete import Step, merge
from curation.complete.stored import Parts, reached_from
from curation.core.errors import CurationError
from curation.recipe import Input, Recipe
from curation.views import SOURCE, View, steps_of
from curation.views.sources import Sources
from curation.workspace import Workspace

Kind = Literal["dataset", "label", "view", "selection"]

FIELD = "field:"
"""Before the name of a field of the records, where labels are named."""
HALF = 2
"""Bytes of a stored number."""
TARGET = "target"
OWN = "$own:"
"""Begins a reference to one of our steps until all names are known."""
READ = ("template", "max_tokens", "precision")
"""Fields of a step that say how rows are read."""
MATCH = "scorer/gradient-match"
LESS = "scorer/less"


@dataclass(frozen=True)
class Target:
    """The rows that training on the pool shall help.

    Args:
        kind: Where they come from.
        dataset: Of another dataset: its fingerprint.
        labels: Of the rows with some label: key of stored labels, `field:NAME`, or SOURCE.
        values: Names of these labels.
        view: Of the rows in view.
        selection: Key of a stored selection.
        most: So many of them are drawn at random; 0 = all.
        subtasks: Labels of the target's dataset that divide it into subtasks, named as in `labels`; "" = one task.
    """

    kind: Kind
    dataset: str = ""
    labels: str = ""
    values: tuple[str, ...] = ()
    view: View | None = None
    selection: str = ""
    most: int = 0
    subtasks: str = ""


@dataclass(frozen=True)
class Wish:
    """How influence is computed.

    Args:
        base: "scratch", a folder or the name of a model.
        share: Of the rows that the model is warmed up on, in percent.
        epochs: Passes over them; each leaves a checkpoint.
        rank: Of the adapters; their alpha is four times as much, as published.
        batch: Rows of a step of the warm-up.
        width: Numbers that a gradient is projected to.
        checkpoints: Read all of them, or the last one only.
        store: Keep the gradient features of every row; without, the scores are computed in one pass.
        values: Further settings, STEP.FIELD → value.
    """

    base: str = "scratch"
    share: float = 5.0
    epochs: int = 4
    rank: int = 128
    batch: int = 128
    width: int = 8192
    checkpoints: Literal["all", "last"] = "all"
    store: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)


def disk_bytes(rows: int, width: int, epochs: int, checkpoints: str) -> int:
    """What the gradient features of so many rows take on disk."""
    return HALF * rows * width * (epochs if checkpoints == "all" else 1)


def influence_recipe(
    workspace: Workspace, fingerprint: str, target: Target, wish: Wish, sources: Sources
) -> tuple[Recipe, dict[str, str]]:
    """The recipe whose result is the influence of every row on the target, and its bindings.

    Args:
        workspace: Where stored results are.
        fingerprint: Of the pool.
        target: Whose loss is to fall.
        wish: How.
        sources: Where the conditions of a view find results.

    Raises:
        CurationError: if it cannot be planned, or a condition of the view is no step.
    """
    parts = Parts(workspace, fingerprint)
    rows, steps = _rows_of(parts, target, sources)
    for name, step in _steps(wish, rows).items():
        values = {k.partition(".")[2]: v for k, v in wish.values.items() if k.partition(".")[0] == name}
        steps[name] = {**step, **values}
    if target.subtasks:
        steps["value"]["subtasks"] = _labels(parts, steps, "subtasks", rows["on"], target.subtasks)
    return parts.recipe(_added(parts, steps)["value"], {"title": "LESS"}), parts.bindings


def _added(parts: Parts, steps: Mapping[str, Step]) -> dict[str, str]:
    """Add our own steps under names that no stored result's step has; own name → reference."""
    names: dict[str, str] = {}
    for name in steps:
        free, number = name, 1
        while free in parts.steps or free in parts.inputs:
            number += 1
            free = f"{name}-{number}"
        names[name] = f"${free}"

    def told(value: Any) -> Any:
        return names[value.removeprefix(OWN)] if isinstance(value, str) and value.startswith(OWN) else value

    for name, step in steps.items():
        parts.steps[names[name][1:]] = {k: told(v) for k, v in step.items()}
    return names


def _steps(wish: Wish, rows: Mapping[str, Any]) -> dict[str, Step]:
    read = {"model": f"{OWN}base", "warmup": f"{OWN}warm"}
    how = {"width": wish.width, "checkpoints": wish.checkpoints}
    steps: dict[str, Step] = {
        "base": {"use": "trainer/base", "on": "$pool", "name": wish.base},
        "sample": {"use": "selector/random", "on": "$pool", "budget": f"{wish.share:g}%"},
        "warm": {
            "use": "trainer/warmup", "on": "$pool", "model": f"{OWN}base", "within": f"{OWN}sample",
            "epochs": wish.epochs, "batch_rows": wish.batch, "lora_rank": wish.rank, "lora_alpha": 4 * wish.rank,
        },
        "rows": {"use": "encoder/gradients", "on": "$pool", **read, **how},
        "aims": {"use": "encoder/gradients", **rows, **read, **how},
        "value": {"use": LESS, "features": f"{OWN}rows", "target_features": f"{OWN}aims"},
    }  # fmt: skip
    for name in (*READ, "projection", "seed"):  # both sides are read alike
        value = wish.values.get(f"rows.{name}")
        if value is not None:
            steps["aims"][name] = value
            if name in ("template", "max_tokens"):
                steps["warm"][name] = value
    steps["aims"]["direction"] = "sgd"
    return steps if wish.store else _without_store(steps, wish, rows)


def _without_store(steps: dict[str, Step], wish: Wish, rows: Mapping[str, Any]) -> dict[str, Step]:
    """The same with one step that reads targets and rows in place of stored gradients."""
    value: Step = {
        "use": MATCH, "on": "$pool", "model": f"{OWN}base", "warmup": f"{OWN}warm", "target": rows["on"],
        "checkpoints": wish.checkpoints,
    }  # fmt: skip
    if "within" in rows:
        value["targets"] = rows["within"]
    value |= {n: v for n in ("direction", *READ) if (v := wish.values.get(f"rows.{n}")) is not None}
    return {**{name: steps[name] for name in ("base", "sample", "warm")}, "value": value}


def _rows_of(parts: Parts, target: Target, sources: Sources) -> tuple[dict[str, Any], dict[str, Step]]:
    """`on` and `within` of the target's rows, and the steps that find them."""
    steps: dict[str, Step] = {}
    found: dict[str, Any] = {"on": "$pool"}
    if target.kind == "dataset":
        parts.inputs[TARGET], parts.bindings[TARGET] = "Dataset", target.dataset
        found["on"] = f"${TARGET}"
    elif target.kind == "selection":
        found["within"] = parts.add(target.selection)
    elif target.kind == "view":
        made = steps_of(target.view or View(), sources, parts.add)
        found["within"] = f"${parts.add_steps(made.steps)[made.result]}"
    else:
        if not target.values:
            raise CurationError("no label is chosen", "choose at least one")
        labels = _labels(parts, steps, "aim-labels", "$pool", target.labels)
        steps["aim"] = {"use": "selector/where", "labels": labels, "values": list(target.values)}
        found["within"] = f"{OWN}aim"
    if target.most:
        steps["few"] = {"use": "selector/random", **found, "budget": target.most}
        found["within"] = f"{OWN}few"
    return found, steps


def _labels(parts: Parts, steps: dict[str, Step], name: str, on: str, labels: str) -> str:
    """The reference to labels of a dataset."""
    if labels == SOURCE or labels.startswith(FIELD):
        steps[name] = {"use": "labeller/column", "on": on}
        if labels.startswith(FIELD):
            steps[name]["field"] = labels.removeprefix(FIELD)
        return OWN + name
    return parts.add(labels)


def keep_recipe(manifest: Mapping[str, Any], budget: int, without: str = "") -> tuple[Recipe, dict[str, str]]:
    """The recipe of a stored influence, continued: its best rows as a selection; and its bindings.

    Args:
        manifest: Of the stored influence.
        budget: Rows.
        without: Step of the same recipe whose rows are left out, "" = none.
    """
    whole = Recipe.read(str(manifest["recipe"]))
    bindings = {str(k): str(v) for k, v in manifest["bindings"].items()}
    pool = next(name for name, bound in bindings.items() if bound == manifest["dataset"])
    steps = {name: dict(step) for name, step in whole.steps.items()}
    pick: Step = {"use": "selector/top-k", "score": f"${manifest['step']}", "budget": budget}
    more: dict[str, Step] = {"pick": pick}
    if without:
        more = {
            "everyone": {"use": "selector/filter", "on": f"${pool}", "expression": "TRUE"},
            "others": {"use": "selector/minus", "of": "$everyone", "without": [f"${without}"]},
            "pick": {**pick, "within": "$others"},
        }
    name = merge(steps, more)["pick"]
    about = {**dict(whole.about), "title": "Highest influence"}
    inputs = {n: Input(type=spec.type) for n, spec in whole.inputs.items()}
    made = Recipe.read({"about": about, "inputs": {n: i.type for n, i in inputs.items()}, "steps": steps,
                        "result": f"${name}"})  # fmt: skip
    return reached_from(made, (name,)), bindings
