"""`decisions.parquet`: for every row of the Dataset, whether it is in the file and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.artifacts import Labels, Score, Selection
from curation.core.dataset import Dataset
from curation.exporters._records import Written

BLOCK = 16_384


def write_decisions(
    path: Path,
    pool: Dataset,
    selection: Selection | None,
    written: Written,
    scores: dict[str, Score],
    labels: dict[str, Labels],
) -> None:
    """Write one line per row of the Dataset.

    Columns: row, row_id, source, line, selected, pick (1 = first), why, margin, covered_by (row id), distance, in_file,
    left_out (why a selected row is not in the file), trainer (what the trainer check says), and one column for each
    score and label under its step's name.

    Cost: about 5 µs a row. Memory: one block.
    """
    states = _States(pool, selection, written)
    names = _column_names(scores, labels)
    fields = [
        *[("row", pa.int64()), ("row_id", pa.string()), ("source", pa.string()), ("line", pa.int64())],
        *[("selected", pa.bool_()), ("pick", pa.int64()), ("why", pa.string()), ("margin", pa.float64())],
        *[("covered_by", pa.string()), ("distance", pa.float64()), ("in_file", pa.bool_())],
        *[("left_out", pa.string()), ("trainer", pa.string())],
        *[(names["score", name], pa.float64()) for name in scores],
        *[(names["label", name], pa.string()) for name in labels],
    ]
    schema = pa.schema(fields)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(pool), BLOCK):
            rows = np.arange(start, min(start + BLOCK, len(pool)))
            columns = states.columns(rows)
            columns += [_numbers(np.asarray(score.values)[rows]) for score in scores.values()]
            columns += [_names_of(label, rows) for label in labels.values()]
            writer.write_batch(pa.record_batch(columns, schema=schema))


class _States:
    def __init__(self, pool: Dataset, selection: Selection | None, written: Written) -> None:
        n = len(pool)
        self.pool, self.selection = pool, selection
        self.pick = np.zeros(n, np.int64)
        if selection is not None:
            self.pick[selection.order] = np.arange(1, len(selection.order) + 1)
        self.selected = self.pick > 0 if selection is not None else np.ones(n, bool)
        self.in_file = np.zeros(n, bool)
        self.in_file[written.rows] = True
        self.left_out = np.full(n, None, dtype=object)
        for reason, rows in written.left_out.items():
            self.left_out[rows] = reason
        self.verdicts = written.report.verdicts(n) if written.report else np.full(n, None, dtype=object)
        if written.report:
            plain = self.in_file & np.array([v is None for v in self.verdicts], bool)
            self.verdicts[plain] = "used"

    def columns(self, rows: np.ndarray) -> list[pa.Array]:
        table = self.pool.table.slice(int(rows[0]), len(rows))
        contents, copies = table["content"].to_pylist(), table["copy"].to_pylist()
        pick, margin, covered, distance = self._of_selection(rows)
        return [
            pa.array(rows),
            pa.array([f"{c.hex()}-{k}" for c, k in zip(contents, copies, strict=True)]),
            table["source"].combine_chunks(),
            table["line"].combine_chunks(),
            pa.array(self.selected[rows]),
            pick,
            pa.array(list(self.whys(rows))),
            margin,
            covered,
            distance,
            pa.array(self.in_file[rows]),
            pa.array(self.left_out[rows], pa.string()),
            pa.array(self.verdicts[rows], pa.string()),
        ]

    def _of_selection(self, rows: np.ndarray) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        s = self.selection
        none = pa.nulls(len(rows), pa.float64())
        pick = pa.array(self.pick[rows], mask=self.pick[rows] == 0)
        margin = _numbers(s.margin[rows]) if s is not None and len(s.margin) else none
        if s is None or not len(s.covered_by):
            return pick, margin, pa.nulls(len(rows), pa.string()), none
        by = s.covered_by[rows]
        ids = [self.pool.row_id(int(row)) if row >= 0 else None for row in by]
        distance = _numbers(s.distance[rows]) if len(s.distance) else none
        return pick, margin, pa.array(ids, pa.string()), distance

    def whys(self, rows: np.ndarray) -> Iterator[str]:
        """`Selection.why` of many rows, without its search per row."""
        s = self.selection
        for row in rows.tolist():
            if s is None:
                yield "in: all rows are exported"
            elif self.pick[row]:
                place = int(self.pick[row])
                known = len(s.gains) and np.isfinite(s.gains[place - 1])
                gain = f", gain {s.gains[place - 1]:.4g}" if known else ""
                yield f"in: pick {place} of {len(s.order)}{gain}"
            else:
                yield _why_out(s, row)


def _why_out(s: Selection, row: int) -> str:
    code = int(s.stage[row]) if len(s.stage) else 0
    text = f"out: {s.stages[code - 1] if code else 'not picked'}"
    if len(s.margin) and np.isfinite(s.margin[row]):
        text += f" (by {float(s.margin[row]):.4g})"
    if len(s.covered_by) and s.covered_by[row] >= 0:
        text += f"; row {int(s.covered_by[row])} stands for it (distance {float(s.distance[row]):.3f})"
    return text


def _numbers(values: np.ndarray) -> pa.Array:
    values = np.asarray(values, np.float64)
    return pa.array(values, mask=np.isnan(values))


def _names_of(label: Labels, rows: np.ndarray) -> pa.Array:
    return pa.array([label.value(int(row)) for row in rows], pa.string())


OWN_COLUMNS = frozenset(
    [
        *("row", "row_id", "source", "line", "selected", "pick", "why", "margin"),
        *("covered_by", "distance", "in_file", "left_out", "trainer"),
    ]
)


def _column_names(scores: dict[str, Score], labels: dict[str, Labels]) -> dict[tuple[str, str], str]:
    """Column of each score and label: its name, with "score_" or "label_" before it where that is taken."""
    taken, names = set(OWN_COLUMNS), {}
    for kind, found in (("score", list(scores)), ("label", list(labels))):
        for name in found:
            column = name
            while column in taken:
                column = f"{kind}_{column}"
            taken.add(column)
            names[kind, name] = column
    return names
