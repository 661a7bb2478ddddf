"""How far a judge can be trusted: whether it agrees with itself, and what of its scores could have been counted.

Works on any Score; what a judge said twice (`again`, `swapped`) is there only where the method audits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from curation.comparison.predictors import FEWEST_ROWS, FOLDS, SAMPLE, SIMPLE_FEATURES, r2, sampled, simple_features
from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.core.runtime import Runtime
from curation.linalg.agreement import Estimate, JudgeReport
from curation.linalg.rank_correlation import ranks, spearman
from curation.models.chat.auditing import report_of
from curation.scorers.boilerplate import Boilerplate
from curation.scorers.readability import Readability

MORE_FEATURES = ("question marks (log)", "begins with a refusal", "readability (LIX)")
FEATURES = (*SIMPLE_FEATURES, *MORE_FEATURES)
BINS = 32
"""Steps of the curve that predicts a score from one feature."""
ALPHA = 0.05
"""Share of features named that may be chance (Benjamini and Hochberg 1995)."""


@dataclass(frozen=True)
class Predictor:
    """One feature and a score.

    Args:
        name: Of the feature.
        rho: Spearman's rank correlation, with the 95 % interval of Bonett and Wright (2000).
        p: Of no correlation.
        q: The same corrected for looking at many (Benjamini and Hochberg 1995).
        alone: R² of ranks on rows left out, from a curve of this feature alone; NaN where it does not vary.
    """

    name: str
    rho: Estimate
    p: float
    q: float
    alone: float

    @property
    def significant(self) -> bool:
        """True where chance is no good explanation."""
        return self.q <= ALPHA


@dataclass(frozen=True)
class Trust:
    """What is known of a judge from its scores.

    Args:
        name: Of the score.
        judge: Endpoint and model, "" where the score names none.
        stand_in: True where nobody was asked.
        rows: With a score.
        missing: Reason → rows without one.
        unread: Share of replies that could not be read, NaN = not told.
        audit: Agreement with itself, shift by position, length bias.
        used: Rows on which the predictors rest.
        together: R² of ranks on rows left out, from a line of all features; NaN = not known.
        predictors: The strongest alone first.
        others: Other scores of the same rows → rank correlation with this one.
        reason: Why there are no predictors, "" = there are.
    """

    name: str
    judge: str
    stand_in: bool
    rows: int
    missing: dict[str, int]
    unread: float
    audit: JudgeReport
    used: int
    together: float
    predictors: tuple[Predictor, ...]
    others: dict[str, Estimate]
    reason: str = ""

    def facts(self) -> dict[str, Any]:
        """Plain nested values, for JSON."""
        return asdict(self)


def judge_report(
    dataset: Dataset, score: Score, others: Mapping[str, Score] | None = None, *, most: int = SAMPLE, seed: int = 0
) -> Trust:
    """What a score says of who gave it. Some seconds for 10,000 rows.

    Args:
        dataset: The rows of the score.
        score: Usually by a judge.
        others: Name → further scores of the same rows.
        most: Rows used for the predictors; more are sampled.
        seed: Of sample and folds.
    """
    values = np.where(score.missing.mask, np.nan, np.asarray(score.values, np.float64))
    present = np.flatnonzero(np.isfinite(values))
    rows = sampled(present, most, seed)
    reason, together = "", math.nan
    found: tuple[Predictor, ...] = ()
    if len(rows) < FEWEST_ROWS:
        reason = f"only {len(rows)} rows have the score, and {FEWEST_ROWS} are needed"
    elif np.ptp(values[rows]) == 0:
        reason = "the score is the same for all rows"
    else:
        together, found = predictors_of(features_of(dataset.take(rows)), values[rows], FEATURES, seed=seed)
    info = score.info
    return Trust(
        name=score.name,
        judge=" · ".join(str(info[name]) for name in ("endpoint", "model") if info.get(name)),
        stand_in=bool(info.get("stand_in")),
        rows=len(present),
        missing=score.missing.counts(),
        unread=float(info.get("share of replies that could not be read", math.nan)),
        audit=report_of(score, dataset),
        used=0 if reason else len(rows),
        together=together,
        predictors=found,
        others={name: _beside(values, other) for name, other in (others or {}).items()},
        reason=reason,
    )


def _beside(values: np.ndarray, other: Score) -> Estimate:
    theirs = np.where(other.missing.mask, np.nan, np.asarray(other.values, np.float64))
    both = int((np.isfinite(values) & np.isfinite(theirs)).sum())
    return rank_interval(spearman(values, theirs), both)


# ---------------------------------------------------------------------- predictors


def features_of(dataset: Dataset) -> np.ndarray:
    """What can be counted in rows, float64 `[n, 17]`, columns of `FEATURES`; NaN where a text has none of it."""
    prompts, responses = dataset.texts("prompt"), dataset.texts("response")
    simple = simple_features(prompts, responses, [len(dataset.messages(row)) for row in range(len(dataset))])
    marks = np.log1p([text.count("?") + text.count("？") for text in responses])
    refusal = Boilerplate().score(dataset, Runtime()).columns["refusal"]
    lix = np.asarray(Readability().score(dataset, Runtime()).values, np.float64)
    return np.column_stack([simple, marks, refusal, lix])


def predictors_of(
    features: np.ndarray, values: np.ndarray, names: Sequence[str], *, seed: int = 0
) -> tuple[float, tuple[Predictor, ...]]:
    """How features foretell the ranks of a score: all together by a line, and each one alone by a curve.

    Ranks, since the order is what selects. The line is ridge regression on values and ranks of the features, the curve
    the mean in 32 steps of equal row counts; each row is predicted by models that did not see it.

    Args:
        features: float64 `[n, d]`; NaN is taken for the median.
        values: float64 `[n]`, finite, not all equal.
        names: `d` names.
        seed: Of the folds.

    Returns:
        R² of all together, and the features, the strongest alone first.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    n, d = features.shape
    target = (ranks(values) + 0.5) / n
    known = [column[np.isfinite(column)] for column in features.T]
    middle = np.array([np.median(column) if len(column) else 0.0 for column in known])
    filled = np.where(np.isfinite(features), features, middle)
    ranked = np.column_stack([ranks(column) for column in filled.T])
    line, alone = np.empty(n), np.empty((d, n))
    with threadpool_limits(1):
        for train, left in KFold(FOLDS, shuffle=True, random_state=seed).split(filled):
            ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 7)))
            both = np.hstack([filled, ranked])
            line[left] = ridge.fit(both[train], target[train]).predict(both[left])
            for column in range(d):
                alone[column, left] = _curve(ranked[train, column], target[train], ranked[left, column])
    rho = np.array([spearman(features[:, column], values) for column in range(d)])
    counts = np.isfinite(features).sum(0)
    p = np.array([_p_value(r, int(count)) for r, count in zip(rho, counts, strict=True)])
    q = benjamini_hochberg(p)
    varies = np.array([np.ptp(column) > 0 for column in filled.T])
    found = [
        Predictor(
            names[i],
            rank_interval(float(rho[i]), int(counts[i])),
            float(p[i]),
            float(q[i]),
            r2(target, alone[i]) if varies[i] else math.nan,
        )
        for i in range(d)
    ]
    found.sort(key=lambda each: -each.alone if math.isfinite(each.alone) else math.inf)
    return r2(target, line), tuple(found)


def _curve(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The line through the means of steps of equal row counts, read at other places."""
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, min(BINS, max(len(x) // 8, 1)))
    middles, means = np.array([x[p].mean() for p in parts]), np.array([y[p].mean() for p in parts])
    places, inverse = np.unique(middles, return_inverse=True)  # steps that ties fill are one
    sizes = np.bincount(inverse, [len(p) for p in parts])
    heights = np.bincount(inverse, means * [len(p) for p in parts]) / sizes
    return np.interp(at, places, heights)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Corrected p values, float64 `[d]`: the least share of false findings at which each would be named.

    NaN (nothing to test) stays and does not count.
    """
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return q


def rank_interval(rho: float, n: int, level: float = 0.95) -> Estimate:
    """Spearman's correlation with the interval of Bonett and Wright (2000); none below four rows."""
    from scipy.stats import norm

    if not math.isfinite(rho) or n < 4:
        return Estimate(rho)
    if abs(rho) >= 1 - 1e-12:
        return Estimate(rho, rho, rho)
    half = float(norm.ppf((1 + level) / 2)) * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return Estimate(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))


def _p_value(rho: float, n: int) -> float:
    from scipy.stats import t

    if not math.isfinite(rho) or n < 4:
        return math.nan
    if abs(rho) >= 1 - 1e-12:
        return 0.0
    return float(2 * t.sf(abs(rho) * math.sqrt((n - 2) / (1 - rho**2)), n - 2))


# ---------------------------------------------------------------------- words


def sentences(found: Trust) -> list[str]:
    """What stands out, most important first; only what intervals confirm."""
    said = []
    if found.stand_in:
        said.append("Nobody was asked: these scores are made up by the stand-in.")
    said += _of_predictors(found)
    audit = found.audit
    if audit.again.rows:
        said.append(
            f"Asked again about {audit.again.rows:,} rows it gave the same score in {_percent(audit.again.exact)}, and "
            f"moved by {_number(audit.again.difference)} on average."
        )
    if audit.position.excludes(0):
        way = "higher" if audit.position.value > 0 else "lower"
        said.append(
            f"With the parts in another order its scores are {way}: shift {_number(audit.position, sign=True)}, beside "
            "what asking again moves."
        )
    if audit.length_slope.excludes(0):
        points = _number(audit.length_slope, sign=True)
        said.append(f"A response twice as long has {points} points, nothing else being taken into account.")
    if found.unread > 0:
        said.append(f"{100 * found.unread:.1f} % of its replies could not be read.")
    return said


def _of_predictors(found: Trust) -> list[str]:
    if not found.predictors:
        return [f"What foretells its scores cannot be said: {found.reason}."]
    first = found.predictors[0]
    named = [each.name for each in found.predictors if each.significant]
    if not named:
        return ["Nothing that was counted in the texts goes with its scores."]
    said = []
    if first.significant and first.alone >= 0.01:
        said.append(f"{first.name[0].upper()}{first.name[1:]} alone explains {100 * first.alone:.0f} % of its order.")
    if found.together >= 0.01:
        said.append(
            f"All {len(found.predictors)} counts together explain {100 * found.together:.0f} % on rows left out."
        )
    if not said:
        said.append(f"{', '.join(named[:3])} go with its scores, but explain less than 1 % of them.")
    return said


def _number(of: Estimate, *, sign: bool = False) -> str:
    form = "+.2f" if sign else ".2f"
    return f"{of.value:{form}}" + (f" ({of.low:{form}} to {of.high:{form}})" if math.isfinite(of.low) else "")


def _percent(of: Estimate) -> str:
    span = f" ({100 * of.low:.0f} to {100 * of.high:.0f} %)" if math.isfinite(of.low) else ""
    return f"{100 * of.value:.0f} %{span}"
