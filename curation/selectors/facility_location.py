"""Facility location: rows such that every row has a picked one that is similar to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Neighbours, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.whole_similarity import Similarity
from curation.selectors._facility import Pairs, cover, ground, how, spread

Method = Literal["lazy", "stochastic"]
Progress = Callable[[int, int], None]


def facility_location(
    points: np.ndarray | None,
    budget: int,
    *,
    neighbours: Neighbours | None = None,
    candidates: np.ndarray | None = None,
    similarity: Similarity = "shifted",
    method: Method = "lazy",
    epsilon: float = 0.05,
    seed: int = 0,
    known: np.ndarray | None = None,
    memory_bytes: int = 2 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row that adds most to f(S) = Σ_i max_{j in S} w_ij.

    w is (1 + cos) / 2 or max(0, cos). f is monotone and submodular, so the greedy's value is at least 1 − 1/e = 63.2 %
    of the best possible one (Nemhauser, Wolsey and Fisher 1978). `lazy` (Minoux 1978) is exact: its picks equal those
    of the loop that measures every row anew before each pick, ties to the lowest row. `stochastic` (Mirzasoleiman et
    al. 2015) looks at a random sample of ⌈n/k · ln(1/ε)⌉ rows before each pick, and is at least 1 − 1/e − ε of the best
    in expectation. Here it is not faster as a rule, since the exact way takes about one pass over all pairs too.

    For unit vectors every rising linear function of the cosine, such as a largest squared Euclidean distance minus the
    squared distance, gives the picks of "shifted".

    Costs about n²·d/2 multiply-adds where the pairs left after the first pick fit into memory, else a few times that;
    with `neighbours` about the number of pairs of the graph. Sums are exact (`curation.linalg.facility`): neither
    memory nor threads nor device can change a pick.

    Args:
        points: `[n, d]`, every row finite and of a length above zero; None with `neighbours`.
        budget: How many rows to pick, ≥ 1.
        neighbours: Cosine graph of the n rows: only a row's nearest count for it (and itself, with w = 1), all other
            pairs are 0. Instead of `points`; for pools too large for n² pairs.
        candidates: int64, increasing: rows that may be picked; default all. All rows are covered.
        similarity: "shifted" or "clipped".
        method: "lazy" or "stochastic".
        epsilon: For stochastic, above 0 and below 1 − 1/e.
        seed: For stochastic.
        known: int64: the first picks of an earlier run with the same arguments; they are taken over unexamined.
        memory_bytes: For pairs held at once, 6 bytes each. Changes speed, never picks.
        device: Where matrix products run.
        progress: Called with (picks made, budget).

    Returns:
        A Selection with min(budget, candidates) picks; `gains` is what each added to f; `covered_by` is for every row
        its most similar pick (the earliest of equals; -1 where all are of similarity 0), `distance` 1 − cos to it;
        `info` has f ("value"), f/n ("mean similarity") and the guarantee.

    Raises:
        DataError: rows without a direction.
        CurationError: wrong arguments.
    """
    if not 0 < epsilon < 1 - np.exp(-1):
        raise CurationError(f"epsilon {epsilon} guarantees nothing", "use a number above 0 and below 0.632")
    n = len(points) if points is not None else len(neighbours or ())
    eligible = n if candidates is None else len(candidates)
    draw = None
    if method == "stochastic" and budget >= 1:
        size = max(1, int(np.ceil(eligible / min(budget, max(1, eligible)) * np.log(1 / epsilon))))
        from curation.linalg.facility import Draw  # loads numba

        draw = Draw(size, np.random.default_rng(seed))
    found = cover(
        points,
        budget,
        neighbours=neighbours,
        candidates=candidates,
        similarity=similarity,
        known=known if draw is None else None,
        draw=draw,
        memory_bytes=memory_bytes,
        device=device,
        progress=progress,
    )
    share = 1 - np.exp(-1) - (epsilon if draw else 0)
    facts = {"guarantee": f"at least {share:.3f} of the best possible value" + (", in expectation" if draw else "")}
    return dataclasses.replace(found, info={**found.info, **facts, **({"sample": draw.size} if draw else {})})


class FacilityLocation(Selector):
    """Rows that stand for the whole pool: every row has a picked one as similar to it as possible, on average.

    Gains are what a pick adds to the sum of similarities (each row's to its most similar pick), never increasing. A row
    that is out is covered by its most similar pick, at the cosine distance shown.
    """

    title: ClassVar[str] = "Facility location"
    weakness: ClassVar[str] = (
        "Follows density: common topics get most picks and rare ones few or none; it knows nothing of quality."
    )
    source: ClassVar[str] = (
        "Greedy: Nemhauser, Wolsey & Fisher 1978; lazy: Minoux 1978; "
        "stochastic: Mirzasoleiman et al. 2015, Lazier than lazy greedy, arXiv 1409.7938"
    )
    nested: ClassVar[bool] = True
    purpose: ClassVar[Purpose] = "coverage"
    when: ClassVar[str] = "When a few rows should represent the pool as it is, its common topics in proportion."

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    similarity: Similarity = Field(
        "shifted", description="shifted: (1 + cosine) / 2; clipped: the cosine, negative ones count as 0"
    )
    pairs: Pairs = Field(
        "all",
        description="all: every pair of rows; neighbours: only pairs of the graph, for pools too large for all",
    )
    cover: Literal["eligible", "pool"] = Field(
        "eligible", description="which rows are to be represented: those that may be picked, or the whole pool"
    )
    method: Method = Field(
        "lazy", description="lazy is exact and nested; stochastic looks at a random sample before each pick"
    )
    epsilon: float = Field(
        0.05,
        gt=0,
        le=0.5,
        allow_inf_nan=False,
        description="for stochastic: what the guarantee may lose; sets the sample",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="for stochastic")

    def is_nested(self) -> bool:
        """The sample of stochastic greedy depends on the budget."""
        return self.method == "lazy"

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        neighbours: Neighbours | None = None,
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Memory, device, progress.
            features: Vectors. Rows whose vector has no direction are neither picked nor covered.
            neighbours: Cosine graph of them, for pairs: neighbours.

        Raises:
            CurationError: the graph is needed and missing, or no eligible row can be measured.
        """
        base = ground(np.asarray(ask.eligible, np.int64), self.pairs, features, neighbours, whole=self.cover == "pool")
        found = facility_location(
            base.points,
            ask.count,
            neighbours=base.graph,
            candidates=None if len(base.candidates) == len(base.rows) else base.candidates,
            similarity=self.similarity,
            method=self.method,
            epsilon=self.epsilon,
            seed=self.seed,
            known=None if ask.known is None else np.searchsorted(base.rows, ask.known),
            **how(runtime),
        )
        return spread(found, base, pool, ask, self.pairs, more_out={})

    def work(self, size: Size) -> float:
        """Multiply-adds of one pass over all pairs; from a graph about its pairs."""
        pairs = float(size.rows) * (size.rows if self.pairs == "all" else 16)
        return 1.0 + pairs * (max(size.dims, 1) if self.pairs == "all" else 1)

    def memory(self, size: Size) -> float:
        """Rows on the grid in float64, tiles, and the pairs that count: up to what the run may take."""
        left = min(2.0**31, 2.0 * float(size.rows) ** 2) if self.pairs == "all" else 256.0 * size.rows
        return 128e6 + 20.0 * size.rows * max(size.dims, 1) + left
