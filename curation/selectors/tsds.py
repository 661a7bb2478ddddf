"""TSDS: a sampling distribution that matches the queries without giving near-duplicates more than their share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import measurable_rows
from curation.linalg.queries import QuerySearch
from curation.selectors._build import selection
from curation.selectors._queries import queries_of

NOTHING = "no query gives it probability"
NOT_DRAWN = "not drawn"
TARGET = "it is a target itself"

Progress = Callable[[int, int], None]


class Level(NamedTuple):
    """How the mass of every query is spread over its candidates.

    Args:
        level: The common level s; 0 when there is one candidate a query.
        mass: float64 `[M, K]`, each row with the sum 1/M.
        exhausted: Queries that would have spread farther than their candidates reach.
    """

    level: float
    mass: np.ndarray
    exhausted: int


def spread_mass(distances: np.ndarray, density: np.ndarray, alpha: float, scale: float) -> Level:
    """Spreads the mass 1/M of each query over its nearest candidates.

    The optimum of (α/C)·transport + (1 − α)·M·max ρ·γ, where γ is what a query gives a candidate. For a bound 1/(M·s)
    on ρ·γ the cheapest plan fills the nearest candidates with 1/(M·s·ρ) each and gives the remainder to the next. As s
    grows, the cost of the plan of query j grows at the rate Σ_{k≤k_j} (d(k_j+1) − d(k))/ρ(k), k_j being its last full
    candidate, until (α/C) times the sum of all rates reaches (1 − α)·M. Rates change only where a candidate becomes
    full, so all such levels are sorted and gone through once: O(M·K·log(M·K)).

    Args:
        distances: float64 `[M, K]`, increasing in each row.
        density: float64 `[M, K]`, ρ ≥ 1 of the same candidates.
        alpha: 0 (spread as widely as the candidates allow) to 1 (nearest candidates only).
        scale: C > 0, of the size of distances.
    """
    queries, count = distances.shape
    if count == 1:
        return Level(0.0, np.full((queries, 1), 1 / queries), 0)
    full_at = np.cumsum(1 / density, axis=1)  # [M, K]: the level at which candidate k is full
    # what the rate of a query grows by when its candidate k becomes full and the next one takes the remainder
    growth = full_at[:, :-1] * np.diff(distances, axis=1)
    order = np.argsort(full_at[:, :-1], axis=None, kind="stable")
    rates = np.cumsum(growth.ravel()[order])
    reached = np.flatnonzero(alpha / scale * rates >= (1 - alpha) * queries)
    last = order[reached[0] if len(reached) else -1]
    level = float(full_at[:, :-1].ravel()[last])
    places = np.arange(count)
    full = (full_at[:, :-1] <= level).sum(axis=1)  # candidates that are full; the next one takes the remainder
    mass = np.where(places < full[:, None], 1 / (queries * level * density), 0.0)
    rest = np.maximum(1 / queries - mass.sum(axis=1), 0)
    mass[np.arange(queries), full] += rest
    return Level(level, mass, int((full_at[:, -1] < level).sum()))


class Target(NamedTuple):
    """The sampling distribution.

    Args:
        probabilities: float64 `[n]`, with the sum 1.
        level: The common level s.
        candidates: Candidates of a query.
        exhausted: Queries whose candidates did not reach as far as their mass would have gone.
    """

    probabilities: np.ndarray
    level: float
    candidates: int
    exhausted: int


def target_distribution(
    points: np.ndarray,
    queries: np.ndarray,
    *,
    alpha: float = 0.5,
    scale: float = 5.0,
    sigma: float = 0.75,
    prefetch: int = 5000,
    density_neighbours: int = 1000,
    most_share: float = 0.1,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Target:
    """The probability with which each row is to be drawn, so that the draws resemble the queries.

    Euclidean distances of the vectors as they are. As in the authors' code, only rows that are a candidate of some
    query count for the density. Costs M·n·d and U²·d by matrix products, U being the candidates of all queries
    together.

    Args:
        points: `[n, d]`, finite.
        queries: `[M, d]`, finite.
        alpha: See `spread_mass`.
        scale: C, see there.
        sigma: Width of the kernel of the density; 0 = every density is 1.
        prefetch: Candidates of a query at most.
        density_neighbours: Rows that count for a density at most.
        most_share: Both are this share of the rows at most, and at least 2 as far as there are rows.
        device: Where the products run.
        progress: Called with (rows done, rows) of the density.

    Raises:
        DataError: rows or queries that are not finite, or of different widths.
    """
    n = len(points)
    limit = min(n, max(2, int(most_share * n)))
    found = QuerySearch(points, queries, device=device).nearest(min(prefetch, limit))
    rows, place = np.unique(found.rows, return_inverse=True)
    from curation.linalg.density import kernel_density  # loads numba

    density = kernel_density(
        points[rows], min(density_neighbours, limit, len(rows)), sigma, device=device, progress=progress
    )
    place = place.reshape(found.rows.shape)
    spread = spread_mass(np.sqrt(found.squared), density[place], alpha, scale)
    mass = np.bincount(place.ravel(), spread.mass.ravel(), minlength=len(rows))
    probabilities = np.zeros(n)
    probabilities[rows] = mass / mass.sum()
    return Target(probabilities, spread.level, found.rows.shape[1], spread.exhausted)


def draw_without_replacement(probabilities: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """All rows of positive probability in the order of successive weighted draws without replacement.

    Each row gets an exponential waiting time with its probability as the rate; the order of arrival is that of draws in
    which every row left has its weight's share (Efraimidis and Spirakis 2006).

    Args:
        probabilities: float64 `[n]`, ≥ 0.
        chance: float64 `[n]`, standard exponential.
    """
    rows = np.flatnonzero(probabilities > 0)
    return rows[np.argsort(chance[rows] / probabilities[rows], kind="stable")]


def draw_with_replacement(probabilities: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the order in which they were first drawn, and how often each was.

    Args:
        probabilities: float64 `[n]`, with the sum 1.
        chance: float64 `[m]`, in [0, 1): one number per draw.
    """
    some = np.flatnonzero(probabilities > 0)
    edges = np.cumsum(probabilities[some])
    drawn = some[np.minimum(np.searchsorted(edges / edges[-1], chance, side="right"), len(some) - 1)]
    rows, first, times = np.unique(drawn, return_index=True, return_counts=True)
    order = np.argsort(first)
    return rows[order], times[order]


class Tsds(Selector):
    """TSDS: draws rows from a distribution that resembles the queries and lets near-duplicates share one part of it.

    Every query spreads its mass over the rows nearest to it (Euclidean), each getting the less the more near-duplicates
    it has; how far it spreads is what `alpha` trades: near 1 only the nearest rows, near 0 as far as the candidates
    reach. The picks are random draws from that distribution, without replacement by default. Published draws are with
    replacement, so that a row can come several times: such copies are one pick with a weight, and the selection is
    short by the others.

    Gains are probabilities. Rows far from all queries have none, so fewer rows than the budget may be there to draw.
    """

    title: ClassVar[str] = "TSDS"
    weakness: ClassVar[str] = (
        "Its scale C and width sigma are absolute distances, so the published numbers suit some encoders only."
    )
    source: ClassVar[str] = "Liu et al., NeurIPS 2024, arXiv 2410.11303, and the authors' code ZifanL/TSDS"
    purpose: ClassVar[Purpose] = "targeted"
    when: ClassVar[str] = (
        "When you have examples of the task and the pool holds many near-duplicates of what fits them."
    )
    nested: ClassVar[bool] = True
    eligible_ports: ClassVar[tuple[str, ...]] = ("features",)
    elsewhere: ClassVar[tuple[str, ...]] = ("queries",)

    budget: Budget = Field(1000, description="rows to draw: a count, a percentage of the eligible rows, or tokens")
    alpha: float = Field(0.5, ge=0, le=1, description="1: only the rows nearest to queries; 0: as many as possible")
    scale: float = Field(5.0, gt=0, le=1e9, description="C of the paper, of the size of the vectors")
    sigma: float = Field(0.75, ge=0, le=1e9, description="rows nearer than this are near-duplicates; 0: none are")
    prefetch: int = Field(5000, ge=1, le=1_000_000, description="candidates of each query")
    density_neighbours: int = Field(1000, ge=1, le=1_000_000, description="near-duplicates of a row that are counted")
    most_share: float = Field(
        0.1, gt=0, le=1, description="candidates and near-duplicates counted are at most this share of the rows"
    )
    replacement: Literal["none", "published"] = Field(
        "none", description="published: draws with replacement, of which repeated ones collapse into one pick"
    )
    pick_targets: bool = Field(False, description="targets may be picked themselves")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="another seed is another draw")

    def is_nested(self) -> bool:
        """With replacement, a number of draws is not a number of picks."""
        return self.replacement == "none"

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        targets: Selection | None = None,
        queries: Features | None = None,
    ) -> Selection:
        """Draw rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, and how many to draw.
            runtime: Device, progress.
            features: Vectors of the pool.
            targets: Rows of the pool that are the queries; give these or `queries`.
            queries: Vectors of the rows of a query file, by the same encoder.

        Raises:
            CurationError: if neither or both of targets and queries are given, if they do not compare with the
                features, or no row can be drawn.
        """
        found = queries_of(features, targets, queries, "euclidean")
        eligible = np.asarray(ask.eligible, np.int64)
        barred = np.zeros(len(pool), bool)
        if targets is not None and not self.pick_targets:
            barred[np.asarray(targets.order)] = True
        asked = eligible[~barred[eligible] & ~features.missing.mask[eligible]]
        if not len(asked):
            raise CurationError(
                "no eligible row can be drawn: all are targets", "loosen `within`, or set pick_targets: true"
            )
        rows, points = measurable_rows(np.asarray(features.values), asked, "euclidean")
        made = target_distribution(
            points,
            found.vectors,
            alpha=self.alpha,
            scale=self.scale,
            sigma=self.sigma,
            prefetch=self.prefetch,
            density_neighbours=self.density_neighbours,
            most_share=self.most_share,
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        wanted = min(ask.count, len(eligible))
        possible = int((made.probabilities > 0).sum())
        generator = np.random.default_rng(self.seed)
        weights: np.ndarray = np.empty(0)
        if self.replacement == "none":
            # one number for every row of the pool: a row's chance does not depend on who else is eligible
            order = draw_without_replacement(made.probabilities, generator.exponential(size=len(pool))[rows])[:wanted]
            reason = f"only {possible:,} rows have a probability: lower alpha, or raise scale or prefetch"
        else:
            order, times = draw_with_replacement(made.probabilities, generator.random(wanted))
            weights = times.astype(np.float64)
            reason = f"{wanted - len(order):,} of {wanted:,} draws came upon a row that was drawn before"
        codes = np.full(len(pool), 3)
        codes[rows] = np.where(made.probabilities > 0, 1, 2)
        short_by = wanted - len(order)
        info: dict[str, Any] = {
            "metric": "euclidean",
            "queries": len(found.rows),
            "queries_without_vector": found.unusable,
            "level": made.level,
            "candidates": made.candidates,
            "queries_out_of_candidates": made.exhausted,
            "rows_with_probability": possible,
        }
        return selection(
            pool,
            ask,
            rows[order],
            stages=(NOT_DRAWN, NOTHING, TARGET),
            codes=codes,
            gains=made.probabilities[order],
            weights=weights,
            short_by=short_by,
            short_reason=reason if short_by else "",
            nested=self.is_nested(),
            info=info,
        )

    def work(self, size: Size) -> float:
        """Multiply-adds of the density: of how many rows is not known before, half the pool is assumed."""
        return (1.0 + size.rows) * (1 + size.dims) + (size.rows / 2) ** 2 * size.dims

    def memory(self, size: Size) -> float:
        """A copy of the candidates, blocks, and their densities."""
        block = 24e3 * min(self.density_neighbours + 8, size.rows)
        return 192e6 + size.rows * (8.0 * size.dims + 64) + block
