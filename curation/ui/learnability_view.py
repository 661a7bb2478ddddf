"""Learnability of a pool: the two losses of every row, what the score is worth, groups, and rows to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.ui import pool, session
from curation.ui.chart_points import drawn_rows, gesture
from curation.ui.components import Tile, chart, mode, stat_tiles
from curation.ui.map_rows import facts_of
from curation.ui.pool import Stored
from curation.ui.rows import row_card, row_table
from curation.ui.score_facts import LENGTH_BOUND
from curation.ui.text import number, percent, plain, when
from curation.ui.weak import weak_note

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from curation.figures.palette import Mode

USE = "scorer/learnability"
MOST_LINES = 2_000
"""Groups in the table; the browser gets no more."""
HIGHEST, LOWEST = "most learnable", "least learnable"


def results(fingerprint: str) -> list[Stored]:
    """Learnability results of a dataset, newest first."""
    found = [s for s in pool.scores(fingerprint) if s.info.use == USE]
    return sorted(found, key=lambda s: -s.info.created)


def result_choice(found: list[Stored]) -> Stored:
    """Which result is looked at."""
    by_key = {s.key: s for s in found}
    chosen = st.selectbox("Result", list(by_key), key="learnability.result", format_func=lambda k: _title(by_key[k]))
    return by_key[chosen]


def _title(stored: Stored) -> str:
    info = stored.score.info
    kind = "" if stored.parameters.get("normalised", True) else ", not divided by the initial loss"
    return f"{info['initial_model']} → {info['reference_model']}{kind} · {when(stored.info.created)}"


# ---------------------------------------------------------------------- what the score is worth


def verdict(stored: Stored) -> None:
    """The two rank correlations, what became of the losses, and everything to beware of."""
    score = stored.score
    info, columns = score.info, score.columns
    weak_note(info)
    before, after = (float(np.nanmedian(columns[c])) if _any(columns[c]) else np.nan for c in ("initial", "reference"))
    worse, scored = info["region_rows"]["worsened"], int(np.isfinite(score.values).sum())
    stat_tiles(
        [
            Tile("With −loss after", _rho(info["rho_reference"]), "Rank correlation with the loss after training, sign "
                 "turned, −1 to 1. Near 1 learnability says nothing that this loss did not", _reference_word(info)),
            Tile("With length", _rho(info["rho_length"]), f"Rank correlation with the {info['length']} of the "
                 "response, −1 to 1", _length_word(info["rho_length"])),
            Tile("Median loss", f"{before:.3g} → {after:.3g}", "Nats per response token, before and after training",
                 "before → after"),
            Tile("Worsened", number(worse), "Rows whose loss rose: often noise, or at odds with other rows",
                 f"{percent(worse, scored)} of rows"),
        ]
    )  # fmt: skip
    if info["collapsed"]:
        st.warning(
            "Learnability has collapsed into reference loss here: ordering rows by it is nearly the same as ordering "
            "them by the loss after training. The initial losses differ too little between rows to add anything, which "
            "is usual for a small or young initial model.",
            icon=":material/compress:",
        )
    if info.get("tokens_differ"):
        st.warning(
            f"For {number(info['tokens_differ'])} rows the two losses are over different tokens (another template, "
            "tokenizer or length limit), so their difference mixes two things.",
            icon=":material/difference:",
        )
    st.caption(f":material/school: {seen_note(info.get('reference_folds'))}")
    if info["below_floor"]:
        floor = stored.parameters.get("floor", 0.05)
        st.caption(
            f":material/flag: {number(info['below_floor'])} rows had an initial loss below {floor:g} nats, which is "
            "what they are divided by instead; their score is mostly noise."
        )
    if score.missing.mask.any():
        listed = "; ".join(f"{number(count)} rows: {plain(why)}" for why, count in score.missing.counts().items())
        st.caption(f":material/help: Missing: {listed}.")


def seen_note(folds: Any) -> str:
    """Whether the reference model was trained on the rows that it scores."""
    if folds is None:
        return "It is not known here whether the reference model was trained on the rows that it scores."
    if int(folds) > 1:
        return (
            f"Cross-fit: each row was scored by one of {int(folds)} reference models that was not trained on it, so "
            "nothing here is memory of the row itself."
        )
    return (
        "In-sample, as published: the reference model was trained on the rows that it scores, so a part of the drop is "
        "memory, most of all for short and unusual answers. Cross-fit runs leave that out."
    )


def _any(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).any())


def _rho(value: float | None) -> str:
    return "–" if value is None else f"ρ = {value:.2f}"


def _reference_word(info: dict[str, Any]) -> str:
    if info["rho_reference"] is None:
        return "one of them is constant"
    return "collapsed into it" if info["collapsed"] else "says more than it"


def _length_word(rho: float | None) -> str:
    if rho is None:
        return "one of them is constant"
    if abs(rho) < LENGTH_BOUND:
        return "no warning"
    return "favours long answers" if rho > 0 else "favours short answers"


# ---------------------------------------------------------------------- the plane of losses


def losses_panel(dataset: Dataset, stored: Stored) -> None:
    """Every row by its two losses; a click shows the row. A fragment: a click redraws nothing else."""

    @st.fragment
    def body() -> None:
        figure, shown, placed = _losses(_place(stored), mode(), stored.score)
        info = stored.score.info
        left, right = st.columns([3, 2], gap="medium")
        with left:
            drawn = gesture(figure, key=f"learnability.losses.{stored.key}", alt="Loss after training over loss before")
            part = f"{number(shown)} of {number(placed)} points are drawn. " if shown < placed else ""
            st.caption(
                f":material/info: {part}Below the diagonal training helped. The dotted boundary between small and "
                f"large loss ({info['boundary_nats']:.3g} nats) is this project's; none is published."
            )
        with right:
            row = _clicked(figure, drawn)
            if row is None:
                st.markdown(":material/touch_app: **Click a point** to read its row here.")
                st.markdown(REGIONS_EXPLAINED)
            else:
                row_card(dataset, row, facts=facts_of(dataset, row), key="learnability.row")

    body()


def _place(stored: Stored) -> str:
    """Names a result in the caches of this server, which may have several workspaces open."""
    return f"{session.workspace().root}/{stored.key}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _losses(place: str, shown: Mode, _score: Score) -> tuple[go.Figure, int, int]:
    """The figure of the two losses, the points on it, and the rows that have both."""
    from curation.figures.learnability import losses_figure
    from curation.figures.map import MAX_POINTS

    columns, info = _score.columns, _score.info
    plane = np.column_stack([columns["initial"], columns["reference"]])
    rows = drawn_rows(plane, MAX_POINTS)
    figure = losses_figure(
        plane[rows, 0], plane[rows, 1], np.asarray(columns["region"])[rows], boundary=info["boundary_nats"],
        counts=info["region_rows"], rows=rows, uirevision=place, mode=shown,
    )  # fmt: skip
    return figure, len(rows), int(np.isfinite(plane).all(1).sum())


REGIONS_EXPLAINED = """
- **learnable**: large before, small after. The model could not say it, and training taught it.
- **uninformative**: small before and after. The model knew it already.
- **too hard**: large before and after. Noise, or beyond this model.
- **worsened**: larger after than before. Training on the other rows spoke against it.
"""


def _clicked(figure: Any, drawn: Any) -> int | None:
    points = drawn.get("point_indices") or []
    rows = figure.data[0].customdata if figure.data else []
    return int(rows[points[0]]) if len(points) == 1 and points[0] < len(rows) else None


# ---------------------------------------------------------------------- groups


def groups_panel(dataset: Dataset, stored: Stored) -> None:
    """Learnability per cluster, source or any other label, where there is one."""
    found = {s.name: (s.key, s.labels) for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)}
    sources = pool.source_labels(dataset)
    if sources is not None:
        found["source"] = ("", sources)
    st.markdown("#### By group")
    if not found:
        st.caption(
            ":material/lightbulb: Clusters of the map, languages or any field of the file as labels show here which "
            "kinds of rows are learnable."
        )
        return
    name = st.selectbox("Group by", list(found), key="learnability.group", width=320)
    label, labels = found[name]
    lines, figure = _groups(_place(stored), label, mode(), stored.score, labels)
    left, right = st.columns(2, gap="medium")
    with left:
        chart(figure, key=f"learnability.groups.{stored.key}.{name}", alt="Median learnability of each group")
    with right:
        config = {k: st.column_config.NumberColumn(k, format="%.3f") for k in ("median", "before", "after")}
        config["worsened"] = st.column_config.NumberColumn("worsened", format="percent")
        if len(lines) > MOST_LINES:
            st.caption(f":material/info: {number(MOST_LINES)} of {number(len(lines))} groups, the highest first.")
        st.dataframe(lines[:MOST_LINES], hide_index=True, column_config=config, alt="Learnability of each group")


@st.cache_resource(max_entries=8, show_spinner=False)
def _groups(
    place: str, label: str, shown: Mode, _score: Score, _labels: Labels
) -> tuple[list[dict[str, Any]], go.Figure]:
    """The lines of the table and the figure of one grouping."""
    from curation.figures.learnability import groups_figure

    lines, values = group_lines(_score, _labels)
    overall = float(np.nanmedian(_score.values)) if _any(_score.values) else None
    return lines, groups_figure([line["group"] for line in lines], values, overall=overall, mode=shown)


def group_lines(score: Score, labels: Labels) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """One line per group that has a scored row, highest median first, and the scores of its rows."""
    values, codes = np.asarray(score.values), np.asarray(labels.codes)
    scored = np.flatnonzero(np.isfinite(values))
    scored = scored[np.argsort(codes[scored], kind="stable")]  # one sort: there may be thousands of groups
    parts = np.split(scored, np.flatnonzero(np.diff(codes[scored])) + 1) if len(scored) else []
    names = [*labels.names, pool.NO_CLUSTER]  # code −1 finds the last
    found = []
    for rows in sorted(parts, key=lambda rows: (codes[rows[0]] < 0, codes[rows[0]])):
        line = {
            "group": names[codes[rows[0]]],
            "rows": len(rows),
            "median": float(np.median(values[rows])),
            "before": float(np.median(score.columns["initial"][rows])),
            "after": float(np.median(score.columns["reference"][rows])),
            "worsened": float((values[rows] < 0).mean()),
        }
        found.append((line, values[rows]))
    found.sort(key=lambda pair: -pair[0]["median"])
    return [line for line, _ in found], [part for _, part in found]


# ---------------------------------------------------------------------- rows


def rows_panel(dataset: Dataset, stored: Stored) -> None:
    """Rows from either end or of one region as a table; a click shows the row. A fragment."""

    @st.fragment
    def body() -> None:
        score = stored.score
        st.markdown("#### Rows")
        which = st.segmented_control(
            "Show", [HIGHEST, LOWEST, *score.info["regions"]], default=HIGHEST, required=True, wrap=True,
            key="learnability.rows.which", label_visibility="collapsed",
        )  # fmt: skip
        rows = _rows(_place(stored), str(which), score)
        if not len(rows):
            st.caption("No row is there.")
            return
        columns = _columns(_place(stored), score)
        clicked = row_table(
            dataset, rows, key=f"learnability.rows.{stored.key}.{which}", columns=columns, per_page=10
        )  # fmt: skip
        if clicked is None:
            st.caption(":material/touch_app: Click a row in the table to read it in full.")
        else:
            row_card(dataset, clicked, facts=facts_of(dataset, clicked), key="learnability.rows.row")

    body()


@st.cache_resource(max_entries=8, show_spinner=False)
def _rows(place: str, which: str, _score: Score) -> np.ndarray:
    return rows_of(_score, which)


@st.cache_resource(max_entries=2, show_spinner=False)
def _columns(place: str, _score: Score) -> dict[str, np.ndarray]:
    return {
        "learnability": np.round(_score.values, 3),
        "before": np.round(_score.columns["initial"], 3),
        "after": np.round(_score.columns["reference"], 3),
    }


def rows_of(score: Score, which: str) -> np.ndarray:
    """Rows in the order to show: the score's end, or a region from its own clearest row on; ties by row."""
    values = np.asarray(score.values)
    if which in (HIGHEST, LOWEST):
        rows = np.flatnonzero(np.isfinite(values))
    else:
        rows = np.flatnonzero(np.asarray(score.columns["region"]) == score.info["regions"].index(which))
    keys = {
        HIGHEST: -values,
        "learnable": -values,
        "too hard": -np.asarray(score.columns["reference"]),
        "uninformative": np.asarray(score.columns["initial"]),
    }
    return rows[np.argsort(keys.get(which, values)[rows], kind="stable")]
