"""SemDeDup: rows that are nearly the same as an earlier row of their cluster go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import NO_ROW, Features, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size, parse_budget, resolve_count
from curation.core.runtime import Runtime
from curation.linalg.cluster_order import Keep, order_in_clusters
from curation.linalg.distances import pair_squared_distances, unit_rows
from curation.selectors._build import selection

if TYPE_CHECKING:
    from curation.linalg.pairs import SimilarPairs

Progress = Callable[[int, int], None]
Rule = Literal["published", "greedy"]

NO_DIRECTION = "its vector has no direction"


@dataclass(frozen=True)
class Removal:
    """What goes at one threshold.

    Args:
        above: 1 − ε: rows whose cosine to an earlier row is above this go.
        by: int64 `[n]`: the kept row that stands for this one; -1 for rows that stay.
        chained: bool `[n]`: true where only rows that are out themselves are so similar; then `by` ends the chain.
    """

    above: float
    by: np.ndarray
    chained: np.ndarray


@dataclass(frozen=True)
class Ordered:
    """The pairs of similar rows of each cluster, from which any ε up to 1 − `pairs.at_least` follows at once.

    Args:
        n: Rows.
        order: int64 `[m]`: the rows that are in clusters, cluster by cluster, those to be kept first.
        pairs: Pairs of places in `order`.
    """

    n: int
    order: np.ndarray
    pairs: SimilarPairs

    def removal(self, above: float, rule: Rule) -> Removal:
        """Which rows go when all above a similarity do.

        By the published rule a row goes when any earlier row is too similar to it, also one that goes itself; by the
        greedy rule only when one that stays is.

        Args:
            above: 1 − ε, from `pairs.at_least` to 1; at 1 nothing goes.
            rule: Which.
        """
        if rule == "published":
            by, chained = self.pairs.published(above)
        else:
            by = self.pairs.greedy(above)
            chained = np.zeros(len(by), bool)
        found = Removal(float(above), np.full(self.n, NO_ROW, np.int64), np.zeros(self.n, bool))
        found.by[self.order] = np.where(by == NO_ROW, NO_ROW, self.order[by])
        found.chained[self.order] = chained
        return found

    def down_to(self, count: int, rule: Rule) -> Removal:
        """The removal with the highest threshold that leaves at most so many rows of the clusters.

        By bisection over the similarities of the pairs. By the greedy rule a lower threshold can leave a few rows
        more, so there a higher one than the one found may do as well.

        Args:
            count: Rows.
            rule: As in `removal`.

        Raises:
            CurationError: if even the lowest threshold leaves more.
        """
        if len(self.order) <= count:
            return self.removal(1.0, rule)
        earlier = self.pairs.earlier().similarity
        values = np.unique(earlier[earlier >= self.pairs.at_least] if rule == "published" else self._values())

        def left(place: int) -> int:
            above = _below(values[place])
            return int(((earlier <= above) if rule == "published" else (self.pairs.greedy(above) == NO_ROW)).sum())

        least = left(0) if len(values) else len(self.order)
        if least > count:
            raise CurationError(
                f"{least:,} rows are left when all that are as similar as {self.pairs.at_least:g} go, not {count:,}",
                "raise epsilon, or take the lowest of scorer/semdedup with selector/top-k",
            )
        enough, too_high = 0, len(values)
        while too_high - enough > 1:
            middle = (enough + too_high) // 2
            enough, too_high = (middle, too_high) if left(middle) <= count else (enough, middle)
        return self.removal(_below(values[enough]), rule)

    def _values(self) -> np.ndarray:
        copies = bool((self.pairs.first != np.arange(len(self.order))).any())
        return np.append(self.pairs.similarity, [1.0] * copies)


def _below(value: float) -> float:
    """The threshold just below a similarity, at which a pair of exactly that similarity goes."""
    return float(np.nextafter(value, -2))


def similar_in_clusters(
    points: np.ndarray,
    at_least: float,
    codes: np.ndarray | None = None,
    *,
    keep: Keep = "hard",
    score: np.ndarray | None = None,
    seed: int = 0,
    most: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Ordered:
    """All similar pairs inside clusters, of rows in the order in which they are to be kept.

    Costs at most Σ n_k²·d/2 by matrix products for clusters of n_k rows, much less for a high similarity.

    Args:
        points: Unit rows, float32 `[n, d]`.
        at_least: The least similarity of a pair: 1 − the largest ε that will be asked for.
        codes: int `[n]`, cluster of each row, -1 = none: such a row is compared with no other. None = one cluster.
        keep: Which row of a cluster comes first.
        score: float64 `[n]` for `keep="score"`, higher first, NaN last.
        seed: For `keep="random"`.
        most: Pairs at most; None = as many as `curation.linalg.pairs` allows.
        device: Where the products run.
        progress: Called with (rows done, n).

    Raises:
        CurationError: more than `most` pairs.
    """
    from curation.linalg.pairs import MOST_PAIRS, similar_pairs  # loads numba

    n = len(points)
    most = MOST_PAIRS if most is None else most
    codes = np.zeros(n, np.int64) if codes is None else np.asarray(codes)
    orders = order_in_clusters(points, codes, keep=keep, score=score, seed=seed)
    parts: list[SimilarPairs] = []
    done = total = 0
    for rows in orders:

        def report(inside: int, whole: int, before: int = done, size: int = len(rows)) -> None:
            if progress is not None:
                progress(before + size * inside // max(whole, 1), n)

        parts.append(similar_pairs(points[rows], at_least, most=most - total, device=device, progress=report))
        done, total = done + len(rows), total + len(parts[-1])
        if progress is not None:
            progress(done, n)
    return Ordered(n, np.concatenate([np.empty(0, np.int64), *orders]), _joined(parts, at_least))


def _joined(parts: list[SimilarPairs], at_least: float) -> SimilarPairs:
    """The pairs of several groups of rows, as pairs of places among all of them."""
    if len(parts) == 1:
        return parts[0]  # as it is: a copy of many pairs takes as much again
    from curation.linalg.pairs import SimilarPairs

    begins = np.cumsum([0, *(len(part.first) for part in parts)])[:-1].tolist()

    def put(arrays: list[np.ndarray]) -> np.ndarray:
        moved = [array + begin for array, begin in zip(arrays, begins, strict=True)]
        return np.concatenate([np.empty(0, np.int64), *moved])

    return SimilarPairs(
        put([part.rows for part in parts]),
        put([part.others for part in parts]),
        np.concatenate([np.empty(0), *(part.similarity for part in parts)]),
        put([part.first for part in parts]),
        at_least,
    )


class SemDeDup(Selector):
    """Every row that is not nearly the same as an earlier row of its cluster.

    Rows of a cluster are put in order: the one farthest from the centroid first (`keep: hard`, as published), the
    closest first, at random, or the best first by a `preference`; rows without one come last. Then a row goes when its
    cosine to an earlier one is above 1 − ε. By the published rule that is any earlier row, also one that goes itself,
    so of a chain a–b–c of which only neighbours are similar a alone stays; by the greedy rule only a row that stays
    counts, and a and c stay. Without `clusters` all rows are one cluster: nothing is missed, at a cost that grows with
    the square of the rows. Rows in no cluster are compared with none and stay.

    Every row left out names the row that stands for it, at the distance 1 − cosine; its margin is how much more similar
    they are than allowed. Where only rows that are out themselves are so similar, it is the end of the chain, it may be
    farther away, and the stage says so. `gains` counts the rows that a kept row stands for.

    `down_to` removes no more than is needed to leave so many rows, the most similar first, with ε as the limit; the ε
    found is in `info`. By the published rule `scorer/semdedup` does the same for every number of rows at once.
    """

    title: ClassVar[str] = "Semantic deduplication (SemDeDup)"
    weakness: ClassVar[str] = (
        "Rows that differ in one number or name look the same to an encoder; copies in two clusters are not seen."
    )
    source: ClassVar[str] = (
        "Abbas et al. 2023, SemDeDup, arXiv 2303.09540; the greedy rule, keep: score and down_to are ours"
    )
    purpose: ClassVar[Purpose] = "duplicates"
    when: ClassVar[str] = "When rows say the same in other words, and you want to choose which of them stays."
    eligible_ports: ClassVar[tuple[str, ...]] = ("features", "clusters")

    epsilon: float = Field(0.05, ge=0, le=1, description="rows with a cosine above 1 − epsilon to an earlier row go")
    rule: Rule = Field(
        "published", description="published: any earlier row counts; greedy: only one that stays, which keeps more"
    )
    keep: Keep = Field(
        "hard", description="which of similar rows stays: far from the centroid, close to it, any, or by preference"
    )
    down_to: Budget | None = Field(
        None, description="remove no more than needed to leave at most this many rows: a count or a percentage"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="for keep: random")

    @model_validator(mode="after")
    def _rows_not_tokens(self) -> Self:
        if self.down_to is not None and parse_budget(self.down_to)[0] == "tokens":
            raise ValueError("down_to is a number of rows or a percentage, not of tokens")
        return self

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        clusters: Labels | None = None,
        preference: Score | None = None,
    ) -> Selection:
        """Select among the eligible rows, in the order of the dataset.

        Args:
            pool: The rows.
            ask: Which rows are eligible; the others neither stay nor stand for a row.
            runtime: Device of the products, progress.
            features: Vectors; eligible rows whose vector has length zero are out.
            clusters: Rows are compared inside their cluster only.
            preference: For `keep: score`; the better end first, the highest where neither end is better.

        Raises:
            CurationError: a preference is given for another `keep`, or missing for `score`; no eligible row has a
                usable vector; there are too many similar pairs; or `down_to` cannot be reached.
        """
        if (self.keep == "score") != (preference is not None):
            message, hint = "keep is 'score', but there is no preference", "add  preference: $STEP"
            if preference is not None:
                message = f"there is a preference, but keep is '{self.keep}'"
                hint = "set  keep: score  or leave the preference out"
            raise CurationError(message, hint)
        eligible = np.asarray(ask.eligible, np.int64)
        unit = unit_rows(np.asarray(features.values)[eligible])
        rows, lost = eligible[unit.kept], eligible[unit.rejected]
        if not len(rows):
            raise CurationError("no eligible row has a usable vector", "look at the step that made the features")
        codes = None if clusters is None else np.asarray(clusters.codes)[rows]
        ordered = similar_in_clusters(
            unit.values,
            1 - self.epsilon,
            codes,
            keep=self.keep,
            score=None if preference is None else _wish(preference)[rows],
            seed=self.seed,
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        if self.down_to is None:
            removal = ordered.removal(1 - self.epsilon, self.rule)
        else:
            alone = len(rows) - len(ordered.order)
            removal = ordered.down_to(max(0, resolve_count(self.down_to, len(eligible)) - alone), self.rule)
        return self._selection(pool, ask, rows, lost, unit.values, ordered, removal)

    def _selection(
        self,
        pool: Dataset,
        ask: Ask,
        rows: np.ndarray,
        lost: np.ndarray,
        points: np.ndarray,
        ordered: Ordered,
        removal: Removal,
    ) -> Selection:
        n = len(pool)
        out = np.flatnonzero(removal.by != NO_ROW)
        apart = pair_squared_distances(points, out, removal.by[out]) / 2
        covered_by, distance, margin = np.full(n, NO_ROW, np.int64), np.full(n, np.nan), np.full(n, np.nan)
        covered_by[rows[out]], distance[rows[out]] = rows[removal.by[out]], apart
        margin[rows[out]] = np.where(removal.chained[out], np.nan, 1 - apart - removal.above)
        codes = np.ones(n, np.int8)
        codes[rows[removal.chained]], codes[lost] = 2, 3
        kept = rows[removal.by == NO_ROW]
        return selection(
            pool,
            ask,
            kept,
            stages=(
                f"a kept row is more similar than {removal.above:.6g}",
                f"rows that are out themselves, in a chain, are more similar than {removal.above:.6g}",
                NO_DIRECTION,
            ),
            codes=codes,
            margin=margin,
            gains=np.bincount(covered_by[rows[out]], minlength=n)[kept].astype(np.float64),
            covered_by=covered_by,
            distance=distance,
            info={
                "removed": len(out),
                "removed_by_chains": int(removal.chained.sum()),
                "epsilon": 1 - removal.above,
                "pairs": len(ordered.pairs),
                "rule": self.rule,
                "keep": self.keep,
            },
        )

    def work(self, size: Size) -> float:
        """Multiply-adds when all rows are one cluster."""
        return 1.0 + float(size.rows) ** 2 * max(size.dims, 1) / 2

    def memory(self, size: Size) -> float:
        """Unit rows, the same in order, blocks of products, some pairs for each row."""
        return 128e6 + size.rows * (16.0 * size.dims + 1000)


def _wish(preference: Score) -> np.ndarray:
    values = np.asarray(preference.values, np.float64)
    return -values if preference.higher_is_better is False else values
