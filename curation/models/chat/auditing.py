"""The audit of a judge: some rows are judged a second time, half of them with the parts in another order.

Which rows follows from their content, so that a row that is appended later changes nobody's turn, and equal rows are
audited alike. `linalg/agreement.py` turns what comes back into numbers with intervals.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator

from curation.core.artifacts import Score
from curation.core.chance import chance
from curation.core.dataset import Dataset
from curation.linalg.agreement import JudgeReport, judge_report

AGAIN, SWAPPED = "again", "swapped"
"""Columns of a judge's score that hold the second judgement."""
ONCE, TWICE, TURNED = 0, 1, 2
PURPOSE = "audit of a judge"


def _read_share(value: Any) -> Any:
    """A share as a recipe may write it: 0.05 or "5%"."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return value
    return value


Share = Annotated[float, BeforeValidator(_read_share)]
"""A number from 0 to 1, or a percentage."""


def audited(contents: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Which rows are judged twice, and how.

    Args:
        contents: S16 `[n]`.
        share: Of the rows, met on average.
        seed: Another seed, other rows.

    Returns:
        int8 `[n]`: ONCE, TWICE (with the same prompt) or TURNED (with the parts in another order).
    """
    drawn = chance(contents, seed, PURPOSE)
    return np.where(drawn < share / 2, TWICE, np.where(drawn < share, TURNED, ONCE)).astype(np.int8)


def report_of(score: Score, pool: Dataset, *, column: str = "", level: float = 0.95) -> JudgeReport:
    """What the audit kept in a score says of its judge.

    Args:
        score: Made by a method that asks a judge.
        pool: Its rows.
        column: A criterion of a rubric, whose step is 1; "" = the score itself.
        level: Confidence of the intervals.

    Raises:
        KeyError: if the score has no such column.
    """
    columns, n = score.columns, len(score)
    first = columns[column] if column else score.values
    again, swapped = (f"{column} ({kind})" if column else kind for kind in (AGAIN, SWAPPED))
    none = np.full(n, np.nan)
    step = math.nan if column else float(score.info.get("step") or math.nan)
    return judge_report(
        np.asarray(first, np.float64),
        np.asarray(columns.get(again, none), np.float64),
        np.asarray(columns.get(swapped, none), np.float64),
        pool.lengths("response"),
        step=step if math.isfinite(step) else 1.0,
        level=level,
    )
