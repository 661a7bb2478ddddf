"""A stored influence: how it is spread, what a budget takes, the map, subtasks, what it favours, and keeping rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from curation.core.artifacts import Features, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui import pool, session
from curation.ui.components import Tile, chart, error_box, mode, next_step, stat_tiles
from curation.ui.influence_facts import picks_in_order, shares_of, subtask_lines
from curation.ui.influence_map import InfluenceMap
from curation.ui.influence_recipe import LESS, MATCH, keep_recipe
from curation.ui.influence_served import served_view
from curation.ui.judge_result import categories_of
from curation.ui.pool import Stored
from curation.ui.row_panel import row_panel
from curation.ui.run_panel import newest_job, start_now
from curation.ui.score_facts import LENGTH_BOUND, Facts, facts_of
from curation.ui.select_budget import Budgets, budget_slider
from curation.ui.text import number, percent, plain, when
from curation.ui.training import row_tokens
from curation.ui.weak import is_weak, weak_note
from curation.workspace import Workspace

KEPT = "Influence keeps"
"""Kind of the jobs that keep the best rows."""
CHOSEN = "influence.result"
SHARE = 0.05
"""Of the rows; the published budget."""
MOST_LINES = 500
LEANS = 0.5
"""Chosen responses shorter than this share of the others, or longer than its inverse, are pointed out."""


def influences(fingerprint: str) -> list[Stored]:
    """Stored influence of a dataset, newest first."""
    found = [s for s in pool.scores(fingerprint) if s.info.use in (LESS, MATCH)]
    return sorted(found, key=lambda s: -s.info.created)


def choose_result(found: list[Stored]) -> Stored:
    """Which result is looked at; the newest at first, and again when a new one has come."""
    names = {s.key: s for s in found}
    if st.session_state.get(f"{CHOSEN}.newest") != found[0].key or st.session_state.get(CHOSEN) not in names:
        st.session_state[CHOSEN] = st.session_state[f"{CHOSEN}.newest"] = found[0].key
    key = st.selectbox("Result", list(names), key=CHOSEN, format_func=lambda k: _title(names[k]))
    return names[key]


def _title(stored: Stored) -> str:
    info = stored.score.info
    tasks = len(info.get("subtasks", []))
    parts = f", {tasks} subtasks" if tasks > 1 else ""
    kind = "" if stored.info.use == LESS else " · without a store"
    return f"{info.get('targets', 0):,} target rows{parts} · {info.get('model')}{kind} · {when(stored.info.created)}"


# ------------------------------------------------------------------ the target rows of this very dataset


@dataclass(frozen=True)
class OwnTarget:
    """Target rows that are rows of the pool.

    Args:
        mask: bool `[n]`.
        step: Of the recipe, whose rows they are.
    """

    mask: np.ndarray
    step: str


def own_target(workspace: Workspace, stored: Stored) -> OwnTarget | None:
    """The target rows, where they belong to the scored dataset; None where they belong to another."""
    if stored.score.info.get("target_dataset") != stored.info.dataset:
        return None
    ports = stored.info.manifest.get("ports", {})
    key = ports.get("targets") or ports.get("target_features")  # without a store it is the selection itself
    if not isinstance(key, str) or not workspace.has(key):
        return None
    made = session.artifact(key)
    if isinstance(made, Selection):
        return OwnTarget(made.mask, str(workspace.manifest(key)["step"]))
    within = workspace.manifest(key).get("within")
    if not within or not isinstance(made, Features):
        return None
    return OwnTarget(~made.missing.mask, str(within[0]))


@st.cache_resource(max_entries=8, show_spinner=False)
def _order(place: str, rest: str, _score: Score, _without: np.ndarray | None) -> np.ndarray:
    found = picks_in_order(np.asarray(_score.values), _without)
    found.flags.writeable = False
    return found


# ------------------------------------------------------------------ the result


def result_view(workspace: Workspace, dataset: Dataset, stored: Stored) -> None:
    """Everything about one result. Arrays go to the browser outside the fragment that the budget reruns."""
    info = stored.score.info
    if is_weak(info):
        st.warning(
            "**A scratch model found these rows.** They show how the page works; which rows help a real model is "
            "another question: compute influence with the model that you will train, or a smaller one of its family.",
            icon=":material/science:",
        )
    weak_note(info)
    own = own_target(workspace, stored)
    without = None
    if own is not None:
        leave = st.toggle(
            f"Leave the {number(int(own.mask.sum()))} target rows themselves out", True,
            key=f"influence.without.{stored.key}",
            help="They are rows of this dataset, and nothing is as much like them as they themselves",
        )  # fmt: skip
        without = own if leave else None
    rest = "others" if without is not None else "all"
    order = _order(f"{workspace.root}/{stored.key}", rest, stored.score, without.mask if without is not None else None)
    if not len(order):
        st.warning("No row has an influence.", icon=":material/block:")
        _missing(stored.score)
        return
    drawn = InfluenceMap.of(dataset, stored, order, rest)
    facts = facts_of(stored, dataset, None)

    @st.fragment
    def body() -> None:
        _body(workspace, dataset, stored, order, facts, drawn, without)

    body()
    if drawn is not None:
        drawn.hover()


def _body(
    workspace: Workspace,
    dataset: Dataset,
    stored: Stored,
    order: np.ndarray,
    facts: Facts,
    drawn: InfluenceMap | None,
    without: OwnTarget | None,
) -> None:
    key = f"influence.budget.{stored.key}"
    if drawn is not None:
        drawn.take_budget(f"{key}.rows")
    budgets = Budgets.of(order, row_tokens(dataset)[0])
    opened = f"influence.open.{dataset.fingerprint}"
    budget = budget_slider(
        budgets, max(1, round(SHARE * len(order))), key=key,
        beside=lambda: _keep_button(workspace, dataset, stored, int(st.session_state[f"{key}.exact"]), without),
    )  # fmt: skip
    chosen = order[:budget]
    _kept_note(workspace, dataset)
    _tiles(dataset, stored, order, budget, facts)
    left, right = st.columns([3, 2] if drawn is not None else [1, 1], gap="medium")
    if drawn is not None:
        with left, st.container(key="influence.map.box"):
            clicked = drawn.draw(budget, st.session_state.get(opened))
            if clicked is not None:
                st.session_state[opened] = clicked
    with right if drawn is not None else left:
        st.markdown("##### How it is spread")
        _distribution(stored, facts, order, budget)
    if drawn is None:
        with right:
            st.caption(":material/bubble_chart: Draw the map, and it shows here where the chosen rows are.")
            next_step("Open the map", "pages/map.py", primary=False)
    _subtasks(stored, chosen)
    row = served_view(workspace, dataset, stored, chosen)
    if row is not None and row != st.session_state.get(f"{opened}.clicked"):  # the cell stays marked after the click
        st.session_state[opened] = row
    st.session_state[f"{opened}.clicked"] = row
    if st.session_state.get(opened) is not None:
        _one(workspace, dataset, int(st.session_state[opened]), chosen, opened)
    favours_view(dataset, stored, order, budget)
    _missing(stored.score)


def _one(workspace: Workspace, dataset: Dataset, row: int, chosen: np.ndarray, opened: str) -> None:
    """One row in full, below the tables."""
    if not 0 <= row < len(dataset):
        return

    def close() -> None:
        st.session_state[opened] = None

    st.button("Close the row", icon=":material/close:", key="influence.close", on_click=close)
    row_panel(
        workspace, dataset, row, key="influence.row", rows=chosen, wide=True,
        on_open=lambda other: st.session_state.update({opened: other}),
    )  # fmt: skip


# ------------------------------------------------------------------ spread, numbers


def _distribution(stored: Stored, facts: Facts, order: np.ndarray, budget: int) -> None:
    from curation.figures.distribution import distribution_figure

    values = np.append(facts.ordered, np.full(facts.gaps, np.nan))
    at = float(np.asarray(stored.score.values)[order[budget - 1]])
    chart(
        distribution_figure(values, name="influence", cut=at, height=230, mode=mode()),
        key=f"influence.distribution.{stored.key}", alt="Influence of all rows, and of those that the budget takes",
    )  # fmt: skip


def _tiles(dataset: Dataset, stored: Stored, order: np.ndarray, budget: int, facts: Facts) -> None:
    values = np.asarray(stored.score.values)
    lengths = _lengths(dataset.fingerprint, dataset)
    mine, all_of_them = float(np.median(lengths[order[:budget]])), float(np.median(lengths[order]))
    rho = "–" if facts.rho != facts.rho else f"ρ = {facts.rho:.2f}"
    many = len(order)
    stat_tiles([
        Tile("Lowest taken", f"{values[order[budget - 1]]:.3f}", "Influence of the last row that the budget takes, in "
             "units of a cosine: 1 = the same direction, 0 = none in common", f"of {percent(budget, many)} of rows"),
        Tile("With length", rho, "Rank correlation of influence with the length of the response, −1 to 1",
             "follows length" if abs(facts.rho) >= LENGTH_BOUND else "no warning"),
        Tile("Response", f"{mine:,.0f}", "Median characters of the chosen rows' responses; below, of all rows, which "
             "is what a random choice has", f"random: {all_of_them:,.0f}"),
        Tile("Target rows", number(stored.score.info.get("targets", 0)), "Whose gradients rows are compared with",
             f"in {tasks} subtasks" if (tasks := len(stored.score.info.get("subtasks", []))) > 1 else "one task"),
    ])  # fmt: skip
    if not LEANS < (mine + 1) / (all_of_them + 1) < 1 / LEANS:
        leaning = "shorter" if mine < all_of_them else "longer"
        st.caption(
            f":material/straighten: The chosen rows' responses are much {leaning} than those of a random choice. "
            "Compare with rows at random of the same length before you trust it."
        )


@st.cache_resource(max_entries=4, show_spinner=False)
def _lengths(fingerprint: str, _dataset: Dataset) -> np.ndarray:
    return np.asarray(_dataset.lengths("response"))


def _subtasks(stored: Stored, chosen: np.ndarray) -> None:
    score = stored.score
    names = list(map(str, score.info.get("subtasks", [])))
    if len(names) < 2 or "subtask" not in score.columns:
        return
    st.markdown(
        "##### By subtask",
        help="Each row counts for the subtask that it serves best. A subtask with few chosen rows is one that the pool "
        "has little for, or one whose influence is lower as a whole",
    )
    lines = subtask_lines(np.asarray(score.columns["subtask"]), np.asarray(score.values), names, chosen)
    whole = st.column_config.NumberColumn(format="localized")
    part = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        lines[:MOST_LINES], hide_index=True, key=f"influence.subtasks.{stored.key}", alt="Chosen rows by subtask",
        height=min(320, 40 + 35 * len(lines)),
        column_config={"chosen": whole, "rows it suits best": whole, "mean influence": part, "their mean": part},
    )  # fmt: skip
    empty = [line["subtask"] for line in lines if not line["chosen"]]
    if empty:
        shown = ", ".join(f"“{n[:40]}”" for n in empty[:4]) + (f" and {len(empty) - 4} more" if len(empty) > 4 else "")
        st.caption(f":material/info: No chosen row serves {plain(shown)} best.")


# ------------------------------------------------------------------ what it favours


def favours_view(dataset: Dataset, stored: Stored, order: np.ndarray, budget: int) -> None:
    """Sources and other categories among the chosen rows, beside a random draw."""
    from curation.figures.shares import shares_figure

    every = {g.key: g for g in categories_of(dataset)}
    st.markdown(
        "##### What it favours",
        help="Shares of sources, clusters or fields among the chosen rows beside a random draw of as many",
    )
    if not every:
        st.caption(
            ":material/label: These rows have one source and no labels yet. Draw the map for clusters, and their "
            "shares show here."
        )
        return
    key = st.selectbox(
        "Categories", list(every), key=f"influence.categories.{dataset.fingerprint}", persist_state="session",
        width=320, format_func=lambda k: every[k].name,
    )  # fmt: skip
    labels = every[key].labels
    found = shares_of(np.asarray(labels.codes), labels.names, order, budget)
    chart(
        shares_figure(found.names, found.pool, found.chosen, before_name="random", after_name="chosen", mode=mode()),
        key=f"influence.shares.{stored.key}.{key}", alt="Shares of categories among chosen rows and at random",
    )  # fmt: skip
    more = [n for n, far in zip(found.names, found.far.tolist(), strict=True) if far > 0]
    if more:
        shown = ", ".join(f"“{n[:40]}”" for n in more[:4]) + (f" and {len(more) - 4} more" if len(more) > 4 else "")
        st.caption(f":material/trending_up: More than chance explains: {plain(shown)}.")


def _missing(score: Score) -> None:
    counts = score.missing.counts()
    if counts:
        listed = "; ".join(f"{number(count)} rows: {plain(why)}" for why, count in counts.items())
        st.caption(f":material/help: Without influence: {listed}.")


# ------------------------------------------------------------------ keeping


def _keep_button(
    workspace: Workspace, dataset: Dataset, stored: Stored, budget: int, without: OwnTarget | None
) -> None:
    if st.button(
        f"Keep these {number(budget)} rows", type="primary", icon=":material/bookmark_add:", key="influence.keep",
        help="As a selection: see it on the Select page, compare it, try it, or export it",
    ):  # fmt: skip
        try:
            recipe, bindings = keep_recipe(stored.info.manifest, budget, without.step if without else "")
        except CurationError as error:
            error_box(error)
        else:
            start_now(workspace, recipe, bindings, title=f"{KEPT}: {dataset.name}")


def _kept_note(workspace: Workspace, dataset: Dataset) -> None:
    """Where the kept rows are, once there are some."""
    status = newest_job(workspace, dataset, KEPT)
    if status is None or status.state != "done":
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="influence.kept"):
        st.markdown(":green[:material/check_circle:] The rows are kept as a selection.", width="content")
        next_step("Export them", "pages/export.py")
        next_step("See the selection", "pages/select.py", primary=False)
