"""A few vectors with weights whose sum is close to the sum of all: two greedy searches, and a fit of the weights.

As everywhere in this package decisions are made on exact numbers: which vector comes next is decided on values in
float64 that depend on that vector alone, whatever the block size or the device. Products in float32 only rule out the
vectors that cannot come first; their rounding error is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from curation.core.errors import CurationError
from curation.linalg.products import full_precision

Search = Literal["giga", "frank-wolfe"]

ROW_BLOCK = 4096
EXACT_BLOCK = 1024
ZERO = 1e-12
"""A vector shorter than this share of the longest, or a sum shorter than this share of all lengths, is rounding."""

DONE = 1e-9
"""The sum is reached when no more than this share of its length is missing."""

PARALLEL = 1e-12
"""Where the squared sine of two directions is below this, there is no way from one towards the other."""

REACHED = "the sum of all rows is reached"
NO_STEP = "no row brings the sum closer"
FULL = "the budget is used up"
STEPS = "the steps are used up"

Progress = Callable[[int, int], None]


class Vectors(Protocol):
    """Vectors `[n, s]` that need not be in memory."""

    @property
    def shape(self) -> tuple[int, int]:
        """Their number and their width."""

    def block(self, rows: slice) -> np.ndarray:
        """Some of them, float64 `[b, s]`, as fast as can be."""

    def exact(self, rows: np.ndarray) -> np.ndarray:
        """Some of them, float64 `[c, s]`, each computed alone: equal rows give equal numbers."""


class Given:
    """Vectors that are in memory, float64 `[n, s]`."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.ascontiguousarray(values, np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """Their number and their width."""
        return (len(self.values), self.values.shape[1])

    def block(self, rows: slice) -> np.ndarray:
        """Some of them."""
        return self.values[rows]

    def exact(self, rows: np.ndarray) -> np.ndarray:
        """Some of them."""
        return self.values[rows]


@dataclass(frozen=True)
class SparseSum:
    """What a search found.

    Args:
        rows: int64 `[k]`, in the order in which they were first picked.
        weights: float64 `[k]`, ≥ 0.
        picks: int64 `[steps]`, the row of every step.
        errors: float64 `[steps]`, distance between the weighted sum and the sum of all after every step; it never
            grows.
        total: float64 `[s]`, the sum of all.
        zero: int64, vectors that are zero, which are never picked.
        ended: Why it stopped.
        in_memory: True when the float32 copy was kept, False when it was made anew for every step.
    """

    rows: np.ndarray
    weights: np.ndarray
    picks: np.ndarray
    errors: np.ndarray
    total: np.ndarray
    zero: np.ndarray
    ended: str
    in_memory: bool


def sparse_sum(
    vectors: Vectors,
    budget: int,
    *,
    search: Search = "frank-wolfe",
    counts: np.ndarray | None = None,
    most_steps: int = 2000,
    memory_bytes: float = 1 << 30,
    device: str = "cpu",
    block: int = ROW_BLOCK,
    progress: Progress | None = None,
) -> SparseSum:
    """Picks vectors u_i and weights w_i ≥ 0 such that Σ w_i u_i comes close to L = Σ u_i.

    "frank-wolfe" (Campbell and Broderick 2019): with the lengths n_i = ‖u_i‖ and N = Σ n_i, weights are kept at
    Σ w_i n_i = N. The first pick f has the largest ⟨L, u_f⟩ / n_f and gets all of it, w_f = N / n_f. Every further step
    picks the f with the largest ⟨L − u(w), u_f⟩ / n_f and moves towards (N / n_f) u_f by the exact line search: γ =
    ⟨d, L − u(w)⟩ / ‖d‖², cut to [0, 1], with d = (N / n_f) u_f − u(w). Where the rows cancel one another, N is much
    more than ‖L‖, and many steps go by before the error is below ‖L‖, that of no rows at all.

    "giga" (Campbell and Broderick 2018) does the same on the sphere: y is the direction of the weighted sum, and a step
    picks the f towards whose direction the way from y leads most towards that of L, and goes along it as far as the
    angle to L falls; the length comes last. It needs far fewer rows.

    Equal values go to the lowest row. A row may be picked again, so there are no more rows than steps. Either stops
    where a step would need one row more than `budget`, where nothing is missing or nothing can be gained, or after
    `most_steps`. Weights at the end are better fitted anew by `fit_weights`.

    Cost: n·s per step. A float32 copy of the vectors, n·s·4 bytes, is kept where `memory_bytes` allows; otherwise the
    vectors are made anew block by block in every step, with the same result.

    Args:
        vectors: n of them, of width s.
        budget: Most rows picked, ≥ 1.
        search: See above.
        counts: float64 `[n]`: how often each vector is in the sum; once by default.
        most_steps: ≥ 1.
        memory_bytes: For the float32 copy.
        device: Where the float32 copy lies, if not "cpu".
        block: Rows worked on at once.
        progress: Called with (rows picked, budget).

    Raises:
        CurationError: all vectors are zero, or their sum is.
    """
    n, width = vectors.shape
    times = np.ones(n) if counts is None else np.asarray(counts, np.float64)
    kept = np.empty((n, width), np.float32) if 4.0 * n * width <= memory_bytes else None
    lengths, total = np.empty(n), np.zeros(width)
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        values = vectors.block(rows)
        lengths[rows] = np.sqrt(np.einsum("ij,ij->i", values, values))
        total += times[rows] @ values
        if kept is not None:
            kept[rows] = _unit(values, lengths[rows])
    there = lengths > ZERO * lengths.max(initial=0.0)
    if not there.any():
        raise CurationError("all vectors are zero", "there is nothing to tell rows apart by; look at the score")
    sum_of_lengths = float((times * lengths)[there].sum())
    if np.linalg.norm(total) <= ZERO * sum_of_lengths:
        raise CurationError("the vectors add up to zero", "no rows at all say the same as all rows; use other inputs")
    screen = _Screen(vectors, lengths, there, kept, device, block)
    state: _State = _Geodesic(total) if search == "giga" else _FrankWolfe(total, sum_of_lengths)

    place: dict[int, int] = {}
    weights = np.zeros(min(budget, n))
    picks: list[int] = []
    errors: list[float] = []
    ended = STEPS
    while len(picks) < most_steps:
        if picks and errors[-1] <= DONE * state.target:
            ended = REACHED
            break
        row, vector = screen.best(*state.directions())
        if row not in place and len(place) == budget:
            ended = FULL
            break
        step = None if row < 0 else state.step(vector)
        if step is None or (picks and step.error >= errors[-1]):  # what is left to gain is no more than rounding
            ended = NO_STEP
            break
        state.now = step.now
        weights *= step.keep
        weights[place.setdefault(row, len(place))] += step.add
        picks.append(row)
        errors.append(step.error)
        if progress is not None:
            progress(len(place), budget)
    return SparseSum(
        np.array(list(place), np.int64),
        weights[: len(place)] * state.scale(),
        np.array(picks, np.int64),
        np.array(errors),
        total,
        np.flatnonzero(~there),
        ended,
        kept is not None,
    )


def fit_weights(vectors: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The weights ≥ 0 with which some vectors come closest to a sum: non-negative least squares.

    No more of them are above 0 than the vectors have dimensions.

    Args:
        vectors: float64 `[k, s]`, none of them zero.
        total: float64 `[s]`.

    Returns:
        float64 `[k]`.

    Raises:
        CurationError: the solver does not converge.
    """
    from scipy.optimize import nnls

    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    scale = float(np.linalg.norm(total)) or 1.0
    try:
        found, _ = nnls((vectors / lengths[:, None]).T, total / scale, maxiter=100 + 30 * len(vectors))
    except RuntimeError as error:
        raise CurationError(
            f"the weights of {len(vectors):,} rows could not be fitted: {error}",
            "use finish: none, or a smaller budget",
        ) from None
    return found * scale / lengths


# ---------------------------------------------------------------------- the two searches


class _Step(NamedTuple):
    """A step: factor of the weights there are, weight added to the picked row, state and error afterwards."""

    keep: float
    add: float
    now: np.ndarray
    error: float


class _State(Protocol):
    """Where a search stands. `now` is what the picked rows make, `target` the length of the sum of all."""

    now: np.ndarray
    target: float

    def directions(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Unit vectors: that in which the next vector has to point, and that in which its part does not count."""

    def step(self, vector: np.ndarray) -> _Step | None:
        """The step towards a vector; None where there is no way."""

    def scale(self) -> float:
        """Factor of the weights at the end."""


class _FrankWolfe:
    def __init__(self, total: np.ndarray, sum_of_lengths: float) -> None:
        self._total, self._sum_of_lengths = total, sum_of_lengths
        self.now, self._begun = np.zeros(len(total)), False
        self.target = float(np.linalg.norm(total))

    def directions(self) -> tuple[np.ndarray, np.ndarray | None]:
        missing = self._total - self.now
        return missing / np.linalg.norm(missing), None

    def step(self, vector: np.ndarray) -> _Step | None:
        share = self._sum_of_lengths / _length(vector)
        toward, missing = share * vector - self.now, self._total - self.now
        # the first step is all the way, for the weights have their sum from then on
        size = float(np.clip(toward @ missing / (toward @ toward), 0, 1)) if self.now.any() else 1.0
        moved = self.now + size * toward
        return _Step(1 - size, size * share, moved, float(np.linalg.norm(self._total - moved)))

    def scale(self) -> float:
        return 1.0


class _Geodesic:
    """Here `now` is a unit vector, or zero at the beginning, and the weights make it; they get their length at last."""

    def __init__(self, total: np.ndarray) -> None:
        self._total, self.target = total, float(np.linalg.norm(total))
        self._aim, self.now = total / self.target, np.zeros(len(total))

    def directions(self) -> tuple[np.ndarray, np.ndarray | None]:
        if not self.now.any():
            return self._aim, None
        away = self._aim - (self._aim @ self.now) * self.now
        return away / np.linalg.norm(away), self.now

    def step(self, vector: np.ndarray) -> _Step | None:
        length = _length(vector)
        unit = vector / length
        size = 1.0
        if self.now.any():
            with_unit, with_now, between = self._aim @ unit, self._aim @ self.now, unit @ self.now
            gained, left = with_unit - with_now * between, with_now - with_unit * between
            if gained <= 0 or gained + left <= 0:
                return None
            size = float(np.clip(gained / (gained + left), 0, 1))
        moved = (1 - size) * self.now + size * unit
        size_of_moved = float(np.linalg.norm(moved))
        moved /= size_of_moved
        error = float(np.linalg.norm(self._total - (self._total @ moved) * moved))
        return _Step((1 - size) / size_of_moved, size / (size_of_moved * length), moved, error)

    def scale(self) -> float:
        return max(float(self._total @ self.now), 0.0)


# ---------------------------------------------------------------------- finding the next vector


def _length(vector: np.ndarray) -> float:
    return float(np.sqrt(np.einsum("j,j->", vector, vector)))


def _unit(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Rows of length 1 in float32; zeros where they have none."""
    return (values / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)


class _Screen:
    """Finds the vector that points most in a direction."""

    def __init__(
        self,
        vectors: Vectors,
        lengths: np.ndarray,
        there: np.ndarray,
        kept: np.ndarray | None,
        device: str,
        block: int,
    ) -> None:
        self._vectors, self._lengths, self._gone = vectors, lengths, np.flatnonzero(~there)
        self._kept, self._block = kept, block
        # of a cosine: two unit vectors rounded to float32, and a product of that length summed in any order
        self._slack = 2 * (vectors.shape[1] + 16) * float(np.finfo(np.float32).eps)
        self._on_device: Any = None
        if kept is not None and device != "cpu":
            import torch

            self._on_device = torch.from_numpy(kept).to(device)

    def best(self, direction: np.ndarray, aside: np.ndarray | None) -> tuple[int, np.ndarray]:
        """The row whose vector has the largest cosine with `direction`, and the vector; the lowest among equals.

        Args:
            direction: Unit vector float64 `[s]`.
            aside: Unit vector float64 `[s]` at a right angle to it: the part of vectors along it is taken away before
                the cosine is measured.

        Returns:
            The row, -1 if every vector is parallel to `aside`, and its vector.
        """
        rough = self._cosines(direction)
        if aside is None:
            low, high = rough - self._slack, rough + self._slack
        else:
            along = np.abs(self._cosines(aside))
            widest = np.sqrt(np.maximum(1 - np.maximum(along - self._slack, 0) ** 2, PARALLEL))
            narrowest = np.sqrt(np.maximum(1 - np.minimum(along + self._slack, 1) ** 2, PARALLEL))
            low, high = rough - self._slack, rough + self._slack
            low /= np.where(low > 0, widest, narrowest)
            high /= np.where(high > 0, narrowest, widest)
            low[narrowest <= np.sqrt(self._slack)] = -np.inf  # it may be parallel, and drop out
        low[self._gone] = high[self._gone] = -np.inf
        rows = np.flatnonzero((high >= low.max()) & (high > -np.inf))
        found, highest = (-1, np.empty(0)), -np.inf
        for start in range(0, len(rows), EXACT_BLOCK):
            some = rows[start : start + EXACT_BLOCK]
            exact = self._vectors.exact(some)
            squared = np.einsum("ij,ij->i", exact, exact)
            values = np.einsum("ij,j->i", exact, direction)
            if aside is not None:
                left = 1 - np.einsum("ij,j->i", exact, aside) ** 2 / squared
                values = np.where(left > PARALLEL, values, -np.inf)
                squared = squared * np.maximum(left, PARALLEL)
            values = values / np.sqrt(squared)
            place = int(values.argmax())  # the first of equals: the lowest row
            if values[place] > highest:
                found, highest = (int(some[place]), exact[place].copy()), float(values[place])
        return found

    def _cosines(self, direction: np.ndarray) -> np.ndarray:
        """Cosine of every vector with a unit direction, float64 `[n]` made of float32."""
        narrow = direction.astype(np.float32)
        if self._on_device is not None:
            import torch

            with full_precision():
                there = torch.from_numpy(narrow).to(self._on_device.device)
                return (self._on_device @ there).cpu().numpy().astype(np.float64)
        if self._kept is not None:
            return (self._kept @ narrow).astype(np.float64)
        rough = np.empty(self._vectors.shape[0])
        for start in range(0, len(rough), self._block):
            rows = slice(start, start + self._block)
            rough[rows] = _unit(self._vectors.block(rows), self._lengths[rows]) @ narrow
        return rough
