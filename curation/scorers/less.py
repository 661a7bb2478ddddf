"""LESS: how much training on a row would lower the loss on a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.scorers._less import Aggregate, influence_score, same_training, targets_of

BLOCK_VALUES = 1 << 24
"""Numbers of features that are brought to single precision at once."""


class Rows(Protocol):
    """What is read in blocks of rows."""

    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> np.ndarray: ...


class Influence(NamedTuple):
    """What targets say of rows.

    Args:
        by_subtask: float32 `[n, J]`, influence on each subtask, in units of the cosine.
        nearest: int64 `[n]`, the target example with the highest influence.
        similarity: float32 `[n]`, that influence.
    """

    by_subtask: np.ndarray
    nearest: np.ndarray
    similarity: np.ndarray


def subtask_vectors(
    targets: np.ndarray, norms: np.ndarray | None, groups: np.ndarray, blocks: int, aggregate: Aggregate
) -> np.ndarray:
    """One vector for each subtask, so that its product with a row's features is the row's influence.

    Args:
        targets: `[m, C·d]`, unit blocks weighted by √w_c.
        norms: `[m, C]`, lengths of the blocks before; needed for "cos_mean".
        groups: int64 `[m]`, 0 … J − 1.
        blocks: C.
        aggregate: "mean_cos": the mean over examples of their cosines, as in the released code; "cos_mean": the cosine
            with the gradient of the subtask's mean loss, as in the paper. Equal for one example a subtask.

    Returns:
        float32 `[J, C·d]`.
    """
    count = int(groups.max()) + 1
    values = np.asarray(targets, np.float64).reshape(len(targets), blocks, -1)
    if aggregate == "cos_mean":
        assert norms is not None
        weights = np.linalg.norm(values, axis=2)  # √w_c
        values = values * np.divide(norms, weights, out=np.zeros_like(weights), where=weights > 0)[:, :, None]
    means = np.zeros((count, *values.shape[1:]))
    np.add.at(means, groups, values)
    means /= np.bincount(groups, minlength=count)[:, None, None]
    if aggregate == "cos_mean":
        lengths = np.linalg.norm(means, axis=2, keepdims=True)
        means = means / np.where(lengths > 0, lengths, 1.0) * weights.mean(axis=0)[None, :, None]
    return means.reshape(count, -1).astype(np.float32)


def influence(
    rows: np.ndarray | Rows,
    subtasks: np.ndarray,
    targets: np.ndarray,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Influence:
    """Products of every row with every subtask, and with its nearest target example.

    Args:
        rows: `[n, D]`, any precision; read in blocks.
        subtasks: float32 `[J, D]`, from `subtask_vectors`.
        targets: `[m, D]`.
        progress: Called with (rows done, rows).

    Returns:
        See Influence. Cost: n · D · (J + m) multiply-adds, memory that of a block.
    """
    n = len(rows)
    found = Influence(np.empty((n, len(subtasks)), np.float32), np.empty(n, np.int64), np.empty(n, np.float32))
    examples = np.asarray(targets, np.float32)
    step = max(1, BLOCK_VALUES // max(rows.shape[1], 1))
    for start in range(0, n, step):
        here = slice(start, start + step)
        block = np.asarray(rows[here], np.float32)
        found.by_subtask[here] = block @ subtasks.T
        alike = block @ examples.T
        found.nearest[here] = alike.argmax(axis=1)
        found.similarity[here] = alike.max(axis=1)
        progress(min(start + step, n), n)
    return found


class Less(Scorer):
    """Influence of every row on a target: the highest, over subtasks, of its gradient's cosine with the target's.

    Both are gradient features of one warm-up (`encoder/gradients`): of the pool with a direction of Adam, of the target
    rows plain. Target rows are those of another dataset, or some of the pool (make their features `within` a selection
    of them). Without `subtasks` the target is one task.

    `mean_cos` takes the mean of the cosines over a subtask's examples, as the released code does; `cos_mean` the cosine
    with the gradient of the subtask's mean loss, as the paper writes. Columns: `subtask`, the one that the row serves
    best; `target`, the example it is most like, as a row of the target's dataset, and `likeness`; and the influence on
    each of up to 64 subtasks by name.
    """

    title: ClassVar[str] = "LESS influence"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = "As good as its few target examples; says nothing of rows that help in other ways."
    source: ClassVar[str] = "LESS: Xia et al. 2024 (ICML), arXiv 2402.04333; TracIn: Pruthi et al. 2020"
    elsewhere: ClassVar[tuple[str, ...]] = ("target_features", "subtasks")

    aggregate: Aggregate = Field(
        "cos_mean",
        description="of a subtask's examples: cosine with their mean gradient (paper), or mean cosine (code)",
    )

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        features: Features,
        target_features: Features,
        subtasks: Labels | None = None,
    ) -> Score:
        """Compare every row with the targets.

        Args:
            pool: The rows.
            runtime: Progress.
            features: Gradient features of the pool.
            target_features: Gradient features of the target rows, direction sgd; rows without them are no targets.
            subtasks: Subtask of every target row; those without a label are no targets.

        Raises:
            DataError: the two do not come from the same warm-up and projection.
            CurationError: no target row has a gradient.
        """
        same_training(features.info, target_features.info)
        chosen = targets_of(~target_features.missing.mask, subtasks)
        blocks = int(features.info.get("blocks", 1))
        norms = np.stack([np.asarray(target_features.columns[f"norm_{c + 1}"])[chosen.rows] for c in range(blocks)], 1)
        targets = np.asarray(target_features.values)[chosen.rows]
        vectors = subtask_vectors(targets, norms, chosen.groups, blocks, self.aggregate)
        found = influence(
            np.asarray(features.values), vectors, targets, progress=lambda done, total: runtime.progress(done, total)
        )
        info = {
            "target_dataset": target_features.dataset,
            "aggregate": self.aggregate,
            "model": features.info.get("model"),
            "weak": bool(features.info.get("weak")),
            "direction": features.info.get("direction"),
        }
        missing = Missing(np.asarray(features.missing.codes), features.missing.reasons)
        return influence_score(pool, chosen, found.by_subtask, (found.nearest, found.similarity), missing, info)

    def work(self, size: Size) -> float:
        """Rows times the width of their features."""
        return float(size.rows * max(size.dims, 1) + 1)

    def disk(self, size: Size) -> float:
        """The score and its columns."""
        return 64.0 * size.rows
