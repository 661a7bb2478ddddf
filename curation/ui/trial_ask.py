"""Asking for a trial: selections, what is trained, the trusted evaluation set, seeds, then the estimate."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, cast

import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.labellers.column import labels_of
from curation.recipe import Recipe, preset_names
from curation.trial import TrialAgainstRandom
from curation.ui import pool, session
from curation.ui.components import error_box
from curation.ui.forms import budget_input, method_form
from curation.ui.method_choice import title_of_use
from curation.ui.pool import Stored
from curation.ui.ports import ask_base
from curation.ui.preset_ask import ask_preset
from curation.ui.run_panel import run_panel
from curation.ui.select_recipe import preset_inputs
from curation.ui.text import number, plain
from curation.ui.trial_recipe import Kind, TrialWish, Trusted, trial_command, wished_trial
from curation.workspace import Workspace

TRIAL = "Trial"
MOST = 6
LANGUAGE, CLASSES = "language", "classes"
FRONT = ("train_tokens", "random_seeds", "seeds", "length_matched")
"""Fields that are asked for first; the others are folded away."""
MOST_VALUES = 200
"""A field with more values than this is no grouping to choose from."""
UNTRUSTED = (
    "**Without an evaluation set that you vouch for, this trial can only say how well each arm resembles the pool.** "
    "It measures on rows that are held out of the pool by chance. Where the pool is dirty, these are dirty too, and "
    "the arm that holds the most dirt comes out best. Name rows you trust and it can say what beats random."
)
KINDS: dict[Kind, str] = {
    "none": "none",
    "source": "by source",
    "field": "by field",
    "labels": "by label",
    "selection": "a selection",
    "file": "another dataset",
}


def ask_trial(workspace: Workspace, dataset: Dataset) -> None:
    """The whole form; a click on its button starts the job."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        selections, budget, told, untold = _selections(dataset)
        learner = _learner(dataset)
        trusted = _trusted(dataset)
        front, form, groups, duplicates = _settings(dataset, learner)
    with right:
        _about(front, selections)
        if trusted is not None and trusted.kind == "none":
            st.warning(UNTRUSTED, icon=":material/shield_question:")
    missing = ", ".join(filter(None, [untold, _missing(selections, learner, trusted)]))
    if missing:
        st.warning(f"Still to be set: {missing}.", icon=":material/edit:")
        return
    if form is None or trusted is None:
        return
    wish = TrialWish(
        tuple(selections),
        budget,
        trusted=trusted,
        groups=groups,
        duplicates=duplicates,
        values=form,
        settings=told,
        **learner,
    )
    try:
        recipe, bindings = wished_trial(workspace, dataset.fingerprint, wish)
    except CurationError as error:
        error_box(error)
        return
    run_panel(
        workspace, recipe, bindings, title=f"{TRIAL}: {dataset.name}", label="Run the trial", key="trial.run",
        icon=":material/science:", shortcut="Ctrl+Enter",
    )  # fmt: skip
    command_view(recipe, bindings, trial_command(workspace, dataset.name, wish))


def command_view(recipe: Recipe, bindings: Mapping[str, str], short: list[str] | None = None) -> None:
    """The same trial on the command line.

    Args:
        recipe: Of the trial.
        bindings: Of its inputs.
        short: The words of `curate trial`, where they can say it.
    """
    with st.expander("The same on the command line", icon=":material/terminal:"):
        if short is not None:
            st.code(shlex.join(short), language="bash", wrap_lines=True)
            st.caption("or as a recipe:")
        names = {d.fingerprint: d.name for d in session.workspace().datasets()}
        command = ["curate", "run", "trial.yaml"]
        for name, key in bindings.items():
            found = names.get(key, key)
            command += ["--dataset", found] if name == "pool" else ["--input", f"{name}={found}"]
        st.code(shlex.join(command), language="bash", wrap_lines=True)
        st.caption("with this text as `trial.yaml`:")
        st.code(recipe.yaml(), language="yaml")


def made_by(stored: Stored) -> None:
    """The same view for a trial that was run."""
    text = str(stored.info.manifest.get("recipe", ""))
    if text:
        command_view(Recipe.read(text), dict(stored.info.manifest.get("bindings", {})))


# ------------------------------------------------------------------ what is tried


def _selections(dataset: Dataset) -> tuple[list[str], int | str | None, dict[str, list[str]], str]:
    """Keys of selections and names of presets, the budget and the settings of the presets, and what they lack."""
    names = {s.key: s.name for s in pool.selections(dataset.fingerprint)}
    # those that read further datasets are run on the Select page first
    presets = {p: title_of_use(p) for p in preset_names() if not preset_inputs(p)}
    first = [next(iter(names))] if names else []
    chosen = st.multiselect(
        "Selections to try", [*names, *presets], first, max_selections=MOST, key="trial.selections",
        format_func=lambda k: names.get(k) or presets.get(k, k), placeholder="Choose one to six",
        help="Stored selections, or recipes that are run first. Each is trained on and compared with random rows of "
        "the same number",
    )  # fmt: skip
    budget = None
    if any(c in presets for c in chosen):
        budget = budget_input("Budget of the recipes", key="trial.budget", start="10%", rows=len(dataset))
    told: dict[str, list[str]] = {}
    untold: list[str] = []
    for preset in (c for c in chosen if c in presets):
        with st.container(border=True, key=f"trial.preset.{preset}"):
            st.caption(plain(presets[preset]))
            told[preset], missing = ask_preset(dataset, preset, key="trial.preset")
            untold += [missing] if missing else []
    return chosen, budget, told, ", ".join(untold)


def _learner(dataset: Dataset) -> dict[str, str]:
    """What is trained, as fields of the wish."""
    labels = [s for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)]
    kinds = {LANGUAGE: "language model", CLASSES: "classifier on labels"}
    kind = st.segmented_control(
        "What is trained", list(kinds), default=LANGUAGE, required=True, format_func=kinds.__getitem__,
        key="trial.learner",
        help="A language model is measured by its loss on the answers; a classifier on vectors of the texts by its "
        "accuracy on labels",
    )  # fmt: skip
    if kind == CLASSES:
        if not labels:
            st.info("There are no labels yet: compute some on the Scores page.", icon=":material/label:")
            return {"classes": ""}
        names = {s.key: s.name for s in labels}
        return {"classes": st.selectbox("Labels", list(names), format_func=names.__getitem__, key="trial.classes")}
    return {"base": ask_base(key="trial.base")}


# ------------------------------------------------------------------ evaluation set


def _trusted(dataset: Dataset) -> Trusted | None:
    """The evaluation set, None while it is not fully named."""
    stored = [s for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)]
    others = [d for d in session.workspace().datasets() if d.fingerprint != dataset.fingerprint]
    there: dict[Kind, bool] = {
        "none": True,
        "source": len(dataset.facts.get("sources", [])) > 1,
        "field": bool(dataset.field_names()),
        "labels": bool(stored),
        "selection": bool(pool.selections(dataset.fingerprint)),
        "file": bool(others),
    }
    kind = st.segmented_control(
        "Trusted evaluation set", [k for k, there_is in there.items() if there_is], default="none", required=True,
        format_func=lambda k: KINDS[k], key="trial.trusted", wrap=True,
        help="Rows you vouch for, because you wrote or checked them. They and their copies are kept out of every "
        "arm, and all arms are measured on them",
    )  # fmt: skip
    if kind == "none":
        return Trusted()
    if kind == "source":
        return _with_values(kind, list(dataset.facts["sources"]), "Sources you trust")
    if kind == "field":
        fields = dataset.field_names()
        field = st.selectbox("Field", fields, key="trial.trusted.field", format_func=plain)
        found = _values(str(session.workspace().root), dataset.fingerprint, field, dataset)
        if found is None:
            st.caption(f"More than {MOST_VALUES} different values, or none: choose another field.")
            return None
        return _with_values(kind, found, "Values you trust", field=field)
    if kind == "labels":
        names = {s.key: s.name for s in stored}
        key = st.selectbox("Labels", list(names), format_func=names.__getitem__, key="trial.trusted.labels")
        return _with_values(kind, list(cast(Labels, session.artifact(key)).names), "Labels you trust", key=key)
    if kind == "selection":
        names = {s.key: s.name for s in pool.selections(dataset.fingerprint)}
        key = st.selectbox("Selection you trust", list(names), format_func=names.__getitem__, key="trial.trusted.rows")
        return Trusted(kind, key=key)
    files = {d.fingerprint: f"{d.name}, {number(d.rows)} rows" for d in others}
    key = st.selectbox("Dataset you trust", list(files), format_func=files.__getitem__, key="trial.trusted.file")
    return Trusted(kind, key=key)


def _with_values(kind: Kind, values: list[str], label: str, **rest: str) -> Trusted | None:
    place = f"trial.trusted.values.{kind}.{rest.get('field', rest.get('key', ''))}"
    chosen = st.multiselect(label, values, key=place, placeholder="Choose at least one")
    return Trusted(kind, tuple(chosen), **rest) if chosen else None


@st.cache_resource(max_entries=16, show_spinner="Reading the field …")
def _values(root: str, fingerprint: str, field: str, _dataset: Dataset) -> list[str] | None:
    """Labels that a field gives, None when it gives none or too many to choose from."""
    names = labels_of(fingerprint, _dataset.field(field)).names
    return list(names) if 0 < len(names) <= MOST_VALUES else None


# ------------------------------------------------------------------ settings


def _settings(
    dataset: Dataset, learner: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any] | None, tuple[str, ...], bool]:
    """Values of all fields, those that differ from the defaults (None while one is wrong), groups, duplicates."""
    cls = TrialAgainstRandom
    others = [f for f in cls.model_fields if f not in FRONT]
    front = method_form(cls, key="trial.form", hide=others)
    with st.expander("More settings", icon=":material/tune:"):
        groups = [s for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)]
        names = {s.key: s.name for s in groups}
        chosen = st.multiselect(
            "Tell apart by", list(names), [s.key for s in groups if s.info.use == "labeller/clusters"][:1],
            format_func=names.__getitem__, key="trial.groups", help="Verdicts are also given for every group; the "
            "source is always one, where there are several",
        )  # fmt: skip
        duplicates = st.toggle(
            "Look for near-duplicates of evaluation rows", True, key="trial.duplicates",
            help="They are kept out of every arm; equal rows always are",
        )  # fmt: skip
        rest = method_form(cls, key="trial.more", hide=FRONT)
    values = {**{n: front.values[n] for n in FRONT}, **{n: rest.values[n] for n in others}}
    changed = {**{k: v for k, v in rest.changed.items() if k in others}}
    changed |= {k: v for k, v in front.changed.items() if k in FRONT}
    sound = front.method is not None and rest.method is not None
    return values, changed if sound else None, tuple(chosen), duplicates


def _about(values: dict[str, Any], selections: list[str]) -> None:
    """What a trial does, and how many trainings this one takes."""
    with st.container(border=True, key="trial.about"):
        st.markdown("**Does this selection beat random?**")
        st.markdown(
            "The same model is trained on each selection, and on random rows of the same number, for the same number "
            "of steps. All are measured on the same evaluation rows. A selection beats random where it does better "
            "than random draws do by luck."
        )
        st.markdown(f"**{trainings(values, max(len(selections), 1))}**")
        st.markdown(f":orange[:material/warning:] {plain(TrialAgainstRandom.weakness)}")


def trainings(values: dict[str, Any], selections: int) -> str:
    """How many trainings a trial takes, part by part, when all selections are of one size."""
    parts = [
        (
            f"{selections} selection{'s' if selections > 1 else ''} × {values['seeds']} seeds",
            selections * values["seeds"],
        ),
        (f"{values['random_seeds']} random draws", values["random_seeds"]),
    ]
    if values["length_matched"]:
        matched = selections * values["length_matched"]
        parts.append((f"{matched} random draws of the same lengths", matched))
    if values["full"]:
        parts.append((f"all rows × {values['seeds']} seeds", values["seeds"]))
    return f"{sum(n for _, n in parts)} trainings: " + ", ".join(p for p, _ in parts)


def _missing(selections: list[str], learner: dict[str, str], trusted: Trusted | None) -> str:
    parts = []
    if not selections:
        parts.append("a selection")
    if learner.get("base") == "":
        parts.append("the base model")
    if learner.get("classes") == "":
        parts.append("labels")
    if trusted is None:
        parts.append("what you trust")
    return ", ".join(parts)
