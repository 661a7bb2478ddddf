"""Scores: what can be said about every row, how it is spread, and where to cut."""

import streamlit as st

from curation.ui import pool, session
from curation.ui.components import empty_state, next_step, page_header
from curation.ui.formula_view import FORMULA, formula_panel
from curation.ui.labels_view import labels_panel
from curation.ui.model_ask import MODEL, ask_model
from curation.ui.model_view import models_panel, stored_models
from curation.ui.run_panel import follow
from curation.ui.score_ask import SCORES, ask_indicators
from curation.ui.score_closer import closer_panel
from curation.ui.score_overview import overview_panel
from curation.ui.score_view import THRESHOLD
from curation.ui.view_bar import view_bar

page_header(
    "Scores",
    "Numbers and labels for every row. Compute some, see how they are spread, move a threshold and see at once what it "
    "keeps.",
    icon=":material/bar_chart:",
)
dataset = session.need_dataset()
workspace = session.workspace()
scores = pool.scores(dataset.fingerprint)
labels = pool.labels(dataset.fingerprint)
running = follow(workspace, dataset, SCORES, FORMULA, THRESHOLD, MODEL, key="scores")
form = st.expander(
    "Compute indicators", icon=":material/add_chart:", expanded=not scores and not running, on_change="rerun",
    key=f"scores.form.{bool(scores)}.{bool(running)}",
)  # fmt: skip
if form.open:
    with form:
        ask_indicators(workspace, dataset)
if scores:
    view = view_bar(dataset, key="scores.view")
    clicked = overview_panel(dataset, scores, view)
    closer_panel(workspace, dataset, scores, view, clicked)
    formula_panel(workspace, dataset, scores)
if labels:
    labels_panel(labels)
models = stored_models(dataset)
if models:
    seen = st.expander(f"Models ({len(models)})", icon=":material/neurology:", on_change="rerun", key="scores.models")
    if seen.open:
        with seen:
            models_panel(dataset, models)
train = st.expander("Train a model", icon=":material/model_training:", on_change="rerun", key="scores.train")
if train.open:
    with train:
        ask_model(workspace, dataset)
if scores:
    next_step("Select rows", "pages/select.py")
elif not running:
    empty_state(
        ":material/bar_chart:", "No row has a score yet.",
        hint="Compute some above: length, diversity of words, repetition, readability, refusals, copies, language …",
    )  # fmt: skip
