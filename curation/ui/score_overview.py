"""All distributions at a glance, with the cut of each, and what the cuts keep together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from curation.core.dataset import Dataset
from curation.figures.palette import CATEGORICAL
from curation.scorers._health import Finding
from curation.ui import score_grid
from curation.ui.components import CLASS_COLOURS, CLASS_MEANINGS, errors_shown
from curation.ui.pool import Stored
from curation.ui.rows import paged
from curation.ui.score_cuts import clear_cuts, cuts_of, kept_mask, set_cuts
from curation.ui.score_facts import Facts, Numbers, facts, findings, numbers_of
from curation.ui.score_grid import Card, Cut
from curation.ui.text import number, percent
from curation.views import View

PER_PAGE = 16
CLASS_COLOUR = {
    "statistical": CATEGORICAL[0],
    "zero-order": CATEGORICAL[2],
    "first-order": CATEGORICAL[1],
    "bayesian": CATEGORICAL[3],
}
NO_CLASS = CATEGORICAL[9]
WORDS: dict[str, str] = {
    "empty": "", "dead": "nearly one value", "saturated": "saturated", "missing": "", "not finite": "infinite values",
    "length": "follows length", "duplicate": "same as another", "few levels": "few levels", "tie": "tie at the top",
    "unstable": "noisy top",
}  # fmt: skip
"""A finding in as few letters as a card has room for; "" where the card says it already."""


def overview_panel(dataset: Dataset, found: list[Stored], view: View) -> tuple[str, str | None] | None:
    """The histograms, and what a view leaves; returns the (key, column) whose title was clicked."""
    with st.container(border=True, key="scores.grid.panel"):
        with st.container(horizontal=True, vertical_alignment="center", key="scores.grid.head"):
            st.markdown("#### :primary[:material/grid_view:] All distributions", width="stretch")
            columns = st.toggle(
                "Columns too", key="scores.grid.columns", persist_state="session",
                help="Also the numbers that methods made on the way",
            )  # fmt: skip
        st.caption(
            "Drag a handle, or move it with the arrow keys: what the cut keeps is counted as you go. Click a name to "
            "see that score closer. ↑ and ↓ say which end is better."
        )
        every = [n for n in numbers_of(found, columns=columns) if n.cuts]
        place = st.container()
        part = paged(len(every), key=f"scores.grid.page.{columns}", per_page=PER_PAGE)
        with place:
            clicked = _grid(dataset, found, every[part], every)
        _together(dataset, every, view)
    return clicked


def _grid(
    dataset: Dataset, found: Sequence[Stored], shown: Sequence[Numbers], every: Sequence[Numbers]
) -> tuple[str, str | None] | None:
    cuts = cuts_of(dataset)
    names = {n.place: n.name for n in every}

    def commit(cut: Cut) -> None:
        place = (cut.key, cut.column)
        set_cuts(dataset, {place: (cut.low, cut.high)}, f"cut on {names[place]}")

    with st.spinner("Reading the scores …", show_time=True):
        cards = [_card(n, facts(n, dataset), cuts.get(n.place, (None, None)), _flags(n, found, dataset)) for n in shown]
    return score_grid.score_grid(cards, dataset=dataset.fingerprint, key="scores.grid", on_cut=commit)


def _flags(numbers: Numbers, found: Sequence[Stored], dataset: Dataset) -> list[Finding]:
    if numbers.stored is None or numbers.column is not None:
        return []
    return findings(numbers.stored, found, dataset)


def _card(numbers: Numbers, known: Facts, bounds: tuple[float | None, float | None], flags: list[Finding]) -> Card:
    cls = numbers.stored.method if numbers.stored is not None else None
    better: Literal["higher", "lower", ""] = ""
    if numbers.better is not None:
        better = "higher" if numbers.better else "lower"
    method_class = cls.method_class if cls is not None else ""
    words = [w for w in dict.fromkeys(WORDS[f.kind] for f in flags) if w]
    more = f" +{len(words) - 1}" if len(words) > 1 else ""
    return Card(
        numbers.key, numbers.column, numbers.name, method_class, CLASS_COLOUR.get(method_class, NO_CLASS), better,
        known.n, known.ordered, *bounds, warning=words[0] + more if words else "",
    )  # fmt: skip


def _together(dataset: Dataset, every: Sequence[Numbers], view: View) -> None:
    """The combined count, and the way back."""
    with st.container(horizontal=True, vertical_alignment="center", key="scores.grid.foot"), errors_shown():
        mask = kept_mask(dataset, view)
        if mask is None:
            st.markdown(f":gray[Nothing is cut away: all {number(len(dataset))} rows are in view.]", width="stretch")
            _legend(every)
            return
        kept = int(mask.sum())
        st.markdown(
            f":material/filter_alt: With all conditions: **{number(kept)} rows** · {percent(kept, len(dataset))}",
            width="stretch",
        )  # fmt: skip
        if cuts_of(dataset):
            st.button(
                "Remove all cuts", icon=":material/filter_alt_off:", key="scores.grid.clear",
                on_click=clear_cuts, args=(dataset,), help="Takes the cuts on scores and lengths out of the view",
            )  # fmt: skip
        _legend(every)


def _legend(every: Sequence[Numbers]) -> None:
    """The classes whose colours are shown."""
    there = {cls.method_class for n in every if n.stored is not None and (cls := n.stored.method) is not None}
    for name in CLASS_COLOUR:
        if name in there:
            st.badge(name, color=CLASS_COLOURS[name], help=CLASS_MEANINGS[name])
