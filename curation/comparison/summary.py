"""A whole comparison as plain data: what `curate compare --json` prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from curation.comparison.curves import coverage_curves
from curation.comparison.facts import Comparison
from curation.comparison.membership import only, overlap, patterns, taken_by_all, votes
from curation.comparison.shares import shares
from curation.comparison.spread import length_spread, score_spread
from curation.comparison.stored import stored_labels, stored_scores
from curation.comparison.weakness import weaknesses
from curation.workspace import Workspace

NOT_TOLD = ("order", "eligible")
"""Arrays as long as the selections: they are in the workspace."""
MOST_ROWS = 20
"""Rows named for each arm."""


def summary(workspace: Workspace, comparison: Comparison, *, weakness: bool = True) -> dict[str, Any]:
    """All measures on what is stored, JSON-ready; NaN becomes None.

    Args:
        workspace: Where scores, labels and coverage are looked up.
        comparison: The arms.
        weakness: Also measure the weakness of each class, which takes seconds.
    """
    dataset = workspace.dataset(comparison.dataset)
    scores = stored_scores(workspace, comparison.dataset)
    labels = stored_labels(workspace, dataset)
    taken = votes(comparison)
    facts = {
        "dataset": comparison.dataset_name,
        "rows": comparison.n,
        "budget": comparison.budget,
        "notes": comparison.notes,
        "arms": [{**_fields(arm), "rows": len(arm)} for arm in comparison.arms],
        "random": [{"name": arm.name, "rows": len(arm)} for arm in comparison.random],
        "overlap": overlap(comparison),
        "patterns": patterns(comparison),
        "votes": {str(m): int((taken == m).sum()) for m in range(1, len(comparison.arms) + 1)},
        "only": {name: {"rows": len(rows), "first": rows[:MOST_ROWS]} for name, rows in _only(comparison).items()},
        "all": {"rows": len(both := taken_by_all(comparison)), "first": both[:MOST_ROWS]},
        "spreads": [
            length_spread(dataset, comparison),
            *(score_spread(key, score, comparison, name=name) for key, (name, score) in scores.items()),
        ],
        "shares": [shares(key, name, each, comparison) for key, (name, each) in labels.items()],
        "coverage": coverage_curves(workspace, comparison),
    }
    if weakness:
        facts["weaknesses"] = weaknesses(workspace, comparison)
    made: dict[str, Any] = plain(facts)
    return made


def _only(comparison: Comparison) -> dict[str, np.ndarray]:
    return {name: only(comparison, name) for name in comparison.names}


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
