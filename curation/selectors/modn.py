"""MODN: k-center greedy over the rows of one task, begun at the task's centre."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from curation.core.artifacts import NO_ROW, Features, Labels, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, DataError
from curation.core.method import Ask, Budget, Selector, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import pair_squared_distances, unit_rows
from curation.selectors._build import largest_remainder, selection
from curation.selectors.k_center import COVERED, k_center_greedy

SAME = "every row left is identical to one that is picked"
OTHER_TASK = "of another task"


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
            features: Vectors; every eligible row must have one of a length above zero.
            clusters: For the modes `task` and `clusters`: K-means of all rows.
            tasks: For the mode `task`: the task of each row.

        Raises:
            CurationError: if labels that the mode needs are missing, or no row is of the task.
            DataError: if a row's features have no direction.
        """
        points = _unit_rows(features)
        eligible = np.asarray(ask.eligible, np.int64)
        if self.mode == "clusters":
            return self._over_clusters(pool, ask, runtime, points, _needed(clusters, "clusters", self.mode))
        if self.mode == "global":
            first = closest_to_mean(points, eligible, eligible)
            return self._greedy(pool, ask, runtime, points, eligible, first, {})
        found = _needed(clusters, "clusters", self.mode)
        rows = self._rows_of_task(eligible, _needed(tasks, "tasks", self.mode))
        codes = np.where(features.missing.mask, NO_ROW, found.codes)
        centre = task_centre(points, codes, rows)
        info = {"task": self.task, "cluster": found.names[centre.cluster], "centre": centre.row}
        if self.restrict_to_dominant_cluster:
            rows = rows[codes[rows] == centre.cluster]
            centre = centre._replace(row=closest_to_mean(points, np.flatnonzero(codes == centre.cluster), rows))
        return self._greedy(pool, ask, runtime, points, rows, centre.row, {**info, "rows_of_task": len(rows)})

    def _rows_of_task(self, eligible: np.ndarray, tasks: Labels) -> np.ndarray:
        if self.task not in tasks.names:
            near = get_close_matches(str(self.task), tasks.names, 3) or tasks.names[:10]
            raise CurationError(f"no task is named '{self.task}'", f"tasks: {', '.join(near) or 'none'}")
        rows = eligible[np.asarray(tasks.codes)[eligible] == tasks.names.index(str(self.task))]
        if not len(rows):
            raise CurationError(f"no eligible row is of the task '{self.task}'", "loosen `within`")
        return rows

    def _greedy(
        self,
        pool: Dataset,
        ask: Ask,
        runtime: Runtime,
        points: np.ndarray,
        rows: np.ndarray,
        first: int,
        info: dict[str, object],
    ) -> Selection:
        """k-center over `rows`; the modes task and global."""
        if self.start == "random":
            first = int(np.random.default_rng(self.seed).choice(rows))
        wanted = min(ask.count, len(ask.eligible))
        found = k_center_greedy(
            points[rows],
            min(wanted, len(rows)),
            first=int(np.searchsorted(rows, first)),
            known=None if ask.known is None else np.searchsorted(rows, ask.known),
            fill=self.copies == "fill",
            progress=lambda done, total: runtime.progress(done, total),
        )
        n = len(pool)
        codes = np.full(n, 2)
        codes[rows] = 1
        distance, covered_by = np.full(n, np.nan), np.full(n, NO_ROW, np.int64)
        distance[rows] = _cosine(found.distance)
        covered_by[rows] = rows[found.covered_by]
        gains = _cosine(found.gains)
        short_by = wanted - len(found)
        return selection(
            pool,
            ask,
            rows[found.order],
            stages=(COVERED, self._elsewhere()),
            codes=codes,
            margin=gains[-1] - distance if len(gains) > 1 else None,
            gains=gains,
            covered_by=covered_by,
            distance=distance,
            short_by=short_by,
            short_reason=(found.short_reason or f"only {len(rows):,} rows are {self._whose()}") if short_by else "",
            nested=True,
            info={**info, "start": first, "radius": float(_cosine(found.distance).max())},
        )

    def _elsewhere(self) -> str:
        if self.mode == "global":
            return "not looked at"
        return f"outside the main cluster of {self.task}" if self.restrict_to_dominant_cluster else OTHER_TASK

    def _whose(self) -> str:
        return f"of the task '{self.task}'" + (" in its main cluster" if self.restrict_to_dominant_cluster else "")

    def _over_clusters(
        self, pool: Dataset, ask: Ask, runtime: Runtime, points: np.ndarray, clusters: Labels
    ) -> Selection:
        """k-center in each cluster for its share of the budget; the mode clusters."""
        wanted = min(ask.count, len(ask.eligible))
        codes = np.asarray(clusters.codes, np.int64)
        members = [rows for _, rows in _groups(codes, np.asarray(ask.eligible, np.int64))]
        sizes = np.array([len(rows) for rows in members], np.int64)
        if not len(members):
            raise CurationError("no eligible row is in a cluster", "make clusters of the same rows")
        quotas = largest_remainder(sizes, min(wanted, int(sizes.sum())))
        generator = np.random.default_rng(self.seed)
        orders, gains, ranks, short = [], [], [], 0
        by_size = np.argsort(-sizes, kind="stable")
        done = 0
        for rank, place in enumerate(by_size.tolist()):
            rows, quota = members[place], int(quotas[place])
            if not quota:
                continue
            if self.start == "random":
                first = int(generator.choice(rows))
            else:
                first = closest_to_mean(points, rows, rows)
            found = k_center_greedy(
                points[rows], quota, first=int(np.searchsorted(rows, first)), fill=self.copies == "fill"
            )
            orders.append(rows[found.order])
            gains.append(_cosine(found.gains))
            ranks.append(np.full(len(found), rank))
            short += found.short_by
            done += quota
            runtime.progress(done, wanted)
        turns = np.concatenate([np.arange(len(order)) for order in orders])
        in_rounds = np.lexsort((np.concatenate(ranks), turns))
        loose = wanted - int(quotas.sum())
        reasons = [SAME] * bool(short) + ["the other rows are in no cluster"] * bool(loose)
        return selection(
            pool,
            ask,
            np.concatenate(orders)[in_rounds],
            stages=("a picked row of its cluster stands for it", "in no cluster"),
            codes=np.where(codes >= 0, 1, 2),
            gains=np.concatenate(gains)[in_rounds],
            short_by=short + loose,
            short_reason="; ".join(reasons),
            info={"clusters": len(members), "clusters_reached": len(orders)},
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


def _unit_rows(features: Features) -> np.ndarray:
    """Unit rows float32 `[n, d]`, zeros where features are missing."""
    values = np.asarray(features.values)
    present = np.flatnonzero(~features.missing.mask)
    unit = unit_rows(values[present])
    if len(unit.rejected):
        raise DataError(
            f"{len(unit.rejected):,} rows have features without a direction (length zero or not finite)",
            "look at the step that made them",
            row=int(present[unit.rejected[0]]),
        )
    points = np.zeros(values.shape, np.float32)
    points[present] = unit.values
    return points


def _needed(labels: Labels | None, port: str, mode: str) -> Labels:
    if labels is None:
        raise CurationError(f"the mode '{mode}' needs '{port}'", f"add  {port}: $STEP")
    return labels


def _cosine(euclidean: np.ndarray) -> np.ndarray:
    """Cosine distances of unit rows from their Euclidean distances."""
    return euclidean**2 / 2


def _groups(codes: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each code ≥ 0 that occurs among `rows`, increasing, with its rows."""
    order = rows[np.argsort(codes[rows], kind="stable")]
    for group in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        if len(group) and codes[group[0]] >= 0:
            yield int(codes[group[0]]), group
