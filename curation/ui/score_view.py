"""One score: its distribution with a live threshold, what it has to do with length, and the cut as a selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import streamlit as st

from curation.complete.stored import Parts
from curation.core.dataset import Dataset
from curation.core.given import RESPONSE_LENGTH
from curation.ui.cartography_view import cartography_view, is_cartography
from curation.ui.components import CLASS_COLOURS, CLASS_MEANINGS, Tile, chart, mode, stat_tiles
from curation.ui.pool import Stored
from curation.ui.run_panel import start_now
from curation.ui.score_consent import consent
from curation.ui.score_cuts import set_cuts
from curation.ui.score_facts import COLLAPSED, Facts, Side, column_values, facts_of, findings, number_columns, stops
from curation.ui.score_health import finding_line
from curation.ui.text import number, percent, plain, prose
from curation.ui.weak import weak_note
from curation.workspace import Workspace

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.figures.palette import Mode

THRESHOLD = "Threshold"
SELF = "the score itself"


def score_panel(workspace: Workspace, dataset: Dataset, stored: Stored, found: Sequence[Stored]) -> None:
    """One score in full, `found` being all of them. A fragment: moving the threshold redraws nothing else."""

    @st.fragment
    def body() -> None:
        with st.container(border=True, key="score.panel"):
            _head(stored)
            for finding in findings(stored, found, dataset):
                finding_line(finding)
            column = _column(stored)
            facts = facts_of(stored, dataset, column)
            if not len(facts.ordered):
                st.warning("No row has this score.", icon=":material/block:")
                _missing(facts)
                return
            side, cut = _threshold(stored, facts, column)
            kept = facts.kept(cut, side)
            dropped = len(facts.ordered) - kept
            _figures(dataset, stored, column, cut, side, facts)
            stat_tiles(
                [
                    Tile("Kept", number(kept), note=percent(kept, facts.n)),
                    Tile("Dropped", number(dropped), note=percent(dropped, facts.n)),
                    Tile("Missing", number(facts.gaps), "Rows without this score are never kept", _reasons(facts)),
                    Tile("With length", _rho(facts), "Rank correlation, −1 to 1. Near 1 the score mostly "
                         "measures how long the answer is", _short(facts)),
                ]
            )  # fmt: skip
            _missing(facts)
            if is_cartography(stored.score):
                cartography_view(dataset, stored)
            agreed = consent(dataset, [stored], column=column, key=f"score.consent.{stored.key}.{column}")
            with st.container(horizontal=True, key="score.panel.actions"):
                if st.button(
                    f"Keep these {number(kept)} rows as a selection", icon=":material/bookmark_add:",
                    disabled=not kept or not agreed, key=f"score.keep.{stored.key}", type="primary",
                    help="Stores the cut: select within it on the Select page, or export it",
                ):  # fmt: skip
                    start_now(
                        workspace, *threshold_recipe(workspace, dataset, stored, column, cut, side),
                        title=f"{THRESHOLD}: {dataset.name}",
                    )  # fmt: skip
                if st.button(
                    "Cut the view here", icon=":material/filter_alt:", key=f"score.view.{stored.key}",
                    help="Shows only these rows on every page, until the condition is removed",
                ):  # fmt: skip
                    bounds = (cut, None) if side == "above" else (None, cut)
                    set_cuts(dataset, {(stored.key, column): bounds}, f"cut on {stored.name}")
                    st.rerun()

    body()


def threshold_recipe(
    workspace: Workspace, dataset: Dataset, stored: Stored, column: str | None, cut: float, side: Side
) -> tuple:  # type: ignore[type-arg]
    """The recipe that keeps what the panel shows as kept, and its bindings."""
    parts = Parts(workspace, dataset.fingerprint)
    bound = {"above": cut, "inclusive": "above"} if side == "above" else {"below": cut, "inclusive": "below"}
    step = {"use": "selector/threshold", "score": parts.add(stored.key), **bound}
    if column is not None:
        step["column"] = column
    name = parts.add_steps({"kept": step})["kept"]
    return parts.recipe(f"${name}"), parts.bindings


def _head(stored: Stored) -> None:
    cls = stored.method
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {plain(stored.name)}", width="content")
        if cls is not None:
            st.badge(cls.method_class, color=CLASS_COLOURS[cls.method_class], help=CLASS_MEANINGS[cls.method_class])
        better = {True: "higher is better", False: "lower is better", None: "neither end is better by itself"}
        st.caption(better[stored.score.higher_is_better], width="content")
    if cls is not None:
        about = " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
        weakness = f" :orange[:material/warning:] {plain(cls.weakness)}" if cls.weakness else ""
        st.markdown(f":gray[{prose(about)}]{weakness}")
    weak_note(stored.score.info)


def choose_column(key: str, column: str | None) -> None:
    """Let the panel of a score show one of its columns; to be called before it is drawn."""
    st.session_state[f"score.column.{key}"] = SELF if column is None else column


def _column(stored: Stored) -> str | None:
    columns = number_columns(stored.score)
    if not columns:
        return None
    chosen = st.selectbox(
        "What to look at", [SELF, *columns], key=f"score.column.{stored.key}", width=320,
        format_func=lambda c: c.replace("_", " "), help="Numbers that the method made on the way",
    )  # fmt: skip
    return None if chosen == SELF else chosen


def _threshold(stored: Stored, facts: Facts, column: str | None) -> tuple[Side, float]:
    """The side that is kept and the cut, as a slider over the rows and as a number."""
    places = stops(facts)
    key = f"score.cut.{stored.key}.{column}"
    better = stored.score.higher_is_better
    top = st.container(horizontal=True, vertical_alignment="bottom", key=f"{key}.top")
    with top:
        side = st.segmented_control(
            "Keep", ["above", "below"], default="below" if better is False else "above", required=True,
            format_func=lambda s: "from here up" if s == "above" else "up to here", key=f"{key}.side",
        )  # fmt: skip
    start = places[0] if side == "above" else places[-1]
    slider, exact = f"{key}.slider.{side}", f"{key}.exact.{side}"
    if exact not in st.session_state:
        st.session_state[exact] = float(start)

    def nearest() -> float:
        return min(places, key=lambda p: abs(p - st.session_state[exact]))

    def to_exact() -> None:
        if st.session_state[slider] != nearest():  # else the number says the same more exactly
            st.session_state[exact] = float(st.session_state[slider])

    def to_slider() -> None:
        st.session_state[slider] = nearest()

    if st.session_state.get(slider) not in places:
        to_slider()

    with top:
        cut = st.number_input("Exactly", key=exact, on_change=to_slider, format="%.6g", step=None, width=190)
    if len(places) > 1:
        st.select_slider(
            "Threshold", places, key=slider, on_change=to_exact, format_func=lambda v: f"{v:,.4g}",
            help="Even steps in rows, so that a long tail does not take the whole slider",
        )  # fmt: skip
    else:
        st.caption("All rows have the same value.")
    return cast(Side, side), float(cut)


def _figures(dataset: Dataset, stored: Stored, column: str | None, cut: float, side: Side, facts: Facts) -> None:
    from curation.figures.distribution import distribution_figure

    name = column.replace("_", " ") if column else stored.name
    left, right = st.columns([3, 2])
    with left:
        values = np.append(facts.ordered, np.full(facts.gaps, np.nan))
        chart(
            distribution_figure(values, name=name, cut=cut, keep=side, height=280, mode=mode()),
            key=f"score.distribution.{stored.key}.{column}", alt=f"Distribution of {name}",
        )  # fmt: skip
    with right:
        chart(
            _length_figure(dataset.fingerprint, stored.key, column, mode(), name, stored, dataset),
            key=f"score.length.{stored.key}.{column}", alt=f"{name} against response length",
        )  # fmt: skip


@st.cache_resource(max_entries=32, show_spinner=False)
def _length_figure(
    fingerprint: str, key: str, column: str | None, theme: Mode, name: str, _stored: Stored, _dataset: Dataset
) -> go.Figure:
    """Drawn once: it sorts all rows, and no threshold changes it."""
    from curation.figures.correlation import correlation_figure

    lengths = _dataset.lengths("response").astype(float)
    values = column_values(_stored.score, column)
    return correlation_figure(
        lengths, values, length_name=RESPONSE_LENGTH, score_name=name, height=280, mode=theme
    )  # fmt: skip


def _rho(facts: Facts) -> str:
    return "–" if facts.rho != facts.rho else f"ρ = {facts.rho:.2f}"


def _short(facts: Facts) -> str:
    """The warning in as few letters as a tile shows on a narrow screen."""
    if not facts.warning():
        return "no warning"
    return "one value" if facts.most > COLLAPSED else "follows length"


def _reasons(facts: Facts) -> str:
    if not facts.missing:
        return "none"
    return "reason below" if len(facts.missing) == 1 else f"{len(facts.missing)} reasons below"


def _missing(facts: Facts) -> None:
    if facts.missing:
        listed = "; ".join(f"{number(count)} rows: {plain(why)}" for why, count in facts.missing.items())
        st.caption(f":material/help: Missing: {listed}.")
