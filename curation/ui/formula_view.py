"""A new score from others: the expression is checked and its distribution drawn as soon as it is typed."""

from __future__ import annotations

import re

import numpy as np
import streamlit as st

from curation.complete.stored import Parts
from curation.core.artifacts import Score
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui.components import chart, error_box, mode
from curation.ui.pool import Stored
from curation.ui.run_panel import start_now
from curation.ui.score_facts import number_columns
from curation.ui.text import number
from curation.workspace import Workspace

FORMULA = "Formula"
BETTER = {True: "higher", False: "lower", None: "neither"}


def formula_names(found: list[Stored]) -> dict[str, Stored]:
    """The names that scores have in a formula: their step's name as one word, numbered where it is taken."""
    names: dict[str, Stored] = {}
    for stored in found:
        word = re.sub(r"\W+", "_", stored.info.step).strip("_") or "score"
        word = f"s_{word}" if word[0].isdigit() else word
        name, count = word, 1
        while name in names:
            count += 1
            name = f"{word}_{count}"
        names[name] = stored
    return names


def formula_panel(workspace: Workspace, dataset: Dataset, found: list[Stored]) -> None:
    """The expression box, what may be written in it, and what comes out."""
    from curation.scorers.formula import SIGNATURES, evaluate

    names = formula_names(found)
    example = " + ".join(f"zscore({n})" for n in list(names)[:2])
    with st.container(border=True, key="formula.panel"):
        st.markdown("#### :primary[:material/function:] A score of your own")
        st.markdown(":gray[Combine scores by a formula; it is checked and drawn while you write, and kept by a click.]")
        text = st.text_input("Formula", key="formula.text", placeholder=f"for example {example}")
        better = st.segmented_control(
            "Which end is better", list(BETTER), default=True, required=True, format_func=BETTER.__getitem__,
            key="formula.better",
        )  # fmt: skip
        with st.expander("Names and functions", icon=":material/menu_book:", expanded=not text):
            st.code("\n".join(_name_lines(names)), language=None, wrap_lines=True)
            st.code(
                "  ".join(s.text for s in SIGNATURES.values()) + "  + - * / ** < <= > >= == !=",
                language=None,
                wrap_lines=True,
            )
        if not text.strip():
            return
        try:
            values, missing = evaluate(text, {n: s.score for n, s in names.items()})
        except CurationError as error:
            error_box(error)
            return
        score = Score(dataset.fingerprint, values, missing, text, better)
        _preview(score)
        if st.button("Keep this score", type="primary", icon=":material/bookmark_add:", key="formula.keep"):
            start_now(
                workspace, *formula_recipe(workspace, dataset, names, text, better), title=f"{FORMULA}: {dataset.name}"
            )


def formula_recipe(
    workspace: Workspace, dataset: Dataset, names: dict[str, Stored], text: str, better: bool | None
) -> tuple:  # type: ignore[type-arg]
    """The recipe of a formula over stored scores, only those it names, and its bindings."""
    from curation.scorers._expression import names as mentioned
    from curation.scorers._expression import parse
    from curation.scorers.formula import SIGNATURES

    used = dict.fromkeys(name.partition(".")[0] for name in mentioned(parse(text, SIGNATURES)))
    parts = Parts(workspace, dataset.fingerprint)
    columns = {name: parts.add(names[name].key) for name in used}
    step = {"use": "scorer/formula", "expression": text, "higher_is_better": better, "columns": columns}
    name = parts.add_steps({"formula": step})["formula"]
    return parts.recipe(f"${name}"), parts.bindings


def _name_lines(names: dict[str, Stored]) -> list[str]:
    lines = []
    for name, stored in names.items():
        columns = number_columns(stored.score)
        more = f"   {name}.({', '.join(columns)})" if columns else ""
        lines.append(f"{name:<18} {stored.name}{more}")
    return lines or ["no scores yet: compute some above"]


def _preview(score: Score) -> None:
    from curation.figures.distribution import distribution_figure

    gaps = int((~np.isfinite(score.values)).sum())
    chart(
        distribution_figure(score.values, name=score.name, height=220, mode=mode()),
        key="formula.preview", alt="Distribution of the formula",
    )  # fmt: skip
    if gaps:
        reasons = "; ".join(f"{number(c)}: {why}" for why, c in score.missing.counts().items())
        st.text(f"{number(gaps)} rows have no value. {reasons}")
