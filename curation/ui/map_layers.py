"""What the map is made of, in the form its component takes: colours, names of clusters, sets of rows, hover texts."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.figures import palette
from curation.figures.palette import Mode
from curation.ui import pool, view_state
from curation.ui.map_rows import value_of
from curation.ui.point_map import Categories, Hovered, Numbers, PlaceName, feed_codes, feed_mask, feed_numbers
from curation.ui.text import number

OUTER = 0.01
"""A score's colours span from this quantile to the one as far from the other end."""
TERMS = " · "
"""Between the terms of a cluster's name."""
HOVER_LETTERS = 420


def colour_layer(name: str, color: Score | Labels | None, mode: Mode) -> Categories | Numbers | None:
    """Send a colour to the browser and say how to read it; mounts a feeder.

    Args:
        name: Changes with the content of the colour.
        color: Of all rows.
        mode: Theme it is shown on.
    """
    c = palette.colours(mode)
    if isinstance(color, Labels):
        column = feed_codes(f"{name}.codes", np.asarray(color.codes))
        return Categories(column, color.names, palette.CATEGORICAL, c.noise, pool.NO_CLUSTER)
    if isinstance(color, Score):
        column = feed_numbers(f"{name}.values", np.asarray(color.values))
        low, high = _span(name, np.asarray(color.values))
        steps = c.sequential[::-1] if color.higher_is_better is False else c.sequential
        return Numbers(column, color.name, low, high, steps, color.higher_is_better, c.noise)
    return None


@st.cache_resource(max_entries=64, show_spinner=False)
def _span(name: str, _values: np.ndarray) -> tuple[float, float]:
    known = _values[np.isfinite(_values)]
    if not len(known):
        return 0.0, 1.0
    low, high = np.quantile(known, [OUTER, 1 - OUTER])
    return float(low), float(high)


def names_layer(layout_key: str, xy: np.ndarray, labels_name: str, labels: Labels) -> list[PlaceName]:
    """Names of the categories at the median of their rows, heaviest first."""
    return _names(layout_key, labels_name, xy, np.asarray(labels.codes), labels.names)


@st.cache_resource(max_entries=16, show_spinner=False)
def _names(
    layout_key: str, labels_name: str, _xy: np.ndarray, _codes: np.ndarray, _names: tuple[str, ...]
) -> list[PlaceName]:
    return places_of(np.asarray(_xy), _codes, _names)


def places_of(xy: np.ndarray, codes: np.ndarray, names: tuple[str, ...]) -> list[PlaceName]:
    """Where the names of categories stand: the median of their placed rows. O(n log n).

    Args:
        xy: float `[n, 2]`; rows with NaN have no place.
        codes: int `[n]`, negative = none.
        names: Of the codes.
    """
    rows = np.flatnonzero((codes >= 0) & np.isfinite(xy).all(1))
    rows = rows[np.argsort(codes[rows], kind="stable")]
    starts = np.searchsorted(codes[rows], np.arange(len(names) + 1))
    found = []
    for code in np.flatnonzero(np.diff(starts)):
        x, y = np.median(xy[rows[starts[code] : starts[code + 1]]], axis=0)
        short = TERMS.join(names[code].split(TERMS)[:2])
        found.append(PlaceName(float(x), float(y), short, float(starts[code + 1] - starts[code])))
    return found


def mask_layer(mask: np.ndarray) -> str:
    """Send a set of rows to the browser; mounts a feeder."""
    return feed_mask(f"mask.{view_state.digest(mask)}", mask)


def hovered(dataset: Dataset, row: int) -> Hovered | None:
    """What stands beside the pointer: the beginning of the row and a few of its values."""
    if row >= len(dataset):
        return None
    text = str(dataset.column("prompt")[row].as_py())
    facts = {}
    clusters = pool.clusters_of(dataset.fingerprint, pool.best_layout(dataset.fingerprint))
    if clusters is not None:
        facts["cluster"] = str(value_of(clusters.labels, row))
    for stored in pool.scores(dataset.fingerprint)[:5]:
        value = float(np.asarray(stored.score.values)[row])
        facts[stored.name] = number(value) if np.isfinite(value) else "missing"
    return Hovered(text[:HOVER_LETTERS], facts)
