"""Choosing how to select: method or preset, its parameters and inputs, which rows may be picked, then the estimate."""

from __future__ import annotations

from typing import Any, cast

import streamlit as st

from curation.complete import selectors
from curation.core.artifacts import Labels, Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import Method
from curation.recipe import Recipe, preset_names
from curation.ui import pool, session
from curation.ui.components import class_badge, error_box, method_about
from curation.ui.forms import method_form
from curation.ui.method_choice import choose_method, methods_table, title_of_use, when_of
from curation.ui.ports import ask_ports
from curation.ui.preset_ask import ask_inputs, ask_preset
from curation.ui.quota_ask import ask_quota
from curation.ui.run_panel import run_panel
from curation.ui.score_consent import consent, scores_among
from curation.ui.select_recipe import BY_HAND, Wish, method_of, preset_values, selection_recipe
from curation.ui.text import plain
from curation.workspace import Workspace

SELECTION = "Selection"
FIRST = "selector/k-center"


def ask_selection(workspace: Workspace, dataset: Dataset) -> None:
    """The whole form; a click on its button starts the job."""
    uses = [u for u in selectors() if u not in BY_HAND]
    methods_table(uses)
    left, right = st.columns([3, 2], gap="large")
    with left:
        use = choose_method(uses, FIRST)
    cls = method_of(use)
    with right:
        _about(use, cls)
    with left:
        settings: list[str] = []
        inputs: dict[str, str] = {}
        ports: dict[str, Any] = {}
        if use in preset_names():
            settings, lacking = ask_preset(dataset, use, key="select.preset")
            inputs, unbound = ask_inputs(dataset, use, key="select.input")
            missing = ", ".join(filter(None, (lacking, unbound)))
            missing = missing and f"Still to be set: {missing}."
        else:
            ports, missing = ask_ports(dataset, cls, key=f"select.port.{use}")
        values, sound = _parameters(dataset, use, cls, ports)
        missing = missing or _end_to_choose(cls, ports, values)
        within, hold_out, coverage = _rows(dataset)
        with st.expander("Quotas", icon=":material/balance:"):
            quota, balanced = ask_quota(dataset, key="select.quota")
        sound = sound and balanced
    if missing:
        st.warning(missing, icon=":material/edit:")
        return
    if not sound:
        return
    read = scores_among(dataset, [*ports.values(), *inputs.values()])
    if not consent(dataset, read, column=values.get("column"), key=f"select.consent.{use}"):
        return
    wish = Wish(use, values, ports, within, hold_out, coverage, tuple(settings), inputs, quota)
    try:
        recipe, bindings = selection_recipe(workspace, dataset.fingerprint, wish)
    except CurationError as error:
        error_box(error)
        return
    run_panel(
        workspace, recipe, bindings, title=f"{SELECTION}: {dataset.name}, {title_of_use(use)}", label="Select",
        icon=":material/checklist:", key="select.run", shortcut="Ctrl+Enter",
    )  # fmt: skip
    with st.expander("The recipe that this button runs", icon=":material/receipt_long:"):
        st.code(recipe.yaml(), language="yaml")


def _about(use: str, cls: type[Method]) -> None:
    """Class, weakness and source; a preset's own words before those of its method."""
    with st.container(border=True, key="select.about"):
        if use in preset_names():
            about = Recipe.read(use).about
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(str(about.get('title', use)))}**", width="content")
                class_badge(about.get("method_class") or cls.method_class)
            if about.get("paper"):
                st.markdown(plain(" ".join(str(about["paper"]).split())))
            st.markdown(f":green[:material/check_circle:] **When to use it.** {plain(when_of(use))}")
            if about.get("scope"):
                st.markdown(f":material/travel_explore: **Scope.** {plain(' '.join(str(about['scope']).split()))}")
            if cls.weakness:
                st.markdown(f":orange[:material/warning:] **Known weakness.** {plain(cls.weakness)}")
            st.caption(f"Source: {plain(str(about.get('source', '')))}")
            with st.expander("Its steps", icon=":material/receipt_long:"):
                st.code(Recipe.read(use).yaml(), language="yaml")
        else:
            st.markdown(f"**{plain(title_of_use(use))}**")
            method_about(cls, when=when_of(use))


# ------------------------------------------------------------------ parameters and inputs


def _parameters(dataset: Dataset, use: str, cls: type[Method], ports: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Values of the form that are not at their defaults, and whether they are sound."""
    start = preset_values(use)
    if "budget" in cls.model_fields and "budget" not in start:
        start["budget"] = "10%"
    hide: list[str] = []
    if use == "selector/where":  # its values are names of labels, so they are chosen, not typed
        hide = ["values"]
        start["values"] = _label_values(ports)
        if not start["values"]:
            st.caption(":material/edit: Choose at least one label.")
            return {}, False
    form = method_form(cls, key=f"select.form.{use}", values=start, hide=hide)
    values = dict(form.changed)
    for name in start:
        values[name] = form.values[name]
    return values, form.method is not None


def _end_to_choose(cls: type[Method], ports: dict[str, Any], values: dict[str, Any]) -> str:
    """What is missing where the best rows are asked for by a score that does not say which end is better."""
    key = ports.get("score")
    if not isinstance(key, str) or "keep" not in cls.model_fields:
        return ""
    if values.get("keep", cls.model_fields["keep"].default) != "best":
        return ""
    score = cast(Score, session.artifact(key))
    if score.higher_is_better is not None:
        return ""
    return f"“{plain(score.name)}” does not say which end is better: choose highest or lowest under “Keep”."


def _label_values(ports: dict[str, Any]) -> list[str]:
    key = ports.get("labels")
    if not isinstance(key, str):
        return []
    labels = cast(Labels, session.artifact(key))
    return st.multiselect("Labels to keep", [*labels.names], key=f"select.values.{key}")


def _rows(dataset: Dataset) -> tuple[str | None, float, bool]:
    """Which rows may be picked, what is set aside first, and whether coverage is measured."""
    with st.expander("Which rows may be picked", icon=":material/filter_alt:"):
        names = {s.key: s.name for s in pool.selections(dataset.fingerprint)}
        within = st.selectbox(
            "Only within", ["", *names], key="select.within", persist_state="session",
            format_func=lambda k: names.get(k, "all rows"),
            help="A stored selection: rows without duplicates, above a threshold, or drawn around on the map",
        )  # fmt: skip
        held = st.toggle(
            "Hold rows out for testing", key="select.hold", persist_state="session",
            help="Set aside once, before anything is picked; copies of a held-out row are held out with it",
        )  # fmt: skip
        share = 0.0
        if held:
            share = st.slider("Share held out, in %", 1, 50, 10, key="select.share", persist_state="session") / 100
        coverage = st.toggle(
            "Measure coverage, beside random", True, key="select.coverage", persist_state="session",
            help="How well the picks stand for all rows, at every budget up to this one",
        )  # fmt: skip
    return within or None, share, coverage
