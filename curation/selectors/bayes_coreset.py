"""A Bayesian coreset: a few weighted rows that say about a linear model what all rows together say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, MethodClass, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.bayes_linear import BayesLinear, bayes_linear
from curation.linalg.distances import finite_points
from curation.linalg.sparse_sum import NO_STEP, REACHED, STEPS, Search, SparseSum, Vectors, fit_weights, sparse_sum
from curation.selectors._build import numbers, selection

Finish = Literal["nnls", "none"]

WEAK_FIT = 0.1
"""Share of the variance explained on rows left out below which the line is no stand-in for anything."""

CARRIED = "the weighted rows say what it says"
ZERO_WEIGHT = "picked on the way, but its fitted weight is 0"
COPY = "identical to a picked row, which is weighted for both"
NO_SCORE = "no score"
NO_VECTOR = "no vector"
NOTHING = "says nothing: its likelihood is the same under every draw"

Progress = Callable[[int, int], None]


class Likelihoods:
    """The log-likelihood of every row under draws from a posterior, centred over the draws, as vectors.

    With r a row's residual at the posterior's mean and t the deviation of a draw's line from the mean there, it is
    −(r − t)² / 2σ². r² is the same in all draws and goes with the centring, so only t·(r − t/2) / σ² is computed. The
    scale is 1 / √draws, which makes inner products covariances under the posterior.

    Args:
        points: `[n, d]`, finite.
        residuals: float64 `[n]`.
        line: The posterior.
        deviations: float64 `[draws, d + 1]`, as `BayesLinear.deviations` gives them.
    """

    def __init__(self, points: np.ndarray, residuals: np.ndarray, line: BayesLinear, deviations: np.ndarray) -> None:
        self._points, self._centre = points, line.centre
        self._residuals = residuals / line.noise
        self._slopes = np.ascontiguousarray(deviations[:, :-1] / line.noise)
        self._shifts = deviations[:, -1] / line.noise

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, draws."""
        return len(self._points), len(self._slopes)

    def block(self, rows: slice) -> np.ndarray:
        """Vectors of some rows, float64 `[b, draws]`, by a matrix product."""
        apart = self._points[rows].astype(np.float64) - self._centre
        return self._vectors(apart @ self._slopes.T, self._residuals[rows])

    def exact(self, rows: np.ndarray) -> np.ndarray:
        """Vectors of some rows, float64 `[c, draws]`, each computed alone."""
        lines = np.empty((len(rows), len(self._slopes)))
        for place, row in enumerate(rows):
            apart = self._points[row].astype(np.float64) - self._centre
            lines[place] = np.einsum("sd,d->s", self._slopes, apart)
        return self._vectors(lines, self._residuals[rows])

    def _vectors(self, lines: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        lines = lines + self._shifts
        vectors = lines * (residuals[:, None] - lines / 2)
        vectors -= vectors.mean(axis=1, keepdims=True)
        return vectors / np.sqrt(vectors.shape[1])


@dataclass(frozen=True)
class Coreset:
    """Weighted rows.

    Args:
        rows: int64 `[k]`, in the order of their first pick.
        weights: float64 `[k]`, above 0: how many rows each stands for.
        dropped: int64, rows picked on the way whose fitted weight is 0.
        error: Distance between the weighted sum of the log-likelihoods and that of all rows.
        path: What the search did; None where every different row is in.
    """

    rows: np.ndarray
    weights: np.ndarray
    dropped: np.ndarray
    error: float
    path: SparseSum | None


def bayes_coreset(
    vectors: Vectors,
    budget: int,
    *,
    search: Search = "frank-wolfe",
    counts: np.ndarray | None = None,
    finish: Finish = "nnls",
    most_steps: int = 2000,
    memory_bytes: float = 1 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Coreset:
    """A few rows with weights ≥ 0 whose log-likelihood comes close to that of all rows (Campbell and Broderick 2019).

    A greedy search picks the rows; then their weights are fitted anew by non-negative least squares, and rows whose
    weight comes out as 0 are dropped. With as many rows allowed as there are, all are taken, each with its count.

    Args:
        vectors: A vector for every row.
        budget: Most rows, ≥ 1.
        search: How rows are picked; see `curation.linalg.sparse_sum.sparse_sum`.
        counts: float64 `[n]`: how often each row is there; once by default.
        finish: "none" leaves the weights of the search.
        most_steps: Steps of the search at most.
        memory_bytes: For a float32 copy of the vectors; without it they are made anew in every step.
        device: Where that copy lies.
        progress: Called with (rows picked, budget).

    Raises:
        CurationError: all vectors are zero, or the weights cannot be fitted.
    """
    n = vectors.shape[0]
    if budget >= n:
        weights = np.ones(n) if counts is None else np.asarray(counts, np.float64)
        return Coreset(np.arange(n), weights, np.empty(0, np.int64), 0.0, None)
    path = sparse_sum(
        vectors,
        budget,
        search=search,
        counts=counts,
        most_steps=most_steps,
        memory_bytes=memory_bytes,
        device=device,
        progress=progress,
    )
    rows, weights, error = path.rows, path.weights, float(path.errors[-1])
    if finish == "nnls":
        picked = vectors.exact(rows)
        weights = fit_weights(picked, path.total)
        error = float(np.linalg.norm(path.total - weights @ picked))
    in_use = weights > 0
    return Coreset(rows[in_use], weights[in_use], rows[~in_use], error, path)


class BayesCoreset(Selector):
    """Few weighted rows that pull a Bayesian linear model where all rows together would.

    A line is fitted that foretells the score (a loss, a judge's mark) from the features, its penalty and noise by the
    highest evidence. Draws from its posterior are the yardstick: a row is what its log-likelihood is under each draw,
    and rows and weights are sought whose weighted sum is the sum of all rows. A greedy search picks, non-negative least
    squares fits the weights. Of the searches Frank-Wolfe is the plain one; GIGA comes much closer with the same number
    of rows, where Frank-Wolfe with few rows may be hardly better than chance. The fact "R² of rows left out" says how
    good the line is; near 0 the choice is that of noise.

    The budget is the most rows: there are fewer where fewer do (`short_by` says why), and never more than `samples`
    − 1 after the weights are fitted, for no more are needed to reach the sum exactly. A weight says how many times its
    row would have to be there; their sum need not be the number of rows. Train with them. Order: largest weight first,
    equal ones by the lowest row; gains are the weights. The order is not nested, for weights belong to a budget.
    Identical rows (vector and score) are one row with a count; where all different rows fit into the budget they are
    taken, weighted by their counts, without any fit.

    Costs rows·width² for the line and rows·samples a step. A copy of rows × samples × 4 bytes is kept where half of the
    memory allowed has room for it (1 GiB by default: 1.3 million rows × 200), else it is made anew in every step, with
    the same result but for its time.
    """

    title: ClassVar[str] = "Bayesian coreset"
    method_class: ClassVar[MethodClass] = "bayesian"
    weakness: ClassVar[str] = (
        "A line on embeddings stands in for the network: where it foretells the score badly the rows are as good as "
        "random ones, and without training by weights they mean little."
    )
    source: ClassVar[str] = (
        "Campbell & Broderick: Hilbert coresets by Frank-Wolfe (2019, arXiv:1710.05053) and GIGA (2018, "
        "arXiv:1802.01737); the line on embeddings and its target are ours"
    )
    purpose: ClassVar[Purpose] = "bayesian"
    when: ClassVar[str] = (
        "To train with weights on few rows that stand for all, where a line on the features foretells a score well."
    )
    eligible_ports: ClassVar[tuple[str, ...]] = ("features", "signal")

    budget: Budget = Field(
        100, description="most rows to pick: a count, a percentage of the eligible rows, or tokens; fewer may do"
    )
    samples: int = Field(
        200,
        ge=2,
        le=20_000,
        description="draws from the posterior; with fitted weights at most one row fewer is picked",
    )
    search: Search = Field(
        "frank-wolfe",
        description="frank-wolfe: steps with the exact line search; giga: on the sphere, closer with as many rows",
    )
    finish: Finish = Field(
        "nnls", description="nnls: fit the weights of the picked rows anew; none: leave those of the search, coarser"
    )
    most_steps: int = Field(
        2000, ge=1, le=1_000_000, description="steps of the search at most; a step may pick a row again"
    )
    column: str | None = Field(None, description="a named column of the score instead of the score", examples=["extra"])
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the draws")

    def select(self, pool: Dataset, ask: Ask, runtime: Runtime, *, features: Features, signal: Score) -> Selection:
        """Pick and weight rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, and how many to pick at most.
            runtime: Device, memory, progress.
            features: Vectors.
            signal: What the line foretells: a loss, a judge's mark. Rows without it are never picked.

        Raises:
            CurationError: no eligible row has a vector and a score, the score does not vary, or it has no such column.
        """
        n = len(pool)
        target = numbers(signal, self.column)
        eligible = np.asarray(ask.eligible, np.int64)
        scored, there = np.isfinite(target), ~features.missing.mask
        rows = eligible[scored[eligible] & there[eligible]]
        if not len(rows):
            raise CurationError("no eligible row has a vector and a score", "look at the steps that made them")
        points, wanted = np.asarray(features.values), min(ask.count, len(eligible))
        points, target = finite_points(points if len(rows) == n else points[rows]), target[rows]
        first, of = _distinct(points, target)
        counts = np.bincount(of).astype(np.float64)
        exact = len(first) <= wanted
        line: BayesLinear | None = None
        if exact:
            found = Coreset(np.arange(len(first)), counts, np.empty(0, np.int64), 0.0, None)
        else:
            if target.min() == target.max():
                raise CurationError(
                    f"the score '{signal.name}' is {target[0]:g} in all {len(rows):,} rows", "use a score that varies"
                )
            line = bayes_linear(
                points, target, progress=lambda i, m: runtime.progress(i, m, "rows passed for the line")
            )
            vectors = Likelihoods(
                points if len(first) == len(rows) else points[first],
                line.residuals[first],
                line,
                line.deviations(self.samples, self.seed),
            )
            found = bayes_coreset(
                vectors,
                wanted,
                search=self.search,
                counts=counts,
                finish=self.finish,
                most_steps=self.most_steps,
                memory_bytes=runtime.memory_bytes / 2,
                device=runtime.device,
                progress=lambda done, total: runtime.progress(done, total, "rows picked"),
            )
        by_weight = np.lexsort((first[found.rows], -found.weights))
        picks, weights = found.rows[by_weight], found.weights[by_weight]

        codes = np.where(scored, np.where(there, 1, 5), 4)
        codes[rows[first[found.dropped]]] = 2
        if found.path is not None:
            codes[rows[first[found.path.zero]]] = 6
        stands = np.full(len(first), NO_ROW, np.int64)
        stands[picks] = rows[first[picks]]
        copies = (first[of] != np.arange(len(rows))) & (stands[of] != NO_ROW)
        codes[rows[copies]] = 3
        covered_by, distance = np.full(n, NO_ROW, np.int64), np.full(n, np.nan)
        covered_by[rows[copies]], distance[rows[copies]] = stands[of[copies]], 0.0
        short_by = wanted - len(picks)
        return selection(
            pool,
            ask,
            rows[first[picks]],
            stages=(CARRIED, ZERO_WEIGHT, COPY, NO_SCORE, NO_VECTOR, NOTHING),
            codes=codes,
            gains=weights,
            weights=weights,
            covered_by=covered_by,
            distance=distance,
            short_by=short_by,
            short_reason=self._short(found, len(eligible) - len(rows), len(rows) - len(first)) if short_by else "",
            info=self._facts(found, line, signal, len(rows), len(first)),
        )

    def _short(self, found: Coreset, unusable: int, copies: int) -> str:
        """Why there are fewer rows than the budget."""
        if found.path is None:
            facts = {"rows have no score or no vector": unusable, "rows are identical to one that is picked": copies}
            return "; ".join(f"{count:,} {what}" for what, count in facts.items() if count)
        reasons = []
        if found.path.ended in (REACHED, NO_STEP):
            reasons.append(f"{len(found.path.rows):,} rows do: {found.path.ended}")
        elif found.path.ended == STEPS:
            reasons.append(f"the {self.most_steps:,} steps ended at {len(found.path.rows):,} different rows")
        if len(found.dropped):
            reasons.append(f"{len(found.dropped):,} picked rows got the weight 0 when the weights were fitted")
        if len(found.path.rows) >= self.samples and self.finish == "nnls":
            reasons.append(f"a sum over {self.samples:,} draws needs {self.samples - 1:,} rows at most: raise samples")
        return "; ".join(reasons)

    def _facts(
        self, found: Coreset, line: BayesLinear | None, signal: Score, rows: int, different: int
    ) -> dict[str, Any]:
        """What is worth showing: how good the line is, how close the weighted rows come, and warnings."""
        facts: dict[str, Any] = {
            "signal": signal.name,
            "rows": rows,
            "different rows": different,
            "sum of the weights": float(found.weights.sum()),
            "error": found.error,
        }
        if line is None or found.path is None:
            return {**facts, "notes": ["every different row is in, weighted by its copies: no line was needed"]}
        before = float(np.linalg.norm(found.path.total))
        facts |= {
            "R² of rows left out": line.loo_r2,
            "R²": line.r2,
            "penalty": line.penalty,
            "noise": line.noise,
            "draws": self.samples,
            "error without rows": before,
            "error of the search": float(found.path.errors[-1]),
            "error left, share": found.error / before if before > 0 else 0.0,
            "errors of the search": [float(error) for error in found.path.errors],
            "steps": len(found.path.picks),
            "ended": found.path.ended,
            "vectors kept in memory": found.path.in_memory,
        }
        notes = []
        if not line.loo_r2 > WEAK_FIT:
            notes.append(
                f"the line foretells {max(line.loo_r2, 0):.1%} of the score's variance on rows left out: it says "
                "little about this score, and so does this choice"
            )
        if found.error > before:
            notes.append("the weighted rows are farther from the sum than no rows are: use finish: nnls, or more rows")
        return {**facts, "notes": notes}

    def work(self, size: Size) -> float:
        """Multiply-adds: the line, the vectors, and at least a step for every pick."""
        width = float(max(size.dims, 1))
        return size.rows * (2 * width**2 + self.samples * (width + size.count) + 1) + 3 * width**3 + 1

    def memory(self, size: Size) -> float:
        """A copy of the vectors, at most half of the memory allowed, one of the features, and matrices."""
        width = float(max(size.dims, 1))
        return 64e6 + min(4.0 * size.rows * self.samples, 1 << 30) + size.rows * (4 * width + 200) + 24 * width**2


def _distinct(points: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of every set of identical rows (vector and target), int64 `[m]`, increasing, and every row's set."""
    first: list[int] = []
    seen: dict[bytes, int] = {}
    of = np.empty(len(points), np.int64)
    for row in range(len(points)):
        # + 0.0 makes -0 and 0 the same bytes
        content = (points[row] + 0.0).tobytes() + (target[row] + 0.0).tobytes()
        place = seen.setdefault(hashlib.blake2b(content, digest_size=16).digest(), len(first))
        if place == len(first):
            first.append(row)
        of[row] = place
    return np.array(first, np.int64), of
