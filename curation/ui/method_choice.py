"""Which way of selecting: methods and presets in groups by what they are for, and when to use each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import streamlit as st

from curation.core.method import Purpose, Selector, find
from curation.recipe import Recipe, preset_names
from curation.ui.pool import title_of

PURPOSES: tuple[str, ...] = get_args(Purpose)
MEANINGS: dict[str, str] = {
    "coverage": "leave no region of the pool out",
    "diversity and quality": "good rows, and no two alike",
    "targeted": "rows like those you name",
    "duplicates": "one row of many that say the same",
    "bayesian": "rows that a linear model would learn most from",
    "by score": "one number decides",
    "baselines": "what every choice has to beat",
    "building blocks": "parts of a recipe: sets, labels, rows by number",
}
KEY, PURPOSE = "select.use", "select.purpose"
ROW_HEIGHT = 66
"""Pixels of a line of the table: above 4 rem a cell breaks its text into lines."""
WIDE = 490
"""Pixels of the sentence where the column of groups is left out, and 140 more than where it is not."""


def choose_method(uses: Sequence[str], first: str) -> str:
    """Ask for a method or preset.

    Args:
        uses: Recipe names of selectors, names of presets.
        first: What is chosen at the start.

    Returns:
        The recipe name or the preset's name.
    """
    grouped = _grouped(uses)
    groups = [p for p in PURPOSES if any(purpose_of(use) == p for use in grouped)]
    # what was chosen last is the default: a form that was not drawn for a while comes back with it
    purpose = st.pills(
        "What for", groups, key=PURPOSE, default=st.session_state.get(_kept(PURPOSE)), format_func=str.capitalize,
        wrap=True,
        help="; ".join(f"**{p}**: {MEANINGS[p]}" for p in groups),
    )  # fmt: skip
    offered = [use for use in grouped if purpose in (None, purpose_of(use))]
    start = st.session_state.get(KEY, st.session_state.get(_kept(KEY), first))
    if start not in offered:
        start = st.session_state[KEY] = offered[0]  # another group was chosen
    use: str = st.selectbox(
        "Method", offered, offered.index(start), key=KEY,
        format_func=title_of_use if purpose else _with_group,
        help="Recipes combine several steps; methods are single ones",
    )  # fmt: skip
    st.session_state[_kept(PURPOSE)], st.session_state[_kept(KEY)] = purpose, use
    return use


def _kept(key: str) -> str:
    return f"{key}.kept"


def methods_table(uses: Sequence[str]) -> None:
    """All methods of the chosen group with a sentence each, folded; a click on a line chooses the method."""
    purpose = st.session_state.get(PURPOSE, st.session_state.get(_kept(PURPOSE)))
    grouped = _grouped(uses)
    box = st.expander("All methods side by side", icon=":material/table_rows:", on_change="rerun", key="select.all")
    if box.open:
        with box:
            _table(grouped, [use for use in grouped if purpose in (None, purpose_of(use))])


def _grouped(uses: Sequence[str]) -> list[str]:
    """By group, recipes before single methods."""
    return sorted(uses, key=lambda use: (PURPOSES.index(purpose_of(use)), use.startswith("selector/")))


def purpose_of(use: str) -> str:
    """The group that a selector or preset is in."""
    if use in preset_names():
        return str(_about(use).get("purpose", "building blocks"))
    cls = find(use)
    return cls.purpose if issubclass(cls, Selector) else "building blocks"


def when_of(use: str) -> str:
    """One sentence: when to use it; it does not begin with "When", which is what stands before it."""
    if use in preset_names():
        text = " ".join(str(_about(use).get("when", "")).split())
    else:
        cls = find(use)
        text = cls.when if issubclass(cls, Selector) else ""
    text = text.removeprefix("When ")
    return text[:1].upper() + text[1:]


def title_of_use(use: str) -> str:
    """What a selector or preset is called."""
    if use in preset_names():
        return f"{_about(use).get('title', use)} (recipe)"
    return title_of(use)


def _about(preset: str) -> dict[str, Any]:
    return Recipe.read(preset).about


def _with_group(use: str) -> str:
    return f"{purpose_of(use).capitalize()} · {title_of_use(use)}"


def _table(uses: Sequence[str], offered: Sequence[str]) -> None:
    """Every method with its group, class and the sentence; a click chooses."""

    def chosen() -> None:
        rows = st.session_state["select.table"]["selection"]["rows"]
        if rows:
            st.session_state[KEY] = shown[rows[0]]

    shown = list(offered)
    one_group = len({purpose_of(use) for use in shown}) == 1
    lines = [
        {
            "method": title_of_use(use),
            "when to use it": when_of(use),
            "class": _class_of(use),
            **({} if one_group else {"what for": purpose_of(use)}),
        }
        for use in shown
    ]
    st.caption(f"{len(shown)} of {len(uses)} ways to select. Tick a line to choose it.")
    st.dataframe(
        lines, key="select.table", on_select=chosen, selection_mode="single-row", hide_index=True,
        row_height=ROW_HEIGHT, height=min(560, 40 + (ROW_HEIGHT + 1) * len(lines)), alt="All methods side by side",
        column_config={
            "method": st.column_config.TextColumn(width=165),
            "when to use it": st.column_config.TextColumn(width=WIDE if one_group else WIDE - 140),
            "class": st.column_config.TextColumn(width=95),
            "what for": st.column_config.TextColumn(width=130),
        },
    )  # fmt: skip


def _class_of(use: str) -> str:
    if use in preset_names():
        return str(_about(use).get("method_class", ""))
    return find(use).method_class
