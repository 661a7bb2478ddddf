"""The stages of the Start page, each a card: what it does and why so, its button, then what it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Coverage, Labels, Layout, Score, Selection
from curation.core.dataset import Dataset
from curation.recipe import Recipe
from curation.ui import guide
from curation.ui.components import Tile, chart, errors_shown, mode, next_step, stat_tiles
from curation.ui.forms import budget_input
from curation.ui.guide import Progress, Stage
from curation.ui.job_card import watch_job
from curation.ui.row_map import row_map
from curation.ui.run_panel import estimate_view
from curation.ui.text import number, one_line, percent
from curation.workspace import Workspace

EXAMPLES = 4
LOOKS: dict[Stage, tuple[str, str, str]] = {
    "look": (
        ":material/bubble_chart:",
        "Look",
        "Draws every row as a point, near others that use the same words. No model is needed for this first map, so it "
        "takes seconds; the map by meaning comes with the selection.",
    ),
    "unique": (
        ":material/filter_none:",
        "Remove duplicates",
        "Rows that share most of their phrases count as copies, and the first of each group stays. Rows without an "
        "answer, and answers that only refuse, are left out too. Nothing is deleted: the rows are only not selected.",
    ),
    "pick": (
        ":material/checklist:",
        "Select",
        "Reads every row with a small language model on this machine and picks rows that leave no topic out "
        "(k-center): the next pick is always the row farthest from all picks so far.",
    ),
}


def stage_card(
    workspace: Workspace,
    dataset: Dataset,
    step: int,
    here: Progress,
    *,
    ready: bool,
    ask: Callable[[Workspace, Dataset, Progress], None],
    show: Callable[[Workspace, Dataset, Progress], None],
) -> None:
    """One stage.

    Args:
        workspace: Where it runs.
        dataset: On what.
        step: Its number on the page.
        here: How far it has come.
        ready: True when the stage before is done.
        ask: Draws its settings and button.
        show: Draws what it found, also while it still runs.
    """
    icon, title, sentence = LOOKS[here.stage]
    with st.container(border=True, key=f"stage.{here.stage}"):
        stage_head(step, icon, title, done=here.done, active=ready)
        if not ready and here.status is None:
            return
        if not here.done:
            st.markdown(sentence)
        if here.running and here.status is not None:
            watch_job(workspace, here.status.id, key=f"stage.{here.stage}")
        elif here.done:
            show(workspace, dataset, here)
            if here.stage != "look":  # it has no settings
                with st.expander("Do it again with other settings", icon=":material/tune:"):
                    ask(workspace, dataset, here)
        else:
            if here.status is not None and here.status.state != "done":
                watch_job(workspace, here.status.id, key=f"stage.{here.stage}")
            ask(workspace, dataset, here)


def stage_head(step: int, icon: str, title: str, *, done: bool, active: bool) -> None:
    """Number, icon and title of a stage, and whether it is done."""
    colour = "primary" if done or active else "gray"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(f":{colour}[{icon}] {step}. {title}", anchor=False, width="content")
        if done:
            st.badge("done", icon=":material/check:", color="green")
        elif not active:
            st.caption("after the step before", width="content")


def _start(workspace: Workspace, dataset: Dataset, here: Progress, label: str, icon: str, recipe: Recipe) -> None:
    """The estimate and the button; an estimate of what is done already would only say so."""
    if not here.done:
        with st.container():  # so that the button keeps its place when the estimate arrives
            estimate_view(workspace, recipe, {"pool": dataset.fingerprint})
    if st.button(label, type="primary", icon=icon, key=f"start.{here.stage}"):
        with errors_shown():
            guide.start(workspace, dataset, here.stage, recipe)
            st.rerun()


# ------------------------------------------------------------------ look


def ask_look(workspace: Workspace, dataset: Dataset, here: Progress) -> None:
    """The button that draws the first map."""
    _start(workspace, dataset, here, "Draw the map", ":material/bubble_chart:", guide.stage_recipe("look"))


def show_look(workspace: Workspace, dataset: Dataset, here: Progress) -> None:
    """The first map, coloured by the length of the answers."""
    from curation.figures.distribution import distribution_figure

    layout = cast(Layout | None, guide.loaded(workspace, here, "preview"))
    length = cast(Score | None, guide.loaded(workspace, here, "length"))
    if layout is None:
        return
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        row_map(
            dataset, layout, here.keys["preview"], key="start.map", color=length, color_key=here.keys["length"],
            height=380,
        )  # fmt: skip
    with right:
        if length is not None:
            st.markdown("**How long the answers are**")
            figure = distribution_figure(np.asarray(length.values), name="tokens in the answer", mode=mode())
            chart(figure, key="start.lengths", alt="Histogram of answer lengths")
            st.caption("Very short and very long answers are the first place to look for trouble.")
    next_step("Read rows on the map", "pages/map.py", primary=False)


# ------------------------------------------------------------------ duplicates


def ask_unique(workspace: Workspace, dataset: Dataset, here: Progress) -> None:
    """From which likeness on rows are copies."""
    with st.expander("From which likeness on is a row a copy?", icon=":material/tune:"):
        similarity = st.slider(
            "Share of common phrases",
            0.3,
            1.0,
            float(here.settings.get("duplicates", {}).get("min_similarity", 0.7)),
            0.05,
            key="start.similarity",
            help="1.0 removes only rows with the same phrases; lower values also remove looser rewordings",
        )
        st.caption("0.7 is the default: seven of ten three-word phrases are the same, which people read as a copy.")
    recipe = guide.stage_recipe("unique", similarity=similarity)
    _start(workspace, dataset, here, "Find and remove duplicates", ":material/filter_none:", recipe)


def show_unique(workspace: Workspace, dataset: Dataset, here: Progress) -> None:
    """What was removed, with examples."""
    unique = cast(Selection | None, guide.loaded(workspace, here, "unique"))
    answered = cast(Selection | None, guide.loaded(workspace, here, "answered"))
    if unique is None or answered is None:
        return
    copies, gone = len(dataset) - len(unique), len(unique) - len(answered)
    refusals = cast(Score | None, guide.loaded(workspace, here, "boilerplate"))
    empty = gone if refusals is None else int((unique.mask & ~np.isfinite(np.asarray(refusals.values))).sum())
    stat_tiles(
        [
            Tile("Copies", number(copies), note=percent(copies, len(dataset))),
            Tile("Empty answers", number(empty), note=percent(empty, len(dataset))),
            Tile(
                "Refusals",
                number(gone - empty),
                "Answers that only say no, or that they come from an AI",
                percent(gone - empty, len(dataset)),
            ),
            Tile("Stay", number(len(answered)), note=percent(len(answered), len(dataset))),
        ]
    )
    examples = duplicate_examples(dataset, unique)
    if examples:
        with st.expander("The least alike of the copies", icon=":material/compare_arrows:"):
            st.caption("If these pairs are copies to you, so are all others.")
            st.dataframe(examples, hide_index=True, alt="Pairs of duplicates")


def duplicate_examples(dataset: Dataset, unique: Selection) -> list[dict[str, object]]:
    """The removed rows that are least like the row that stands for them."""
    gone = np.flatnonzero(np.asarray(unique.covered_by) >= 0)
    if not len(gone):
        return []
    worst = gone[np.argsort(-np.asarray(unique.distance)[gone], kind="stable")][:EXAMPLES]
    found = []
    for row in worst:
        other = int(unique.covered_by[row])
        texts = dataset.take(np.array([row, other])).texts("both")
        found.append(
            {
                "alike": round(1 - float(unique.distance[row]), 2),
                "row": int(row),
                "removed": one_line(texts[0], 200),
                "stays as row": other,
                "kept": one_line(texts[1], 200),
            }
        )
    return found


# ------------------------------------------------------------------ select


def ask_pick(workspace: Workspace, dataset: Dataset, here: Progress) -> None:
    """How many rows to pick."""
    budget = budget_input(
        "How much to select", key="start.budget", start=guide.budget_of(here), rows=len(dataset),
        help="Rows, a share of the rows that are left, or tokens",
    )  # fmt: skip
    st.caption(
        "A tenth is the default: small enough to train in an evening, and often enough to come near the whole set. "
        "The picks come in order, so trying another size later costs nothing."
    )
    unique = guide.progress(workspace, dataset)["unique"]
    similarity = unique.settings.get("duplicates", {}).get("min_similarity")
    recipe = guide.stage_recipe("pick", budget=budget, similarity=similarity)
    _start(workspace, dataset, here, "Select rows", ":material/checklist:", recipe)


def show_pick(workspace: Workspace, dataset: Dataset, here: Progress) -> None:
    """The picks on the map, and how well they stand for the pool."""
    from curation.coverage import RADIUS
    from curation.figures.coverage import coverage_figure

    pick = cast(Selection | None, guide.loaded(workspace, here, "pick"))
    layout = cast(Layout | None, guide.loaded(workspace, here, "map"))
    clusters = cast(Labels | None, guide.loaded(workspace, here, "clusters"))
    report = cast(Coverage | None, guide.loaded(workspace, here, "coverage"))
    if pick is None or layout is None or report is None:
        return
    stat_tiles(coverage_tiles(dataset, pick, report))
    left, right = st.columns([3, 2])
    with left:
        row_map(
            dataset, layout, here.keys["map"], key="start.picks", color=clusters, color_key=here.keys["clusters"],
            lit=pick.mask, height=400,
        )  # fmt: skip
    with right:
        if RADIUS in report.curves:
            chart(
                coverage_figure(
                    report.budgets,
                    report.curves[RADIUS],
                    random=report.random.get(RADIUS),
                    name=RADIUS,
                    lower_is_better=True,
                    height=400,
                    mode=mode(),
                ),
                key="start.coverage",
                alt="Coverage over the budget",
            )
    st.caption(
        ":material/info: k-center keeps the largest gap small: even the oddest row has a pick near it. Random picks "
        "sit where rows are dense, so their share within reach can be higher. The Select page has methods for either."
    )


def coverage_tiles(dataset: Dataset, pick: Selection, report: Coverage) -> list[Tile]:
    """The selection in numbers, beside random."""
    from curation.coverage import CLUSTERS, MEASURES, RADIUS, WITHIN

    tiles = [Tile("Selected", number(len(pick)), note=f"{percent(len(pick), len(dataset))} of all rows")]
    by_chance = report.info.get("random_table", {})
    for name in (RADIUS, CLUSTERS, WITHIN):
        if name not in report.table:
            continue
        measure = MEASURES[name]
        value, chance = (
            percent(v, 1) if measure.percent else number(v) for v in (report.table[name], by_chance.get(name, np.nan))
        )
        better = "Lower is better." if measure.lower_is_better else "Higher is better."
        tiles.append(Tile(name[:1].upper() + name[1:], value, f"{measure.description} {better}", f"random: {chance}"))
    return tiles


# ------------------------------------------------------------------ the file


def dataset_card(workspace: Workspace, dataset: Dataset, step: int) -> None:
    """The first stage, done: what was read."""
    with st.container(border=True, key="stage.file"):
        stage_head(step, ":material/upload_file:", "File", done=True, active=True)
        sources = dataset.facts.get("sources", [])
        lengths = dataset.lengths("response")
        rejected = int(dataset.facts.get("rejected", 0))
        stat_tiles(
            [
                Tile("Rows", number(len(dataset)), note=dataset.name),
                Tile(
                    "Files",
                    number(max(len(sources), 1)),
                    note=", ".join(sorted({str(s["form"]) for s in sources})) or None,
                ),
                Tile("Median answer", f"{np.median(lengths):,.0f}", note="characters"),
                Tile("Rejected", number(rejected), help="Records that could not be read; the Data page shows why"),
            ]
        )
        next_step("Read the rows, or add more files", "pages/data.py", primary=False)
