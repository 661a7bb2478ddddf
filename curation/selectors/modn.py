"""MODN: k-center greedy over the rows of one task, begun at the task's centre."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import NO_ROW, Features, Labels, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask, Budget, Purpose, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import pair_squared_distances, unit_rows
from curation.selectors._build import largest_remainder, selection
from curation.selectors.k_center import COVERED, NO_DIRECTION, SAME, k_center_greedy

Progress = Callable[[int, int], None]


class Centre(NamedTuple):
    """Where a task stands among the clusters.

    Args:
        cluster: Code of the cluster that holds most of the task's rows; the lowest of equals.
        row: The task's row closest to that cluster's centroid; the lowest of equals.
    """

    cluster: int
    row: int


def task_centre(points: np.ndarray, codes: np.ndarray, task: np.ndarray) -> Centre:
    """The distribution centre of a task and the row that stands closest to it.

    The cluster in which the task is most frequent is its distribution centre; the row of the task with the largest
    cosine similarity to that cluster's centroid, the mean over all its rows whatever their task, is the centre
    sample. O(n·d).

    Args:
        points: Unit rows `[n, d]` of the whole pool.
        codes: int `[n]`, cluster of each row; -1 = none.
        task: int64, increasing: the task's rows.

    Raises:
        CurationError: if no row of the task is in a cluster.
    """
    inside = codes[task][codes[task] >= 0]
    if not len(inside):
        raise CurationError("no row of the task is in a cluster", "make clusters of the same rows")
    cluster = int(np.bincount(inside).argmax())
    return Centre(cluster, closest_to_mean(points, np.flatnonzero(codes == cluster), task))


def closest_to_mean(points: np.ndarray, of: np.ndarray, among: np.ndarray) -> int:
    """The row among some with the largest cosine similarity to the mean of others; the lowest of equals.

    Args:
        points: Unit rows `[n, d]`.
        of: int64, rows whose mean is taken.
        among: int64, increasing: rows to choose from.
    """
    mean = points[of].mean(axis=0, dtype=np.float64)
    length = float(np.sqrt(mean @ mean))
    if length > 0:  # a mean of exactly opposite rows has no direction: all are equally close
        mean = mean / length
    # for unit rows the nearest has the largest cosine; measured in float64, so that identical rows are equal
    squared = pair_squared_distances(points, among, np.array([0]), other_points=mean[None, :])
    return int(among[squared.argmin()])


class ByCluster(NamedTuple):
    """Picks made in each cluster alone, in rounds over the clusters.

    Args:
        order: int64 `[m]`: first picks of all clusters, then second picks, ...; in a round the largest cluster first.
        gains: float64 `[m]`, Euclidean distance to the nearest pick of the same cluster at pick time, inf for its
            first.
        short_by: Picks fewer than the quotas, because only identical copies of picks were left.
        reached: Clusters with a pick.
    """

    order: np.ndarray
    gains: np.ndarray
    short_by: int
    reached: int


def greedy_by_cluster(
    points: np.ndarray,
    members: list[np.ndarray],
    budget: int,
    *,
    seed: int | None = None,
    fill: bool = False,
    progress: Progress = lambda done, total: None,
) -> ByCluster:
    """k-center greedy in each cluster, for a share of the budget in proportion to its rows (largest remainder).

    Costs Σ n_k·m_k·d for n_k rows and m_k picks of cluster k.

    Args:
        points: Unit rows `[n, d]`.
        members: Rows of each cluster, int64, increasing, none empty.
        budget: At most the rows of all clusters.
        seed: Each cluster begins at a random row; None = at the row closest to its centroid.
        fill: Pick identical copies of picks when nothing else is left.
        progress: Called with (picks made, budget).
    """
    sizes = np.array([len(rows) for rows in members], np.int64)
    quotas = largest_remainder(sizes, budget)
    generator = np.random.default_rng(seed)
    orders, gains, turns, short_by = [], [], [], 0
    for place in np.argsort(-sizes, kind="stable").tolist():
        rows, quota = members[place], int(quotas[place])
        if not quota:
            continue
        first = closest_to_mean(points, rows, rows) if seed is None else int(generator.choice(rows))
        found = k_center_greedy(points[rows], quota, first=int(np.searchsorted(rows, first)), fill=fill)
        orders.append(rows[found.order])
        gains.append(found.gains)
        turns.append(np.arange(len(found)))
        short_by += found.short_by
        progress(sum(len(order) for order in orders), budget)
    in_rounds = np.argsort(np.concatenate(turns), kind="stable")
    return ByCluster(np.concatenate(orders)[in_rounds], np.concatenate(gains)[in_rounds], short_by, len(orders))


class Modn(Selector):
    """MODN: the few rows that cover one task, by k-center greedy in the space of sentence embeddings.

    In the mode `task` the pool holds several tasks and only rows of one are picked. All rows are clustered; the
    cluster in which the task is most frequent is its distribution centre, and the task's row closest to that
    cluster's centroid comes first. Then, again and again, the row of the task that is farthest from all picks so far.

    Two modes do without task labels. `clusters`: each cluster is treated as a task, with a share of the budget in
    proportion to its rows (largest remainder), begun at its row closest to the centroid; picks come in rounds over the
    clusters, the largest first. `global`: k-center over all rows, begun at the row closest to the mean.

    Gains are cosine distances to the nearest pick at pick time (inf for a first pick). A percentage budget is of all
    eligible rows, as the paper counts. Costs n·budget·d by matrix products, less in the mode `clusters`.
    """

    title: ClassVar[str] = "MODN"
    purpose: ClassVar[Purpose] = "coverage"
    when: ClassVar[str] = "One task inside a pool of many tasks is to be covered, or every cluster in proportion."
    weakness: ClassVar[str] = (
        "Blind to quality: whatever is far from the rest comes early, broken and off-topic rows too, so filter first."
    )
    source: ClassVar[str] = (
        "Chen et al. 2023, Maybe Only 0.5% Data is Needed, arXiv 2305.09246; "
        "the modes clusters and global, and the number of clusters, are ours"
    )
    nested: ClassVar[bool] = True
    eligible_ports: ClassVar[tuple[str, ...]] = ("features",)

    budget: Budget = Field(1000, description="rows to pick: a count, a percentage of the eligible rows, or tokens")
    mode: Literal["task", "clusters", "global"] = Field(
        "clusters",
        description="task: rows of one task, as published; clusters: a share of each; global: all rows as one",
    )
    task: str | None = Field(
        None, min_length=1, description="name of the target task, for the mode task", examples=["train"]
    )
    restrict_to_dominant_cluster: bool = Field(
        False, description="pick only in the cluster that holds most rows of the task (mode task)"
    )
    start: Literal["centre", "random"] = Field(
        "centre", description="first pick: the row closest to the centre, or a random one"
    )
    copies: Literal["stop", "fill"] = Field(
        "stop", description="when only identical copies of picked rows are left: stop short, or pick them, lowest first"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="for start: random")

    @model_validator(mode="after")
    def _task_named(self) -> Self:
        if self.mode == "task" and self.task is None:
            raise ValueError("mode 'task' needs 'task', the name of the target task")
        return self

    def is_nested(self) -> bool:
        """Shares rounded for one budget do not contain those of a smaller one."""
        return self.mode != "clusters"

    def select(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        *,
        features: Features,
        clusters: Labels | None = None,
        tasks: Labels | None = None,
    ) -> Selection:
        """Pick rows.

        Args:
            pool: The rows.
            ask: Which rows are eligible, how many to pick, and the picks known already.
            runtime: Progress.
            features: Vectors. Eligible rows whose vector has no direction (length zero) are never picked.
            clusters: For the modes `task` and `clusters`: K-means of all rows.
            tasks: For the mode `task`: the task of each row.

        Raises:
            CurationError: if labels that the mode needs are missing, or no row can be picked.
        """
        points, usable = _unit_rows(features)
        eligible = np.asarray(ask.eligible, np.int64)
        rows = eligible[usable[eligible]]
        if not len(rows):
            raise CurationError("no eligible row has a usable vector", "look at the step that made the features")
        if self.mode == "global":
            return self._greedy(pool, ask, runtime, points, usable, rows, closest_to_mean(points, rows, rows), {})
        codes = np.where(usable, _needed(clusters, "clusters", self.mode).codes, NO_ROW).astype(np.int64)
        if self.mode == "clusters":
            return self._over_clusters(pool, ask, runtime, points, usable, codes)
        rows = self._rows_of_task(rows, _needed(tasks, "tasks", self.mode))
        centre = task_centre(points, codes, rows)
        info = {"task": self.task, "cluster": _needed(clusters, "clusters", self.mode).names[centre.cluster]}
        if self.restrict_to_dominant_cluster:
            rows = rows[codes[rows] == centre.cluster]
            centre = centre._replace(row=closest_to_mean(points, np.flatnonzero(codes == centre.cluster), rows))
        return self._greedy(pool, ask, runtime, points, usable, rows, centre.row, {**info, "centre": centre.row})

    def _rows_of_task(self, rows: np.ndarray, tasks: Labels) -> np.ndarray:
        if self.task not in tasks.names:
            near = get_close_matches(str(self.task), tasks.names, 3) or tasks.names[:10]
            raise CurationError(f"no task is named '{self.task}'", f"tasks: {', '.join(near) or 'none'}")
        rows = rows[np.asarray(tasks.codes)[rows] == tasks.names.index(self.task)]
        if not len(rows):
            raise CurationError(f"no eligible row is of the task '{self.task}'", "loosen `within`")
        return rows

    def _greedy(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        points: np.ndarray,
        usable: np.ndarray,
        rows: np.ndarray,
        first: int,
        info: dict[str, object],
    ) -> Selection:
        """k-center over `rows`, the modes task and global."""
        if self.start == "random":
            first = int(np.random.default_rng(self.seed).choice(rows))
        n, wanted = len(pool), min(ask.count, len(ask.eligible))
        found = k_center_greedy(
            points[rows],
            min(wanted, len(rows)),
            first=int(np.searchsorted(rows, first)),
            known=None if ask.known is None else np.searchsorted(rows, ask.known),
            fill=self.copies == "fill",
            progress=lambda done, total: runtime.progress(done, total),
        )
        codes = np.where(usable, 2, 3)
        codes[rows] = 1
        distance, covered_by = np.full(n, np.nan), np.full(n, NO_ROW, np.int64)
        distance[rows] = _cosine(found.distance)
        covered_by[rows] = rows[found.covered_by]
        gains = _cosine(found.gains)
        where = self._where()
        short_by = wanted - len(found)
        return selection(
            pool,
            ask,
            rows[found.order],
            stages=(COVERED, f"not {where}", NO_DIRECTION),
            codes=codes,
            margin=gains[-1] - distance if len(gains) > 1 else None,
            gains=gains,
            covered_by=covered_by,
            distance=distance,
            short_by=short_by,
            short_reason=(found.short_reason or f"only {len(rows):,} rows are {where}") if short_by else "",
            nested=True,
            info={**info, "candidates": len(rows), "radius": float(_cosine(found.distance).max())},
        )

    def _where(self) -> str:
        """Where picks come from, as it is said of rows that are out."""
        if self.mode == "global":
            return "usable"
        cluster = ", in its main cluster" if self.restrict_to_dominant_cluster else ""
        return f"of the task '{self.task}'{cluster}"

    def _over_clusters(
        self, pool: Dataset, ask: Ask, runtime: Runtime, points: np.ndarray, usable: np.ndarray, codes: np.ndarray
    ) -> Selection:
        """k-center in each cluster, the mode clusters."""
        members = _members(codes, np.asarray(ask.eligible, np.int64))
        if not members:
            raise CurationError("no eligible row is in a cluster", "make clusters of the same rows")
        wanted = min(ask.count, len(ask.eligible))
        inside = min(wanted, sum(len(rows) for rows in members))
        found = greedy_by_cluster(
            points,
            members,
            inside,
            seed=self.seed if self.start == "random" else None,
            fill=self.copies == "fill",
            progress=lambda done, total: runtime.progress(done, total),
        )
        reasons = [SAME] * (found.short_by > 0) + ["all other rows are in no cluster"] * (wanted > inside)
        return selection(
            pool,
            ask,
            found.order,
            stages=("a picked row of its cluster stands for it", "in no cluster", NO_DIRECTION),
            codes=np.where(usable, np.where(codes >= 0, 1, 2), 3),
            gains=_cosine(found.gains),
            short_by=found.short_by + wanted - inside,
            short_reason="; ".join(reasons),
            info={"clusters": len(members), "clusters_reached": found.reached},
        )

    def work(self, size: Size) -> float:
        """Multiply-adds of the greedy; a share of them where each cluster is looked at alone."""
        pairs = float(size.rows) * max(size.count, 1)
        if self.mode == "clusters":
            pairs /= max(1.0, (size.rows / 2) ** 0.5)  # clusters by default: the square root of half the rows
        return (size.rows + pairs) * max(size.dims, 1)

    def memory(self, size: Size) -> float:
        """Two copies of the vectors (unit rows, those of the task), blocks, and a few numbers per row."""
        return 128e6 + size.rows * (8.0 * size.dims + 64)


def _unit_rows(features: Features) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows float32 `[n, d]`, zeros where there is no direction, and a mask of those that have one."""
    values = np.asarray(features.values)
    present = np.flatnonzero(~features.missing.mask)
    unit = unit_rows(values[present])
    points, usable = np.zeros(values.shape, np.float32), np.zeros(len(values), bool)
    points[present[unit.kept]] = unit.values
    usable[present[unit.kept]] = True
    return points, usable


def _needed(labels: Labels | None, port: str, mode: str) -> Labels:
    if labels is None:
        raise CurationError(f"the mode '{mode}' needs '{port}'", f"add  {port}: $STEP")
    return labels


def _cosine(euclidean: np.ndarray) -> np.ndarray:
    """Cosine distances of unit rows from their Euclidean distances."""
    return euclidean**2 / 2


def _members(codes: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Those of some rows that are in each cluster, in the order of their codes; none of the lists is empty."""
    order = rows[np.argsort(codes[rows], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return [group for group in groups if codes[group[0]] >= 0]
