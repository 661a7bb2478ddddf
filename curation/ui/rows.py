"""Rows of a dataset: one as a card, many as a paged table. Their text is only ever shown as text.

A table is handed all rows of a view, a million if need be, and reads only those of the page in view. Scores and labels
beside them are `Column`s: looked up for the page, and sorted by once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset, Message
from curation.ui.row_columns import Column, Values, as_column, csv_lines, in_order, sorted_rows, values_at
from curation.ui.text import number, one_line, plain, visible

PER_PAGE = 25
LETTERS_SHOWN = 20_000
"""Longer messages are cut in the card, and said to be."""
ROLES = {
    "system": ("System", ":material/settings:"),
    "user": ("User", ":material/person:"),
    "assistant": ("Assistant", ":material/auto_awesome:"),
    "tool": ("Tool", ":material/build:"),
}


def row_card(
    dataset: Dataset, row: int, *, facts: Mapping[str, Any] | None = None, why: str | None = None, key: str = "row"
) -> None:
    """One conversation in full.

    Args:
        dataset: Whose row.
        row: Its index.
        facts: Scores, labels and the like, shown beside it.
        why: One sentence: why it is in or out.
        key: Prefix of keys, when several cards stand on one page.
    """
    with st.container(border=True, key=f"{key}.card"):
        table = dataset.table
        place = f"{table['source'][row].as_py()}, record {table['line'][row].as_py() + 1:,}"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**Row {row:,}**", width="content")
            st.caption(plain(place), width="content")
            st.badge(plain(str(table["form"][row].as_py())), color="gray")
        if why is not None:
            kept = why.startswith("in")
            icon = ":green[:material/check_circle:]" if kept else ":orange[:material/do_not_disturb_on:]"
            st.markdown(f"{icon} {plain(why)}")
        for message in dataset.messages(row):
            _message(message)
        tools = dataset.tools(row)
        if tools is not None:
            with st.expander("Tools offered", icon=":material/build:"):
                st.code(_cut(_pretty(tools)), language="json", wrap_lines=True)
        if facts:
            st.dataframe(
                {"fact": list(facts), "value": [_value(v) for v in facts.values()]}, hide_index=True, key=f"{key}.facts"
            )
        with st.expander("Original record", icon=":material/data_object:"):
            st.code(_cut(_pretty(dataset.record(row))), language="json", wrap_lines=True)


def _message(message: Message) -> None:
    name, icon = ROLES[message["role"]]
    with st.container(gap="xsmall"):
        label = name + (f" · {plain(message['name'])}" if message.get("name") else "")
        if message.get("weight") == 0:
            label += " · not trained on"
        st.markdown(f":gray[{icon} {label}]")
        if message["content"]:
            st.text(_cut(message["content"]))
        for call in message.get("tool_calls", []):
            st.code(_cut(_pretty(call)), language="json", wrap_lines=True)
        others = [p for p in message.get("parts", []) if p.get("type") != "text"]
        if others:
            # an image is never loaded: its address may tell others who is reading
            st.code("\n".join(_cut(json.dumps(p, ensure_ascii=False), 400) for p in others), language=None)
        if not message["content"] and not message.get("tool_calls") and not others:
            st.caption("(empty)")


def _cut(text: str, limit: int = LETTERS_SHOWN) -> str:
    text = visible(text)
    return text if len(text) <= limit else f"{text[:limit]}\n… and {len(text) - limit:,} more characters"


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _value(value: Any) -> str:
    return number(float(value)) if isinstance(value, int | float | np.number) else one_line(str(value), 200)


def paged(count: int, *, key: str, per_page: int = PER_PAGE) -> slice:
    """A page control under a table, and the part of `count` items that its page shows.

    The control is drawn where this is called; draw the table into a container made before.
    """
    pages = max(1, -(-count // per_page))
    page = 1
    if pages > 1:
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            page = min(st.pagination(pages, key=key), pages)
            begin = (page - 1) * per_page
            st.caption(f"{begin + 1:,} to {min(begin + per_page, count):,} of {count:,}", width="content")
    return slice((page - 1) * per_page, min(page * per_page, count))


AS_GIVEN = "as they come"


def row_table(
    dataset: Dataset,
    rows: Sequence[int] | np.ndarray,
    *,
    key: str,
    columns: Mapping[str, Values | Column] | None = None,
    per_page: int = PER_PAGE,
    select: bool = True,
    sort: bool = False,
    download: str | None = None,
) -> int | None:
    """A paged table of rows; only the page in view is read from disk.

    Args:
        dataset: Whose rows.
        rows: Their indices, in the order to show; each at most once where the user can sort.
        key: Prefix of keys. It can stay the same when the rows change, and should: the browser then fills the table it
            has, which takes it much less time than a new one. The first page is shown, and an old click is forgotten.
        columns: More columns by title, aligned with the dataset's rows (not with `rows`): values, a Score, Labels, or a
            `Column` that says more about them.
        per_page: Rows on a page.
        select: Let the user click one, anywhere in it.
        sort: Let the user sort by the columns that have a key; a click on a header sorts the page in view only.
        download: Name of a CSV file with all of `rows`, written when it is asked for; None = no such button.

    Returns:
        The row that is clicked, or None.
    """
    rows = np.asarray(rows, np.int64)
    beside = {title: as_column(values) for title, values in (columns or {}).items()}
    by = AS_GIVEN
    if sort or download is not None:
        with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
            if sort and len(rows):
                by, rows = _sorted(dataset, rows, beside, key)
            if download is not None and len(rows):
                _download(dataset, rows, beside, download, key)
    turn = _turn(rows, key)
    place = st.container()
    part = paged(len(rows), key=f"{key}.page", per_page=per_page)
    shown = rows[part]
    page = dataset.take(shown)
    data: dict[str, Any] = {
        "row": shown,
        "prompt": [one_line(t, 160) for t in page.texts("prompt")],
        "response": [one_line(t, 160) for t in page.texts("response")],
    }
    if len(dataset.facts.get("sources", [])) > 1:
        data["source"] = page.sources
    data.update({title: values_at(column, shown) for title, column in beside.items()})
    config = {
        "row": st.column_config.NumberColumn("row", width="small", format="localized"),
        "prompt": st.column_config.TextColumn("prompt", width=320),
        "response": st.column_config.TextColumn("response", width=320),
    }
    # a click belongs to the page, and to the order, that it was made on
    table = f"{key}.table.{part.start}" + ("" if by == AS_GIVEN else f".{by}") + (f".{turn}" if turn else "")
    st.session_state[f"{key}.last"] = table
    with place:
        state = st.dataframe(
            data,
            hide_index=True,
            column_config=config,
            key=table,
            on_select="rerun" if select else "ignore",
            selection_mode="single-cell",  # a click anywhere in a row, not only on a box at its left
            alt="Rows of the dataset",
        )
    if not select:
        return None
    cells = _cells(table) if state else []
    return int(shown[cells[0][0]]) if cells and cells[0][0] < len(shown) else None


def _turn(rows: np.ndarray, key: str) -> int:
    """How often rows have changed under a click: the table is another one then, since a selection cannot be taken back.

    Where they change without a click, the table stays the same, and only its page goes back to the first.
    """
    now = hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest()
    before = st.session_state.get(f"{key}.rows")
    st.session_state[f"{key}.rows"] = now
    turn = int(st.session_state.get(f"{key}.turn", 0))
    if before in (None, now):
        return turn
    if f"{key}.page" in st.session_state:
        st.session_state[f"{key}.page"] = 1
    if _cells(st.session_state.get(f"{key}.last", "")):
        turn += 1
        st.session_state[f"{key}.turn"] = turn
    return turn


def _cells(table: str) -> list[tuple[int, str]]:
    """The cells that are clicked in a table that stands on the page, or stood there in the run before."""
    state = st.session_state.get(table) if table else None  # "" = the run before ended before there was one
    return list(state["selection"]["cells"]) if state else []


def _sorted(dataset: Dataset, rows: np.ndarray, columns: Mapping[str, Column], key: str) -> tuple[str, np.ndarray]:
    """A control that sorts; returns what was chosen, and the rows in that order."""
    ways = {
        f"{title}: {way}": (column, bool(descending))
        for title, column in columns.items()
        if column.sortable
        for descending, way in enumerate(_ways(column))
    }
    if not ways:
        return AS_GIVEN, rows

    by = st.selectbox(
        "Order",
        [AS_GIVEN, *ways],
        format_func=visible,
        key=f"{key}.order",
        width=260,
        help="Of all rows of this table, not only of the page in view. Rows without a value come last.",
    )
    if by not in ways:
        return AS_GIVEN, rows
    column, descending = ways[by]
    return by, in_order(rows, _order(dataset.fingerprint, column.key, descending, column))


def _ways(column: Column) -> tuple[str, str]:
    return ("A to Z", "Z to A") if isinstance(column.values, Labels) else ("lowest first", "highest first")


@st.cache_resource(max_entries=16, show_spinner=False)
def _order(fingerprint: str, name: str, descending: bool, _column: Column) -> np.ndarray:
    order = sorted_rows(_column, descending=descending)
    order.flags.writeable = False
    return order


def _download(dataset: Dataset, rows: np.ndarray, columns: Mapping[str, Column], name: str, key: str) -> None:
    """A button whose file is written when it is clicked."""

    def whole() -> bytes:
        return b"".join(piece.encode("utf-8", "replace") for piece in csv_lines(dataset, rows, columns))

    st.download_button(
        "CSV",
        whole,
        name,
        "text/csv",
        key=f"{key}.csv",
        on_click="ignore",
        icon=":material/download:",
        help=f"All {len(rows):,} rows of this table, with the columns beside them",
    )
