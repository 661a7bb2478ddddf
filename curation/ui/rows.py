"""Rows of a dataset: one as a card, many as a paged table. Their text is only ever shown as text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset, Message
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


def row_table(
    dataset: Dataset,
    rows: Sequence[int] | np.ndarray,
    *,
    key: str,
    columns: Mapping[str, Sequence[Any] | np.ndarray] | None = None,
    per_page: int = PER_PAGE,
    select: bool = True,
) -> int | None:
    """A paged table of rows; only the page in view is read from disk.

    Args:
        dataset: Whose rows.
        rows: Their indices, in the order to show.
        key: Prefix of keys.
        columns: More columns by title, aligned with the dataset's rows (not with `rows`).
        per_page: Rows on a page.
        select: Let the user click one, anywhere in it.

    Returns:
        The row that is clicked, or None.
    """
    rows = np.asarray(rows, np.int64)
    place = st.container()
    part = paged(len(rows), key=f"{key}.page", per_page=per_page)
    shown = rows[part]
    table = dataset.take(shown).table
    data: dict[str, Any] = {
        "row": shown,
        "prompt": [one_line(t, 160) for t in table["prompt"].to_pylist()],
        "response": [one_line(t, 160) for t in table["response"].to_pylist()],
    }
    if len(dataset.facts.get("sources", [])) > 1:
        data["source"] = table["source"].to_pylist()
    for name, values in (columns or {}).items():
        data[name] = [values[i] for i in shown]
    config = {
        "row": st.column_config.NumberColumn("row", width="small", format="localized"),
        "prompt": st.column_config.TextColumn("prompt", width=320),
        "response": st.column_config.TextColumn("response", width=320),
    }
    with place:
        state = st.dataframe(
            data,
            hide_index=True,
            column_config=config,
            # a click belongs to the page it was made on
            key=f"{key}.table.{part.start}",
            on_select="rerun" if select else "ignore",
            selection_mode="single-cell",  # a click anywhere in a row, not only on a box at its left
            alt="Rows of the dataset",
        )
    if not select:
        return None
    cells = st.session_state[f"{key}.table.{part.start}"]["selection"]["cells"] if state else []
    return int(shown[cells[0][0]]) if cells and cells[0][0] < len(shown) else None
