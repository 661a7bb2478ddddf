"""DEITA's diverse filter: the best rows first, each kept unless it is too similar to one kept before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import BEYOND_BUDGET, NO_ROW, Features, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import pair_squared_distances, squared_norms, unit_rows
from curation.selectors._build import End, highest_first, numbers, selection, sorted_rows

SIMILAR = "too similar to a row kept before it"
NO_DIRECTION = "its vector has no direction"
NO_SCORE = "no score"
STAGES = (SIMILAR, NO_DIRECTION, NO_SCORE, BEYOND_BUDGET)

CURVE_LIMITS = (
    *(0.0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    *(0.86, 0.87, 0.88, 0.89, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999, 1.0),
)
"""Limits at which a selection counts what would be kept: closer together where encoders put near-duplicates."""

CURVE_OPERATIONS = 1e12
"""Multiply-adds above which a selection does not count what other limits would keep: 72,000 rows of 384 numbers."""

PAIR_BLOCK = 1 << 14

Progress = Callable[[int, int], None]


def diverse_filter(
    points: np.ndarray,
    scores: np.ndarray,
    budget: int,
    max_similarity: float = 0.9,
    *,
    highest: bool = True,
    block: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Selection:
    """Goes through the rows by score and keeps each whose largest cosine to the rows kept so far is not above a limit.

    What is kept equals what the loop over single rows keeps, whatever the size of blocks; the cosine is that of
    `curation.linalg.apart`. No two kept rows are more similar than the limit, and every row dropped has a kept row
    before it that is. At a limit of 1 nothing is dropped; 0.999999 drops exact copies only.

    Costs r·k·d by matrix products for r rows examined and k kept, and memory for a copy of the kept rows.

    Args:
        points: `[n, d]`, any lengths. A row whose length is zero or not finite has no direction and is never kept.
        scores: float `[n]`; a row whose score is not finite is never kept. Equal scores go by the lowest row.
        budget: Stop when so many rows are kept, ≥ 1.
        max_similarity: Cosine above which a row is dropped.
        highest: Begin with the highest score, not the lowest.
        block: Rows settled at once; changes speed only.
        device: "cpu", or a device of torch for the products.
        progress: Called with (rows examined, rows).

    Returns:
        A Selection whose `gains` are the scores. For a dropped row `covered_by` is the first kept row that is too
        similar, which of all those has the best score, `distance` is 1 − their cosine, and `margin` by how much their
        cosine exceeds the limit. Rows after the last pick are beyond the budget; they were not examined.

    Raises:
        CurationError: budget below 1, a limit that is no number, or scores of another length.
    """
    from curation.linalg.apart import keep_apart  # loads numba

    scores = _checked(points, scores, budget, max_similarity)
    order, stage = _in_turn(points, scores, highest)
    found = keep_apart(
        points, order, np.array([max_similarity]), most=budget, block=block, device=device, progress=progress
    )
    kept = found.kept > 0
    stage[order[kept]] = 0
    stage[order[found.examined :]] = 1 + STAGES.index(BEYOND_BUDGET)
    dropped = np.flatnonzero(found.by >= 0)
    rows, others = order[dropped], order[found.by[dropped]]
    covered_by, distance = np.full(len(points), NO_ROW, np.int64), np.full(len(points), np.nan)
    covered_by[rows], distance[rows] = others, _cosine_distance(points, rows, others)
    picks = order[kept]
    short_by = min(budget, len(points)) - len(picks)
    return Selection(
        dataset="",
        n=len(points),
        order=picks,
        gains=scores[picks],
        stage=stage,
        stages=STAGES,
        margin=(1 - max_similarity) - distance,
        covered_by=covered_by,
        distance=distance,
        short_by=short_by,
        short_reason=_why_short(stage) if short_by else "",
        nested=True,
        info={"max_similarity": float(max_similarity), "examined": found.examined, "metric": "cosine"},
    )


@dataclass(frozen=True)
class KeptCurve:
    """How many rows the filter keeps at each of some limits, and which.

    Args:
        max_similarity: float64 `[t]`, increasing.
        kept: int64 `[t]`, rows kept at each.
        order: int64 `[m]`, the rows by score.
        bits: uint64 `[m]` along `order`: bit t is set when the row is kept at limit t.
    """

    max_similarity: np.ndarray
    kept: np.ndarray
    order: np.ndarray
    bits: np.ndarray

    def rows(self, place: int) -> np.ndarray:
        """The rows kept at the limit of this place, in pick order; O(m)."""
        return self.order[(self.bits >> np.uint64(place)) & np.uint64(1) > 0]


def kept_curve(
    points: np.ndarray,
    scores: np.ndarray,
    thresholds: np.ndarray,
    budget: int | None = None,
    *,
    highest: bool = True,
    block: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> KeptCurve:
    """What `diverse_filter` keeps at many limits, exactly, in one pass that shares the products.

    A lower limit may keep rows that a higher one drops, so no single number per row tells; a bit per row and limit
    does: 8 bytes a row, whatever the number of similar pairs. Costs at most n²·d/2 by matrix products, much less with
    a small budget.

    Args:
        points: As for `diverse_filter`.
        scores: As there.
        thresholds: float `[t]`, at most 63 different limits.
        budget: Stop at each limit when so many rows are kept; None = never.
        highest: As there.
        block: As there.
        device: As there.
        progress: As there.

    Raises:
        CurationError: as there, and for too many limits or none.
    """
    from curation.linalg.apart import MOST_LIMITS, keep_apart  # loads numba

    limits = np.unique(np.asarray(thresholds, np.float64))
    if not 1 <= len(limits) <= MOST_LIMITS:
        raise CurationError(f"{len(limits)} limits cannot be counted at once", f"give 1 to {MOST_LIMITS}")
    scores = _checked(points, scores, 1 if budget is None else budget, *limits)
    order, _ = _in_turn(points, scores, highest)
    most = len(order) if budget is None else min(budget, len(order))
    below = int((limits < 1).sum())
    kept, bits = np.full(len(limits), most), np.zeros(len(order), np.uint64)
    if below:
        found = keep_apart(points, order, limits[:below], most=most, block=block, device=device, progress=progress)
        kept[:below], bits = found.counts, found.kept
    bits[:most] |= np.uint64((1 << len(limits)) - (1 << below))  # no cosine is above 1
    return KeptCurve(limits, kept, order, bits)


def _checked(points: np.ndarray, scores: np.ndarray, budget: int, *limits: float) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.shape != (len(points),):
        raise CurationError(f"{len(points)} rows have {len(scores)} scores", "give one score for each row")
    if budget < 1:
        raise CurationError(f"budget {budget} is below 1", "ask for at least one row")
    if np.isnan(limits).any():
        raise CurationError("the largest similarity is not a number", "give a cosine, -1 to 1")
    return scores


def _in_turn(points: np.ndarray, scores: np.ndarray, highest: bool) -> tuple[np.ndarray, np.ndarray]:
    """The rows that may be kept, by score, and for every row 1 + the place in STAGES, as if none were kept."""
    norms = squared_norms(points)
    stage = np.full(len(points), 1 + STAGES.index(SIMILAR), np.int16)
    stage[~(np.isfinite(norms) & (norms > 0))] = 1 + STAGES.index(NO_DIRECTION)
    stage[~np.isfinite(scores)] = 1 + STAGES.index(NO_SCORE)
    return sorted_rows(np.flatnonzero(stage == 1 + STAGES.index(SIMILAR)), scores, highest=highest), stage


def _cosine_distance(points: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """1 − cos of pairs, from unit rows of some at a time."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), PAIR_BLOCK):
        left, right = rows[start : start + PAIR_BLOCK], others[start : start + PAIR_BLOCK]
        some, place = np.unique(np.concatenate([left, right]), return_inverse=True)
        unit = unit_rows(points[some]).values
        found[start : start + PAIR_BLOCK] = pair_squared_distances(unit, place[: len(left)], place[len(left) :]) / 2
    return found


def _why_short(stage: np.ndarray) -> str:
    counts = np.bincount(stage, minlength=len(STAGES) + 1)[1:]
    words = ("are too similar to rows kept before them", "have a vector without direction", "have no score")
    return "; ".join(f"{count:,} rows {what}" for count, what in zip(counts, words, strict=False) if count)


class DiverseFilter(Selector):
    """The best rows that are not too similar to each other: by score, each kept unless a better one is too close.

    The last step of DEITA: rows come by score, and a row is kept when its largest cosine to the rows kept so far is not
    above `max_similarity`; it ends at the budget. Exact: rows in one batch meet each other one by one, where the
    published code with larger batches lets a dropped row drop others.

    How many rows any limit keeps depends on the encoder, so no limit carries over to another. `info["curve"]` counts
    the rows kept without a budget at 32 limits and at the chosen one, for pools in which that takes at most 10^12
    multiply-adds. Gains are the scores. A row out says which kept row stands for it (the best of those too close) and
    how far their cosine is above the limit.
    """

    title: ClassVar[str] = "Diverse filter (DEITA)"
    weakness: ClassVar[str] = (
        "A limit fits one encoder only, and rows that repeat each other below the limit all stay: read the curve."
    )
    source: ClassVar[str] = "Liu et al. 2024, What Makes Good Data for Alignment?, arXiv 2312.15685; the curve is ours"
    nested: ClassVar[bool] = True
    purpose: ClassVar[Purpose] = "diversity and quality"
    when: ClassVar[str] = "When you trust a score and want its best rows without near-duplicates among them."
    eligible_ports: ClassVar[tuple[str, ...]] = ("features", "score")

    budget: Budget = Field(6000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    max_similarity: float = Field(
        0.9, ge=-1, le=1, description="cosine to a kept row above which a row is dropped; 1 drops none"
    )
    keep: End = Field("best", description="which end of the score; best is the end that the score itself calls better")
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])
    curve: bool = Field(True, description="count the rows that other limits would keep; takes longer than the pick")

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, features: Features, score: Score) -> Selection:
        """Picks among the eligible rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible and how many to pick. Picks known already are made again: finding out which of
                them stands for a dropped row takes as long.
            runtime: Device, progress.
            features: Vectors. Rows whose vector has no direction are never picked.
            score: What comes first. Rows without a score are never picked.

        Raises:
            CurationError: no eligible row has a score and a usable vector, `keep` is "best" for a score without a
                better end, or the column is unknown.
        """
        values = np.asarray(features.values)
        scores = np.full(len(pool), np.nan)
        eligible = np.asarray(ask.eligible, np.int64)
        scores[eligible] = numbers(score, self.column)[eligible]
        scores[features.missing.mask] = np.nan
        highest = highest_first(score, self.keep)
        found = diverse_filter(
            values,
            scores,
            max(ask.count, 1),
            self.max_similarity,
            highest=highest,
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        if not len(found):
            raise CurationError(
                "no eligible row has a score and a usable vector",
                "look at the steps that made the score and the features",
            )
        short_by = min(ask.count, len(eligible)) - len(found)
        return selection(
            pool,
            ask,
            found.order,
            stages=found.stages,
            codes=found.stage,
            margin=found.margin,
            gains=found.gains,
            covered_by=found.covered_by,
            distance=found.distance,
            short_by=short_by,
            short_reason=_why_short(found.stage[eligible]) if short_by else "",
            nested=True,
            info={**found.info, **self._curve(values, scores, highest, runtime)},
        )

    def _curve(self, values: np.ndarray, scores: np.ndarray, highest: bool, runtime: Runtime) -> dict[str, Any]:
        """Rows kept at other limits, without a budget, so that it is the same for every budget of one order."""
        rows = int(np.isfinite(scores).sum())
        if not self.curve:
            return {}
        if _curve_work(rows, values.shape[1]) > CURVE_OPERATIONS:
            return {"no_curve": f"counting what other limits keep takes too long for {rows:,} rows"}
        found = kept_curve(
            values,
            scores,
            np.array([*CURVE_LIMITS, self.max_similarity]),
            highest=highest,
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        return {"curve": {"max_similarity": found.max_similarity.tolist(), "kept": found.kept.tolist()}}

    def work(self, size: Size) -> float:
        """Multiply-adds of the pick, and of the curve where there is one."""
        pairs = float(min(size.count, size.rows)) * min(4.0 * size.count, size.rows) / 2
        curve = _curve_work(size.rows, size.dims) if self.curve else 0.0
        return size.rows * (1.0 + size.dims) + pairs * size.dims + (curve if curve <= CURVE_OPERATIONS else 0.0)

    def memory(self, size: Size) -> float:
        """A copy of the kept rows (of all rows for the curve) that grows by doubling, blocks, numbers per row."""
        kept = size.rows if self.curve else min(size.count, size.rows)
        return 128e6 + 12.0 * kept * size.dims + 96.0 * size.rows


def _curve_work(rows: int, width: int) -> float:
    return float(rows) ** 2 * width / 2
