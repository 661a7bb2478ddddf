"""What facility location and QDIT share: covering rows greedily, and saying which pick stands for which row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from curation.core.artifacts import NO_ROW, Features, Neighbours, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Ask
from curation.core.runtime import Runtime
from curation.linalg.distances import all_unit_rows, measurable_rows, pair_squared_distances
from curation.linalg.whole_similarity import ONE, Similarity
from curation.selectors._build import selection

if TYPE_CHECKING:
    from curation.linalg.facility import Draw

Pairs = Literal["all", "neighbours"]

COVERED = "a picked row stands for it"
UNCOVERED = "no picked row is similar to it"
UNUSABLE = "its vector has no direction"
OUTSIDE = "not in the graph of neighbours"

Progress = Callable[[int, int], None]


def cover(
    points: np.ndarray | None,
    budget: int,
    *,
    neighbours: Neighbours | None,
    candidates: np.ndarray | None,
    similarity: Similarity,
    known: np.ndarray | None,
    factor: float = 1.0,
    bonus: np.ndarray | None = None,
    draw: Draw | None = None,
    memory_bytes: int = 2 << 30,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Selection:
    """Facility location over all rows, picking among `candidates`.

    Args:
        points: See `facility_location`, as all that is not described here.
        budget: See there.
        neighbours: See there.
        candidates: See there.
        similarity: See there.
        known: See there.
        factor: What a gain (in units of 1 / ONE) counts; see `curation.linalg.facility.pick_facilities`.
        bonus: float64 `[n]`, what a candidate counts by itself; read at candidates.
        draw: For stochastic greedy.
        memory_bytes: See there.
        device: See there.
        progress: See there.

    Returns:
        A Selection whose `gains` are those in similarity, without factor and bonus.
    """
    from curation.linalg.facility import Graph, Points, pick_facilities  # loads numba

    if (points is None) == (neighbours is None):
        raise CurationError("similarities come from vectors or from a graph, one of the two", "give one of them")
    n = len(points) if points is not None else len(neighbours or ())
    rows = np.arange(n) if candidates is None else np.asarray(candidates, np.int64)
    order = np.asarray([] if known is None else known, np.int64)
    _check(n, budget, rows, order)
    more: dict[str, Any] = {"factor": factor, "draw": draw, "memory_bytes": memory_bytes, "progress": progress}
    if points is not None:
        unit = all_unit_rows(points)
        some = None if len(rows) == n else unit[rows]
        source = Points(unit, some, similarity=similarity, device=device, memory_bytes=memory_bytes)
        position = np.searchsorted(rows, order)
        found = pick_facilities(source, budget, known=position, bonus=None if bonus is None else bonus[rows], **more)
        picks = rows[found.order]
        covered_by = np.where(found.by >= 0, rows[found.by], NO_ROW)
        there = np.flatnonzero(covered_by >= 0)
        distance = np.full(n, np.nan)
        distance[there] = pair_squared_distances(unit, there, covered_by[there]) / 2
    else:
        assert neighbours is not None
        graph = Graph(neighbours.indices, _cosines(neighbours), similarity=similarity)
        found = pick_facilities(graph, budget, eligible=rows, known=order, bonus=bonus, **more)
        picks, covered_by = found.order, found.by
        share = found.best / ONE
        distance = np.where(covered_by >= 0, 2 - 2 * share if similarity == "shifted" else 1 - share, np.nan)
    covered_by[picks], distance[picks] = picks, 0.0
    stage = np.where(covered_by >= 0, 1, 2).astype(np.int16)
    stage[picks] = 0
    return Selection(
        dataset="",
        n=n,
        order=picks,
        gains=found.gains / ONE,
        stage=stage,
        stages=(COVERED, UNCOVERED),
        covered_by=covered_by,
        distance=distance,
        nested=draw is None,
        info={
            "value": found.value,
            "mean similarity": found.value / n,
            "similarity": similarity,
            "pairs": "all" if neighbours is None else f"{neighbours.indices.shape[1]} nearest",
        },
    )


def _check(n: int, budget: int, rows: np.ndarray, known: np.ndarray) -> None:
    if budget < 1:
        raise CurationError(f"budget {budget} is below 1", "ask for at least one row")
    if not len(rows):
        raise CurationError("there is no row to pick from", "give at least one candidate")
    if (np.diff(rows) <= 0).any() or rows[0] < 0 or rows[-1] >= n:
        raise CurationError(f"candidates must be increasing rows from 0 to {n - 1}", "sort them and drop repeats")
    if len(np.unique(known)) < len(known) or not np.isin(known, rows).all():
        raise CurationError(
            "the known picks hold a row twice, or one that is no candidate", "give picks of an earlier run"
        )


def _cosines(graph: Neighbours) -> np.ndarray:
    if graph.metric != "cosine":
        raise CurationError(
            f"the graph measures {graph.metric} distances, not cosines", "make the neighbours with metric: cosine"
        )
    return 1 - np.asarray(graph.distances, np.float64)


class Ground(NamedTuple):
    """The rows that are covered, as `cover` wants them.

    Args:
        rows: int64, increasing, rows of the pool.
        points: Vectors of these rows, or None.
        graph: Their neighbours, or None.
        candidates: int64, positions in `rows` that may be picked.
        lacking: int64, eligible rows that cannot be measured.
    """

    rows: np.ndarray
    points: np.ndarray | None
    graph: Neighbours | None
    candidates: np.ndarray
    lacking: np.ndarray


def ground(
    eligible: np.ndarray, pairs: Pairs, features: Features, neighbours: Neighbours | None, *, whole: bool
) -> Ground:
    """The rows to cover: the eligible ones, or all of the pool that can be measured.

    Raises:
        CurationError: the graph is needed and missing, or no eligible row can be measured.
    """
    if pairs == "all":
        asked = np.flatnonzero(~features.missing.mask) if whole else eligible[~features.missing.mask[eligible]]
        rows, points = measurable_rows(np.asarray(features.values), asked, "cosine")
        graph = None
    else:
        if neighbours is None:
            raise CurationError("pairs: neighbours needs a graph of neighbours", "give neighbours, or set pairs: all")
        absent = neighbours.missing.mask
        rows = np.flatnonzero(~absent) if whole else eligible[~absent[eligible]]
        points, graph = None, neighbours.take(rows, "")
    candidates = np.flatnonzero(np.isin(rows, eligible))
    if not len(candidates):
        raise CurationError("no eligible row has a usable vector", "look at the step that made the features")
    return Ground(rows, points, graph, candidates, np.setdiff1d(eligible, rows))


def spread(
    found: Selection,
    base: Ground,
    pool: Dataset,
    ask: Ask,
    pairs: Pairs,
    *,
    more_out: dict[str, np.ndarray],
    **more: Any,
) -> Selection:
    """A Selection of the pool from one of the rows that were covered.

    Args:
        found: What `cover` returned for `base`.
        base: The rows.
        pool: All rows.
        ask: Which were eligible and how many were to be picked.
        pairs: How similarities were made.
        more_out: Further reasons, each with the eligible rows that it keeps out.
        **more: Fields of the Selection that differ from those of `found`.
    """
    n = len(pool)
    reasons = {UNUSABLE if pairs == "all" else OUTSIDE: base.lacking, **more_out}
    codes, distance, covered_by = np.ones(n, np.int64), np.full(n, np.nan), np.full(n, NO_ROW, np.int64)
    distance[base.rows] = found.distance
    covered_by[base.rows] = np.where(found.covered_by >= 0, base.rows[found.covered_by], NO_ROW)
    codes[base.rows] = np.maximum(found.stage, 1)
    for place, rows in enumerate(reasons.values(), 3):
        codes[rows] = place
        covered_by[rows], distance[rows] = NO_ROW, np.nan
    short_by = min(ask.count, len(ask.eligible)) - len(found)
    why = "; ".join(f"{len(rows):,} eligible rows: {reason}" for reason, rows in reasons.items() if len(rows))
    made = selection(
        pool,
        ask,
        base.rows[found.order],
        stages=(COVERED, UNCOVERED, *reasons),
        codes=codes,
        gains=found.gains,
        covered_by=covered_by,
        distance=distance,
        short_by=short_by,
        short_reason=why if short_by else "",
        nested=found.nested,
        info=found.info,
    )
    return dataclasses.replace(made, **more)


def how(runtime: Runtime) -> dict[str, Any]:
    """How to run, as `cover` wants it."""
    return {
        "memory_bytes": runtime.memory_bytes,
        "device": runtime.device,
        "progress": lambda done, total: runtime.progress(done, total),
    }
