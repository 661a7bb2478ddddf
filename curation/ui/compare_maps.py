"""A map per selection, all with one zoom: where each picks, and where random does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from curation.comparison import Arm, Comparison
from curation.core.dataset import Dataset
from curation.figures import palette
from curation.figures.arms import arm_look, letter, random_look
from curation.ui import compare_data as data
from curation.ui import pool
from curation.ui.compare_data import Compared
from curation.ui.components import mode, next_step
from curation.ui.point_map import Categories, Hovered, feed_codes, feed_mask, feed_points, hover_text, point_map
from curation.ui.point_map.events import INBOX, SEEN, events_of
from curation.ui.rows import row_card
from curation.ui.text import number, plain
from curation.workspace import Workspace

HEIGHT = 300
ACROSS = {1: 1, 2: 2, 4: 2}
"""Maps beside each other by their number; three for any other."""
GROUP = "compare"
OPEN = "compare.row"
COLOURS = {"arm": "selection", "votes": "how many take it", "clusters": "cluster"}


def maps_panel(workspace: Workspace, dataset: Dataset, what: Compared) -> None:
    """Small multiples of the map; the points travel once."""
    layout = pool.best_layout(dataset.fingerprint)
    if layout is None:
        st.info("There is no map yet: draw it on the Map page, and the picks appear here.", icon=":material/map:")
        next_step("Draw the map", "pages/map.py", primary=False)
        return
    found = data.comparison(what)
    points = feed_points(f"{layout.key}.xy", np.asarray(pool.layout_of(layout).xy))
    clusters = pool.clusters_of(dataset.fingerprint, layout)
    colours = [name for name in COLOURS if name != "clusters" or clusters is not None]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown("##### Where they pick", width="stretch")
        by = st.segmented_control(
            "Colour by", colours, default="arm", required=True, key="compare.colour", format_func=COLOURS.__getitem__,
            label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
    shown = [*found.arms, *found.random[:1]]
    lit = [feed_mask(f"picks.{data.digest_of(what, arm.name)}", _mask(found, arm)) for arm in shown]
    column, names, tints = _column(dataset, what, found, by, clusters)

    @st.fragment
    def body() -> None:
        opened = _opened_row(len(shown), found.n)
        across = ACROSS.get(len(shown), 3)
        for line in range(0, len(shown), across):
            places = st.columns(across, gap="small")
            for at, place in enumerate(places, line):
                if at < len(shown):
                    with place:
                        _one(found, shown[at], at, points, lit[at], column, names, tints, opened)
        if opened is not None:
            _opened(dataset, found, opened)

    body()
    for at in range(len(shown)):
        hover_text(lambda row: _hovered(dataset, found, row), key=f"compare.map.{at}", n=found.n)


def _opened_row(maps: int, n: int) -> int | None:
    """The row whose point was clicked last; clicks are looked at before the maps are drawn, so that all mark it."""
    for at in range(maps):
        key = f"compare.map.{at}"
        events = events_of(
            st.session_state.get(key + INBOX) or [], int(st.session_state.get(key + SEEN, 0)), n, (), None
        )
        if events.clicked is not None:
            st.session_state[OPEN] = events.clicked.row
    row = st.session_state.get(OPEN)
    return row if isinstance(row, int) and 0 <= row < n else None


def _mask(found: Comparison, arm: Arm) -> np.ndarray:
    mask = np.zeros(found.n, bool)
    mask[arm.order] = True
    return mask


def _column(
    dataset: Dataset, what: Compared, found: Comparison, by: str, clusters: pool.Stored | None
) -> tuple[str, Sequence[str], Sequence[str]]:
    """Codes, their names and colours; no names and colours where every arm has its own."""
    if by == "votes":
        votes = data.votes_of(what)
        steps = palette.colours(mode()).sequential
        most = len(found.arms)
        tints = [steps[round(i * (len(steps) - 1) / max(most - 1, 1))] for i in range(most)]
        names = [f"taken by {i + 1}" for i in range(most)]
        return feed_codes(f"votes.{what.slug}", votes.astype(np.int32) - 1), names, tints
    if by == "clusters" and clusters is not None:
        labels = clusters.labels
        return feed_codes(f"{clusters.key}.codes", np.asarray(labels.codes)), labels.names, palette.CATEGORICAL
    return feed_codes(f"one.{found.n}", np.zeros(found.n, np.int32)), (), ()


def _one(
    found: Comparison,
    arm: Arm,
    at: int,
    points: str,
    lit: str,
    column: str,
    names: Sequence[str],
    tints: Sequence[str],
    opened: int | None,
) -> None:
    theme = palette.colours(mode())
    known = at < len(found.arms)
    look = arm_look(at, arm.name, mode()) if known else random_look(len(found.random), mode())
    title = f"**{letter(at)} · {plain(arm.name)}**" if known else f"**Random**, one of {len(found.random)} draws"
    st.markdown(f"{title} · {number(len(arm))} rows")
    point_map(
        key=f"compare.map.{at}", points=points, n=found.n, mode=mode(), height=HEIGHT, lit=lit, group=GROUP,
        tools=False, colour=Categories(column, names or (arm.name,), tints or (look.colour,), theme.noise, "none"),
        open_row=opened, alt=f"Map of the rows that {arm.name} takes",
    )  # fmt: skip


def taken_by(found: Comparison, row: int) -> dict[str, str]:
    """Arm → the place of a row in its picks, or that it is not taken."""
    facts = {}
    for at, arm in enumerate(found.arms):
        place = np.flatnonzero(arm.order == row)
        text = f"pick {place[0] + 1:,} of {len(arm):,}" if len(place) else "not taken"
        facts[f"{letter(at)} · {arm.name}"] = text
    return facts


def _opened(dataset: Dataset, found: Comparison, row: int) -> None:
    with st.container(key="compare.opened"):
        st.button(
            "Close", icon=":material/close:", key="compare.close", type="tertiary",
            on_click=lambda: st.session_state.pop(OPEN, None),
        )  # fmt: skip
        row_card(dataset, row, facts=taken_by(found, row), key="compare.map.row")


def _hovered(dataset: Dataset, found: Comparison, row: int) -> Hovered | None:
    if not 0 <= row < len(dataset):
        return None
    takers = [letter(at) for at, arm in enumerate(found.arms) if (arm.order == row).any()]
    facts = {"taken by": ", ".join(takers) or "none"}
    return Hovered(dataset.take(np.array([row])).texts("prompt")[0], facts)
