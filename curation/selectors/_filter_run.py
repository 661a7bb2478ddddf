"""Running a filter: a throw-away DuckDB that can reach nothing, on Arrow tables of some rows at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from curation.core.artifacts import NO_ROW, Labels, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.selectors._filter_functions import Kind
from curation.selectors._filter_parse import MEMORY, sandbox
from curation.selectors._filter_sql import RECORD, Filter, read_filter
from curation.selectors._patterns import MOST_STATES

TIME_LIMIT_S = 60.0
BATCH_ROWS = 65_536
BATCH_BYTES = 32 << 20
PATTERN_BYTES = 256 << 10
"""Text of a batch where the largest pattern runs, more for smaller ones: only between batches is one sure to stop."""
NOISE = "noise"
BUILTIN: dict[str, Kind] = {
    "row": "number", "prompt": "text", "response": "text", "source": "text", "form": "text", "line": "number",
    "copy": "number", "turns": "number", "prompt_letters": "number", "response_letters": "number",
    "letters": "number", RECORD: "text",
}  # fmt: skip
"""Columns that every dataset has; `turns` is the number of messages, `copy` counts rows of equal content from 0."""

Piece = Callable[[np.ndarray], pa.Array]


def known_columns(scores: Mapping[str, Score], labels: Mapping[str, Labels]) -> dict[str, Kind]:
    """What an expression may name, and what it holds.

    Raises:
        CurationError: if a score or label has the name of another column.
    """
    named: list[tuple[str, Kind]] = [(name, "number") for name in scores] + [(name, "text") for name in labels]
    known: dict[str, Kind] = {}
    for name, kind in (*named, *BUILTIN.items()):
        if name.lower() in (k.lower() for k in known):
            raise CurationError(f"two columns are called '{name}'", "give the score or label another name")
        known[name] = kind
    for name, score in scores.items():
        for column, values in score.columns.items():
            if values.ndim == 1 and values.dtype.kind in "fiub":
                known.setdefault(f"{name}.{column}", "number")
    return known


def filter_rows(
    pool: Dataset,
    expression: str,
    scores: Mapping[str, Score],
    labels: Mapping[str, Labels],
    *,
    rows: np.ndarray | None = None,
    time_limit: float = TIME_LIMIT_S,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for which an expression holds, and those for which it has no value.

    Streams: memory for the answers, and one batch of the columns that the expression names.

    Args:
        pool: The rows.
        expression: See `Filter`.
        scores: By the names that the expression uses; a missing value is NULL.
        labels: The same; a row's label is text, "noise" for what a clustering left over, NULL where it is missing.
        rows: int64, increasing: only these rows; None = all.
        time_limit: Seconds for all of it.

    Returns:
        Two bool `[n]`: holds, has no value (NULL). Both are False for rows that were not asked about.

    Raises:
        CurationError: if the expression is not understood, cannot be computed, or takes too long.
    """
    made = read_filter(expression, known_columns(scores, labels))
    rows = np.arange(len(pool)) if rows is None else np.asarray(rows, np.int64)
    holds, absent = np.zeros(len(pool), bool), np.zeros(len(pool), bool)
    pieces = [_piece(name, pool, scores, labels) for name in made.columns]
    deadline = time.monotonic() + time_limit
    with sandbox() as connection, _errors_told(time_limit):
        for here in _batches(pool, made, rows):
            if time.monotonic() > deadline:
                raise TimeoutError
            columns = {f"c{i}": piece(here) for i, piece in enumerate(pieces)}
            found = _answered(connection, made, columns, len(here), deadline)
            holds[here] = found == 1
            absent[here] = found == -1
    return holds, absent


def _answered(connection: Any, made: Filter, columns: dict[str, pa.Array], count: int, deadline: float) -> np.ndarray:
    """int8 `[count]`: 1 = holds, 0 = does not, -1 = no value."""
    table = pa.table({"place": pa.array(np.arange(count, dtype=np.int32)), **columns})
    shown = ", ".join(_selected(name, f"c{i}") for i, name in enumerate(made.columns))
    inner = f"SELECT place{', ' + shown if shown else ''} FROM batch"
    clock = threading.Timer(max(deadline - time.monotonic(), 0.01), connection.interrupt)
    clock.daemon = True
    connection.register("batch", table)
    clock.start()
    try:
        query = f"SELECT place, CAST(coalesce(CAST(({made.sql}) AS INTEGER), -1) AS TINYINT) AS holds FROM ({inner})"
        found = connection.execute(query).fetchnumpy()
    finally:
        clock.cancel()
        connection.unregister("batch")
    answers = np.full(count, -1, np.int8)
    answers[found["place"]] = found["holds"]
    return answers


def _selected(name: str, place: str) -> str:
    if name == "turns":
        return f"CAST(json_array_length({place}) AS DOUBLE) AS {place}"
    return place


@contextlib.contextmanager
def _errors_told(time_limit: float) -> Iterator[None]:
    import duckdb

    try:
        yield
    except (duckdb.InterruptException, TimeoutError):
        raise CurationError(
            f"the filter took more than {time_limit:g} s", "make it simpler, or filter fewer rows"
        ) from None
    except duckdb.OutOfMemoryException:
        raise CurationError(f"the filter needs more than {MEMORY}", "make it simpler") from None
    except duckdb.Error as error:
        what = " ".join(str(error).split("\n\n")[0].split())[:200]
        raise CurationError(
            f"the filter cannot be computed: {what}", "TRY_CAST(… AS DOUBLE) makes numbers of text"
        ) from None


# ---------------------------------------------------------------------- columns, some rows at a time


def _batches(pool: Dataset, made: Filter, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows in groups whose texts are not too large."""
    limit = min(BATCH_BYTES, PATTERN_BYTES * MOST_STATES // made.states) if made.states else BATCH_BYTES
    heavy = {"turns": "messages", "prompt": "prompt", "response": "response", RECORD: "record"}
    names = [heavy[name] for name in made.columns if name in heavy]
    each = sum(pool.column(name).nbytes for name in names) / max(len(pool), 1)
    step = int(min(BATCH_ROWS, max(1, limit // max(each, 1))))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _piece(name: str, pool: Dataset, scores: Mapping[str, Score], labels: Mapping[str, Labels]) -> Piece:
    """How a column gives the values of some rows, increasing."""
    if name == "row":
        return lambda rows: pa.array(rows.astype(np.float64))
    if name.endswith("letters") and name in BUILTIN:
        lengths = pool.lengths({"prompt_letters": "prompt", "response_letters": "response"}.get(name, "both"))  # type: ignore[arg-type]
        return lambda rows: pa.array(lengths[rows].astype(np.float64))
    if name in BUILTIN:
        column = pool.column("messages" if name == "turns" else name)
        return lambda rows: _cast(_some(column, rows), name)
    if name in labels:
        return _label_piece(labels[name])
    score, _, inner = name.partition(".") if name not in scores else (name, "", "")
    found = scores[score]
    values = found.columns[inner] if inner else found.values
    mask = found.missing.mask

    def numbers(rows: np.ndarray) -> pa.Array:
        some = np.asarray(values[rows], np.float64)
        return pa.array(some, mask=~np.isfinite(some) | mask[rows])

    return numbers


def _label_piece(labels: Labels) -> Piece:
    names = pa.array([*labels.names, NOISE], pa.large_string())
    mask = labels.missing.mask

    def texts(rows: np.ndarray) -> pa.Array:
        codes = np.asarray(labels.codes[rows], np.int64)
        return names.take(pa.array(np.where(codes == NO_ROW, len(labels.names), codes), mask=mask[rows]))

    return texts


def _some(column: pa.ChunkedArray, rows: np.ndarray) -> pa.Array:
    """Values of increasing rows; those that follow each other are not copied when they lie in one chunk."""
    part = column.slice(int(rows[0]), int(rows[-1] - rows[0]) + 1)
    if len(part) > len(rows):
        part = pa.chunked_array(_taken(part, rows - rows[0]), column.type)
    return part.combine_chunks() if part.num_chunks != 1 else part.chunk(0)


def _taken(part: pa.ChunkedArray, rows: np.ndarray) -> Iterator[pa.Array]:
    start = 0
    for chunk in part.chunks:
        inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(chunk))]
        if len(inside):
            yield chunk.take(pa.array(inside - start))
        start += len(chunk)


def _cast(values: pa.Array, name: str) -> pa.Array:
    return values.cast(pa.float64()) if BUILTIN[name] == "number" and name != "turns" else values
