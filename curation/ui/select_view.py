"""A selection in full: its budget as a live slider over the stored order, the map, coverage, and why any row is in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from curation.complete.stored import Parts
from curation.core.artifacts import Coverage, Labels, Selection
from curation.core.dataset import Dataset
from curation.ui import pool
from curation.ui.components import Tile, chart, errors_shown, mode, stat_tiles
from curation.ui.map_layers import hovered
from curation.ui.method_facts import method_facts, serves
from curation.ui.point_map import hover_text
from curation.ui.pool import Stored
from curation.ui.quota_ask import quota_note
from curation.ui.rows import row_card, row_table
from curation.ui.run_panel import start_now
from curation.ui.select_ask import SELECTION
from curation.ui.select_budget import Budgets, budget_slider
from curation.ui.select_map import PICK, SelectionMap, pick_order
from curation.ui.select_why import at_budget, readable, why_row
from curation.ui.text import number, percent, plain
from curation.ui.training import Rate, hours_text, money_text, rate_inputs, row_tokens
from curation.workspace import Workspace


@dataclass(frozen=True)
class Shown:
    """What the page shows of a selection now.

    Args:
        stored: The stored result.
        order: Its longest known order.
        now: At the budget of the slider.
    """

    stored: Stored
    order: Selection
    now: Selection

    @property
    def moved(self) -> bool:
        """True when the slider stands elsewhere than the stored selection."""
        return len(self.now) != len(self.stored.selection)


def selection_panel(workspace: Workspace, dataset: Dataset, stored: Stored) -> None:
    """Everything about one selection; a fragment, so that the slider redraws nothing else."""
    order = pool.full_order(stored)
    selection_map = SelectionMap.of(dataset, stored, order)

    @st.fragment
    def body() -> None:
        if selection_map is not None:
            selection_map.take_budget()
        budget = _budget(workspace, dataset, stored, order)
        shown = Shown(stored, order, at_budget(stored.selection, order, budget))
        tiles = st.container()
        rate = _rate()
        with tiles:
            _tiles(dataset, shown, rate)
        if stored.selection.short_by:
            st.info(
                f"{number(stored.selection.short_by)} rows fewer than asked: {plain(stored.selection.short_reason)}.",
                icon=":material/info:",
            )
        if not shown.moved:  # it counts the stored picks
            quota_note(stored.selection.info)
        method_facts(stored.selection, stored.key)
        report = pool.coverage_of(dataset.fingerprint, stored.key)
        _out_of_date(workspace, dataset, shown, report)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            if selection_map is None:
                st.info(
                    "There is no map yet: draw it on the Map page, and the picks appear here.", icon=":material/map:"
                )
            else:
                selection_map.draw(shown.now)
        with right:
            _curve(workspace, dataset, shown, report)
        _more(dataset, shown)

    body()
    if selection_map is not None:
        hover_text(lambda row: hovered(dataset, row), n=len(dataset), key=selection_map.key)


# ------------------------------------------------------------------ budget


def _budget(workspace: Workspace, dataset: Dataset, stored: Stored, order: Selection) -> int:
    """The budget in rows, live over the stored order; fixed where the order is not nested."""
    if not order.nested or len(order) < 2:
        st.caption(
            ":material/lock: These picks depend on how many are asked for, so there is no slider: for another budget, "
            "make another selection."
        )
        return len(stored.selection)
    budgets = Budgets.of(np.asarray(order.order), row_tokens(dataset)[0])
    return budget_slider(
        budgets, len(stored.selection), key=f"select.budget.{stored.key}",
        beside=lambda: _larger(workspace, dataset, stored, len(order)),
    )  # fmt: skip


def _larger(workspace: Workspace, dataset: Dataset, stored: Stored, most: int) -> None:
    """Extend the stored order: only the further picks are computed."""
    if most >= len(dataset):
        return
    with st.popover("More", icon=":material/add:", help="Extend the order beyond what is stored"):
        wanted = st.number_input(
            "Rows", most + 1, len(dataset), min(2 * most, len(dataset)), key=f"select.larger.{stored.key}"
        )
        if st.button("Extend", type="primary", key="select.extend"):
            measured = pool.coverage_of(dataset.fingerprint, stored.key) is not None
            with errors_shown(stop=True):
                recipe, bindings = stored_at(workspace, dataset, stored, int(wanted), measured)
            start_now(workspace, recipe, bindings, title=f"{SELECTION}: {dataset.name}, {int(wanted):,} rows")


def _rate() -> Rate:
    with st.expander("Your training rate: hours and cost are worked out from it", icon=":material/payments:"):
        return rate_inputs()


def _tiles(dataset: Dataset, shown: Shown, rate: Rate) -> None:
    tokens, guessed = row_tokens(dataset)
    all_tokens, here = float(tokens.sum()), float(tokens[shown.now.order].sum())
    about = "≈ " if guessed else ""
    note = "guessed: 4 characters a token. Compute Length on the Scores page to count" if guessed else "counted"
    stat_tiles(
        [
            Tile("Selected rows", number(len(shown.now)), note=f"{percent(len(shown.now), len(dataset))} of all"),
            Tile("Tokens", about + number(round(here)), note, f"{percent(here, all_tokens)} of all"),
            Tile(
                "Training time", about + hours_text(rate.hours(here)), "At your own rate, see below",
                f"saves {hours_text(rate.hours(all_tokens - here))}",
            ),
            Tile(
                "Cost", about + money_text(rate.cost(here)), "At your own price per GPU hour",
                f"saves {money_text(rate.cost(all_tokens - here))}",
            ),
        ]
    )  # fmt: skip


def _out_of_date(workspace: Workspace, dataset: Dataset, shown: Shown, report: Coverage | None) -> None:
    """The stored selection, and what was made from it, are for another budget."""
    if not shown.moved:
        return
    stored = len(shown.stored.selection)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="select.moved"):
        late = "coverage and exports are" if report is not None else "exports are"
        st.markdown(
            f":orange[:material/history:] You look at **{number(len(shown.now))}** rows; the stored selection has "
            f"**{number(stored)}**, and {late} out of date until this one is stored."
        )
        if st.button(
            f"Store {number(len(shown.now))} rows", type="primary", icon=":material/save:", key="select.store",
            shortcut="Ctrl+S",
        ):  # fmt: skip
            with errors_shown(stop=True):
                recipe, bindings = stored_at(workspace, dataset, shown.stored, len(shown.now), report is not None)
            start_now(workspace, recipe, bindings, title=f"{SELECTION}: {dataset.name}, {len(shown.now):,} rows")


def stored_at(workspace: Workspace, dataset: Dataset, stored: Stored, budget: int, coverage: bool) -> tuple:  # type: ignore[type-arg]
    """The recipe of a stored selection at another budget, and its bindings."""
    from curation.complete import with_coverage
    from curation.complete.stored import tidy
    from curation.recipe import Recipe, plan

    parts = Parts(workspace, dataset.fingerprint)
    name = parts.add(stored.key).removeprefix("$")
    parts.steps[name]["budget"] = budget
    about = Recipe.read(str(stored.info.manifest["recipe"])).about
    recipe = parts.recipe(f"${name}", about)
    if coverage:
        recipe = with_coverage(recipe)
        recipe = tidy(recipe, plan(recipe, workspace, parts.bindings))
    return recipe, parts.bindings


# ------------------------------------------------------------------ map and coverage


def _curve(workspace: Workspace, dataset: Dataset, shown: Shown, report: Coverage | None) -> None:
    from curation.coverage import MEASURES
    from curation.figures.coverage import coverage_figure

    if report is None:
        st.info("Coverage has not been measured for this selection.", icon=":material/radar:")
        if st.button("Measure coverage", icon=":material/radar:", key="select.cover", type="primary"):
            with errors_shown(stop=True):
                recipe, bindings = stored_at(
                    workspace, dataset, shown.stored, len(shown.stored.selection), coverage=True
                )
            start_now(workspace, recipe, bindings, title=f"{SELECTION}: {dataset.name}, coverage")
        return
    names = [n for n in MEASURES if n in report.curves]
    name = st.selectbox(
        "Coverage over the budget", names, names.index(_aim(shown.stored, names)),
        key=f"select.measure.{shown.stored.key}", format_func=lambda n: n[:1].upper() + n[1:],
    )  # fmt: skip
    measure = MEASURES[name]
    chart(
        coverage_figure(
            report.budgets, report.curves[name], random=report.random.get(name), name=name, percent=measure.percent,
            lower_is_better=measure.lower_is_better, budget=len(shown.now), height=360, mode=mode(),
        ),
        key=f"select.curve.{shown.stored.key}.{name}", alt=f"{name} over the budget",
    )  # fmt: skip
    st.caption(f"{measure.description} {beside_random(report, name, len(shown.now))}")


def _aim(stored: Stored, names: list[str]) -> str:
    """The measure to show first: what the method aims at. k-center keeps the largest gap small, not the mean one."""
    from curation.coverage import RADIUS, WITHIN

    wanted = RADIUS if stored.info.use == "selector/k-center" else WITHIN
    return wanted if wanted in names else names[0]


def beside_random(report: Coverage, name: str, budget: int) -> str:
    """One sentence: the measure at a budget, read off the curve, beside the mean of the random draws."""
    from curation.coverage import MEASURES

    def read(curve: np.ndarray) -> float:
        usable = np.isfinite(curve)
        return float(np.interp(budget, report.budgets[usable], curve[usable])) if usable.any() else float("nan")

    def say(value: float) -> str:
        return percent(value, 1) if MEASURES[name].percent else number(value)

    if budget > int(report.budgets[-1]):
        return f"Measured up to {number(int(report.budgets[-1]))} rows."
    random = report.random.get(name)
    here = say(read(report.curves[name]))
    return f"At {number(budget)} rows: {here}" + (
        f", random {say(read(random.mean(0)))}." if random is not None else "."
    )


# ------------------------------------------------------------------ picks, groups, why


def _more(dataset: Dataset, shown: Shown) -> None:
    views = {
        "why": ":material/help: Why is a row in or out",
        "picks": ":material/format_list_numbered: Picks in order",
        "shares": ":material/stacked_bar_chart: What it takes from each group",
        "recipe": ":material/receipt_long: Recipe",
    }
    view = st.segmented_control(
        "More", list(views), default="why", required=True, format_func=views.__getitem__, key="select.more",
        label_visibility="collapsed", wrap=True,
    )  # fmt: skip
    if view == "why":
        _why(dataset, shown)
    elif view == "picks":
        _picks(dataset, shown)
    elif view == "shares":
        _shares(dataset, shown)
    else:
        st.code(str(shown.stored.info.manifest.get("recipe", "")), language="yaml")


def _why(dataset: Dataset, shown: Shown) -> None:
    key = "select.row"
    if not 0 <= st.session_state.get(key, 0) < len(dataset):
        st.session_state[key] = 0

    def any_row(inside: bool) -> None:
        rows = np.flatnonzero(shown.now.mask == inside)
        if len(rows):
            st.session_state[key] = int(np.random.default_rng().choice(rows))

    with st.container(horizontal=True, vertical_alignment="bottom"):
        row = int(st.number_input("Row", 0, len(dataset) - 1, key=key, width=180))
        st.button("One that is in", on_click=any_row, args=(True,), key="select.any.in", icon=":material/casino:")
        st.button("One that is out", on_click=any_row, args=(False,), key="select.any.out", icon=":material/casino:")
    why = why_row(shown.stored, shown.now, dataset, row)
    left, right = st.columns(2, gap="medium")
    with left:
        served = serves(shown.now, row)
        row_card(dataset, row, why=readable(why.sentence) + (f"; {served}" if served else ""), key="select.why")
    if why.stands_for is not None:
        with right:
            st.caption(f"The picked row that is nearest to it, at distance {why.distance:.3f}:")
            row_card(dataset, why.stands_for, why=shown.now.why(why.stands_for), key="select.covers")
    else:
        with right:
            _reasons(shown.now)


def _reasons(selection: Selection) -> None:
    """How many rows are out for each reason."""
    counts = np.bincount(np.asarray(selection.stage), minlength=len(selection.stages) + 1)[1:]
    lines = [
        {"why rows are out": readable(r), "rows": int(c)} for r, c in zip(selection.stages, counts, strict=False) if c
    ]
    if lines:
        st.dataframe(
            lines, hide_index=True, alt="Why rows are out",
            column_config={"rows": st.column_config.NumberColumn(format="localized", width=70)},
        )  # fmt: skip


def _picks(dataset: Dataset, shown: Shown) -> None:
    from curation.figures.order import order_figure

    gains = np.asarray(shown.order.gains)
    if len(gains) and np.isfinite(gains).any():
        chart(
            order_figure(gains, rows=np.asarray(shown.order.order), budget=len(shown.now), height=220, mode=mode()),
            key=f"select.order.{shown.stored.key}", alt="Gain of each pick",
        )  # fmt: skip
    places = pick_order(dataset, shown.now).values
    clicked = row_table(dataset, shown.now.order, key=f"select.picks.{shown.stored.key}", columns={PICK: places})
    if clicked is not None:
        row_card(dataset, clicked, why=shown.now.why(clicked), key="select.pick")


def _shares(dataset: Dataset, shown: Shown) -> None:
    from curation.figures.shares import shares_figure

    found: dict[str, Labels] = {s.name: s.labels for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)}
    source = pool.source_labels(dataset)
    if source is not None:
        found["source"] = source
    if not found:
        st.info("There are no groups yet: draw the map for clusters, or compute labels.", icon=":material/label:")
        return
    name = st.selectbox("Groups", list(found), key="select.groups")
    labels = found[name]
    codes = np.asarray(labels.codes)

    def count(part: np.ndarray) -> np.ndarray:
        return np.bincount(part[part >= 0], minlength=len(labels.names))

    chart(
        shares_figure(labels.names, count(codes), count(codes[shown.now.order]), mode=mode()),
        key="select.shares", alt="Share of each group before and after",
    )  # fmt: skip
