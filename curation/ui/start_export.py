"""The last stage of the Start page: write the selected rows for a trainer, and say how to train on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import streamlit as st

from curation.core.artifacts import Export, Selection
from curation.core.dataset import Dataset
from curation.exporters import EXPORTERS
from curation.exporters._export import slug
from curation.jobs import Status
from curation.ui import guide, pool
from curation.ui.components import errors_shown, next_step
from curation.ui.export_job import EXPORT, download, is_large, start_export, target_of, written_by
from curation.ui.export_write import Order, write
from curation.ui.guide import Progress
from curation.ui.job_card import watch_job
from curation.ui.run_panel import newest_job
from curation.ui.start_view import stage_head
from curation.ui.text import number, plain
from curation.workspace import Workspace

TRAINERS = {"llama-factory": "LLaMA-Factory", "axolotl": "Axolotl", "trl": "TRL", "none": "none"}
FORMATS = ("alpaca", "sharegpt", "messages", "prompt_completion", "original")


def export_card(workspace: Workspace, dataset: Dataset, step: int, pick: Progress) -> None:
    """Format and trainer, the button, then where the files are and what to type.

    Args:
        workspace: Files are written into its folder of exports.
        dataset: Whose rows.
        step: Number of the stage on the page.
        pick: The stage that selected rows.
    """
    with st.container(border=True, key="stage.export"):
        written = cast(Export | None, st.session_state.get(_place(dataset, pick)))
        running = None
        if pick.done and written is None:
            running, written = _job(workspace, dataset, pick)
        stage_head(step, ":material/ios_share:", "Export", done=written is not None, active=pick.done)
        if not pick.done:
            return
        st.markdown(
            "Writes the selected rows with everything needed to train on them, after applying the trainer's own rules "
            "for which rows it takes."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            form = st.selectbox(
                "Format",
                FORMATS,
                FORMATS.index(guide.default_format(dataset)),
                key="start.format",
                format_func=lambda f: EXPORTERS[f].title,
                width=300,
                help="The default is the form that the file came in",
            )
            trainer = st.segmented_control(
                "Trainer",
                list(TRAINERS),
                default="llama-factory",
                required=True,
                format_func=TRAINERS.__getitem__,
                key="start.trainer",
                help="Its acceptance rules are applied and its config is written",
            )
            clicked = st.button("Export", type="primary", icon=":material/ios_share:", key="start.export")
        if running is not None:
            watch_job(workspace, running.id, key="start.export.job")
        if clicked:
            with errors_shown():
                order, target = order_of(workspace, dataset, pick, form, trainer)
                st.session_state.pop(_place(dataset, pick), None)
                if is_large(len(order.stored.selection) if order.stored else len(dataset)):
                    start_export(workspace, dataset, order, target, overwrite=True)
                else:
                    with st.spinner("Writing and checking every row …"):
                        st.session_state[_place(dataset, pick)] = write(
                            workspace, dataset, order, target, overwrite=True
                        )
                st.rerun()
        if written is not None:
            show_export(workspace, written)


def _place(dataset: Dataset, pick: Progress) -> str:
    return f"start.written.{dataset.fingerprint}.{pick.keys.get('pick')}"


def _folder(workspace: Workspace, dataset: Dataset, pick: Progress) -> str:
    """Where this page writes this selection: the beginning of the folder's name, the format follows."""
    name = slug(dataset.name)
    rows = len(cast(Selection, workspace.load(pick.keys["pick"])))
    return str(workspace.root / "exports" / f"{name}-{rows}-")


def _job(workspace: Workspace, dataset: Dataset, pick: Progress) -> tuple[Status | None, Export | None]:
    """The job that writes this selection while it is not done, and what it wrote when it is."""
    status = newest_job(workspace, dataset, EXPORT)
    if status is None or not str(target_of(workspace, status)).startswith(_folder(workspace, dataset, pick)):
        return None, None
    if status.state != "done":
        return status, None
    with errors_shown():
        return None, written_by(workspace, status)[0]
    return None, None


def order_of(workspace: Workspace, dataset: Dataset, pick: Progress, form: str, trainer: str) -> tuple[Order, Path]:
    """What this page exports, and where to: the workspace's folder of exports."""
    stored = next(s for s in pool.selections(dataset.fingerprint) if s.key == pick.keys["pick"])
    folder = Path(f"{_folder(workspace, dataset, pick)}{form}")
    folder.mkdir(parents=True, exist_ok=True)
    name = slug(dataset.name)
    return Order(stored, form, "none" if form == "original" else trainer), folder / (
        name if form == "original" else f"{name}.json"
    )


def show_export(workspace: Workspace, written: Export) -> None:
    """Where the files are, what the trainer will do with them, and what to type."""
    st.success(f"**{number(written.rows)} rows written**", icon=":material/check_circle:")
    st.code(written.path, language=None)
    info: dict[str, Any] = written.info
    if info.get("check"):
        trainer = info.get("trainer")
        kept_all = trainer is not None and trainer["used"] == trainer["total"]
        show = st.info if kept_all else st.warning
        whose = f"{plain(trainer['version'])}: " if trainer else ""
        show(f"{whose}{plain(info['check'])}.", icon=":material/fact_check:")
    if info.get("command"):
        st.markdown("**Train on it**")
        st.code(info["command"], language="bash")
    with st.container(horizontal=True):
        download(workspace, written, key="start.download")
        next_step("More formats and the preview", "pages/export.py", primary=False)
