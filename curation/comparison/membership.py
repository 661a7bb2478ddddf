"""Which rows the arms share: overlap against chance, exact membership, rows that one, all or m arms take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curation.comparison.chance import expected_overlap, hypergeometric_interval
from curation.comparison.facts import Comparison
from curation.comparison.measured import Overlap, Pattern, Patterns
from curation.core.errors import CurationError
from curation.selectors.consensus import consensus_order

MOST_PATTERNS = 20
MOST_ARMS = 62
"""Arms whose membership fits into the bits of one integer."""


def masks_of(orders: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Boolean `[a, n]`: which arm takes which row; a·n bytes."""
    masks = np.zeros((len(orders), n), bool)
    for mask, order in zip(masks, orders, strict=True):
        mask[order] = True
    return masks


def shared_rows(orders: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Rows that each two selections have in common, int64 `[a, a]`; a times the sum of their sizes.

    Args:
        orders: Unique rows each.
        n: Rows of the Dataset.
    """
    masks = masks_of(orders, n)
    shared = np.zeros((len(orders), len(orders)), np.int64)
    for place, order in enumerate(orders):
        for other in range(place, len(orders)):
            shared[place, other] = shared[other, place] = int(masks[other][order].sum())
    return shared


def overlap_of(names: Sequence[str], orders: Sequence[np.ndarray], n: int, population: int | None = None) -> Overlap:
    """Overlap of each two selections, beside that of two random draws of their sizes.

    Args:
        names: Of the selections.
        orders: Unique rows each.
        n: Rows of the Dataset.
        population: Rows that chance draws from; None = n.
    """
    drawn_from = n if population is None else population
    sizes = np.array([len(order) for order in orders], np.int64)
    shared = shared_rows(orders, n)
    either = sizes[:, None] + sizes[None, :] - shared
    jaccard = np.divide(shared, either, out=np.full(shared.shape, np.nan), where=either > 0)
    expected = np.array([[expected_overlap(drawn_from, int(a), int(b)) for b in sizes] for a in sizes], float)
    low, high = np.zeros_like(shared), np.zeros_like(shared)
    for i, a in enumerate(sizes):
        for j, b in enumerate(sizes):
            low[i, j], high[i, j] = hypergeometric_interval(drawn_from, int(a), int(b))
    for chance in (expected, low, high):
        np.fill_diagonal(chance, sizes)
    return Overlap(
        tuple(names), sizes, shared, jaccard, expected.reshape(shared.shape), low, high, population=drawn_from
    )


def overlap(comparison: Comparison) -> Overlap:
    """Overlap of all arms and random draws, which have the common budget, else the size of the largest arm."""
    arms = (*comparison.arms, *comparison.random)
    orders = [arm.order for arm in comparison.arms]
    orders += [draw.order[: comparison.budget] for draw in comparison.random]
    return overlap_of([arm.name for arm in arms], orders, comparison.n, len(comparison.eligible))


# ---------------------------------------------------------------------- exact membership


def patterns_of(
    names: Sequence[str],
    orders: Sequence[np.ndarray],
    n: int,
    population: int | None = None,
    *,
    most: int = MOST_PATTERNS,
) -> Patterns:
    """Rows by exactly which selections take them; O(a·n).

    Args:
        names: Of the selections.
        orders: Unique rows each, at most 62 selections.
        n: Rows of the Dataset.
        population: Rows that chance draws from; None = n.
        most: Patterns listed; equal counts go by the earlier arms.
    """
    if len(orders) > MOST_ARMS:
        raise CurationError(f"{len(orders)} selections are too many", f"compare at most {MOST_ARMS}")
    bits = np.zeros(n, np.int64)
    for place, order in enumerate(orders):
        bits[order] |= 1 << place
    codes, counts = np.unique(bits, return_counts=True)
    none = int(counts[codes == 0].sum())
    codes, counts = codes[codes > 0], counts[codes > 0]
    best = np.lexsort((codes, -counts))[:most]
    sizes = np.array([len(order) for order in orders], np.int64)
    drawn_from = n if population is None else population
    listed = [
        Pattern(
            tuple(name for place, name in enumerate(names) if codes[at] >> place & 1),
            int(counts[at]),
            _expected(int(codes[at]), sizes, drawn_from),
        )
        for at in best
    ]
    return Patterns(tuple(names), sizes, tuple(listed), int(counts.sum() - counts[best].sum()), none)


def _expected(code: int, sizes: np.ndarray, population: int) -> float:
    """Rows in exactly this pattern if all selections were independent draws."""
    if not population:
        return 0.0
    share = sizes / population
    inside = np.array([code >> place & 1 for place in range(len(sizes))], bool)
    return float(population * np.prod(np.where(inside, share, 1 - share)))


def patterns(comparison: Comparison, most: int = MOST_PATTERNS) -> Patterns:
    """Exact membership among the arms, random left aside."""
    orders = [arm.order for arm in comparison.arms]
    return patterns_of(comparison.names, orders, comparison.n, len(comparison.eligible), most=most)


# ---------------------------------------------------------------------- rows to read


def votes_of(orders: Sequence[np.ndarray], n: int) -> np.ndarray:
    """How many selections take each row, int16 `[n]`."""
    votes = np.zeros(n, np.int16)
    for order in orders:
        votes[order] += 1
    return votes


def by_votes(orders: Sequence[np.ndarray], n: int, at_least: int) -> np.ndarray:
    """Rows that at least so many selections take, int64, in the order of `selector/consensus`."""
    return consensus_order(orders, n, at_least)[0]


def votes(comparison: Comparison) -> np.ndarray:
    """How many arms take each row, int16 `[n]`, random left aside."""
    return votes_of([arm.order for arm in comparison.arms], comparison.n)


def agreed(comparison: Comparison, at_least: int) -> np.ndarray:
    """Rows that at least so many arms take, int64; see `by_votes` for the order."""
    return by_votes([arm.order for arm in comparison.arms], comparison.n, at_least)


def only(comparison: Comparison, name: str) -> np.ndarray:
    """Rows that this arm takes and no other, int64, in its pick order."""
    order = comparison.arm(name).order
    return order[votes(comparison)[order] == 1]


def taken_by_all(comparison: Comparison) -> np.ndarray:
    """Rows that every arm takes, int64, best mean rank first."""
    return agreed(comparison, len(comparison.arms))


def left_by_one(comparison: Comparison, name: str) -> np.ndarray:
    """Rows that every other arm takes and this one does not, int64, best mean rank first; empty for a single arm."""
    others = [arm.order for arm in comparison.arms if arm.name != name]
    if not others:
        return np.empty(0, np.int64)
    rows = by_votes(others, comparison.n, len(others))
    return rows[~masks_of([comparison.arm(name).order], comparison.n)[0][rows]]
