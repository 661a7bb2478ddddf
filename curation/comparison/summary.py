"""A whole comparison on what is stored: gathered for a report, and as plain data for `curate compare --json`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from curation.comparison.curves import coverage_curves
from curation.comparison.difference import difference
from curation.comparison.facts import Comparison
from curation.comparison.membership import only, overlap, patterns, taken_by_all, votes
from curation.comparison.report import Report, examples_of
from curation.comparison.shares import shares
from curation.comparison.spread import length_spread, score_spread
from curation.comparison.stored import stored_labels, stored_scores
from curation.comparison.weakness import weaknesses
from curation.core.artifacts import Layout
from curation.recipe import Recipe
from curation.workspace import Workspace

NOT_TOLD = ("order", "eligible")
"""Arrays as long as the selections: they are in the workspace."""
MOST_ROWS = 20
"""Rows named for each arm."""
MOST_SCORES = 12
"""Scores shown: the newest."""


def report_of(
    workspace: Workspace, comparison: Comparison, *, weakness: bool = True, older: str | None = None, command: str = ""
) -> Report:
    """All measures on the scores, labels, coverage and map that are stored for these rows; nothing else is computed.

    Args:
        workspace: Where they are.
        comparison: The arms.
        weakness: Also measure the weakness of each class, which takes seconds for an arm that stands on a score.
        older: Key of a selection that the first arm is set against.
        command: Command line that makes the comparison again.
    """
    dataset = workspace.dataset(comparison.dataset)
    scores = dict(list(stored_scores(workspace, comparison.dataset).items())[:MOST_SCORES])
    labels = stored_labels(workspace, dataset)
    examples = {f"Only {name} takes": only(comparison, name) for name in comparison.names}
    if len(comparison.arms) > 1:
        examples["All take"] = taken_by_all(comparison)
    layouts = [info.key for info in workspace.results(comparison.dataset) if info.kind == Layout.kind]
    return Report(
        comparison,
        overlap(comparison),
        patterns(comparison),
        coverage_curves(workspace, comparison),
        (
            length_spread(dataset, comparison),
            *(score_spread(key, score, comparison, name=name) for key, (name, score) in scores.items()),
        ),
        tuple(shares(key, name, each, comparison) for key, (name, each) in labels.items()),
        weaknesses(workspace, comparison) if weakness else (),
        None if older is None else difference(workspace, comparison.arms[0].key, older, labels=labels, scores=scores),
        {arm.name: recipe_behind(workspace, arm.key) for arm in comparison.arms},
        {heading: examples_of(dataset, rows) for heading, rows in examples.items() if len(rows)},
        np.asarray(cast(Layout, workspace.load(layouts[0])).xy) if layouts else None,
        command,
        time.strftime("%Y-%m-%d %H:%M"),
    )


def recipe_behind(workspace: Workspace, key: str) -> str:
    """The part of a stored result's recipe that made it, as YAML; "" when none was kept."""
    manifest = workspace.manifest(key)
    text = str(manifest.get("recipe", ""))
    return Recipe.read(text).upto(str(manifest["step"])).yaml() if "\n" in text else ""


def summary(report: Report) -> dict[str, Any]:
    """A report as JSON-ready data without texts and maps; NaN becomes None."""
    comparison = report.comparison
    taken = votes(comparison)
    facts = {
        "dataset": comparison.dataset_name,
        "rows": comparison.n,
        "budget": comparison.budget,
        "notes": comparison.notes,
        "arms": [{**_fields(arm), "rows": len(arm)} for arm in comparison.arms],
        "random": [{"name": arm.name, "rows": len(arm)} for arm in comparison.random],
        "overlap": report.overlap,
        "patterns": report.patterns,
        "votes": {str(m): int((taken == m).sum()) for m in range(1, len(comparison.arms) + 1)},
        "only": {name: _first(only(comparison, name)) for name in comparison.names},
        "all": _first(taken_by_all(comparison)),
        "spreads": report.spreads,
        "shares": report.shares,
        "coverage": report.coverage,
        "weaknesses": report.weaknesses,
    }
    if report.difference is not None:
        change = report.difference
        rows = {name: _first(getattr(change, name)) for name in ("added", "removed", "kept")}
        facts["difference"] = {**_fields(change), **rows}
    made: dict[str, Any] = plain(facts)
    return made


def _first(rows: np.ndarray) -> dict[str, Any]:
    return {"rows": len(rows), "first": rows[:MOST_ROWS]}


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in NOT_TOLD}


def plain(value: Any) -> Any:
    """Plain data from dataclasses, arrays and mappings; what is not a finite number becomes None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(_fields(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
