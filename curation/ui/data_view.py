"""The parts of the Data page: rows, fields and sources, rejected records, all datasets."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.ui import session, view_state
from curation.ui.components import Tile, chart, empty_state, errors_shown, mode, stat_tiles
from curation.ui.decide_apply import apply_decisions
from curation.ui.deciding import WHICH, decide_bar, decided_rows, decision_pills, decisions_of
from curation.ui.field_facts import MOST_VALUES, cached_field_facts, empty_answers, find_rows, in_order
from curation.ui.preview_view import rejected_table
from curation.ui.row_panel import row_panel
from curation.ui.rows import paged, row_table
from curation.ui.text import ago, number, percent, plain, size
from curation.ui.view_tabs import view_rows
from curation.workspace import DatasetInfo, Workspace

FILE_ORDER = "as in the file"
REJECTED_SHOWN = 10_000


def counts(dataset: Dataset, info: DatasetInfo) -> None:
    """The dataset in numbers."""
    empty = empty_answers(dataset)
    copies = int((dataset.table["copy"].to_numpy() > 0).sum())
    stat_tiles(
        [
            Tile("Rows", number(len(dataset))),
            Tile("Exact copies", number(copies), "Conversations that occur before, letter by letter",
                 percent(copies, len(dataset))),
            Tile("Empty answers", number(empty), note=percent(empty, len(dataset))),
            Tile("Rejected", number(info.rejected), "Records that could not be read"),
            Tile("On disk", size(info.bytes)),
        ]
    )  # fmt: skip


def rows_view(workspace: Workspace, dataset: Dataset) -> None:
    """Search, sort, decide on many, a paged table, and the row that is clicked in full."""
    scores = {r.step: r.key for r in reversed(session.results(dataset.fingerprint, "score"))}
    sources = [str(s["name"]) for s in dataset.facts.get("sources", [])]
    seen = view_rows(dataset, key="data.seen")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find", key="data.find", placeholder="text in prompt or response", icon=":material/search:",
            bind="query-params", width="stretch",
        ).strip()  # fmt: skip
        source = None
        if len(sources) > 1:
            source = st.selectbox("Source", [None, *sources], format_func=lambda s: s or "all", key="data.source")
        decided = st.selectbox(
            "By hand", [None, *WHICH], format_func=lambda w: WHICH[w] if w else "all", key="data.decided"
        )
        order, descending = FILE_ORDER, False
        if scores:
            order = st.selectbox("Order", [FILE_ORDER, *scores], key="data.order")
            descending = st.toggle("highest first", True, key="data.descending", disabled=order == FILE_ORDER)
    score = None if order == FILE_ORDER else np.asarray(cast(Score, session.artifact(scores[order])).values)
    found = find_rows(dataset, text, source)
    if seen is not None:
        found = found[seen[found]]
    state = decisions_of(workspace, dataset) if decided else None
    if state is not None:
        found = found[np.isin(found, decided_rows(state, str(decided)))]
    rows = in_order(found, score, descending=descending)
    with st.container(horizontal=True, vertical_alignment="center", key="data.decisions"):
        if len(rows) < len(dataset):
            st.caption(f"{number(len(rows))} of {number(len(dataset))} rows", width="content")
        pills = decision_pills(workspace, dataset, key="data")
        with st.popover("Use the decisions", icon=":material/rule:", type="tertiary"):
            apply_decisions(workspace, dataset, key="data.apply")
    if not len(rows):
        more = "" if seen is None else ", or look at all rows again"
        st.info(f"No row matches. Try a shorter text or another source{more}.", icon=":material/search_off:")
        return
    if len(rows) < len(dataset):
        decide_bar(workspace, dataset, rows, key="data.bulk", also=(pills,))
    columns = {} if score is None else {order: score}
    view = [] if seen is None else [view_state.digest(seen)]
    key = rows_key(dataset, text, source, order, descending, *([decided] if decided else []), *view)
    chosen = row_table(dataset, rows, key=key, columns=columns)
    if chosen is None:
        st.caption(":material/touch_app: Click a row to read all of it, and to keep or drop it.")
        return
    row_panel(
        workspace, dataset, chosen, key="data.row", words=[text] if text else (), rows=rows, also=(pills,), wide=True
    )


def rows_key(dataset: Dataset, *search: object) -> str:
    """Key of the table of one search: a new search begins on its first page, with nothing clicked."""
    digest = hashlib.blake2b(repr((dataset.fingerprint, *search)).encode("utf-8", "replace"), digest_size=6)
    return f"data.rows.{digest.hexdigest()}"


def fields_view(dataset: Dataset) -> None:
    """Per-field facts and sources."""
    root = str(session.workspace().root)
    read, facts = cached_field_facts(root, dataset.fingerprint)
    if read < len(dataset):
        st.caption(f":material/info: From an even sample of {number(read)} of {number(len(dataset))} records.")
    st.dataframe(
        [
            {
                "field": f.name,
                "present": f.present / read,
                "empty": f.empty,
                "type": ", ".join(f.types),
                "distinct": f"{MOST_VALUES:,} or more" if f.distinct >= MOST_VALUES else f"{f.distinct:,}",
                "characters: least": f.shortest,
                "median": f.median,
                "most": f.longest,
                "example": f.example,
            }
            for f in facts
        ],
        hide_index=True,
        column_config={
            "present": st.column_config.ProgressColumn("present", format="percent", min_value=0, max_value=1),
            "example": st.column_config.TextColumn("example", width="large"),
        },
        alt="Fields of the records",
    )
    left, right = st.columns(2)
    with left:
        _lengths(dataset)
    with right:
        _sources(dataset)


def _lengths(dataset: Dataset) -> None:
    from curation.figures.distribution import distribution_figure

    st.markdown("**Length of the answers**")
    figure = distribution_figure(
        dataset.lengths("response").astype(np.float64), name="characters in the answer", mode=mode()
    )
    chart(figure, key="data.lengths", alt="Histogram of answer lengths")


def _sources(dataset: Dataset) -> None:
    from curation.figures.shares import shares_figure

    st.markdown("**Where the rows come from**")
    sources = dataset.facts.get("sources", [])
    if len(sources) > 1:
        figure = shares_figure([s["name"] for s in sources], np.array([s["rows"] for s in sources]), mode=mode())
        chart(figure, key="data.sources", alt="Share of rows by source")
    st.dataframe(
        [
            {
                "source": s["name"],
                "form": s["form"],
                "rows": s["rows"],
                "rejected": s["rejected"],
                "notes": "; ".join(s.get("notes", [])),
            }
            for s in sources
        ],
        hide_index=True,
        alt="Sources",
    )


def rejected_view(workspace: Workspace, info: DatasetInfo) -> None:
    """Records that could not be read, and why."""
    if not info.rejected:
        empty_state(":material/verified:", "Every record could be read.")
        return
    found = list(islice(workspace.quarantine(info.fingerprint), REJECTED_SHOWN))
    reasons: dict[str, int] = {}
    for record in found:
        reasons[record["reason"]] = reasons.get(record["reason"], 0) + 1
    st.markdown(
        "These records are in none of the numbers on other pages. Mend them in the file and add it again: what was "
        "computed for the other rows is kept."
    )
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1])[:12]:
        st.markdown(f":orange[:material/block:] {count:,} × {plain(reason)}")
    place = st.container()
    part = paged(len(found), key="data.rejected")
    with place:
        rejected_table(found[part])


def datasets_view(workspace: Workspace, current: DatasetInfo | None) -> None:
    """All datasets of the workspace; one can be opened or removed."""
    infos = workspace.datasets()
    for info in infos:
        here = current is not None and info.fingerprint == current.fingerprint
        with st.container(
            border=True, horizontal=True, vertical_alignment="center", key=f"data.set.{info.fingerprint}"
        ):
            mark = ":primary[:material/radio_button_checked:] " if here else ""
            st.markdown(f"{mark}**{plain(info.name)}**", width="content")
            line = f"{number(info.rows)} rows · {number(info.rejected)} rejected · {size(info.bytes)}"
            st.caption(f"{line} · {ago(info.created)}", width="stretch")
            if not here and st.button("Open", key=f"data.open.{info.fingerprint}", icon=":material/folder_open:"):
                session.open_dataset(info.name)
                st.rerun()
            with st.popover("Remove", icon=":material/delete:", type="tertiary"):
                st.markdown("Its rows and everything computed from them are deleted. Your file stays as it is.")
                if st.button("Remove for good", key=f"data.remove.{info.fingerprint}", type="primary"):
                    with errors_shown():
                        workspace.remove_dataset(info.fingerprint)
                        session.forget_dataset()
                        st.rerun()
