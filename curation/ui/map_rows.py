"""Under the map: the marked rows as a table, and one of them in full with all that is known about it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Neighbours, Score
from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.components import Tile, stat_tiles
from curation.ui.pool import Stored
from curation.ui.rows import row_card, row_table
from curation.ui.select_why import why_row
from curation.ui.text import number, one_line, percent

NEAREST = 5
COPIES = 20


def value_of(artifact: Score | Labels, row: int) -> Any:
    """What a score or label says about a row, or why it says nothing."""
    if isinstance(artifact, Score):
        value = float(artifact.values[row])
        return value if np.isfinite(value) else f"missing: {artifact.missing.reason(row) or 'no value'}"
    return artifact.value(row) or artifact.missing.reason(row) or pool.NO_CLUSTER


def facts_of(dataset: Dataset, row: int) -> dict[str, Any]:
    """Every score and label of a row, by name."""
    found = [*pool.labels(dataset.fingerprint), *pool.scores(dataset.fingerprint)]
    return {
        s.name: value_of(cast(Score | Labels, s.artifact), row)
        for s in found
        if not pool.is_duplicates(s)  # shown as rows
    }


def copies_of(duplicates: list[Stored], row: int) -> list[dict[str, Any]]:
    """The other rows of this row's groups of duplicates."""
    found: dict[int, dict[str, Any]] = {}
    for stored in duplicates:
        codes = np.asarray(stored.labels.codes)
        if codes[row] < 0:
            continue
        for other in np.flatnonzero(codes == codes[row])[: COPIES + 1]:
            if other != row:
                found.setdefault(int(other), {"row": int(other), "found by": stored.name})
    return list(found.values())[:COPIES]


def nearest_to(neighbours: Neighbours | None, row: int) -> list[dict[str, Any]]:
    """The nearest rows in the k-NN graph."""
    if neighbours is None:
        return []
    pairs = zip(neighbours.indices[row][:NEAREST], neighbours.distances[row][:NEAREST], strict=True)
    return [{"row": int(i), "distance": round(float(d), 3)} for i, d in pairs if i >= 0]


def with_texts(dataset: Dataset, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines with the beginning of each row's text."""
    if not found:
        return []
    texts = dataset.take(np.array([f["row"] for f in found])).texts("both")
    return [{**f, "text": one_line(text, 140)} for f, text in zip(found, texts, strict=True)]


def marked_table(dataset: Dataset, rows: np.ndarray, color_name: str, color: Score | Labels | None) -> int | None:
    """The marked rows in a table; returns the one that is clicked."""
    columns = {}
    if isinstance(color, Score):
        columns[color_name] = np.asarray(color.values)
    elif isinstance(color, Labels):
        columns[color_name] = np.array([*color.names, pool.NO_CLUSTER], dtype=object)[np.asarray(color.codes)]
    return row_table(dataset, rows, key=f"map.rows.{len(rows)}.{int(rows.sum()) if len(rows) else 0}", columns=columns)


def detail(dataset: Dataset, row: int, chosen: Stored | None) -> None:
    """One row in full: conversation, scores and labels, copies, nearest rows, why it is in or out."""
    why = None if chosen is None else why_row(chosen, chosen.selection, dataset, row).sentence
    row_card(dataset, row, facts=facts_of(dataset, row), why=why, key="map.row")
    features = pool.newest_features(dataset.fingerprint)
    near = nearest_to(pool.newest_neighbours(dataset.fingerprint, features.key if features else None), row)
    for title, found in (
        ("Copies of this row", copies_of(pool.duplicates(dataset.fingerprint), row)),
        ("Nearest rows", near),
    ):
        if found:
            st.markdown(f"**{title}**")
            st.dataframe(with_texts(dataset, found), hide_index=True, alt=title)


def marked_facts(dataset: Dataset, rows: np.ndarray, chosen: Stored | None) -> None:
    """Numbers about the marked rows."""
    lengths = dataset.lengths("response")
    tiles = [
        Tile("Marked rows", number(len(rows)), note=f"{percent(len(rows), len(dataset))} of all"),
        Tile("Median answer", number(float(np.median(lengths[rows]))), "In characters",
             f"all rows: {number(float(np.median(lengths)))}"),
    ]  # fmt: skip
    if chosen is not None:
        inside = int(chosen.selection.mask[rows].sum())
        tiles.append(Tile("Of these selected", number(inside), note=percent(inside, len(rows))))
    copies = pool.duplicates(dataset.fingerprint)
    if copies:
        codes = np.asarray(copies[0].labels.codes)[rows]
        tiles.append(Tile("Have copies", number(int((codes >= 0).sum())), note=copies[0].name))
    stat_tiles(tiles)
