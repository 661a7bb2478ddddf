"""Coverage of the arms: what is stored, and the recipe that measures what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from curation.comparison.facts import Arm, Comparison
from curation.comparison.measured import CoverageCurves, Curve
from curation.complete import add_default, merge
from curation.complete.stored import Parts
from curation.core.artifacts import Coverage
from curation.core.errors import CurationError
from curation.coverage import MEASURES
from curation.recipe import Recipe
from curation.workspace import Workspace

NOT_MEASURED = "its coverage was not measured"
OTHER_SPACE = "its coverage was measured in another space"
NOT_AT_BUDGET = "its coverage was measured only from {0:,} picks on"


def coverage_curves(workspace: Workspace, comparison: Comparison, features: str | None = None) -> CoverageCurves:
    """Stored Coverage of all arms in one space; nothing is computed.

    A smaller budget reads the beginning of the curve: the picks of a nested order up to it are that pick.

    Args:
        workspace: Where it is stored.
        comparison: The arms.
        features: Key of the Features to measure in; None = those in which most arms were, the newest among equals.
    """
    found = _stored(workspace, comparison)
    spaces: dict[str, list[str]] = {}
    for name, of_arm in found.items():
        for space in of_arm:
            spaces.setdefault(space, []).append(name)
    if not spaces:
        return CoverageCurves("", "", (), (), dict.fromkeys(comparison.names, NOT_MEASURED))
    newest = {space: max(found[n][space][0] for n in names) for space, names in spaces.items()}
    chosen = features or max(spaces, key=lambda space: (len(spaces[space]), newest[space]))
    curves, missing = [], {}
    for arm in comparison.arms:
        if chosen not in found[arm.name]:
            missing[arm.name] = OTHER_SPACE if found[arm.name] else NOT_MEASURED
            continue
        key = found[arm.name][chosen][1]
        report = cast(Coverage, workspace.load(key))
        curve = curve_of(arm, key, report)
        if not len(curve.budgets):
            missing[arm.name] = NOT_AT_BUDGET.format(int(report.budgets[0]))
            continue
        curves.append(curve)
    measures = tuple(m for m in MEASURES if curves and all(m in curve.values for curve in curves))
    return CoverageCurves(chosen, _space(workspace, chosen), measures, tuple(curves), missing)


def curve_of(arm: Arm, key: str, report: Coverage) -> Curve:
    """The part of a stored Coverage that belongs to the picks that are compared."""
    budgets = np.asarray(report.budgets, np.int64)
    upto = int(np.searchsorted(budgets, len(arm), side="right"))
    values = {name: np.asarray(curve)[:upto] for name, curve in report.curves.items()}
    reached = bool(upto) and int(budgets[upto - 1]) == len(arm)
    return Curve(
        arm.name,
        key,
        budgets[:upto],
        values,
        {name: np.asarray(band)[:, :upto] for name, band in report.random.items()},
        {name: float(curve[-1]) for name, curve in values.items()} if reached else {},
        arm.nested,
    )


def _stored(workspace: Workspace, comparison: Comparison) -> dict[str, dict[str, tuple[float, str]]]:
    """Arm → key of Features → (when, key of the newest Coverage)."""
    found: dict[str, dict[str, tuple[float, str]]] = {name: {} for name in comparison.names}
    for info in workspace.results(comparison.dataset):  # newest first
        ports: Mapping[str, Any] = info.manifest.get("ports", {})
        if info.kind != Coverage.kind:
            continue
        for arm in comparison.arms:  # one selection may stand here under two names
            if arm.key == ports.get("selection"):
                found[arm.name].setdefault(str(ports.get("features")), (info.created, info.key))
    return found


def _space(workspace: Workspace, features: str) -> str:
    if not workspace.has(features):
        return "vectors that are not stored any more"
    manifest = workspace.manifest(features)
    text = manifest.get("parameters", {}).get("text")
    return f"{manifest.get('step', '')} ({manifest.get('use', '')}{f', {text}' if text else ''})"


def coverage_recipe(
    workspace: Workspace,
    comparison: Comparison,
    *,
    features: str | None = None,
    labels: str | None = None,
    only_missing: bool = True,
) -> tuple[Recipe, dict[str, str]]:
    """A recipe that measures the coverage of the arms in one space, for a job, and what its inputs are bound to.

    Args:
        workspace: Where the selections are stored; their steps are reused, not run again.
        comparison: The arms.
        features: Key of the Features to measure in; None = where most were measured, else the default encoder.
        labels: Key of Labels whose clusters are counted, None = none.
        only_missing: Leave out arms that were measured in this space.

    Raises:
        CurationError: if every arm was measured.
    """
    stored = coverage_curves(workspace, comparison, features)
    features = features or stored.features or None
    arms = [arm for arm in comparison.arms if not only_missing or arm.name in stored.missing]
    if not arms:
        raise CurationError("the coverage of every arm is stored", "look at the curves")
    parts = Parts(workspace, comparison.dataset)
    space = f"${add_default(parts.steps, 'embed')}" if features is None else parts.add(features)
    clusters = {} if labels is None else {"labels": parts.add(labels)}
    result = ""
    for arm in arms:
        step = {"use": "coverage", "selection": parts.add(arm.key), "features": space, **clusters}
        result = merge(parts.steps, {"coverage": step})["coverage"]
    whole = {"inputs": parts.inputs, "steps": parts.steps, "result": f"${result}"}
    return Recipe.read({**whole, "about": {"title": "Coverage of the selections"}}), parts.bindings
