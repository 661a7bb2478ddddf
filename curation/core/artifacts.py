"""What methods make. Every artifact belongs to one Dataset, named by its fingerprint, and is row-aligned with it.

An artifact is a frozen dataclass of arrays and plain values. `save` and `load` write any of them as `.npy` files and
one `artifact.json`: numbers are memory-mapped on load, nothing is ever pickled. A missing value is NaN (code -1 in
Labels) and has a reason in `missing`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from curation.core.artifact import Artifact
from curation.core.generated import Derived
from curation.core.missing import NO_ROW, Missing
from curation.core.selection import BEYOND_BUDGET, Selection
from curation.core.training import Dynamics, Model, Trial

__all__ = [
    "BEYOND_BUDGET",
    "KINDS",
    "NO_ROW",
    "Artifact",
    "Coverage",
    "Derived",
    "Dynamics",
    "Export",
    "Features",
    "Labels",
    "Layout",
    "Missing",
    "Model",
    "Neighbours",
    "Score",
    "Selection",
    "Trial",
    "assemble",
    "compact",
    "concat",
]


def _spread(values: np.ndarray, rows: np.ndarray, n: int, empty: Any) -> np.ndarray:
    out = np.full((n, *values.shape[1:]), empty, values.dtype)
    out[rows] = values
    return out


@dataclass(frozen=True)
class Features(Artifact):
    """Vectors of rows.

    Args:
        values: float32 `[n, d]`; NaN rows are missing.
        missing: Why.
        columns: Numbers `[n]` made on the way (windows a long row was read in, tokens).
        info: Plain facts worth showing (model, precision).
    """

    kind: ClassVar[str] = "features"
    values: np.ndarray
    missing: Missing
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            values=self.values[rows],
            missing=self.missing.take(rows),
            columns={k: v[rows] for k, v in self.columns.items()},
        )

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            values=_spread(np.asarray(self.values), rows, n, np.nan),
            missing=self.missing.scatter(rows, n, outside),
            columns={k: _spread(np.asarray(v), rows, n, _empty_of(v)) for k, v in self.columns.items()},
        )


@dataclass(frozen=True)
class Score(Artifact):
    """One number per row, and named columns beside it.

    Args:
        values: float64 `[n]`, NaN = missing.
        missing: Why.
        name: Short name for axes and tables.
        higher_is_better: None when neither end is better by itself (length, language).
        columns: More numbers `[n]` or `[n, c]` made on the way, by name; `of` holds a row for each row, -1 = none.
        info: Plain facts worth showing.
    """

    kind: ClassVar[str] = "score"
    values: np.ndarray
    missing: Missing
    name: str
    higher_is_better: bool | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            values=self.values[rows],
            missing=self.missing.take(rows),
            columns=_columns_of(self.columns, rows),
        )

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            values=_spread(np.asarray(self.values), rows, n, np.nan),
            missing=self.missing.scatter(rows, n, outside),
            columns=_columns_in(self.columns, rows, n),
        )


def _empty_of(values: np.ndarray) -> Any:
    if values.dtype == object:
        return None
    return np.nan if values.dtype.kind == "f" else NO_ROW if values.dtype.kind == "i" else 0


@dataclass(frozen=True)
class Labels(Artifact):
    """One category per row.

    Args:
        codes: int32 `[n]`, index into `names`; -1 = noise or missing.
        names: What is shown for each code.
        missing: Why a row has no label. Noise of a clustering is not missing: code -1, present.
        columns: Numbers `[n]` made on the way (confidence, `of` = the row that this one duplicates, similarity).
        info: Plain facts worth showing (k, inertia, ...).
    """

    kind: ClassVar[str] = "labels"
    codes: np.ndarray
    names: tuple[str, ...]
    missing: Missing
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def from_values(cls, dataset: str, values: list[str | None], reason: str = "no value", **more: Any) -> Labels:
        """From one string (or None) per row; names are sorted."""
        names = tuple(sorted({v for v in values if v is not None}))
        code = {name: i for i, name in enumerate(names)}
        codes = np.array([NO_ROW if v is None else code[v] for v in values], np.int32)
        return cls(dataset, codes, names, Missing.where(codes == NO_ROW, reason), **more)

    def value(self, row: int) -> str | None:
        """The name of one row's label, None for noise or missing."""
        code = int(self.codes[row])
        return self.names[code] if code >= 0 else None

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            codes=self.codes[rows],
            missing=self.missing.take(rows),
            columns=_columns_of(self.columns, rows),
        )

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            codes=_spread(np.asarray(self.codes), rows, n, NO_ROW),
            missing=self.missing.scatter(rows, n, outside),
            columns=_columns_in(self.columns, rows, n),
        )


def _columns_of(columns: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of a subset; `of` holds rows, so it is renumbered."""
    return {k: _renumber(v, rows) if _names_rows(k, v) else v[rows] for k, v in columns.items()}


def _columns_in(columns: dict[str, np.ndarray], rows: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Columns of a subset spread over the whole."""
    return {
        k: _spread(np.where(v >= 0, rows[v], NO_ROW) if _names_rows(k, v) else np.asarray(v), rows, n, _empty_of(v))
        for k, v in columns.items()
    }


def _names_rows(name: str, values: np.ndarray) -> bool:
    """True for the column `of`, unless a user's own numbers bear that name."""
    return name == "of" and values.dtype.kind == "i"


def _renumber(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Row indices `[n]` of a whole as those of the subset `rows` of it; rows that are gone become NO_ROW."""
    position = np.full(len(values), NO_ROW, values.dtype)
    position[rows] = np.arange(len(rows))
    kept = values[rows]
    return np.where(kept >= 0, position[kept], NO_ROW)


@dataclass(frozen=True)
class Neighbours(Artifact):
    """The k-NN graph of the rows that have features.

    Args:
        indices: int32 `[n, k]`, nearest first, the row itself left out; -1 where there is none.
        distances: float32 `[n, k]`, inf where there is none.
        metric: "cosine" (1 − cos, 0 to 2) or "euclidean".
        missing: Rows without features.
        recall: Share of true neighbours found, measured on a sample; 1.0 = exact.
    """

    kind: ClassVar[str] = "neighbours"
    indices: np.ndarray
    distances: np.ndarray
    metric: str
    missing: Missing
    recall: float = 1.0

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        """Neighbours outside the subset are gone (-1, inf), so rows may have fewer than k."""
        position = np.full(len(self), NO_ROW, np.int64)
        position[rows] = np.arange(len(rows))
        kept = self.indices[rows]
        kept = np.where(kept >= 0, position[kept], NO_ROW)
        order = np.argsort(kept < 0, axis=1, kind="stable")
        distances = np.where(kept >= 0, self.distances[rows], np.inf)
        return dataclasses.replace(
            self,
            dataset=dataset,
            indices=np.take_along_axis(kept, order, 1).astype(np.int32),
            distances=np.take_along_axis(distances, order, 1).astype(np.float32),
            missing=self.missing.take(rows),
        )

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        whole = np.where(self.indices >= 0, rows[self.indices], NO_ROW).astype(np.int32)
        return dataclasses.replace(
            self,
            dataset=dataset,
            indices=_spread(whole, rows, n, NO_ROW),
            distances=_spread(np.asarray(self.distances), rows, n, np.inf),
            missing=self.missing.scatter(rows, n, outside),
        )


@dataclass(frozen=True)
class Layout(Artifact):
    """Where each row stands on the 2-D map.

    Args:
        xy: float32 `[n, 2]`, NaN = missing.
        missing: Why.
        preview: True for the quick map that a better one will replace.
        info: Plain facts worth showing.
    """

    kind: ClassVar[str] = "layout"
    xy: np.ndarray
    missing: Missing
    preview: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.xy)

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        return dataclasses.replace(self, dataset=dataset, xy=self.xy[rows], missing=self.missing.take(rows))

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            xy=_spread(np.asarray(self.xy), rows, n, np.nan),
            missing=self.missing.scatter(rows, n, outside),
        )


@dataclass(frozen=True)
class Coverage(Artifact):
    """How well a Selection stands for its Pool.

    Args:
        table: Measures at the full budget: name → value.
        budgets: int64 `[b]`, increasing.
        curves: name → float64 `[b]`, the measures over the budgets.
        random: name → float64 `[seeds, b]`, the same for uniform random orders.
        info: Plain facts (distance threshold, metric, number of clusters).
    """

    kind: ClassVar[str] = "coverage"
    row_aligned: ClassVar[bool] = False
    table: dict[str, float]
    budgets: np.ndarray
    curves: dict[str, np.ndarray] = field(default_factory=dict)
    random: dict[str, np.ndarray] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Export(Artifact):
    """Files written for a trainer.

    Args:
        path: The main file or folder.
        rows: Rows written.
        files: Every file, with its SHA-256.
        info: Counts and the trainer check's verdict.
    """

    kind: ClassVar[str] = "export"
    row_aligned: ClassVar[bool] = False
    path: str
    rows: int
    files: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)


KINDS: dict[str, type[Artifact]] = {
    cls.kind: cls
    for cls in (
        Features,
        Score,
        Labels,
        Neighbours,
        Layout,
        Selection,
        Coverage,
        Export,
        Dynamics,
        Model,
        Trial,
        Derived,
    )
}
"""Every kind that can be stored, by its name."""


RowWise = Features | Score | Labels
"""What row-wise methods make."""


def assemble(n: int, dataset: str, pieces: Iterable[tuple[np.ndarray, Artifact]]) -> Artifact:
    """One artifact of `n` rows from pieces that lie anywhere in it; memory is that of the result and one piece.

    Args:
        n: Rows of the whole.
        dataset: Its fingerprint.
        pieces: (rows int64 `[m]`, artifact of m rows), together covering every row; `info` is the first one's.

    Raises:
        TypeError: if a piece is of a kind that cannot be joined.
    """
    first: RowWise | None = None
    reasons: dict[str, int] = {}
    names: dict[str, int] = {}
    columns: dict[str, np.ndarray] = {}
    main = np.empty(0)
    missing = np.zeros(n, np.int16)
    for rows, piece in pieces:
        if not isinstance(piece, Features | Score | Labels):
            raise TypeError(f"{piece.kind} cannot be joined")
        if isinstance(piece, Labels):
            table = np.array([*(names.setdefault(x, len(names)) for x in piece.names), NO_ROW], np.int32)
            values = table[piece.codes]
        else:
            values = np.asarray(piece.values)
        if first is None:
            first, main = piece, np.empty((n, *values.shape[1:]), values.dtype)
        main[rows] = values
        codes = [0, *(reasons.setdefault(r, len(reasons) + 1) for r in piece.missing.reasons)]
        missing[rows] = np.array(codes, np.int16)[piece.missing.codes]
        for name, column in piece.columns.items():
            if name not in columns:
                columns[name] = np.full((n, *column.shape[1:]), _empty_of(column), column.dtype)
            columns[name][rows] = column
    if first is None:
        raise ValueError("there is nothing to join")
    facts: dict[str, Any] = {"dataset": dataset, "missing": Missing(missing, tuple(reasons)), "columns": columns}
    if not isinstance(first, Labels):
        return dataclasses.replace(first, values=main, **facts)
    known = sorted(names)  # by name, so that codes do not depend on the order of the pieces
    table = np.full(len(known) + 1, NO_ROW, np.int32)
    table[[names[x] for x in known]] = np.arange(len(known))
    return dataclasses.replace(first, codes=table[main], names=tuple(known), **facts)


def concat(parts: list[Artifact]) -> Artifact:
    """Join consecutive row-wise parts (Features, Score or Labels) of one method; `info` is the first part's."""
    edges = np.cumsum([0, *(len(p) for p in parts)])
    places = (np.arange(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True))
    return assemble(int(edges[-1]), parts[0].dataset, zip(places, parts, strict=True))


def compact(made: Artifact) -> Artifact:
    """Without names and reasons that no row has, so that a result does not depend on what else lay in the store."""
    if not isinstance(made, Features | Score | Labels):
        return made
    missing = made.missing.compact()
    if not isinstance(made, Labels):
        return dataclasses.replace(made, missing=missing)
    used = np.zeros(len(made.names) + 1, bool)  # the last place serves code -1
    used[made.codes] = True
    kept = np.flatnonzero(used[:-1])
    table = np.full(len(used), NO_ROW, np.int32)
    table[kept] = np.arange(len(kept))
    return dataclasses.replace(made, missing=missing, codes=table[made.codes], names=tuple(made.names[i] for i in kept))
