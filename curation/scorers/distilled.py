"""Distilled judge: scores for all rows, learnt from a judge's scores of a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Missing, Score
from curation.core.chance import chance
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.linalg.conformal import conformal_p_values, conformal_quantile, coverage_range, rows_needed
from curation.linalg.judged import design
from curation.scorers._distillation import FOLDS, Chosen, choose, goodness
from curation.scorers._more_judgements import what_more_buys

NO_EXAMPLES = "too few scores to learn from"
PASSED_ON = ("weak", "stand_in", "connection", "endpoint", "model", "prompt")
"""Facts of the judge's scores that hold for what is learnt from them too."""


@dataclass(frozen=True)
class Teachers:
    """Rows with a judge's score.

    Args:
        points: `[m, p]`.
        scores: float64 `[m]`.
        folds: int `[m]`.
        rows: int64 `[m]`, which rows of the pool they are.
    """

    points: np.ndarray
    scores: np.ndarray
    folds: np.ndarray
    rows: np.ndarray


class Distilled(Scorer):
    """Learns a judge from the rows it has scored, and says of every other row what it would give, and how surely.

    A Bayesian ridge regression on principal components of the vectors and on indicators; `auto` puts gradient boosting
    on top where that is clearly better on rows left out. Its scores for rows that the judge has seen are the judge's
    own, unless `keep_judged` is off.

    `judged` are scores to learn from, of any rows. `calibration` are scores of rows *drawn at random*, which are never
    learnt from, also where `judged` has them: from them come the intervals (split conformal prediction), the p-values
    of "good", that is of a score from `threshold` on, and the measures of how good the model is. Intervals promise
    their share on average over all rows that are like the calibration rows; they promise nothing for one kind of row,
    nor for rows of another pool.

    Columns: `predicted`, what the model says also of rows that were judged; `sd` of a score given that; `low` and
    `high`; `p_value` against "not good", of rows that were not judged; `judged` and `calibration`, 1 or 0.
    """

    title: ClassVar[str] = "Distilled judge"
    method_class: ClassVar[MethodClass] = "bayesian"
    weakness: ClassVar[str] = (
        "Sees vectors and indicators only: a fluent answer that is wrong looks as good to it as one that is right."
    )
    source: ClassVar[str] = (
        "Our own combination of Bayesian ridge regression (MacKay 1992), split conformal prediction (Papadopoulos et "
        "al. 2002; Lei et al. 2018) and conformal p-values (Jin and Candès 2023)"
    )

    threshold: float = Field(4.5, allow_inf_nan=False, description="a row is good from this score of the judge on")
    coverage: float = Field(0.9, gt=0, lt=1, description="share of rows whose score the intervals are to hold")
    dims: int = Field(128, ge=1, le=4096, description="principal components of the vectors that the model sees")
    learner: Literal["auto", "ridge", "boosted"] = Field(
        "auto", description="a line, boosted trees on top of it, or whichever is better on rows left out"
    )
    keep_judged: bool = Field(True, description="rows that the judge has scored keep that score")
    more: int = Field(200, ge=0, le=100_000, description="further judgements whose worth is foretold; 0: none")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of folds and of subsets for the learning curve")

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        features: Features,
        judged: Score | None = None,
        calibration: Score | None = None,
        indicators: dict[str, Score] | None = None,
    ) -> Score:
        """Learn, and score every row that has a vector.

        Args:
            pool: The rows.
            runtime: Not used.
            features: Vectors.
            judged: The judge's scores to learn from, missing elsewhere.
            calibration: Its scores of rows drawn at random, missing elsewhere.
            indicators: Further columns; a row that lacks one counts as average there.

        Raises:
            CurationError: fewer than two rows to learn from.
        """
        made = design(
            np.asarray(features.values),
            {name: np.asarray(score.values, np.float64) for name, score in (indicators or {}).items()},
            dims=self.dims,
        )
        n = len(pool)
        first = judged if judged is not None else calibration
        sign = -1.0 if first is not None and first.higher_is_better is False else 1.0
        learnt, checked = _values(judged, n) * sign, _values(calibration, n) * sign
        rows, held = np.flatnonzero(np.isfinite(learnt) & ~np.isfinite(checked)), np.flatnonzero(np.isfinite(checked))
        luck = chance(pool.contents, self.seed, "distilled")
        teachers = _teachers(made.points, learnt, rows, luck)
        if len(teachers.scores) < 2:
            raise CurationError(
                f"{NO_EXAMPLES}: {len(teachers.scores)}",
                "give  judged: $STEP, a judge's scores of some rows (rows of calibration do not count)",
            )
        chosen = choose(teachers.points, teachers.scores, teachers.folds, self.learner)
        mean, sd = chosen.judge.predict(made.points)
        bar = self.threshold * sign
        reach = conformal_quantile(np.abs(checked[held] - mean[held]) / sd[held], self.coverage)
        known = np.where(np.isfinite(checked), checked, learnt)
        seen = np.isfinite(known)
        info = self._facts(pool, chosen, teachers, mean, sd, checked, held, reach, bar)
        if self.more:
            open_rows = np.flatnonzero(~seen)
            info["more"] = what_more_buys(
                teachers.points, teachers.scores, made.points[held], checked[held], threshold=bar,
                coverage=self.coverage, more=self.more, pool=made.points[open_rows], draws=luck[open_rows],
                seed=self.seed,
            ).facts()  # fmt: skip
        half = np.where(np.isfinite(reach), reach, np.nan) * sd
        p_values = np.full(n, np.nan)
        if len(held):
            p_values[~seen] = conformal_p_values(mean[~seen], mean[held], checked[held] >= bar)
        ends = np.sort(np.stack([(mean - half) * sign, (mean + half) * sign]), axis=0)
        values, low, high = mean * sign, ends[0], ends[1]
        if self.keep_judged:
            values, low, high = (np.where(seen, known * sign, part) for part in (values, low, high))
        columns = {
            "predicted": mean * sign,
            "sd": sd,
            "low": low,
            "high": high,
            "p_value": p_values,
            "judged": seen.astype(np.float64),
            "calibration": np.isfinite(checked).astype(np.float64),
        }
        for source in (calibration, judged):
            given = {} if source is None else source.info
            info |= {f"judge_{k}" if k not in ("weak", "stand_in") else k: given[k] for k in PASSED_ON if k in given}
        better = None if first is None else first.higher_is_better
        name = "distilled judge" if first is None else f"distilled {first.name}"
        return Score(pool.fingerprint, values, Missing.none(n), name, better, columns, info)

    def _facts(
        self,
        pool: Dataset,
        chosen: Chosen,
        teachers: Teachers,
        mean: np.ndarray,
        sd: np.ndarray,
        checked: np.ndarray,
        held: np.ndarray,
        reach: float,
        bar: float,
    ) -> dict[str, Any]:
        """What is worth showing; measures are None where they cannot be had."""
        lengths = pool.lengths("response").astype(np.float64)
        line = chosen.judge.line
        info: dict[str, Any] = {
            "threshold": self.threshold,
            "keep_judged": self.keep_judged,
            "n_train": len(teachers.scores),
            "n_cal": len(held),
            "learner": chosen.name,
            "learner_why": chosen.why,
            "columns_of_model": teachers.points.shape[1],
            "penalty": line.penalty,
            "sigma2": line.noise**2,
            "lambda": line.penalty / line.noise**2,
            "calibration": goodness(mean[held], checked[held], lengths[held], bar) if len(held) else None,
            "left_out": None,
            "coverage_promised": self.coverage if np.isfinite(reach) else None,
            "coverage_range": list(coverage_range(len(held), self.coverage)) if np.isfinite(reach) else None,
            "coverage_measured": None,
            "coverage_measured_on": 0,
            "half_width": float(reach * sd.mean()) if np.isfinite(reach) else None,
        }
        if line.fit is None:
            info["note"] = "all scores to learn from are equal: every row is foretold that score"
        if not np.isfinite(reach):
            info["interval"] = (
                f"none: {self.coverage:.0%} takes at least {rows_needed(self.coverage)} calibration rows, "
                f"there are {len(held)}"
            )
        rest = chosen.rest
        if rest is not None:
            info["left_out"] = goodness(rest.mean, teachers.scores, lengths[teachers.rows], bar)
            if np.isfinite(reach):
                inside = np.abs(teachers.scores - rest.mean) <= reach * rest.sd
                info |= {"coverage_measured": float(inside.mean()), "coverage_measured_on": len(inside)}
        return info

    def work(self, size: Size) -> float:
        """Multiply-adds of components and predictions; fits on up to some thousand scores are in the constant."""
        d0 = max(size.dims, 1)
        d = min(self.dims, d0) + 1
        return 1e9 + size.rows * float(d0 * d0 + 2 * d0 * d + 4 * d * d) + 10.0 * d0**3

    def memory(self, size: Size) -> float:
        """Copies of the vectors and of their components, and of those of rows that stand for the pool."""
        d = min(self.dims, max(size.dims, 1)) + 16
        return 512e6 + size.rows * (4.0 * size.dims + 12.0 * d + 160) + 64.0 * size.dims**2

    def disk(self, size: Size) -> float:
        """The score and seven columns."""
        return 64.0 * size.rows


def _values(score: Score | None, n: int) -> np.ndarray:
    """A judge's scores `[n]`; NaN where there is none."""
    if score is None:
        return np.full(n, np.nan)
    values = np.asarray(score.values, np.float64)
    return np.where(np.isfinite(values) & ~score.missing.mask, values, np.nan)


def _teachers(points: np.ndarray, learnt: np.ndarray, rows: np.ndarray, luck: np.ndarray) -> Teachers:
    """What to learn from, in an order and in folds that follow from contents; copies of a row share a fold."""
    rows = rows[np.argsort(luck[rows], kind="stable")]
    _, rank = np.unique(luck[rows], return_inverse=True)
    return Teachers(points[rows], learnt[rows], rank.ravel() % FOLDS, rows)
