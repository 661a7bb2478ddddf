"""The nearest of a growing set of centres, for every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np

from curation.core.artifacts import NO_ROW
from curation.linalg.distances import (
    Metric,
    all_unit_rows,
    bound_share,
    pair_squared_distances,
    product_points,
)
from curation.linalg.products import block_of, full_precision

CENTRE_BLOCK = 256
ROW_BLOCK = 4096
UPLOAD_BLOCK = 1 << 16
SETTLE_VALUES = 1 << 22
"""Entries of the matrix of bounds that settles unclear rows; bounds its memory."""


@dataclass(frozen=True)
class Nearest:
    """The nearest selected row of every row.

    Args:
        rows: int64 `[n]`: index of the nearest selected row; among equals the one that stands first in the selection.
        distances: float64 `[n]`: distance to it, exactly 0 for the selected rows and their identical copies.
    """

    rows: np.ndarray
    distances: np.ndarray


def nearest_selected(
    points: np.ndarray,
    selected: np.ndarray,
    *,
    metric: Metric = "cosine",
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Nearest:
    """Finds for every row the nearest selected row and its distance, exactly.

    Costs n·m·d by matrix products, and memory O(n + block²) beyond the points.

    Args:
        points: `[n, d]`, finite; with `metric="cosine"` no row may have length zero.
        selected: int64 `[m]`, indices of the selected rows, m ≥ 1.
        metric: "cosine" (1 − cos) or "euclidean".
        device: Where the products run.
        progress: Called with (selected rows done, m).

    Raises:
        DataError: rows that are not finite or have no direction.
        ValueError: nothing is selected.
    """
    selected = np.asarray(selected, np.int64)
    if not len(selected):
        raise ValueError("no row is selected")
    tracker = NearestCentres(all_unit_rows(points) if metric == "cosine" else points, device=device)
    for start in range(0, len(selected), CENTRE_BLOCK):
        tracker.add(selected[start : start + CENTRE_BLOCK])
        if progress is not None:
            progress(min(start + CENTRE_BLOCK, len(selected)), len(selected))
    return Nearest(tracker.nearest, tracker.distances(metric))


class NearestCentres:
    """Keeps, for every row, the nearest of the centres added so far; centres are rows too.

    What `squared` and `nearest` say is what adding the centres one by one, in the same order, in float64, would give:
    exact distances, and among equally near centres the one added first. Adding only makes matrix products: each row
    remembers the least and the second least of its approximate distances, whose error is bounded (see
    `curation.linalg.distances`). A row is *settled*, that is measured exactly, when somebody asks for it: against one
    centre where the second least is far enough away to be ruled out, against all centres within the error otherwise.

    A centre identical to one added before is never the nearest, so it costs nothing.

    Points of half precision stay as they are (also memory-mapped) and are widened block by block.

    Args:
        points: `[n, d]`, finite (DataError otherwise).
        device: Where the products run: "cpu", or one of torch's.

    Attributes:
        points: `[n, d]` float16, float32 or float64.
        centres: int64 `[m]`, in the order in which they were added, without copies of earlier ones.
    """

    def __init__(self, points: np.ndarray, *, device: str = "cpu") -> None:
        self.points, self._norms = product_points(points)
        n = len(self.points)
        self.centres = np.empty(0, np.int64)
        self._seen: set[bytes] = set()  # digests of the centres' vectors
        self._share = bound_share(self.points)
        self._largest = float(self._norms.max())  # of any row, hence of any centre
        self._state: _State = _HostState(self.points) if device == "cpu" else _DeviceState(self.points, device)
        self._squared = np.full(n, np.inf)
        self._nearest = np.full(n, NO_ROW, np.int64)
        self._upto = np.zeros(n, np.int64)  # how many centres the settled values know of

    def add(self, centres: np.ndarray) -> None:
        """Adds centres in the order given; n·m·d by matrix products.

        Args:
            centres: int64 `[m]`, row indices.
        """
        centres = self._without_copies(np.asarray(centres, np.int64))
        for first in range(0, len(centres), CENTRE_BLOCK):
            some = centres[first : first + CENTRE_BLOCK]
            self._state.add(some, self._norms[some], len(self.centres) + first)
        self.centres = np.concatenate([self.centres, centres])

    def _without_copies(self, centres: np.ndarray) -> np.ndarray:
        """Those of some centres that differ from all before: near rows would be measured against every copy."""
        fresh = np.ones(len(centres), bool)
        for first in range(0, len(centres), CENTRE_BLOCK):
            vectors = self.points[centres[first : first + CENTRE_BLOCK]] + 0.0  # makes -0 and 0 the same bytes
            for place, vector in enumerate(vectors, first):
                digest = blake2b(vector.tobytes(), digest_size=16).digest()
                fresh[place] = digest not in self._seen
                self._seen.add(digest)
        return centres[fresh]

    def error(self) -> np.ndarray:
        """How far `approximate` may be from the exact squared distance, float64 `[n]`."""
        return self._share * (self._norms + self._largest)

    def approximate(self) -> np.ndarray:
        """Squared distance to the nearest centre by matrix products, float64 `[n]`; inf while there is none."""
        return self._state.least() + self._norms

    def settle(self, rows: np.ndarray | None = None) -> None:
        """Measures rows exactly; costs a pass over them, and more only for rows with two centres about as near.

        Args:
            rows: int64, which; None = all.
        """
        most = len(self.centres)
        rows = np.flatnonzero(self._upto < most) if rows is None else rows[self._upto[rows] < most]
        if not len(rows):
            return
        least, second, first = self._state.of(rows)
        clear = second.astype(np.float64) > least.astype(np.float64) + 2 * self._share * (
            self._norms[rows] + self._largest
        )
        fresh = clear & (first >= self._upto[rows])
        self._measure(rows[fresh], self.centres[first[fresh]])
        unclear = rows[~clear]
        for known in np.unique(self._upto[unclear]):
            self._settle_unclear(unclear[self._upto[unclear] == known], int(known))
        self._upto[rows] = most

    def _measure(self, rows: np.ndarray, centres: np.ndarray) -> None:
        self._squared[rows] = pair_squared_distances(self.points, rows, centres)
        self._nearest[rows] = centres

    def _settle_unclear(self, rows: np.ndarray, known: int) -> None:
        """Compares rows with all centres from the `known`-th on that may be nearest."""
        centres = self.centres[known:]
        right = block_of(self.points, centres)
        right_norms = self._norms[centres]
        step = max(1, SETTLE_VALUES // len(centres))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            near = right_norms - 2.0 * (block_of(self.points, some) @ right.T)  # [t, m] without |x|²
            error = self._share * (self._norms[some] + self._largest)
            # a settled distance from before competes too: nothing that cannot be below it needs measuring
            ceiling = np.minimum(near.min(axis=1) + 2 * error, self._squared[some] - self._norms[some] + error)
            row_at, centre_at = np.nonzero(near <= ceiling[:, None])
            if not len(row_at):
                continue
            exact = pair_squared_distances(self.points, some[row_at], centres[centre_at])
            starts = np.flatnonzero(np.diff(row_at, prepend=-1))  # pairs come row by row, centres as they were added
            least = np.repeat(np.minimum.reduceat(exact, starts), np.diff(starts, append=len(row_at)))
            equal = np.flatnonzero(exact == least)
            best = equal[np.diff(row_at[equal], prepend=-1) > 0]  # the nearest of each row; of equals the first
            better = exact[best] < self._squared[some[row_at[best]]]
            best = best[better]
            self._squared[some[row_at[best]]] = exact[best]
            self._nearest[some[row_at[best]]] = centres[centre_at[best]]

    @property
    def squared(self) -> np.ndarray:
        """Exact squared distance of every row to its nearest centre, float64 `[n]`; inf while there is none."""
        self.settle()
        return self._squared

    @property
    def nearest(self) -> np.ndarray:
        """Row index of every row's nearest centre, int64 `[n]`; -1 while there is none."""
        self.settle()
        return self._nearest

    def squared_of(self, rows: np.ndarray) -> np.ndarray:
        """As `squared`, of some rows only."""
        self.settle(rows)
        return self._squared[rows]

    def distances(self, metric: Metric = "euclidean") -> np.ndarray:
        """Distance of every row to its nearest centre, float64 `[n]`; for "cosine" the points must be unit rows."""
        return self.squared / 2 if metric == "cosine" else np.sqrt(self.squared)

    def part(self, rows: np.ndarray) -> Part:
        """Some rows, settled, to go on with one centre at a time."""
        return Part(block_of(self.points, rows), self._norms[rows], self.squared_of(rows), self._share)


class Part:
    """A few rows and their exact distances to the nearest centre; centres are added one at a time.

    Args:
        points: `[p, d]` float32 or float64.
        norms: float64 `[p]`, squared lengths.
        squared: float64 `[p]`, squared distance to the nearest centre so far.
        share: See `bound_share`.
    """

    def __init__(self, points: np.ndarray, norms: np.ndarray, squared: np.ndarray, share: float) -> None:
        self.points, self.squared = points, squared
        # |x|² + |y|² − 2·x·y with the norms made smaller by the error's share is a lower bound of the distance
        self._low = ((1 - share) * norms).astype(points.dtype)

    def add_one(self, place: int) -> None:
        """Adds the row at a place as a centre."""
        lower = self.points @ (self.points[place] * -2)
        lower += self._low
        lower += self._low[place]
        rows = np.flatnonzero(lower < self.squared)
        exact = pair_squared_distances(self.points, rows, np.array([place]))
        self.squared[rows] = np.minimum(self.squared[rows], exact)


# ---------------------------------------------------------------------- least and second least products


class _State(Protocol):
    """Per row: the least `|c|² − 2·x·c` over the centres, the second least, and which centre the least belongs to."""

    def add(self, centres: np.ndarray, norms: np.ndarray, before: int) -> None: ...

    def least(self) -> np.ndarray: ...

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


class _HostState:
    def __init__(self, points: np.ndarray) -> None:
        self._points = points
        kind = np.float64 if points.dtype == np.float64 else np.float32
        self._least, self._second = np.full(len(points), np.inf, kind), np.full(len(points), np.inf, kind)
        self._first = np.full(len(points), NO_ROW, np.int32)

    def add(self, centres: np.ndarray, norms: np.ndarray, before: int) -> None:
        from curation.linalg.two_least import two_least

        scaled = block_of(self._points, centres) * -2  # exact: a power of two
        norms = norms.astype(scaled.dtype)
        products = np.empty((len(centres), min(ROW_BLOCK, len(self._points))), scaled.dtype)
        for start in range(0, len(self._points), ROW_BLOCK):
            block = slice(start, start + ROW_BLOCK)
            right = block_of(self._points, block)
            found = products[:, : len(right)]
            np.matmul(scaled, right.T, out=found)
            two_least(found, norms, before, self._least[block], self._second[block], self._first[block])

    def least(self) -> np.ndarray:
        return self._least.astype(np.float64)

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._least[rows], self._second[rows], self._first[rows].astype(np.int64)


class _DeviceState:
    """The same by torch; the points lie on the device, in half precision where they are."""

    def __init__(self, points: np.ndarray, device: str) -> None:
        import torch

        self._torch = torch
        self._points = torch.empty(points.shape, dtype=getattr(torch, points.dtype.name), device=device)
        for start in range(0, len(points), UPLOAD_BLOCK):  # a copy of each block: torch takes no read-only arrays
            block = slice(start, start + UPLOAD_BLOCK)
            self._points[block] = torch.from_numpy(np.array(points[block]))
        self._kind = torch.float64 if points.dtype == np.float64 else torch.float32
        empty = torch.full((len(points),), torch.inf, dtype=self._kind, device=device)
        self._least, self._second = empty, empty.clone()
        self._first = torch.full((len(points),), NO_ROW, dtype=torch.int64, device=device)
        self._block = 1 << 16

    def add(self, centres: np.ndarray, norms: np.ndarray, before: int) -> None:
        torch = self._torch
        device = self._points.device
        with full_precision():
            left = self._points[torch.from_numpy(centres).to(device)].to(self._kind) * -2
            own = torch.from_numpy(norms).to(device, self._kind)
            start = 0
            while start < len(self._points):
                try:
                    self._add_block(left, own, before, slice(start, start + self._block))
                except torch.OutOfMemoryError:
                    if self._block == 1:
                        raise
                    self._block //= 2
                    continue
                start += self._block

    def _add_block(self, left: Any, own: Any, before: int, block: slice) -> None:
        torch = self._torch
        near = left @ self._points[block].to(self._kind).T
        near += own[:, None]
        least, place = near.min(dim=0)
        if len(left) > 1:
            near.scatter_(0, place[None], torch.inf)
            second = near.min(dim=0).values
        else:
            second = torch.full_like(least, torch.inf)
        old = self._least[block]
        nearer = least < old
        self._second[block] = torch.minimum(
            torch.where(nearer, old, self._second[block]), torch.where(nearer, second, least)
        )
        self._first[block] = torch.where(nearer, place + before, self._first[block])
        self._least[block] = torch.where(nearer, least, old)

    def least(self) -> np.ndarray:
        return self._least.cpu().numpy().astype(np.float64)

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = self._torch.from_numpy(rows).to(self._points.device)
        return self._least[at].cpu().numpy(), self._second[at].cpu().numpy(), self._first[at].cpu().numpy()
