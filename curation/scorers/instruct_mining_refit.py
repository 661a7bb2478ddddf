"""InstructMining refitted: the coefficients of its rule, measured on this pool with brief trainings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Labels, Model, Score, Selection
from curation.core.chance import chance
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.linalg.ridge import RidgeFit, by_luck, inflation, intervals, ridge
from curation.models.brief import BriefTrainings, free_rows, scorable, settings_for, some_rows, starting_point
from curation.models.rendering import encode_rows
from curation.scorers._indicators import columns_of
from curation.scorers._mixtures import mixtures

LEVEL = 0.95
COLLINEAR = 10.0
"""Variance inflation above which a coefficient's sign is not to be read."""


@dataclass(frozen=True)
class Refit:
    """A rule and how far to trust it.

    Args:
        line: The fitted line: log loss on mean indicators.
        intervals: float64 `[p, 2]`, bootstrap intervals of the coefficients.
        inflation: float64 `[p]`, variance inflation of the columns of `means`.
        alone: float64 `[p]`, correlation of each mean indicator with the log loss; NaN where it does not vary.
        luck: How often shuffled losses are foretold as well, from 0 to 1: the p-value of a permutation test.
        means: float64 `[m, p]`, mean indicators of the subsets.
        losses: float64 `[m]`, what was measured after training on each.
    """

    line: RidgeFit
    intervals: np.ndarray
    inflation: np.ndarray
    alone: np.ndarray
    luck: float
    means: np.ndarray
    losses: np.ndarray


def refit(
    indicators: np.ndarray,
    subsets: Sequence[np.ndarray],
    measure: Callable[[np.ndarray], float],
    *,
    seed: int = 0,
    draws: int = 1000,
) -> Refit:
    """Fit `log loss ≈ β₀ + Σ βₖ · mean indicator k` over subsets.

    Ridge on standardised columns, its penalty chosen by leaving subsets out one at a time.

    Cost: one call of `measure` for each subset; the rest is nothing beside it.

    Args:
        indicators: float64 `[n, p]`, finite at the rows of all subsets.
        subsets: m ≥ 2 arrays of rows.
        measure: Rows → loss on rows kept apart, above 0, after training on them.
        seed: Of the bootstrap.
        draws: Of the bootstrap.

    Raises:
        ValueError: fewer than two subsets, or a loss that is not above 0.
    """
    means = np.stack([indicators[rows].mean(axis=0) for rows in subsets])
    losses = np.array([measure(rows) for rows in subsets], np.float64)
    if not (losses > 0).all():
        raise ValueError("a loss of 0 or less has no logarithm")
    logs = np.log(losses)
    line = ridge(means, logs)
    ends = intervals(means, logs, seed=seed, draws=draws, level=LEVEL)
    return Refit(line, ends, inflation(means), _alone(means, logs), by_luck(means, logs, seed=seed), means, losses)


def _alone(means: np.ndarray, logs: np.ndarray) -> np.ndarray:
    apart, target = means - means.mean(axis=0), logs - logs.mean()
    scale = np.sqrt((apart**2).sum(axis=0) * (target**2).sum())
    flat = np.isnan(inflation(means)) | (scale == 0)
    return np.where(flat, np.nan, apart.T @ target / np.where(flat, 1.0, scale))


class InstructMiningRefit(Scorer):
    """Measures on this pool what InstructMining's rule says: which indicators foretell a lower loss after training.

    Many subsets with different mixtures of clusters and of low and high indicators are drawn; a copy of the model is
    trained briefly on each and measured on rows kept apart; the log loss is regressed on the subsets' mean indicators
    (ridge, its penalty chosen by leaving subsets out). The rule is then applied to every row: predicted log loss, lower
    is better. Coefficients with bootstrap intervals, how well subsets left out were predicted, and how collinear the
    indicators are stand in the score's facts: read them before you use the score.

    Kept apart are the rows of `evaluation`, or those of the file `target`, or both; without either a share of the rows,
    drawn by their content. They, rows equal to them, and rows in a group of `duplicates` with one of them are in no
    subset; near-duplicates of the file's rows are not looked for here. Rows on which the model itself was pre-trained
    are neither trained on nor measured. Every finished training is kept: a killed job loses one at most.
    """

    title: ClassVar[str] = "InstructMining, refitted"
    method_class: ClassVar[MethodClass] = "zero-order"
    version: ClassVar[int] = 2
    weakness: ClassVar[str] = "Fitted on means of subsets, applied to rows; what a small model gains may not be yours."
    source: ClassVar[str] = (
        "Instruction Mining (Cao et al. 2023, arXiv:2307.06290); mixtures, ridge and checks are ours"
    )

    subsets: int = Field(48, ge=4, le=10_000, description="trainings: subsets drawn, trained on and measured")
    rows: int = Field(500, ge=2, le=1_000_000, description="rows of a subset; at most half of the rows there are")
    concentration: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="of the mixtures of clusters: small = few of them in a subset, large = all subsets alike",
    )
    evaluation_rows: int = Field(300, ge=1, le=1_000_000, description="rows kept apart that are measured, at most")
    held_share: float = Field(
        0.1, gt=0, lt=1, description="share of the rows to keep apart where neither evaluation nor target is given"
    )
    tuning: Literal["full", "lora"] = Field("full", description="train all weights, or low-rank adapters beside them")
    epochs: float = Field(1.0, gt=0, le=100, description="passes over a subset")
    batch_rows: int = Field(16, ge=1, le=65_536, description="rows in one optimizer step")
    learning_rate: float | None = Field(None, gt=0, le=1, description="its peak; empty: by the model's size")
    template: str = Field("auto", min_length=1, description="how rows are written: auto, chat, alpaca, plain, chatml")
    max_tokens: int = Field(512, ge=8, le=131_072, description="longer rows keep their first tokens")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of mixtures, trainings and bootstrap")

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        indicators: dict[str, Score],
        model: Model,
        evaluation: Selection | None = None,
        target: Dataset | None = None,
        labels: Labels | None = None,
        duplicates: Labels | None = None,
    ) -> Score:
        """Refit the rule and apply it to every row.

        Args:
            pool: The rows.
            runtime: Device, progress, and where finished trainings are kept.
            indicators: Scores by name; rows without one of them are in no subset and get no prediction.
            model: Where every training starts.
            evaluation: Rows of the pool kept apart.
            target: Rows of another file to measure.
            labels: Clusters, to mix.
            duplicates: Groups of near-duplicates, kept apart together.

        Raises:
            CurationError: too few rows are left to draw subsets from, or none can be measured.
            ModelError: the model is no single causal network, or memory does not suffice.
        """
        columns, missing = columns_of(indicators)
        values = np.stack(list(columns.values()), axis=1)
        held = np.empty(0, np.int64) if evaluation is None else np.asarray(evaluation.order, np.int64)
        if evaluation is None and target is None:
            draws = chance(pool.contents, self.seed, "refit")
            held = np.flatnonzero(draws <= max(self.held_share, float(draws.min())))
        usable = self._usable(pool, values, held, model, target, duplicates)
        lm = starting_point(model, runtime.device)
        trainings = BriefTrainings(
            lm,
            pool,
            {"evaluation": self._measured(lm, pool, held, model, target)},
            settings_for(
                model,
                method=self.tuning,
                epochs=self.epochs,
                batch_rows=self.batch_rows,
                learning_rate=self.learning_rate,
                seed=self.seed,
            ),
            runtime,
            total=self.subsets,
            template=self.template,
            max_tokens=self.max_tokens,
        )
        before = trainings.before()["evaluation"]
        drawn = self._draw(trainings, values, usable, labels)
        found = refit(values, drawn, lambda rows: trainings.after(rows)["evaluation"], seed=self.seed)
        made = found.line.predict(values)
        info = {**facts(list(indicators), found), "loss before training": before, "rows of a subset": len(drawn[0])}
        info |= {"model": model.name, "weak model": model.weak, "rows measured": len(trainings.held["evaluation"])}
        return Score(pool.fingerprint, made, missing, "predicted log loss", False, info=info)

    def _usable(
        self,
        pool: Dataset,
        values: np.ndarray,
        held: np.ndarray,
        model: Model,
        target: Dataset | None,
        duplicates: Labels | None,
    ) -> np.ndarray:
        contents = pool.contents
        others = None if target is None else target.contents
        free = free_rows(contents, held, others=others, duplicates=duplicates)
        usable = np.flatnonzero(free & ~np.isin(contents, model.seen) & np.isfinite(values).all(axis=1))
        if len(usable) < 2:
            raise CurationError(
                f"{len(usable)} rows are left to train on",
                f"{int((~free).sum()):,} of {len(pool):,} are kept apart or equal to rows that are; give more rows",
            )
        return usable

    def _measured(self, lm: Any, pool: Dataset, held: np.ndarray, model: Model, target: Dataset | None) -> list[Any]:
        """The rows that every training is measured on, encoded."""
        encoded = []
        sets = [(pool, held)] + ([(target, np.arange(len(target)))] if target is not None else [])
        for dataset, rows in sets:
            fresh = rows[~np.isin(dataset.contents[rows], model.seen)]
            fresh = some_rows(dataset.contents, fresh, self.evaluation_rows, self.seed)
            encoded += encode_rows(lm, dataset.take(fresh), template=self.template, max_tokens=self.max_tokens)
        return scorable(encoded, "evaluation")

    def _draw(
        self, trainings: BriefTrainings, values: np.ndarray, usable: np.ndarray, labels: Labels | None
    ) -> list[np.ndarray]:
        """Subsets, rows that the model cannot be trained on left out."""
        clusters = None
        if labels is not None:
            clusters = np.unique(np.asarray(labels.codes)[usable], return_inverse=True)[1].ravel()
        size = min(self.rows, max(2, len(usable) // 2))
        picks = mixtures(
            values[usable], self.subsets, size, clusters=clusters, concentration=self.concentration, seed=self.seed
        )
        drawn = np.unique(np.concatenate(picks))
        reasons = {row: encoded.reason for row, encoded in zip(drawn, trainings.encode(usable[drawn]), strict=True)}
        subsets = [usable[[row for row in pick if not reasons[row]]] for pick in picks]
        if any(not len(rows) for rows in subsets):
            raise CurationError(
                "the model cannot be trained on a single row of a subset",
                f"for example because: {next(r for r in reasons.values() if r)}",
            )
        return subsets

    def shortened(self) -> Self:
        """Four trainings."""
        return self.model_copy(update={"subsets": 4})

    def work(self, size: Size) -> float:
        """Characters read, three times as much where they are trained on, × parameters of the network."""
        each = size.chars / max(size.rows, 1)
        trained = min(self.rows, size.rows / 2) * self.epochs * 3
        return 1 + self.subsets * (trained + min(self.evaluation_rows, size.rows)) * each * size.parameters

    def memory(self, size: Size) -> float:
        """Weights, their copy, gradients and AdamW's two moments in float32, and activations."""
        return 1e9 + 20.0 * size.parameters + 100.0 * size.rows


def facts(names: list[str], found: Refit) -> dict[str, Any]:
    """What is worth showing of a refit: the rule, one row for each indicator, how good it is, and a warning."""
    table = [
        {
            "indicator": name,
            "coefficient": float(found.line.coefficients[k]),
            "low": float(found.intervals[k, 0]),
            "high": float(found.intervals[k, 1]),
            "per standard deviation": float(found.line.standardised[k]),
            "correlation alone": float(found.alone[k]),
            "variance inflation": float(found.inflation[k]),
        }
        for k, name in enumerate(names)
    ]
    loo = found.line.loo_r2
    notes = []
    if not loo > 0 or found.luck > 1 - LEVEL:
        notes.append("subsets left out are foretold no better than shuffled losses are: do not use this rule")
    if not ((found.intervals[:, 0] > 0) | (found.intervals[:, 1] < 0)).any():
        notes.append("every interval holds 0: nothing certain is known of any indicator; draw more subsets")
    tangled = [name for k, name in enumerate(names) if found.inflation[k] > COLLINEAR]
    if tangled:
        notes.append(f"collinear, so that size and sign are not to be read: {', '.join(tangled)}")
    return {
        "intercept": found.line.intercept,
        "coefficients": table,
        "R² of subsets left out": loo,
        "as good by luck": found.luck,
        "R²": found.line.r2,
        "penalty": found.line.penalty,
        "subsets": len(found.losses),
        "losses": [float(v) for v in found.losses],
        "notes": notes,
    }
