"""The last stage of the Start page: write the selected rows for a trainer, and say how to train on them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any, cast

import streamlit as st

from curation.core.artifacts import Export, Selection
from curation.core.dataset import Dataset
from curation.ui import guide
from curation.ui.components import errors_shown, next_step
from curation.ui.guide import Progress
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
                width=220,
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
        if clicked:
            with errors_shown():
                with st.spinner("Writing and checking every row …"):
                    st.session_state[_place(dataset, pick)] = write(workspace, dataset, pick, form, trainer)
                st.rerun()
        if written is not None:
            show_export(written)


def _place(dataset: Dataset, pick: Progress) -> str:
    return f"start.written.{dataset.fingerprint}.{pick.keys.get('pick')}"


def write(workspace: Workspace, dataset: Dataset, pick: Progress, form: str, trainer: str) -> Export:
    """Write the selection of the guided path into the workspace's folder of exports.

    Raises:
        CurationError: as the exporter says.
    """
    from curation.api import beside
    from curation.exporters import export_rows

    key = pick.keys["pick"]
    scores, labels = beside(workspace, key)
    name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or "dataset"
    folder = workspace.root / "exports" / f"{name}-{len(cast(Selection, workspace.load(key)))}-{form}"
    folder.mkdir(parents=True, exist_ok=True)
    file = name if form == "original" else f"{name}.json"
    return export_rows(
        dataset,
        cast(Selection, workspace.load(key)),
        format=form,
        output=folder / file,
        recipe=workspace.manifest(key)["recipe"],
        trainer="none" if form == "original" else trainer,
        overwrite=True,
        scores=scores,
        labels=labels,
    )


def show_export(written: Export) -> None:
    """Where the files are, what the trainer will do with them, and what to type."""
    st.success(f"**{number(written.rows)} rows written**", icon=":material/check_circle:")
    st.code(written.path, language=None)
    info: dict[str, Any] = written.info
    if info.get("check"):
        trainer = info["trainer"]
        kept_all = trainer["used"] == trainer["total"]
        show = st.info if kept_all else st.warning
        show(f"{plain(trainer['version'])}: {plain(info['check'])}.", icon=":material/fact_check:")
    if info.get("command"):
        st.markdown("**Train on it**")
        st.code(info["command"], language="bash")
    with st.container(horizontal=True):
        st.download_button(
            "Download all files",
            lambda: zipped(written),
            file_name=f"{Path(written.path).stem}.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="start.download",
        )
        next_step("More formats and the preview", "pages/export.py", primary=False)


def zipped(written: Export) -> bytes:
    """All files of an export in one zip archive."""
    target = Path(written.path)
    parts = [target, target.with_name(f"{target.name}.d")]
    files = [f for part in parts for f in ([part] if part.is_file() else sorted(part.rglob("*"))) if f.is_file()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(target.parent))
    return out.getvalue()
