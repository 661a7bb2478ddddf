"""Choosing indicators: all at once or one by one with their parameters, with the estimate before the run."""

from __future__ import annotations

from typing import Any

import streamlit as st

from curation.complete.stored import Parts
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui.components import error_box, method_about
from curation.ui.forms import method_form
from curation.ui.indicators import Indicator, Ordered, computed, indicators, indicators_recipe, preset
from curation.ui.ports import SCRATCH, ask_base, ask_ports
from curation.ui.run_panel import run_panel
from curation.ui.text import plain
from curation.workspace import Workspace

SCORES = "Scores"
CHOSEN = "scores.chosen"


def ask_indicators(workspace: Workspace, dataset: Dataset) -> None:
    """The chooser; a click on its button starts one job for all that was chosen."""
    found = {i.use: i for i in indicators()}
    there = computed(dataset.fingerprint)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "All indicators", icon=":material/done_all:", key="scores.all", shortcut="A",
            on_click=lambda: st.session_state.update({CHOSEN: preset()}),
            help="Everything that can be said about a row without asking a model for its opinion",
        )  # fmt: skip
        st.button(
            "Only the fast ones", icon=":material/bolt:", key="scores.fast",
            on_click=lambda: st.session_state.update({CHOSEN: [u for u in preset() if not found[u].slow]}),
            help="Those that need no vectors, so no model is run",
        )  # fmt: skip
        st.button(
            "None", icon=":material/close:", key="scores.none",
            on_click=lambda: st.session_state.update({CHOSEN: []}),
        )  # fmt: skip
    chosen = st.multiselect(
        "Indicators", list(found), key=CHOSEN, placeholder="Choose what to compute",
        format_func=lambda use: _label(found[use], use in there), persist_state="session",
    )  # fmt: skip
    if not chosen:
        st.caption(f":material/lightbulb: {len(found)} are here. A good start is **All indicators**.")
        return
    asked = [found[use] for use in chosen]
    base = ask_base(key="scores.base") if any(i.model for i in asked) else SCRATCH
    values, ports, wrong = _forms(dataset, asked)
    if not base:
        wrong = [*wrong, "the base model"]
    if wrong:
        st.warning(f"Still to be set: {'; '.join(wrong)}.", icon=":material/edit:")
        return
    parts = Parts(workspace, dataset.fingerprint)
    try:
        recipe = indicators_recipe(Ordered(chosen, values, ports, base), parts)
    except CurationError as error:
        error_box(error)
        return
    run_panel(
        workspace, recipe, parts.bindings, title=f"{SCORES}: {dataset.name}",
        label="Compute", key="scores.run", shortcut="Ctrl+Enter",
    )  # fmt: skip


def _label(indicator: Indicator, there: bool) -> str:
    kind = "" if indicator.cls.family == "scorer" else " (labels)"
    model = "" if indicator.cls.method_class == "statistical" else " · model"
    return f"{indicator.cls.title}{kind}{model}{' ✓' if there else ''}"


def _forms(
    dataset: Dataset, chosen: list[Indicator]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], list[str]]:
    """Parameters and inputs of the chosen ones, folded away, and what has to be set yet."""
    values: dict[str, dict[str, Any]] = {}
    ports: dict[str, dict[str, Any]] = {}
    wrong = []
    with st.expander("Parameters and what each one says", icon=":material/tune:"):
        for place, indicator in zip(st.tabs([i.cls.title for i in chosen]), chosen, strict=True):
            with place:
                method_about(indicator.cls)
                key = f"scores.form.{indicator.use}"
                form = method_form(indicator.cls, key=key, values=_start(dataset, indicator))
                values[indicator.use] = form.changed
                ports[indicator.use], missing = ask_ports(dataset, indicator.cls, key=f"{key}.port", fold=False)
                if form.method is None:
                    wrong.append(plain(indicator.cls.title))
                elif missing:
                    wrong.append(missing.rstrip("."))
    return values, ports, wrong


def _start(dataset: Dataset, indicator: Indicator) -> dict[str, Any]:
    """A method that reads a field begins with the first field of the file that it is likely to be after."""
    if indicator.use not in ("scorer/column", "labeller/column"):
        return {}
    known = [f for f in dataset.field_names() if f not in ("instruction", "input", "output", "messages")]
    return {"field": known[0]} if known else {}
