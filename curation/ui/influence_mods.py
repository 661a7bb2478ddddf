"""MoDS: what each of its stages left, and its two thresholds, each change a new run that reuses what it can."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Dataset
from curation.recipe import Recipe
from curation.ui import pool, session
from curation.ui.components import Tile, chart, empty_state, errors_shown, mode, next_step, stat_tiles
from curation.ui.pool import Stored
from curation.ui.run_panel import follow, run_panel
from curation.ui.text import number, percent, plain
from curation.ui.weak import is_weak, weak_note
from curation.workspace import Workspace

PRESET = "mods"
MODS = "MoDS"
"""Kind of the jobs that this tab starts."""
KEY = "influence.mods"
STAGES = ("quality", "good", "seed", "need", "weak", "final")
"""Steps that a run must have to be shown."""


@dataclass(frozen=True)
class Run:
    """A finished run of the preset.

    Args:
        stored: Its result.
        keys: Step → key of its result, for everything that the result was made from.
    """

    stored: Stored
    keys: Mapping[str, str]

    def score(self, step: str) -> Score:
        """The score that a step made."""
        return cast(Score, session.artifact(self.keys[step]))

    def rows(self, step: str) -> np.ndarray:
        """The rows that a step selected, int64."""
        return np.asarray(cast(Selection, session.artifact(self.keys[step])).order, np.int64)


def steps_behind(manifest_of: Callable[[str], Mapping[str, Any]], key: str) -> dict[str, str]:
    """Step → key of everything that a result was made from, itself included."""
    found: dict[str, str] = {}
    left = [key]
    while left:
        here = left.pop()
        manifest = manifest_of(here)
        step = str(manifest.get("step", ""))
        if not step or step in found:
            continue
        found[step] = here
        ports = [
            v for value in manifest.get("ports", {}).values() for v in (value if isinstance(value, list) else [value])
        ]
        within = manifest.get("within")
        left += [v for v in [*ports, *([within[1]] if within else [])] if isinstance(v, str)]
    return found


def funnel_of(run: Run, n: int) -> tuple[list[str], np.ndarray]:
    """Names and counts of the stages, never increasing."""
    names = ["all rows", "with a reward", "good: reward beyond α", "with a reward of the model's answer",
             "necessary: that reward below β"]  # fmt: skip
    counts = [
        n,
        int(np.isfinite(run.score("quality").values).sum()),
        len(run.rows("good")),
        int(np.isfinite(run.score("need").values).sum()),
        len(run.rows("weak")),
    ]
    if "more" in run.keys:
        names.append("picked from these by k-center")
        counts.append(len(run.rows("more")))
    return names, np.array(counts, np.int64)


def runs(workspace: Workspace, fingerprint: str) -> list[Run]:
    """Finished runs of the preset whose steps are all stored, newest first."""
    title = str(Recipe.read(PRESET).about.get("title", ""))
    found = []
    for stored in pool.selections(fingerprint):
        recipe = str(stored.info.manifest.get("recipe", ""))
        if pool.preset_title(stored.key, stored.info.step, recipe) != title:
            continue
        keys = steps_behind(lambda key: workspace.manifest(key) if workspace.has(key) else {}, stored.key)
        if all(step in keys for step in STAGES):
            found.append(Run(stored, keys))
    return sorted(found, key=lambda run: -run.stored.info.created)


def bound_of(run: Run, step: str, side: str) -> float:
    """The threshold that a step used, also where it was asked for as a quantile."""
    manifest = (
        run.stored.info.manifest if run.keys[step] == run.stored.key else session.workspace().manifest(run.keys[step])
    )
    value = manifest.get("parameters", {}).get(side)
    if value is None:
        value = cast(Selection, session.artifact(run.keys[step])).info.get(side, float("nan"))
    return float(value)


def changed_recipe(recipe: str, alpha: float | None, beta: float | None) -> Recipe:
    """The recipe of a run with other thresholds; None leaves one as it is."""
    whole = Recipe.read(recipe)
    steps = {name: dict(step) for name, step in whole.steps.items()}
    for step, side, value in (("good", "above", alpha), ("weak", "below", beta)):
        if value is not None:
            steps[step].pop(f"{side}_quantile", None)
            steps[step][side] = value
    return whole.model_copy(update={"steps": steps})


# ------------------------------------------------------------------ the tab


def mods_view(workspace: Workspace, dataset: Dataset) -> None:
    """The newest run as a funnel, its rewards with the thresholds, and another run."""
    follow(workspace, dataset, MODS, key=f"{KEY}.jobs")
    found = runs(workspace, dataset.fingerprint)
    if not found:
        empty_state(
            ":material/filter_alt:", "MoDS has not been run on these rows yet.",
            hint="A reward model keeps good rows; the model that will be trained answers them, and the rows that it "
            "answers badly are necessary. Choose the preset MoDS on the Select page; its stages then show here.",
            action="Choose it on Select", page="pages/select.py",
        )  # fmt: skip
        return
    names = {run.stored.key: run for run in found}
    chosen = st.selectbox("Run", list(names), key=f"{KEY}.run", format_func=lambda k: names[k].stored.name)
    run = names[chosen]
    need = run.score("need")
    if is_weak(need.info):
        st.warning(
            "**A scratch model gave these answers.** It answers everything badly, so nearly every good row seems "
            "necessary: this shows the stages and is no evidence.",
            icon=":material/science:",
        )
        weak_note(need.info)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _funnel(run, len(dataset))
    with right:
        _tiles(run)
        next_step("See and export the rows", "pages/select.py")
    alpha, beta = _thresholds(run)
    if alpha is None and beta is None:
        st.caption(":material/tune: Move a threshold, and another run can be started from what is stored.")
        return
    if alpha is not None:
        st.caption(
            ":material/info: Another α means other good rows and another seed: the model is trained on it and answers "
            "anew. The rewards of the rows are reused."
        )
    else:
        st.caption(":material/info: Another β reuses everything up to the answers' rewards.")
    with errors_shown():
        run_panel(
            workspace, changed_recipe(str(run.stored.info.manifest["recipe"]), alpha, beta),
            dict(run.stored.info.manifest["bindings"]), title=f"{MODS}: {dataset.name}", label="Run with these",
            key=f"{KEY}.again",
        )  # fmt: skip


def _funnel(run: Run, n: int) -> None:
    from curation.figures.funnel import funnel_figure

    names, counts = funnel_of(run, n)
    chart(
        funnel_figure(names, counts, mode=mode()), key=f"{KEY}.funnel.{run.stored.key}", alt="Rows left by each stage"
    )
    missing = run.score("need").missing.counts()
    told = "; ".join(f"{number(c)}: {plain(why)}" for why, c in missing.items() if not why.startswith("outside"))
    if told:
        st.caption(f":material/help: Good rows without a reward of their answer: {told}.")


def _tiles(run: Run) -> None:
    seed, final = run.rows("seed"), run.rows("final")
    second = np.setdiff1d(final, seed)
    stat_tiles([
        Tile("Seed", number(len(seed)), "Good rows that a k-center search spreads out; the model is trained on them "
             "before it answers", "trained on"),
        Tile("Necessary", number(len(second)), "Good rows beyond the seed that the model answers badly", "added"),
        Tile("Kept", number(len(final)), "Seed and necessary rows together",
             f"{percent(len(seed), len(final))} seed"),
    ])  # fmt: skip


def _thresholds(run: Run) -> tuple[float | None, float | None]:
    """The two rewards with their thresholds; a value where it was moved, None where it stays."""
    left, right = st.columns(2, gap="medium")
    with left:
        alpha = _cut(run, "quality", "good", "above", "α: good rows have more reward than this")
    with right:
        beta = _cut(run, "need", "weak", "below", "β: answers to necessary rows have less reward than this")
    return alpha, beta


def _cut(run: Run, scored: str, step: str, side: str, label: str) -> float | None:
    from curation.figures.distribution import distribution_figure

    score = run.score(scored)
    values = np.asarray(score.values, np.float64)
    used = bound_of(run, step, side)
    key = f"{KEY}.{step}.{run.stored.key}"
    value = float(
        st.number_input(
            label,
            value=used,
            format="%.4f",
            key=key,
            step=_step(values),
            help="In units of the reward model. Published: 0, which says nothing about another reward model",
        )  # fmt: skip
    )
    keep = "above" if side == "above" else "below"
    chart(
        distribution_figure(values, name=score.name, cut=value, keep=keep, height=220, mode=mode()),  # type: ignore[arg-type]
        key=f"{key}.distribution", alt=f"{label}, and all rewards",
    )  # fmt: skip
    known = values[np.isfinite(values)]
    kept = int((known > value).sum() if side == "above" else (known < value).sum())
    st.caption(f"{number(kept)} of {number(len(known))} rows.")
    return None if value == used else value


def _step(values: np.ndarray) -> float:
    """A hundredth of the middle of the values."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.1
    low, high = np.quantile(known, [0.05, 0.95])
    return float(max((high - low) / 100, 1e-4))
