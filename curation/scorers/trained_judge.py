"""Trained scorer: a line over vectors, learnt from scored families of another dataset."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.linalg.group_ridge import GroupRidge, group_ridge
from curation.linalg.rank_correlation import spearman


def siblings_in_order(foretold: np.ndarray, scores: np.ndarray, families: np.ndarray) -> tuple[float, int]:
    """How often the better of two siblings is foretold the higher score; equal foretold ones count one half.

    Args:
        foretold: float64 `[m]`.
        scores: float64 `[m]`.
        families: int `[m]`.

    Returns:
        The share, NaN without such pairs, and the number of pairs with different scores.
    """
    right, pairs = 0.0, 0
    for family in np.unique(families):
        rows = np.flatnonzero(families == family)
        a, b = np.triu_indices(len(rows), 1)
        given = np.sign(scores[rows[a]] - scores[rows[b]])
        told = np.sign(foretold[rows[a]] - foretold[rows[b]])
        apart = given != 0
        right += float(((given * told)[apart] + 1).sum() / 2)
        pairs += int(apart.sum())
    return (right / pairs if pairs else float("nan")), pairs


class TrainedJudge(Scorer):
    """Scores learnt from another dataset whose rows have some: variants of questions or answers that a judge ranked.

    A ridge regression on the vectors, whose penalty is the one that foretells families left out best; values are cut
    to the scale. DEITA fine-tunes a model of 7 billion parameters here; a line over vectors of a sentence encoder costs
    seconds and knows less. `examples` must be encoded as the pool is: the same encoder, the same part of the text.

    `families` says which examples are siblings (their records name the same `parent`). Siblings share most words, so
    what the line is worth is measured with the whole family left out: `left_out_r2`, `left_out_spearman`, and
    `siblings_in_order`, how often the better of two siblings is told from the other. Near 0, 0 and one half it has
    learnt nothing, whatever `r2` says. Without `families` every example stands for itself, and siblings flatter the
    numbers.

    Columns: `unclipped`.
    """

    title: ClassVar[str] = "Scorer trained on evolved variants"
    method_class: ClassVar[MethodClass] = "statistical"
    weakness: ClassVar[str] = (
        "Vectors show topic better than difficulty or quality; trust it only as far as its left-out numbers go."
    )
    source: ClassVar[str] = (
        "After DEITA's scorers (Liu et al., ICLR 2024, arXiv:2312.15685), with a ridge regression in their place"
    )
    elsewhere: ClassVar[tuple[str, ...]] = ("examples", "example_scores", "families")

    low: float = Field(1.0, allow_inf_nan=False, description="lowest score of the scale; values below it are raised")
    high: float = Field(6.0, allow_inf_nan=False, description="highest score of the scale; values above it are lowered")

    @model_validator(mode="after")
    def _scale(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low:g}, and high is {self.high:g}: it must be more")
        return self

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        features: Features,
        examples: Features,
        example_scores: Score,
        families: Labels | None = None,
    ) -> Score:
        """Learn, and score every row that has a vector.

        Args:
            pool: The rows.
            runtime: Not used.
            features: Their vectors.
            examples: Vectors of rows of another dataset, encoded in the same way.
            example_scores: Scores of these.
            families: Which of these are siblings.

        Raises:
            CurationError: artifacts that do not fit together, fewer than two different scores, or one family alone.
        """
        points, scores, groups = _examples(features, examples, example_scores, families)
        if len(scores) < 2 or scores.max() == scores.min():
            raise CurationError(
                f"there is nothing to learn: {len(scores)} examples, {len(np.unique(scores))} different scores",
                "evolve more rows, or look why their families have no scores",
            )
        if len(np.unique(groups)) < 2:
            raise CurationError("all examples are one family", "evolve more rows: what is learnt is measured on others")
        fit = group_ridge(points, scores, groups)
        found = fit.predict(np.asarray(features.values))
        values = np.clip(found, self.low, self.high)
        info: dict[str, Any] = {
            **self._worth(fit, scores, groups, siblings=families is not None),
            "share clipped": float((values != found).mean()) if len(found) else 0.0,
            **{name: example_scores.info[name] for name in ("weak", "stand_in") if name in example_scores.info},
        }
        name = f"trained {example_scores.name}"
        better = example_scores.higher_is_better
        return Score(pool.fingerprint, values, Missing.none(len(pool)), name, better, {"unclipped": found}, info)

    def _worth(self, fit: GroupRidge, scores: np.ndarray, groups: np.ndarray, *, siblings: bool) -> dict[str, Any]:
        """What the line is worth on families that it was not fitted to; None where that cannot be had."""
        foretold = np.clip(scores - fit.errors, self.low, self.high)
        order, pairs = siblings_in_order(foretold, scores, groups) if siblings else (float("nan"), 0)
        return {
            "examples": len(scores),
            "families": len(np.unique(groups)),
            "r2": fit.r2,
            "left_out_r2": _or_none(fit.left_out_r2),
            "left_out_spearman": _or_none(spearman(foretold, scores)),
            "siblings_in_order": _or_none(order),
            "sibling_pairs": pairs,
            "penalty": fit.penalty,
        }

    def work(self, size: Size) -> float:
        """Multiply-adds of the predictions; the fit is a part of the constant."""
        return 1e9 + float(size.rows) * max(size.dims, 1) + 10.0 * max(size.dims, 1) ** 3

    def memory(self, size: Size) -> float:
        """Matrices of width × width, the examples, and numbers per row."""
        return 256e6 + 32.0 * size.dims**2 + 24.0 * size.rows

    def disk(self, size: Size) -> float:
        """The score and one column."""
        return 16.0 * size.rows


def _examples(
    features: Features, examples: Features, scores: Score, families: Labels | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors, scores and families of the examples that have a vector and a score."""
    parts = [scores, *([] if families is None else [families])]
    if any(part.dataset != examples.dataset or len(part) != len(examples) for part in parts):
        raise CurationError(
            "examples, example_scores and families belong to different datasets",
            "make them from the same rows (on: $STEP)",
        )
    wide, here = examples.values.shape[1], features.values.shape[1]
    if wide != here:
        raise CurationError(
            f"examples have {wide} columns, features {here}", "encode both with the same encoder and text"
        )
    values = np.asarray(scores.values, np.float64)
    rows = np.flatnonzero(np.isfinite(values) & ~scores.missing.mask & ~examples.missing.mask)
    groups = np.arange(len(values))
    if families is not None:  # an example without a family stands for itself
        groups = np.where(families.codes >= 0, families.codes, len(families.names) + groups)
    return np.asarray(examples.values)[rows], values[rows], groups[rows]


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
