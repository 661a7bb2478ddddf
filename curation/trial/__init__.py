"""A trial: does a selection beat random? Small trainings on each, the same steps, one evaluation set."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Artifact, Features, Labels, Model, Selection
from curation.core.artifacts import Trial as TrialReport
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Method, Size
from curation.core.runtime import Runtime
from curation.trial._arms import NOTHING_LEFT, Counts, plan_arms
from curation.trial._results import from_results
from curation.trial._runs import carry_out, entry
from curation.trial._setting import chosen_rows, groups_of
from curation.trial._tasks import HEAD_ROWS, HEAD_STEPS, LM_ROWS, Task, head_task, language_task
from curation.trial._verdicts import arm_table, assess, verdict, words

__all__ = ["TrialAgainstRandom", "arm_table", "assess", "from_results", "verdict", "words"]

MOST = 6  # selections
ASSUMED = 2  # selections, for estimates: how many there are is not known before


def _unused_weights(selections: dict[str, Selection]) -> list[str]:
    weighted = [name for name, s in selections.items() if len(s.weights) and np.ptp(np.asarray(s.weights)) > 0]
    return [f"the weights of {', '.join(weighted)} were not used: every row counts alike"] if weighted else []


class TrialAgainstRandom(Method):
    """Trains on every selection, on random rows of the same size and on random rows of the same lengths, and compares.

    With a model: a causal language model is fine-tuned on each and measured by its loss on the responses of the
    evaluation rows. With features and labels: a linear head is trained on the frozen vectors and measured by its
    accuracy. Where both are given the head is trained. Every training takes the same number of optimiser steps and the
    same rows a step, but for the last of a pass, which takes what is left. A longer row costs an arm more tokens; the
    arm of random rows with the same lengths (of responses in tokens, for a head of rows in characters) shows what that
    alone brings. Weights of a selection are not used: every row counts alike.

    Only a trusted evaluation set, named by the user, lets the verdict say "beats random". Without one a share of the
    pool is held out, and the verdict is about likeness to the pool: a dirty pool is best resembled by dirt.

    No arm holds an evaluation row, a copy or a near-duplicate of one, or a row that the model was pre-trained on. The
    statistics are explained at `curation.trial._statistics.difference`.
    """

    family: ClassVar[str] = "trial"
    verb: ClassVar[str] = "run"
    returns: ClassVar[type[Artifact]] = TrialReport
    title: ClassVar[str] = "Trial against random"
    weakness: ClassVar[str] = "What a small model or a short training gains need not be what a large one gains."
    source: ClassVar[str] = (
        "The project's own; interval: Student's t with Satterthwaite 1946, doi:10.2307/3002019; Holm 1979"
    )

    measure: Literal["auto", "loss", "accuracy"] = Field(
        "auto", description="auto: loss of a language model, accuracy of a classifier"
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="optimiser steps of every training; by default from train_tokens and passes",
    )
    train_tokens: int = Field(
        100_000, ge=1, le=10**12, description="tokens of one training of a language model at the pool's mean length"
    )
    passes: float = Field(
        5.0, gt=0, le=1000, description="most passes over the smallest arm of a language model's training"
    )
    batch_rows: int | None = Field(
        None, ge=1, le=4096, description="rows of a step; by default 16, for a classifier 64"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="peak; by default as trainer/causal has it for the model, for a classifier 0.01"
    )
    method: Literal["full", "lora"] = Field("full", description="train all weights of a language model, or adapters")
    template: str = Field("auto", min_length=1, description="how conversations are written for a language model")
    max_tokens: int = Field(512, ge=8, le=1_000_000, description="longer rows are cut to so many tokens")
    seeds: int = Field(3, ge=1, le=20, description="trainings on every selection, each with a seed of its own")
    random_seeds: int = Field(10, ge=3, le=100, description="random draws of the same size, one training each")
    length_matched: int = Field(
        5, ge=0, le=100, description="random draws of the same lengths for each selection, 0 or at least 2"
    )
    full: bool = Field(True, description="train on all rows as well, for the same number of steps")
    untrained: bool = Field(True, description="measure the model before any training as well")
    evaluation_rows: int = Field(300, ge=2, le=1_000_000, description="evaluation rows to measure, at most")
    held_out_share: float = Field(
        0.1, gt=0, lt=1, description="share of the pool to hold out where no trusted evaluation set is given"
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="first seed of draws and trainings; the others follow it")

    def run(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        selections: dict[str, Selection],
        model: Model | None = None,
        features: Features | None = None,
        labels: Labels | None = None,
        evaluation: Selection | None = None,
        evaluation_file: Dataset | None = None,
        duplicates: Labels | None = None,
        groups: dict[str, Labels] | None = None,
    ) -> TrialReport:
        """Train all arms and compare; finished trainings are kept in `runtime.keep`.

        Args:
            pool: The rows.
            runtime: Device, progress, `keep`, `record`.
            selections: Name → rows, one to six of them.
            model: A causal language model that every arm starts from.
            features: Vectors, for a classifier.
            labels: Classes, for a classifier.
            evaluation: Trusted rows of the pool.
            evaluation_file: Trusted rows of another file, for language models.
            duplicates: Groups of near-duplicates of the pool's rows.
            groups: Groupings of the pool's rows to tell verdicts apart by: clusters, languages.

        Raises:
            CurationError: for no selection or too many, neither model nor features and labels, too few evaluation
                rows, or nothing left to train on.
        """
        if not 1 <= len(selections) <= MOST:
            raise CurationError(f"a trial takes 1 to {MOST} selections, here are {len(selections)}", "leave some out")
        if self.length_matched == 1:
            raise CurationError("one length-matched draw tells nothing", "set length_matched to 0, or to 2 or more")
        given = {"named": evaluation, "file": evaluation_file, "duplicates": duplicates}
        if features is not None and labels is not None:
            task: Task = head_task(self, pool, features, labels, given)
        elif model is not None:
            task = language_task(self, pool, model, given, runtime)
        else:
            raise CurationError(
                "a trial needs a model to fine-tune, or features and labels to train a classifier on",
                "model: $base  (a step with trainer/base), or  features: $embed  and  labels: $classes",
            )
        chosen, removed = chosen_rows(selections, task.eligible, task.why_not)
        eligible = np.flatnonzero(task.eligible)
        if not len(eligible):
            raise CurationError(
                NOTHING_LEFT, "all rows are evaluation rows, copies of them, or cannot be used; name fewer"
            )
        counts = Counts(self.seeds, self.random_seeds, self.length_matched, self.full, self.untrained, self.seed)
        arms = plan_arms(chosen, eligible, task.lengths, counts)
        learner = task.learner(min(len(rows) for rows in chosen.values()))
        runs = carry_out(arms, learner, runtime)
        values = np.stack([run.values for run in runs])
        found = groups_of(pool, task.evaluation.rows, groups, evaluation_file, task.file_rows)
        entries = tuple(
            entry(arm, run, chosen, task.lengths, learner.steps) for arm, run in zip(arms, runs, strict=True)
        )
        trusted = task.evaluation.trusted
        return TrialReport(
            pool.fingerprint,
            arms=entries,
            values=values,
            measure=task.measure,
            trusted=trusted,
            groups=found,
            verdicts=assess(entries, values, measure=task.measure, trusted=trusted, groups=found, seed=self.seed),
            info={
                **task.info,
                "evaluation": task.words,
                "evaluation_rows": values.shape[1],
                "eligible": len(eligible),
                "taken_away": {k: v for k, v in task.evaluation.reasons.items() if v},
                "removed": removed,
                "steps": learner.steps,
                "warnings": [*task.warnings, *_unused_weights(selections)],
            },
        )

    def shortened(self) -> Self:
        """A trial of the same kind that takes little time, for estimates."""
        return self.model_copy(
            update={"steps": 2, "evaluation_rows": 8, "seeds": 1, "random_seeds": 3, "length_matched": 0, "full": False}
        )

    def runs(self, selections: int = ASSUMED) -> int:
        """Trainings that a trial of so many selections of one size takes."""
        return selections * (self.seeds + self.length_matched) + self.random_seeds + (self.seeds if self.full else 0)

    def work(self, size: Size) -> float:
        """Trainings × tokens read, and the measuring of the evaluation rows, by the parameters of the network."""
        if size.dims:  # a head
            steps, batch = self.steps or HEAD_STEPS, self.batch_rows or HEAD_ROWS
            return 1.0 + size.chars + float(self.runs() * steps * batch * size.dims)
        mean = size.chars / max(size.rows, 1)
        batch = self.batch_rows or LM_ROWS
        # about four characters make a token
        trained = self.steps * batch * mean if self.steps else min(4.0 * self.train_tokens, self.passes * size.chars)
        measured = min(self.evaluation_rows, size.rows) * mean / 3  # a pass without gradients costs a third
        return 1.0 + size.chars + self.runs() * (trained + measured) * size.parameters

    def memory(self, size: Size) -> float:
        """The encoded pool; a network, its gradients and two moments are what they are."""
        return 256e6 + 6.0 * size.chars + 8.0 * size.rows * max(size.dims, 1) + 24.0 * size.parameters

    def disk(self, size: Size) -> float:
        """One number per training and evaluation row."""
        return 4.0 * self.runs() * min(self.evaluation_rows, size.rows) + 20_000
