"""Every score in every cluster, source or language: medians, shares of the view, and the way into a group."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.linalg.group_medians import group_medians
from curation.ui import pool
from curation.ui.components import chart, errors_shown, mode
from curation.ui.pool import Stored, is_duplicates
from curation.ui.rows import paged
from curation.ui.score_cuts import kept_mask, set_groups
from curation.ui.score_facts import Numbers, facts, numbers_of
from curation.ui.text import number
from curation.views import SOURCE, View

PER_PAGE = 25
SHOWN = 8
"""Scores that are shown at first; more can be added."""
ROWS, NAME, KEPT = "rows", "name", "share in view"


@dataclass(frozen=True)
class Groups:
    """Labels of the rows to compare scores over.

    Args:
        key: Of the stored labels, or SOURCE.
        name: For people.
        labels: The artifact.
    """

    key: str
    name: str
    labels: Labels


def groups_of(dataset: Dataset) -> list[Groups]:
    """Clusters, languages and the like, and the source where there are several; no groups of copies."""
    found = [Groups(s.key, s.name, s.labels) for s in pool.labels(dataset.fingerprint) if not is_duplicates(s)]
    source = pool.source_labels(dataset)
    return found + ([Groups(SOURCE, "source file", source)] if source is not None else [])


@dataclass(frozen=True)
class Table:
    """Scores by group.

    Args:
        rows: int64 `[g]`, rows of each group.
        kept: int64 `[g]`, those that are in view.
        medians: float64 `[g, k]`, NaN = no value.
        counts: int64 `[g, k]`, rows with a value.
        place: float64 `[g, k]`, share of all rows below the median (half of those equal to it), 0 to 1.
    """

    rows: np.ndarray
    kept: np.ndarray
    medians: np.ndarray
    counts: np.ndarray
    place: np.ndarray

    @property
    def share(self) -> np.ndarray:
        """Share of each group in view, NaN for an empty one."""
        return np.where(self.rows > 0, self.kept / np.maximum(self.rows, 1), np.nan)


def table_of(groups: Groups, numbers: Sequence[Numbers], dataset: Dataset, mask: np.ndarray | None) -> Table:
    """Medians are computed once for each score and labels; the share in view anew for each view: O(n)."""
    codes, g = np.asarray(groups.labels.codes), len(groups.labels.names)
    rows = np.bincount(codes[codes >= 0], minlength=g)
    kept = rows if mask is None else np.bincount(codes[(codes >= 0) & mask], minlength=g)
    medians, counts, place = (np.full((g, len(numbers)), np.nan) for _ in range(3))
    for j, each in enumerate(numbers):
        medians[:, j], counts[:, j] = _medians(dataset.fingerprint, groups.key, each.place, each, groups, dataset)
        place[:, j] = standing(medians[:, j], facts(each, dataset).ordered)
    return Table(rows, kept, medians, counts.astype(np.int64), place)


@st.cache_resource(max_entries=256, show_spinner=False)
def _medians(
    fingerprint: str, key: str, place: tuple[str, str | None], _numbers: Numbers, _groups: Groups, _dataset: Dataset
) -> tuple[np.ndarray, np.ndarray]:
    return group_medians(_numbers.values(_dataset), _groups.labels.codes, len(_groups.labels.names))


def standing(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Share of all rows below a value, half of those equal to it; NaN for NaN. O(g log m)."""
    if not len(ordered):
        return np.full(len(values), np.nan)
    below, upto = (np.searchsorted(ordered, values, side=s) for s in ("left", "right"))
    return np.where(np.isnan(values), np.nan, (below + upto) / 2 / len(ordered))


def order_of(table: Table, names: Sequence[str], by: str, titles: Sequence[str], *, down: bool) -> np.ndarray:
    """Groups as they are shown, int64; those without a value last, equal ones in their own order."""
    if by == NAME:
        order = np.array(sorted(range(len(names)), key=lambda i: names[i].lower()), np.int64)
        return order[::-1] if down else order
    if by in (ROWS, KEPT):
        values = table.rows.astype(np.float64) if by == ROWS else table.share
    else:
        values = table.medians[:, list(titles).index(by)]
    keys = -values if down else values
    return np.argsort(np.where(np.isnan(keys), np.inf, keys), kind="stable")


def groups_panel(dataset: Dataset, found: Sequence[Stored], view: View) -> None:
    """The whole panel; shares are those of the view."""
    every = {g.key: g for g in groups_of(dataset)}
    if not every:
        st.info(
            "Rows have no groups yet: compute clusters on the Map page, or a language above.", icon=":material/label:"
        )
        return
    numbers = {n.name: n for n in numbers_of(found)}
    with st.container(horizontal=True, vertical_alignment="bottom", key="scores.groups.choice"):
        key = st.selectbox(
            "Groups", list(every), format_func=lambda k: every[k].name, key=f"scores.groups.labels.{len(every)}"
        )  # fmt: skip
        by = st.selectbox("Sort by", [ROWS, NAME, KEPT, *numbers], key="scores.groups.by")
        down = st.segmented_control(
            "Order", [True, False], default=True, required=True, key="scores.groups.down",
            format_func=lambda d: "high first" if d else "low first",
        )  # fmt: skip
    titles = st.multiselect(
        "Scores", list(numbers), default=_first(list(numbers)), key=f"scores.groups.scores.{len(numbers)}"
    )
    titles = titles if by in (ROWS, NAME, KEPT) or by in titles else [by, *titles]
    groups = every[key]
    mask = None
    with errors_shown():
        mask = kept_mask(dataset, view)
    with st.spinner("Grouping …"):
        table = table_of(groups, [numbers[t] for t in titles], dataset, mask)
    order = order_of(table, groups.labels.names, by, titles, down=bool(down))
    order = order[table.rows[order] > 0]
    _show(dataset, groups, table, order, titles, mask)


def _first(names: list[str]) -> list[str]:
    """The first scores and the length of the response."""
    return [*names[: min(SHOWN, len(names) - 2)], names[-1]]


def _show(
    dataset: Dataset, groups: Groups, table: Table, order: np.ndarray, titles: Sequence[str], mask: np.ndarray | None
) -> None:
    from curation.figures.group_scores import group_scores_figure

    picture, place = st.container(), st.container()
    part = paged(len(order), key=f"scores.groups.page.{groups.key}", per_page=PER_PAGE)
    shown = order[part]
    names = [groups.labels.names[i] for i in shown]
    with picture:
        if titles:
            chart(
                group_scores_figure(
                    names, titles, table.place[shown], table.medians[shown], table.counts[shown], mode=mode()
                ),
                key="scores.groups.figure", alt="Median of each score in each group",
            )  # fmt: skip
            st.caption("Numbers are medians; the colour says what share of all rows lies below a group's median.")
    data: dict[str, Any] = {"group": names, "rows": table.rows[shown]}
    if mask is not None:
        data |= {"in view": table.kept[shown], KEPT: table.share[shown]}
    data |= {f"median of {t}": table.medians[shown, j] for j, t in enumerate(titles)}
    state = f"scores.groups.table.{groups.key}.{part.start}.{_digest(shown)}"
    with place:
        st.dataframe(
            data, hide_index=True, key=state, on_select="rerun", selection_mode="multi-row",
            column_config=_config(data), alt="Scores by group",
        )  # fmt: skip
    rows = st.session_state[state]["selection"]["rows"] if state in st.session_state else []
    chosen = tuple(names[i] for i in rows if i < len(names))
    _actions(dataset, groups, chosen)
    without = len(dataset) - int(table.rows.sum())
    if without:
        st.caption(f"{number(without)} rows are in no group.")


def _config(data: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "group": st.column_config.TextColumn("group", width="medium"),
        "rows": st.column_config.NumberColumn("rows", format="localized"),
        "in view": st.column_config.NumberColumn("in view", format="localized"),
        KEPT: st.column_config.ProgressColumn(KEPT, format="percent", min_value=0, max_value=1),
    }
    config |= {
        name: st.column_config.NumberColumn(name, format="%.4g") for name in data if name.startswith("median of ")
    }
    return {name: config[name] for name in data}


def _actions(dataset: Dataset, groups: Groups, chosen: tuple[str, ...]) -> None:
    which = "this group" if len(chosen) == 1 else "these groups"
    with st.container(horizontal=True, vertical_alignment="center", key="scores.groups.actions"):
        for keep, label, icon in (
            ("among", f"Only {which}", ":material/filter_alt:"),
            ("others", f"All but {which}", ":material/filter_alt_off:"),
        ):
            st.button(
                label, icon=icon, key=f"scores.groups.{keep}", disabled=not chosen,
                on_click=set_groups, args=(dataset, groups.key, chosen, keep, f"{label.lower()} of {groups.name}"),
                help="Tick groups in the table first; the view of all pages follows",
            )  # fmt: skip


def _digest(shown: np.ndarray) -> int:
    """Changes when other groups stand on the page, so that a tick never moves to another one."""
    return zlib.crc32(shown.tobytes())
