"""RDS: rows most like a set of queries, each query or task taking its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Features, Labels, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import measurable_rows
from curation.linalg.queries import QuerySearch
from curation.selectors._build import selection
from curation.selectors._queries import Queries, queries_of, tasks_of
from curation.selectors.k_center import NO_DIRECTION

ROOM = 32  # rows that a list holds beyond its share of the picks: what other queries may take from it
LIST_VALUES = 1 << 25  # rows in the lists of all queries together, above which lists grow no longer by themselves
MOST_LISTED = 1 << 28
SERVED_SHOWN = 10_000
NO_TURN = "no query's turn reached it"
TARGET = "it is a target itself"

Aggregate = Literal["round-robin", "mean", "max"]
Progress = Callable[[int, int], None]


class Turns(NamedTuple):
    """Picks made in turns.

    Args:
        order: int64 `[m]`.
        squared: float64 `[m]`, squared distance of each pick to the group whose turn it was.
        served: int64 `[m]`, the query of that group that is nearest to the pick.
    """

    order: np.ndarray
    squared: np.ndarray
    served: np.ndarray


def round_robin(
    points: np.ndarray,
    queries: np.ndarray,
    budget: int,
    *,
    groups: Sequence[np.ndarray] | None = None,
    strict_turns: bool = False,
    known: np.ndarray | None = None,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Turns:
    """Each query in turn takes the row nearest to it that nobody has taken, until there are enough.

    With groups of queries (tasks) the groups take turns, and a row's distance to a group is that to its nearest query.
    Equal distances go to the lowest row. The picks are those of the textbook loop over sorted lists of all rows; here a
    list holds the next few rows only and is made again, of the rows that are left, when it is used up. So memory is
    O(n + v·k) for lists of k rows, and the time that of one to a few products of all queries with all rows.

    Args:
        points: `[n, d]`, finite; unit rows for the order of the cosine.
        queries: `[v, d]`, finite.
        budget: Picks, ≥ 1.
        groups: Queries of each group, int64, none empty; None = each query is a group of its own.
        strict_turns: A turn whose row is taken already is spent, as in the authors' code, instead of going to the next
            row of the list. Lists are then kept whole as far as they are read.
        known: int64 `[m]`, the first picks of an earlier call with the same arguments; they are taken over unexamined,
            except with strict turns, where they are made again.
        device: Where the products run.
        progress: Called with (picks made, budget).

    Returns:
        min(budget, n) picks.

    Raises:
        DataError: rows or queries that are not finite, or of different widths.
        CurationError: budget below 1, or strict turns whose lists grow beyond 2²⁸ rows.
    """
    if budget < 1:
        raise CurationError(f"budget {budget} is below 1", "ask for at least one row")
    search = QuerySearch(points, queries, groups=groups, device=device)
    target = min(budget, len(search.points))
    if strict_turns:
        return _strict(search, target, progress)
    return _advancing(search, target, np.asarray([] if known is None else known, np.int64), progress)


class _List:
    """The next rows of one group."""

    def __init__(self) -> None:
        self.rows, self.squared, self.queries = np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
        self.place = 0

    def skip(self, taken: np.ndarray) -> bool:
        """Go to the first row that is not taken; False when there is none."""
        while self.place < len(self.rows) and taken[self.rows[self.place]]:
            self.place += 1
        return self.place < len(self.rows)

    def left(self, taken: np.ndarray) -> int:
        return int((~taken[self.rows[self.place :]]).sum())


def _advancing(search: QuerySearch, target: int, known: np.ndarray, progress: Progress) -> Turns:
    n, count = len(search.points), len(search)
    order, squared, served = _taken_over(search, known[:target], target)
    taken = np.zeros(n, bool)
    taken[known[:target]] = True
    lists = [_List() for _ in range(count)]
    depth = _depth(target - len(known), count)
    for pick in range(min(len(known), target), target):
        one = lists[pick % count]
        if not one.skip(taken):
            depth = _refill(search, lists, pick % count, taken, depth, target - pick)
            progress(pick, target)
        place = one.place
        order[pick], squared[pick], served[pick] = one.rows[place], one.squared[place], one.queries[place]
        taken[order[pick]] = True
    progress(target, target)
    return Turns(order, squared, served)


def _taken_over(search: QuerySearch, known: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrays for all picks, those known already filled in: pick i was the turn of group i modulo the groups."""
    order, squared, served = np.full(target, NO_ROW, np.int64), np.empty(target), np.empty(target, np.int64)
    order[: len(known)] = known
    for group in range(min(len(search), len(known))):
        turns = slice(group, len(known), len(search))
        squared[turns], served[turns] = search.measure(group, known[turns])
    return order, squared, served


def _depth(picks: int, groups: int) -> int:
    return max(1, -(-picks // groups) + ROOM)


def _refill(search: QuerySearch, lists: list[_List], empty: int, taken: np.ndarray, depth: int, picks: int) -> int:
    """New lists of rows that are left, for the group that has none and those that soon have none.

    Returns:
        How long the next ones are to be: twice as long, while all lists together stay small.
    """
    depth = min(depth, picks)  # a list of as many rows as there are picks to come cannot be used up
    left = np.array([one.left(taken) for one in lists])
    which = np.flatnonzero((left <= depth // 4) | (np.arange(len(lists)) == empty))
    found = search.nearest(depth, which=which, among=np.flatnonzero(~taken))
    for place, group in enumerate(which.tolist()):
        there = found.rows[place] != NO_ROW
        one = lists[group]
        one.rows, one.squared, one.queries = (
            values[place][there] for values in (found.rows, found.squared, found.queries)
        )
        one.place = 0
    return depth if 2 * depth * len(lists) > LIST_VALUES else 2 * depth


def _strict(search: QuerySearch, target: int, progress: Progress) -> Turns:
    """Turn by turn down the lists of all rows; a row that is taken already costs its group the turn."""
    n, count = len(search.points), len(search)
    taken = np.zeros(n, bool)
    order, squared, served = np.empty(target, np.int64), np.empty(target), np.empty(target, np.int64)
    depth, start, picks = min(_depth(target, count), n), 0, 0
    while True:
        if depth * count > MOST_LISTED:
            raise CurationError(
                f"strict turns need lists of {depth:,} rows for each of {count:,} queries",
                "set strict_turns: false, ask for fewer rows, or give fewer queries",
            )
        found = search.nearest(depth)
        for turn in range(start, depth):
            for group in range(count):
                row = found.rows[group, turn]
                if taken[row]:
                    continue
                taken[row] = True
                order[picks], squared[picks], served[picks] = (
                    row, found.squared[group, turn], found.queries[group, turn],
                )  # fmt: skip
                picks += 1
                if picks == target:
                    progress(target, target)
                    return Turns(order, squared, served)
        progress(picks, target)
        start, depth = depth, min(2 * depth, n)


class Rds(Selector):
    """RDS: the rows most like a set of examples, chosen in turns so that every example is served alike.

    Each query takes the row with the highest cosine to it that nobody has taken yet; then the next query; until there
    are enough. Pick i serves query i modulo the number of queries, so any two queries have as many picks within one.
    With `query_tasks` the tasks take turns, a row's similarity to a task being that to the task's nearest query.
    `mean` and `max` rank all rows by their mean or highest cosine to the queries instead (of a task, where there are
    tasks).

    The vectors are whatever `features` holds. RDS+ pools the hidden states of the model to be trained with weights that
    grow with the position; that needs a causal language model's encoder, which is not here yet.

    Gains are cosines to the query or task served. `info["served"]` names the query's row for the first 10,000 picks:
    in the query file, or in the pool for targets.
    """

    title: ClassVar[str] = "RDS, round-robin over queries"
    weakness: ClassVar[str] = (
        "Sees the queries: what it picks is like them in wording, good or bad, and results on the same test say little."
    )
    source: ClassVar[str] = (
        "Ivison et al. 2025, arXiv 2503.01807, and the authors' code hamishivi/automated-instruction-selection"
    )
    nested: ClassVar[bool] = True
    purpose: ClassVar[Purpose] = "targeted"
    when: ClassVar[str] = "When you have examples of the task that the model should become good at."
    eligible_ports: ClassVar[tuple[str, ...]] = ("features",)
    elsewhere: ClassVar[tuple[str, ...]] = ("queries", "query_tasks")

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    aggregate: Aggregate = Field(
        "round-robin", description="round-robin: queries take turns; mean, max: by that cosine to all queries"
    )
    strict_turns: bool = Field(
        False, description="a query whose next row is taken loses its turn, as in the authors' code"
    )
    pick_targets: bool = Field(False, description="targets may be picked themselves")

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        targets: Selection | None = None,
        queries: Features | None = None,
        query_tasks: Labels | None = None,
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Device, progress.
            features: Vectors of the pool. Eligible rows whose vector has no direction (length zero) are never picked.
            targets: Rows of the pool that are the queries; give these or `queries`.
            queries: Vectors of the rows of a query file, by the same encoder.
            query_tasks: Task of each query: labels of the query file, or of the pool for targets.

        Raises:
            CurationError: if neither or both of targets and queries are given, if they do not compare with the
                features, or no row can be picked.
        """
        found = queries_of(features, targets, queries, "cosine")
        tasks = tasks_of(query_tasks, found, features if queries is None else queries)
        eligible = np.asarray(ask.eligible, np.int64)
        barred = np.zeros(len(pool), bool)
        if targets is not None and not self.pick_targets:
            barred[np.asarray(targets.order)] = True
        asked = eligible[~barred[eligible] & ~features.missing.mask[eligible]]
        rows, points = measurable_rows(np.asarray(features.values), asked, "cosine")
        if not len(rows):
            raise CurationError(
                "no eligible row can be picked: all are targets or have no usable vector",
                "loosen `within`, set pick_targets: true, or look at the step that made the features",
            )
        wanted = min(ask.count, len(eligible))
        vectors, groups, offsets = self._asked(found, None if tasks is None else tasks[0])
        turns = round_robin(
            points,
            vectors,
            wanted,
            groups=groups,
            strict_turns=self.strict_turns,
            known=None if ask.known is None else np.searchsorted(rows, ask.known),
            device=runtime.device,
            progress=lambda done, total: runtime.progress(done, total),
        )
        codes = np.where(barred, 2, 3)
        codes[rows] = 1
        short_by = wanted - len(turns.order)
        facts = {
            "eligible rows are targets themselves": int(barred[eligible].sum()),
            "eligible rows have no direction": len(asked) - len(rows),
        }
        info: dict[str, Any] = {
            "metric": "cosine",
            "aggregate": self.aggregate,
            "queries": len(found.rows),
            "queries_without_vector": found.unusable,
            **({} if tasks is None else {"tasks": list(tasks[1])}),
        }
        if self.aggregate == "mean":
            offset = offsets[turns.served]
        else:
            offset = 0.0
            info["served"] = found.rows[turns.served[:SERVED_SHOWN]].tolist()
        return selection(
            pool,
            ask,
            rows[turns.order],
            stages=(NO_TURN, TARGET, NO_DIRECTION),
            codes=codes,
            gains=1 - (turns.squared + offset) / 2,
            short_by=short_by,
            short_reason="; ".join(f"{count:,} {what}" for what, count in facts.items() if count) if short_by else "",
            nested=True,
            info=info,
        )

    def _asked(
        self, found: Queries, tasks: list[np.ndarray] | None
    ) -> tuple[np.ndarray, list[np.ndarray] | None, np.ndarray]:
        """Vectors that rows are measured against, how they are grouped, and what a mean leaves out of the distance.

        The mean of the squared distances to several queries is the squared distance to their mean plus a number that is
        the same for all rows: that of the queries themselves to their mean.
        """
        if self.aggregate == "mean":
            groups = tasks or [np.arange(len(found.rows))]
            wide = found.vectors.astype(np.float64)
            means = np.array([wide[members].mean(axis=0) for members in groups])
            spread = [((wide[m] - mean) ** 2).sum(axis=1).mean() for m, mean in zip(groups, means, strict=True)]
            return means, None, np.array(spread)
        if tasks is not None:
            return found.vectors, tasks, np.empty(0)
        return found.vectors, [np.arange(len(found.rows))] if self.aggregate == "max" else None, np.empty(0)

    def work(self, size: Size) -> float:
        """Rows × width; how many queries there are is not known before."""
        return float(size.rows) * (1 + size.dims) + size.count

    def memory(self, size: Size) -> float:
        """A copy of the vectors, blocks, lists, and a few numbers per row."""
        return 160e6 + size.rows * (4.0 * size.dims + 64) + 24.0 * min(LIST_VALUES, 4 * (size.count + 1000))
