"""Which rows a judge should score next, so that a model of the judge learns most from them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Score, Selection
from curation.core.chance import chance
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, MethodClass, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.judged import acquire, design, near_weights
from curation.selectors._build import numbers, selection

LESS = "tells less about the judge than the picks"
JUDGED, HELD, EXCLUDED = "judged already", "kept for calibration", "excluded"
NEEDED = ("predicted", "sd", "judged", "calibration")


class Acquire(Selector):
    """Rows to judge next: those that tell the distilled judge most, near the threshold first, and some by chance.

    The model is that of `scorer/distilled`: the same components and indicators, and the penalty that it found. A share
    of the budget is drawn by chance, as an insurance against what the model does not see. The others are picked one by
    one, each being worth the information it has on the model given all picked before it; this counts for less the
    further a row's predicted score is from `threshold`, in its own standard deviations (`near`). Rows that were judged,
    calibration rows, and those of `exclude` are never picked.

    Without `distilled` nothing is judged yet: the picks are a varied first batch. Rows drawn by chance come first;
    gains are nats, margins how many nats a row is short of the last pick. The order is not nested.
    """

    title: ClassVar[str] = "Judge next"
    weakness: ClassVar[str] = (
        "Looks for rows that are unlike the others and hard to call, so what it picks says nothing about the pool."
    )
    source: ClassVar[str] = (
        "MacKay 1992, Information-based objective functions for active data selection; the mixture with closeness to "
        "the threshold (Lewis and Gale 1994) and with chance is ours"
    )
    method_class: ClassVar[MethodClass] = "bayesian"
    purpose: ClassVar[Purpose] = "bayesian"
    when: ClassVar[str] = "When judgements cost money, and the next hundred should teach as much as possible."
    eligible_ports: ClassVar[tuple[str, ...]] = ("features",)

    budget: Budget = Field(100, description="rows to pick: a count, or a percentage of the eligible rows")
    threshold: float = Field(4.5, allow_inf_nan=False, description="a row is good from this score of the judge on")
    near: float = Field(0.5, ge=0, le=1, description="weight of closeness to the threshold; 0: information alone")
    random_share: float = Field(0.2, ge=0, le=1, description="share of the picks that is drawn by chance")
    dims: int = Field(128, ge=1, le=4096, description="principal components, as many as the distilled judge has")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the draws by chance")

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        distilled: Score | None = None,
        indicators: dict[str, Score] | None = None,
        exclude: list[Selection] | None = None,
    ) -> Selection:
        """Pick rows: n·d² for components, n·d·(judged + picks) for the rest.

        Args:
            pool: The rows.
            ask: Which rows are eligible, and how many to pick.
            runtime: Progress.
            features: Vectors, as the distilled judge reads them.
            distilled: From `scorer/distilled`.
            indicators: As the distilled judge reads them.
            exclude: Rows that must not be picked.

        Raises:
            CurationError: `distilled` is another score, or no row is left to judge.
        """
        n = len(pool)
        present = np.flatnonzero(~features.missing.mask)
        codes = np.ones(n, np.int8)
        for part in exclude or ():
            codes[part.order] = 4
        weights, penalty, judged = np.ones(n), None, np.zeros(n, bool)
        if distilled is not None:
            predicted, sd, seen, held = _of_distilled(distilled)
            judged = seen & ~held
            codes[judged], codes[held] = 2, 3
            penalty = float(distilled.info["penalty"])
            weights = near_weights(predicted, np.where(sd > 0, sd, 1.0), self.threshold, self.near)
        eligible = np.zeros(n, bool)
        eligible[ask.eligible] = True
        candidates = present[(eligible & (codes == 1))[present]]
        short = min(ask.count, len(ask.eligible)) - min(ask.count, len(candidates))
        if not len(candidates):
            raise CurationError(
                "no row is left to judge",
                f"of {len(ask.eligible):,} eligible rows {int((codes[ask.eligible] == 2).sum()):,} are judged already, "
                f"{int((codes[ask.eligible] == 3).sum()):,} kept for calibration, the rest excluded",
            )
        made = design(
            np.asarray(features.values)[present],
            {k: np.asarray(s.values, np.float64)[present] for k, s in (indicators or {}).items()},
            dims=self.dims,
        )
        place = np.full(n, -1, np.int64)
        place[present] = np.arange(len(present))
        draws = chance(pool.contents, self.seed, "acquire")
        found = acquire(
            made.points,
            place[candidates],
            max(1, ask.count),
            judged=np.flatnonzero(judged[present]),
            penalty=penalty,
            weights=weights[present],
            draws=draws[present],
            random_share=self.random_share,
            progress=runtime.progress,
        )
        margin = np.full(n, np.nan)
        margin[present] = found.gains[-1] - found.left
        info: dict[str, Any] = {"drawn_by_chance": found.drawn, "judged": int(judged.sum())}
        if distilled is not None:
            info["mean_distance_to_threshold"] = float(np.abs(predicted[present[found.order]] - self.threshold).mean())
        return selection(
            pool,
            ask,
            present[found.order],
            stages=(LESS, JUDGED, HELD, EXCLUDED),
            codes=codes,
            margin=margin,
            gains=found.gains,
            short_by=short,
            short_reason=f"only {len(candidates):,} eligible rows are not judged yet" if short else "",
            info=info,
        )

    def work(self, size: Size) -> float:
        """Multiply-adds of the components and of the greedy with a thousand rows judged before."""
        d0 = max(size.dims, 1)
        d = min(self.dims, d0) + 1
        return 1.0 + size.rows * float(d0 * d0 + 2 * d0 * d + d * (size.count + 1000)) + 10.0 * d0**3

    def memory(self, size: Size) -> float:
        """Copies of the vectors and of their components, blocks, and matrices of the width."""
        d = min(self.dims, max(size.dims, 1)) + 16
        return 768e6 + size.rows * (4.0 * size.dims + 20.0 * d + 96) + 64.0 * size.dims**2


def _of_distilled(score: Score) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, their standard deviations, which rows are judged, which of these are for calibration."""
    lacking = [name for name in NEEDED if name not in score.columns]
    if lacking or "penalty" not in score.info:
        raise CurationError(
            f"the score '{score.name}' was not made by a distilled judge",
            "give  distilled: $STEP  a step with  use: scorer/distilled",
        )
    predicted, sd, judged, held = (numbers(score, name) for name in NEEDED)
    return predicted, sd, judged == 1, held == 1
