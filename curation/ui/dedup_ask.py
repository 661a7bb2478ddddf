"""Finding duplicates: one recipe with the three kinds, each down to a low similarity, so thresholds can be moved."""

from __future__ import annotations

import streamlit as st

from curation.complete import complete, merge
from curation.complete.stored import tidy
from curation.core.dataset import Dataset
from curation.recipe import Recipe, plan
from curation.ui.run_panel import run_panel
from curation.workspace import Workspace

FIND = "Duplicates"
KINDS = ("labeller/exact-duplicates", "labeller/near-duplicates", "labeller/semantic-duplicates")
FLOORS = {"labeller/near-duplicates": 0.5, "labeller/semantic-duplicates": 0.8}
"""Lowest similarity that is looked for; the page's thresholds begin here."""


def find_recipe(workspace: Workspace, dataset: str, semantic: bool) -> tuple[Recipe, dict[str, str]]:
    """The recipe that finds duplicates of all kinds, and its bindings."""
    steps: dict[str, dict[str, object]] = {}
    result = ""
    for use in KINDS[: None if semantic else 2]:
        values = {"min_similarity": FLOORS[use]} if use in FLOORS else {}
        part = complete(use, values)
        result = merge(steps, part.steps)[part.result.removeprefix("$")]
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": f"${result}"})
    bindings = {"pool": dataset}
    return tidy(recipe, plan(recipe, workspace, bindings)), bindings


def ask_duplicates(workspace: Workspace, dataset: Dataset) -> None:
    """The estimate, and the button that looks for duplicates."""
    semantic = st.toggle(
        "By meaning as well", True, key="dedup.semantic", persist_state="session",
        help="Needs a vector for every row, which takes by far the most time where there are none yet",
    )  # fmt: skip
    recipe, bindings = find_recipe(workspace, dataset.fingerprint, semantic)
    run_panel(
        workspace, recipe, bindings, title=f"{FIND}: {dataset.name}", label="Find duplicates",
        icon=":material/content_copy:", key="dedup.run", shortcut="Ctrl+Enter",
    )  # fmt: skip
