"""Bringing rows in: drop files or name a path, see what they are, correct the mapping, add them. Also the demo."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from curation.ui import session
from curation.ui.components import errors_shown
from curation.ui.preview_view import preview_panel
from curation.ui.text import number, plain
from curation.workspace import Added, Workspace, default_name

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

UPLOADS = "uploads"
DEMO = "demo"
STEPS = (
    (":material/upload_file:", "File", "JSON, JSONL, CSV, Parquet, Arrow, packed or not; the form is detected."),
    (":material/bubble_chart:", "Look", "Every row is a point on a map; near points say similar things."),
    (":material/filter_none:", "Copies", "Duplicates and rows without an answer are left out, and listed."),
    (":material/checklist:", "Select", "Rows that together cover the pool, as many as you can train on."),
    (":material/ios_share:", "Export", "In the form your trainer reads, with the command to type."),
)


def path_ahead() -> None:
    """The five steps of the guided path, as a promise."""
    st.space("small")
    for place, (number_, (icon, title, sentence)) in zip(st.columns(5), enumerate(STEPS, 1), strict=True):
        with place.container(gap="xsmall"):
            st.markdown(f"##### :primary[{icon}] {number_}. {title}")
            st.caption(sentence)


def hero() -> None:
    """The picture of what this is about: many rows, a few that stand for all."""
    from curation.serve import asset

    st.image(str(asset("hero.svg")), width="stretch", alt="A map of rows; the chosen ones stand for their neighbours")


def demo_card(workspace: Workspace) -> None:
    """One click to a dataset in which every method finds something."""
    with st.container(border=True, key="start.demo.box"):
        st.markdown("#### :primary[:material/experiment:] No file at hand?")
        st.markdown(
            "The demo is a thousand short tasks on twelve topics, written for this project. Copies, wrong, empty and "
            "off-topic answers and one very rare topic are hidden in it, each marked in the field `planted`, so that "
            "you can see what every method finds."
        )
        if st.button("Try the demo", icon=":material/play_arrow:", key="start.demo", type="primary"):
            from curation.serve import asset

            with errors_shown():
                _opened(workspace.add(asset("demo.json"), name=DEMO))


def import_panel(
    workspace: Workspace,
    *,
    key: str,
    title: str = "Your data",
    added: Callable[[Added], None] | None = None,
) -> None:
    """Files or a path, the preview, and the button that adds the rows and opens them.

    Args:
        workspace: Where they go.
        key: Prefix of the widgets' keys.
        title: Ours.
        added: Called with the new dataset instead of opening it; the page runs again after that.
    """
    with st.container(border=True, key=f"{key}.box"):
        st.markdown(f"#### :primary[:material/upload_file:] {title}")
        dropped = st.file_uploader(
            "Drop one or more files; together they make one dataset",
            accept_multiple_files=True,
            key=f"{key}.files",
            help="JSON, JSONL, CSV, TSV, Parquet or Arrow, also as .gz, .zst or .zip",
        )
        typed = st.text_input(
            "or name a file, a folder, or a Hugging Face dataset",
            key=f"{key}.path",
            placeholder="/data/my.jsonl",
            help="Better for large files: they are read where they are, without a copy",
        )
        paths = _stored(workspace, dropped) if dropped else [session.path_of(typed)] if typed.strip() else []
        if not paths:
            return
        name = st.text_input(
            "Call it", default_name(Path(paths[0]).name), key=f"{key}.name.{paths[0]}", help="Its name on all pages"
        )
        place = st.container()
        choice = preview_panel(paths, key=f"{key}.preview")
        if not choice.usable:
            return
        # above the preview, which may be long
        if place.button("Add these rows", type="primary", icon=":material/add:", key=f"{key}.add"):
            bar = place.progress(0.0, "Reading …")

            def report(done: float, total: float, note: str = "") -> None:
                bar.progress(min(done / total, 1.0) if total else 0.0, f"Reading {plain(note)}")

            with errors_shown():
                made = workspace.add(paths, name=name.strip() or None, mapping=choice.given, progress=report)
                if dropped:
                    for path in paths:
                        shutil.rmtree(Path(path).parent)  # the dataset has its own copy of every record
                if added is None:
                    _opened(made)
                else:
                    added(made)
                    st.rerun()
            bar.empty()


def _opened(added: Added) -> None:
    """Go on with the new dataset; what happened is said after the rerun."""
    session.open_dataset(added.dataset.name)
    message = f"{added.dataset.name}: {number(len(added.dataset))} rows"
    if added.existed:
        message += ", the same rows as before"
    if added.rejected:
        message += f"; {number(added.rejected)} records could not be read, see Data"
    st.toast(plain(message), icon=":material/check_circle:")
    st.rerun()


def _stored(workspace: Workspace, dropped: Sequence[UploadedFile]) -> list[str]:
    """Uploaded files on disk, under their own names: readers stream from disk, and the name tells the format."""
    paths = []
    for file in dropped:
        folder = workspace.root / "tmp" / UPLOADS / re.sub(r"\W", "", file.file_id)
        path = folder / safe_name(file.name)
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / "partial"
            with partial.open("wb") as out:
                shutil.copyfileobj(file, out)
            partial.rename(path)
        paths.append(str(path))
    return paths


def safe_name(name: str) -> str:
    """The last part of a file name that a browser sent, never a way out of its folder."""
    last = re.split(r"[\\/]", name)[-1].replace("\0", "").strip().lstrip(".")
    return last[-200:] or "file"
