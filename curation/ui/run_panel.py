"""Estimate, start and follow a job: what every page that computes something shows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from curation import jobs
from curation.core.dataset import Dataset
from curation.core.runtime import Runtime
from curation.estimates import Estimate, estimate
from curation.jobs import Status
from curation.recipe import Recipe, plan
from curation.ui.components import errors_shown
from curation.ui.job_card import estimate_table, watch_job
from curation.workspace import Workspace


@st.cache_resource(show_spinner=False)
def device() -> str:
    """The device that jobs will use. Where a GPU may be, a process of its own is asked: this one loads no torch."""
    if sys.platform != "darwin" and not shutil.which("nvidia-smi") and not Path("/dev/nvidia0").exists():
        return "cpu"
    question = "from curation.core.runtime import resolve_device; print(resolve_device())"
    found = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False, timeout=120)
    return found.stdout.strip() or "cpu"


def estimates_of(workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], *, key: str) -> list[Estimate]:
    """What a recipe will cost; steps never run here are measured on a sample of the rows first, once.

    Raises:
        RecipeError: if the recipe cannot be planned.
    """
    runtime = Runtime(device=device())
    made = plan(recipe, workspace, bindings, runtime)
    todo = tuple(s.key for s in made.steps if not workspace.has(s.key))
    place = f"{key}.estimates"
    known = st.session_state.get(place)
    if known is not None and known[0] == (todo, len(made.steps)):
        return list(known[1])
    with st.spinner("Measuring on a sample of your rows, to tell you what this will take …"):
        found = estimate(made, workspace, runtime)
    st.session_state[place] = ((todo, len(made.steps)), found)
    return found


def run_panel(
    workspace: Workspace,
    recipe: Recipe,
    bindings: Mapping[str, str],
    *,
    title: str,
    label: str,
    key: str,
    icon: str = ":material/play_arrow:",
    shortcut: str | None = None,
) -> bool:
    """The estimate of a recipe and the button that starts it; a click starts the job and reruns the page.

    Args:
        workspace: Where it runs.
        recipe: What.
        bindings: Its inputs.
        title: Of the job, "Kind: dataset"; `follow` finds it by the kind.
        label: Of the button.
        key: Of the button.
        icon: Of the button.
        shortcut: Key that presses the button.

    Returns:
        False when the recipe cannot be run; the error is shown.
    """
    made = False
    with errors_shown():
        estimate_table(estimates_of(workspace, recipe, bindings, key=key))
        made = True
    if st.button(label, type="primary", icon=icon, key=key, disabled=not made, shortcut=shortcut):
        with errors_shown(stop=True):
            jobs.start(workspace, recipe, bindings, title=title)
        st.rerun()
    return made


def start_now(workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], *, title: str) -> None:
    """Start a job that takes no time worth an estimate (a threshold, a cut), and rerun the page."""
    with errors_shown(stop=True):
        jobs.start(workspace, recipe, bindings, title=title)
    st.rerun()


def newest_job(workspace: Workspace, dataset: Dataset, kind: str) -> Status | None:
    """The newest job of a kind (the part of its title before the colon) on a dataset."""
    for status in jobs.listing(workspace):
        if dataset.fingerprint in status.datasets and status.title.split(":")[0] == kind:
            return status
    return None


def follow(workspace: Workspace, dataset: Dataset, *kinds: str, key: str) -> list[Status]:
    """Cards of the newest job of each kind, where it runs or has not ended well.

    Returns:
        Those that still run.
    """
    running = []
    for kind in kinds:
        status = newest_job(workspace, dataset, kind)
        if status is None or status.state == "done":
            continue
        if not status.ended:
            running.append(status)
        watch_job(workspace, status.id, key=f"{key}.{kind}")
    return running
