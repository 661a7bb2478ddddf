"""How well a Bayesian linear regression on features predicts a signal on rows that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.core.errors import CurationError
from curation.linalg.bayes_linear import bayes_linear

FOLDS = 5
LEAST_ROWS = 20
ROW_BLOCK = 4096


@dataclass(frozen=True)
class LinearFit:
    """What a linear model explains, measured on rows left out.

    Args:
        r2: Share of the signal's variance that is predicted; 0 = no better than the mean, below 0 = worse.
        rank_correlation: Spearman's of prediction and signal, averaged over the folds; 0 for a fold without an order.
            For a signal that has nothing to do with the features both numbers lie somewhat below 0, as always when rows
            are left out.
        fold_r2: float64 `[folds]`: how much `r2` moves from fold to fold.
        rows: Rows that were used.
    """

    r2: float
    rank_correlation: float
    fold_r2: np.ndarray
    rows: int


def linear_fit(features: np.ndarray, values: np.ndarray, *, folds: int = FOLDS, seed: int = 0) -> LinearFit:
    """Cross-validated fit of a Bayesian linear regression, whose penalty has the highest evidence on the rows it sees.

    Each fold is predicted by the posterior mean given the others, in closed form (see `bayes_linear`). Identical rows
    of features share a fold, so that a copy is never predicted from its copy.

    Costs 3·folds·n·d² by matrix products.

    Args:
        features: `[n, d]`, finite.
        values: float64 `[n]`, finite.
        folds: Parts, each predicted from the others, 2 or more.
        seed: Of the parts.

    Raises:
        CurationError: if there are fewer than 20 rows, fewer different rows than folds, or too little spread in the
            values.
    """
    n = len(features)
    values = np.asarray(values, np.float64)
    if n < LEAST_ROWS:
        raise CurationError(f"{n} rows are too few to measure a linear fit", f"it takes at least {LEAST_ROWS}")
    part = _parts(features, folds, seed)
    error = yardstick = 0.0
    r2, ranks = np.empty(folds), np.empty(folds)
    for fold in range(folds):
        inside, rest = np.flatnonzero(part == fold), np.flatnonzero(part != fold)
        if np.ptp(values[rest]) == 0:
            raise CurationError("nearly all rows have the same value", "use a signal that differs between rows")
        line = bayes_linear(features[rest], values[rest])
        predicted = np.empty(len(inside))
        for start in range(0, len(inside), ROW_BLOCK):
            some = inside[start : start + ROW_BLOCK]
            apart = features[some].astype(np.float64) - line.centre
            predicted[start : start + ROW_BLOCK] = line.intercept + apart @ line.coefficients
        missed = float(((values[inside] - predicted) ** 2).sum())
        spread = float(((values[inside] - line.intercept) ** 2).sum())
        error, yardstick = error + missed, yardstick + spread
        r2[fold] = 1 - missed / spread if spread > 0 else np.nan
        ranks[fold] = _rank_correlation(predicted, values[inside])
    return LinearFit(1 - error / yardstick, float(ranks.mean()), r2, n)


def _parts(features: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of every row `[n]`; identical rows share one."""
    rows = np.ascontiguousarray(features) + 0.0  # -0.0 and 0.0 are one value
    kind = np.zeros(len(rows), np.int64)
    if rows.shape[1]:
        _, kind = np.unique(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))), return_inverse=True)
    kinds = int(kind.max()) + 1
    if kinds < folds:
        raise CurationError(
            f"the rows have only {kinds} different vectors", f"a linear fit in {folds} parts takes at least {folds}"
        )
    return (np.random.default_rng(seed).permutation(kinds) % folds)[kind.ravel()]


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import rankdata

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
