"""Principal directions of rows: what PCA and whitening share."""

from __future__ import annotations

import numpy as np

ROW_BLOCK = 4096


def principal_directions(points: np.ndarray, block: int = ROW_BLOCK) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvectors of the covariance, in float64; costs n·d² and d³, memory O(d²) beyond the points.

    Args:
        points: `[n, d]`, finite, n ≥ 1.
        block: Rows worked on at once.

    Returns:
        The mean `[d]`; the variances along the directions `[d]`, never increasing, ≥ 0; and the directions `[d, d]`,
        one in each column, orthonormal, of any sign.
    """
    n, d = points.shape
    mean = points.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((d, d))
    for start in range(0, n, block):
        centred = points[start : start + block].astype(np.float64) - mean
        scatter += centred.T @ centred
    variances, directions = np.linalg.eigh(scatter / n)
    return mean, np.maximum(variances[::-1], 0.0), directions[:, ::-1]
