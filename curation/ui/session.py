"""The open workspace and dataset of a browser tab. The name stands in the address, so that a link reproduces a page.

A page begins with `dataset = session.dataset()` (or `session.need_dataset()`, which shows the way to Start when
there is none), then reads what it needs from the engine. Nothing computed lives in the session.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs

import streamlit as st

from curation import jobs
from curation.core.artifacts import Artifact
from curation.core.dataset import Dataset
from curation.ui.components import empty_state, errors_shown
from curation.ui.text import number, plain
from curation.workspace import DatasetInfo, ResultInfo, Workspace

WORKSPACE_VARIABLE = "CURATION_WORKSPACE"
OPEN_VARIABLE = "CURATION_OPEN"
"""Query of the address to begin with; `curate app FILE` sets it to `?dataset=…`."""
FOLDER_VARIABLE = "CURATION_FOLDER"
"""Where `curate app` was called: relative paths that the user types start there."""
DATASET_PARAMETER = "dataset"
PAGE_SHOWN = "session.page"
POLL_S = 3.0


@st.cache_resource(max_entries=8)
def _open(root: str) -> Workspace:
    return Workspace.open(root)


def workspace() -> Workspace:
    """The workspace named by CURATION_WORKSPACE, which `curate app` sets; `.curation` here otherwise."""
    with errors_shown(stop=True):
        return _open(str(Path(os.environ.get(WORKSPACE_VARIABLE) or ".curation").resolve()))
    raise AssertionError("st.stop ended the run")


@st.cache_resource(max_entries=16, show_spinner=False)
def _dataset(root: str, fingerprint: str, name: str) -> Dataset:
    opened = Workspace(Path(root)).dataset(fingerprint)
    opened.name = name
    return opened


@st.cache_resource(max_entries=64, show_spinner=False)
def _artifact(root: str, key: str) -> Artifact:
    return Workspace(Path(root)).load(key)


def artifact(key: str) -> Artifact:
    """A stored artifact; numbers are memory-mapped, and shared between reruns since they never change."""
    return _artifact(str(workspace().root), key)


def results(fingerprint: str, kind: str | None = None) -> list[ResultInfo]:
    """Stored results of a dataset, newest first, of one kind or all."""
    return [r for r in workspace().results(fingerprint) if kind in (None, r.kind)]


def open_dataset(name: str) -> None:
    """Make a dataset the current one; takes effect on the next run of the page."""
    st.session_state[DATASET_PARAMETER] = name
    st.query_params[DATASET_PARAMETER] = name


def forget_dataset() -> None:
    """Let the newest dataset be the current one; for when the current one is gone."""
    st.session_state.pop(DATASET_PARAMETER, None)
    st.query_params.pop(DATASET_PARAMETER, None)


def dataset_info() -> DatasetInfo | None:
    """The current dataset's line in the list: the one in the address, else the last one used, else the newest file."""
    infos = workspace().datasets()
    if not infos:
        return None
    newest = next((d for d in infos if not d.made_from), infos[0])  # not rows that a step made
    by_name = {d.name: d for d in infos} | {d.fingerprint: d for d in infos}
    asked = st.query_params.get(DATASET_PARAMETER) or st.session_state.get(DATASET_PARAMETER)
    if not asked and (first := _asked_at_start()) in by_name:  # it may have been removed since
        asked = first
    if asked and asked not in by_name:
        st.warning(f"There is no dataset called {plain(asked)} here; showing {plain(newest.name)}.")
    info = by_name.get(asked or "", newest)
    if _came_back():
        st.session_state[DATASET_PARAMETER] = info.name
    else:
        open_dataset(info.name)
    return info


def _came_back() -> bool:
    """Whether the browser's way back led to the bare address that this page was opened with.

    Writing into it again would lead forward once more, and nobody could leave the page that way.
    """
    here, before = st.context.url, st.session_state.get(PAGE_SHOWN)
    st.session_state[PAGE_SHOWN] = here
    return here is not None and here == before and DATASET_PARAMETER not in st.query_params


def _asked_at_start() -> str | None:
    query = parse_qs(os.environ.get(OPEN_VARIABLE, "").lstrip("?"))
    return query.get(DATASET_PARAMETER, [None])[0]


def path_of(text: str) -> str:
    """What the user typed as a file or folder: `~` and relative paths are resolved, hub ids stay as they are."""
    path = Path(text.strip()).expanduser()
    here = Path(os.environ.get(FOLDER_VARIABLE) or Path.cwd()) / path
    return str(here) if here.exists() else text.strip()


def dataset() -> Dataset | None:
    """The current dataset, with a picker in the sidebar; None when the workspace has none."""
    info = dataset_info()
    with st.sidebar:
        if info is not None:
            _picker(info)
        _job_tray()
    return None if info is None else _dataset(str(workspace().root), info.fingerprint, info.name)


def need_dataset() -> Dataset:
    """The current dataset; without one the page says so, shows the way to Start, and ends."""
    found = dataset()
    if found is None:
        empty_state(
            ":material/inbox:",
            "There are no rows here yet.",
            hint="Add a file of your own or the demo, and this page fills.",
            action="Go to Start",
            page="pages/start.py",
        )
        st.stop()
    return found


def _picker(info: DatasetInfo) -> None:
    names = [d.name for d in workspace().datasets()]
    key = "session.dataset"
    if st.session_state.get(key) != info.name:
        st.session_state[key] = info.name
    st.selectbox(
        "Dataset", names, key=key, on_change=lambda: open_dataset(st.session_state[key]), help="What all pages show"
    )
    rejected = f" · {info.rejected:,} rejected" if info.rejected else ""
    st.caption(f"{number(info.rows)} rows{rejected}")


def _job_tray() -> None:
    """What is running, in the sidebar of every page; polls only while something is."""
    if not any(not s.ended for s in jobs.listing(workspace())):
        return

    @st.fragment(run_every=POLL_S)
    def tray() -> None:
        running = [s for s in jobs.listing(workspace()) if not s.ended]
        if not running:
            st.rerun()
        for status in running[:3]:
            st.progress(status.share, plain(f"{status.title}: {status.step or status.state}"))

    with st.container(key="session.jobs"):
        st.caption(":material/sync: Running")
        tray()
