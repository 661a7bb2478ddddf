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
from curation.core.method import find
from curation.core.runtime import Runtime
from curation.core.spending import Caps
from curation.estimates import Estimate, cautions, estimate
from curation.jobs import Status
from curation.recipe import Recipe, plan
from curation.ui import measure
from curation.ui.components import errors_shown
from curation.ui.job_card import estimate_table, watch_job
from curation.ui.text import plain
from curation.workspace import Workspace

POLL_S = 1.5
NO_CAPS = Caps()


@st.cache_resource(show_spinner=False)
def device() -> str:
    """The device that jobs will use. Where a GPU may be, a process of its own is asked: this one loads no torch."""
    if sys.platform != "darwin" and not shutil.which("nvidia-smi") and not Path("/dev/nvidia0").exists():
        return "cpu"
    question = "from curation.core.runtime import resolve_device; print(resolve_device())"
    found = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=False, timeout=120)
    return found.stdout.strip() or "cpu"


# ------------------------------------------------------------------ estimates


@st.cache_resource
def _measuring() -> dict[tuple[str, ...], subprocess.Popen[str]]:
    """Measurements of this server, by the keys of the steps; a finished one is not repeated."""
    return {}


def estimates_of(workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str]) -> tuple[list[Estimate], bool]:
    """What a recipe will cost as far as it is known, and True while the rest is being measured.

    Steps that never ran here are measured once on a sample of the rows, in a process of its own.

    Raises:
        RecipeError: if the recipe cannot be planned.
    """
    runtime = Runtime(device=device())
    made = plan(recipe, workspace, bindings, runtime)
    found = estimate(made, workspace, runtime, calibrate=False)
    unknown = {e.step for e in found if e.basis == "unknown"}
    if not unknown:
        return found, False
    keys = tuple(s.key for s in made.steps if s.name in unknown)
    if keys not in _measuring():
        _measuring()[keys] = measure.start(workspace, recipe, bindings, runtime.device)
    return found, _measuring()[keys].poll() is None


def estimate_view(workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str]) -> bool:
    """The estimate of a recipe, filled in when it is measured; the page does not wait for it.

    Returns:
        False when the recipe cannot be run; the error is shown.
    """
    with errors_shown():
        found, pending = estimates_of(workspace, recipe, bindings)
        for sentence in cautions(plan(recipe, workspace, bindings, Runtime(device=device())), workspace):
            st.warning(plain(sentence[0].upper() + sentence[1:]), icon=":material/translate:")
        if not pending:
            estimate_table(found)
            return True

        @st.fragment(run_every=POLL_S)
        def wait() -> None:
            now, still = estimates_of(workspace, recipe, bindings)
            if not still:
                st.rerun()
            known = sum(e.basis != "unknown" for e in now)
            st.markdown(
                f":material/timer: :gray[Measuring on a sample of your rows what this will take: {known} of {len(now)} "
                "steps known. You need not wait.]"
            )

        wait()
        return True
    return False


# ------------------------------------------------------------------ running


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
) -> None:
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
    """
    sound = estimate_view(workspace, recipe, bindings)
    caps = _limits(key=key) if sound and asks_anybody(recipe) else Caps()
    if st.button(label, type="primary", icon=icon, key=key, disabled=not sound, shortcut=shortcut):
        start_now(workspace, recipe, bindings, title=title, caps=caps)


def asks_anybody(recipe: Recipe) -> bool:
    """True when a step asks a chat model; what it would cost is not known here as well as on the Judge page."""
    return any(find(str(step["use"])).remote for step in recipe.steps.values())


def _limits(*, key: str) -> Caps:
    """What the asking steps together may take; empty = no limit."""
    left, middle, _ = st.columns([1, 1, 2], vertical_alignment="bottom")
    calls = left.number_input(
        "Stop at calls", 1, None, None, key=f"{key}.cap.calls", placeholder="no limit", persist_state="session",
        help="Requests sent by all steps together, repeats included. A later run goes on from there",
    )  # fmt: skip
    tokens = middle.number_input(
        "Stop at tokens", 1, None, None, key=f"{key}.cap.tokens", placeholder="no limit", persist_state="session",
        help="Read and written together. A limit in money stands on the Judge page",
    )  # fmt: skip
    return Caps(None, int(tokens) if tokens else None, int(calls) if calls else None)


def start_now(
    workspace: Workspace, recipe: Recipe, bindings: Mapping[str, str], *, title: str, caps: Caps = NO_CAPS
) -> None:
    """Start a job and rerun the page."""
    with errors_shown(stop=True):
        jobs.start(workspace, recipe, bindings, title=title, caps=caps)
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
