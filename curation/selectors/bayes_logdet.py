"""Bayesian information gain: the rows that tell a linear model most, about everything or about given targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, MethodClass, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import squared_norms
from curation.linalg.linear_fit import FOLDS, linear_fit
from curation.linalg.log_det import POOL, above_zero, greedy_log_det
from curation.linalg.variance_drop import greedy_variance_drop
from curation.linalg.whiten import whitening
from curation.selectors._build import End, highest_first, numbers, selection
from curation.selectors._queries import queries_of
from curation.selectors._ranks import rank_shares

LESS = "tells the model less than the picks"
LESS_ON_TARGETS = "tells the model less about the targets than the picks"
NO_SCORE = "no score"
NOTHING_LEFT = "no row left says anything about the targets"
NOT_MEASURED = "not measured: no signal was given"

Progress = Callable[[int, int], None]


def information_gain(
    points: np.ndarray,
    budget: int,
    *,
    noise: np.ndarray,
    prior: float = 1.0,
    known: np.ndarray | None = None,
    pool: int = POOL,
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row whose observation tells most about the weights of a Bayesian linear regression.

    Model: `y = x·β + ε`, `β ~ N(0, I/λ)`, `ε_i ~ N(0, σ_i²)`. The information of a set is
    `½ log det(I + Σ x xᵀ/(λσ²))`, whatever the answers turn out to be; it is monotone and submodular, so that the
    greedy reaches at least 1 − 1/e of the most that the budget allows. It is the greedy of a log-determinant on the
    rows x/σ with the ridge λ: see `curation.linalg.log_det`.

    Args:
        points: `[n, d]`, finite.
        budget: How many rows to pick, ≥ 1.
        noise: float64 `[n]`, σ² of each row, above 0.
        prior: λ > 0.
        known: int64 `[k]`, the first picks of an earlier run with the same arguments.
        pool: Changes speed, never picks.
        progress: Called with (picks made, budget).

    Returns:
        A Selection with min(budget, n) picks; `gains` are nats, never increasing; `margin` is how many nats a row falls
        short of the last pick; `info["information"]` is the sum of the gains.

    Raises:
        DataError: rows that are not finite.
        CurationError: a budget below 1, a prior or noise not above 0, or wrong known picks.
    """
    above_zero(np.array([prior]), 1, "prior precisions")
    scale = 1 / np.sqrt(above_zero(noise, len(points), "noise variances"))
    found = greedy_log_det(points, budget, ridge=prior, scale=scale, known=known, pool=pool, progress=progress)
    gains, left = np.log(found.values / prior) / 2, np.log(found.left / prior) / 2
    made = _selection(found.order, gains, left, budget, LESS, "")
    made.info["information"] = float(gains.sum())
    return made


def variance_reduction(
    points: np.ndarray,
    targets: np.ndarray,
    budget: int,
    *,
    noise: np.ndarray,
    prior: float = 1.0,
    known: np.ndarray | None = None,
    tolerance: float = 1e-12,
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row that lowers the mean posterior variance at the targets most (V-optimal design).

    The same model as `information_gain`. Drops are exact, but may grow while rows are picked, so there is no guarantee
    for the greedy and no short cut: each pick costs 4·n·d.

    Args:
        points: `[n, d]`, finite.
        targets: `[t, d]`, finite: where predictions should become certain.
        budget: How many rows to pick, ≥ 1.
        noise: float64 `[n]`, σ² of each row, above 0.
        prior: λ > 0.
        known: int64 `[k]`, the first picks of an earlier run with the same arguments.
        tolerance: Stop when no row lowers the variance by more than this share of the prior one.
        progress: Called with (picks made, budget).

    Returns:
        A Selection with min(budget, n) picks less `short_by`; `gains` are drops of the mean variance; `margin` is by
        how much less a row would lower it than the last pick did; `info` holds the mean variance before and after.

    Raises:
        DataError: rows that are not finite.
        CurationError: a budget below 1, a prior or noise not above 0, or wrong known picks.
    """
    found = greedy_variance_drop(
        points, targets, budget, prior=prior, noise=noise, known=known, tolerance=tolerance, progress=progress
    )
    made = _selection(found.order, found.drops, found.left, budget, LESS_ON_TARGETS, NOTHING_LEFT)
    made.info.update({"target_variance_before": found.before, "target_variance_after": found.after})
    return made


def _selection(
    order: np.ndarray, gains: np.ndarray, left: np.ndarray, budget: int, stage: str, short_reason: str
) -> Selection:
    n = len(left)
    out = np.ones(n, bool)
    out[order] = False
    margin = np.full(n, np.nan)
    if len(gains):
        margin[out] = gains[-1] - left[out]
    short_by = min(budget, n) - len(order)
    return Selection(
        dataset="",
        n=n,
        order=order,
        gains=gains,
        stage=out.astype(np.int16),
        stages=(stage,),
        margin=margin,
        short_by=short_by,
        short_reason=short_reason if short_by else "",
        nested=True,
    )


class BayesLogdet(Selector):
    """Rows that would tell a Bayesian linear model on the features most, before any answer is known.

    The features are centred, turned to their principal components, evened out (`shrink`) and given an intercept. The
    model's prior precision is `prior`, the noise of a clean row by default the median squared length over the prior, so
    that at the start the median row brings ½ log 2 nats. A score makes worse rows noisier measurements: their noise is
    divided by `q = least_quality + (1 − least_quality)·rank`, where rank runs from 0 for the worst eligible row to 1.

    Without targets, gains are nats of information about all directions. With `targets` (rows of this pool) or `queries`
    (vectors of another file), gains are drops of the mean posterior variance there: V-optimal design.

    How well a linear model on these features can describe anything real is what the choice stands on. With a `signal`
    (a loss, a judge's score, a length) `info` holds how much of it such a model predicts on rows left out, in five
    folds: `fit_r2` and `fit_rank_correlation`; without one it says that this was not measured.
    """

    title: ClassVar[str] = "Bayesian information gain"
    weakness: ClassVar[str] = (
        "A linear model stands in for the network: where it explains little of a real signal, its gains mean little."
    )
    source: ClassVar[str] = (
        "Bayesian experimental design: MacKay 1992, Information-based objective functions for active data selection; "
        "its use for pools of instructions, the quality as noise and the defaults are ours"
    )
    method_class: ClassVar[MethodClass] = "bayesian"
    purpose: ClassVar[Purpose] = "bayesian"
    when: ClassVar[str] = "When rows should teach as much as possible per row, and noisy ones should count for less."
    nested: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("queries",)

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    dims: int = Field(256, ge=1, le=4096, description="principal components of the features that the model sees")
    shrink: float = Field(
        0.1, ge=0, le=1, description="0: all components get the same spread; 1: they keep their proportions"
    )
    prior: float = Field(1.0, ge=1e-6, le=1e6, description="precision of the model's weights before any row")
    noise: float | None = Field(
        None, gt=0, le=1e9, description="variance of a clean row's noise; empty = median squared length over the prior"
    )
    least_quality: float = Field(
        0.1, gt=0, le=1, description="the worst row's noise is the clean one over this; 1 ignores the score"
    )
    keep: End = Field("best", description="which end of the score is good; best is the end that the score itself says")

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        score: Score | None = None,
        targets: Selection | None = None,
        queries: Features | None = None,
        signal: Score | None = None,
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Progress.
            features: Vectors, from which components are made; those of eligible rows decide which.
            score: Quality. Eligible rows without a score are never picked.
            targets: Rows of the pool that predictions should become certain about; they need not be eligible.
            queries: The same by vectors of another Dataset, made by the same encoder.
            signal: A number per row to measure the linear model on; it does not enter the choice.

        Raises:
            CurationError: no eligible row can be used, targets and queries are both given or cannot be used, or the
                score does not say which end is better.
        """
        n = len(pool)
        eligible = np.asarray(ask.eligible, np.int64)
        present = ~features.missing.mask[eligible]
        quality = None if score is None else numbers(score, None)
        rows = eligible[present if quality is None else present & np.isfinite(quality[eligible])]
        if not len(rows):
            raise CurationError(
                "no eligible row has a vector" + (" and a score" if score is not None else ""),
                "look at the steps that made them",
            )
        values = np.asarray(features.values)
        turned = whitening(values[rows], self.dims, self.shrink)
        points = turned.apply(values[rows])
        clean = self.noise or float(np.median(squared_norms(points))) / self.prior
        noise = np.full(len(rows), clean)
        if score is not None and quality is not None:
            rank = rank_shares(quality[rows], highest=highest_first(score, self.keep))
            noise /= self.least_quality + (1 - self.least_quality) * rank
        known = None if ask.known is None else np.searchsorted(rows, ask.known)
        wanted, told = max(1, min(ask.count, len(rows))), runtime.progress
        info: dict[str, Any] = {"dims": points.shape[1] - 1, "variance_kept": turned.kept, "noise": clean}
        if targets is None and queries is None:
            found = information_gain(points, wanted, noise=noise, prior=self.prior, known=known, progress=told)
        else:
            aim = turned.apply(queries_of(features, targets, queries, "euclidean").vectors)
            info["targets"] = len(aim)
            found = variance_reduction(points, aim, wanted, noise=noise, prior=self.prior, known=known, progress=told)
        codes = np.full(n, 2, np.int8)
        codes[rows] = 1
        margin = np.full(n, np.nan)
        margin[rows] = found.margin
        left_out = len(eligible) - len(rows)
        short_by = min(ask.count, len(eligible)) - len(found)
        reasons = [f"{left_out:,} eligible rows have no score"] * (left_out > 0) + [found.short_reason] * (
            found.short_by > 0
        )
        return selection(
            pool,
            ask,
            rows[found.order],
            stages=(*found.stages, NO_SCORE if score is not None else "no vector"),
            codes=codes,
            margin=margin,
            gains=found.gains,
            short_by=short_by,
            short_reason="; ".join(reasons) if short_by else "",
            nested=True,
            info={**info, **found.info, **self._fit(points, rows, signal)},
        )

    @staticmethod
    def _fit(points: np.ndarray, rows: np.ndarray, signal: Score | None) -> dict[str, Any]:
        """What a linear model on the points explains of the signal, on rows left out."""
        if signal is None:
            return {"fit": NOT_MEASURED}
        values = numbers(signal, None)[rows]
        there = np.isfinite(values)
        try:
            fit = linear_fit(points[there, :-1], values[there])
        except CurationError as error:
            return {"fit": f"not measured on '{signal.name}': {error.message}", "fit_signal": signal.name}
        return {
            "fit": f"a linear model predicts {max(fit.r2, 0):.0%} of the variance of '{signal.name}' on rows left out",
            "fit_signal": signal.name,
            "fit_rows": fit.rows,
            "fit_folds": FOLDS,
            "fit_r2": fit.r2,
            "fit_r2_by_fold": [float(r2) for r2 in fit.fold_r2],
            "fit_rank_correlation": fit.rank_correlation,
        }

    def work(self, size: Size) -> float:
        """Multiply-adds of the components, of the greedy, and of a linear fit in five folds."""
        d0 = max(size.dims, 1)
        d = min(self.dims, d0) + 1
        return 1.0 + size.rows * float(d0 * d0 + 2 * d0 * d + 3 * FOLDS * d * d + d * size.count) + 10.0 * d0**3

    def memory(self, size: Size) -> float:
        """Copies of the vectors and of their components, blocks, and matrices of the width."""
        d = min(self.dims, max(size.dims, 1)) + 1
        return 768e6 + size.rows * (4.0 * size.dims + 8.0 * d + 96) + 64.0 * size.dims**2
