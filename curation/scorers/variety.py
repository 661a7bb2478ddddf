"""LIFT's variety: how far a row stands from the mean of the pool, in standardised principal components."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Missing, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Scorer, Size
from curation.core.runtime import Runtime
from curation.linalg.distances import finite_points

Variety = Literal["variance", "energy"]
Components = Literal["smallest", "paper"]

ROW_BLOCK = 4096
CONSTANT = 1e-12
"""A column whose standard deviation is below this share of its largest value holds nothing but rounding."""

THERE = 1e-12
"""A component whose eigenvalue is below this share of the largest is not there."""

EQUAL = 1e-9
"""Loadings, and row values, closer than this share of their size may be equal but for rounding."""

TOP_SHARE = 0.2
SIGNS = "the largest loading of every component is positive, the first of equals"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RowVariance:
    """The variety of every row, in both forms.

    Args:
        values: float64 `[n]`, the form asked for.
        variance: float64 `[n]`, variance of a row's principal components around the row's own mean.
        energy: float64 `[n]`, mean of their squares.
        components: How many were kept; 0 when all rows are equal.
        retained: Share of the standardised variance that they hold; NaN when all rows are equal.
        columns: Columns of the points with a spread, int64.
        loadings: float64 `[columns, components]`, signs fixed.
    """

    values: np.ndarray
    variance: np.ndarray
    energy: np.ndarray
    components: int
    retained: float
    columns: np.ndarray
    loadings: np.ndarray


def row_variance(
    points: np.ndarray,
    *,
    variety: Variety = "variance",
    components: Components = "smallest",
    retained: float = 0.95,
    block: int = ROW_BLOCK,
    progress: Progress | None = None,
) -> RowVariance:
    """Standardises the columns, turns them into principal components, and measures how large each row is in them.

    Columns are divided by their population standard deviation; those without spread are left out. Of the principal
    components the first r are kept. With y the components of a row, `variance` is the mean of (y − mean of y)², the
    mean being that of this one row, and `energy` the mean of y². Since the columns are centred both are nearly the
    squared distance from the mean of all rows, divided by r.

    `variance` changes when a component changes its sign, which an eigenvector leaves open; here its largest loading is
    positive, the first of equals. `energy` does not depend on signs, nor on the basis of the space of the components.
    Where eigenvalues are equal the components themselves are not determined, and only `energy` is to be read.

    Identical rows get identical values. When all rows are equal every value is 0: no row stands apart.

    Cost: two passes of n·d, two of n·d² by matrix products in float64 and an eigen-decomposition of d × d; memory d²
    and a block of rows.

    Args:
        points: `[n, d]`, finite.
        variety: Which form `values` has.
        components: r is the smallest number of components that together hold the share `retained` of the variance
            ("smallest"), or one fewer, as in the published code, which uses a position counted from 0 as a count
            ("paper").
        retained: Above 0, up to 1.
        block: Rows worked on at once.
        progress: Called with (rows passed, rows to pass).

    Raises:
        DataError: rows that are not finite.
        CurationError: `components` is "paper" and the first component alone holds the share, so that none is left.
    """
    points = finite_points(points)
    n = len(points)
    passed = 0

    def blocks() -> Iterator[tuple[slice, np.ndarray]]:
        nonlocal passed
        for start in range(0, n, block):
            rows = slice(start, min(start + block, n))
            yield rows, points[rows].astype(np.float64)
            passed += rows.stop - start
            if progress is not None:
                progress(passed, 4 * n)

    centre = sum(part.sum(axis=0) for _, part in blocks()) / n
    squares, largest, lowest, highest = 0.0, 0.0, np.inf, -np.inf
    for _, part in blocks():
        squares = squares + ((part - centre) ** 2).sum(axis=0)
        largest = np.maximum(largest, np.abs(part).max(axis=0))
        lowest, highest = np.minimum(lowest, part.min(axis=0)), np.maximum(highest, part.max(axis=0))
    deviation = np.sqrt(squares / n)
    columns = np.flatnonzero((lowest < highest) & (deviation > CONSTANT * largest))
    if not len(columns):
        zero = np.zeros(n)
        return RowVariance(zero, zero, zero, 0, float("nan"), columns, np.empty((0, 0)))
    centre, deviation = centre[columns], deviation[columns]

    correlation = np.zeros((len(columns), len(columns)))
    for _, part in blocks():
        standard = (part[:, columns] - centre) / deviation
        correlation += standard.T @ standard
    kept, share, loadings = _components(correlation / n, n, components, retained)

    variance, energy = np.empty(n), np.empty(n)
    for rows, part in blocks():
        scores = ((part[:, columns] - centre) / deviation) @ loadings  # [b, r]
        energy[rows] = (scores**2).mean(axis=1)
        variance[rows] = scores.var(axis=1)
    for values in (variance, energy):
        _level(values, points)
    chosen = variance if variety == "variance" else energy
    return RowVariance(chosen, variance, energy, kept, share, columns, loadings)


def _components(
    correlation: np.ndarray, n: int, components: Components, retained: float
) -> tuple[int, float, np.ndarray]:
    """How many components are kept, the share of the variance that they hold, and their loadings `[d, r]`."""
    values, vectors = np.linalg.eigh(correlation)
    values, vectors = values[::-1], vectors[:, ::-1]
    there = min(int((values > THERE * values[0]).sum()), n)
    shares = np.cumsum(values[:there])
    shares /= shares[-1]
    kept = int(np.argmax(shares >= retained)) + (components == "smallest")
    if kept == 0:
        raise CurationError(
            f"one component holds {shares[0]:.0%} of the variance, and the paper's count is one fewer: none",
            "use components: smallest, or raise `retained`",
        )
    loadings = vectors[:, :kept]
    size = np.abs(loadings)
    largest = np.argmax(size >= (1 - EQUAL) * size.max(axis=0), axis=0)
    signs = np.where(loadings[largest, np.arange(kept)] < 0, -1.0, 1.0)
    return kept, float(shares[kept - 1]), loadings * signs


def _level(values: np.ndarray, points: np.ndarray) -> None:
    """Gives identical rows the value of the first of them, in place.

    A matrix product may round the same row differently at another place of a block, which would break ties at random.
    """
    order = np.argsort(values, kind="stable")
    ahead = np.diff(values[order]) <= EQUAL * np.maximum(values[order][1:], values.mean())
    near = np.zeros(len(values), bool)
    near[order[1:][ahead]] = near[order[:-1][ahead]] = True
    first: dict[bytes, int] = {}
    for row in np.flatnonzero(near).tolist():
        # + 0.0 makes -0 and 0 the same bytes
        digest = hashlib.blake2b((points[row] + 0.0).tobytes(), digest_size=16).digest()
        values[row] = values[first.setdefault(digest, row)]


def overlap_of_tops(a: np.ndarray, b: np.ndarray, share: float = TOP_SHARE) -> float:
    """Share of the rows strictly above the top quantile of `a` that are so in `b` too.

    Args:
        a: float64 `[n]`, finite.
        b: float64 `[n]`, finite.
        share: Of the rows, above 0 and below 1.

    Returns:
        0 to 1, over the larger of the two sets; NaN when no row is above its quantile.
    """
    top_a, top_b = a > np.quantile(a, 1 - share), b > np.quantile(b, 1 - share)
    most = max(int(top_a.sum()), int(top_b.sum()))
    return float((top_a & top_b).sum() / most) if most else float("nan")


class RowVariety(Scorer):
    """How far a row stands from the mean of the pool: its size in the principal components of standardised vectors.

    LIFT keeps the fifth of the rows with the highest values. The published form, `variance`, depends on the signs of
    the components, which are fixed here (the largest loading of each is positive); `energy` does not. Columns hold
    both; the facts say how many of the top fifth they have in common.

    High means unlike the rest, not better: odd and broken rows are high too, and two copies of an odd row are equally
    high. Values are relative to the rows scored together.
    """

    title: ClassVar[str] = "Variety (LIFT)"
    weakness: ClassVar[str] = (
        "Picks outliers, broken rows among them, and does not see repetition: remove copies first."
    )
    source: ClassVar[str] = (
        "LIFT (Xu et al. 2023, arXiv:2312.11508) and its authors' code; the signs and the form energy are ours"
    )

    variety: Variety = Field(
        "variance",
        description="variance: of a row's components around their own mean, as published; energy: mean square",
    )
    components: Components = Field(
        "smallest", description="smallest: as many components as hold the share; paper: one fewer, as in its code"
    )
    retained: float = Field(0.95, gt=0, le=1, description="share of the standardised variance that the components hold")

    def score(self, pool: Dataset, runtime: Runtime, *, features: Features) -> Score:
        """Score every row.

        Raises:
            CurationError: `components` is "paper" and the first component alone holds the share.
        """
        found = row_variance(
            np.asarray(features.values),
            variety=self.variety,
            components=self.components,
            retained=self.retained,
            progress=lambda done, total: runtime.progress(done, total, "rows passed"),
        )
        info: dict[str, Any] = {
            "components": found.components,
            "of columns": features.values.shape[1],
            "columns without spread": features.values.shape[1] - len(found.columns),
            "signs": SIGNS,
        }
        if found.components:
            info["variance retained"] = found.retained
            common = overlap_of_tops(found.variance, found.energy)
            if found.components == 1 and self.variety == "variance":
                info["notes"] = ["one component is kept, and one number does not vary: every value is 0; use energy"]
            if np.isfinite(common):
                info["share of the top 20 % common to variance and energy"] = common
        else:
            info["notes"] = ["all rows have the same vector, so none stands apart: every value is 0"]
        columns = {"energy": found.energy, "variance": found.variance}
        missing = Missing.none(len(pool))
        return Score(pool.fingerprint, found.values, missing, "variety", None, columns, info)

    def work(self, size: Size) -> float:
        """Multiply-adds: two products of rows × width², and the eigen-decomposition."""
        width = float(max(size.dims, 1))
        return size.rows * width**2 + 10 * width**3 / 3

    def memory(self, size: Size) -> float:
        """Three matrices of width × width, a few blocks of rows, the result."""
        width = float(max(size.dims, 1))
        return 64e6 + 24 * width**2 + 32.0 * ROW_BLOCK * width + 64.0 * size.rows
