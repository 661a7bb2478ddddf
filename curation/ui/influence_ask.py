"""Asking for influence: the target, the model and its warm-up, what it takes on disk, and the run."""

from __future__ import annotations

from typing import Any, Literal

import streamlit as st

from curation.core.dataset import Dataset
from curation.core.method import discover, find
from curation.ui import view_state
from curation.ui.components import errors_shown, method_about
from curation.ui.forms import method_form
from curation.ui.influence_recipe import LESS, MATCH, Wish, disk_bytes, influence_recipe
from curation.ui.influence_target import Aim, ask_target
from curation.ui.ports import SCRATCH, ask_base
from curation.ui.run_panel import run_panel
from curation.ui.text import number, plain, size
from curation.workspace import Workspace

INFLUENCE = "Influence"
"""Kind of the jobs that compute it."""
KEY = "influence"
PUBLISHED = Wish()
COPIES = 2
"""Of gradient features: the artifact, and the store of rows."""
SMALL = Wish(share=30.0, rank=8, batch=16, width=512)
"""For scratch: its adapters are small, and its few rows would make a single step of the published batch."""
ASKED = {
    "warm": ("method", "epochs", "batch_rows", "lora_rank", "lora_alpha", "template", "max_tokens"),
    "rows": ("width", "checkpoints"),
    "value": (),
}
"""Fields of these steps that have a widget of their own or follow from another one."""
STEPS = {
    "warm": ("The warm-up", "trainer/warmup"),
    "rows": ("The gradients", "encoder/gradients"),
    "value": ("The comparison", LESS),
}


def ask_influence(workspace: Workspace, dataset: Dataset) -> None:
    """The whole form; a click on its button starts the job."""
    left, right = st.columns([3, 2], gap="large")
    with right, st.container(border=True, key=f"{KEY}.about"):
        method_about(
            find(LESS), when="You know what the model shall be able to do, and have ten to a hundred examples of it."
        )
    with left:
        st.markdown("##### 1 · The target")
        aim = ask_target(workspace, dataset)
        st.markdown("##### 2 · The model")
        wish = _model(dataset, aim)
    if aim is None:
        st.caption(":material/edit: First the target rows.")
        return
    if wish is None:
        return
    with errors_shown():
        recipe, bindings = influence_recipe(
            workspace, dataset.fingerprint, aim.target, wish, view_state.sources(dataset)
        )
        run_panel(
            workspace, recipe, bindings, title=f"{INFLUENCE}: {dataset.name}", label="Compute influence",
            icon=":material/my_location:", key=f"{KEY}.run", shortcut="Ctrl+Enter",
        )  # fmt: skip
        with st.expander("The recipe that this button runs", icon=":material/receipt_long:"):
            st.code(recipe.yaml(), language="yaml")


def _model(dataset: Dataset, aim: Aim | None) -> Wish | None:
    base = ask_base(key=f"{KEY}.base")
    usual = SMALL if base == SCRATCH else PUBLISHED
    key = f"{KEY}.{'small' if usual is SMALL else 'published'}"
    if base == SCRATCH:
        st.warning(
            "**Scratch knows next to nothing.** What it finds shows how the page works and says something about these "
            "texts; which rows a real model learns from is another question.",
            icon=":material/science:",
        )
    first = st.columns(4, vertical_alignment="bottom")
    with first[0]:
        share = st.number_input(
            "Warm-up share, %", 0.1, 100.0, usual.share, 1.0, "%g", key=f"{key}.share",
            help="Of the rows, drawn at random, that the model is first trained on; published: 5. Without this "
            "training gradients select as chance does",
        )  # fmt: skip
    with first[1]:
        epochs = st.number_input(
            "Epochs", 1, 20, usual.epochs, key=f"{key}.epochs", help="Passes over them; each leaves a checkpoint"
        )
    with first[2]:
        rank = st.number_input(
            "Rank", 1, 1024, usual.rank, key=f"{key}.rank", help="Of the adapters (LoRA); published: 128"
        )
    with first[3]:
        batch = st.number_input("Rows a step", 1, 4096, usual.batch, key=f"{key}.batch", help="Published: 128")
    store = _ask_store()
    second = st.columns(4, vertical_alignment="bottom")
    with second[0]:
        width = st.number_input(
            "Width", 16, 65_536, usual.width, key=f"{key}.width", disabled=not store,
            help="Numbers that a gradient is projected to; published: 8,192. Fewer blur small differences",
        )  # fmt: skip
    with second[1]:
        checkpoints: Literal["all", "last"] = st.selectbox(
            "Checkpoints", ("all", "last"), key=f"{key}.checkpoints",
            help="The last one alone costs a fraction, and finds a little less",
        )  # fmt: skip
    values, sound = _more(store)
    wish = Wish(base, float(share), int(epochs), int(rank), int(batch), int(width), checkpoints, store, values)
    _disk(dataset, aim, wish)
    if not base:
        st.caption(":material/edit: Still to be set: the base model.")
        return None
    return wish if sound else None


def _ask_store() -> bool:
    """Whether gradient features are kept; without a choice while there is only one way."""
    if MATCH not in discover():
        return True
    way = st.segmented_control(
        "Gradients", ["store", "pass"], default="store", required=True, key=f"{KEY}.store",
        format_func={"store": "kept on disk", "pass": "used at once"}.__getitem__,
        help="Kept, another target costs almost nothing, and geometric selectors can read them. Used at once they take "
        "no disk, but every target reads all rows again",
    )  # fmt: skip
    return bool(way == "store")


def _more(store: bool) -> tuple[dict[str, Any], bool]:
    """Further settings of the steps as STEP.FIELD; False when some are wrong."""
    values: dict[str, Any] = {}
    sound = True
    with st.expander("More settings", icon=":material/tune:"):
        for (name, (title, use)), tab in zip(STEPS.items(), st.tabs([t for t, _ in STEPS.values()]), strict=True):
            with tab:
                hide = (*ASKED[name], *(() if store or name != "rows" else ("projection", "seed")))
                form = method_form(find(use), key=f"{KEY}.form.{name}", hide=hide)
                sound = sound and form.method is not None
                values |= {f"{name}.{k}": v for k, v in form.changed.items() if k not in ASKED[name]}
                if name == "rows":
                    st.caption(f"{plain(title)} of the target rows are taken alike, without the direction of Adam.")
    return values, sound


def _disk(dataset: Dataset, aim: Aim | None, wish: Wish) -> None:
    if not wish.store:
        st.markdown(":material/hard_drive: No gradients are kept: the scores take 64 bytes a row.")
        return
    checkpoints = wish.epochs if wish.checkpoints == "all" else 1
    rows = len(dataset) + (aim.used if aim is not None else 0)
    total = COPIES * disk_bytes(rows, wish.width, wish.epochs, wish.checkpoints)
    st.markdown(
        f":material/hard_drive: **{size(total)} on disk**: {number(rows)} rows × {checkpoints} "
        f"checkpoint{'s' if checkpoints > 1 else ''} × {number(wish.width)} numbers × 2 bytes, kept "
        "twice: as features, and by row, so that of a changed file only new rows are read."
    )
