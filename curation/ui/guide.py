"""The guided path of the Start page: look, remove duplicates, select as jobs on one recipe, then the export.

How far a dataset has come is read from the jobs on disk, never from the session: closing the page loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import yaml

from curation import jobs
from curation.complete.stored import reached_from
from curation.core.artifacts import Artifact
from curation.core.dataset import Dataset
from curation.jobs import Status
from curation.recipe import Recipe
from curation.workspace import Workspace

Stage = Literal["look", "unique", "pick"]
STAGES: tuple[Stage, ...] = ("look", "unique", "pick")
PRESET = "first-look"
TITLES: dict[Stage, str] = {
    "look": "First look",
    "unique": "Remove duplicates",
    "pick": "Select rows",
}
PREVIEW_STEPS: dict[str, dict[str, Any]] = {
    "words": {"use": "encoder/tfidf", "on": "$pool"},
    "near": {"use": "neighbours", "features": "$words", "exact_up_to": 10_000, "approximate": "cells"},
    "preview": {"use": "layout", "neighbours": "$near", "features": "$words", "preview": True},
    "length": {"use": "scorer/length", "on": "$pool"},
}
"""A map without a model, in seconds; the map by meaning comes with the selection."""
WANTED: dict[Stage, tuple[str, ...]] = {
    "unique": ("answered",),
    "pick": ("clusters", "coverage", "pick"),
}
FORMAT_OF_FORM = {"sharegpt": "sharegpt", "messages": "messages", "prompt-completion": "prompt-completion"}
"""The form a file came in → the format it is written in; everything else becomes Alpaca."""


def stage_recipe(stage: Stage, *, budget: int | str = "10%", similarity: float | None = None) -> Recipe:
    """The recipe of one stage; a later stage repeats the steps of the earlier ones, whose results are stored by then.

    Args:
        stage: Which.
        budget: Rows to pick.
        similarity: From which likeness on two rows are duplicates; None = the method's default.
    """
    if stage == "look":
        return Recipe.read({"inputs": {"pool": "Dataset"}, "steps": PREVIEW_STEPS, "result": "$preview"})
    whole = Recipe.read(PRESET)
    steps = {name: dict(step) for name, step in whole.steps.items()}
    steps["pick"]["budget"] = budget
    if similarity is not None:
        steps["duplicates"]["min_similarity"] = similarity
    return reached_from(whole.model_copy(update={"steps": steps}), WANTED[stage])


def default_format(dataset: Dataset) -> str:
    """The export format nearest to the form that most files of the dataset came in."""
    forms = [str(s.get("form", "")) for s in dataset.facts.get("sources", [])] or dataset.table["form"][:1].to_pylist()
    return FORMAT_OF_FORM.get(max(forms, key=forms.count, default=""), "alpaca")


@dataclass(frozen=True)
class Progress:
    """How far one stage has come.

    Args:
        stage: Which.
        status: Of its newest job, None when there was none.
        keys: Step → key of its result, for steps that are finished and stored.
        settings: Fields of the steps as that job's recipe has them.
    """

    stage: Stage
    status: Status | None
    keys: dict[str, str]
    settings: dict[str, dict[str, Any]]

    @property
    def done(self) -> bool:
        """True when its job is done and its results are still there."""
        return self.status is not None and self.status.state == "done" and all(self.keys.values())

    @property
    def running(self) -> bool:
        """True while its job has not ended."""
        return self.status is not None and not self.status.ended


def title_of(stage: Stage, dataset: str) -> str:
    """Title of a stage's job; also how the job is found again."""
    return f"{TITLES[stage]}: {dataset}"


def progress(workspace: Workspace, dataset: Dataset) -> dict[Stage, Progress]:
    """How far a dataset has come on the guided path. Reads the list of jobs."""
    newest: dict[str, Status] = {}
    for status in sorted(jobs.listing(workspace), key=lambda s: -s.started):
        if dataset.fingerprint in status.datasets:
            newest.setdefault(status.title.split(":")[0], status)
    return {stage: _progress(workspace, stage, newest.get(TITLES[stage])) for stage in STAGES}


def _progress(workspace: Workspace, stage: Stage, status: Status | None) -> Progress:
    if status is None:
        return Progress(stage, None, {}, {})
    keys = {str(s["name"]): str(s["key"]) if workspace.has(s["key"]) else "" for s in status.steps}
    steps = yaml.safe_load(jobs.recipe_of(workspace, status.id))["steps"]
    return Progress(stage, status, keys, steps)


def start(workspace: Workspace, dataset: Dataset, stage: Stage, recipe: Recipe) -> str:
    """Start a stage's job; returns its id."""
    return jobs.start(workspace, recipe, {"pool": dataset.fingerprint}, title=title_of(stage, dataset.name)).id


def loaded(workspace: Workspace, progress: Progress, step: str) -> Artifact | None:
    """The artifact of a finished step, None when it is not there (yet)."""
    key = progress.keys.get(step)
    return workspace.load(key) if key and workspace.has(key) else None


def budget_of(progress: Progress) -> int | str:
    """The budget that the selection was made with, the preset's before there is one."""
    steps = progress.settings or Recipe.read(PRESET).steps
    return steps["pick"]["budget"]
