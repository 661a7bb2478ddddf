"""SemDeDup: how similar a row is to the rows of its cluster that come before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Labels, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import MethodClass, Scorer, Size
from curation.core.runtime import Runtime
from curation.linalg.cluster_order import Keep, order_in_clusters
from curation.linalg.distances import unit_rows

Progress = Callable[[int, int], None]

NO_DIRECTION = "its vector has no direction"
NO_CLUSTER = "it has no cluster"


@dataclass(frozen=True)
class Blocking:
    """What stands before each row in its cluster.

    Args:
        similarity: float64 `[n]`: M_j = max cos(i, j) over the rows i before j, at most 1; -1 where there is none.
        of: int64 `[n]`: that row i, the first of equals; -1 where there is none.
        place: int64 `[n]`: how many rows of its cluster come before; 0 for rows in no cluster.
    """

    similarity: np.ndarray
    of: np.ndarray
    place: np.ndarray


def semdedup(
    points: np.ndarray,
    codes: np.ndarray | None = None,
    *,
    keep: Keep = "hard",
    score: np.ndarray | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Blocking:
    """For every row the largest cosine to a row that comes before it in its cluster.

    SemDeDup (Abbas et al. 2023) removes j when M_j > 1 − ε. An earlier row counts whether or not it is itself removed,
    so M does not depend on ε: one pass serves every threshold, and the N rows with the lowest M are what is left at
    the ε that leaves N.

    Decided in float64 on `1 − |x_i − x_j|²/2`, which is exactly 1 for identical rows. Costs Σ n_k²·d/2 by matrix
    products for clusters of n_k rows, and a second copy of the points.

    Args:
        points: Unit rows, float32 `[n, d]`.
        codes: int `[n]`, cluster of each row, -1 = none: such a row is compared with no other. None = one cluster.
        keep: Which row of a cluster comes first.
        score: float64 `[n]` for `keep="score"`, higher first, NaN last.
        seed: For `keep="random"`.
        device: Where the products run.
        progress: Called with (rows done, n).
    """
    from curation.linalg.pairs import nearest_earlier  # loads numba

    n = len(points)
    found = Blocking(np.full(n, -1.0), np.full(n, NO_ROW, np.int64), np.zeros(n, np.int64))
    codes = np.zeros(n, np.int64) if codes is None else np.asarray(codes)
    done = 0
    for rows in order_in_clusters(points, codes, keep=keep, score=score, seed=seed):

        def report(inside: int, total: int, before: int = done, size: int = len(rows)) -> None:
            if progress is not None:
                progress(before + size * inside // max(total, 1), n)

        earlier = nearest_earlier(points[rows], device=device, progress=report)
        found.similarity[rows] = earlier.similarity
        found.of[rows] = np.where(earlier.rows == NO_ROW, NO_ROW, rows[earlier.rows])
        found.place[rows] = np.arange(len(rows))
        done += len(rows)
        if progress is not None:
            progress(done, n)
    return found


class SemDeDup(Scorer):
    """Largest cosine of a row to one that comes before it in its cluster: high for a row that repeats another.

    Rows of a cluster are put in order: the one farthest from the centroid first (`keep: hard`, as published), the
    closest first, at random, or the best first by a `preference`. The score is M_j, the largest cosine to any row
    before; the first row of a cluster, and a row in no cluster, has -1. Without `clusters` all rows are one cluster,
    which misses nothing. Rows without a preference come last.

    SemDeDup's own rule is `selector/threshold` with `below: 1 − ε, inclusive: both`: a row goes when M_j > 1 − ε, also
    where the row before it goes too, so of a chain only the first row stays (`selector/semdedup` can do otherwise).
    "Deduplicate to N rows" is `selector/top-k` with `keep: lowest`. Neither compares rows again.

    Columns: `of`, the row that it is most similar to (-1 = none), and `place`, how many rows of its cluster precede it.
    """

    title: ClassVar[str] = "Similarity to an earlier copy (SemDeDup)"
    method_class: ClassVar[MethodClass] = "statistical"
    weakness: ClassVar[str] = (
        "Rows that differ in one number or name look the same to an encoder; copies in two clusters are not seen."
    )
    source: ClassVar[str] = (
        "Abbas et al. 2023, SemDeDup, arXiv 2303.09540; keep: score and one cluster for all are ours"
    )

    keep: Keep = Field(
        "hard",
        description="which of similar rows comes first: far from the centroid, close to it, any, or by preference",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="for keep: random")

    def score(
        self,
        pool: Dataset,
        runtime: Runtime,
        *,
        features: Features,
        clusters: Labels | None = None,
        preference: Score | None = None,
    ) -> Score:
        """Score every row.

        Args:
            pool: The rows.
            runtime: Device of the products, progress.
            features: Vectors; rows whose vector has length zero are missing.
            clusters: Rows are compared inside their cluster only; rows without a label are missing, noise is alone.
            preference: For `keep: score`; the better end first, the highest where neither end is better.

        Raises:
            CurationError: if a preference is given for another `keep`, or missing for `score`.
        """
        if (self.keep == "score") != (preference is not None):
            message, hint = "keep is 'score', but there is no preference", "add  preference: $STEP"
            if preference is not None:
                message = f"there is a preference, but keep is '{self.keep}'"
                hint = "set  keep: score  or leave the preference out"
            raise CurationError(message, hint)
        n = len(pool)
        unit = unit_rows(np.asarray(features.values))
        reason = np.full(n, 0, np.int16)
        reason[unit.rejected] = 1
        if clusters is not None:
            reason[clusters.missing.mask & (reason == 0)] = 2
        rows = np.flatnonzero(reason == 0)
        found = semdedup(
            unit.values[reason[unit.kept] == 0],
            None if clusters is None else np.asarray(clusters.codes)[rows],
            keep=self.keep,
            score=None if preference is None else _wish(preference)[rows],
            seed=self.seed,
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        values = np.full(n, np.nan)
        of, place = np.full(n, NO_ROW, np.int64), np.full(n, NO_ROW, np.int64)
        values[rows] = found.similarity
        of[rows] = np.where(found.of == NO_ROW, NO_ROW, rows[found.of]) if len(rows) else NO_ROW
        place[rows] = found.place
        missing = Missing(reason, (NO_DIRECTION, NO_CLUSTER)).compact()
        info = {
            "keep": self.keep,
            "clusters": 1 if clusters is None else len(np.unique(clusters.codes[clusters.codes != NO_ROW])),
            "rows_with_a_copy_before": int((found.similarity == 1).sum()),
        }
        return Score(
            pool.fingerprint,
            values,
            missing,
            "similarity to an earlier copy",
            False,
            columns={"of": of, "place": place},
            info=info,
        )

    def work(self, size: Size) -> float:
        """Multiply-adds when all rows are one cluster."""
        return 1.0 + float(size.rows) ** 2 * max(size.dims, 1) / 2

    def memory(self, size: Size) -> float:
        """Unit rows, the same in order, a block of products, and a few numbers per row."""
        return 96e6 + size.rows * (12.0 * size.dims + 160)

    def disk(self, size: Size) -> float:
        """Three numbers for each row."""
        return 24.0 * size.rows


def _wish(preference: Score) -> np.ndarray:
    values = np.asarray(preference.values, np.float64)
    return -values if preference.higher_is_better is False else values
