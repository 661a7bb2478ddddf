"""DEFT-UCS: the most typical and the oddest rows of every cluster, beside a base sample."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import Features, Labels, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import measurable_rows
from curation.linalg.prototypes import centroid_distances
from curation.selectors._build import largest_remainder, selection
from curation.selectors.k_center import NO_DIRECTION

Allocation = Literal["balanced", "proportional"]
Refill = Literal["none", "proportional"]

ROUNDING = 1e-9
"""Products such as 0.29 · 100 fall short of the whole number that is meant by less than this."""
NO_CLUSTER = "in no cluster"


class CoreSet(NamedTuple):
    """The rows picked in each cluster.

    Args:
        order: int64 `[m]`, cluster by cluster: its near rows, nearest first; its far rows, farthest first; rows drawn
            in between.
        distances: float64 `[n]`, cosine distance to the own centroid, NaN in no cluster or where there is no direction.
        margin: float64 `[n]`, for candidates that are out: how much nearer to or farther from the centroid they would
            have had to be, whichever is less; NaN where nothing was picked by distance.
        near: Rows picked because they are near.
        far: Rows picked because they are far.
        drawn: Rows drawn in between.
        clusters: Clusters with a candidate.
        small: Rows missing because clusters are smaller than their share.
        rounded: Rows missing because the shares of near and far rows are rounded down.
    """

    order: np.ndarray
    distances: np.ndarray
    margin: np.ndarray
    near: int
    far: int
    drawn: int
    clusters: int
    small: int
    rounded: int


def deft_ucs(
    points: np.ndarray,
    codes: np.ndarray,
    budget: int,
    *,
    easy: float = 0.5,
    hard: float = 0.5,
    allocation: Allocation = "balanced",
    refill: Refill = "none",
    seed: int = 0,
    candidates: np.ndarray | None = None,
) -> CoreSet:
    """Unsupervised core-set selection: A rows of every cluster, chosen by their distance to its centroid.

    In each cluster the ⌊easy·A⌋ rows nearest to the centroid are picked, then of the others the ⌊hard·A⌋ farthest, and
    where easy + hard < 1 the rest of A uniformly at random from what lies between. Equal distances go to the lowest row
    at both ends. (1, 0) is the published mode easy, (0, 1) hard, (0, 0) random. Rows of a cluster whose vectors cancel
    out are all equally far.

    O(n·d + n log n).

    Args:
        points: Unit rows `[n, d]`.
        codes: int `[n]`, cluster of each row, -1 = none. All rows of a cluster make its centroid.
        budget: K·A, with K clusters that have a candidate. Where K does not divide it, the clusters with the lowest
            codes get one row more.
        easy: Share of near rows, 0 to 1.
        hard: Share of far rows, 0 to 1 − easy.
        allocation: "balanced": the same A for every cluster; "proportional": to its candidates, by largest remainder.
        refill: "none": a cluster smaller than its share is taken whole and what it lacks is lost, as are rows lost by
            rounding; "proportional": the other clusters get what it lacks, in proportion to the candidates that they
            have left, by largest remainder, and rows lost by rounding are drawn from the middle, so that
            min(budget, candidates) rows are picked.
        seed: Of the draws from the middle.
        candidates: int64, increasing: rows that may be picked; all rows in a cluster by default.

    Raises:
        CurationError: shares below 0 or above 1 together, a budget below 0, or no candidate in a cluster.
    """
    codes = np.asarray(codes, np.int64)
    _check(budget, easy, hard)
    rows = np.arange(len(codes)) if candidates is None else np.asarray(candidates, np.int64)
    rows = rows[codes[rows] >= 0]
    if not len(rows):
        raise CurationError("no row that may be picked is in a cluster", "make clusters of the same rows")
    distances = centroid_distances(points, codes)
    members = _members(rows, codes, distances)
    sizes = np.array([len(group) for group in members], np.int64)
    target = min(budget, len(rows))
    shares = _shares(sizes, target, allocation, refill)
    fill = refill == "proportional" or easy + hard < 1 - ROUNDING
    generator = np.random.default_rng(seed)
    margin = np.full(len(codes), np.nan)
    picks, counts, small = [], np.zeros(3, np.int64), 0
    for group, share in zip(members, shares.tolist(), strict=True):
        near = int(easy * share + ROUNDING)
        far = int(hard * share + ROUNDING)
        planned = share if fill else near + far
        parts = _pick(group, distances, near, far, planned, generator)
        counts += [len(part) for part in parts]
        small += planned - sum(len(part) for part in parts)
        margin[group] = _margin(distances[group], *(distances[part] for part in parts[:2]))
        picks += parts
    order = np.concatenate(picks)
    margin[order] = np.nan
    near, far, drawn = counts.tolist()
    return CoreSet(order, distances, margin, near, far, drawn, len(members), small, target - len(order) - small)


def _check(budget: int, easy: float, hard: float) -> None:
    if not (easy >= 0 and hard >= 0 and easy + hard <= 1 + ROUNDING):
        raise CurationError(
            f"easy {easy:g} and hard {hard:g} are not two shares of one whole",
            "both are at least 0 and together at most 1; the rest is drawn from the middle",
        )
    if budget < 0:
        raise CurationError(f"budget {budget} is below 0", "ask for at least one row")


def _members(rows: np.ndarray, codes: np.ndarray, distances: np.ndarray) -> list[np.ndarray]:
    """Rows of each cluster in the order of codes, nearest to the centroid first, equal distances by the lowest row."""
    # a cluster has a distance for all of its rows or for none; without one all are equal
    key = np.nan_to_num(distances[rows], nan=0.0)
    order = rows[np.lexsort((rows, key, codes[rows]))]
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _shares(sizes: np.ndarray, target: int, allocation: Allocation, refill: Refill) -> np.ndarray:
    """Rows to pick in each cluster, A; may exceed its size where nothing is refilled."""
    if allocation == "proportional":
        return largest_remainder(sizes, target)
    each, over = divmod(target, len(sizes))
    shares = np.full(len(sizes), each, np.int64)
    shares[:over] += 1
    if refill == "proportional":
        shares = np.minimum(shares, sizes)
        left = sizes - shares
        if left.any():
            shares += largest_remainder(left, target - int(shares.sum()))
    return shares


def _pick(
    group: np.ndarray, distances: np.ndarray, near: int, far: int, planned: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """Near, far and drawn rows of a cluster, `planned` in all or the whole cluster; no row twice.

    Args:
        group: Its rows, nearest first.
        distances: float64 `[n]`.
        near: How many of the first.
        far: How many of the last of those left.
        planned: How many in all, ≥ near + far.
        generator: For the rest.
    """
    first, others = group[:near], group[near:]
    # counted from the front: "the last 0 rows" as a slice from the end would be all of them
    last = others[np.lexsort((others, -distances[others]))][:far]
    middle = np.setdiff1d(others, last)
    wanted = min(max(planned - len(first) - len(last), 0), len(middle))
    drawn = generator.permutation(middle)[:wanted] if wanted else middle[:0]
    return [first, last, drawn]


def _margin(own: np.ndarray, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Distance of every row of a cluster from the nearer edge of what was picked by distance."""
    margin = np.full(len(own), np.inf)
    if len(near):
        margin = np.minimum(margin, own - near.max())
    if len(far):
        margin = np.minimum(margin, far.min() - own)
    margin[~np.isfinite(margin)] = np.nan
    return margin


class DeftUcs(Selector):
    """DEFT-UCS: a base sample, and beside it the same number of typical and odd rows from every cluster of the rest.

    The budget is the total. Rows of `base` that are eligible come first and count; the other budget − |base| rows, the
    core-set, are shared out over the K clusters, A = (budget − |base|) / K each. A row's difficulty is its cosine
    distance to the centroid of its cluster: near is easy (typical), far is hard. `easy` and `hard` are shares of A,
    rounded down; where they are less than 1 together the rest of A is drawn from the rows between. So 1 and 0 is the
    published mode easy, 0 and 1 hard, 0 and 0 random. Which of them is better is reported in opposite ways (hard for a
    small base here, easy for scarce data by Sorscher et al., arXiv 2206.14486; both unverified), so try both.

    As published the base is drawn first (`selector/random`, draw: stratified) and only the other rows are clustered
    (`labeller/kmeans` with `within`); base rows are never picked again, whatever cluster they are in. Gains are the
    distances, NaN for the base.
    """

    title: ClassVar[str] = "DEFT-UCS"
    weakness: ClassVar[str] = (
        "Hard rows are far from everything, broken and off-topic ones too; small clusters weigh as much as large ones."
    )
    source: ClassVar[str] = (
        "Das & Khetan 2023 (EMNLP 2024), arXiv 2310.16776, no code by the authors is known; the distance is that of "
        "Sorscher et al. 2022, arXiv 2206.14486"
    )
    purpose: ClassVar[Purpose] = "coverage"
    when: ClassVar[str] = "When a random base is to be joined by the same number of typical or odd rows of every topic."

    budget: Budget = Field(1000, description="rows in all, base and core-set: a count or a percentage of the eligible")
    easy: float = Field(0.5, ge=0, le=1, description="share of each cluster's rows that are nearest to its centroid")
    hard: float = Field(
        0.5, ge=0, le=1, description="share that is farthest; what easy and hard leave of 1 is drawn from the middle"
    )
    allocation: Allocation = Field(
        "balanced", description="balanced: as many rows of every cluster, as published; proportional: to its size"
    )
    refill: Refill = Field(
        "none",
        description="rows that small clusters and rounding lack: none, as published, or shared out to the others",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the draws from the middle")

    @model_validator(mode="after")
    def _shares_of_one_whole(self) -> Self:
        if self.easy + self.hard > 1 + ROUNDING:
            raise ValueError(f"easy {self.easy:g} and hard {self.hard:g} are more than 1 together")
        return self

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        clusters: Labels,
        base: Selection | None = None,
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, and how many to pick, the base included.
            runtime: Not used.
            features: Vectors; as published, of the inputs without responses.
            clusters: K-means of the rows outside the base. All rows of a cluster make its centroid, eligible or not.
            base: Rows drawn before; those that are not eligible are left out.

        Raises:
            CurationError: the base exceeds the budget, or no other eligible row is in a cluster.
        """
        eligible = np.asarray(ask.eligible, np.int64)
        first = np.empty(0, np.int64) if base is None else np.asarray(base.order, np.int64)
        first = first[np.isin(first, eligible)]
        wanted = min(ask.count, len(eligible))
        if len(first) > wanted:
            raise CurationError(
                f"the base has {len(first):,} rows, the budget is {wanted:,} in all",
                "raise the budget, which counts base and core-set, or draw a smaller base",
            )
        codes = np.asarray(clusters.codes, np.int64)
        labelled = np.flatnonzero((codes >= 0) & ~features.missing.mask)
        rows, points = measurable_rows(np.asarray(features.values), labelled, "cosine")
        candidates = np.flatnonzero(np.isin(rows, np.setdiff1d(eligible, first)))
        core = wanted - len(first)
        info: dict[str, object] = {"base": len(first), "core": 0}
        order, gains = first, np.full(len(first), np.nan)
        margin, reasons = np.full(len(pool), np.nan), []
        if core and not len(candidates):
            raise CurationError(
                "no eligible row outside the base is in a cluster", "make clusters of the rows outside the base"
            )
        if core:
            found = deft_ucs(
                points,
                codes[rows],
                core,
                easy=self.easy,
                hard=self.hard,
                allocation=self.allocation,
                refill=self.refill,
                seed=self.seed,
                candidates=candidates,
            )
            order = np.concatenate([first, rows[found.order]])
            gains = np.concatenate([gains, found.distances[found.order]])
            margin[rows] = found.margin
            info |= {name: getattr(found, name) for name in ("clusters", "near", "far", "drawn")}
            info["core"] = len(found.order)
            facts = {
                "because clusters are smaller than their share": found.small,
                "because shares are rounded down": found.rounded,
                "because the other rows are in no cluster": max(core - len(candidates), 0),
            }
            reasons = [f"{count:,} {why}" for why, count in facts.items() if count]
        stage = np.where(codes >= 0, 3, 2)
        stage[rows] = 1
        return selection(
            pool,
            ask,
            order,
            stages=(self._passed_over(), NO_CLUSTER, NO_DIRECTION),
            codes=stage,
            margin=margin,
            gains=gains,
            short_by=wanted - len(order),
            short_reason="; ".join(reasons),
            info=info,
        )

    def _passed_over(self) -> str:
        """Why a row of a cluster is out."""
        if self.easy + self.hard < 1 - ROUNDING:
            return (
                "not drawn in its cluster" if self.easy + self.hard == 0 else "not drawn from the middle of its cluster"
            )
        if self.hard <= ROUNDING:
            return "farther from its centroid than the easy rows of its cluster"
        if self.easy <= ROUNDING:
            return "nearer to its centroid than the hard rows of its cluster"
        return "between the easy and the hard rows of its cluster"

    def work(self, size: Size) -> float:
        """Rows times width."""
        return float(size.rows + 1) * max(size.dims, 1)

    def memory(self, size: Size) -> float:
        """Unit rows, blocks, and a few numbers per row."""
        return 128e6 + size.rows * (8.0 * size.dims + 96)
