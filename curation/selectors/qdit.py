"""QDIT: facility location and a quality score, weighed against each other in every pick."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Neighbours, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.whole_similarity import ONE, Similarity
from curation.selectors._build import End, highest_first, numbers
from curation.selectors._facility import Pairs, cover, ground, how, spread

Scale = Literal["published", "shares"]
Progress = Callable[[int, int], None]

NO_SCORE = "no score"


def qdit(
    points: np.ndarray | None,
    quality: np.ndarray,
    budget: int,
    *,
    alpha: float = 0.7,
    scale: Scale = "published",
    neighbours: Neighbours | None = None,
    candidates: np.ndarray | None = None,
    similarity: Similarity = "shifted",
    known: np.ndarray | None = None,
    memory_bytes: int = 2 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row with the largest (1 − α) · d(a | A) + α · q(a).

    d(a | A) is what row a adds to Σ_i max_{j in A} sim(i, j). α = 0 is facility location, α = 1 sorting by quality
    (Bukharin et al., arXiv 2311.14736). The two terms are measured so:

    - "published": the formula as it stands, with nothing scaled; how the authors scaled the two, if they did, no source
      that could be read says. d in cosines summed over all n rows, so it grows with n and falls with every pick (on
      10,000 real rows 602 at the second pick, 3.4 at the 201st); q as given. What α means depends on the unit of q.
    - "shares": d as a share of n (the value of all rows together), q moved so that the lowest candidate has 0 and
      divided by the sum over all candidates. Picking everything gives both terms the sum 1, whatever the units; α = 0.5
      weighs a percent of the coverage and a percent of the quality alike.

    Exact like `facility_location`, at the same cost, ties to the lowest row. The guarantee of 1 − 1/e holds for the sum
    of both terms where no q is negative.

    Args:
        points: See `facility_location`.
        quality: float64 `[n]`, higher is better, finite at candidates.
        budget: How many rows to pick, ≥ 1.
        alpha: Weight of quality, 0 to 1.
        scale: "published" or "shares".
        neighbours: See `facility_location`.
        candidates: See `facility_location`.
        similarity: See `facility_location`; "clipped" counts negative cosines as 0.
        known: See `facility_location`.
        memory_bytes: See `facility_location`.
        device: See `facility_location`.
        progress: Called with (picks made, budget).

    Returns:
        As `facility_location`, but `gains` are the weighted sums at pick time; `info` has "value" and "mean similarity"
        of the coverage, and the mean quality of the picks and of all candidates.

    Raises:
        DataError: rows without a direction.
        CurationError: wrong arguments.
    """
    if not 0 <= alpha <= 1:
        raise CurationError(f"alpha {alpha} is not from 0 to 1", "0 is coverage alone, 1 quality alone")
    n = len(points) if points is not None else len(neighbours or ())
    rows = np.arange(n) if candidates is None else np.asarray(candidates, np.int64)
    worth = np.zeros(n)
    worth[rows] = np.asarray(quality, np.float64)[rows]
    if not np.isfinite(worth).all():
        row = int(np.flatnonzero(~np.isfinite(worth))[0])
        raise CurationError(f"the quality of row {row} is not a finite number", "leave rows without a score out")
    # a cosine rises by twice what (1 + cos) / 2 does
    unit = (2.0 if similarity == "shifted" else 1.0) if scale == "published" else 1.0 / max(n, 1)
    term = _shares(worth, rows) if scale == "shares" else worth
    factor, bonus = (1 - alpha) * unit, alpha * term
    found = cover(
        points,
        budget,
        neighbours=neighbours,
        candidates=candidates,
        similarity=similarity,
        known=known,
        factor=factor / ONE,
        bonus=bonus,
        memory_bytes=memory_bytes,
        device=device,
        progress=progress,
    )
    facts = {
        "alpha": alpha,
        "mean quality": float(worth[found.order].mean()),
        "mean quality of all": float(worth[rows].mean()),
    }
    return dataclasses.replace(found, gains=factor * found.gains + bonus[found.order], info={**found.info, **facts})


def _shares(worth: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Quality above the lowest candidate's, as a share of the sum over all; 0 where all are equal."""
    above = worth - worth[rows].min()
    total = float(above[rows].sum())
    return above / total if total > 0 else np.zeros(len(worth))


class Qdit(Selector):
    """QDIT: each pick weighs what a row adds to the coverage of the pool against its quality.

    The key of a row is (1 − alpha) · gain + alpha · quality; gains shown are these keys at pick time. Rows without a
    score are neither picked nor covered. A row that is out is covered by its most similar pick.
    """

    title: ClassVar[str] = "QDIT"
    weakness: ClassVar[str] = (
        "As good as its score; as published, what alpha means changes with the score's unit and the size of the pool."
    )
    source: ClassVar[str] = (
        "Bukharin et al. 2023, Data Diversity Matters for Robust Instruction Tuning, arXiv 2311.14736; shares: ours"
    )
    nested: ClassVar[bool] = True
    purpose: ClassVar[Purpose] = "diversity and quality"
    when: ClassVar[str] = "When you trust a quality score but do not want its favourites to be all alike."

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    alpha: float = Field(
        0.7, ge=0, le=1, allow_inf_nan=False, description="weight of quality: 0 is coverage alone, 1 quality alone"
    )
    scale: Scale = Field(
        "published",
        description="published: the two terms as they are; shares: each as a share of what the whole pool would give",
    )
    similarity: Similarity = Field(
        "shifted", description="shifted: (1 + cosine) / 2; clipped: the cosine, negative ones count as 0"
    )
    pairs: Pairs = Field(
        "all",
        description="all: every pair of rows; neighbours: only pairs of the graph, for pools too large for all",
    )
    keep: End = Field(
        "best", description="which end of the score is quality; best is what the score itself calls better"
    )
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        score: Score,
        features: Features,
        neighbours: Neighbours | None = None,
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Memory, device, progress.
            score: Quality. A score of which lower is better enters with its sign turned.
            features: Vectors. Rows whose vector has no direction are neither picked nor covered.
            neighbours: Cosine graph of them, for pairs: neighbours.

        Raises:
            CurationError: the graph is needed and missing, no eligible row can be measured, the column is
                unknown, or `keep` is "best" for a score without a better end.
        """
        values = numbers(score, self.column)
        quality = values if highest_first(score, self.keep) else -values
        eligible = np.asarray(ask.eligible, np.int64)
        scored = eligible[np.isfinite(quality[eligible])]
        if not len(scored):
            raise CurationError("no eligible row has a score", "look at the step that made the score")
        base = ground(scored, self.pairs, features, neighbours, whole=False)
        found = qdit(
            base.points,
            quality[base.rows],
            ask.count,
            alpha=self.alpha,
            scale=self.scale,
            neighbours=base.graph,
            similarity=self.similarity,
            known=None if ask.known is None else np.searchsorted(base.rows, ask.known),
            **how(runtime),
        )
        return spread(found, base, pool, ask, self.pairs, more_out={NO_SCORE: np.setdiff1d(eligible, scored)})

    def work(self, size: Size) -> float:
        """Multiply-adds of one pass over all pairs; from a graph about its pairs."""
        pairs = float(size.rows) * (size.rows if self.pairs == "all" else 16)
        return 1.0 + pairs * (max(size.dims, 1) if self.pairs == "all" else 1)

    def memory(self, size: Size) -> float:
        """Rows on the grid in float64, tiles, and the pairs that count: up to what the run may take."""
        left = min(2.0**31, 2.0 * float(size.rows) ** 2) if self.pairs == "all" else 256.0 * size.rows
        return 128e6 + 20.0 * size.rows * max(size.dims, 1) + left
