"""What the Scores page cuts away, as part of the app's one view: ranges of scores and labels of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.score_facts import numbers_of

Place = tuple[str, str | None]
Bounds = tuple[float | None, float | None]


def _state(dataset: Dataset) -> dict[str, Any]:
    return st.session_state.setdefault(f"scores.cuts.{dataset.fingerprint}", {"ranges": {}, "among": {}})


def cuts_of(dataset: Dataset) -> dict[Place, Bounds]:
    """Lowest and highest value kept, by score and column."""
    return dict(_state(dataset)["ranges"])


def set_cuts(dataset: Dataset, cuts: Mapping[Place, Bounds], label: str) -> None:
    """Put cuts in the place of those on the same numbers; two open bounds remove one."""
    ranges = {**cuts_of(dataset), **cuts}
    _state(dataset)["ranges"] = {p: b for p, b in ranges.items() if b != (None, None)}


def set_groups(
    dataset: Dataset, labels: str, values: Sequence[str], keep: Literal["among", "others"], label: str
) -> None:
    """Only rows with these labels, or all but those."""
    _state(dataset)["among"][labels] = (tuple(values), keep)


def clear_cuts(dataset: Dataset) -> None:
    """Remove every cut on a score or a length."""
    _state(dataset)["ranges"] = {}


def kept_mask(dataset: Dataset) -> np.ndarray | None:
    """Rows of the view, bool `[n]`; None when nothing is cut away."""
    state = _state(dataset)
    if not state["ranges"] and not state["among"]:
        return None
    mask = np.ones(len(dataset), bool)
    known = {n.place: n for n in numbers_of(pool.scores(dataset.fingerprint), columns=True)}
    for place, (low, high) in state["ranges"].items():
        values = known[place].values(dataset)
        mask &= np.isfinite(values)
        mask &= values >= (-np.inf if low is None else low)
        mask &= values <= (np.inf if high is None else high)
    for key, (values, keep) in state["among"].items():
        labels = pool.source_labels(dataset) if key == "source" else pool.session.artifact(key)
        codes = np.array([labels.names.index(v) for v in values])
        mask &= np.isin(labels.codes, codes) == (keep == "among")
    return mask
