"""The first pass over the rows: which can be said in the form, which columns the file needs, in which types.

Data loaders infer the types of a file from its beginning. So every record of a file gets the same columns, columns of
mixed kinds become text, and a row that first fills a column late in a long JSON-lines file is moved to its front.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from curation.core.dataset import Dataset
from curation.exporters._forms import (
    MEDIA_COLUMNS,
    Form,
    InexpressibleError,
    carry_turn_fields,
    extra_fields,
    used_fields,
)
from curation.exporters._rows import BLOCK, RowView, dumps, stream

LOADER_CHUNK = 10 << 20
"""Bytes from which `datasets` infers the types of a JSON-lines file (its option `chunksize`)."""

RESERVED = frozenset(
    [
        *("instruction", "input", "output", "history", "system", "prompt", "completion", "chosen", "rejected", "label"),
        *("messages", "conversations", "tools", "text", "image", "images", "video", "videos", "audio", "audios"),
        *("input_ids", "attention_mask", "labels", "position_ids", "completion_mask", "assistant_masks"),
        *("seq_lengths", "segments", "chat_template_kwargs"),
    ]
)
"""Names to which one of the trainers gives a meaning; an extra column with such a name is written as `original_...`."""

INT64 = 1 << 63


@dataclass(frozen=True)
class Extra:
    """A field of the original records that the form does not know.

    Args:
        field: Its name there.
        column: Its name in the file.
        kind: "text", "flag", "whole", "number", or "json" for anything nested or mixed.
    """

    field: str
    column: str
    kind: str


@dataclass(frozen=True)
class Plan:
    """What will be written.

    Args:
        form: The record form.
        container: "json", "jsonl", "csv", "parquet" or "hf".
        rows: int64 `[m]`: rows of the Dataset in the order of the file.
        optional: Optional columns of the form that at least one row needs.
        extras: Extra columns.
        turn_keys: Keys that turns have beyond the usual two, with the kinds of their values.
        unfit: Reason → int64 rows that the form cannot say.
        as_text: Extra columns of kind "json" are written as JSON text.
        moved: Rows moved to the front for the loader's sake.
        used: For each source, the fields that became the conversation.
    """

    form: Form
    container: str
    rows: np.ndarray
    optional: tuple[str, ...]
    extras: tuple[Extra, ...]
    turn_keys: dict[str, frozenset[str]]
    unfit: dict[str, np.ndarray]
    as_text: bool
    moved: int = 0
    used: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the file in order."""
        return (*self.form.columns, *self.optional, *(e.column for e in self.extras))

    def record(self, view: RowView) -> dict[str, Any]:
        """One row as the file holds it, with every column.

        Raises:
            InexpressibleError: if the form cannot say it.
        """
        said = say(self.form, view)
        out = {name: said[name] for name in self.form.columns}
        for name in self.optional:
            out[name] = said.get(name, self.form.empty[name])
        if self.extras:
            rest = extra_fields(view.record, view.form, self.used.get(view.source))
            for extra in self.extras:
                out[extra.column] = self._extra(rest.get(extra.field), extra.kind)
        return out

    def _extra(self, value: Any, kind: str) -> Any:
        if value is None:
            return None
        if kind == "json":
            return dumps(value) if self.as_text else value
        return float(value) if kind == "number" else value


def say(form: Form, view: RowView) -> dict[str, Any]:
    """One row in a form, with the publisher's keys of its turns and the files that its record lists.

    Raises:
        InexpressibleError: if the form cannot say it.
    """
    said = form.convert(carry_turn_fields(view.messages, view.record), view.tools, view.record)
    if isinstance(view.record, dict):
        for name in MEDIA_COLUMNS & view.record.keys() - said.keys():
            files = view.record[name]
            if isinstance(files, list) and files and all(isinstance(f, str) for f in files):
                if name not in form.empty:
                    raise InexpressibleError(name)
                said[name] = files
    return said


def kind_of(value: Any) -> str:
    """The kind of a JSON value: "null", "text", "flag", "whole", "number" or "json"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int):
        return "whole" if -INT64 <= value < INT64 else "json"
    return "number" if isinstance(value, float) else "text" if isinstance(value, str) else "json"


def common_kind(kinds: set[str]) -> str:
    """The kind that a column with these kinds of values gets."""
    kinds = kinds - {"null"}
    if kinds == {"whole", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "json" if kinds else "text"


class _Scan:
    """What the first pass collects."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.rows: list[int] = []
        self.unfit: dict[str, list[int]] = {}
        self.extras: dict[str, set[str]] = {}
        self.turns: dict[str, set[str]] = {}
        self.first: dict[str, tuple[int, int]] = {}  # mark → (place, bytes before it)
        self.bytes = 0

    def add(self, view: RowView, used: frozenset[str] | None) -> None:
        try:
            said = say(self.form, view)
        except InexpressibleError as error:
            self.unfit.setdefault(error.reason, []).append(view.row)
            return
        for name in self.form.empty:
            if said.get(name):
                self._mark(name)
        for name in ("messages", "conversations", "prompt", "completion"):
            if isinstance(said.get(name), list):
                self._turns(name, said[name])
        media = MEDIA_COLUMNS & said.keys()
        for name, value in extra_fields(view.record, view.form, used).items():
            if name in media and said[name] == value:
                continue
            kind = kind_of(value)
            self.extras.setdefault(name, set()).add(kind)
            if kind != "null":
                self._mark(f"extra {name}")
        self.rows.append(view.row)
        self.bytes += view.size

    def _turns(self, column: str, turns: list[dict[str, Any]]) -> None:
        for turn in turns:
            for key, value in turn.items():
                self.turns.setdefault(key, set()).add(kind_of(value))
                self._mark(f"{column}.{key}")

    def _mark(self, name: str) -> None:
        if name not in self.first:
            self.first[name] = (len(self.rows), self.bytes)


def make_plan(
    dataset: Dataset,
    rows: np.ndarray,
    form: Form,
    container: str,
    *,
    for_trainer: bool,
    progress: Callable[..., None] | None = None,
) -> Plan:
    """Read every row once and decide how the file looks.

    Cost: one JSON parse per row. Memory: 8 bytes a row.

    Args:
        dataset: Where from.
        rows: int64 `[m]`, in the order of the file.
        form: The record form.
        container: "json", "jsonl", "csv", "parquet" or "hf".
        for_trainer: Make a file that a trainer's loader reads: reserved names are avoided, nested extras become text.
        progress: Called with (done, total, note).
    """
    used = used_fields(dataset.facts)
    scan = _Scan(form)
    for i, view in enumerate(stream(dataset, rows)):
        scan.add(view, used.get(view.source))
        if progress and i % BLOCK == 0:
            progress(i, len(rows), "looking at the rows")
    optional = tuple(name for name in form.empty if name in scan.first)
    taken = set(form.columns) | set(optional)
    avoid = taken | (RESERVED if for_trainer else set())
    written = np.array(scan.rows, np.int64)
    lead = _lead_places(scan.first) if container == "jsonl" and for_trainer else []
    order = np.concatenate([np.array(lead, np.int64), np.setdiff1d(np.arange(len(written)), lead)]).astype(np.int64)
    return Plan(
        form,
        container,
        written[order],
        optional,
        _name_extras(scan.extras, avoid),
        {k: frozenset(v) for k, v in scan.turns.items()},
        {reason: np.array(found, np.int64) for reason, found in scan.unfit.items()},
        as_text=for_trainer or container in ("csv", "parquet", "hf"),
        moved=len(lead),
        used=used,
    )


def _lead_places(first: dict[str, tuple[int, int]]) -> list[int]:
    """Places whose row must come first, so that the loader sees every column in its first chunk."""
    # sizes are those of the original text, so leave room: half a chunk
    return sorted({place for place, before in first.values() if before > LOADER_CHUNK // 2})


def _name_extras(found: dict[str, set[str]], avoid: set[str] | frozenset[str]) -> tuple[Extra, ...]:
    names: set[str] = set(avoid)
    extras = []
    for name, kinds in found.items():
        column = name
        while column in names or (column != name and column in found):
            column = f"original_{column}"
        names.add(column)
        extras.append(Extra(name, column, common_kind(kinds)))
    return tuple(extras)
