"""The export page's parts: what to write and how, how it will look, what the trainer will do, and the writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Export, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.exporters import EXPORTERS, FORMATS, CheckReport, Look, look
from curation.exporters._export import slug
from curation.ui.choices import selection_choice
from curation.ui.components import error_box, errors_shown
from curation.ui.export_job import download, follow_export, is_large, start_export, written_by
from curation.ui.export_write import LANGUAGES, TRAINERS, Order, archive, configs_of, file_name, folder_of, write
from curation.ui.forms import method_form
from curation.ui.guide import default_format
from curation.ui.rows import row_table
from curation.ui.text import number, plain, visible
from curation.workspace import Workspace

FIRST_RECORDS = 3
OWN = ("path", "trainer", "overwrite")
"""Fields of an exporter that this page asks for in its own words."""
CHECK_AT_ONCE = 10_000
"""Of more rows an even sample of so many is checked, a second of work: every record is built and counted."""
CHECK_MOST = 200_000
"""Up to so many rows can all be checked here; of more, the job that writes them says what became of each."""


def ask_what(dataset: Dataset) -> Order | None:
    """Selection, format, trainer and the format's other fields; None while something is wrong."""
    stored = selection_choice(dataset, key="export.selection", label="Rows", none="all rows")
    with st.container(horizontal=True, vertical_alignment="bottom", key="export.how"):
        names = list(FORMATS)
        usual = default_format(dataset).replace("-", "_")
        form = st.selectbox(
            "Format", names, names.index(usual) if usual in names else 0, key="export.format", persist_state="session",
            format_func=lambda f: EXPORTERS[f].title, width=300,
            help="The first choice is the form that the file came in",
        )  # fmt: skip
        trainer = st.segmented_control(
            "Trainer", list(TRAINERS), default="llama-factory", required=True, format_func=TRAINERS.__getitem__,
            key="export.trainer", persist_state="session", help="Its rules are applied and its config is written",
        )  # fmt: skip
    cls = EXPORTERS[form]
    st.caption(plain(FORMATS[form]) + (f" :orange[:material/warning:] {plain(cls.weakness)}" if cls.weakness else ""))
    if form == "original":
        trainer = "none"
    with st.expander("More settings", icon=":material/tune:"):
        made = method_form(cls, key=f"export.form.{form}", hide=OWN)
    if made.method is None:
        return None
    return Order(stored, form, trainer, {k: v for k, v in made.changed.items() if k not in OWN})


# ------------------------------------------------------------------ preview and check


@st.cache_resource(max_entries=8, show_spinner="Applying the trainer's rules …")
def _look(names: tuple[Any, ...], _dataset: Dataset, _order: Order, _rows: Selection | None) -> Look:
    return look(
        _dataset, _rows, format=_order.format, trainer=_order.trainer, count=FIRST_RECORDS,
        **{k: v for k, v in _order.options.items() if k != "drop_unusable"},
    )  # fmt: skip


def sample_of(dataset: Dataset, selection: Selection | None, most: int) -> Selection:
    """An even sample of a selection's rows in the order of the picks, None meaning all rows; the first among them."""
    rows = np.arange(len(dataset)) if selection is None else np.asarray(selection.order)
    places = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)) if len(rows) else rows
    return Selection(dataset.fingerprint, len(dataset), rows[places])


def looked_at(dataset: Dataset, order: Order, *, most: int | None = None) -> Look:
    """Everything about an export but its files, once for the same order.

    Args:
        dataset: The rows.
        order: Which and how.
        most: Look at an even sample of so many of the rows; None = at all.

    Raises:
        CurationError: if the trainer cannot read such a file at all.
    """
    key = None if order.stored is None else order.stored.key
    options = json.dumps(dict(order.options), default=str)
    names = (dataset.fingerprint, key, order.format, order.trainer, options, most)
    rows = order.selection if most is None else sample_of(dataset, order.selection, most)
    return _look(names, dataset, order, rows)


def show_look(dataset: Dataset, order: Order) -> None:
    """First records, what the form cannot say, and the trainer check."""
    rows = len(dataset) if order.selection is None else len(order.selection)
    if order.format == "original":
        st.markdown("#### First records")
        chosen = np.sort(order.selection.order) if order.selection is not None else np.arange(len(dataset))
        _records([(int(r), dataset.record(int(r)), "") for r in chosen[:FIRST_RECORDS]])
        st.caption(":material/info: Records are written as they came, so no trainer check applies.")
        return
    most = CHECK_AT_ONCE if rows > CHECK_AT_ONCE else None
    if CHECK_AT_ONCE < rows <= CHECK_MOST and st.toggle(
        f"Check all {number(rows)} rows", key="export.check", help="About 10 s for each 100,000 rows"
    ):
        most = None
    if most is not None:
        later = "all are checked while they are written." if rows > CHECK_MOST else "or check all."
        st.caption(f":material/info: Checked on an even sample of {number(most)} of {number(rows)} rows; {later}")
    try:
        seen = looked_at(dataset, order, most=most)
    except CurationError as error:
        error_box(error)
        return
    if seen.report is not None:
        show_check(dataset, seen.report)
    for reason, found in seen.left_out.items():
        st.warning(f"{number(len(found))} rows are left out: {plain(reason)}.", icon=":material/block:")
        with st.expander(f"Show these {number(len(found))} rows"):
            row_table(dataset, found, key=f"export.left.{reason}", select=False, per_page=10)
    st.markdown("#### First records")
    _records([(p.row, p.record, p.problem) for p in seen.first])


def _records(found: list[tuple[int, Any, str]]) -> None:
    for place, (row, record, problem) in zip(st.columns(max(1, len(found))), found, strict=False):
        with place:
            st.caption(f"Row {row:,}")
            if problem:
                st.warning(plain(problem), icon=":material/block:")
            else:
                st.code(_short(record), language="json", wrap_lines=True, height=300)


def _short(record: Any) -> str:
    text = visible(json.dumps(record, ensure_ascii=False, indent=1))
    return text if len(text) < 4000 else f"{text[:4000]}\n… and {len(text) - 4000:,} more characters"


def show_check(dataset: Dataset, report: CheckReport) -> None:
    """What the trainer will do, in one sentence, and the rows it is about."""
    lost = report.total - report.used
    say = st.success if not lost and not len(report.cut) else st.warning
    icon = ":material/check_circle:" if not lost else ":material/fact_check:"
    say(f"**{plain(report.version)}:** {plain(report.sentence())}.", icon=icon)
    for line in report.lines()[1:]:
        st.caption(f":material/info: {plain(line[:1].upper() + line[1:])}.")
    groups = {f"dropped: {r}": rows for r, rows in report.dropped.items()}
    groups |= {f"stops the run: {r}": rows for r, rows in report.stops.items()}
    if len(report.cut):
        groups[f"cut at {report.limit_name} {report.limit:,}"] = report.cut
    if not groups:
        return
    with st.expander(
        f"The {number(sum(map(len, groups.values())))} rows that are not used whole", icon=":material/list:"
    ):
        chosen = st.selectbox(
            "Which", list(groups), key="export.group", format_func=lambda g: f"{g} ({len(groups[g]):,})"
        )
        row_table(dataset, groups[chosen], key=f"export.rows.{chosen}", select=False, per_page=10)
        if report.unusable.size:
            st.caption("*Drop unusable* under *More settings* leaves the dropped rows out, so that counts agree.")


# ------------------------------------------------------------------ writing


def write_panel(workspace: Workspace, dataset: Dataset, order: Order) -> None:
    """Folder and name, the two ways to get the files, and what was written."""
    rows = len(dataset) if order.selection is None else len(order.selection)
    with st.container(border=True, key="export.write"):
        st.markdown("#### :primary[:material/save:] Write the files")
        left, right = st.columns(2, vertical_alignment="bottom")
        folder = left.text_input(
            "Folder on this machine", str(workspace.root / "exports" / slug(dataset.name)), key="export.folder",
            persist_state="session", help="Relative to where the app was started, or absolute",
        )  # fmt: skip
        name = right.text_input(
            "File", file_name(dataset, order), key=f"export.name.{file_name(dataset, order)}",
            help="The data file; a folder of the same name and .d holds card, recipe, decisions and configs",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center"):
            clicked = st.button(
                "Write", type="primary", icon=":material/save:", key="export.run", shortcut="Ctrl+Enter"
            )
            if not is_large(rows):
                st.download_button(
                    "Download as .zip", lambda: archive(workspace, dataset, order), f"{Path(name).stem}.zip",
                    "application/zip", icon=":material/download:", on_click="ignore", key="export.download",
                )  # fmt: skip
            replace = st.checkbox("Replace what is there", key="export.replace")
        if is_large(rows):
            st.caption(
                f":material/info: {number(rows)} rows are written by a job: this page can be closed. The download "
                "comes when they are written."
            )
        place = f"export.written.{dataset.fingerprint}"
        if clicked:
            with errors_shown(stop=True):
                target = _target(folder, name, replace=replace)
                if is_large(rows):
                    start_export(workspace, dataset, order, target, overwrite=replace)
                    st.session_state.pop(place, None)
                    st.rerun()
                with st.spinner("Writing …"):
                    made = write(workspace, dataset, order, target, overwrite=replace)
            st.session_state[place] = (made, order.trainer)
        job = follow_export(workspace, dataset)
        if place in st.session_state:
            show_written(workspace, *st.session_state[place])
        elif job is not None:
            with errors_shown():
                show_written(workspace, *written_by(workspace, job))


def _target(folder: str, name: str, *, replace: bool) -> Path:
    """The output that the user typed.

    Raises:
        CurationError: if it is no name, or there already.
    """
    if not name.strip() or Path(name).name != name.strip():
        raise CurationError(f"'{name}' is not a file name", "type a name without folders")
    target = folder_of(folder) / name.strip()
    if target.exists() and not replace:
        raise CurationError(f"{target} exists", "choose another name, or tick 'Replace what is there'")
    return target


def show_written(workspace: Workspace, made: Export, trainer: str) -> None:
    """Where the files are, how to train on them, and the configs that were written."""
    st.success(f"**{number(made.rows)} rows written.**", icon=":material/check_circle:")
    st.code(made.path, language=None)
    if made.info.get("check"):
        st.markdown(f":material/fact_check: {plain(str(made.info['check']))}.")
    if is_large(made.rows):
        download(workspace, made, key="export.archive")
    if made.info.get("command"):
        st.markdown("**Train on it**")
        st.code(str(made.info["command"]), language="bash", wrap_lines=True)
    configs = configs_of(made, trainer)
    if configs:
        for tab, (name, text) in zip(st.tabs(list(configs)), configs.items(), strict=True):
            with tab:
                st.code(text, language=LANGUAGES.get(Path(name).suffix, None), height=280)
    with st.expander(f"All {len(made.files)} files", icon=":material/folder_zip:"):
        st.dataframe(
            {"file": list(made.files), "SHA-256": [f"{digest[:16]}…" for digest in made.files.values()]},
            hide_index=True, alt="Files of the export",
        )  # fmt: skip
