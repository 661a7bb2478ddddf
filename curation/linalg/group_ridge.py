"""Ridge regression on rows that come in groups: its penalty is the one that predicts whole groups left out best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK = 8192
PENALTIES = (1e-8, 1e4)
"""Least and largest penalty tried, as a share of the largest eigenvalue of the columns' scatter."""
GRID = 49
FLAT = 1e-12
"""An eigenvalue below this share of the largest is rounding."""


@dataclass(frozen=True)
class GroupRidge:
    """A line `y = a + (x − centre)·b`.

    Args:
        centre: float64 `[d]`, means of the columns.
        intercept: Mean of the target.
        coefficients: float64 `[d]`.
        penalty: Σ (y − a − x·b)² + penalty·Σ b² is least.
        errors: float64 `[n]`: target minus what the line says that was fitted without the row's group.
        r2: Share of the variance explained on the rows it was fitted to.
        left_out_r2: The same of groups left out, against the mean of all other rows; below 0 where that mean does
            better. The penalty was chosen to make it large, so a value just above 0 is no proof.
    """

    centre: np.ndarray
    intercept: float
    coefficients: np.ndarray
    penalty: float
    errors: np.ndarray
    r2: float
    left_out_r2: float

    def predict(self, points: np.ndarray) -> np.ndarray:
        """The line's value for rows `[m, d]`, float64 `[m]`; block by block."""
        parts = [
            self.intercept + (points[start : start + BLOCK].astype(np.float64) - self.centre) @ self.coefficients
            for start in range(0, len(points), BLOCK)
        ]
        return np.concatenate(parts) if parts else np.empty(0)


def group_ridge(points: np.ndarray, target: np.ndarray, groups: np.ndarray) -> GroupRidge:
    """Fit a line whose penalty has the least error on groups left out; of equal ones the largest.

    Rows of one group know each other. Evidence and rows left out one at a time take them for independent, and choose
    a penalty that is far too small: then a line fits what tells groups apart, which is worth nothing on new ones.

    Leaving a group out needs no refit: its errors are `(I − H)⁻¹ e`, with e its residuals and H its block of the hat
    matrix, exactly as if the line had been fitted without it.

    Cost: n·d² and an eigen-decomposition of d × d; for each of 49 penalties n·d·g by matrix products, g being the rows
    of a group.

    Args:
        points: `[n, d]`, finite, any real type.
        target: float64 `[n]`, finite.
        groups: int `[n]`, at least two different ones.

    Raises:
        ValueError: all rows are one group.
    """
    blocks = _by_size(groups)
    if sum(len(rows) for rows in blocks) < 2:
        raise ValueError("a line needs two groups")
    n = len(points)
    columns = points.astype(np.float64)
    centre, mean = columns.mean(axis=0), float(target.mean())
    columns -= centre
    left = target - mean
    eigenvalues, axes = np.linalg.eigh(columns.T @ columns)
    there = eigenvalues > FLAT * max(float(eigenvalues[-1]), 1e-300)
    eigenvalues, axes = eigenvalues[there], axes[:, there]
    turned = columns @ axes
    projected = turned.T @ left
    top = float(eigenvalues[-1]) if len(eigenvalues) else 1.0

    def errors_of(penalty: float) -> np.ndarray:
        inverse = 1 / (eigenvalues + penalty)
        residuals = left - turned @ (inverse * projected)
        out = np.empty(n)
        for rows in blocks:
            here = turned[rows]  # [groups, g, d]
            hat = 1 / n + (here * inverse) @ here.transpose(0, 2, 1)
            out[rows] = np.linalg.solve(np.eye(rows.shape[1]) - hat, residuals[rows][..., None])[..., 0]
        return out

    tried = top * np.geomspace(PENALTIES[0], PENALTIES[1], GRID)
    losses = np.array([float((errors_of(penalty) ** 2).sum()) for penalty in tried])
    penalty = float(tried[np.flatnonzero(losses <= losses.min() * (1 + 1e-9))[-1]])
    errors = errors_of(penalty)
    inverse = 1 / (eigenvalues + penalty)
    coefficients = axes @ (inverse * projected)
    total = float(left @ left)
    residuals = left - turned @ (inverse * projected)
    return GroupRidge(
        centre,
        mean,
        coefficients,
        penalty,
        errors,
        r2=1 - float(residuals @ residuals) / total if total > 0 else float("nan"),
        left_out_r2=_against_means(target, errors, groups),
    )


def _by_size(groups: np.ndarray) -> list[np.ndarray]:
    """Rows of the groups, those of one size together: int64 `[groups, size]` each."""
    order = np.argsort(groups, kind="stable")
    _, counts = np.unique(groups, return_counts=True)
    ends = np.cumsum(counts)
    made = []
    for size in np.unique(counts):
        starts = (ends - counts)[counts == size]
        made.append(order[starts[:, None] + np.arange(size)])
    return made


def _against_means(target: np.ndarray, errors: np.ndarray, groups: np.ndarray) -> float:
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    place = place.ravel()
    others = (target.sum() - np.bincount(place, target)) / (len(target) - counts)
    total = float(((target - others[place]) ** 2).sum())
    return 1 - float(errors @ errors) / total if total > 0 else float("nan")
