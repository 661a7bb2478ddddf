"""What stands beside the pointer: the row's text, fetched by its number in a fragment of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import streamlit as st

from curation.ui.point_map.scripts import script
from curation.ui.text import one_line

LETTERS = 420
FACTS = 8
ASKED = ".asked"

_hover = st.components.v2.component("curation_point_hover", js=script("hover"))


@dataclass(frozen=True)
class Hovered:
    """What the map says of a row under the pointer.

    Args:
        text: Its prompt, for instance; shown letter by letter, cut to a few lines.
        facts: A few short values by name: cluster, scores.
        title: Its head; "row 1,234" when not given.
    """

    text: str
    facts: Mapping[str, str] = field(default_factory=dict)
    title: str = ""


def hover_text(text_of: Callable[[int], Hovered | None], *, key: str, n: int) -> None:
    """Answer the map's question for a row's text; only this fragment reruns, about 120 ms after the pointer rests.

    Args:
        text_of: The row's text, or None when there is none.
        key: Of the map that asks.
        n: Rows of the map.
    """

    @st.fragment
    def body() -> None:
        asked = st.session_state.get(key + ASKED)
        row = asked if isinstance(asked, int) and not isinstance(asked, bool) and 0 <= asked < n else None
        found = None if row is None else text_of(row)
        answer = None if row is None or found is None else {
            "row": row, "title": one_line(found.title or f"row {row:,}", 80), "text": one_line(found.text, LETTERS),
            "facts": [[one_line(k, 30), one_line(v, 60)] for k, v in list(found.facts.items())[:FACTS]],
        }  # fmt: skip
        _hover(
            key=f"{key}.hover", data={"key": key, "answer": answer}, height="content", on_row_change=partial(_ask, key)
        )

    body()


def _ask(key: str) -> None:
    st.session_state[key + ASKED] = st.session_state[f"{key}.hover"].get("row")
