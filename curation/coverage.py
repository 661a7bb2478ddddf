"""How well a selection stands for its pool: distances to the nearest selected row, clusters reached, diversity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Artifact, Features, Labels, Selection
from curation.core.artifacts import Coverage as CoverageReport
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Method, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import Metric, measurable_rows, unit_rows
from curation.linalg.nearest import NearestCentres

RADIUS = "covering radius"
MEAN = "mean distance"
MEDIAN = "median distance"
P90 = "90% distance"
P99 = "99% distance"
WITHIN = "share within reach"
CLUSTERS = "clusters reached"
VENDI = "Vendi score"

QUANTILES = {MEDIAN: 0.5, P90: 0.9, P99: 0.99}
EIGEN_LIMIT = 1024
"""Width above which the Vendi score is computed for the full budget only: eigenvalues cost its third power."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Measure:
    """How to show a measure.

    Args:
        description: One sentence.
        lower_is_better: Which end is good.
        percent: True for a share from 0 to 1.
    """

    description: str
    lower_is_better: bool
    percent: bool = False


MEASURES: dict[str, Measure] = {
    RADIUS: Measure("The largest distance from any row to the nearest selected row.", True),
    MEAN: Measure("Distance from a row to the nearest selected row, on average.", True),
    MEDIAN: Measure("Half of all rows have a selected row at most this far away.", True),
    P90: Measure("Nine rows of ten have a selected row at most this far away.", True),
    P99: Measure("Ninety-nine rows of a hundred have a selected row at most this far away.", True),
    WITHIN: Measure("Share of rows that have a selected row within reach.", False, True),
    CLUSTERS: Measure("Clusters with at least one selected row; noise is not a cluster.", False),
    VENDI: Measure("The number of different rows that the selection is worth: 1 when all are alike.", False),
}
"""What is measured, in the order it is shown."""


# ---------------------------------------------------------------------- measures


def distance_measures(distances: np.ndarray, reach: float) -> dict[str, float]:
    """Summary of the distances to the nearest selected row; all NaN while nothing is selected.

    Args:
        distances: float64 `[n]`, ≥ 0, n ≥ 1; inf everywhere when nothing is selected.
        reach: Distance up to which (inclusive) a row counts as covered.

    Returns:
        Covering radius, mean, median, 90 % and 99 % quantiles (linear interpolation), share within reach.
    """
    if np.isinf(distances).any():
        return dict.fromkeys((RADIUS, MEAN, *QUANTILES, WITHIN), float("nan"))
    quantiles = np.quantile(distances, list(QUANTILES.values()))
    return {
        RADIUS: float(distances.max()),
        MEAN: float(distances.mean()),
        **{name: float(value) for name, value in zip(QUANTILES, quantiles, strict=True)},
        WITHIN: float((distances <= reach).mean()),
    }


def clusters_reached(codes: np.ndarray, order: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """How many clusters have at least one of the first b picks, for each budget b; O(m log m).

    Args:
        codes: int `[n]`, cluster of each row; negative = noise, which is no cluster.
        order: int64 `[m]`, rows in pick order.
        budgets: int64 `[b]`.

    Returns:
        int64 `[b]`.
    """
    of_picks = codes[order]
    found, first = np.unique(of_picks, return_index=True)
    return np.searchsorted(np.sort(first[found >= 0]), budgets, side="left")


def vendi_score(points: np.ndarray) -> float:
    """The effective number of different rows: exp of the entropy of the eigenvalues of the cosine kernel over n.

    1 when all rows are alike, n when all are orthogonal; k groups of identical rows, orthogonal to each other and
    equally large, give k. Source: Friedman and Dieng, The Vendi Score, arXiv 2210.02410 (order 1). Costs min(n, d)³:
    with more rows than columns the d × d matrix, which has the same eigenvalues other than zero, is taken.

    Args:
        points: `[n, d]`, unit rows, n ≥ 1.
    """
    n, d = points.shape
    wide = points.astype(np.float64)
    return _vendi(wide.T @ wide if n > d else wide @ wide.T, n)


def _vendi(products: np.ndarray, n: int) -> float:
    """From the matrix of products, of rows or of columns, of n unit rows."""
    shares = np.linalg.eigvalsh(products) / n
    shares = shares[shares > 0]  # what rounding left below zero stands for zero, and 0·ln 0 = 0
    return float(np.exp(-(shares * np.log(shares)).sum()))


def vendi_curve(points: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """The Vendi score of the first b rows for each budget b, adding each row to the d × d matrix once.

    Args:
        points: `[m, d]`, unit rows in pick order.
        budgets: int64 `[b]`, increasing, ≤ m.

    Returns:
        float64 `[b]`; NaN for a budget of 0, and, except for the last budget, where min(b, d) exceeds `EIGEN_LIMIT`.
    """
    d = points.shape[1]
    columns = np.zeros((d, d))
    scores = np.full(len(budgets), np.nan)
    done = 0
    for place, budget in enumerate(budgets):
        asked = place == len(budgets) - 1 or min(int(budget), d) <= EIGEN_LIMIT
        if budget <= d:
            scores[place] = vendi_score(points[:budget]) if asked and budget else np.nan
            continue
        new = points[done:budget].astype(np.float64)
        columns += new.T @ new
        done = budget
        if asked:
            scores[place] = _vendi(columns, int(budget))
    return scores


def budget_grid(most: int, count: int) -> np.ndarray:
    """Increasing budgets from near 0 to `most`, denser at the small end where curves bend; int64, at most `count`."""
    parts = np.arange(1, count + 1) / count
    return np.unique(np.ceil(most * parts**2).astype(np.int64))


# ---------------------------------------------------------------------- curves


def nearest_distances(
    points: np.ndarray, order: np.ndarray, budgets: np.ndarray, metric: Metric, visit: Callable[[int, np.ndarray], None]
) -> None:
    """Calls `visit(place, distances)` for every budget, with the distance of every row to the first b picks.

    One pass over the order: n·m·d by matrix products, whatever the number of budgets.

    Args:
        points: `[n, d]`, unit rows for the cosine metric.
        order: int64 `[m]`, rows in pick order; -1 for a pick that has no vector.
        budgets: int64 `[b]`, increasing, ≤ m.
        metric: Of the distances.
        visit: Called with the place of the budget and float64 `[n]`, inf while no pick has a vector.
    """
    tracker = NearestCentres(points)
    done = 0
    for place, budget in enumerate(budgets):
        new = order[done:budget]
        tracker.add(new[new != NO_ROW])
        done = int(budget)
        visit(place, tracker.distances(metric))


def coverage_curves(
    points: np.ndarray,
    order: np.ndarray,
    budgets: np.ndarray,
    *,
    reach: float,
    metric: Metric = "cosine",
    codes: np.ndarray | None = None,
    progress: Progress | None = None,
) -> dict[str, np.ndarray]:
    """All measures of the first b picks, for each budget b.

    Args:
        points: `[n, d]`, unit rows for the cosine metric.
        order: int64 `[m]`, rows in pick order; -1 for a pick that has no vector.
        budgets: int64 `[b]`, increasing, ≤ m.
        reach: Distance up to which a row counts as covered.
        metric: "cosine" or "euclidean".
        codes: int `[m]`, cluster of each pick, negative = none; leave out where there are no clusters.
        progress: Called with the picks added, after each budget.

    Returns:
        Measure → float64 `[b]`.
    """
    curves = {name: np.full(len(budgets), np.nan) for name in (RADIUS, MEAN, *QUANTILES, WITHIN)}

    def visit(place: int, distances: np.ndarray) -> None:
        for name, value in distance_measures(distances, reach).items():
            curves[name][place] = value
        if progress is not None:
            progress(int(budgets[place]))

    nearest_distances(points, order, budgets, metric, visit)
    if codes is not None:
        curves[CLUSTERS] = clusters_reached(codes, np.arange(len(order)), budgets).astype(np.float64)
    present = order != NO_ROW
    directed = unit_rows(points[order[present]])
    # the places of picks that have a direction, so that a budget counts only those
    places = np.flatnonzero(present)[directed.kept]
    curves[VENDI] = vendi_curve(directed.values, np.searchsorted(places, budgets, side="left"))
    return curves


class Coverage(Method):
    """Distances from every row to the nearest selected one, clusters reached and diversity, over the budget.

    Everything is measured for the first k picks, at growing k, and the same for uniform random picks of the same size
    from all rows that have a vector. Reach is by default the median distance that the first random draw leaves at the
    full budget, so that random reaches about half of all rows, whatever the encoder.
    """

    family: ClassVar[str] = "coverage"
    verb: ClassVar[str] = "measure"
    returns: ClassVar[type[Artifact]] = CoverageReport
    title: ClassVar[str] = "Coverage"
    weakness: ClassVar[str] = "Near in the features is not the same as teaching the same; only a trial shows that."
    source: ClassVar[str] = (
        "Covering radius: Gonzalez 1985; Vendi score: Friedman & Dieng, arXiv 2210.02410; the rest is the project's own"
    )

    metric: Metric = Field("cosine", description="cosine compares directions, euclidean the vectors as they are")
    reach: float | None = Field(
        None, ge=0, description="distance up to which a row counts as covered; by default random's median distance"
    )
    steps: int = Field(20, ge=1, le=200, description="budgets on the curve")
    random_draws: int = Field(3, ge=1, le=20, description="random selections to compare with")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the first random draw; the others follow it")

    def measure(
        self, pool: Dataset, runtime: Runtime, *, selection: Selection, features: Features, labels: Labels | None = None
    ) -> CoverageReport:
        """Measures a selection against all rows that have a vector.

        Args:
            pool: The rows.
            runtime: Progress.
            selection: The picks; the curve follows their order.
            features: Vectors of the rows.
            labels: Clusters, if they should be counted; noise is no cluster.

        Returns:
            The measures at the full budget, their curves, and the same for random draws. `info` holds the mean of the
            draws (`random_table`), the reach, the number of clusters, and how many picks or rows have no vector.

        Raises:
            CurationError: nothing is selected, or no row has a usable vector.
        """
        order = np.asarray(selection.order, np.int64)
        if not len(order):
            raise CurationError("the selection is empty", "select at least one row before measuring coverage")
        rows, points = measurable_rows(np.asarray(features.values), np.flatnonzero(~features.missing.mask), self.metric)
        if not len(rows):
            raise CurationError("no row has a usable vector", "look at the step that made the features")
        position = np.full(len(pool), NO_ROW, np.int64)
        position[rows] = np.arange(len(rows))
        codes = None if labels is None else np.asarray(labels.codes)
        budgets = budget_grid(len(order), self.steps)
        draws = [
            np.random.default_rng(self.seed + draw).permutation(len(rows))[: len(order)]
            for draw in range(self.random_draws)
        ]
        reach = self.reach
        if reach is None:
            tracker = NearestCentres(points)
            tracker.add(draws[0])
            reach = float(np.median(tracker.distances(self.metric)))
        total = len(order) * (1 + len(draws))

        def curves_of(picks: np.ndarray, clusters: np.ndarray | None, before: int) -> dict[str, np.ndarray]:
            return coverage_curves(
                points,
                picks,
                budgets,
                reach=reach,
                metric=self.metric,
                codes=clusters,
                progress=lambda done: runtime.progress(before * len(order) + done, total),
            )

        curves = curves_of(position[order], None if codes is None else codes[order], 0)
        random = [
            curves_of(
                np.concatenate([draw, np.full(len(order) - len(draw), NO_ROW, np.int64)]),
                None if codes is None else _codes_of(codes, rows, draw, len(order)),
                1 + number,
            )
            for number, draw in enumerate(draws)
        ]
        names = [name for name in MEASURES if name in curves]
        band = {name: np.stack([each[name] for each in random]) for name in names}
        return CoverageReport(
            pool.fingerprint,
            table={name: float(curves[name][-1]) for name in names},
            budgets=budgets,
            curves={name: curves[name] for name in names},
            random=band,
            info={
                "random_table": {name: float(band[name][:, -1].mean()) for name in names},
                "reach": reach,
                "metric": self.metric,
                "clusters": 0 if codes is None else len(np.unique(codes[codes >= 0])),
                "nested": selection.nested,
                "rows_without_vector": len(pool) - len(rows),
                "picks_without_vector": int((position[order] == NO_ROW).sum()),
            },
        )

    def work(self, size: Size) -> float:
        """Rows × picks × width for each draw."""
        return float(1 + size.rows * max(size.dims, 1) * max(size.count, 1) * (1 + self.random_draws))

    def memory(self, size: Size) -> float:
        """Unit rows, blocks of products and the matrix of the Vendi score."""
        return 96e6 + size.rows * (8.0 * size.dims + 64) + 24.0 * size.dims**2

    def disk(self, size: Size) -> float:
        """The curves."""
        return 8.0 * self.steps * len(MEASURES) * (1 + self.random_draws)


def _codes_of(codes: np.ndarray, rows: np.ndarray, draw: np.ndarray, length: int) -> np.ndarray:
    """Clusters of a draw of usable rows, noise where the draw is shorter than the selection."""
    padded = np.full(length, NO_ROW, np.int64)
    padded[: len(draw)] = codes[rows[draw]]
    return padded
