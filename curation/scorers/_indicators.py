"""Named scores as columns of one table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curation.core.artifacts import Missing, Score


def columns_of(indicators: Mapping[str, Score]) -> tuple[dict[str, np.ndarray], Missing]:
    """The values of each indicator, float64 `[n]`, and why rows lack one of them: the first that is missing says.

    What is not finite is NaN here.
    """
    given = {name: np.asarray(score.values, np.float64) for name, score in indicators.items()}
    found = {name: np.where(np.isfinite(values), values, np.nan) for name, values in given.items()}
    why: list[str | None] = [None] * len(next(iter(found.values())))
    for name, score in indicators.items():
        for row in np.flatnonzero(~np.isfinite(found[name])):
            why[row] = why[row] or f"{name}: {score.missing.reason(int(row)) or 'no value'}"
    return found, Missing.from_list(why)
