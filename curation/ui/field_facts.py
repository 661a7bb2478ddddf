"""What is in a dataset before anything is computed: its fields, its sources, and rows found by their text."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import streamlit as st

from curation.core.dataset import Dataset
from curation.ui.text import one_line
from curation.workspace import Workspace

SAMPLE = 20_000
"""Records read for the facts about fields; more are sampled evenly, and the page says so."""
MOST_VALUES = 2_000
"""Distinct values counted per field."""


@dataclass(frozen=True)
class FieldFacts:
    """One field of the original records.

    Args:
        name: Top-level key.
        present: Records that have it and not null.
        empty: Of these, those with "", [] or {}.
        types: JSON types, most frequent first.
        distinct: Distinct values; MOST_VALUES means so many or more.
        shortest: Characters of the shortest text, None without texts.
        median: Of the texts.
        longest: Of the texts.
        example: A value, cut.
    """

    name: str
    present: int
    empty: int
    types: tuple[str, ...]
    distinct: int
    shortest: int | None
    median: float | None
    longest: int | None
    example: str


def json_type(value: Any) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true/false"
    return {str: "text", int: "number", float: "number", list: "list", dict: "object"}[type(value)]


def field_facts(dataset: Dataset) -> tuple[int, list[FieldFacts]]:
    """Facts of every top-level field, from all records of a small dataset and an even sample of a large one.

    Returns:
        How many records were read, and the facts in the order in which the fields first occur.
    """
    n = len(dataset)
    rows = np.arange(n) if n <= SAMPLE else np.unique(np.linspace(0, n - 1, SAMPLE).astype(np.int64))
    values: dict[str, list[Any]] = {}
    for text in dataset.take(rows).table["record"].to_pylist():
        record = json.loads(text)
        for name, value in record.items() if isinstance(record, dict) else [("(record)", record)]:
            if value is not None:
                values.setdefault(name, []).append(value)
    return len(rows), [_facts(name, found) for name, found in values.items()]


def _facts(name: str, values: list[Any]) -> FieldFacts:
    lengths = [len(v) for v in values if isinstance(v, str)]
    seen: set[str] = set()
    for value in values:
        seen.add(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))
        if len(seen) >= MOST_VALUES:
            break
    types = Counter(map(json_type, values))
    filled = next((v for v in values if v not in ("", [], {})), values[0])
    return FieldFacts(
        name,
        len(values),
        sum(v in ("", [], {}) for v in values),
        tuple(kind for kind, _ in types.most_common()),
        len(seen),
        min(lengths) if lengths else None,
        float(np.median(lengths)) if lengths else None,
        max(lengths) if lengths else None,
        one_line(filled if isinstance(filled, str) else json.dumps(filled, ensure_ascii=False), 120),
    )


@st.cache_resource(max_entries=8, show_spinner="Reading the fields …")
def cached_field_facts(root: str, fingerprint: str) -> tuple[int, list[FieldFacts]]:
    """`field_facts` of a stored dataset, once per dataset."""
    return field_facts(Workspace(Path(root)).dataset(fingerprint))


def empty_answers(dataset: Dataset) -> int:
    """Rows whose answer has nothing but white space; counted once for a dataset."""
    return _empty_answers(dataset.fingerprint, dataset)


@st.cache_data(max_entries=64, show_spinner=False)
def _empty_answers(fingerprint: str, _dataset: Dataset) -> int:
    # chunk by chunk: the trimmed copy of all texts would double them in memory
    chunks = _dataset.column("response").chunks
    return sum(int(pc.sum(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(c)), 0)).as_py() or 0) for c in chunks)


def find_rows(dataset: Dataset, text: str = "", source: str | None = None) -> np.ndarray:
    """Rows whose prompt or response contains a text (case is ignored) and that came from a source, int64, sorted."""
    keep = None
    if text:
        prompt, response = (
            pc.match_substring(dataset.column(c), text, ignore_case=True) for c in ("prompt", "response")
        )
        keep = pc.or_(prompt, response)
    if source is not None:
        here = pc.equal(dataset.column("source"), source)
        keep = here if keep is None else pc.and_(keep, here)
    if keep is None:
        return np.arange(len(dataset))
    mask = keep.combine_chunks() if hasattr(keep, "combine_chunks") else keep
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))


def in_order(rows: np.ndarray, values: np.ndarray | None, *, descending: bool) -> np.ndarray:
    """Rows sorted by a value of each; rows without one come last, ties keep their order."""
    if values is None:
        return rows
    keys = np.asarray(values, np.float64)[rows]
    keys = np.where(np.isfinite(keys), -keys if descending else keys, np.inf)
    return rows[np.argsort(keys, kind="stable")]
