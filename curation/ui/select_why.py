"""Why a row is in or out of a selection, at any budget, and which picked row stands for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from curation.core.artifacts import BEYOND_BUDGET, NO_ROW, Selection
from curation.core.dataset import Dataset
from curation.linalg.cosine import cosine_to
from curation.ui import pool
from curation.ui.pool import Stored

_OUTSIDE = re.compile(r"outside `([^`]*)`")


@dataclass(frozen=True)
class Why:
    """An answer.

    Args:
        sentence: For people; begins with "in" or "out".
        stands_for: The picked row that is nearest to a row that is out, None when unknown.
        distance: To it.
    """

    sentence: str
    stands_for: int | None = None
    distance: float = float("nan")


def readable(reason: str) -> str:
    """A stored reason for people: the name of the step that let a row fall is a name, not code."""
    return _OUTSIDE.sub(r"not in the step “\1”", reason)


def at_budget(stored: Selection, order: Selection, budget: int) -> Selection:
    """The first picks of a nested order with the reasons of the stored selection; nothing is computed anew.

    Args:
        stored: As the engine finished it: it knows why rows were not eligible.
        order: The longest known order of the same selector.
        budget: Picks to keep.
    """
    if budget == len(stored):
        return stored
    if budget < len(stored):
        return stored.prefix(budget)
    longer = order.prefix(budget)
    stages = longer.stages
    stage = np.array(longer.stage) if len(longer.stage) else np.zeros(longer.n, np.int16)
    for code, reason in enumerate(stored.stages, 1):
        rows = np.flatnonzero((np.asarray(stored.stage) == code) & ~longer.mask)
        if reason == BEYOND_BUDGET or reason in longer.stages or not len(rows):
            continue
        stages = (*stages, reason)
        stage[rows] = len(stages)
    return replace(longer, stage=stage, stages=stages)


def why_row(stored: Stored, selection: Selection, dataset: Dataset, row: int) -> Why:
    """Why a row is in or out of a selection made from `stored`, perhaps cut to another budget.

    The row that stands for it is looked up where the engine did not store it: one product of its vector with those of
    the picks.
    """
    sentence = selection.why(row)
    if sentence.startswith("in"):
        return Why(sentence)
    if len(selection.covered_by) and int(selection.covered_by[row]) != NO_ROW:
        return Why(sentence, int(selection.covered_by[row]), float(selection.distance[row]))
    found = nearest_pick(stored, selection, dataset, row)
    if found is None:
        return Why(sentence)
    other, apart = found
    return Why(f"{sentence}; row {other} is the nearest that is in (distance {apart:.3f})", other, apart)


def nearest_pick(stored: Stored, selection: Selection, dataset: Dataset, row: int) -> tuple[int, float] | None:
    """The picked row nearest to a row by cosine distance of their vectors, None without vectors."""
    found = pool.features_of(stored, dataset.fingerprint)
    if found is None or not len(selection.order):
        return None
    values, missing = found[1].values, found[1].missing.mask
    picks = np.asarray(selection.order)[~missing[selection.order]]
    if missing[row] or not len(picks):
        return None
    if not np.any(values[row]):  # a vector of zeros has no direction
        return None
    cosine = cosine_to(values, np.asarray(values[row]), rows=picks)
    cosine = np.where(np.isnan(cosine), -1.0, cosine)
    best = int(cosine.argmax())
    return int(picks[best]), float(max(0.0, 1.0 - cosine[best]))
