"""The budget of a stored order as a live slider: in rows, percent or tokens, at once, without computing anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

Unit = Literal["rows", "percent", "tokens"]
UNITS: dict[Unit, str] = {"rows": "rows", "percent": "% of rows", "tokens": "tokens"}
TOKEN_STOPS = 400


@dataclass(frozen=True)
class Budgets:
    """Budgets of a nested order in three units.

    Args:
        spent: float64 `[m]`, tokens of the first 1, 2, ... picks.
        n: Rows of the dataset.
    """

    spent: np.ndarray
    n: int

    @classmethod
    def of(cls, order: np.ndarray, tokens: np.ndarray) -> Budgets:
        """From the order `[m]` and the tokens of every row `[n]`."""
        return cls(np.cumsum(tokens[order]), len(tokens))

    @property
    def most(self) -> int:
        """Picks that are known."""
        return len(self.spent)

    def rows(self, value: float, unit: Unit) -> int:
        """Picks that a budget means: at least 1, at most all; tokens are never exceeded, except by the first pick."""
        if unit == "rows":
            count = int(value)
        elif unit == "percent":
            count = int(np.floor(value / 100 * self.n + 0.5))
        else:
            count = int(np.searchsorted(self.spent, value, side="right"))
        return int(np.clip(count, 1, self.most))

    def value(self, rows: int, unit: Unit) -> float:
        """The smallest budget that means so many picks."""
        if unit == "rows":
            return rows
        return 100 * rows / self.n if unit == "percent" else float(np.ceil(self.spent[rows - 1]))


def budget_slider(budgets: Budgets, start: int, *, key: str, beside: Callable[[], None]) -> int:
    """The slider, its unit and the exact number of rows; returns the picks to show.

    Args:
        budgets: Of the order.
        start: Picks of the stored selection.
        key: Prefix of the widgets' keys.
        beside: Draws what stands beside unit and number.
    """
    place, exact = f"{key}.rows", f"{key}.exact"
    rows = int(np.clip(st.session_state.get(place, start), 1, budgets.most))
    top = st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}.top")
    with top:
        unit: Unit = st.segmented_control(
            "Budget in", list(UNITS), default="rows", required=True, format_func=UNITS.__getitem__, key=f"{key}.unit",
        )  # fmt: skip
    slider = f"{key}.slider.{unit}"

    def slid() -> None:
        st.session_state[place] = budgets.rows(st.session_state[slider], unit)

    def typed() -> None:
        st.session_state[place] = int(st.session_state[exact])

    # the number of rows is the truth; a widget that stands elsewhere was not the one that was moved
    if slider not in st.session_state or budgets.rows(st.session_state[slider], unit) != rows:
        st.session_state[slider] = _fitting(budgets.value(rows, unit), unit, budgets)
    st.session_state[exact] = rows
    with top:
        st.number_input("Rows", 1, budgets.most, key=exact, on_change=typed, width=150)
        beside()
    _slider(budgets, unit, slider, slid)
    return rows


def _fitting(value: float, unit: Unit, budgets: Budgets) -> float | int:
    if unit == "percent":
        return float(min(round(value, 2), _most_percent(budgets)))
    return int(value)


def _most_percent(budgets: Budgets) -> float:
    return float(np.ceil(10_000 * budgets.most / budgets.n) / 100)


def _slider(budgets: Budgets, unit: Unit, key: str, slid: object) -> None:
    known = f"The picks are stored in order up to {budgets.most:,} rows, so any smaller budget is there at once"
    if unit == "rows":
        st.slider("Budget", 1, budgets.most, key=key, on_change=slid, help=known)  # type: ignore[call-overload]
    elif unit == "percent":
        st.slider(  # type: ignore[call-overload]
            "Budget", 0.0, _most_percent(budgets), key=key, on_change=slid, step=0.01, format="%.2f %%", help=known
        )
    else:
        most = int(np.ceil(budgets.spent[-1]))
        step = max(1, most // TOKEN_STOPS)
        st.slider(  # type: ignore[call-overload]
            "Budget", 0, most, key=key, on_change=slid, step=step, format="localized", help=known
        )
