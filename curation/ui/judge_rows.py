"""Which rows the judge is asked about: all, those in view, a stored selection, or a random sample."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import streamlit as st

from curation.complete.stored import Parts
from curation.core.artifacts import Selection
from curation.core.dataset import Dataset
from curation.core.method import Ask, find
from curation.core.runtime import Runtime
from curation.ui import pool, session, view_state
from curation.ui.components import errors_shown
from curation.ui.judge_method import Judge
from curation.ui.text import number
from curation.views import View, steps_of
from curation.workspace import Workspace

KEY = "judge.rows"
WAYS = {"all": "all rows", "view": "the view", "selection": "a selection", "sample": "a random sample"}
SAMPLE = 1000
STEP = "judge"


@dataclass(frozen=True, eq=False)
class Which:
    """Rows to ask about.

    Args:
        rows: int64, sorted; None = all.
        way: One of `WAYS`.
        view: Of the way "view".
        key: Of the selection, for the way "selection".
        sample: Step that draws them, for the way "sample".
        said: For people.
    """

    rows: np.ndarray | None
    way: str
    said: str
    view: View | None = None
    key: str = ""
    sample: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Short, the same for the same rows."""
        return "" if self.rows is None else hashlib.blake2b(self.rows.tobytes(), digest_size=8).hexdigest()

    def count(self, dataset: Dataset) -> int:
        """How many rows."""
        return len(dataset) if self.rows is None else len(self.rows)


def ask_rows(dataset: Dataset) -> Which | None:
    """Ask which rows; None while something is missing, which is said."""
    stored = {s.key: s.name for s in pool.selections(dataset.fingerprint)}
    ways = [w for w in WAYS if w != "selection" or stored]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"{KEY}.row"):
        way = st.segmented_control(
            "Rows", ways, default="all", required=True, key=f"{KEY}.way", format_func=WAYS.__getitem__,
            persist_state="session", help="The view is that of the Map, Data and Scores pages",
        )  # fmt: skip
        if way == "view":
            return _view(dataset)
        if way == "selection":
            key = st.selectbox("Selection", list(stored), key=f"{KEY}.selection", format_func=stored.__getitem__)
            rows = np.sort(np.asarray(cast(Selection, session.artifact(key)).order, np.int64))
            return Which(rows, "selection", f"rows of {stored[key]}", key=key)
        if way == "sample":
            return _sample(dataset)
    return Which(None, "all", "all rows")


def _view(dataset: Dataset) -> Which | None:
    view = view_state.current(dataset)
    if not view.conditions:
        st.caption(":material/filter_alt_off: All rows are in view.", width="content")
        return Which(None, "all", "all rows")
    with errors_shown():
        rows = np.flatnonzero(view_state.mask_of(dataset, view))
        st.caption(f":material/filter_alt: {number(len(rows))} rows are in view.", width="content")
        return Which(rows, "view", "rows in view", view=view) if len(rows) else None
    return None


def _sample(dataset: Dataset) -> Which:
    count = int(
        st.number_input(
            "Rows of it",
            1,
            len(dataset),
            min(SAMPLE, len(dataset)),
            key=f"{KEY}.count",
            width=140,
            persist_state="session",
        )  # fmt: skip
    )
    seed = int(st.number_input("Seed", 0, 2**31, 0, key=f"{KEY}.seed", width=110, persist_state="session"))
    return Which(_drawn(dataset.fingerprint, count, seed, dataset), "sample", "rows at random",
                 sample={"use": "selector/random", "on": "$pool", "budget": count, "seed": seed})  # fmt: skip


@st.cache_resource(max_entries=16, show_spinner=False)
def _drawn(fingerprint: str, count: int, seed: int, _dataset: Dataset) -> np.ndarray:
    """The same rows that the step of the recipe draws."""
    method: Any = find("selector/random").model_validate({"budget": count, "seed": seed})
    made = method.select(_dataset, Ask(np.arange(len(_dataset)), count), Runtime())
    return np.sort(np.asarray(made.order, np.int64))


def judge_recipe(workspace: Workspace, dataset: Dataset, judge: Judge, which: Which) -> tuple[Any, dict[str, str]]:
    """The recipe that asks, and its bindings.

    Raises:
        CurationError: if it cannot be planned, or a condition of the view is no step.
    """
    parts = Parts(workspace, dataset.fingerprint)
    step: dict[str, Any] = {"use": judge.use, "on": "$pool", **judge.values}
    for port, key in judge.ports.items():
        step[port] = [parts.add(k) for k in key] if isinstance(key, list) else parts.add(key)
    if which.way == "view" and which.view is not None:
        made = steps_of(which.view, view_state.sources(dataset), parts.add)
        step["within"] = f"${parts.add_steps(made.steps)[made.result]}"
    elif which.way == "selection":
        step["within"] = parts.add(which.key)
    elif which.way == "sample":
        step["within"] = f"${parts.add_steps({'sample': which.sample})['sample']}"
    name = parts.add_steps({STEP: step})[STEP]
    return parts.recipe(f"${name}"), parts.bindings
