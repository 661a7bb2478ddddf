"""What methods make. Every artifact belongs to one Dataset, named by its fingerprint, and is row-aligned with it.

An artifact is a frozen dataclass of arrays and plain values. `save` and `load` write any of them as `.npy` files and
one `artifact.json`: numbers are memory-mapped on load, nothing is ever pickled. A missing value is NaN (code -1 in
Labels) and has a reason in `missing`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError

NO_ROW = -1
"""Stands for "no row" wherever a row index is stored."""

BEYOND_BUDGET = "beyond the budget"
"""Stage of rows that an order reaches later; their margin is the number of picks too late."""


@dataclass(frozen=True)
class Missing:
    """Why rows are missing: `codes[i]` is 0 for a present row, else 1 + the index into `reasons`.

    Args:
        codes: int16 `[n]`.
        reasons: One sentence each.
    """

    codes: np.ndarray
    reasons: tuple[str, ...] = ()

    @classmethod
    def none(cls, n: int) -> Missing:
        """Nothing is missing among `n` rows."""
        return cls(np.zeros(n, np.int16))

    @classmethod
    def where(cls, mask: np.ndarray, reason: str) -> Missing:
        """Rows under a boolean mask `[n]` are missing for one reason."""
        return cls(mask.astype(np.int16), (reason,)) if mask.any() else cls.none(len(mask))

    @classmethod
    def from_list(cls, reasons: list[str | None]) -> Missing:
        """One reason (or None for present) per row."""
        names = tuple(dict.fromkeys(r for r in reasons if r is not None))
        code = {name: i + 1 for i, name in enumerate(names)}
        return cls(np.array([0 if r is None else code[r] for r in reasons], np.int16), names)

    @property
    def mask(self) -> np.ndarray:
        """Boolean `[n]`, true where missing."""
        return self.codes > 0

    def reason(self, row: int) -> str | None:
        """The reason of one row, None when it is present."""
        code = int(self.codes[row])
        return self.reasons[code - 1] if code else None

    def counts(self) -> dict[str, int]:
        """Number of rows for each reason that occurs."""
        tally = np.bincount(self.codes, minlength=len(self.reasons) + 1)
        return {reason: int(c) for reason, c in zip(self.reasons, tally[1:], strict=True) if c}

    def take(self, rows: np.ndarray) -> Missing:
        """The same for a subset of rows."""
        return Missing(self.codes[rows], self.reasons)

    def scatter(self, rows: np.ndarray, n: int, outside: str) -> Missing:
        """Put these rows back into a dataset of `n` rows; the others are missing because of `outside`."""
        codes = np.full(n, len(self.reasons) + 1, np.int16)
        codes[rows] = self.codes
        return Missing(codes, (*self.reasons, outside))

    @classmethod
    def concat(cls, parts: list[Missing]) -> Missing:
        """Join consecutive parts."""
        names = tuple(dict.fromkeys(r for p in parts for r in p.reasons))
        code = {name: i + 1 for i, name in enumerate(names)}
        tables = [np.array([0, *(code[r] for r in p.reasons)], np.int16) for p in parts]
        return cls(np.concatenate([t[p.codes] for t, p in zip(tables, parts, strict=True)]), names)


@dataclass(frozen=True)
class Artifact:
    """Base of all artifacts: the fingerprint of the Dataset, and saving.

    Args:
        dataset: Fingerprint of the Dataset that the rows belong to.
    """

    kind: ClassVar[str] = "artifact"
    row_aligned: ClassVar[bool] = True
    dataset: str

    def save(self, folder: Path) -> None:
        """Write into an existing empty folder: one `.npy` per array, string arrays as Parquet, the rest as JSON."""
        plain: dict[str, Any] = {}
        for f in dataclasses.fields(self):
            _save_value(folder, f.name, getattr(self, f.name), plain)
        (folder / "artifact.json").write_text(json.dumps({"kind": self.kind, "fields": plain}, ensure_ascii=False))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read back; arrays are memory-mapped and read-only."""
        plain = json.loads((folder / "artifact.json").read_text())
        if plain["kind"] != cls.kind:
            raise CurationError(f"{folder.name} holds {plain['kind']}, not {cls.kind}")
        return cls(**{f.name: _load_value(folder, f.name, plain["fields"]) for f in dataclasses.fields(cls)})

    # row-aligned artifacts implement these three; engine code calls them, methods never need to

    def __len__(self) -> int:
        raise TypeError(f"{self.kind} has no rows")

    def take(self, rows: np.ndarray, dataset: str) -> Self:
        """The artifact of a subset of the rows, in the given order."""
        raise TypeError(f"{self.kind} cannot be cut to rows")

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        """The reverse of take: rows not named are missing because of `outside`."""
        raise TypeError(f"{self.kind} cannot be spread over rows")


def _save_value(folder: Path, name: str, value: Any, plain: dict[str, Any]) -> None:
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            pq.write_table(pa.table({"value": pa.array(value, pa.large_string())}), folder / f"{name}.parquet")
            plain[name] = {"$text": name}
        else:
            np.save(folder / f"{name}.npy", value, allow_pickle=False)
            plain[name] = {"$array": name}
    elif isinstance(value, Missing):
        inner: dict[str, Any] = {}
        _save_value(folder, f"{name}.codes", value.codes, inner)
        plain[name] = {"$missing": list(value.reasons)}
    elif isinstance(value, dict) and value and all(isinstance(v, np.ndarray) for v in value.values()):
        inner = {}
        for i, v in enumerate(value.values()):
            _save_value(folder, f"{name}.{i}", v, inner)
        plain[name] = {"$columns": list(value), "values": inner}
    else:
        plain[name] = {"$value": value}


def _load_value(folder: Path, name: str, plain: dict[str, Any]) -> Any:
    spec = plain[name]
    if "$array" in spec:
        path = folder / f"{name}.npy"
        array = np.load(path, allow_pickle=False)  # an empty array cannot be mapped
        return np.load(path, mmap_mode="r", allow_pickle=False) if array.nbytes > 1 << 20 else _frozen(array)
    if "$text" in spec:
        column = pq.read_table(folder / f"{name}.parquet")["value"]
        return _frozen(np.array(column.to_pylist(), dtype=object))
    if "$missing" in spec:
        codes = _load_value(folder, f"{name}.codes", {f"{name}.codes": {"$array": 1}})
        return Missing(codes, tuple(spec["$missing"]))
    if "$columns" in spec:
        return {c: _load_value(folder, f"{name}.{i}", spec["values"]) for i, c in enumerate(spec["$columns"])}
    value = spec["$value"]
    return tuple(value) if isinstance(value, list) else value


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


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
        columns: More numbers `[n]` or `[n, c]` made on the way, by name.
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
            columns={k: _renumber(v, rows) if k == "of" else v[rows] for k, v in self.columns.items()},
        )

    def scatter(self, rows: np.ndarray, n: int, dataset: str, outside: str) -> Self:
        return dataclasses.replace(
            self,
            dataset=dataset,
            codes=_spread(np.asarray(self.codes), rows, n, NO_ROW),
            missing=self.missing.scatter(rows, n, outside),
            columns={
                k: _spread(np.where(v >= 0, rows[v], NO_ROW) if k == "of" else np.asarray(v), rows, n, _empty_of(v))
                for k, v in self.columns.items()
            },
        )


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
class Selection(Artifact):
    """Rows in pick order, and for every other row why it is out.

    Row indices are those of the whole Dataset, always. All arrays after `order` are optional: an array of length 0
    means "not known".

    Args:
        n: Number of rows of the Dataset.
        order: int64 `[m]`, unique, in pick order.
        gains: float64 `[m]`: what each pick brought (its distance, its score); the method's docstring says what.
        weights: float64 `[m]`: training weights, where the method gives them.
        stage: int16 `[n]`: 0 = selected, else 1 + the index into `stages`.
        stages: Why rows are out, one sentence each ("below 0.5", "beyond the budget", "near-duplicate").
        margin: float64 `[n]`: how far a row was from being in (threshold − score, ranks too late), NaN unknown.
        covered_by: int64 `[n]`: the selected row that stands for this one, -1 = none.
        distance: float64 `[n]`: distance (or 1 − similarity) to `covered_by`, NaN = none.
        short_by: How many rows fewer than the budget, because there were no more.
        short_reason: Why.
        nested: True when the first k picks are the pick of k.
        info: Plain facts worth showing.
    """

    kind: ClassVar[str] = "selection"
    n: int
    order: np.ndarray
    gains: np.ndarray = field(default_factory=lambda: np.empty(0))
    weights: np.ndarray = field(default_factory=lambda: np.empty(0))
    stage: np.ndarray = field(default_factory=lambda: np.empty(0, np.int16))
    stages: tuple[str, ...] = ()
    margin: np.ndarray = field(default_factory=lambda: np.empty(0))
    covered_by: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    distance: np.ndarray = field(default_factory=lambda: np.empty(0))
    short_by: int = 0
    short_reason: str = ""
    nested: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of selected rows (not of rows of the Dataset)."""
        return len(self.order)

    @property
    def mask(self) -> np.ndarray:
        """Boolean `[n]`, true for selected rows."""
        mask = np.zeros(self.n, bool)
        mask[self.order] = True
        return mask

    def prefix(self, budget: int) -> Selection:
        """The first `budget` picks of a nested order.

        Rows cut off are out because of "beyond the budget", their margin the number of picks too late. What stood for
        other rows may now be out, so `covered_by` and `distance` are dropped.
        """
        if budget >= len(self.order):
            return self
        stages = self.stages if BEYOND_BUDGET in self.stages else (*self.stages, BEYOND_BUDGET)
        code = stages.index(BEYOND_BUDGET) + 1
        stage = np.array(self.stage) if len(self.stage) else np.where(self.mask, 0, code).astype(np.int16)
        margin = np.array(self.margin) if len(self.margin) else np.full(self.n, np.nan)
        cut = self.order[budget:]
        margin[stage == code] += len(cut)  # they were too late for the longer order already
        stage[cut] = code
        margin[cut] = np.arange(1, len(cut) + 1)
        return dataclasses.replace(
            self,
            order=self.order[:budget],
            gains=self.gains[:budget],
            weights=self.weights[:budget],
            stage=stage,
            stages=stages,
            margin=margin,
            covered_by=np.empty(0, np.int64),
            distance=np.empty(0),
            short_by=0,
            short_reason="",
        )

    def why(self, row: int) -> str:
        """One sentence: why this row is in or out."""
        place = np.flatnonzero(self.order == row)
        if len(place):
            gain = f", gain {self.gains[place[0]]:.4g}" if len(self.gains) else ""
            return f"in: pick {place[0] + 1} of {len(self.order)}{gain}"
        code = int(self.stage[row]) if len(self.stage) else 0
        reason = self.stages[code - 1] if code else "not picked"
        margin = float(self.margin[row]) if len(self.margin) else float("nan")
        text = f"out: {reason}" + (f" (by {margin:.4g})" if np.isfinite(margin) else "")
        if len(self.covered_by) and self.covered_by[row] >= 0:
            text += f"; row {int(self.covered_by[row])} stands for it (distance {float(self.distance[row]):.3f})"
        return text


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
    cls.kind: cls for cls in (Features, Score, Labels, Neighbours, Layout, Selection, Coverage, Export)
}
"""Every kind that can be stored, by its name."""


def concat(parts: list[Artifact]) -> Artifact:
    """Join consecutive row-wise parts (Features, Score or Labels) of one method; `info` is the first part's."""
    first = parts[0]
    if len(parts) == 1 or not isinstance(first, Features | Score | Labels):
        return first
    same = [p for p in parts if isinstance(p, type(first))]
    columns = {k: np.concatenate([p.columns[k] for p in same]) for k in first.columns}
    missing = Missing.concat([p.missing for p in same])
    if isinstance(first, Labels):
        labels = [p for p in same if isinstance(p, Labels)]
        names = tuple(sorted({name for p in labels for name in p.names}))
        code = {name: i for i, name in enumerate(names)}
        tables = [np.array([*(code[x] for x in p.names), NO_ROW], np.int32) for p in labels]
        codes = np.concatenate([t[p.codes] for t, p in zip(tables, labels, strict=True)])
        return dataclasses.replace(first, codes=codes, names=names, missing=missing, columns=columns)
    values = np.concatenate([p.values for p in same if not isinstance(p, Labels)])
    return dataclasses.replace(first, values=values, missing=missing, columns=columns)
