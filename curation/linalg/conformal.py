"""What a calibration set promises: intervals that hold a stated share, and selections with a stated share of errors."""

from __future__ import annotations

import numpy as np

from curation.linalg.rank_correlation import ranks


def conformal_quantile(errors: np.ndarray, coverage: float) -> float:
    """How far an interval must reach so that it holds a new row with a chance of at least `coverage`.

    The ⌈(n + 1)·coverage⌉-th smallest of n errors (split conformal prediction: Papadopoulos et al. 2002; Vovk et al.
    2005). It holds for any model, if the new row and the n rows are exchangeable and the model saw none of them.

    Args:
        errors: float64 `[n]`, |y − prediction|, or the same in units of the prediction's own uncertainty.
        coverage: In (0, 1).

    Returns:
        The error; infinite when n is too small for the coverage.
    """
    n = len(errors)
    rank = quantile_rank(n, coverage)
    return float("inf") if rank > n else float(np.partition(errors, rank - 1)[rank - 1])


def quantile_rank(n: int, coverage: float) -> int:
    """⌈(n + 1)·coverage⌉, where a product that is whole but for rounding counts as whole."""
    return int(np.ceil((n + 1) * coverage - 1e-9))


def rows_needed(coverage: float) -> int:
    """The fewest calibration rows with which an interval of this coverage is finite: coverage / (1 − coverage)."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def coverage_range(n: int, coverage: float, level: float = 0.9) -> tuple[float, float]:
    """Between what the true coverage of an interval from n rows lies, over the chance of these n rows: a Beta law.

    Args:
        n: Calibration rows.
        coverage: Promised on average.
        level: Of the range, its two tails being equal.
    """
    from scipy.stats import beta

    rank = quantile_rank(n, coverage)
    if rank > n:
        return 1.0, 1.0
    low, high = beta.ppf([(1 - level) / 2, (1 + level) / 2], rank, n + 1 - rank)
    return float(low), float(high)


def conformal_p_values(predicted: np.ndarray, calibration: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Evidence against "this row is not good": conformal p-values (Jin and Candès 2023, "Selection by Prediction").

    p = (1 + calibration rows that are not good, yet predicted at least as high) / (n + 1). A tie counts against the
    row, which makes p-values of tied predictions larger than they need be, never smaller.

    Args:
        predicted: float64 `[m]`, higher = more likely good.
        calibration: float64 `[n]`, predictions of the calibration rows by the same model, which saw none of them.
        good: bool `[n]`, which of these are good.

    Returns:
        float64 `[m]`, from 1 / (n + 1) to 1.
    """
    bad = np.sort(calibration[~good])
    return (1 + len(bad) - np.searchsorted(bad, predicted, side="left")) / (len(calibration) + 1)


def benjamini_hochberg(p_values: np.ndarray, q: float) -> np.ndarray:
    """Rows rejected at the false-discovery rate q (Benjamini and Hochberg 1995): bool `[m]`.

    The largest k such that the k-th smallest p-value is at most q·k/m decides; all p-values up to that one are taken.
    """
    m = len(p_values)
    if not m:
        return np.zeros(0, bool)
    ordered = np.sort(p_values)
    passed = np.flatnonzero(ordered <= q * np.arange(1, m + 1) / m * (1 + 1e-12))
    return p_values <= ordered[passed[-1]] if len(passed) else np.zeros(m, bool)


def smallest_rate(p_values: np.ndarray) -> float:
    """The lowest rate q at which `benjamini_hochberg` takes any row; infinite when there are no p-values."""
    m = len(p_values)
    return float((np.sort(p_values) * m / np.arange(1, m + 1)).min()) if m else float("inf")


def auc(values: np.ndarray, positive: np.ndarray) -> float:
    """Chance that a positive row has the higher value, ties counting half; NaN when all rows are of one kind.

    Args:
        values: float64 `[n]`, finite.
        positive: bool `[n]`.
    """
    inside, outside = int(positive.sum()), int((~positive).sum())
    if not inside or not outside:
        return float("nan")
    return float((ranks(values)[positive].sum() - inside * (inside - 1) / 2) / (inside * outside))
