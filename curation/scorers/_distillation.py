"""Learning a judge from some of its scores: the learner, how good it is on rows left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from curation.linalg.conformal import auc
from curation.linalg.judged import Line, judge_line
from curation.linalg.rank_correlation import spearman

Learner = Literal["auto", "ridge", "boosted"]
FOLDS = 5
LEAST_TO_COMPARE = 40
"""Training rows below which trees are not tried: five folds of fewer tell nothing."""


# ---------------------------------------------------------------------- the learner


@dataclass(frozen=True)
class Judge:
    """A judge as learnt from its scores.

    Args:
        line: Bayesian ridge regression.
        trees: Gradient boosting on what the line leaves of rows left out; None = the line alone.
        widen: What the line's standard deviations are multiplied by.
    """

    line: Line
    trees: Any = None
    widen: float = 1.0

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected score, and standard deviation of a score: float64 `[n]` each."""
        mean, sd = self.line.predict(points)
        if self.trees is not None and len(points):
            mean = mean + self.trees.predict(np.asarray(points, np.float64))
        return mean, sd * self.widen


def learn(points: np.ndarray, scores: np.ndarray, *, boosted: bool) -> Judge:
    """Fit the line, and trees on top of it.

    The trees learn what the line gets wrong on each row when that row is left out, not its residuals: on few rows with
    many columns these are shrunk towards 0.

    Args:
        points: `[m, p]`, finite, m ≥ 2.
        scores: float64 `[m]`, finite.
        boosted: With trees.
    """
    line = judge_line(points, scores)
    if not boosted or line.fit is None:
        return Judge(line)
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False, random_state=0
    )
    trees.fit(np.asarray(points, np.float64), line.left_out)
    return Judge(line, trees)


@dataclass(frozen=True)
class LeftOut:
    """Predictions of rows by models that did not see them.

    Args:
        mean: float64 `[m]`.
        sd: float64 `[m]`.
    """

    mean: np.ndarray
    sd: np.ndarray


def left_out(points: np.ndarray, scores: np.ndarray, folds: np.ndarray, *, boosted: bool) -> LeftOut:
    """Predict every row from those of the other folds.

    Args:
        points: `[m, p]`.
        scores: float64 `[m]`.
        folds: int `[m]`; each fold must leave at least two rows.
        boosted: With trees.
    """
    mean, sd = np.empty(len(scores)), np.empty(len(scores))
    for fold in np.unique(folds):
        inside = folds == fold
        mean[inside], sd[inside] = learn(points[~inside], scores[~inside], boosted=boosted).predict(points[inside])
    return LeftOut(mean, sd)


@dataclass(frozen=True)
class Chosen:
    """Which learner was taken, and why.

    Args:
        judge: Fitted to all training rows.
        name: "ridge" or "boosted".
        why: One sentence.
        rest: Rows left out as the chosen learner predicts them; None with too few rows for folds.
    """

    judge: Judge
    name: str
    why: str
    rest: LeftOut | None


def choose(points: np.ndarray, scores: np.ndarray, folds: np.ndarray, learner: Learner) -> Chosen:
    """The learner asked for; `auto` takes trees only where they are better on rows left out by more than chance.

    "More than chance" is one standard error of the mean difference of squared errors, row by row.

    Args:
        points: `[m, p]`, finite, m ≥ 2.
        scores: float64 `[m]`, finite.
        folds: int `[m]`.
        learner: "ridge", "boosted", or "auto".
    """
    m = len(scores)
    measurable = m >= 2 * FOLDS and len(np.unique(folds)) == FOLDS
    plain = left_out(points, scores, folds, boosted=False) if measurable else None
    if learner == "ridge" or np.ptp(scores) == 0:
        why = "asked for" if learner == "ridge" else "all scores to learn from are equal"
        return Chosen(learn(points, scores, boosted=False), "ridge", why, plain)
    if learner == "auto" and (plain is None or m < LEAST_TO_COMPARE):
        why = f"{m} rows to learn from are too few to try trees"
        return Chosen(learn(points, scores, boosted=False), "ridge", why, plain)
    trees = left_out(points, scores, folds, boosted=True) if measurable else None
    why = "asked for"
    if plain is not None and trees is not None:
        before, after = (plain.mean - scores) ** 2, (trees.mean - scores) ** 2
        gain, error = float((before - after).mean()), float((before - after).std() / np.sqrt(m))
        told = f"squared error on rows left out {after.mean():.3g} with trees, {before.mean():.3g} without"
        if learner == "auto" and gain <= error:
            return Chosen(learn(points, scores, boosted=False), "ridge", f"{told}: no clear gain", plain)
        why = told if learner == "auto" else f"asked for; {told}"
        widen = float(np.sqrt(after.mean() / before.mean())) if before.mean() > 0 else 1.0
        made = learn(points, scores, boosted=True)
        return Chosen(Judge(made.line, made.trees, widen), "boosted", why, LeftOut(trees.mean, trees.sd * widen))
    return Chosen(learn(points, scores, boosted=True), "boosted", why, None)


# ---------------------------------------------------------------------- how good it is


def goodness(
    predicted: np.ndarray, scores: np.ndarray, lengths: np.ndarray, threshold: float
) -> dict[str, float | None]:
    """Rank correlation and AUC of predictions with a judge's scores, and what length alone has of both.

    Args:
        predicted: float64 `[n]`.
        scores: float64 `[n]`, the judge's.
        lengths: float64 `[n]`, characters of the responses; NaN unknown.
        threshold: From which score a row is good.
    """
    found = {
        "spearman": spearman(predicted, scores),
        "auc": auc(predicted, scores >= threshold),
        "spearman_predicted_length": spearman(predicted, lengths),
        "spearman_judge_length": spearman(scores, lengths),
    }
    return {name: value if np.isfinite(value) else None for name, value in found.items()}
