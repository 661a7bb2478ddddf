"""Starting, stopping and resuming jobs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError
from curation.core.runtime import checked_device
from curation.core.saving import to_json
from curation.core.spending import Caps
from curation.jobs.status import Job, Status, job_folder, status, write_status
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from curation.workspace.files import read_facts

NO_CAPS = Caps()
LOG_BYTES = 1 << 20
"""Of the end of a log, as much is read."""


def create(
    workspace: Workspace,
    recipe: Recipe,
    bindings: Mapping[str, str],
    *,
    title: str = "",
    device: str = "auto",
    go_on: bool = False,
    caps: Caps = NO_CAPS,
) -> Job:
    """Write a job's folder; nothing runs yet. The plan is checked first, so that mistakes are told at once."""
    checked_device(device)
    checked = plan(recipe, workspace, bindings)
    folder = _new_folder(workspace.root / "jobs")
    title = " ".join((title or str(recipe.about.get("title", "")) or checked.step(checked.result).use).split())
    datasets = {d.fingerprint: d.name for d in workspace.datasets()}
    first = datasets.get(checked.datasets[0], "") if checked.datasets else ""
    (folder / "recipe.yaml").write_text(recipe.yaml(), encoding="utf-8")
    now = time.time()
    keys = [k for s in checked.steps for k in (s.key, s.order_key, s.rows_key) if k]
    new = Status(
        folder.name, title, "queued", started=now, updated=now, dataset=first, datasets=checked.datasets, keys=keys,
        caps=asdict(caps),
    )  # fmt: skip
    write_status(folder, new)
    # last, since it makes the folder a job. The bindings are the resolved ones: a file is not read again, and another
    # dataset may be added before a resume
    facts = {"title": title, "bindings": checked.bindings, "device": device, "go_on": go_on, "caps": asdict(caps)}
    (folder / "job.json").write_text(to_json(facts), encoding="utf-8")
    return Job(folder.name, folder)


def _new_folder(jobs: Path) -> Path:
    while True:
        folder = jobs / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def start(
    workspace: Workspace,
    recipe: Recipe,
    bindings: Mapping[str, str],
    *,
    title: str = "",
    device: str = "auto",
    go_on: bool = False,
    caps: Caps = NO_CAPS,
) -> Job:
    """Start a recipe in its own process and return at once.

    Args:
        workspace: Where.
        recipe: What.
        bindings: Its inputs.
        title: For people.
        device: "auto", "cpu", "cuda" or "mps".
        go_on: After a step that fails, go on with those that do not read it.
        caps: What asking chat models may cost.

    Raises:
        RecipeError: if the recipe cannot be planned.
    """
    job = create(workspace, recipe, bindings, title=title, device=device, go_on=go_on, caps=caps)
    _spawn(workspace, job)
    return job


def _spawn(workspace: Workspace, job: Job) -> None:
    command = [sys.executable, "-m", "curation.jobs", str(workspace.root), job.id]
    with (job.folder / "log.txt").open("ab") as out:
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            cwd=workspace.root,
        )  # fmt: skip


def cancel(workspace: Workspace, job_id: str) -> None:
    """Ask a job to stop; it does so at its next progress report."""
    (job_folder(workspace, job_id) / "cancel").touch()


def resume(workspace: Workspace, job_id: str, *, caps: Caps | None = None) -> Job:
    """Run a job's recipe again as a new job; what was stored is reused.

    Args:
        workspace: Where.
        job_id: Of the job that ended.
        caps: What the new job may cost, counted from zero; None = as much as the old one.
    """
    folder = job_folder(workspace, job_id)
    facts = read_facts(folder / "job.json")
    if not {"bindings", "title", "device"} <= set(facts):
        raise CurationError(f"the files of the job {job_id} are damaged", "run its recipe again")
    recipe = Recipe.read(folder / "recipe.yaml")
    again = {"title": facts["title"], "device": facts["device"], "go_on": bool(facts.get("go_on"))}
    return start(workspace, recipe, facts["bindings"], **again, caps=caps or caps_of(facts))


def caps_of(facts: Mapping[str, Any]) -> Caps:
    """The caps in a job's file; jobs of older versions have none."""
    given = facts.get("caps")
    return Caps(**given) if isinstance(given, dict) else NO_CAPS


def recipe_of(workspace: Workspace, job_id: str) -> str:
    """The recipe's YAML."""
    return (job_folder(workspace, job_id) / "recipe.yaml").read_text(encoding="utf-8")


def read_log(workspace: Workspace, job_id: str, last: int = 200) -> str:
    """The last lines of a job's log."""
    path = job_folder(workspace, job_id) / "log.txt"
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-last:])


def delete(workspace: Workspace, job_id: str) -> None:
    """Forget an ended job. Its results stay until `prune`.

    Raises:
        CurationError: if it is still running.
    """
    if not status(workspace, job_id).ended:
        raise CurationError(f"the job {job_id} is still running", "cancel it first")
    shutil.rmtree(job_folder(workspace, job_id))
