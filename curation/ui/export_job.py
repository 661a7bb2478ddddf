"""Large exports: written by a job and packed by a process of its own, so that the server stays free for its pages.

A job leaves no artifact behind but its files, so what an export holds is read back from them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import streamlit as st

from curation import jobs
from curation.complete.stored import Parts
from curation.core.artifacts import Export
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.exporters import EXPORTERS
from curation.exporters._configs import train_command
from curation.exporters._export import CHECKSUMS
from curation.jobs import Status
from curation.recipe import Recipe
from curation.ui import pool
from curation.ui.components import errors_shown
from curation.ui.export_write import Order, zipped
from curation.ui.job_card import POLL_S, watch_job
from curation.ui.run_panel import newest_job
from curation.ui.text import size
from curation.workspace import Workspace

EXPORT = "Export"
"""Kind of the jobs' titles."""
USED = "used"
"""What `decisions.parquet` says of a row that the trainer takes whole."""
AT_ONCE = 5_000
"""So many rows are written and packed while the page waits; more are written by a job."""


def is_large(rows: int) -> bool:
    """True for an export that takes long enough to be a job."""
    return rows > AT_ONCE


# ------------------------------------------------------------------ the job


def export_recipe(
    workspace: Workspace, dataset: Dataset, order: Order, target: Path, *, overwrite: bool = False
) -> tuple[Recipe, dict[str, str]]:
    """The recipe that writes an export, and its bindings.

    Args:
        workspace: Where the selection, scores, labels and coverage are.
        dataset: Whose rows.
        order: What and how.
        target: The file or folder to write.
        overwrite: Replace what is there.
    """
    parts = Parts(workspace, dataset.fingerprint)
    step: dict[str, Any] = {
        "use": EXPORTERS[order.format].use(), "on": "$pool", "path": str(target), "overwrite": overwrite,
        "trainer": order.trainer, **order.options,
    }  # fmt: skip
    if order.stored is not None:
        step["selection"] = parts.add(order.stored.key)
        coverage = pool.coverage_key(dataset.fingerprint, order.stored.key)
        if coverage is not None:
            step["coverage"] = parts.add(coverage)
        for port, found in (("scores", pool.scores), ("labels", pool.labels)):
            oldest_first = sorted(found(dataset.fingerprint), key=lambda s: s.info.created)
            newest = {s.info.step: s.key for s in oldest_first}
            if newest:
                step[port] = {name: parts.add(key) for name, key in newest.items()}
    name = parts.add_steps({"files": step})["files"]
    return parts.recipe(f"${name}"), parts.bindings


def start_export(workspace: Workspace, dataset: Dataset, order: Order, target: Path, *, overwrite: bool = False) -> str:
    """Start the job that writes an export; returns its id.

    Raises:
        RecipeError: if the recipe cannot be planned.
    """
    recipe, bindings = export_recipe(workspace, dataset, order, target, overwrite=overwrite)
    return jobs.start(workspace, recipe, bindings, title=f"{EXPORT}: {dataset.name}, {target.name}").id


def follow_export(workspace: Workspace, dataset: Dataset) -> Status | None:
    """The card of the dataset's newest export job while it runs or where it has not ended well.

    Args:
        workspace: Where jobs are.
        dataset: Whose exports.

    Returns:
        The job when it is done and its files are there, None otherwise.
    """
    status = newest_job(workspace, dataset, EXPORT)
    if status is None:
        return None
    if status.state != "done":
        watch_job(workspace, status.id, key="export.job")
        return None
    return status if target_of(workspace, status).exists() else None


def _step_of(workspace: Workspace, status: Status) -> dict[str, Any]:
    recipe = Recipe.read(jobs.recipe_of(workspace, status.id))
    return dict(recipe.steps[recipe.result.removeprefix("$")])


def target_of(workspace: Workspace, status: Status) -> Path:
    """The file or folder that an export job writes."""
    return Path(_step_of(workspace, status)["path"])


def written_by(workspace: Workspace, status: Status) -> tuple[Export, str]:
    """What a finished export job wrote, read back from its files, and the trainer it is for.

    Raises:
        CurationError: if the files are not whole any more.
    """
    step = _step_of(workspace, status)
    return read_back(Path(step["path"]), str(step["trainer"]), status.datasets[0]), str(step["trainer"])


def read_back(target: Path, trainer: str, fingerprint: str) -> Export:
    """An export as its folder of companions describes it.

    Raises:
        CurationError: if that folder is gone or damaged.
    """
    folder = target.with_name(f"{target.name}.d")
    files: dict[str, str] = {}
    try:
        for line in (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines():
            digest, _, name = line.partition("  ")
            files[name.removeprefix("../") if name.startswith("../") else f"{folder.name}/{name}"] = digest
        found = pq.read_table(folder / "decisions.parquet", columns=["in_file", "left_out", "trainer"])
    except (OSError, ValueError) as error:
        raise CurationError(f"the files beside {target} are not whole", "write them again") from error
    rows = int(pc.sum(found["in_file"]).as_py() or 0)
    left_out, verdicts = _counts(found["left_out"]), _counts(found["trainer"])
    info: dict[str, Any] = {"companions": str(folder), "command": train_command(trainer, str(folder))}
    said = [f"{count:,} selected rows are not in the file: {why}" for why, count in left_out.items()]
    if verdicts:
        said += [f"{verdicts.pop(USED, 0):,} of {rows:,} will be used", *(f"{n:,} {w}" for w, n in verdicts.items())]
    if said:
        info["check"] = "; ".join(said)
    return Export(fingerprint, str(target), rows, files, info)


def _counts(column: Any) -> dict[str, int]:
    return {str(c["values"]): int(c["counts"]) for c in pc.value_counts(column.drop_null()).to_pylist()}


# ------------------------------------------------------------------ the archive


def archive_of(workspace: Workspace, made: Export) -> Path:
    """Where the archive of an export lies once it is packed; another content has another name."""
    known = f"{made.path} {sorted(made.files.items())}"
    digest = hashlib.blake2b(known.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return workspace.root / "tmp" / f"export-{digest}.zip"


@st.cache_resource
def _packing() -> dict[Path, subprocess.Popen[bytes]]:
    """The packing processes of this server."""
    return {}


def download(workspace: Workspace, made: Export, *, key: str) -> None:
    """The button that hands all files of an export to the browser as one archive.

    A small one is packed by the click. A large one is packed before, by a process of its own.
    """
    archive = archive_of(workspace, made)
    name = f"{Path(made.path).stem}.zip"
    if not is_large(made.rows):
        _button(lambda: zipped(Path(made.path)), name, key)
        return
    if archive.is_file():
        _button(archive.read_bytes, f"{name}", key, f" ({size(archive.stat().st_size)})")
        return
    process = _packing().get(archive)
    if process is None or process.poll() is not None:
        if process is not None:
            with errors_shown():
                raise CurationError("the files could not be packed", "see that the disk has space, then try again")
        if st.button("Pack all files for download", icon=":material/folder_zip:", key=f"{key}.pack"):
            command = [sys.executable, "-m", "curation.ui.pack", made.path, str(archive)]
            _packing()[archive] = subprocess.Popen(command, start_new_session=True, cwd=workspace.root)
            st.rerun()
        return

    @st.fragment(run_every=POLL_S)
    def wait() -> None:
        if process.poll() is not None:
            st.rerun()
        st.markdown(":material/folder_zip: :gray[Packing the files …]")

    wait()


def _button(data: Callable[[], bytes], name: str, key: str, more: str = "") -> None:
    st.download_button(
        f"Download all files{more}", data, name, "application/zip", icon=":material/download:", on_click="ignore",
        key=key,
    )  # fmt: skip
