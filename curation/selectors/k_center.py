"""k-center greedy: rows such that no row is far from the nearest picked one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import Metric, measurable_rows, pair_squared_distances
from curation.linalg.nearest import NearestCentres
from curation.selectors._build import selection

POOL = 1024
"""Farthest rows that the greedy works on between two passes over all rows: more means fewer passes, slower picks."""

KNOWN_BLOCK = 64
COVERED = "a picked row stands for it"
ALREADY = "counted as picked already"
NO_DIRECTION = "its vector has no direction"
SAME = "every row left is identical to one that is picked"

Progress = Callable[[int, int], None]


def k_center_greedy(
    points: np.ndarray,
    budget: int,
    *,
    first: int | None = None,
    already: np.ndarray | None = None,
    known: np.ndarray | None = None,
    fill: bool = False,
    pool: int = POOL,
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row that is farthest from everything picked so far.

    The largest distance from any row to its nearest pick is at most twice the least possible for that many picks
    (Gonzalez 1985; Hochbaum and Shmoys 1985). The picks equal those of the textbook loop, which updates one vector of
    distances with one pick at a time; here the `pool` rows that are farthest now are handled alone, as long as their
    best beats every row outside, and then one matrix product brings all rows up to date. Distances are compared
    exactly, as `curation.linalg.distances` defines them, so neither `pool` nor the size of blocks can change a pick;
    equal distances go to the lowest row.

    Costs n·budget·d by matrix products, O(n) memory beyond the points.

    Args:
        points: `[n, d]`, finite, used as given (Euclidean). Unit rows give the order of cosine distance.
        budget: How many rows to pick, ≥ 1.
        first: Index of the first pick. By default the row closest to the mean, unless there is `already` a centre.
        already: int64 `[c]`, rows that count as centres but are not returned.
        known: int64 `[m]`, the first picks of an earlier run with the same arguments; they are taken over unexamined.
        fill: When only identical copies of centres are left, pick them too, lowest row first, instead of stopping.
        pool: Changes speed, never picks.
        progress: Called with (picks made, budget) after each pass over all rows.

    Returns:
        A Selection with min(budget, n − c) picks less `short_by`; `gains` are the distances to the nearest centre at
        pick time, never increasing, which is the covering radius that the picks before left (inf for a first pick
        without `already`); `covered_by` and `distance` tell for every row the nearest centre, the earliest of equals,
        and how far it is; `info["radius"]` is the largest distance.

    Raises:
        DataError: rows that are not finite.
        CurationError: budget below 1, or `first`, `already` or `known` naming rows that do not exist or are taken.
    """
    tracker = NearestCentres(points)
    n = len(tracker.points)
    already = np.unique(np.asarray([] if already is None else already, np.int64))
    order = [int(row) for row in ([] if known is None else known)]
    _check(n, budget, first, already, order)
    target = min(budget, n - len(already))
    del order[target:]

    tracker.add(already)
    gains = _gains_of_known(tracker, np.array(order, np.int64))
    tracker.add(np.array(order, np.int64))
    if target and not order and (first is not None or not len(already)):
        start = most_central(tracker.points) if first is None else first
        order, gains = [start], [float(tracker.squared[start])]
        tracker.add_one(start)
    while len(order) < target:
        picks, squared = _picks_in_pool(tracker, pool, target - len(order))
        if not picks:
            break
        tracker.add(np.array(picks, np.int64))
        order += picks
        gains += squared
        if progress is not None:
            progress(len(order), target)
    if fill and len(order) < target:
        taken = np.zeros(n, bool)
        taken[order] = taken[already] = True
        copies = np.flatnonzero(~taken)[: target - len(order)]
        order += copies.tolist()
        gains += [0.0] * len(copies)
    return _selection(tracker, order, gains, already, target)


def most_central(points: np.ndarray) -> int:
    """The row closest to the mean of all rows; the lowest of equals."""
    mean = points.mean(axis=0, dtype=np.float64)
    rows = np.arange(len(points))
    return int(pair_squared_distances(points, rows, np.array([0]), other_points=mean[None, :]).argmin())


def _check(n: int, budget: int, first: int | None, already: np.ndarray, known: list[int]) -> None:
    if budget < 1:
        raise CurationError(f"budget {budget} is below 1", "ask for at least one row")
    named = np.array([*already, *known, *([] if first is None else [first])], np.int64)
    outside = named[(named < 0) | (named >= n)]
    if len(outside):
        raise CurationError(f"row {outside[0]} does not exist", f"there are {n} rows, counted from 0")
    if first is not None and first in already:
        raise CurationError(f"the first pick, row {first}, counts as picked already", "name another row as the first")
    if len(set(known)) < len(known) or np.isin(known, already).any():
        raise CurationError("the known picks hold a row twice, or one that counts as picked already")


def _gains_of_known(tracker: NearestCentres, order: np.ndarray) -> list[float]:
    """Squared distance of each known pick to the centres before it; m²·d/2 by matrix products, for m picks."""
    among = tracker.part(order)
    squared = np.empty(len(order))
    for start in range(0, len(order), KNOWN_BLOCK):
        stop = min(start + KNOWN_BLOCK, len(order))
        block = among.part(np.arange(start, stop))
        for place in range(stop - start):
            squared[start + place] = block.squared[place]
            block.add_one(place)
        among.add(np.arange(start, stop))
    return squared.tolist()


def _picks_in_pool(tracker: NearestCentres, size: int, most: int) -> tuple[list[int], list[float]]:
    """The next picks, at least one unless every distance is zero, and their squared distances at pick time.

    `tracker` is read, not changed.
    """
    rows, rival, rival_row = _farthest(tracker.squared, size)
    pool = tracker.part(rows)
    picks: list[int] = []
    squared: list[float] = []
    while len(picks) < most:
        place = int(pool.squared.argmax())  # the first of equals: the lowest row, since `rows` increases
        row, value = int(rows[place]), float(pool.squared[place])
        # Rows outside can only have come nearer since `rival` was read, so a pick that beats it beats them all.
        if value <= 0 or value < rival or (value == rival and row > rival_row):
            break
        picks.append(row)
        squared.append(value)
        pool.add_one(place)
    return picks, squared


def _farthest(squared: np.ndarray, size: int) -> tuple[np.ndarray, float, int]:
    """The first `size` rows by (distance descending, row ascending), in row order, and the first row after them."""
    n = len(squared)
    if size >= n:
        return np.arange(n), -1.0, n
    rival = np.partition(squared, n - size - 1)[n - size - 1]
    above = np.flatnonzero(squared > rival)
    equal = np.flatnonzero(squared == rival)
    room = size - len(above)
    return np.sort(np.concatenate([above, equal[:room]])), float(rival), int(equal[room])


def _selection(
    tracker: NearestCentres, order: list[int], gains: list[float], already: np.ndarray, target: int
) -> Selection:
    n = len(tracker.points)
    distance = tracker.distances()
    picked = np.array(order, np.int64)
    stage = np.ones(n, np.int16)
    stage[already] = 2
    stage[picked] = 0
    gain = np.sqrt(np.array(gains))
    margin = (gain[-1] if len(gain) else np.nan) - distance
    margin[~np.isfinite(margin) | (stage != 1)] = np.nan
    short_by = target - len(order)
    return Selection(
        dataset="",
        n=n,
        order=picked,
        gains=gain,
        stage=stage,
        stages=(COVERED, ALREADY),
        margin=margin,
        covered_by=tracker.nearest,
        distance=distance,
        short_by=short_by,
        short_reason=SAME if short_by else "",
        nested=True,
        info={"radius": float(distance.max())},
    )


class KCenter(Selector):
    """Rows that leave no region of the pool without a picked row near it, by the farthest-first greedy.

    Starts at the row closest to the mean of the eligible rows, unless a selection `already` stands. `gains` and
    `distance` are in the chosen metric; a gain is the distance to the nearest pick at pick time (inf for a first pick).
    A row left out is covered by its nearest pick; its margin is how much farther it would have had to be to be picked
    last.
    """

    title: ClassVar[str] = "k-center"
    weakness: ClassVar[str] = "Likes outliers: odd, broken and off-topic rows come early, so filter them first."
    source: ClassVar[str] = (
        "Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; "
        "Sener & Savarese, Active learning for convolutional neural networks: a core-set approach, arXiv 1708.00489"
    )
    nested: ClassVar[bool] = True

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    metric: Metric = Field("cosine", description="cosine compares directions, euclidean the vectors as they are")
    copies: Literal["stop", "fill"] = Field(
        "stop", description="when only identical copies of picked rows are left: stop short, or pick them, lowest first"
    )

    def select(
        self, pool: Dataset, ask: Ask, runtime: Runtime, *, features: Features, already: Selection | None = None
    ) -> Selection:
        """Picks among the eligible rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Progress.
            features: Vectors. Eligible rows whose vector has no direction (length zero, for cosine) are never picked.
            already: Rows that count as picked, and are not picked again.

        Returns:
            The picks in order, at most `ask.count`.

        Raises:
            CurationError: no eligible row has a usable vector.
        """
        n = len(pool)
        eligible = np.asarray(ask.eligible, np.int64)
        standing = np.empty(0, np.int64) if already is None else np.asarray(already.order, np.int64)
        asked = np.union1d(eligible, standing)
        rows, points = measurable_rows(np.asarray(features.values), asked[~features.missing.mask[asked]], self.metric)
        unusable = np.setdiff1d(eligible, rows)
        if len(unusable) == len(eligible):
            raise CurationError("no eligible row has a usable vector", "look at the step that made the features")
        position = np.full(n, NO_ROW, np.int64)
        position[rows] = np.arange(len(rows))
        # rows outside `eligible` are here as centres only
        found = k_center_greedy(
            points,
            ask.count,
            already=position[standing][position[standing] >= 0],
            known=None if ask.known is None else position[ask.known],
            fill=self.copies == "fill",
            progress=lambda done, total: runtime.progress(done, total),
        )
        codes = np.ones(n, np.int8)
        codes[standing], codes[unusable] = 2, 3
        gains, distance = self._measured(found.gains), self._measured(found.distance)
        margin = (gains[-1] if len(gains) else np.nan) - distance
        margin[~np.isfinite(margin) | (codes[rows] != 1)] = np.nan
        short_by = min(ask.count, len(eligible)) - len(found)
        facts = {
            "eligible rows count as picked already": len(np.intersect1d(eligible, standing)),
            "eligible rows have no direction": len(unusable),
            "rows are identical to one that is picked": found.short_by,
        }
        return selection(
            pool,
            ask,
            rows[found.order],
            stages=(COVERED, ALREADY, NO_DIRECTION),
            codes=codes,
            margin=_spread(margin, rows, n, np.nan),
            gains=gains,
            covered_by=_spread(rows[found.covered_by], rows, n, NO_ROW),
            distance=_spread(distance, rows, n, np.nan),
            short_by=short_by,
            short_reason="; ".join(f"{count:,} {what}" for what, count in facts.items() if count) if short_by else "",
            nested=True,
            info={"radius": float(distance.max()), "metric": self.metric},
        )

    def _measured(self, distance: np.ndarray) -> np.ndarray:
        """Euclidean distances of the rows given to the greedy, in the chosen metric."""
        return distance**2 / 2 if self.metric == "cosine" else distance

    def memory(self, size: Size) -> float:
        """A copy of the vectors and its unit rows, blocks, and a few numbers per row."""
        return 96e6 + size.rows * (8.0 * size.dims + 96)


def _spread(values: np.ndarray, rows: np.ndarray, n: int, empty: float) -> np.ndarray:
    whole = np.full(n, empty, values.dtype)
    whole[rows] = values
    return whole
