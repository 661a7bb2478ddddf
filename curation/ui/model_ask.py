"""Training a model on the rows: trainer, its inputs and parameters, which rows, then the estimate."""

from __future__ import annotations

from typing import Any

import streamlit as st

from curation.complete import complete
from curation.complete.stored import Parts
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import discover, find
from curation.recipe import Input
from curation.ui import pool
from curation.ui.components import error_box, method_about
from curation.ui.forms import method_form
from curation.ui.indicators import with_base
from curation.ui.pool import title_of
from curation.ui.ports import SCRATCH, ask_base, ask_ports, needs_model
from curation.ui.run_panel import run_panel
from curation.workspace import Workspace

MODEL = "Model"


def trainers() -> list[str]:
    """Recipe names of everything that trains or loads a model."""
    return [use for use, cls in discover().items() if cls.family == "trainer"]


def ask_model(workspace: Workspace, dataset: Dataset) -> None:
    """The whole form; a click on its button starts the job."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        use = st.selectbox(
            "What to train", trainers(), key="models.use", format_func=title_of, persist_state="session",
            help="A model becomes an input of the scores that read one",
        )  # fmt: skip
    cls = find(use)
    with right, st.container(border=True, key="models.about"):
        method_about(cls)
    with left:
        base = ask_base(key="models.base") if needs_model(cls) else SCRATCH
        ports, missing = ask_ports(dataset, cls, key=f"models.port.{use}")
        names = {s.key: s.name for s in pool.selections(dataset.fingerprint)}
        within = st.selectbox(
            "Rows to train on", ["", *names], key="models.within", format_func=lambda k: names.get(k, "all rows"),
            help="A stored selection, or all rows",
        )  # fmt: skip
        form = method_form(cls, key=f"models.form.{use}")
    if missing or not base:
        st.warning(missing or "Still to be set: the base model.", icon=":material/edit:")
        return
    if form.method is None:
        return
    parts = Parts(workspace, dataset.fingerprint)
    values: dict[str, Any] = dict(form.changed)
    for port, keys in ports.items():
        values[port] = [parts.add(k) for k in keys] if isinstance(keys, list) else parts.add(keys)
    if within:
        values["within"] = parts.add(within)
    try:
        recipe = complete(use, values, steps=parts.steps)
        inputs = {name: Input(type=kind) for name, kind in parts.inputs.items()}
        recipe = recipe.model_copy(update={"inputs": inputs, "steps": with_base(recipe.steps, base)})
    except CurationError as error:
        error_box(error)
        return
    run_panel(
        workspace, recipe, parts.bindings, title=f"{MODEL}: {dataset.name}, {title_of(use)}", label="Train",
        key="models.run", icon=":material/model_training:",
    )  # fmt: skip
