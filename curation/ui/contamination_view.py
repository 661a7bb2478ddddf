"""Rows that match an evaluation file: looking for them, the pairs to read, and what is clean."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.labellers.contamination import CHECK, EXACT, NGRAM, SEMANTIC, Evidence, evidence
from curation.ui import pool, session
from curation.ui.components import Tile, error_box, stat_tiles
from curation.ui.pool import Stored
from curation.ui.preset_ask import ask_inputs
from curation.ui.rows import row_card
from curation.ui.run_panel import run_panel
from curation.ui.select_recipe import Wish, selection_recipe
from curation.ui.text import number, percent, plain, when
from curation.workspace import Workspace

CHECKED = "Contamination"
RULES = {
    EXACT: "Same text",
    NGRAM: "Shared run of words",
    SEMANTIC: "Same meaning",
}
PRESET = "decontaminate"
WITHOUT_VECTORS = ("check.features=null", "check.evaluation_features=null")


def checks(fingerprint: str) -> list[Stored]:
    """Contamination checks of a dataset, newest first."""
    found = [s for s in pool.labels(fingerprint) if s.labels.info.get("check") == CHECK]
    return sorted(found, key=lambda s: -s.info.created)


def ask_check(workspace: Workspace, dataset: Dataset) -> None:
    """The evaluation file, the estimate and the button."""
    inputs, missing = ask_inputs(dataset, PRESET, key="contamination.input")
    semantic = st.toggle(
        "By meaning as well", True, key="contamination.semantic", persist_state="session",
        help="Rows whose prompts mean nearly the same; needs vectors of both files",
    )  # fmt: skip
    if missing:
        return
    wish = Wish(PRESET, {}, coverage=False, inputs=inputs, settings=() if semantic else WITHOUT_VECTORS)
    try:
        recipe, bindings = selection_recipe(workspace, dataset.fingerprint, wish)
    except CurationError as error:
        error_box(error)
        return
    run_panel(
        workspace, recipe, bindings, title=f"{CHECKED}: {dataset.name}", label="Look for evaluation rows",
        icon=":material/policy:", key="contamination.run",
    )  # fmt: skip


def evidence_panel(dataset: Dataset, found: list[Stored]) -> None:
    """What a check found, and every pair side by side."""
    by_key = {s.key: s for s in found}
    key = st.selectbox("Check", list(by_key), key="contamination.which", format_func=lambda k: _name(by_key[k]))
    stored = by_key[key]
    labels, info = stored.labels, stored.labels.info
    counts = np.bincount(np.maximum(np.asarray(labels.codes), 0), minlength=len(labels.names))
    rows = int(counts[1:].sum())
    stat_tiles(
        [
            Tile("Rows that match", number(rows), "They hold a row of the evaluation file", percent(rows, len(labels))),
            Tile(
                "Evaluation rows found",
                number(int(info["evaluation_rows_found"])),
                "In at least one row of the pool",
                percent(int(info["evaluation_rows_found"]), int(info["evaluation_rows"])),
            ),
        ]
    )
    stat_tiles(
        [
            Tile(plain(RULES.get(name, name)), number(int(count)), "Rows; each counts for the first rule that found it")
            for name, count in zip(labels.names[1:], counts[1:], strict=True)
        ]
    )
    st.caption(plain("Rules: " + "; ".join(map(str, info["rules"]))) + ".")
    pairs = list(evidence(labels))
    if not pairs:
        st.success("No row of the pool matches a row of the evaluation file.", icon=":material/verified:")
        return
    _pairs(dataset, pairs, str(info["evaluation_fingerprint"]), key)


def _name(stored: Stored) -> str:
    return plain(f"against {stored.labels.info.get('evaluation', '?')} · {when(stored.info.created)}")


def _pairs(dataset: Dataset, pairs: list[Evidence], evaluation: str, key: str) -> None:
    @st.fragment
    def body() -> None:
        at = st.number_input(f"Pair, 1 to {len(pairs)}", 1, len(pairs), key=f"contamination.pair.{key}", width=180)
        pair = pairs[int(at) - 1]
        run = f", longest shared run {pair.longest_run} words" if pair.longest_run else ""
        st.markdown(f"**{pair.rule}**: {pair.value:.3f}{run}")
        left, right = st.columns(2, gap="medium")
        with left:
            row_card(dataset, pair.row, why="out: it holds the row beside it", key="contamination.ours")
        with right:
            try:
                other = session.workspace().dataset(evaluation)
            except CurationError:
                st.info("The evaluation file is no longer in this workspace.", icon=":material/folder_off:")
                return
            row_card(other, pair.evaluation_row, key="contamination.theirs")

    body()
