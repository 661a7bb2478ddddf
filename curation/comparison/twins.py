"""Stored selections that differ from one in a seed, an encoder or a model only: how much picks depend on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from curation.comparison.chance import expected_overlap, hypergeometric_interval
from curation.comparison.lineage import Link, lineage, read_by
from curation.complete.stored import Parts
from curation.core.artifacts import Selection
from curation.core.errors import CurationError
from curation.recipe import Recipe
from curation.workspace import Workspace

SEED, ENCODER, MODEL, OTHER = "seed", "encoder", "model", "other"
MOST_TWINS = 20


@dataclass(frozen=True)
class Change:
    """One thing in which two lineages differ.

    Args:
        use: Recipe name of the step in the first.
        field: Its parameter; "use" when the methods differ.
        here: Value in the first.
        there: Value in the second.
    """

    use: str
    field: str
    here: Any
    there: Any

    @property
    def kind(self) -> str:
        """What was changed: "seed", "encoder", "model" or "other"."""
        if self.field == "seed" or self.field.endswith("_seed"):
            return SEED
        if self.use.startswith("encoder/"):
            return ENCODER
        if self.use.startswith("trainer/") or self.field in ("model", "connection"):
            return MODEL
        return OTHER


@dataclass(frozen=True)
class Twin:
    """A stored selection by the same recipe with one kind of thing changed.

    Args:
        key: Of the Selection.
        kind: "seed", "encoder" or "model".
        changes: What differs.
        size: Rows of the first that are compared.
        other_size: Rows of the twin that are compared.
        shared: Rows in both.
        expected: Shared rows of two random draws of these sizes.
        low: 2.5 % quantile of that.
        high: 97.5 % quantile.
    """

    key: str
    kind: str
    changes: tuple[Change, ...]
    size: int
    other_size: int
    shared: int
    expected: float
    low: int
    high: int

    @property
    def share(self) -> float:
        """Shared rows as a share of the smaller selection."""
        return self.shared / max(min(self.size, self.other_size), 1)

    @property
    def expected_share(self) -> float:
        """The same for random draws."""
        return self.expected / max(min(self.size, self.other_size), 1)

    def said(self) -> str:
        """What differs, in words."""
        return ", ".join(f"{c.use} {c.field}: {_word(c.here)} → {_word(c.there)}" for c in self.changes)


def _word(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"…{text[-39:]}"


def changes_between(workspace: Workspace, here: str, there: str) -> list[Change] | None:
    """What differs between the ways two results were made; None when their steps are not of one shape.

    Budgets of the last step do not count. Where a step of another method of the same family stands, what is behind it
    is not looked at.
    """
    left = {link.key: link for link in lineage(workspace, here)}
    right = {link.key: link for link in lineage(workspace, there)}
    return _changes(left, right, here, there, {})


def _changes(
    left: Mapping[str, Link],
    right: Mapping[str, Link],
    here: str,
    there: str,
    known: dict[tuple[str, str], list[Change] | None],
) -> list[Change] | None:
    if here == there:
        return []
    if (here, there) in known:
        return known[here, there]
    a, b = left[here], right[there]
    known[here, there] = found = None
    if not a.use or not b.use or a.manifest.get("dataset") != b.manifest.get("dataset"):
        return found
    if a.use != b.use:
        if a.use.partition("/")[0] == b.use.partition("/")[0] and a.depth:
            known[here, there] = [Change(a.use, "use", a.use, b.use)]
        return known[here, there]
    before, after = read_by(a), read_by(b)
    if len(before) != len(after):
        return found
    mine, other = a.manifest.get("parameters", {}), b.manifest.get("parameters", {})
    ignored = {"budget"} if not a.depth else set()
    names = [name for name in {**mine, **other} if name not in ignored]
    made = [Change(a.use, n, mine.get(n), other.get(n)) for n in names if mine.get(n) != other.get(n)]
    for one, two in zip(before, after, strict=True):
        deeper = _changes(left, right, one, two, known)
        if deeper is None:
            return found
        made += [change for change in deeper if change not in made]
    known[here, there] = made
    return made


def twins(workspace: Workspace, key: str, order: np.ndarray, n: int) -> list[Twin]:
    """Stored selections of the same Dataset by the same recipe with another seed, encoder or model; newest first.

    Args:
        workspace: Where they are.
        key: Of the selection.
        order: int64, its picks that are compared; a longer nested twin is cut to as many.
        n: Rows of the Dataset.
    """
    manifest = workspace.manifest(key)
    found: list[Twin] = []
    for info in workspace.results(str(manifest["dataset"])):
        if info.kind != Selection.kind or info.key == key or info.use != manifest["use"] or len(found) == MOST_TWINS:
            continue
        changes = changes_between(workspace, key, info.key)
        kinds = {change.kind for change in changes or ()}
        if len(kinds) != 1 or OTHER in kinds:
            continue
        made = workspace.load(info.key)
        assert isinstance(made, Selection)
        other = np.asarray(made.order, np.int64)
        other = other[: len(order)] if made.nested else other
        mask = np.zeros(n, bool)
        mask[order] = True
        sizes = (len(order), len(other))
        population = _population(workspace, manifest, info.manifest, n)
        interval = hypergeometric_interval(population, *sizes)
        shared = int(mask[other].sum())
        found.append(
            Twin(
                info.key,
                kinds.pop(),
                tuple(changes or ()),
                *sizes,
                shared,
                expected_overlap(population, *sizes),
                *interval,
            )
        )
    return found


def _population(workspace: Workspace, here: Mapping[str, Any], there: Mapping[str, Any], n: int) -> int:
    """Rows that both selections chose among when those are the same and stored, else all rows."""
    within = [manifest["within"][1] if manifest.get("within") else "" for manifest in (here, there)]
    if not within[0] or within[0] != within[1] or not workspace.has(within[0]):
        return n
    return len(cast(Selection, workspace.load(within[0])))


def variant_recipe(
    workspace: Workspace, key: str, *, seed_by: int = 0, settings: Sequence[str] = ()
) -> tuple[Recipe, dict[str, str]]:
    """The recipe of a stored selection with other seeds or settings, for a job that makes its twin.

    Args:
        workspace: Where it is stored.
        key: Of the selection.
        seed_by: Added to every seed behind it.
        settings: `STEP.FIELD=VALUE`, for instance another encoder or model.

    Returns:
        The recipe and what its inputs are bound to.

    Raises:
        CurationError: if seeds are to change and no step has one: the method always picks the same rows.
        RecipeError: for a setting that names no step.
    """
    manifest = workspace.manifest(key)
    parts = Parts(workspace, str(manifest["dataset"]))
    result = parts.add(key)
    if result.removeprefix("$") not in parts.steps:
        raise CurationError("its recipe reads more than this dataset, and cannot be repeated from here", "run it anew")
    steps = {name: dict(step) for name, step in parts.steps.items()}
    seeded = [name for name, step in steps.items() if isinstance(step.get("seed"), int)]
    if seed_by and not seeded:
        raise CurationError("no step behind it draws by chance", "it picks the same rows every time")
    for name in seeded:
        steps[name]["seed"] = int(steps[name]["seed"]) + seed_by
    recipe = Recipe.read({"inputs": parts.inputs, "steps": steps, "result": result})
    return recipe.with_settings(settings), parts.bindings
