"""The 2-D map: UMAP on a k-NN graph that exists already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import NO_ROW, Artifact, Features, Layout, Neighbours
from curation.core.dataset import Dataset
from curation.core.method import Method, Size
from curation.core.runtime import Runtime

if TYPE_CHECKING:
    from scipy.sparse import csr_array

log = logging.getLogger(__name__)

SPREAD = 1.0
NEGATIVES = 5  # rows pushed away from for each row pulled near, the reference's default
SMOOTHING_STEPS = 10
SPAN = 10.0  # half the width of the map before the descent, as in the reference implementation
PCA_ROWS = 20_000  # a sample this large gives the two main directions of any pool
EDGE_PASSES = 4_000_000  # rows × epochs aimed at, between the two bounds below
MOST_EPOCHS, FEWEST_EPOCHS = 500, 200
PREVIEW_EPOCHS = 60

Progress = Callable[[int, int], None]


def default_epochs(n: int, preview: bool = False) -> int:
    """Passes over the edges: 500 up to 8,000 rows, 200 from 20,000; 60 for a preview."""
    return PREVIEW_EPOCHS if preview else int(np.clip(EDGE_PASSES / max(n, 1), FEWEST_EPOCHS, MOST_EPOCHS))


def umap_layout(
    indices: np.ndarray,
    distances: np.ndarray,
    *,
    features: np.ndarray | None = None,
    min_dist: float = 0.1,
    epochs: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """Places rows on a plane so that neighbours stay neighbours.

    UMAP's fuzzy graph, curve and descent (McInnes, Healy and Melville 2018, arXiv:1802.03426) with three changes for
    speed. The graph is given. The rows begin at their two main directions (random places without `features`), smoothed
    over the graph, in place of eigenvectors of the graph. The descent runs in parallel: `linalg.umap_sgd`. The result
    does not depend on the number of threads; one machine and seed give one map.

    Costs about 0.1 ms per row at 200 epochs on two cores, and 24 bytes per edge.

    Args:
        indices: int `[n, k]`, nearest first, the row itself left out, -1 = none.
        distances: `[n, k]`, in any metric; inf = none.
        features: `[n, d]`, finite, from which the graph was made; only decides where rows begin.
        min_dist: Least distance on the map between rows that are most alike.
        epochs: Passes over the edges; None = `default_epochs`.
        seed: Of the starting places and draws.
        progress: Called with (epochs done, epochs).

    Returns:
        float32 `[n, 2]`, finite, centred at the origin.
    """
    n = len(indices)
    if n < 3:  # nothing to arrange: one row in the middle, two side by side
        return np.array([[0.0, 0.0]] if n == 1 else [[-1.0, 0.0], [1.0, 0.0]], np.float32)[:n]
    from curation.linalg.umap_sgd import descend

    epochs = default_epochs(n) if epochs is None else epochs
    graph = fuzzy_graph(indices, distances)
    begin = starting_places(graph, features, seed)
    graph.data[graph.data < graph.data.max(initial=0) / epochs] = 0  # an edge that would never be drawn
    graph.eliminate_zeros()
    periods = (graph.data.max(initial=1) / graph.data).astype(np.float32)
    a, b = curve(min_dist)
    xy = descend(
        begin,
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        periods,
        a=a,
        b=b,
        epochs=epochs,
        negatives=NEGATIVES,
        seed=seed,
        progress=progress,
    )
    return xy - xy.mean(axis=0, dtype=np.float64).astype(np.float32)


def fuzzy_graph(indices: np.ndarray, distances: np.ndarray) -> csr_array:
    """UMAP's graph: how surely each pair of rows belongs together, 0 to 1, symmetric.

    The nearest row belongs surely; beyond it, membership falls exponentially at a rate that makes the row's memberships
    add up to log2(k + 1). Two one-sided memberships p and q join to p + q − p·q.

    Args:
        indices: int `[n, k]`, -1 = none.
        distances: `[n, k]`, inf = none.

    Returns:
        Sparse `[n, n]` float32.
    """
    from scipy.sparse import coo_array

    n, k = indices.shape
    there = (indices != NO_ROW) & np.isfinite(distances)
    far = np.where(there, distances, 0.0).astype(np.float64)
    nearest = np.where(there & (far > 0), far, np.inf).min(axis=1, initial=np.inf)
    nearest[~np.isfinite(nearest)] = 0.0  # every neighbour is a copy
    beyond = np.where(there, np.maximum(far - nearest[:, None], 0.0), np.inf)  # [n, k]
    membership = np.exp(-beyond / _widths(beyond, far, there, nearest)[:, None])
    rows, places = np.nonzero(there)
    one_sided = coo_array((membership[rows, places].astype(np.float32), (rows, indices[rows, places])), (n, n)).tocsr()
    other_side = one_sided.T.tocsr()
    return (one_sided + other_side - one_sided.multiply(other_side)).tocsr()


def _widths(beyond: np.ndarray, far: np.ndarray, there: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """The rate of each row, by bisection, float64 `[n]`; never below a thousandth of the row's mean distance."""
    count = there.sum(axis=1)
    target = np.log2(count + 1.0)
    low, high, width = np.zeros(len(far)), np.full(len(far), np.inf), np.ones(len(far))
    for _ in range(48):
        # the nearest row counts as the one extra of log2(k + 1), as in the reference, whose first neighbour is the row
        above = np.exp(-beyond / width[:, None]).sum(axis=1) > target
        high, low = np.where(above, width, high), np.where(above, low, width)
        width = np.where(np.isinf(high), width * 2, (low + high) / 2)
    mean = far.sum(axis=1) / np.maximum(count, 1)
    floor = 1e-3 * np.where(nearest > 0, mean, far.sum() / max(int(there.sum()), 1))
    return np.maximum(np.maximum(width, floor), np.finfo(np.float64).tiny)


def starting_places(graph: csr_array, features: np.ndarray | None, seed: int) -> np.ndarray:
    """Where rows begin, float32 `[n, 2]`: main directions (or random places), each drawn towards its neighbours.

    Ten lazy steps of a walk on the graph smooth away what the two directions cannot show. A little noise keeps copies
    apart, so that the descent can move them.

    Args:
        graph: From `fuzzy_graph`.
        features: `[n, d]` or None.
        seed: Of the random places, the sample and the noise.
    """
    from scipy.sparse import diags_array

    n = graph.shape[0]
    rng = np.random.default_rng(seed)
    places = rng.uniform(-SPAN, SPAN, (n, 2)) if features is None else _main_directions(features, rng)
    degrees = graph.sum(axis=1)
    walk = diags_array(1.0 / np.maximum(degrees, 1e-9)) @ graph.astype(np.float64)
    alone = degrees <= 0
    for _ in range(SMOOTHING_STEPS):
        places = np.where(alone[:, None], places, (places + walk @ places) / 2)
    places -= np.median(places, axis=0)
    wide = np.quantile(np.abs(places), 0.98, axis=0)
    if not (wide > 1e-12).all():  # all rows alike along an axis
        places, wide = rng.uniform(-SPAN, SPAN, (n, 2)), np.full(2, SPAN)
    places = np.clip(SPAN * places / wide, -1.5 * SPAN, 1.5 * SPAN)
    # Rounded: a product's last digits differ with the number of threads, and the descent would amplify them.
    return (places.round(4) + rng.normal(0.0, 1e-3 * SPAN, (n, 2))).astype(np.float32)


def _main_directions(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Projections on the two main directions, float64 `[n, 2]`; each direction's largest weight is positive."""
    n, d = features.shape
    sample = features if n <= PCA_ROWS else features[np.sort(rng.choice(n, PCA_ROWS, replace=False))]
    centre = sample.mean(axis=0, dtype=np.float64)
    centred = sample.astype(np.float64) - centre
    directions = np.zeros((d, 2))
    found = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2]  # [d, min(d, 2)]
    directions[:, : found.shape[1]] = found
    directions *= np.where(directions[np.abs(directions).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    blocks = (features[i : i + PCA_ROWS].astype(np.float64) - centre for i in range(0, n, PCA_ROWS))
    return np.concatenate([block @ directions for block in blocks])


@lru_cache
def curve(min_dist: float) -> tuple[float, float]:
    """The a and b of 1 / (1 + a·d^(2b)) that fit "1 up to min_dist, then exp(−(d − min_dist))" best.

    Args:
        min_dist: 0 to 1.
    """
    from scipy.optimize import curve_fit

    x = np.linspace(0, 3 * SPREAD, 300)
    y = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / SPREAD))
    (a, b), _ = curve_fit(lambda x, a, b: 1.0 / (1.0 + a * x ** (2 * b)), x, y)
    return float(a), float(b)


def reference_layout(
    indices: np.ndarray,
    distances: np.ndarray,
    *,
    features: np.ndarray | None = None,
    min_dist: float = 0.1,
    epochs: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """The same with umap-learn's own graph and descent, which runs on one thread: slower, for comparison.

    Args:
        indices: int `[n, k]`, every row with k neighbours.
        distances: `[n, k]`.
        features: `[n, d]` or None.
        min_dist: As in `umap_layout`.
        epochs: As in `umap_layout`.
        seed: As in `umap_layout`.

    Returns:
        float32 `[n, 2]`.
    """
    import warnings

    import umap

    n, k = indices.shape
    begin = starting_places(fuzzy_graph(indices, distances), features, seed)
    with_self = np.hstack([np.arange(n)[:, None], indices]).astype(np.int32)
    far = np.hstack([np.zeros((n, 1)), distances]).astype(np.float32)
    model = umap.UMAP(
        n_neighbors=k + 1,
        min_dist=min_dist,
        init=begin,
        n_epochs=default_epochs(n) if epochs is None else epochs,
        precomputed_knn=(with_self, far),
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "precomputed_knn")  # new rows cannot be placed later, which nobody asks for
        xy = model.fit_transform(begin if features is None else features)
    return (xy - xy.mean(axis=0)).astype(np.float32)


class Umap(Method):
    """Places every row on a plane so that rows with like vectors stand near each other.

    Reads the k-NN graph; `features`, when given, only decide where rows begin, which keeps far things far. Nearness on
    the map means likeness; distance between islands, their size and their density mean little.

    Measured, 20,000 real rows on two cores: 2.7 s, of 15 neighbours each 0.914 trustworthy, where
    `umap.UMAP(metric="cosine")` is 0.915. Time grows in proportion to the rows.
    """

    family: ClassVar[str] = "layout"
    verb: ClassVar[str] = "place"
    returns: ClassVar[type[Artifact]] = Layout
    title: ClassVar[str] = "Map"
    weakness: ClassVar[str] = "Two dimensions cannot hold all neighbours: distances between islands mean little."
    source: ClassVar[str] = "UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426)"

    neighbors: int = Field(15, ge=2, le=200, description="nearest rows kept together; fewer shows finer detail")
    min_dist: float = Field(0.1, ge=0, le=0.99, description="least distance on the map between the most alike rows")
    epochs: int | None = Field(None, ge=1, le=5000, description="passes over the graph; empty = by the number of rows")
    preview: bool = Field(False, description="a quick first map, marked as such, that a better one replaces")
    optimiser: Literal["parallel", "umap-learn"] = Field(
        "parallel", description="the parallel descent, or that of the package umap-learn: slower, on one core"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of the starting places and draws")

    def place(
        self, pool: Dataset, runtime: Runtime, *, neighbours: Neighbours, features: Features | None = None
    ) -> Layout:
        """Map all rows of `pool`.

        Args:
            pool: The rows.
            runtime: Its progress is told the epochs done.
            neighbours: The graph; of each row the first `neighbors` are used, or all if there are fewer.
            features: The vectors that the graph was made from.
        """
        n = len(pool)
        indices = np.asarray(neighbours.indices[:, : self.neighbors])
        distances = np.asarray(neighbours.distances[:, : self.neighbors])
        values = None if features is None else np.asarray(features.values)
        epochs = self.epochs or default_epochs(n, self.preview)
        if self.optimiser == "umap-learn" and n > indices.shape[1] + 1:
            xy = reference_layout(
                indices, distances, features=values, min_dist=self.min_dist, epochs=epochs, seed=self.seed
            )
        else:
            xy = umap_layout(
                indices,
                distances,
                features=values,
                min_dist=self.min_dist,
                epochs=epochs,
                seed=self.seed,
                progress=lambda done, total: runtime.progress(done, total),
            )
        info = {"epochs": epochs, "neighbors": int(indices.shape[1]), "recall": float(neighbours.recall)}
        return Layout(pool.fingerprint, xy, neighbours.missing, self.preview, info)

    def work(self, size: Size) -> float:
        """Row passes."""
        return 1.0 + float(size.rows) * (self.epochs or default_epochs(size.rows, self.preview))

    def memory(self, size: Size) -> float:
        """The graph, one-sided, both-sided and with its periods."""
        return 128e6 + 80.0 * size.rows * self.neighbors

    def disk(self, size: Size) -> float:
        """Two coordinates for each row."""
        return 8.0 * size.rows
