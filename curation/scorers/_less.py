"""What scores of influence on target rows share: which rows are targets, and the columns that say whom a row serves."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from curation.core.artifacts import NO_ROW, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, DataError

Aggregate = Literal["mean_cos", "cos_mean"]

SUBTASK_COLUMNS = 64
"""Subtasks of which each row's influence is kept as a column; above it only the largest is."""


class Targets(NamedTuple):
    """Rows that say what is wanted.

    Args:
        rows: int64 `[m]`, rows of their dataset.
        groups: int64 `[m]`, 0 … J − 1, the subtask of each; no subtask is empty.
        names: Of the subtasks.
    """

    rows: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]


def targets_of(there: np.ndarray, subtasks: Labels | None) -> Targets:
    """The target rows and their subtasks.

    Args:
        there: bool `[m]`, rows of the target's dataset that can be compared with.
        subtasks: Their subtasks; rows without a label are no targets. None: all are one subtask, "target".

    Raises:
        DataError: labels of other rows.
        CurationError: no row is left.
    """
    groups = np.zeros(len(there), np.int64)
    names: tuple[str, ...] = ("target",)
    if subtasks is not None:
        if len(subtasks) != len(there):
            raise DataError(f"{len(subtasks):,} labels for {len(there):,} target rows", "label the target's dataset")
        groups, names = np.asarray(subtasks.codes, np.int64), subtasks.names
        there = there & (groups >= 0)
    used = np.flatnonzero(there)
    if not len(used):
        raise CurationError("there is no target", "give target rows that have gradients")
    present, codes = np.unique(groups[used], return_inverse=True)
    return Targets(used, codes, tuple(names[i] for i in present))


def influence_score(
    pool: Dataset,
    targets: Targets,
    by_subtask: np.ndarray,
    nearest: tuple[np.ndarray, np.ndarray] | None,
    missing: Missing,
    info: dict[str, Any],
) -> Score:
    """A Score of the highest influence over subtasks, with the columns `subtask`, `target`, `likeness`, `on NAME`.

    Args:
        pool: The rows.
        targets: See `targets_of`.
        by_subtask: `[n, J]`, NaN for missing rows.
        nearest: For every row the place among the targets of that which it is most like, int64 `[n]`, and how much;
            None where it is not known.
        missing: Of the pool.
        info: More facts.
    """
    wide = np.asarray(by_subtask, np.float64)
    best = np.where(missing.mask, NO_ROW, np.nan_to_num(wide, nan=-np.inf).argmax(axis=1))
    columns: dict[str, np.ndarray] = {"subtask": best.astype(np.int32)}
    if nearest is not None:
        place, likeness = nearest
        columns["target"] = np.where(missing.mask, NO_ROW, targets.rows[place]).astype(np.int64)
        columns["likeness"] = np.where(missing.mask, np.nan, likeness).astype(np.float64)
    if 1 < len(targets.names) <= SUBTASK_COLUMNS:
        columns |= {f"on {name}": wide[:, j] for j, name in enumerate(targets.names)}
    facts = {"subtasks": list(targets.names), "targets": len(targets.rows), **info}
    return Score(pool.fingerprint, wide.max(axis=1), missing, "influence", True, columns, facts)


def same_training(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Raises DataError if gradient features of the pool and of targets do not compare, by their `info`."""
    for name, word in (
        ("encoder", "kind"),
        ("warmup", "warm-up"),
        ("projection", "projection"),
        ("blocks", "checkpoints"),
    ):
        if ours.get(name) != theirs.get(name) or ours.get("encoder") != "gradients":
            raise DataError(
                f"features of the pool and of the targets differ in their {word}",
                "make both with encoder/gradients from the same warm-up, width, projection and seed",
            )
