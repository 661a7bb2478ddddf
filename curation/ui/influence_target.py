"""The target of influence: rows of another dataset, rows with a label, what is in view on the map, or a selection."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.labellers.column import labels_of
from curation.ui import pool, session, view_state
from curation.ui.components import errors_shown, next_step
from curation.ui.import_panel import import_panel
from curation.ui.influence_recipe import FIELD, Kind, Target
from curation.ui.judge_result import categories_of
from curation.ui.rows import row_table
from curation.ui.text import number, plain
from curation.workspace import Added, Workspace

KEY = "influence.target"
WAYS: dict[Kind, str] = {
    "dataset": "another dataset",
    "label": "a label or source",
    "view": "what is in view on the map",
    "selection": "a selection",
}
MOST = 100
"""Target examples that are used at most, until the user says otherwise."""
MANY = 5_000
SHOWN = 5
MOST_SUBTASKS = 64


@dataclass(frozen=True, eq=False)
class Aim:
    """A target that was chosen.

    Args:
        target: For the recipe.
        dataset: That its rows belong to.
        rows: int64, all that were named, of which the recipe may draw a few.
    """

    target: Target
    dataset: Dataset
    rows: np.ndarray

    @property
    def used(self) -> int:
        """Rows whose gradients are taken."""
        return min(self.target.most or len(self.rows), len(self.rows))


def ask_target(workspace: Workspace, dataset: Dataset) -> Aim | None:
    """Ask for the target; None while something is missing, which is said."""
    way: Kind = st.segmented_control(
        "Where its rows come from", list(WAYS), default="dataset", required=True, key=f"{KEY}.way", wrap=True,
        format_func=WAYS.__getitem__, persist_state="session",
        help="A handful of rows is enough: ten to a hundred that show what the model shall be able to do. Rows of this "
        "dataset can be the target too; they are not kept later unless you want them",
    )  # fmt: skip
    aim: Aim | None = None
    with errors_shown():
        aim = {"dataset": _other, "label": _label, "view": _view, "selection": _selection}[way](workspace, dataset)
    if aim is None:
        return None
    if not len(aim.rows):
        st.warning("No row is left there.", icon=":material/block:")
        return None
    return _divided(aim)


# ------------------------------------------------------------------ where rows come from


def _other(workspace: Workspace, dataset: Dataset) -> Aim | None:
    names = {d.fingerprint: d.name for d in workspace.datasets() if d.fingerprint != dataset.fingerprint}
    key = f"{KEY}.dataset"
    brought = st.session_state.pop(f"{KEY}.brought", None)
    if brought in names:
        st.session_state[key] = brought
    chosen = None
    if names:
        if st.session_state.get(key) not in names:
            st.session_state[key] = next(iter(names))
        chosen = st.selectbox(
            "Dataset", list(names), key=key, format_func=names.__getitem__, persist_state="session",
            help="Files that were added on the Data page, or here",
        )  # fmt: skip
    else:
        st.caption(":material/upload_file: There is no other dataset yet: bring a file with target rows.")
    with st.expander("Bring a file with target rows", icon=":material/upload_file:", expanded=not names):
        import_panel(workspace, key=f"{KEY}.import", title="Target rows", added=_brought)
    if chosen is None:
        return None
    opened = other_dataset(workspace, chosen)
    if opened is None:
        return None
    return Aim(Target("dataset", dataset=chosen), opened, np.arange(len(opened)))


def _brought(added: Added) -> None:
    st.session_state[f"{KEY}.brought"] = added.dataset.fingerprint


def other_dataset(workspace: Workspace, fingerprint: str) -> Dataset | None:
    """Another dataset of the workspace, opened once; None where it is gone."""
    try:
        return _opened(str(workspace.root), fingerprint, workspace)
    except CurationError:
        return None


@st.cache_resource(max_entries=8, show_spinner=False)
def _opened(root: str, fingerprint: str, _workspace: Workspace) -> Dataset:
    return _workspace.dataset(fingerprint)


def _label(workspace: Workspace, dataset: Dataset) -> Aim | None:
    every = {g.key: g for g in categories_of(dataset)}
    if not every:
        st.caption(
            ":material/label: These rows have one source and no labels yet. Draw the map for clusters, or compute "
            "labels on the Scores page."
        )
        return None
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    with left:
        key = st.selectbox(
            "Label", list(every), key=f"{KEY}.label", format_func=lambda k: every[k].name, persist_state="session",
            help="Clusters, sources, other labels, and fields of the records with a few different values",
        )  # fmt: skip
    labels = labels_named(dataset, key, every[key].labels)
    with right:
        values = st.multiselect(
            "Values", labels.names, key=f"{KEY}.values.{key}", persist_state="session", placeholder="choose one or more"
        )  # fmt: skip
    if not values:
        st.caption(":material/edit: Choose the values whose rows are the target.")
        return None
    codes = [labels.names.index(v) for v in values]
    rows = np.flatnonzero(np.isin(np.asarray(labels.codes), codes))
    target = Target("label", labels=key, values=tuple(values), subtasks=key if len(values) > 1 else "")
    return Aim(target, dataset, rows)


def labels_named(dataset: Dataset, key: str, labels: Labels) -> Labels:
    """Labels as a recipe sees them: those of a field are read as its step reads them."""
    return _column(dataset.fingerprint, key.removeprefix(FIELD), dataset) if key.startswith(FIELD) else labels


@st.cache_resource(max_entries=16, show_spinner=False)
def _column(fingerprint: str, field: str, _dataset: Dataset) -> Labels:
    return labels_of(fingerprint, _dataset.field(field))


def _view(workspace: Workspace, dataset: Dataset) -> Aim | None:
    view = view_state.current(dataset)
    if not view.conditions:
        st.caption(
            ":material/lasso_select: All rows are in view. Draw around some on the map with the lasso, or search "
            "there; what is in view then is the target."
        )
        next_step("Open the map", "pages/map.py", primary=False)
        return None
    rows = np.flatnonzero(view_state.mask_of(dataset, view))
    return Aim(Target("view", view=view), dataset, rows)


def _selection(workspace: Workspace, dataset: Dataset) -> Aim | None:
    names = {s.key: s.name for s in pool.selections(dataset.fingerprint)}
    if not names:
        st.caption(":material/checklist: There is no selection of these rows yet.")
        return None
    key = st.selectbox("Selection", list(names), key=f"{KEY}.selection", format_func=names.__getitem__)
    rows = np.sort(np.asarray(session.artifact(key).order, np.int64))  # type: ignore[attr-defined]
    return Aim(Target("selection", selection=key), dataset, rows)


# ------------------------------------------------------------------ how many, in which subtasks, and a few of them


def _divided(aim: Aim) -> Aim:
    groups = {g.key: g for g in categories_of(aim.dataset, each=2) if 1 < len(g.labels.names) <= MOST_SUBTASKS}
    key = f"{KEY}.{aim.target.kind}.{aim.dataset.fingerprint}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"{KEY}.row"):
        options = ["", *groups]
        start = options.index(aim.target.subtasks) if aim.target.subtasks in options else 0
        subtasks = st.selectbox(
            "Subtasks", options, start, key=f"{key}.{aim.target.labels}.{bool(start)}.subtasks", width=280,
            format_func=lambda k: groups[k].name if k else "none: one task",
            help="A row's influence is the highest over the subtasks, so that none is forgotten for a larger one",
        )  # fmt: skip
        most = min(MANY, len(aim.rows))
        few = int(
            st.number_input(
                "Examples used at most",
                1,
                most,
                min(MOST, most),
                key=f"{key}.{most}.most",
                width=170,
                help="Drawn at random where there are more",
            )  # fmt: skip
        )
    drawn = few if few < len(aim.rows) else 0
    said = f", of which {number(few)} are drawn at random" if drawn else ""
    st.markdown(f":material/my_location: **{number(len(aim.rows))} target rows** in {plain(aim.dataset.name)}{said}.")
    with st.expander("A few of them", icon=":material/table_rows:", expanded=True):
        row_table(aim.dataset, aim.rows, key=f"{key}.rows", per_page=SHOWN, select=False)
    return Aim(replace(aim.target, subtasks=subtasks, most=drawn), aim.dataset, aim.rows)
