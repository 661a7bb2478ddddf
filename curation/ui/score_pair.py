"""Two scores of the same rows: a box that is drawn becomes two cuts of the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.ui.components import mode
from curation.ui.pool import Stored
from curation.ui.score_cuts import Bounds, cuts_of, set_cuts
from curation.ui.score_facts import Numbers, correlations_of, numbers_of
from curation.ui.text import number, plain

X, Y = "scores.pair.x", "scores.pair.y"
SHOW = {"auto": "fitting", "points": "points", "grid": "density"}


def name_of(place: tuple[str, str | None]) -> str:
    """A column of numbers as one word, for a widget."""
    return f"{place[0]} {place[1] or ''}"


def pair_panel(dataset: Dataset, found: Sequence[Stored]) -> None:
    """Choose two, see them against each other, draw a box."""
    every = {name_of(n.place): n for n in numbers_of(found, columns=True)}
    for key, place in ((X, 0), (Y, 1)):
        if st.session_state.get(key) not in every:  # at first, and when a score is gone
            st.session_state[key] = list(every)[place]
    with st.container(horizontal=True, vertical_alignment="bottom", key="scores.pair.choice"):
        for key, label in ((X, "Across"), (Y, "Up")):
            st.selectbox(label, list(every), format_func=lambda k: every[k].name, key=key, persist_state="session")
        show = st.segmented_control(
            "Show as", list(SHOW), default="auto", required=True, format_func=SHOW.__getitem__, key="scores.pair.show",
            help="Fitting: points for few rows, exact counts on a grid for many",
        )  # fmt: skip
    x, y = every[st.session_state[X]], every[st.session_state[Y]]
    if x.place == y.place:
        st.info("Choose two different scores.", icon=":material/compare_arrows:")
        return
    _say(dataset, x, y)
    _draw(dataset, x, y, cast(Any, show))


def _say(dataset: Dataset, x: Numbers, y: Numbers) -> None:
    table = correlations_of([x, y], dataset)
    rho, rows = float(table.rho[0, 1]), int(table.rows[0, 1])
    error = table.error(0, 1)
    if np.isnan(rho):
        st.markdown(
            f":gray[No rank correlation over the {number(rows)} rows that have both: too few, or one does not vary.]"
        )
        return
    near = f" ± {error:.3f} (one standard error, from a fixed sample)" if error else ""
    st.markdown(f"Rank correlation **ρ = {rho:.2f}**{near} over **{number(rows)} rows** that have both.")


def _draw(dataset: Dataset, x: Numbers, y: Numbers, show: Any) -> None:
    from curation.figures.pair import pair_figure

    cuts = cuts_of(dataset)
    bounds = (*cuts.get(x.place, (None, None)), *cuts.get(y.place, (None, None)))
    figure = pair_figure(
        x.values(dataset), y.values(dataset), x_name=x.name, y_name=y.name, show=show, box=bounds, mode=mode()
    )  # fmt: skip
    key = f"scores.pair.figure.{name_of(x.place)}.{name_of(y.place)}"

    def brushed() -> None:
        made = bounds_of(dict(st.session_state[key]["selection"]))
        if made is not None:
            cuts = {n.place: bounds for n, bounds in zip((x, y), made, strict=True) if n.cuts}
            set_cuts(dataset, cuts, f"draw a box on {x.name} and {y.name}")

    st.plotly_chart(
        figure, theme=None, key=key, on_select=brushed, selection_mode=("box",),
        config={
            "displaylogo": False, "displayModeBar": True, "responsive": True,
            "modeBarButtonsToRemove": ["toImage", "lasso2d", "zoomIn2d", "zoomOut2d"],
        },
        alt=f"{x.name} against {y.name}",
    )  # fmt: skip
    here = [p for p in (x.place, y.place) if p in cuts]
    with st.container(horizontal=True, vertical_alignment="center", key="scores.pair.foot"):
        fixed = "" if x.cuts and y.cuts else " The length of the prompt itself is not cut."
        st.caption(f"Draw a box: it becomes a cut on each of the two.{fixed}", width="stretch")
        if here:
            st.button(
                "Remove these cuts", icon=":material/filter_alt_off:", key="scores.pair.clear",
                on_click=lambda: set_cuts(dataset, dict.fromkeys(here, (None, None)), "remove a box"),
            )  # fmt: skip


def bounds_of(selection: Mapping[str, Any]) -> tuple[Bounds, Bounds] | None:
    """The last box of a plotly selection as bounds of x and of y; None without one."""
    boxes = selection.get("box") or []
    if not boxes:
        return None
    found = []
    for axis in ("x", "y"):
        ends = [float(v) for v in boxes[-1].get(axis, [])]
        if len(ends) < 2 or not np.isfinite(ends).all():
            return None
        found.append((min(ends), max(ends)))
    return found[0], found[1]


def look_at_pair(a: Numbers, b: Numbers) -> None:
    """Choose two for the panel; to be called before it is drawn."""
    st.session_state[X], st.session_state[Y] = name_of(a.place), name_of(b.place)


def title(a: Numbers, b: Numbers) -> str:
    """Both names."""
    return f"{plain(a.name)} and {plain(b.name)}"
