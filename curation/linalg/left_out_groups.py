"""How well a penalised line predicts groups of rows that it was not fitted to, without fitting it again."""

from __future__ import annotations

import numpy as np

from curation.linalg.bayes_linear import BayesLinear


def left_out_groups(fit: BayesLinear, points: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Error of every row when its whole group is left out of the fit.

    Rows of one group know each other: leaving out single rows would let a row be foretold by its siblings. For a given
    penalty the errors of a group are `(I − H)⁻¹ e`, with e its residuals and H its block of the hat matrix, exactly as
    if the line had been fitted without it.

    Cost: n·d² by matrix products, and a solve of g × g for each group of g rows.

    Args:
        fit: The line, fitted to all rows.
        points: `[n, d]`, the rows that it was fitted to.
        groups: int `[n]`.

    Returns:
        float64 `[n]`, target minus what the line without the group says; NaN where all rows are one group.
    """
    n = len(points)
    turned = (points.astype(np.float64) - fit.centre) @ fit.eigenvectors
    inverse = 1 / (fit.eigenvalues + fit.penalty)
    out = np.full(n, np.nan)
    order = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.diff(groups[order], prepend=groups[order[0]] - 1, append=groups[order[-1]] + 1))
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        rows = order[begin:end]
        if len(rows) < n:
            hat = 1 / n + (turned[rows] * inverse) @ turned[rows].T
            out[rows] = np.linalg.solve(np.eye(len(rows)) - hat, fit.residuals[rows])
    return out


def left_out_r2(target: np.ndarray, errors: np.ndarray, groups: np.ndarray) -> float:
    """Share of the variance that a line explains of groups left out; below 0 where their mean would do better.

    The yardstick for a group is the mean of all other rows. NaN where there is one group, or no spread.

    Args:
        target: float64 `[n]`.
        errors: From `left_out_groups`.
        groups: int `[n]`.
    """
    _, place = np.unique(groups, return_inverse=True)
    place = place.ravel()
    counts = np.bincount(place)
    if len(counts) < 2:
        return float("nan")
    others = (target.sum() - np.bincount(place, target)) / (len(target) - counts)
    total = float(((target - others[place]) ** 2).sum())
    return 1 - float((errors**2).sum()) / total if total > 0 else float("nan")
