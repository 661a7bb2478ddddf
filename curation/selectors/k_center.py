"""k-center greedy: rows such that no row is far from the nearest picked one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import Metric, bound_share, measurable_rows, pair_squared_distances, squared_norms
from curation.linalg.nearest import NearestCentres, Part
from curation.linalg.products import block_of
from curation.selectors._build import selection

POOL = (512, 4096)
"""Least and most farthest rows that the greedy works on between two passes over all rows, where not said otherwise."""
ROWS_PER_POOL = 128

ROUNDING = 1e-9
"""Products such as 0.29 · 100 fall short of the whole number that is meant by less than this."""

KNOWN_BLOCK = 64
MEAN_BLOCK = 4096
MOST_ALIKE = 16
"""Rows of about equal distance that are measured one by one rather than all rows at once."""
COVERED = "a picked row stands for it"
ALREADY = "counted as picked already"
IGNORED = "passed over as one of the farthest"
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
    ignore: int = 0,
    pool: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Selection:
    """Picks, again and again, the row that is farthest from everything picked so far.

    The largest distance from any row to its nearest pick is at most twice the least possible for that many picks
    (Gonzalez 1985; Hochbaum and Shmoys 1985). The picks equal those of the textbook loop, which updates one vector of
    distances with one pick at a time; here the `pool` rows that are farthest now are handled alone, as long as their
    best beats every row outside, and then one matrix product brings all rows up to date. Distances are compared
    exactly, as `curation.linalg.distances` defines them, so neither `pool` nor the size of blocks can change a pick;
    equal distances go to the lowest row.

    Costs n·budget·d by matrix products, O(n) memory beyond the points; half precision is widened block by block.

    Args:
        points: `[n, d]`, finite, used as given (Euclidean). Unit rows give the order of cosine distance. May be
            memory-mapped.
        budget: How many rows to pick, ≥ 1.
        first: Index of the first pick. By default the row closest to the mean, unless there is `already` a centre.
        already: int64 `[c]`, rows that count as centres but are not returned.
        known: int64 `[m]`, the first picks of an earlier run with the same arguments; they are taken over unexamined.
        fill: When only identical copies of centres are left, beside rows passed over, pick the copies too, lowest row
            first, instead of stopping.
        ignore: How many of the farthest rows are passed over at every pick, so that outliers are not what is picked;
            the pick is the farthest of the others (equal distances: the lowest rows are passed over first).
        pool: Rows handled alone between two passes over all rows: more means fewer passes and slower picks. Changes
            speed, never picks. None = a 128th of all, from 512 to 4,096.
        device: Where the products run; changes speed, never picks.
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
    tracker = NearestCentres(points, device=device)
    n = len(tracker.points)
    size = min(max(n // ROWS_PER_POOL, POOL[0]), POOL[1]) if pool is None else pool
    already = np.unique(np.asarray([] if already is None else already, np.int64))
    order = [int(row) for row in ([] if known is None else known)]
    _check(n, budget, first, already, order)
    if not 0 <= ignore < n:
        raise CurationError(f"{ignore} rows are to be passed over, of {n}", "ignore fewer rows")
    target = min(budget, n - len(already))
    del order[target:]

    tracker.add(already)
    gains = _gains_of_known(tracker, np.array(order, np.int64))
    tracker.add(np.array(order, np.int64))
    if target and not order and (first is not None or not len(already)):
        start = most_central(tracker.points) if first is None else first
        order, gains = [start], tracker.squared_of(np.array([start])).tolist()
        tracker.add(np.array([start]))
    while len(order) < target:
        picks, squared = _next_picks(tracker, size, target - len(order), ignore)
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
        copies = np.flatnonzero(~taken & (tracker.squared <= 0))[: target - len(order)]  # none that is passed over
        order += copies.tolist()
        gains += [0.0] * len(copies)
    return _selection(tracker, order, gains, already, target, ignore)


def most_central(points: np.ndarray) -> int:
    """The row closest to the mean of all rows; the lowest of equals."""
    mean = points.mean(axis=0, dtype=np.float64)
    norms = squared_norms(points)
    kind = np.float64 if points.dtype == np.float64 else np.float32
    near = norms - 2.0 * np.concatenate(
        [block_of(points, slice(i, i + MEAN_BLOCK)) @ mean.astype(kind) for i in range(0, len(points), MEAN_BLOCK)]
    )
    # rounding of the products and of the mean; twice, since both rows that are compared have it
    slack = 2 * bound_share(points) * (float(norms.max()) + float(mean @ mean))
    rows = np.flatnonzero(near <= near.min() + 2 * slack)
    return int(rows[pair_squared_distances(points, rows, np.array([0]), other_points=mean[None, :]).argmin()])


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
    if not len(order):
        return []
    squared = tracker.squared_of(order)  # to the centres that stood before
    among = NearestCentres(block_of(tracker.points, order))
    for start in range(0, len(order), KNOWN_BLOCK):
        rows = np.arange(start, min(start + KNOWN_BLOCK, len(order)))
        block = among.part(rows)
        for place, row in enumerate(rows):
            squared[row] = min(squared[row], block.squared[place])
            block.add_one(place)
        among.add(rows)
    return squared.tolist()


def _next_picks(tracker: NearestCentres, size: int, most: int, ignore: int) -> tuple[list[int], list[float]]:
    """The next picks, at least one unless every distance is zero, and their squared distances at pick time.

    The picks so far are the tracker's centres; it is settled in part, but not added to.
    """
    upper = tracker.approximate() + tracker.error()
    rows, rival, _ = _farthest(upper, size + ignore)
    found = _picks_in_pool(tracker, rows, rival, -1, most, ignore)
    if not found[0]:  # distances too much alike for products to tell: all rows are measured
        rows, rival, rival_row = _farthest(tracker.squared, size + ignore)
        found = _picks_in_pool(tracker, rows, rival, rival_row, most, ignore)
    return found


def _picks_in_pool(
    tracker: NearestCentres, rows: np.ndarray, rival: float, rival_row: int, most: int, ignore: int
) -> tuple[list[int], list[float]]:
    """The greedy among `rows`, as long as its pick is farther than `rival`, or as far and above `rival_row`."""
    # Rows outside can only come nearer from here on, so a pick that beats `rival` beats them all.
    pool = tracker.part(rows)
    places, squared = ([], []) if ignore else _picks_by_products(pool, rival, most)
    if places:
        return rows[places].tolist(), squared
    while len(places) < most:
        place = _at_rank(pool.squared, ignore)  # of equals the lowest row, since `rows` increases
        value = float(pool.squared[place])
        if value <= 0 or value < rival or (value == rival and rows[place] > rival_row):
            break
        places.append(place)
        squared.append(value)
        pool.add_one(place)
    return rows[places].tolist(), squared


def _picks_by_products(pool: Part, rival: float, most: int) -> tuple[list[int], list[float]]:
    """The same by products of float64, as far as they tell the farthest row apart; places in the pool.

    Rows too much alike for that are measured, if they are few; the picks end where they are many.
    """
    wide = pool.points.astype(np.float64)
    products = wide @ wide.T
    norms = np.ascontiguousarray(products.diagonal())
    slack = 2 * bound_share(wide) * float(norms.max())
    near = pool.squared.copy()
    places: list[int] = []

    def exact(of: np.ndarray, apart: np.ndarray) -> np.ndarray:
        """Exact squared distances of some places, given those to the picks by products `[len(of), len(places)]`."""
        squared = pool.squared[of]
        if places:
            ceiling = np.minimum(apart.min(axis=1) + 2 * slack, squared + slack)
            at, pick = np.nonzero(apart <= ceiling[:, None])
            np.minimum.at(squared, at, pair_squared_distances(pool.points, of[at], np.array(places)[pick]))
        return squared

    while len(places) < most:
        place = int(near.argmax())
        value = near[place]
        if value <= max(rival, 0.0) + slack:
            break
        alike = np.flatnonzero(near >= value - 2 * slack)
        if len(alike) > MOST_ALIKE:
            break
        if len(alike) > 1:
            apart = _apart(products, norms, alike, places)
            place = int(alike[exact(alike, apart).argmax()])  # the lowest of equals
        places.append(place)
        np.minimum(near, norms + (norms[place] - 2 * products[place]), out=near)
    if not places:
        return [], []
    apart = _apart(products, norms, np.array(places), places)
    apart[np.triu_indices(len(places))] = np.inf  # a pick is measured against those before it
    return places, exact(np.array(places), apart).tolist()


def _apart(products: np.ndarray, norms: np.ndarray, rows: np.ndarray, others: list[int]) -> np.ndarray:
    """Squared distances by products, `[len(rows), len(others)]`."""
    columns = np.array(others, np.int64)
    return norms[rows, None] + norms[columns] - 2 * products[rows[:, None], columns]


def _at_rank(values: np.ndarray, rank: int) -> int:
    """Place of the value at a rank, 0 = the largest; equal values by the lowest place."""
    if not rank:
        return int(values.argmax())
    value = np.partition(values, len(values) - 1 - rank)[len(values) - 1 - rank]
    return int(np.flatnonzero(values == value)[rank - np.count_nonzero(values > value)])


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
    tracker: NearestCentres, order: list[int], gains: list[float], already: np.ndarray, target: int, ignore: int
) -> Selection:
    n = len(tracker.points)
    distance = tracker.distances()
    picked = np.array(order, np.int64)
    stage = np.ones(n, np.int16)
    farthest = np.argsort(-distance, kind="stable")[:ignore]
    stage[farthest[distance[farthest] > 0]] = 3
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
        stages=(COVERED, ALREADY, IGNORED),
        margin=margin,
        covered_by=tracker.nearest,
        distance=distance,
        short_by=short_by,
        short_reason=(SAME + ", or passed over" * (ignore > 0)) if short_by else "",
        nested=True,
        info={"radius": float(distance[stage != 3].max()), **({"ignored": int((stage == 3).sum())} if ignore else {})},
    )


class KCenter(Selector):
    """Rows that leave no region of the pool without a picked row near it, by the farthest-first greedy.

    Starts at the row closest to the mean of the eligible rows, unless a selection `already` stands. `gains` and
    `distance` are in the chosen metric; a gain is the distance to the nearest pick at pick time (inf for a first pick).
    A row left out is covered by its nearest pick; its margin is how much farther it would have had to be to be picked
    last.
    """

    title: ClassVar[str] = "k-center"
    purpose: ClassVar[Purpose] = "coverage"
    when: ClassVar[str] = (
        "The pool is clean and no region of it may go without a picked row: small budgets, rare topics that matter."
    )
    weakness: ClassVar[str] = "Likes outliers: odd, broken and off-topic rows come early, so filter them first."
    source: ClassVar[str] = (
        "Gonzalez, Clustering to minimize the maximum intercluster distance, 1985; "
        "Sener & Savarese, Active learning for convolutional neural networks: a core-set approach, arXiv 1708.00489"
    )
    nested: ClassVar[bool] = True
    version: ClassVar[int] = 2

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    metric: Metric = Field("cosine", description="cosine compares directions, euclidean the vectors as they are")
    copies: Literal["stop", "fill"] = Field(
        "stop", description="when only identical copies of picked rows are left: stop short, or pick them, lowest first"
    )
    ignore_farthest: float = Field(
        0.0, ge=0, le=0.5, description="share of the rows, the farthest at every pick, that is passed over as outliers"
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
            ignore=int(self.ignore_farthest * len(rows) + ROUNDING),
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        codes = np.ones(n, np.int8)
        codes[rows[found.stage == 3]] = 4
        codes[standing], codes[unusable] = 2, 3
        gains, distance = self._measured(found.gains), self._measured(found.distance)
        margin = (gains[-1] if len(gains) else np.nan) - distance
        margin[~np.isfinite(margin) | (codes[rows] != 1)] = np.nan
        if self.ignore_farthest:
            margin[:] = np.nan  # at which distance a row would have been picked depends on what was passed over
        short_by = min(ask.count, len(eligible)) - len(found)
        facts = {
            "eligible rows count as picked already": len(np.intersect1d(eligible, standing)),
            "eligible rows have no direction": len(unusable),
            "rows are identical to one that is picked": int((found.stage == 1).sum()) * bool(found.short_by),
            "rows are passed over as the farthest": int((found.stage == 3).sum()) * bool(found.short_by),
        }
        return selection(
            pool,
            ask,
            rows[found.order],
            stages=(COVERED, ALREADY, NO_DIRECTION, IGNORED),
            codes=codes,
            margin=_spread(margin, rows, n, np.nan),
            gains=gains,
            covered_by=_spread(rows[found.covered_by], rows, n, NO_ROW),
            distance=_spread(distance, rows, n, np.nan),
            short_by=short_by,
            short_reason="; ".join(f"{count:,} {what}" for what, count in facts.items() if count) if short_by else "",
            nested=True,
            info={**found.info, "radius": float(self._measured(np.array(found.info["radius"]))), "metric": self.metric},
        )

    def _measured(self, distance: np.ndarray) -> np.ndarray:
        """Euclidean distances of the rows given to the greedy, in the chosen metric."""
        return distance**2 / 2 if self.metric == "cosine" else distance

    def memory(self, size: Size) -> float:
        """A copy of the vectors and its unit rows, those passed over once more, blocks, a few numbers per row."""
        return 96e6 + size.rows * (8.0 * (1 + self.ignore_farthest) * size.dims + 96)


def _spread(values: np.ndarray, rows: np.ndarray, n: int, empty: float) -> np.ndarray:
    whole = np.full(n, empty, values.dtype)
    whole[rows] = values
    return whole
