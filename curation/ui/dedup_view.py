"""The funnel of duplicates: exact, near, by meaning; thresholds act at once, and the pairs that decide can be read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from curation.complete.stored import Parts
from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.linalg.groups import Links
from curation.recipe import Recipe
from curation.ui import pool
from curation.ui.choices import look_at
from curation.ui.components import chart, mode
from curation.ui.dedup_ask import KINDS
from curation.ui.dedup_facts import Filter, Pairs, borderline, funnel, threshold_for
from curation.ui.pool import Stored
from curation.ui.rows import row_card
from curation.ui.run_panel import newest_job, start_now
from curation.ui.text import ago, number, percent, plain
from curation.workspace import Workspace

KEEP = "Deduplicate"
NAMES = {KINDS[0]: "Exact", KINDS[1]: "Near", KINDS[2]: "By meaning"}
MEANINGS = {
    KINDS[0]: "The same text; case and spacing do not count.",
    KINDS[1]: "Share of the phrases of three words that both rows have (Jaccard, by MinHash).",
    KINDS[2]: "Cosine of the rows' vectors.",
}
USUAL = {KINDS[1]: 0.7, KINDS[2]: 0.95}
SHOWN_PAIRS = 200
FIRST_ROW = ""
NEWS_S = 600
"""So long after it was stored it is said."""


@dataclass(frozen=True)
class Stage:
    """One kind of duplicates that was found.

    Args:
        stored: The labels.
        links: Their forest.
        floor: The lowest threshold they know.
    """

    stored: Stored
    links: Links
    floor: float

    @property
    def use(self) -> str:
        """Recipe name of the labeller."""
        return self.stored.info.use


def stages(fingerprint: str) -> list[Stage]:
    """What was found for a dataset, in the order of the funnel: of each kind what reaches lowest, then the newest."""
    found = []
    for use in KINDS:
        made = [s for s in pool.duplicates(fingerprint) if s.info.use == use and not s.info.manifest.get("within")]
        if made:
            best = min(made, key=lambda s: (float(s.labels.info.get("min_similarity", 0)), -s.info.created))
            columns = best.labels.columns
            links = Links(np.asarray(columns["of"]), np.asarray(columns["similarity"]))
            found.append(Stage(best, links, float(best.labels.info.get("min_similarity", 0))))
    return found


def funnel_panel(workspace: Workspace, dataset: Dataset, found: list[Stage]) -> None:
    """Thresholds, what is left, the pairs, and the button that stores it; a fragment, so that sliders act at once."""

    @st.fragment
    def body() -> None:
        left, right = st.columns([2, 3], gap="large")
        with left:
            survivor = _survivor(dataset)
            preference = None if survivor is None else _preference(survivor.score)
            switched = _switched(found)
            thresholds = {s.use: _threshold(s, dataset, switched, preference) for s in switched}
            filters = [Filter(s.links, thresholds[s.use]) for s in switched]
            kept = funnel(filters, len(dataset), preference)
        with right:
            _picture(dataset, switched, kept)
            _store(workspace, dataset, switched, thresholds, survivor, len(kept[-1]) if kept else len(dataset))
        if switched:
            st.divider()
            _pairs(dataset, switched, thresholds, kept)

    body()


# ------------------------------------------------------------------ settings


def _survivor(dataset: Dataset) -> Stored | None:
    scores = {s.key: s for s in pool.scores(dataset.fingerprint)}
    key = st.selectbox(
        "Which copy stays", [FIRST_ROW, *scores], key="dedup.survivor",
        format_func=lambda k: "the first in the file" if k == FIRST_ROW else f"the best by {scores[k].name}",
        help="Of every group one row stays: the first, or the one with the best score (the highest where a score does "
        "not say which end is better)",
    )  # fmt: skip
    return scores.get(key)


def _preference(score: Score) -> np.ndarray:
    values = np.asarray(score.values, np.float64)
    return -values if score.higher_is_better is False else values


def _switched(found: list[Stage]) -> list[Stage]:
    uses = [s.use for s in found]
    chosen = st.pills(
        "Stages", uses, selection_mode="multi", default=uses, key="dedup.stages", format_func=NAMES.__getitem__,
        help="Each works on what the one before it left",
    )  # fmt: skip
    return [s for s in found if s.use in chosen]


def _threshold(stage: Stage, dataset: Dataset, switched: list[Stage], preference: np.ndarray | None) -> float:
    """The threshold of a stage; exact copies have none. Below the last one stands how to reach a number of rows."""
    if stage.use not in USUAL:
        return 1.0
    key = f"dedup.threshold.{stage.stored.key}"
    low = round(stage.floor, 3)
    if low >= 1:
        return 1.0
    st.session_state.setdefault(key, max(low, USUAL[stage.use]))
    value = float(
        st.slider(
            f"{NAMES[stage.use]}: duplicates from", low, 1.0, key=key, step=0.005, format="%.3f",
            help=f"{MEANINGS[stage.use]} What was looked for begins at {low:g}",
        )
    )  # fmt: skip
    if stage is switched[-1]:
        _to_count(stage, dataset, switched, preference, key)
    return value


def _to_count(stage: Stage, dataset: Dataset, switched: list[Stage], preference: np.ndarray | None, key: str) -> None:
    """Deduplicate to a number of rows: the threshold that leaves so many."""

    def apply() -> None:
        before = switched[:-1]
        values = [st.session_state.get(f"dedup.threshold.{s.stored.key}", 1.0) for s in before]
        came = funnel([Filter(s.links, v) for s, v in zip(before, values, strict=True)], len(dataset), preference)
        eligible = came[-1] if came else np.arange(len(dataset))
        wanted = int(st.session_state["dedup.count"])
        best = threshold_for(stage.links, eligible, wanted)
        st.session_state["dedup.short"] = (stage.use, wanted) if best is None else None
        # the slider steps by 0.005; down, so that no more rows are left than asked for
        st.session_state[key] = stage.floor if best is None else max(stage.floor, np.floor(best * 200) / 200)

    with st.popover("Down to a number of rows", icon=":material/target:"):
        wanted = st.number_input("Rows to keep at most", 1, len(dataset), max(1, len(dataset) // 2), key="dedup.count")
        st.button(
            f"Set the threshold “{NAMES[stage.use]}”", on_click=apply, key="dedup.apply",
            help="To the highest similarity at which no more rows are left; the stages before it stay as they are",
        )  # fmt: skip
        if st.session_state.get("dedup.short") == (stage.use, wanted):
            st.warning(
                f"Even at {stage.floor:g} more rows are left: their nearest rows are less alike than what was looked "
                "for.",
                icon=":material/warning:",
            )


# ------------------------------------------------------------------ what is left


def _picture(dataset: Dataset, switched: list[Stage], kept: list[np.ndarray]) -> None:
    from curation.figures.funnel import funnel_figure

    counts = [len(dataset), *(len(rows) for rows in kept)]
    names = ["all rows", *(f"after {NAMES[s.use].lower()}" for s in switched)]
    st.markdown(
        f"### {number(counts[-1])} of {number(counts[0])} rows stay, "
        f"{number(counts[0] - counts[-1])} go ({percent(counts[0] - counts[-1], counts[0])})"
    )
    chart(funnel_figure(names, np.array(counts), mode=mode()), key="dedup.funnel", alt="Rows left after every stage")


def _store(
    workspace: Workspace,
    dataset: Dataset,
    switched: list[Stage],
    thresholds: Mapping[str, float],
    survivor: Stored | None,
    left: int,
) -> None:
    if st.button(
        f"Store the {number(left)} rows", type="primary", icon=":material/save:", key="dedup.store", shortcut="Ctrl+S",
        disabled=not switched, help="As a selection: pick within it on the Select page, or export it as it is",
    ):  # fmt: skip
        recipe, bindings = keep_recipe(workspace, dataset.fingerprint, switched, thresholds, survivor)
        start_now(workspace, recipe, bindings, title=f"{KEEP}: {dataset.name}, {left:,} rows")


def keep_recipe(
    workspace: Workspace,
    dataset: str,
    switched: list[Stage],
    thresholds: Mapping[str, float],
    survivor: Stored | None,
) -> tuple[Recipe, dict[str, str]]:
    """The stages as steps, each within the one before; and the bindings."""
    parts = Parts(workspace, dataset)
    score = None if survivor is None else parts.add(survivor.key)
    within = ""
    for stage in switched:
        step: dict[str, object] = {
            "use": "selector/deduplicate",
            "duplicates": parts.add(stage.stored.key),
            "min_similarity": thresholds[stage.use] if stage.use in USUAL else 0.0,
        }
        if score:
            step["score"] = score
        if within:
            step["within"] = within
        name = "unique-" + NAMES[stage.use].lower().replace(" ", "-")
        within = f"${parts.add_steps({name: step})[name]}"
    return parts.recipe(within), parts.bindings


# ------------------------------------------------------------------ pairs


def _pairs(dataset: Dataset, switched: list[Stage], thresholds: Mapping[str, float], kept: list[np.ndarray]) -> None:
    """The pairs nearest to a threshold, side by side."""
    by_use = {s.use: s for s in switched}
    start = next((s.use for s in reversed(switched)), switched[0].use)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        use = st.segmented_control(
            "Pairs, those nearest to the threshold first", list(by_use), default=start, required=True,
            format_func=NAMES.__getitem__, key="dedup.pairs.of",
        )  # fmt: skip
        stage = by_use[use]
        place = switched.index(stage)
        eligible = kept[place - 1] if place else np.arange(len(dataset))
        pairs = borderline(stage.links, eligible, thresholds[use], SHOWN_PAIRS)
        shown = _which(pairs, f"{use}.{thresholds[use]}")
    if not len(pairs):
        st.info("There is no pair of this kind among the rows that came so far.", icon=":material/check:")
        return
    here = kept[place]
    first, second = int(pairs.first[shown]), int(pairs.second[shown])
    word = "duplicates" if pairs.joined[shown] else "not duplicates"
    measured = (
        f"similarity **{pairs.similarity[shown]:.3f}**, threshold {thresholds[use]:.3f}: **{word}**"
        if use in USUAL
        else "**the same text**"
    )
    st.markdown(f"Pair {shown + 1} of {len(pairs)} · {measured}")
    for column, row in zip(st.columns(2, gap="medium"), (first, second), strict=True):
        with column:
            stays = bool(np.isin(row, here))
            why = "in: stays after this stage" if stays else "out: another row of its group stays"
            row_card(dataset, row, why=why, key=f"dedup.pair.{row}")


def _which(pairs: Pairs, state: str) -> int:
    """Which pair is shown; a moved threshold begins anew with the nearest."""
    key = "dedup.pair"
    if st.session_state.get("dedup.pair.state") != state:
        st.session_state["dedup.pair.state"], st.session_state[key] = state, 0
    last = max(len(pairs) - 1, 0)
    at = min(int(st.session_state.get(key, 0)), last)

    def move(by: int) -> None:
        st.session_state[key] = min(max(at + by, 0), last)

    with st.container(horizontal=True, width="content"):
        # letters: the arrow keys move the sliders
        st.button("Previous", icon=":material/arrow_back:", on_click=move, args=(-1,), disabled=at == 0,
                  key="dedup.previous", shortcut="P", help="The pair before, nearer to the threshold")  # fmt: skip
        st.button("Next", icon=":material/arrow_forward:", on_click=move, args=(1,), disabled=at >= last,
                  key="dedup.next", shortcut="N", help="The next pair, farther from the threshold")  # fmt: skip
    return at


def kept_note(workspace: Workspace, dataset: Dataset) -> None:
    """Says for a while that what stays was stored; other pages then look at it."""
    newest = newest_job(workspace, dataset, KEEP)
    if newest is None or newest.state != "done" or time.time() - newest.updated > NEWS_S:
        return
    if st.session_state.get("dedup.seen") != newest.id:
        st.session_state["dedup.seen"] = newest.id
        look_at(newest.result)
    st.success(
        f"Stored {ago(newest.updated)}: {plain(newest.title.rpartition(', ')[2])}. Pick within them on the Select "
        "page (“Which rows may be picked”), or export them as they are.",
        icon=":material/save:",
    )


def found_note(found: list[Stage]) -> str:
    """What was looked for, in one line."""
    parts = [
        NAMES[s.use].lower() + (f" from {s.floor:g}" if s.use in USUAL else "") + f" ({number(_in_groups(s))} rows)"
        for s in found
    ]
    missing = [NAMES[use].lower() for use in KINDS if use not in {s.use for s in found}]
    return plain(f"Looked for: {', '.join(parts)}" + (f"; not looked for: {', '.join(missing)}" if missing else ""))


def _in_groups(stage: Stage) -> int:
    return int((np.asarray(stage.stored.labels.codes) >= 0).sum())
