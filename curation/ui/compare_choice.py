"""Which selections are compared, and at which size; the address holds both, so that a link shows the same."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.ui import pool, session
from curation.ui.compare_data import Compared
from curation.ui.pool import Stored
from curation.ui.text import number

MOST = 6
FIRST = 3
"""Selections compared at first."""
LETTERS = 12
"""Of a key in the address."""
ARMS, BUDGET = "arms", "budget"
"""Names in the address."""
CHOSEN, SIZE, ROWS = "compare.arms", "compare.size", "compare.rows"
KEPT, SEEN = "compare.kept", "compare.address"
"""Where the session keeps the choice for when the page comes back, and the address as this page last wrote it."""
OWN, COMMON = "each at its own size", "all at one budget"


def choose(dataset: Dataset) -> Compared | None:
    """The choice of selections and size; None while nothing is chosen."""
    found = {s.key: s for s in pool.selections(dataset.fingerprint)}
    lost = _restore(dataset, found)
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare.choice"):
        keys = st.multiselect(
            "Selections to compare", list(found), key=CHOSEN, max_selections=MOST, width="stretch",
            format_func=lambda k: found[k].name, placeholder="Choose two to six",
            help="Random draws of the same size always stand beside them",
        )  # fmt: skip
        sizes = {len(found[key].selection) for key in keys}
        budget = _size(sizes) if keys else None
    if lost:
        st.warning(f"{lost} of the selections in this link are not stored here.", icon=":material/link_off:")
    _remember(dataset, keys, budget)
    return Compared(str(session.workspace().root), tuple(keys), budget) if keys else None


def _size(sizes: set[int]) -> int | None:
    options = [OWN, COMMON]
    if st.session_state.get(SIZE) not in options:
        st.session_state[SIZE] = OWN
    how = st.segmented_control(
        "Size", options, key=SIZE, required=True,
        help="At one budget, the first so many picks of each; picks without a nested order stay as they are",
    )  # fmt: skip
    if how != COMMON:
        return None
    most = max(sizes)
    st.session_state[ROWS] = int(np.clip(st.session_state.get(ROWS) or min(sizes), 1, most))
    return int(st.number_input("Rows each", 1, most, key=ROWS, width=150))


# ------------------------------------------------------------------ address and memory


def _restore(dataset: Dataset, found: dict[str, Stored]) -> int:
    """Put the choice of the address, else the last one, else the newest selections into the widgets.

    Returns:
        How many selections of the address are not stored.
    """
    address = (st.query_params.get(ARMS, ""), st.query_params.get(BUDGET, ""))
    memory = st.session_state.get(KEPT, {}).get(dataset.fingerprint)
    known = st.session_state.get(CHOSEN)
    lost = 0
    if address != st.session_state.get(SEEN) and address[0]:
        asked = [part for part in re.split(r"[,\s]+", address[0][:2_000]) if part]
        keys = [next((k for k in found if len(part) >= 6 and k.startswith(part)), "") for part in asked]
        lost = keys.count("")
        budget = int(address[1]) if re.fullmatch(r"[0-9]{1,9}", address[1]) and int(address[1]) else None
        _put([k for k in dict.fromkeys(keys) if k][:MOST], budget)
    elif known is None or st.session_state.get(f"{KEPT}.of") != dataset.fingerprint:
        keys, budget = memory or (_newest(found), None)
        _put([k for k in keys if k in found], budget)
    elif any(k not in found for k in known):
        st.session_state[CHOSEN] = [k for k in known if k in found]
    st.session_state[f"{KEPT}.of"] = dataset.fingerprint
    return lost


def _newest(found: dict[str, Stored]) -> list[str]:
    """The newest results of recipes, one of each method."""
    results = [s for s in found.values() if is_result(s)]
    unlike = {(s.info.use, pool.selection_name(s.info).partition(" · ")[0]): s.key for s in reversed(results)}
    return [s.key for s in results if s.key in unlike.values()][:FIRST]


def is_result(stored: Stored) -> bool:
    """True for what a recipe was run for, and for an arm of a comparison."""
    return pool.is_result(stored.key, stored.info.step, str(stored.info.manifest.get("recipe", "")))


def _put(keys: list[str], budget: int | None) -> None:
    st.session_state[CHOSEN] = keys
    st.session_state[SIZE] = OWN if budget is None else COMMON
    if budget is not None:
        st.session_state[ROWS] = budget


def _remember(dataset: Dataset, keys: list[str], budget: int | None) -> None:
    """Write the choice into the address and the session."""
    st.session_state.setdefault(KEPT, {})[dataset.fingerprint] = (list(keys), budget)
    address = (",".join(key[:LETTERS] for key in keys), "" if budget is None else str(budget))
    for name, value in zip((ARMS, BUDGET), address, strict=True):
        if value:
            if st.query_params.get(name) != value:
                st.query_params[name] = value
        else:
            st.query_params.pop(name, None)
    st.session_state[SEEN] = address


def look_at(dataset: Dataset, keys: list[str], budget: int | None = None) -> None:
    """Compare these; called before `choose`."""
    _put(keys[:MOST], budget)
    st.session_state[f"{KEPT}.of"] = dataset.fingerprint


def sizes_note(what: Compared, sizes: list[int]) -> None:
    """Selections of different sizes are hard to compare: offer the common budget."""
    if what.budget is not None or len(set(sizes)) < 2:
        return
    least = min(sizes)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="compare.sizes"):
        st.markdown(
            f":orange[:material/straighten:] These selections have different sizes, from {number(least)} to "
            f"{number(max(sizes))} rows. Larger ones cover more and share more whatever they pick."
        )

        def cut() -> None:
            st.session_state[SIZE] = COMMON
            st.session_state[ROWS] = least

        st.button(f"Compare the first {number(least)} of each", key="compare.cut", on_click=cut, type="primary")
