"""MIG: rows that bring the most information over a graph of tags, by greedy."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import pair_squared_distances, unit_rows
from curation.selectors._build import numbers, selection
from curation.selectors._tags import NO_TAGS, OTHERS_UNTAGGED, TagSets, Untagged, tag_sets, tagged

if TYPE_CHECKING:
    import scipy.sparse as sp

Gain = Literal["exact", "first-order"]
Progress = Callable[[int, int], None]

DIGITS = 40
"""Gains are compared in units of 2^-DIGITS of the largest first gain, so that equal ones stay equal however summed."""
BATCH = 16
BLOCK = 65_536
TAG_BLOCK = 512
COSINES_AT_ONCE = 1 << 24
LESS = "brings less information than the picks"


# ---------------------------------------------------------------------- the graph of tags


def tag_vectors(points: np.ndarray, usable: np.ndarray, sets: TagSets) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of tags: the direction of the mean of the unit rows that carry each.

    Args:
        points: Unit rows float32 `[n, d]`, zeros where `usable` is false.
        usable: Boolean `[n]`.
        sets: Tags of every row.

    Returns:
        float32 `[v, d]`, and int64 `[v]`: the tags that have a vector, increasing.
    """
    rows = np.flatnonzero(usable)
    tags, place = sets.within(rows)
    by_tag = np.argsort(tags, kind="stable")
    edges = np.searchsorted(tags[by_tag], np.arange(len(sets.names) + 1))
    means = np.zeros((len(sets.names), points.shape[1]))
    for tag in range(len(sets.names)):
        members = rows[place[by_tag[edges[tag] : edges[tag + 1]]]]
        for start in range(0, len(members), BLOCK):
            means[tag] += points[members[start : start + BLOCK]].sum(axis=0, dtype=np.float64)
    unit = unit_rows(means)
    return unit.values, unit.kept


def similar_tags(vectors: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of different tags whose cosine is at least `least`: both indices (first < second) and the cosine.

    Cosines are 1 − d²/2 of exact distances, so that nothing depends on blocks and threads. v²·d by matrix products.
    """
    firsts, seconds, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    wide = vectors.astype(np.float64)
    block = max(1, min(TAG_BLOCK, COSINES_AT_ONCE // max(len(vectors), 1)))  # texts may hold a million tags
    for start in range(0, len(vectors), block):
        near = wide[start : start + block] @ wide.T >= least - 1e-5
        i, j = np.nonzero(near)
        i += start
        i, j = i[i < j], j[i < j]
        cosines = 1 - pair_squared_distances(vectors, i, j) / 2
        keep = cosines >= least
        firsts.append(i[keep])
        seconds.append(j[keep])
        found.append(cosines[keep])
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(found)


def propagation(count: int, firsts: np.ndarray, seconds: np.ndarray, cosines: np.ndarray, gamma: float) -> sp.csr_array:
    """How much of a tag's information reaches each other tag: `[v, v]`, every column with the sum 1.

    The diagonal has weight 1, edges γ times their cosine; then each column is divided by its sum.

    Args:
        count: Tags.
        firsts: int64 `[e]`, one end of each edge.
        seconds: int64 `[e]`, the other.
        cosines: float64 `[e]`.
        gamma: ≥ 0; 0 leaves the identity.
    """
    import scipy.sparse as sp

    own = np.arange(count)
    weights = np.concatenate([np.ones(count), gamma * cosines, gamma * cosines])
    rows, columns = np.concatenate([own, firsts, seconds]), np.concatenate([own, seconds, firsts])
    kept = weights > 0
    rows, columns, weights = rows[kept], columns[kept], weights[kept]
    sums = np.bincount(columns, weights, minlength=count)
    return sp.csr_array((weights / sums[columns], (rows, columns)), shape=(count, count))


# ---------------------------------------------------------------------- the greedy


@dataclass(frozen=True)
class Spread:
    """What rows of quality 1 bring to each tag, for every different set of tags.

    Args:
        starts: int64 `[s + 1]`, as in a CSR matrix.
        tags: int64, increasing in each set.
        values: float64, ≥ 0.
        count: Tags.
    """

    starts: np.ndarray
    tags: np.ndarray
    values: np.ndarray
    count: int


def spread_of(sets: TagSets, rows: np.ndarray, p: sp.csr_array, *, per_tag: bool = False) -> tuple[Spread, np.ndarray]:
    """The different tag sets of some rows, propagated, and which set each row has: int64 `[m]`.

    Args:
        sets: Tags of every row.
        rows: int64 `[m]`.
        p: From `propagation`.
        per_tag: Divide by the number of tags.
    """
    import scipy.sparse as sp

    number: dict[bytes, int] = {}
    which = np.array([number.setdefault(sets.of(row).tobytes(), len(number)) for row in rows.tolist()], np.int64)
    tags = [np.frombuffer(key, np.int64) for key in number]
    sizes = np.array([len(own) for own in tags], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    values = np.repeat(1.0 / sizes if per_tag else np.ones(len(sizes)), sizes)
    v = sp.csr_array((values, np.concatenate(tags), starts), shape=(len(number), len(sets.names)))
    z = sp.csr_array(v @ p)
    z.sort_indices()
    return Spread(z.indptr.astype(np.int64), z.indices.astype(np.int64), z.data.astype(np.float64), z.shape[1]), which


class Information:
    """The information that stands, and what a row would add to it.

    Args:
        spread: Of every tag set.
        a: > 0, in φ(x) = (x + a)^b.
        b: In (0, 1].
        gain: "exact", φ(x + z) − φ(x), or "first-order", z·φ'(x); summed over tags.
    """

    def __init__(self, spread: Spread, a: float, b: float, gain: Gain) -> None:
        self.spread, self.a, self.b, self.gain = spread, a, b, gain
        self.standing = np.zeros(spread.count)

    def gains(self, which: np.ndarray, quality: np.ndarray) -> np.ndarray:
        """Gains of rows, float64 `[m]`, given their tag sets and qualities; Σ tags of them."""
        s = self.spread
        sizes = s.starts[which + 1] - s.starts[which]
        place = np.repeat(np.arange(len(which)), sizes)
        at = s.starts[which][place] + np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        z, x = s.values[at] * quality[place], self.standing[s.tags[at]] + self.a
        if self.gain == "exact":
            # (x + z)^b − x^b without cancellation
            terms = x**self.b * np.expm1(self.b * np.log1p(z / x))
        else:
            terms = z * (self.b * x ** (self.b - 1))
        return np.bincount(place, terms, minlength=len(which))

    def add(self, which: int, quality: float) -> None:
        """Let a row stand."""
        s = self.spread
        here = slice(s.starts[which], s.starts[which + 1])
        self.standing[s.tags[here]] += s.values[here] * quality


def information_greedy(
    spread: Spread,
    which: np.ndarray,
    quality: np.ndarray,
    budget: int,
    *,
    gain: Gain = "exact",
    a: float = 1e-6,
    b: float = 0.8,
    known: np.ndarray | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picks, again and again, the row that adds most to Σ_l φ(X_l), X being the sum of the rows picked.

    φ(x) = (x + a)^b is concave, so no row's gain ever grows (with either gain), and a gain measured earlier bounds it
    from above: rows are measured again only while such a bound could win (lazy greedy, Minoux 1978). Of rows with the
    same tags only the best one left is looked at, since a higher quality never gains less. Picks are those of the loop
    that measures every row at each step; gains that differ by less than 2^-40 of the largest first gain are equal, and
    go to the lowest row.

    Args:
        spread: From `spread_of`.
        which: int64 `[m]`, tag set of each row.
        quality: float64 `[m]`, ≥ 0.
        budget: At most m.
        gain: See `Information`.
        a: > 0.
        b: In (0, 1].
        known: int64, the first picks (places), already known.
        progress: Called with (picks made, budget).

    Returns:
        int64 `[budget]`, places; float64 `[budget]`, gains at pick time; float64 `[m]`, gains after the last pick.
    """
    info = Information(spread, a, b, gain)
    first = _in_blocks(info, which, quality)
    unit = float(first.max(initial=0.0)) * 2.0**-DIGITS or 1.0

    picks: list[int] = []
    gains: list[float] = []
    for place in [] if known is None else known[:budget].tolist():
        gains.append(float(info.gains(which[[place]], quality[[place]])[0]))
        info.add(int(which[place]), float(quality[place]))
        picks.append(place)
    members, head = _queues(which, quality, picks)
    front = np.array([queue[h] for queue, h in zip(members, head, strict=True) if h < len(queue)], np.int64)
    bounds = np.rint(info.gains(which[front], quality[front]) / unit)
    heap = [(-bound, place) for bound, place in zip(bounds.tolist(), front.tolist(), strict=True)]
    heapq.heapify(heap)
    while len(picks) < budget:
        best, measured, size = (np.inf, -1, 0.0), [], BATCH
        # a bound may be one unit too low by rounding
        while heap and heap[0][0] <= best[0] + 1:
            batch = [heapq.heappop(heap)[1]]
            while heap and len(batch) < size and heap[0][0] <= best[0] + 1:
                batch.append(heapq.heappop(heap)[1])
            rows = np.array(batch, np.int64)
            now = info.gains(which[rows], quality[rows])
            found = [*zip((-np.rint(now / unit)).tolist(), batch, now.tolist(), strict=True)]
            best = min(best, *found)
            measured += found
            size *= 2
        bound, place, value = best
        for other_bound, other, _ in measured:
            if other != place:
                heapq.heappush(heap, (other_bound, other))
        picks.append(place)
        gains.append(value)
        info.add(int(which[place]), float(quality[place]))
        group = int(which[place])
        head[group] += 1
        if head[group] < len(members[group]):
            heapq.heappush(heap, (bound, members[group][head[group]]))
        progress(len(picks), budget)
    return np.array(picks, np.int64), np.array(gains), _in_blocks(info, which, quality)


def _in_blocks(info: Information, which: np.ndarray, quality: np.ndarray) -> np.ndarray:
    parts = [info.gains(which[i : i + BLOCK], quality[i : i + BLOCK]) for i in range(0, len(which), BLOCK)]
    return np.concatenate([np.empty(0), *parts])


def _queues(which: np.ndarray, quality: np.ndarray, picked: list[int]) -> tuple[list[list[int]], list[int]]:
    """The rows of each tag set that are left, best first, equal ones by the lowest; and where each queue begins."""
    left = np.ones(len(which), bool)
    left[picked] = False
    rows = np.flatnonzero(left)
    rows = rows[np.lexsort((-quality[rows], which[rows]))]  # stable: of equals the lowest row first
    count = int(which.max(initial=-1)) + 1
    edges = np.searchsorted(which[rows], np.arange(count + 1)).tolist()
    listed = rows.tolist()
    return [listed[i:j] for i, j in zip(edges[:-1], edges[1:], strict=True)], [0] * count


class Mig(Selector):
    """MIG: the rows that bring the most information, spread over a graph of tags and worth less where there is much.

    A row gives its quality (a `score`, 1 without one) to each of its tags, and from there along edges between similar
    tags. The information of a selection is Σ over tags of φ(what it gives), φ(x) = (x + a)^b, and rows are picked
    by greedy.

    Tags that lie close together are linked: here a tag's vector is the mean of the `features` of the rows that carry it
    (the paper encodes the tag's name), its edges are the cosines from `similarity` on. Labels without several tags per
    row count as one tag each, a proxy. `gain: exact` is what a pick adds; `first-order`, as in the published code, is
    the slope at what stands, which overrates rows that bring much to a tag that has nothing. Gains are in the same
    unit; the margin of a row that is out is what it would now add less than the last pick.
    """

    title: ClassVar[str] = "MIG"
    weakness: ClassVar[str] = (
        "As good as its tags and its score; with clusters for tags it is little more than shares by cluster."
    )
    source: ClassVar[str] = "MIG (Chen et al. 2025, arXiv 2504.13835) and its code; tag vectors from features are ours"
    nested: ClassVar[bool] = True
    purpose: ClassVar[Purpose] = "diversity and quality"
    when: ClassVar[str] = "Rows carry tags and a quality score, and both quality and breadth of topics count."
    eligible_ports: ClassVar[tuple[str, ...]] = ("score",)

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    gain: Gain = Field(
        "exact", description="exact: what a row adds; first-order: slope times what it brings, as published"
    )
    similarity: float = Field(0.9, gt=0, le=1, description="cosine from which two tags are linked")
    gamma: float = Field(1.0, ge=0, le=1000, description="weight of links; 0 = every tag for itself")
    a: float = Field(1e-6, gt=0, le=1e6, description="in the worth of information, (x + a) to the power of b")
    b: float = Field(0.8, gt=0, le=1, description="power: lower makes more of the same worth less; 1 = no diversity")
    per_tag: bool = Field(False, description="divide a row's quality by its number of tags")
    untagged: Untagged = Field("never", description="rows without tags: never picked, or last")

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        tags: Labels,
        features: Features,
        score: Score | None = None,
    ) -> Selection:
        """Link the tags and pick.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Progress.
            tags: Tags, or any labels as a proxy.
            features: Vectors, for the links between tags; rows without one can be picked all the same.
            score: Quality of rows, ≥ 0, higher is better.

        Raises:
            CurationError: if no eligible row has a tag, or the score is negative or better when low.
        """
        sets = tag_sets(tags)
        eligible = np.asarray(ask.eligible, np.int64)
        quality = np.ones(len(pool)) if score is None else _quality(score, eligible)
        eligible = eligible[np.isfinite(quality[eligible])]
        rows = tagged(sets, eligible)
        p, links = self._graph(sets, features)
        spread, which = spread_of(sets, rows, p, per_tag=self.per_tag)
        wanted = min(ask.count, len(ask.eligible))
        known = np.empty(0, np.int64) if ask.known is None else np.asarray(ask.known, np.int64)
        of_tagged = known[sets.counts[known] > 0]
        places, gains, after = information_greedy(
            spread,
            which,
            quality[rows],
            min(wanted, len(rows)),
            gain=self.gain,
            a=self.a,
            b=self.b,
            known=np.searchsorted(rows, of_tagged),
            progress=lambda done, total: runtime.progress(done, total),
        )
        order = rows[places]
        if self.untagged == "last":
            rest = eligible[sets.counts[eligible] == 0][: wanted - len(order)]
            order, gains = np.concatenate([order, rest]), np.concatenate([gains, np.zeros(len(rest))])
        margin, codes = np.full(len(pool), np.nan), np.where(np.isfinite(quality), 2, 3)
        margin[rows], codes[rows] = gains[-1] - after, 1
        short_by = wanted - len(order)
        return selection(
            pool,
            ask,
            order,
            stages=(LESS, NO_TAGS, "no score"),
            codes=codes,
            margin=margin,
            gains=gains,
            short_by=short_by,
            short_reason=OTHERS_UNTAGGED if short_by else "",
            nested=True,
            info={"vocabulary": len(np.unique(sets.within(rows)[0])), "links": links, "proxy": sets.proxy},
        )

    def _graph(self, sets: TagSets, features: Features) -> tuple[sp.csr_array, int]:
        """The propagation, and how many pairs of tags are linked."""
        empty = np.empty(0, np.int64)
        if self.gamma == 0:
            return propagation(len(sets.names), empty, empty, np.empty(0), 0.0), 0
        values = np.asarray(features.values)
        present = np.flatnonzero(~features.missing.mask)
        unit = unit_rows(values[present])
        points, usable = np.zeros(values.shape, np.float32), np.zeros(len(values), bool)
        points[present[unit.kept]], usable[present[unit.kept]] = unit.values, True
        vectors, have = tag_vectors(points, usable, sets)
        firsts, seconds, cosines = similar_tags(vectors, self.similarity)
        return propagation(len(sets.names), have[firsts], have[seconds], cosines, self.gamma), len(cosines)

    def work(self, size: Size) -> float:
        """Reading the features for the tags' vectors, and a few measurements for each pick."""
        return float(size.rows * (8 + size.dims) + 1000 * size.count + 1)

    def memory(self, size: Size) -> float:
        """Two copies of the vectors, and some tags for each row."""
        return 128e6 + size.rows * (8.0 * size.dims + 600)


def _quality(score: Score, eligible: np.ndarray) -> np.ndarray:
    """The score as quality, float64 `[n]`, NaN = none."""
    if score.higher_is_better is False:
        raise CurationError(
            f"lower is better in the score '{score.name}'", "turn it round with scorer/formula, or use another score"
        )
    values = numbers(score, None)
    low = values[eligible][np.isfinite(values[eligible])].min(initial=0.0)
    if low < 0:
        raise CurationError(
            f"the score '{score.name}' goes down to {low:.4g}, and qualities are 0 or more",
            "shift it with scorer/formula, or leave the rows below 0 out with `within`",
        )
    return values
