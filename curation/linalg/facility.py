"""Facility location: rows that are, for every row, a similar one; by the greedy of Nemhauser, Wolsey and Fisher.

The value of some picks is the sum, over the covered rows, of the similarity to the most similar pick. Each step takes
the candidate that adds most to it.

Convention of this module: a similarity is a **whole number** of 2^-30. Unit rows are rounded to a grid of 2^-26, on
which a matrix product in float64 has no rounding error, in whatever order it is summed; the similarity is that product
rounded once (within a few 1e-8 of the one of the unrounded rows), and 1 from 1 − 1.2e-7 on, so that every row is
exactly 1 to itself. Sums of whole numbers have no error either. So the gains here are exact, equal ones are equal (of
two rows that would cover only each other, for instance), and neither blocks nor threads nor devices can change a pick.

Why it is fast: after the first pick most pairs do not count any more, because the row is covered better than the pair
would; on 10,000 real rows 30 % of the pairs are left after one pick, 6 % after five, 0.2 % after two hundred. One pass
over all similarities writes down the pairs that are left, per candidate, as soon as they fit into memory (with where
each candidate's begin, 12 bytes for every 1,008 pairs of rows). From there on a gain costs a short list, and lists get
shorter whenever they are read.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np

from curation.core.artifacts import NO_ROW
from curation.linalg.facility_kernels import (
    flip,
    gain_in_lists,
    keep,
    measure,
    pick_lazily,
    take_list,
    take_row,
    to_whole,
)
from curation.linalg.whole_similarity import NEARLY_ONE, ONE, Similarity

log = logging.getLogger(__name__)

GRID = np.float32(2.0**26)
TILE = 1008  # candidates × covered rows in one product of a pass over all pairs; powers of two would share cache lines
ROW_BLOCK = 64  # candidates whose gain is measured at once between passes; doubled while it is not enough
MOST_ROWS = 2048
ROW_VALUES = 1 << 24  # similarities of whole rows held at once
FEW_PAIRS = 1 << 22  # up to so many pairs are written before the first pick, when nearly all still count
PAIR_BYTES = 6
PIECE_BYTES = 12  # of a candidate's list of each tile: where it begins, and how long it is
LIST_SHARE = 0.8  # of the memory allowed, for the pairs that are left
STEPS_BETWEEN_REPORTS = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Facilities:
    """What the greedy picked.

    Args:
        order: int64 `[k]`, candidates in pick order.
        gains: int64 `[k]`, what each added to the value, in units of 1 / ONE.
        best: int32 `[c]`, similarity of every covered row to the most similar pick, in the same unit.
        by: int64 `[c]`, that pick, the earliest of equals; -1 where no pick has a similarity above 0.
    """

    order: np.ndarray
    gains: np.ndarray
    best: np.ndarray
    by: np.ndarray

    @property
    def value(self) -> float:
        """Σ over the covered rows of the similarity to the most similar pick."""
        return int(self.best.sum(dtype=np.int64)) / ONE


@dataclass
class Lists:
    """The pairs that count, per candidate, in s pieces each.

    Args:
        starts: int64 `[m, s]`, where a piece begins in `rows` and `weights`.
        lengths: int32 `[m, s]`.
        rows: Integers, covered rows, counted from width · piece.
        weights: int32, similarities.
        width: Covered rows of a piece.
    """

    starts: np.ndarray
    lengths: np.ndarray
    rows: np.ndarray
    weights: np.ndarray
    width: int

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
        """As the compiled functions want them."""
        return self.starts, self.lengths, self.rows, self.weights, self.width


def on_grid(unit: np.ndarray) -> np.ndarray:
    """Unit rows times 2^26, rounded to whole numbers; float32 holds them exactly.

    Args:
        unit: float32 `[n, d]`, of length 1.
    """
    # entries above 1/4 lose no bit either: float32 there is coarser than the grid
    return np.rint(unit * GRID)


class Points:
    """Similarities of rows, computed when asked for.

    Args:
        cover: Unit rows float32 `[c, d]`, to be covered.
        candidates: Unit rows float32 `[m, d]`, to pick from; None = the same rows.
        similarity: "shifted" or "clipped".
        device: "cpu", or a device of torch ("cuda") for the products; those of MPS, which lacks float64, stay on CPU.
        memory_bytes: Up to a quarter of it holds the rows in float64, else they are widened again for each product.
    """

    def __init__(
        self,
        cover: np.ndarray,
        candidates: np.ndarray | None = None,
        *,
        similarity: Similarity = "shifted",
        device: str = "cpu",
        memory_bytes: int = 2 << 30,
    ) -> None:
        self.same = candidates is None
        self.shifted = similarity == "shifted"
        self.device = "cpu" if device.startswith("mps") else device
        self.left = self._placed(on_grid(cover), memory_bytes)
        self.right = self.left if candidates is None else self._placed(on_grid(candidates), memory_bytes)
        self.covered, self.candidates = len(self.left), len(self.right)

    def _placed(self, grid: np.ndarray, memory_bytes: int) -> Any:
        if self.device != "cpu":
            import torch

            return torch.from_numpy(grid).to(self.device, torch.float64)
        return grid.astype(np.float64) if 2 * grid.nbytes <= memory_bytes // 4 else grid

    def tile(self, candidates: np.ndarray | slice, covered: slice, room: Room) -> np.ndarray:
        """Similarities int32 `[r, k]` of some candidates to some covered rows; overwritten by the next call."""
        if self.device != "cpu":
            import torch

            some = torch.from_numpy(candidates).to(self.device) if isinstance(candidates, np.ndarray) else candidates
            on_device = self.right[some] @ self.left[covered].T
            on_device = (on_device + 2.0**52) * 2.0**-23 if self.shifted else on_device * 2.0**-22
            on_device = on_device.round_().clamp_(min=0)
            on_device[on_device >= NEARLY_ONE] = ONE
            return on_device.to(torch.int32).cpu().numpy()
        right = self.right[candidates].astype(np.float64, copy=False)
        left = self.left[covered].astype(np.float64, copy=False)
        products = room.array("products", (len(right), len(left)), np.float64)
        np.matmul(right, left.T, out=products)
        out = room.array("tile", products.shape, np.int32)
        to_whole(products, self.shifted, out)
        return out

    def rows(self, candidates: np.ndarray) -> np.ndarray:
        """Similarities int32 `[r, c]` of some candidates to all covered rows."""
        out, room = np.empty((len(candidates), self.covered), np.int32), Room()
        for start in range(0, self.covered, TILE):
            out[:, start : start + TILE] = self.tile(candidates, slice(start, start + TILE), room)
        return out

    def first_bounds(self) -> np.ndarray | None:
        """Upper bounds, float64 `[m]`, of the gains while nothing is picked; O(n·d), for shifted similarities only."""
        if not self.shifted:
            return None
        left, right = self.left, self.right
        if self.device != "cpu":
            left, right = left.cpu().numpy(), right.cpu().numpy()
        total = left.sum(axis=0, dtype=np.float64)
        products = np.empty(self.candidates)
        for start in range(0, self.candidates, TILE):
            products[start : start + TILE] = right[start : start + TILE].astype(np.float64, copy=False) @ total
        # a product of grid rows is at most 2^26·√d beyond ±2^52, which is 8·√d units, cut off where below 0; rounding
        # adds half a unit, being nearly 1 up to 128, and the float64 sums here less than one per row
        slack = self.covered * (16 * np.sqrt(left.shape[1]) + 160)
        return (self.covered * 2.0**52 + products) * 2.0**-23 + slack


class Room:
    """Arrays that are used again and again, because fresh memory for every tile costs as much as a narrow product."""

    def __init__(self) -> None:
        self._kept: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """An array with any content, C-contiguous."""
        size = int(np.prod(shape))
        if name not in self._kept or len(self._kept[name]) < size:
            self._kept[name] = np.empty(size, dtype)
        return self._kept[name][:size].reshape(shape)


class Graph:
    """Similarities of the pairs of a nearest-neighbour graph; all others are 0, that of a row to itself is 1.

    A pair counts where the covered row has the candidate among its nearest, not the other way round.

    Args:
        indices: int `[c, k]`, the nearest of each covered row; -1 = none. All rows are candidates.
        cosines: float `[c, k]`, cosines of these pairs.
        similarity: "shifted" or "clipped".
    """

    def __init__(self, indices: np.ndarray, cosines: np.ndarray, *, similarity: Similarity = "shifted") -> None:
        n, k = indices.shape
        self.covered = self.candidates = n
        cosine = np.asarray(cosines, np.float64)
        whole = np.rint(np.clip((1 + cosine) / 2 if similarity == "shifted" else cosine, 0, 1) * ONE)
        whole[whole >= NEARLY_ONE] = ONE
        row, place = np.nonzero((indices >= 0) & (whole > 0))
        candidates = np.concatenate([np.arange(n), indices[row, place]])
        by_candidate = np.argsort(candidates, kind="stable")
        self.counts = np.bincount(candidates, minlength=n)
        self._rows = np.concatenate([np.arange(n), row])[by_candidate].astype(np.int32)
        self._weights = np.concatenate([np.full(n, ONE), whole[row, place]])[by_candidate].astype(np.int32)

    def lists(self) -> Lists:
        """All pairs, one piece a candidate; fresh arrays that may be changed."""
        starts = np.cumsum(self.counts) - self.counts
        return Lists(
            starts[:, None].astype(np.int64),
            self.counts[:, None].astype(np.int32),
            self._rows.copy(),
            self._weights.copy(),
            self.covered,
        )

    def rows(self, candidates: np.ndarray) -> np.ndarray:
        """Similarities int32 `[r, c]` of some candidates to all covered rows."""
        out = np.zeros((len(candidates), self.covered), np.int32)
        ends = np.cumsum(self.counts)
        for place, candidate in enumerate(candidates):
            part = slice(ends[candidate] - self.counts[candidate], ends[candidate])
            out[place, self._rows[part]] = self._weights[part]
        return out


@dataclass(frozen=True)
class Draw:
    """For stochastic greedy: each step looks at a fresh uniform sample of the candidates that are left.

    Args:
        size: Candidates in a sample.
        generator: Drawn from, in pick order.
    """

    size: int
    generator: np.random.Generator


def pick_facilities(
    source: Points | Graph,
    budget: int,
    *,
    eligible: np.ndarray | None = None,
    known: np.ndarray | None = None,
    factor: float = 1.0,
    bonus: np.ndarray | None = None,
    draw: Draw | None = None,
    memory_bytes: int = 2 << 30,
    progress: Progress | None = None,
) -> Facilities:
    """Picks, again and again, the candidate with the largest `factor` · gain + `bonus`, the lowest of equals.

    The picks equal those of the loop that measures every candidate anew before each pick: gains never grow, so a gain
    measured earlier is an upper bound, and only candidates whose bound is the best are measured again (Minoux 1978).

    From points it costs about n²·d/2 multiply-adds by matrix products, once if the pairs that are left after the first
    pick fit into `memory_bytes` (6 bytes each, and n²/84 for all), a few times that if they fit only after some picks
    or never; from a graph it costs about its number of pairs.

    Args:
        source: Similarities.
        budget: How many to pick, ≥ 1; at most all eligible candidates are.
        eligible: int64, increasing: candidates that may be picked; default all.
        known: int64: the first picks, taken over unexamined.
        factor: ≥ 0.
        bonus: float64 `[m]`, 0 by default.
        draw: For stochastic greedy; its sample is measured exactly.
        memory_bytes: For the pairs that are left. Changes speed, never picks.
        progress: Called with (picks made, budget).
    """
    greedy = _Greedy(source, budget, eligible, factor, bonus, draw, memory_bytes, progress)
    return greedy.run(np.asarray([] if known is None else known, np.int64))


class _Greedy:
    """The state of one run: what is covered how well, what is picked, and an upper bound of every candidate's key."""

    def __init__(
        self,
        source: Points | Graph,
        budget: int,
        eligible: np.ndarray | None,
        factor: float,
        bonus: np.ndarray | None,
        draw: Draw | None,
        memory_bytes: int,
        progress: Progress | None,
    ) -> None:
        m = source.candidates
        self.source, self.factor, self.draw, self.progress = source, float(factor), draw, progress
        self.bonus = np.zeros(m) if bonus is None else np.asarray(bonus, np.float64)
        pieces = m * -(-source.covered // TILE) * PIECE_BYTES if isinstance(source, Points) else 0
        self.room = max(0, int(memory_bytes * LIST_SHARE) - pieces) // PAIR_BYTES
        self.best = np.zeros(source.covered, np.int32)
        self.by = np.full(source.covered, NO_ROW, np.int64)
        self.free = np.zeros(m, bool)
        self.free[np.arange(m) if eligible is None else eligible] = True
        self.target = min(budget, int(self.free.sum()))
        # a tournament needs a power of two; places beyond the candidates never win
        self.keys = np.full(1 << max(0, (m - 1).bit_length()), -np.inf)
        self.keys[:m][self.free] = np.inf
        self.gain_of = np.zeros(m, np.int64)
        self.fresh = np.full(m, -1, np.int64)
        self.order = np.empty(self.target, np.int64)
        self.gains = np.empty(self.target, np.int64)
        self.done = 0
        self.swept = False
        self.margin = 1.0
        self.lists: Lists | None = source.lists() if isinstance(source, Graph) else None
        self.sample: np.ndarray | None = None

    def run(self, known: np.ndarray) -> Facilities:
        self._take_known(known[: self.target])
        if self.draw is not None:
            self._run_sampled(self.draw)
        else:
            self._run_lazily()
        return Facilities(self.order, self.gains, self.best, self.by)

    def _take_known(self, known: np.ndarray) -> None:
        block = max(1, min(ROW_BLOCK, ROW_VALUES // max(1, self.source.covered)))
        for start in range(0, len(known), block):
            some = known[start : start + block]
            for candidate, similarities in zip(some.tolist(), self.source.rows(some), strict=True):
                self._took(candidate, take_row(similarities, self.best, self.by, candidate))

    def _took(self, candidate: int, gain: int) -> None:
        self.order[self.done], self.gains[self.done] = candidate, gain
        self.keys[candidate], self.free[candidate] = -np.inf, False
        self.done += 1
        self._report()

    # ------------------------------------------------------------------ lazy

    def _run_lazily(self) -> None:
        while self.done < self.target:
            if self.lists is None:
                self._look()
            if self.lists is None:
                self._pick_by_products()
            else:
                self._pick_from_lists(self.lists, min(self.target, self.done + STEPS_BETWEEN_REPORTS))

    def _look(self) -> None:
        """Bounds of all candidates where there are none, and the lists as soon as they fit."""
        assert isinstance(self.source, Points)  # a graph brings its lists
        bounds = self.source.first_bounds() if not self.done else None
        if bounds is not None:  # the first pick needs no pass over all pairs, and leaves far fewer of them
            self.keys[: len(bounds)][self.free] = (self.factor * bounds + self.bonus)[self.free]
            return
        fits = self.room > 0 and self._pairs_left() <= (self.room if self.done else min(self.room, FEW_PAIRS))
        if fits or not self.swept:
            self._sweep(fits)

    def _pick_from_lists(self, lists: Lists, last: int) -> None:
        first = self.done
        pick_lazily(
            *lists.parts, self.best, self.by, self.keys, self.gain_of, self.fresh, self.factor, self.bonus, self.order,
            self.gains, first, last,
        )  # fmt: skip
        self.free[self.order[first:last]] = False
        self.done = last
        self._report()

    def _pick_by_products(self) -> None:
        """One pick: the candidates with the best bounds are measured, until the best is one that was measured."""
        keys, size = self.keys[: len(self.bonus)], ROW_BLOCK
        while True:
            candidate = int(keys.argmax())  # the lowest of equals
            if self.fresh[candidate] == self.done:
                break
            stale = np.where(self.fresh == self.done, -np.inf, keys)
            size = min(size, int((stale > -np.inf).sum()))
            some = np.argpartition(stale, len(stale) - size)[len(stale) - size :]
            self._measure(np.union1d(some, candidate))  # of equal ones another may have been taken
            size = min(2 * size, MOST_ROWS)
        self._take(candidate)

    def _measure(self, some: np.ndarray) -> None:
        """Brings the keys of some candidates up to date."""
        block = max(1, min(MOST_ROWS, ROW_VALUES // max(1, self.source.covered)))
        for start in range(0, len(some), block):
            part = some[start : start + block]
            gains, counts = np.empty(len(part), np.int64), np.empty(len(part), np.int64)
            measure(self.source.rows(part), self.best, gains, counts)
            self.gain_of[part], self.fresh[part] = gains, self.done
            self.keys[part] = self.factor * gains + self.bonus[part]

    def _take(self, candidate: int) -> None:
        similarities = self.source.rows(np.array([candidate]))[0]
        self._took(candidate, take_row(similarities, self.best, self.by, candidate))

    # ------------------------------------------------------------------ stochastic

    def _run_sampled(self, draw: Draw) -> None:
        left = np.flatnonzero(self.free)
        count = len(left)
        while self.done < self.target:
            size = min(draw.size, count)
            worth = self.room > 0 and size * (self.target - self.done) > self.source.candidates
            if self.lists is None and self.done and worth and self._pairs_left() <= self.room:
                self._sweep(True)
            places = draw.generator.choice(count, size, replace=False, shuffle=False)
            some = np.sort(left[places])
            if self.lists is None:
                self._measure(some)
                candidate = int(some[self.keys[some].argmax()])  # the lowest of equals
                self._take(candidate)
            else:
                candidate = self._best_in_lists(self.lists, some)
            count -= 1
            left[places[left[places] == candidate]] = left[count]  # what is left stays in the first `count` places

    def _best_in_lists(self, lists: Lists, some: np.ndarray) -> int:
        gains = np.array([gain_in_lists(candidate, *lists.parts, self.best) for candidate in some.tolist()], np.int64)
        place = int((self.factor * gains + self.bonus[some]).argmax())
        candidate = int(some[place])
        take_list(candidate, *lists.parts, self.best, self.by)
        self._took(candidate, int(gains[place]))
        return candidate

    # ------------------------------------------------------------------ passes over all pairs

    def _pairs_left(self) -> int:
        """How many pairs still count, estimated from some candidates spread evenly over all."""
        if self.sample is None:
            m = self.source.candidates
            size = min(m, max(4, min(32, ROW_VALUES // max(1, self.source.covered))))
            self.sample = self.source.rows(np.linspace(0, m - 1, size).astype(np.int64))
        counts = np.empty(len(self.sample), np.int64)
        measure(self.sample, self.best, np.empty(len(self.sample), np.int64), counts)
        return int(self.margin * self.source.candidates * counts.mean())

    def _sweep(self, writing: bool) -> None:
        """Measures every candidate, and writes the lists if they are wanted and fit."""
        assert isinstance(self.source, Points)  # the lists of a graph are there from the beginning
        sweep = _Sweep(self.source, self.best, self.room if writing else 0)
        for _ in sweep.run():
            self._report()
        self.swept = True
        self.gain_of[:], self.fresh[:] = sweep.gains, self.done
        self.keys[: len(self.bonus)][self.free] = (self.factor * sweep.gains + self.bonus)[self.free]
        self.lists = sweep.lists
        if writing and self.lists is None:
            log.info("more pairs are left than estimated; they are written later")
            self.margin *= 1.5

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.target)


class _Sweep:
    """One pass over all pairs, tile by tile, on several threads; each pair of rows once where both are candidates.

    Args:
        source: Similarities.
        best: int32 `[c]`.
        room: Pairs there is room for; 0 = only gains are wanted.
    """

    def __init__(self, source: Points, best: np.ndarray, room: int) -> None:
        self.source, self.best, self.room = source, best, room
        self.tiles = -(-source.covered // TILE)
        self.across = across = -(-source.candidates // TILE)
        self.local = threading.local()
        self.gains = np.zeros(source.candidates, np.int64)
        self.lock = threading.Lock()
        self.used = 0
        self.starts = self.lengths = np.empty((0, 0), np.int64)
        self.rows, self.weights = np.empty(0, np.uint16), np.empty(0, np.int32)
        if room:
            self.starts = np.zeros((source.candidates, self.tiles), np.int64)
            self.lengths = np.zeros((source.candidates, self.tiles), np.int32)
            self.room = min(room, source.candidates * source.covered + across * self.tiles * 2)
            # memory that is not written to costs nothing
            self.rows, self.weights = np.empty(self.room, np.uint16), np.empty(self.room, np.int32)

    @property
    def lists(self) -> Lists | None:
        """The pairs that are left, None when there was no room for them."""
        return Lists(self.starts, self.lengths, self.rows, self.weights, TILE) if self.room else None

    def run(self) -> Iterator[tuple[int, int]]:
        """Works; yields (tiles done, tiles)."""
        from threadpoolctl import threadpool_limits

        same = self.source.same
        work = [(i, j) for i in range(self.across) for j in range(i if same else 0, self.tiles)]
        threads = nb.get_num_threads() if self.source.device == "cpu" else min(4, nb.get_num_threads())
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
            try:
                for done, _ in enumerate(pool.map(self._tile, work), 1):
                    yield done, len(work)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _tile(self, at: tuple[int, int]) -> None:
        i, j = at
        candidates, covered = slice(i * TILE, (i + 1) * TILE), slice(j * TILE, (j + 1) * TILE)
        room: Room = self.local.__dict__.setdefault("room", Room())
        tile = self.source.tile(candidates, covered, room)
        self._note(tile, i * TILE, j)
        if self.source.same and i != j:
            other = room.array("flipped", tile.shape[::-1], np.int32)
            flip(tile, other)
            self._note(other, j * TILE, i)

    def _note(self, tile: np.ndarray, top: int, piece: int) -> None:
        part = slice(top, top + len(tile))
        best = self.best[piece * TILE : (piece + 1) * TILE]
        gains, counts = np.empty(len(tile), np.int64), np.empty(len(tile), np.int64)
        measure(tile, best, gains, counts)
        needed = int(counts.sum()) + 1
        with self.lock:
            self.gains[part] += gains
            start = self.used
            if start + needed > self.room:
                self.room = 0  # the estimate was too low: gains are still worth having
            self.used += needed
            writing = self.room > 0
        if not writing:
            return
        starts = start + np.cumsum(counts) - counts
        self.starts[part, piece], self.lengths[part, piece] = starts, counts
        keep(tile, best, starts, self.rows, self.weights)
