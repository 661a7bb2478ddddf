"""Learnability: what training on the pool does to the loss of every row."""

import streamlit as st

from curation.ui import pool, session
from curation.ui.components import empty_state, next_step, page_header
from curation.ui.learnability_ask import LEARN, ask_learnability
from curation.ui.learnability_view import (
    groups_panel,
    losses_panel,
    result_choice,
    results,
    rows_panel,
    verdict,
)
from curation.ui.run_panel import follow
from curation.ui.score_view import THRESHOLD, score_panel

page_header(
    "Learnability",
    "What a model can learn from each row: its loss before and after training on the pool. See which rows are known "
    "already, too hard or made worse, and whether the score says anything beyond the loss after training.",
    icon=":material/school:",
)
dataset = session.need_dataset()
workspace = session.workspace()
found = results(dataset.fingerprint)
running = follow(workspace, dataset, LEARN, THRESHOLD, key="learnability")
if not found and not running:
    empty_state(
        ":material/school:", "The losses of these rows have not been taken yet.",
        hint="Train a model on them below, or bring losses from a training elsewhere.",
    )  # fmt: skip
form = st.expander(
    "Take losses", icon=":material/model_training:", expanded=not found and not running, on_change="rerun",
    key=f"learnability.form.{bool(found)}.{bool(running)}",
)  # fmt: skip
if form.open:
    with form:
        ask_learnability(workspace, dataset)
if found:
    stored = result_choice(found)
    verdict(stored)
    losses_panel(dataset, stored)
    groups_panel(dataset, stored)
    rows_panel(dataset, stored)
    score_panel(workspace, dataset, stored, pool.scores(dataset.fingerprint))
    next_step("Select rows", "pages/select.py")
