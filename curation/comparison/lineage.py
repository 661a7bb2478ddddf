"""What stands behind a stored result: its steps with their measured seconds, and the class of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curation.comparison.facts import Cost, StepCost
from curation.core.dataset import Dataset
from curation.core.errors import RecipeError
from curation.core.method import Method, MethodClass, find
from curation.recipe import Recipe, preset_names
from curation.workspace import Workspace

ORDER_OF_CLASSES: tuple[MethodClass, ...] = ("statistical", "zero-order", "first-order", "bayesian")
"""From what asks no model to what asks most; the class of a chain is that of its furthest step."""
PART_OF_ROWS, PART_OF_ORDER = "rows", "order"
"""Why the seconds of a step are too few: rows, or the beginning of its order, were stored from earlier."""


@dataclass(frozen=True)
class Link:
    """One result behind another.

    Args:
        key: Of the result.
        manifest: How it was made; empty when it is gone.
        depth: Steps from the result that was asked for, by the shortest way.
    """

    key: str
    manifest: Mapping[str, Any]
    depth: int

    @property
    def use(self) -> str:
        """Recipe name of its method, "" when it is gone."""
        return str(self.manifest.get("use", ""))

    @property
    def method(self) -> type[Method] | None:
        """Its method, None when it is gone or no method has this name any more."""
        try:
            return find(self.use) if self.use else None
        except RecipeError:
            return None


def lineage(workspace: Workspace, key: str) -> list[Link]:
    """All results that one stands on, itself first, nearest first; read from manifests, nothing is loaded."""
    found: dict[str, Link] = {}
    line = [(key, 0)]
    while line:
        at, depth = line.pop(0)
        if at in found:
            continue
        manifest = workspace.manifest(at) if workspace.has(at) else {}
        found[at] = Link(at, manifest, depth)
        line += [(parent, depth + 1) for parent in read_by(found[at])]
    return list(found.values())


def read_by(link: Link) -> list[str]:
    """Keys of the results that a step read; fingerprints of other Datasets are left aside."""
    cls = link.method
    kinds = {} if cls is None else {name: port.kind for name, port in cls.ports().items()}
    ports = {name: keys for name, keys in link.manifest.get("ports", {}).items() if kinds.get(name) is not Dataset}
    within, quota = link.manifest.get("within"), link.manifest.get("quota")
    more = [link.manifest.get("tokens"), within and within[1], quota and quota[1]]
    return list(dict.fromkeys([*_keys(ports), *_keys(more)]))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keys(inner)
    elif isinstance(value, str):
        yield value


def class_of(links: list[Link]) -> MethodClass:
    """The class of a chain of steps: that of the step which asks most of a model."""
    ranks = [ORDER_OF_CLASSES.index(cls.method_class) for link in links if (cls := link.method) is not None]
    return ORDER_OF_CLASSES[max(ranks, default=0)]


def preset_of(manifest: Mapping[str, Any]) -> str:
    """The preset that a result is the pick of, by the title in its recipe; "" for none and for a step on the way."""
    text = str(manifest.get("recipe", ""))
    if "\n" not in text:
        return ""
    about = Recipe.read(text).about
    arms = about.get("arms")
    if isinstance(arms, Mapping):  # a recipe that compares presets says which of its steps is whose
        named = [str(preset) for preset, step in arms.items() if step == manifest.get("step")]
        return next((name for name in named if name in preset_names()), "")
    title = about.get("title")
    name = next((name for name in preset_names() if title and about_of(name).get("title") == title), "")
    return name if name and _is_result(manifest, Recipe.read(text), Recipe.read(name)) else ""


def _is_result(manifest: Mapping[str, Any], recipe: Recipe, preset: Recipe) -> bool:
    """False for a step on the way: it is not what the preset is about. A recipe may go on after the pick."""
    wanted = preset.result.removeprefix("$")
    asked_for = manifest.get("step") in (wanted, recipe.result.removeprefix("$"))
    return asked_for and manifest.get("use") == preset.steps[wanted].get("use")


def about_of(preset: str) -> Mapping[str, Any]:
    """What a preset says of itself."""
    if preset not in _about:
        _about[preset] = Recipe.read(preset).about
    return _about[preset]


_about: dict[str, Mapping[str, Any]] = {}
"""Presets come with the package and do not change while a process runs."""


def costs(lineages: Mapping[str, list[Link]]) -> dict[str, Cost]:
    """Measured seconds of every arm, and which steps arms share.

    Args:
        lineages: Name of an arm → what stands behind it.
    """
    users: dict[str, list[str]] = {}
    for name, links in lineages.items():
        for link in links:
            users.setdefault(link.key, []).append(name)
    return {name: _cost(name, links, users) for name, links in lineages.items()}


def _cost(name: str, links: list[Link], users: Mapping[str, list[str]]) -> Cost:
    steps = []
    for link in reversed(links):
        known = link.manifest.get("seconds")
        note = PART_OF_ORDER if link.manifest.get("whole") is False else ""
        note = PART_OF_ROWS if link.manifest.get("rows_reused") else note
        others = tuple(other for other in users[link.key] if other != name)
        seconds = float("nan") if known is None else float(known)
        steps.append(StepCost(str(link.manifest.get("step", link.key[:6])), link.use, link.key, seconds, others, note))
    paid = [step for step in steps if step.seconds == step.seconds]
    return Cost(
        tuple(steps),
        sum(step.seconds for step in paid),
        sum(step.seconds for step in paid if not step.shared_with),
        tuple(step.name for step in steps if step.seconds != step.seconds),
        tuple(step.name for step in steps if step.note),
    )
