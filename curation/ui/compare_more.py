"""Weaknesses shown by data, the difference from an older selection, and the comparison as files to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from curation.comparison import Comparison, Difference, Weakness
from curation.comparison.difference import older_selections
from curation.comparison.drawing import draw_changes
from curation.comparison.report import html_report, png_archive
from curation.comparison.spread import LENGTH
from curation.comparison.twins import SEED, variant_recipe
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.figures.arms import letter
from curation.ui import compare_data as data
from curation.ui import pool
from curation.ui.compare_data import Compared, Wanted
from curation.ui.compare_view import swatch
from curation.ui.components import Tile, chart, class_badge, errors_shown, mode, stat_tiles
from curation.ui.rows import row_card, row_table
from curation.ui.run_panel import start_now
from curation.ui.select_ask import SELECTION
from curation.ui.text import ago, number, plain
from curation.workspace import Workspace

if TYPE_CHECKING:
    from curation.figures.palette import Mode

MOST_IN_REPORT = 12
"""Numbers, and groups, in a report: each is a figure of some 10 kB."""


# ------------------------------------------------------------------ weaknesses


@st.fragment
def weakness_panel(workspace: Workspace, dataset: Dataset, what: Compared) -> None:
    """The known weakness of every class, measured on these rows."""
    st.markdown("##### Known weaknesses, shown by your data")
    found = data.weaknesses_of(what)
    arms = data.comparison(what).names
    for line in range(0, len(found), 2):
        for at, place in enumerate(st.columns(2, gap="small"), line):
            if at < len(found):
                with place.container(border=True, gap="xsmall", key=f"compare.weak.{at}", height="stretch"):
                    _weakness(arms.index(found[at].arm), found[at])
                    _another_seed(workspace, dataset, what, found[at])


def _weakness(place: int, one: Weakness) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        swatch(place)
        st.markdown(f"**{letter(place)} · {plain(one.arm)}**", width="content")
        class_badge(one.method_class)
    if one.claim:
        st.caption(plain(one.claim))
    if one.sentence:
        st.markdown(plain(one.sentence))
    if one.table:
        with st.expander("The numbers", icon=":material/table_rows:"):
            st.dataframe(
                [dict(zip(one.columns, row, strict=True)) for row in one.table], hide_index=True,
                key=f"compare.weak.table.{place}", alt=f"Weakness of {one.arm}, measured",
            )  # fmt: skip
    if one.missing_reason:
        reason = one.missing_reason.removesuffix(".")
        st.caption(f":material/help: {plain(reason[:1].upper() + reason[1:])}.")


def _another_seed(workspace: Workspace, dataset: Dataset, what: Compared, one: Weakness) -> None:
    """Offer the run that shows how much of the picks is chance, where no such run is stored."""
    if one.method_class != "statistical" or f"same rows with another {SEED}" in one.numbers:
        return
    arm = data.comparison(what).arm(one.arm)
    try:
        recipe, bindings = variant_recipe(workspace, arm.key, seed_by=1)
    except CurationError as error:  # no step draws by chance, or the recipe reads more than these rows
        st.caption(f":material/casino: {plain(error.message[:1].upper() + error.message[1:])}: {plain(error.hint)}.")
        return
    if st.button(
        "Run it with another seed", icon=":material/casino:", key=f"compare.seed.{arm.key[:12]}",
        help="The same recipe once more, every seed one higher: the share of rows that stay is then shown here",
    ):  # fmt: skip
        start_now(workspace, recipe, bindings, title=f"{SELECTION}: {dataset.name}, {arm.name} with another seed")


# ------------------------------------------------------------------ difference


@st.fragment
def difference_panel(workspace: Workspace, dataset: Dataset, what: Compared) -> None:
    """One of the selections against an older one."""
    st.markdown("##### Against an older selection")
    found = data.comparison(what)
    arms = {arm.key: f"{letter(at)} · {arm.name}" for at, arm in enumerate(found.arms)}
    if st.session_state.get("compare.newer") not in arms:
        st.session_state["compare.newer"] = next(iter(arms))
    left, right = st.columns(2)
    newer = left.selectbox("Newer", list(arms), key="compare.newer", format_func=arms.__getitem__)
    names = _older(workspace, newer)
    if not names:
        st.caption("There is no other selection of these rows, or of an older version of their file.")
        return
    if st.session_state.get("compare.older") not in ["", *names]:
        st.session_state["compare.older"] = ""
    older = right.selectbox(
        "Older", ["", *names], key="compare.older", format_func=lambda k: names.get(k, "Choose one"),
        help="Selections of this dataset and of datasets made from the same files; rows are matched by their content",
    )  # fmt: skip
    if not older:
        return
    with errors_shown():
        _difference(dataset, data.difference_of(dataset, newer, older))


def _older(workspace: Workspace, newer: str) -> dict[str, str]:
    here = str(workspace.manifest(newer)["dataset"])
    called = {d.fingerprint: d.name for d in workspace.datasets()}
    return {
        info.key: pool.selection_name(info)
        + (f" · {called.get(info.dataset, 'another dataset')}" if info.dataset != here else "")
        for info in older_selections(workspace, newer)
    }


def _difference(dataset: Dataset, found: Difference) -> None:
    gone = f"{number(found.gone)} rows of it are not in this dataset" if found.gone else "all its rows are still here"
    new = f"{number(found.new_rows)} of them new in this dataset" if found.new_rows else "none of them new in it"
    stat_tiles(
        [
            Tile("Both take", number(len(found.kept)), "Rows that both selections take", f"matched by {found.matched}"),
            Tile("Added", number(len(found.added)), "Rows that only the newer one takes", new),
            Tile("Removed", number(len(found.removed)), "Rows that only the older one takes", gone),
            Tile("Older one made", ago(found.older_created)),
        ]
    )  # fmt: skip
    left, right = st.columns(2, gap="medium")
    with left:
        if found.labels:
            names = {change.key: change.name for change in found.labels}
            key = st.selectbox("Changes by", list(names), key="compare.change", format_func=names.__getitem__)
            change = next(c for c in found.labels if c.key == key)
            chart(
                draw_changes(change, mode()), key=f"compare.changes.{found.newer}.{found.older}.{key}",
                alt=f"Added and removed rows by {change.name}",
            )  # fmt: skip
    with right:
        if found.scores:
            st.dataframe(
                [
                    {"median of": s.name, "added": s.added, "removed": s.removed, "kept": s.kept, "apart, sd": s.smd}
                    for s in found.scores
                ],
                hide_index=True, key="compare.change.scores", alt="Medians of added, removed and kept rows",
                column_config={n: st.column_config.NumberColumn(format="%.4g") for n in ("added", "removed", "kept")}
                | {"apart, sd": st.column_config.NumberColumn(format="%+.2f")},
            )  # fmt: skip
    sets = {"added": found.added, "removed": found.removed, "kept": found.kept}
    which = st.segmented_control("Rows", list(sets), default="added", required=True, key="compare.change.rows")
    rows = sets[which]
    if len(rows):
        clicked = row_table(dataset, rows, key=f"compare.change.{found.newer}.{found.older}.{which}", per_page=10)
        if clicked is not None:
            row_card(dataset, clicked, key="compare.change.row")


# ------------------------------------------------------------------ report


@st.fragment
def report_panel(dataset: Dataset, what: Compared) -> None:
    """One HTML file, and PNG figures."""
    found = data.comparison(what)
    st.markdown("##### Save as a report")
    st.caption(
        "One HTML file with everything on this page: recipes, cost, figures, maps. It needs no network and no other "
        "file, and each figure in it can be saved as PNG."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        rows = st.toggle("With rows to read", True, key="compare.report.rows", help="Off, no text of the data is in it")
        older = _chosen_difference(found)
        differs = older is not None and st.toggle("With the difference above", True, key="compare.report.older")
    wanted = Wanted(
        tuple(_first(data.numbers(dataset), LENGTH)), tuple(_first(data.groups(dataset))), rows=rows,
        older=older if differs else None,
    )  # fmt: skip
    shown = mode()
    name = f"{_slug(dataset.name)}-comparison"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Save the report", lambda: html(what, dataset, wanted, shown), f"{name}.html", "text/html",
            icon=":material/download:", type="primary", on_click="ignore", key="compare.report.html",
        )  # fmt: skip
        place = st.empty()
    drawn = (what.ident, wanted, shown)
    if st.session_state.get("compare.report.drawn") == drawn or place.button(
        "Draw PNG files", icon=":material/image:", key="compare.report.draw",
        help="A Chrome or Chromium of this machine draws every figure; it takes some seconds",
    ):  # fmt: skip
        with errors_shown(), st.spinner("A Chrome of this machine draws the figures …"):
            files = _archive(what.ident, wanted, shown, data.report_of(what, dataset, wanted))
            st.session_state["compare.report.drawn"] = drawn
            place.download_button(
                "Save the PNG files", files, f"{name}.zip", "application/zip", icon=":material/download:",
                on_click="ignore", key="compare.report.png",
            )  # fmt: skip
    st.caption("The same in a terminal:")
    st.code(data.command_of(what), language="bash")


def _first(names: dict[str, str], *always: str) -> list[str]:
    return list(dict.fromkeys([*always, *names]))[:MOST_IN_REPORT]


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60].strip("-") or "dataset"


def _chosen_difference(found: Comparison) -> tuple[str, str] | None:
    newer, older = st.session_state.get("compare.newer"), st.session_state.get("compare.older")
    return (newer, older) if older and newer in {arm.key for arm in found.arms} else None


def html(what: Compared, dataset: Dataset, wanted: Wanted, shown: Mode) -> bytes:
    """The report as a file."""
    return html_report(data.report_of(what, dataset, wanted), shown).encode("utf-8")


@st.cache_resource(max_entries=4, show_spinner=False)
def _archive(ident: Any, wanted: Wanted, shown: Mode, _report: Any) -> bytes:
    return png_archive(_report, shown)
