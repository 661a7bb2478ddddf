"""What a preset still has to be told: its base model, who is asked, the field that holds the label, and any setting."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from curation.core.dataset import Dataset
from curation.core.method import find
from curation.models.chat.asking import Asking
from curation.models.chat.connections import STAND_IN, Connection, connections
from curation.recipe import Recipe
from curation.ui import session
from curation.ui.components import errors_shown, next_step
from curation.ui.ports import BASE, SCRATCH, ask_base
from curation.ui.select_recipe import preset_inputs
from curation.ui.text import plain

COLUMN = "labeller/column"
JUDGE = "judge"
"""The connection that methods ask where nothing else is said."""


def ask_preset(dataset: Dataset, use: str, *, key: str) -> tuple[list[str], str]:
    """Ask for it.

    Args:
        dataset: Whose fields may hold labels.
        use: Name of the preset.
        key: Prefix of the widgets' keys.

    Returns:
        Settings as `STEP.FIELD=VALUE`, and what is still missing, "" when nothing is.
    """
    recipe = Recipe.read(use)
    settings: list[str] = []
    missing: list[str] = []
    asking = {name: str(step.get("connection", JUDGE)) for name, step in recipe.steps.items() if _asks(step["use"])}
    if asking:
        chosen = _connection(next(iter(asking.values())), key=f"{key}.{use}.connection")
        if chosen is None:
            missing.append("a connection to a chat model")
        settings += [f"{name}.connection={chosen}" for name, own in asking.items() if chosen not in (None, own)]
    for name, step in recipe.steps.items():
        if step["use"] == BASE:
            base = ask_base(key=f"{key}.{use}.{name}")
            if not base:
                missing.append("the base model")
            elif base != step.get("name", SCRATCH):
                settings.append(f"{name}.name={json.dumps(base, ensure_ascii=False)}")
        elif step["use"] == COLUMN and step.get("field"):
            found = _field(dataset, name, str(step["field"]), key=f"{key}.{use}.{name}")
            if found is None:
                missing.append("the field that holds the label")
            elif found != step["field"]:
                settings.append(f"{name}.field={json.dumps(found, ensure_ascii=False)}")
    return [*settings, *_more(recipe.about, key=f"{key}.{use}.more")], ", ".join(missing)


def ask_inputs(dataset: Dataset, use: str, *, key: str) -> tuple[dict[str, str], str]:
    """Ask for the other datasets that a preset reads.

    Returns:
        Input → fingerprint, and what is still missing, "" when nothing is.
    """
    chosen: dict[str, str] = {}
    missing: list[str] = []
    others = {d.fingerprint: d.name for d in session.workspace().datasets() if d.fingerprint != dataset.fingerprint}
    for name, spec in preset_inputs(use).items():
        word = name.replace("-", " ")
        word = word if word.endswith("s") else f"{word} rows"
        if not others:
            st.info(
                f"There is no other dataset yet. Add the file with the {word} on the Data page; it stays a "
                "dataset of its own.",
                icon=":material/upload_file:",
            )
            next_step("Add a file", "pages/data.py", icon=":material/add:", primary=False)
            found = None
        else:
            found = st.selectbox(
                f"Dataset with the {word}", [*others], None if spec.optional else 0, key=f"{key}.{use}.{name}",
                format_func=lambda k: plain(others[k]), placeholder="Choose a dataset",
                help="Another dataset of this workspace; add its file on the Data page",
            )  # fmt: skip
        if found is not None:
            chosen[name] = found
        elif not spec.optional:
            missing.append(f"the dataset with the {word}")
    return chosen, ", ".join(missing)


def _asks(use: str) -> bool:
    return issubclass(find(use), Asking)


def _connection(usual: str, *, key: str) -> str | None:
    """Who is asked: the preset's own connection where there is one of its name, else the first that asks anybody."""
    there: dict[str, Connection] = {}
    with errors_shown():
        there = connections()
    real = [name for name, connection in there.items() if connection.kind != STAND_IN]
    first = usual if usual in there else next(iter(real), None)
    found: str | None = st.selectbox(
        "Chat model that is asked", list(there), None if first is None else list(there).index(first), key=key,
        placeholder="Choose a connection", help="Connections are made and tested on the Judge page; there is also "
        "what a run would cost",
    )  # fmt: skip
    if not real:
        st.info(
            "No chat model is connected yet. The stand-in asks nobody: it makes replies up, to see a recipe run.",
            icon=":material/gavel:",
        )
        next_step("Connect one", "pages/judge.py", primary=False)
    elif found is not None and there[found].kind == "openai":
        st.caption(
            ":material/payments: Nothing is asked before you start it. The Judge page tells what a run costs; a limit "
            "can be set beside the button."
        )
    elif found is not None and there[found].kind == STAND_IN:
        st.caption(
            ":orange[:material/theater_comedy:] It asks nobody: replies are made up and say nothing of your rows."
        )
    return found


def _field(dataset: Dataset, step: str, usual: str, *, key: str) -> str | None:
    """The field of the records; the preset's own where the file has it."""
    fields = dataset.field_names()
    at = fields.index(usual) if usual in fields else None
    found: str | None = st.selectbox(
        f"Field with the {step.removesuffix('s')}", fields, at, key=key, format_func=plain,
        placeholder="Choose a field", help="Each of its values is a class",
    )  # fmt: skip
    return found


def _more(about: dict[str, Any], *, key: str) -> list[str]:
    """Any setting of any step, as on the command line."""
    with st.expander("Settings of its steps", icon=":material/tune:"):
        if about.get("use"):
            st.caption(plain(" ".join(str(about["use"]).split())))
        text = st.text_area(
            "Settings", key=key, placeholder="\n".join(about.get("without_network", ["STEP.FIELD=VALUE"])), height=80,
            label_visibility="collapsed", help="One STEP.FIELD=VALUE a line, what --set takes on the command line",
        )  # fmt: skip
    lines = (line.strip().removeprefix("--set").strip() for line in text.splitlines())
    return [line for line in lines if line]
