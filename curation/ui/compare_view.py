"""What a comparison shows on one screen: the arms, overlap, coverage, distributions and shares."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.comparison import Arm, Comparison
from curation.comparison.curves import coverage_recipe
from curation.comparison.drawing import draw_coverage, draw_overlap, draw_patterns, draw_shares, draw_spread
from curation.comparison.page import cost_text, seconds_text
from curation.comparison.spread import LENGTH
from curation.complete import add_default
from curation.core.dataset import Dataset
from curation.figures.arms import arm_look, letter
from curation.recipe import Recipe
from curation.ui import compare_data as data
from curation.ui import pool
from curation.ui.compare_data import Compared
from curation.ui.compare_presets import PRESETS
from curation.ui.components import chart, class_badge, errors_shown, mode
from curation.ui.rows import paged
from curation.ui.run_panel import start_now
from curation.ui.select_ask import SELECTION
from curation.ui.text import number, percent, plain
from curation.workspace import Workspace

SWATCH = 18
"""Pixels of the square in an arm's colour."""
ACROSS = 3
ABREAST, SMALL_FIGURES = 2, 10
"""Distributions in a line, and on a page, of all scores."""
OPEN_UP_TO = 200_000
"""Rows up to which all distributions are drawn unasked: at a million each takes most of a second at first."""
LANGUAGE, CLUSTERS = "language", "clusters"
STILL_TO_MAKE = {LANGUAGE: "languages", CLUSTERS: "clusters"}
"""Groups that one click computes, and their step in `complete.DEFAULT_STEPS`."""
GROUPS, COVERAGE = "Groups", "Coverage"
JOBS = (PRESETS, COVERAGE, GROUPS, SELECTION)
"""Kinds of the jobs that this page starts and follows."""
MADE_BY = {LANGUAGE: ("labeller/language",), CLUSTERS: ("labeller/clusters", "labeller/kmeans")}


# ------------------------------------------------------------------ the arms


def arm_cards(found: Comparison) -> None:
    """One card per arm: class, rows, measured cost, known weakness; a line for random."""
    across = 2 if len(found.arms) == 4 else min(len(found.arms), ACROSS)
    for line in range(0, len(found.arms), across):
        for at, place in enumerate(st.columns(across, gap="small"), line):
            if at < len(found.arms):
                with place.container(border=True, gap="xsmall", key=f"compare.arm.{at}", height="stretch"):
                    _card(at, found.arms[at], found)
    seeds = ", ".join(str(arm.parameters.get("seed", "")) for arm in found.random)
    size = len(found.random[0]) if found.random else 0
    notes = " ".join(f"{plain(note[:1].upper() + note[1:])}." for note in found.notes)
    st.caption(
        f":material/casino: Random stands beside them: {len(found.random)} draws (seeds {seeds}) of {number(size)} of "
        f"{number(len(found.eligible))} rows; beside a smaller selection, the first so many of each. {notes}"
    )


def swatch(place: int) -> None:
    """A square in the colour of an arm."""
    colour = arm_look(place, "", mode()).colour
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    st.image(np.full((SWATCH, SWATCH, 3), rgb, np.uint8), width=SWATCH, output_format="PNG")


def _card(place: int, arm: Arm, found: Comparison) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        swatch(place)
        st.markdown(f"**{letter(place)} · {plain(arm.name)}**", width="content")
        class_badge(arm.method_class)
    shared = sorted({other for step in arm.cost.steps for other in step.shared_with})
    own = f", {seconds_text(arm.cost.own)} of it its own" if shared else ""
    st.markdown(
        f"**{number(len(arm))}** rows ({percent(len(arm), found.n)}) · :material/timer: {cost_text(arm)}{own}",
        help=_steps_help(arm),
    )
    if arm.title and arm.title.lower().replace(" ", "-") != arm.name:
        st.caption(plain(arm.title))
    if arm.note:
        st.caption(f":material/straighten: {plain(arm.note[:1].upper() + arm.note[1:])}.")
    if arm.weakness:
        st.markdown(f":orange[:material/warning:] :small[{plain(arm.weakness)}]")


def _steps_help(arm: Arm) -> str | None:
    """What each step took, for the question mark."""
    lines = [
        f"{plain(step.name)}: {seconds_text(step.seconds)}"
        + (f" (shared with {plain(', '.join(step.shared_with))})" if step.shared_with else "")
        for step in arm.cost.steps
    ]
    more = []
    if arm.cost.unknown:
        more.append(f"Unknown: {plain(', '.join(arm.cost.unknown))}")
    if arm.cost.partly:
        more.append(f"Partly stored from earlier: {plain(', '.join(arm.cost.partly))}")
    return "Measured time of the steps behind it:  \n" + "  \n".join([*lines, *more]) if lines else None


# ------------------------------------------------------------------ overlap


@st.fragment
def overlap_panel(what: Compared) -> None:
    """Rows in common, beside chance."""
    found = data.comparison(what)
    st.markdown("##### Rows in common")
    chart(
        draw_overlap(data.overlap_of(what), len(found.random), mode()), key=f"compare.overlap.{what.slug}",
        alt="Share of rows that each two selections have in common, and by chance",
    )  # fmt: skip
    st.caption(
        "Rows that both take, as a share of the rows that either takes. ▲ more than chance, ▼ less, ≈ no different."
    )


@st.fragment
def patterns_panel(what: Compared) -> None:
    """Who takes which rows."""
    st.markdown("##### Who takes which rows")
    chart(
        draw_patterns(data.patterns_of(what), mode()), key=f"compare.patterns.{what.slug}",
        alt="Rows by exactly which selections take them",
    )  # fmt: skip
    st.caption(f"{number(data.patterns_of(what).none)} rows are taken by none.")


# ------------------------------------------------------------------ coverage


@st.fragment
def coverage_panel(workspace: Workspace, dataset: Dataset, what: Compared) -> None:
    """Curves of all arms with random's band."""
    from curation.coverage import MEASURES, WITHIN

    st.markdown("##### Coverage over the budget")
    found, curves = data.comparison(what), data.coverage_of(what)
    if curves.measures:
        names = list(curves.measures)
        measure = st.selectbox(
            "Measure", names, names.index(WITHIN) if WITHIN in names else 0, key="compare.measure",
            format_func=lambda n: n[:1].upper() + n[1:], label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
        chart(
            draw_coverage(curves, found.names, measure, mode()), key=f"compare.coverage.{what.slug}.{measure}",
            alt=f"{measure} over the budget, with random",
        )  # fmt: skip
        about = MEASURES[measure].description if measure in MEASURES else ""
        st.caption(f"{about} Measured in {plain(curves.space)}.")
    if curves.missing:
        _measure_coverage(workspace, dataset, what, dict(curves.missing))


def _measure_coverage(workspace: Workspace, dataset: Dataset, what: Compared, missing: dict[str, str]) -> None:
    with st.container(border=True, gap="xsmall", key="compare.uncovered"):
        for name, why in missing.items():
            st.markdown(f":gray[:material/radar:] **{plain(name)}**: {plain(why)}.")
        label = "Measure the coverage of these" if len(missing) > 1 else "Measure its coverage"
        if st.button(label, icon=":material/radar:", key="compare.cover"):
            clusters = pool.clusters_of(dataset.fingerprint, pool.best_layout(dataset.fingerprint))
            with errors_shown(stop=True):
                recipe, bindings = coverage_recipe(
                    workspace, data.comparison(what), labels=None if clusters is None else clusters.key
                )
            start_now(workspace, recipe, bindings, title=f"{COVERAGE}: {dataset.name}")


# ------------------------------------------------------------------ distributions


@st.fragment
def spread_panel(dataset: Dataset, what: Compared) -> None:
    """Any score, and the length, over all arms."""
    st.markdown("##### Scores and length")
    names = data.numbers(dataset)
    if st.session_state.get("compare.number") not in names:
        st.session_state["compare.number"] = LENGTH
    key = st.selectbox(
        "Number", list(names), key="compare.number", format_func=names.__getitem__, label_visibility="collapsed",
        persist_state="session", help="Every score of this dataset, and the length",
    )  # fmt: skip
    found = data.spread_of(what, dataset, key)
    chart(draw_spread(found, mode()), key=f"compare.spread.{what.slug}.{key}", alt=f"{names[key]} over the selections")
    st.caption("Under each name: its mean minus that of all rows, in standard deviations (sd) of all rows.")
    missing = {arm.name: arm.missing for arm in found.arms if arm.missing}
    if missing:
        st.caption("No value: " + ", ".join(f"{number(c)} rows of {plain(n)}" for n, c in missing.items()) + ".")


@st.fragment
def every_spread_panel(dataset: Dataset, what: Compared) -> None:
    """Every score, and the length, over all arms: small figures beside each other, and their shifts as a table."""
    every = st.expander(
        "All scores and length", icon=":material/grid_on:", expanded=len(dataset) <= OPEN_UP_TO, on_change="rerun",
        key=f"compare.all.{what.slug}",
    )  # fmt: skip
    if not every.open:
        return
    with every:
        names = data.numbers(dataset)
        place = st.container()
        keys = list(names)[paged(len(names), key=f"compare.all.page.{what.slug}", per_page=SMALL_FIGURES)]
        with place:
            for start in range(0, len(keys), ABREAST):
                for column, key in zip(st.columns(ABREAST, gap="medium"), keys[start : start + ABREAST], strict=False):
                    with column:
                        chart(
                            draw_spread(data.spread_of(what, dataset, key), mode()),
                            key=f"compare.all.{what.slug}.{key}", alt=f"{names[key]} over the selections",
                        )  # fmt: skip
        _all_numbers(dataset, what, names)


def _all_numbers(dataset: Dataset, what: Compared, names: dict[str, str]) -> None:
    """The shift of every number in every arm, in standard deviations of the pool, with what random draws do."""
    lines = []
    for key, name in names.items():
        found = data.spread_of(what, dataset, key)
        low, high = found.arms[0].smd_random if found.arms else (float("nan"), float("nan"))
        line: dict[str, str | float] = {"number": name}
        line |= {f"{letter(i)} · {arm.name}": arm.smd for i, arm in enumerate(found.arms)}
        line["random"] = f"{low:+.2f} to {high:+.2f}" if np.isfinite(low) else "–"
        lines.append(line)
    shown = {
        name: st.column_config.NumberColumn(format="%+.2f") for name in lines[0] if name not in ("number", "random")
    }
    st.dataframe(
        lines, hide_index=True, key=f"compare.all.table.{what.slug}", column_config=shown, alt="Shift of every number"
    )
    st.caption("Mean of each selection minus that of all rows, in standard deviations of all rows.")


# ------------------------------------------------------------------ shares


@st.fragment
def shares_panel(workspace: Workspace, dataset: Dataset, what: Compared) -> None:
    """Shares per cluster, source or language."""
    st.markdown("##### Groups")
    names = data.groups(dataset)
    made = {s.info.use for s in pool.labels(dataset.fingerprint)}
    lacking = [word for word, uses in MADE_BY.items() if not made & set(uses)]
    options = [*names, *lacking]
    if st.session_state.get("compare.group") not in options:
        st.session_state["compare.group"] = options[0]
    key = st.selectbox(
        "Groups", options, key="compare.group", label_visibility="collapsed", persist_state="session",
        format_func=lambda k: names.get(k, f"{k} (not computed yet)"),
        help="Clusters, files, languages and all other labels of this dataset",
    )  # fmt: skip
    if key in lacking:
        _make_groups(workspace, dataset, key)
        return
    found = data.shares_of(what, dataset, key)
    names_of_arms = data.comparison(what).names
    chart(
        draw_shares(found, names_of_arms, mode()), key=f"compare.shares.{what.slug}.{key}",
        alt=f"Share of each group of {names[key]} in every selection",
    )  # fmt: skip
    st.caption(
        "Grey bar: what random draws of these sizes have. Filled: outside of it, hollow: no different from chance."
    )


def _make_groups(workspace: Workspace, dataset: Dataset, word: str) -> None:
    st.info(f"There are no {STILL_TO_MAKE[word]} of these rows yet.", icon=":material/label:")
    if st.button(f"Compute {STILL_TO_MAKE[word]}", icon=":material/play_arrow:", key="compare.group.make"):
        steps: dict[str, dict[str, object]] = {}
        name = add_default(steps, STILL_TO_MAKE[word])
        recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": f"${name}"})
        start_now(workspace, recipe, {"pool": dataset.fingerprint}, title=f"{GROUPS}: {dataset.name}, {word}")
