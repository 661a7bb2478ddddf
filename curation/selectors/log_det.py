"""Log-determinant: the rows that span the largest volume, weighed by quality; the greedy for a DPP's likeliest set."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import Metric, squared_norms
from curation.linalg.log_det import POOL, greedy_log_det
from curation.selectors._build import End, highest_first, numbers, selection
from curation.selectors._ranks import rank_shares

LESS = "adds less volume than the picks"
NO_DIRECTION = "its vector has no direction"
NO_SCORE = "no score"
SPANNED = "every row left adds less volume than the tolerance"

Progress = Callable[[int, int], None]


def log_det(
    points: np.ndarray,
    budget: int,
    *,
    quality: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    ridge: float = 1e-3,
    tolerance: float = 1e-10,
    known: np.ndarray | None = None,
    pool: int = POOL,
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row that raises `log det L_S` most, for `L = diag(q)·(E Eᵀ + λI)·diag(q)`.

    Greedy search for the most likely set of a determinantal point process (Chen, Zhang and Zhou 2018), with the picks
    of their loop; see `curation.linalg.log_det` for how, and for what counts as a tie (the lowest row is taken).

    Costs n·m·d by matrix products for m picks, where their loop also costs n·m² and keeps n·m numbers.

    Args:
        points: E, `[n, d]`, finite.
        budget: How many rows to pick, ≥ 1.
        quality: q, float64 `[n]`, above 0; 1 by default.
        scale: float64 `[n]`, multipliers of the rows of E: 1 / length makes them unit rows; 1 by default.
        ridge: λ ≥ 0. Without it at most rank(E) rows have a volume.
        tolerance: Stop when no row multiplies the determinant by more than this share of the largest `L_ii`.
        known: int64 `[k]`, the first picks of an earlier run with the same arguments.
        pool: Changes speed, never picks.
        progress: Called with (picks made, budget).

    Returns:
        A Selection with min(budget, n) picks less `short_by`; `gains` are the increments of log det (never increasing);
        `margin` is by how much more a row's would have had to be for the last pick; `info["log_det"]` is their sum.

    Raises:
        DataError: rows that are not finite.
        CurationError: a budget below 1, a ridge or tolerance below 0, qualities that are not above 0, or wrong picks.
    """
    weights = None if quality is None else np.asarray(quality, np.float64) ** 2
    found = greedy_log_det(
        points,
        budget,
        ridge=ridge,
        weights=weights,
        scale=scale,
        known=known,
        tolerance=tolerance,
        pool=pool,
        progress=progress,
    )
    n = len(found.left)
    gains = np.log(found.values)
    stage = np.ones(n, np.int16)
    stage[found.order] = 0
    margin = np.full(n, np.nan)
    open_rows = (stage == 1) & (found.left > 0)
    if len(gains):
        margin[open_rows] = gains[-1] - np.log(found.left[open_rows])
    short_by = min(budget, n) - len(found.order)
    return Selection(
        dataset="",
        n=n,
        order=found.order,
        gains=gains,
        stage=stage,
        stages=(LESS,),
        margin=margin,
        short_by=short_by,
        short_reason=SPANNED if short_by else "",
        nested=True,
        info={"log_det": float(gains.sum()), "ridge": ridge},
    )


class LogDet(Selector):
    """Rows that point in as many directions as possible: the greedy for the largest determinant of their kernel.

    A row gains the logarithm of its squared length outside what the picks span (plus the ridge): near-copies of picks,
    and mixtures of several picks, gain least. With more picks than the vectors have dimensions everything is spanned;
    from there on rows gain by the ridge, which then says how much noise is left to average out.

    A score weighs in as quality `q = exp(−w·(1 − rank) / 2)`, where rank runs from 0 for the worst eligible row to 1
    for the best (equal scores share their mean rank) and w is `quality_weight`: between the worst and the best row lie
    w nats of gain, whatever unit the score has.

    Gains are increments of the log-determinant and never increase; the margin of a row that is out is how much more it
    would have had to bring for the last pick. All rows tie for the first pick without a score, so it is the lowest.
    """

    title: ClassVar[str] = "Log-determinant (DPP)"
    weakness: ClassVar[str] = (
        "Loves outliers: whatever points elsewhere, broken rows too; past as many picks as dimensions, gains are tiny."
    )
    source: ClassVar[str] = (
        "Chen, Zhang & Zhou 2018, Fast greedy MAP inference for determinantal point processes, arXiv 1709.05135; "
        "the ridge in place of a stop, and ranks as quality, are ours"
    )
    purpose: ClassVar[Purpose] = "diversity and quality"
    when: ClassVar[str] = "When few rows should be as different as possible, and a score should still have its say."
    nested: ClassVar[bool] = True

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    metric: Metric = Field("cosine", description="cosine compares directions, euclidean the vectors as they are")
    ridge: float = Field(
        1e-3, ge=0, le=1e6, description="added to the kernel's diagonal, in squared lengths; 0 stops at the rank"
    )
    tolerance: float = Field(
        1e-10,
        ge=0,
        lt=1,
        description="stop when no row multiplies the determinant by more than this share of the best, quality included",
    )
    quality_weight: float = Field(
        1.0, ge=0, le=100, description="nats of gain between the worst and the best score; 0 ignores the score"
    )
    keep: End = Field("best", description="which end of the score is good; best is the end that the score itself says")

    def select(
        self, pool: Dataset, ask: Ask, runtime: Runtime, *, features: Features, score: Score | None = None
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Progress.
            features: Vectors. Eligible rows whose vector has no direction (length zero, for cosine) are never picked.
            score: Quality. Eligible rows without a score are never picked.

        Raises:
            CurationError: no eligible row can be used, or the score does not say which end is better.
        """
        n = len(pool)
        eligible = np.asarray(ask.eligible, np.int64)
        codes = np.ones(n, np.int8)
        quality = None
        rows = eligible[~features.missing.mask[eligible]]
        points = np.asarray(features.values)[rows]
        lengths = np.sqrt(squared_norms(points))
        good = np.isfinite(lengths) & ((lengths > 0) | (self.metric == "euclidean"))
        codes[np.setdiff1d(eligible, rows[good])] = 2
        if score is not None:
            values = numbers(score, None)
            scored = np.isfinite(values[rows])
            codes[rows[good & ~scored]] = 3
            good &= scored
        rows, points, lengths = rows[good], points[good], lengths[good]
        if not len(rows):
            raise CurationError(
                "no eligible row has a usable vector" + (" and a score" if score is not None else ""),
                "look at the steps that made them",
            )
        if score is not None:
            rank = rank_shares(values[rows], highest=highest_first(score, self.keep))
            quality = np.exp(-self.quality_weight * (1 - rank) / 2)
        found = log_det(
            points,
            ask.count,
            quality=quality,
            scale=1 / lengths if self.metric == "cosine" else None,
            ridge=self.ridge,
            tolerance=self.tolerance,
            known=None if ask.known is None else np.searchsorted(rows, ask.known),
            progress=lambda done, total: runtime.progress(done, total),
        )
        margin = np.full(n, np.nan)
        margin[rows] = found.margin
        short_by = min(ask.count, len(eligible)) - len(found)
        facts = {
            "eligible rows have no direction": int((codes[eligible] == 2).sum()),
            "eligible rows have no score": int((codes[eligible] == 3).sum()),
            "rows add less volume than the tolerance": len(rows) - len(found) if found.short_by else 0,
        }
        return selection(
            pool,
            ask,
            rows[found.order],
            stages=(LESS, NO_DIRECTION, NO_SCORE),
            codes=codes,
            margin=margin,
            gains=found.gains,
            short_by=short_by,
            short_reason="; ".join(f"{count:,} {what}" for what, count in facts.items() if count) if short_by else "",
            nested=True,
            info={
                **found.info,
                "metric": self.metric,
                "quality_weight": self.quality_weight if score is not None else 0.0,
            },
        )

    def work(self, size: Size) -> float:
        """Multiply-adds of the passes over all rows, and of the picks in the pool."""
        d = max(size.dims, 1)
        return 1.0 + float(size.rows) * d * (1 + size.count) + float(size.count) * d * (2 * d + POOL)

    def memory(self, size: Size) -> float:
        """Two copies of the vectors, a wider one where they are few, blocks, and a few numbers per row."""
        return 512e6 + size.rows * (8.0 * size.dims + 96) + 64.0 * size.dims**2
