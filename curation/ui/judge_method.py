"""What the judge is asked: every scorer and labeller that asks a chat model, found by itself, with its form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from curation.core.artifacts import Artifact
from curation.core.dataset import Dataset
from curation.core.method import Labeller, Method, Scorer, discover
from curation.models.chat.asking import Asking
from curation.models.chat.connections import Connection
from curation.ui import session
from curation.ui.components import method_about
from curation.ui.forms import MethodForm, method_form
from curation.ui.judge_rubric import RUBRIC, rubric_editor
from curation.ui.ports import ask_ports
from curation.workspace import Workspace

CHOSEN = "judge.method"
FIRST = ("scorer/alpagasus", RUBRIC)
"""Offered first; the others follow in the alphabet."""
FIXED = ("connection", "endpoint", "model", "attempt")
"""Fields that this page sets otherwise."""
AUTO_FILLED = "auto"
MAIN_FIELDS = 4
"""Own fields of a method that are not folded away: a method names those first that change most."""


@dataclass(frozen=True)
class Judge:
    """Who is asked what.

    Args:
        use: Recipe name of the method.
        values: Fields that are not at their defaults, the connection among them.
        ports: What it reads: port → key of a stored result.
        method: The checked method.
        connection: Who is asked.
    """

    use: str
    values: dict[str, Any]
    ports: dict[str, Any]
    method: Asking
    connection: Connection

    def artifacts(self) -> dict[str, Artifact]:
        """What it reads, opened."""
        return {port: session.artifact(key) for port, key in self.ports.items() if isinstance(key, str)}


def judges() -> dict[str, type[Method]]:
    """Recipe name → method, for everything that gives rows a score or a label by asking a chat model."""
    found = {u: c for u, c in discover().items() if issubclass(c, Asking) and issubclass(c, Scorer | Labeller)}
    order = sorted(found, key=lambda u: (FIRST.index(u) if u in FIRST else len(FIRST), found[u].title.lower()))
    return {use: found[use] for use in order}


def method_panel(workspace: Workspace, dataset: Dataset, connection: Connection) -> Judge | None:
    """Choose a method and set its fields; None while something is wrong, which stands under its field."""
    every = judges()
    if not every:
        st.info("No method that asks a chat model is installed.", icon=":material/extension_off:")
        return None
    left, right = st.columns([3, 2], gap="large")
    with left:
        use = st.selectbox(
            "Method", list(every), key=CHOSEN, persist_state="session", format_func=lambda u: every[u].title,
            help="Every method here asks the connection above about one row after the other",
        )  # fmt: skip
    cls = every[use]
    with right, st.container(border=True, key="judge.about"):
        method_about(cls)
    with left if use != RUBRIC else st.container():  # its table needs the whole width
        return _form(workspace, dataset, use, cls, connection)


def _form(workspace: Workspace, dataset: Dataset, use: str, cls: type[Method], connection: Connection) -> Judge | None:
    hidden = [f for f, info in cls.model_fields.items() if f in FIXED or _no_choice(info)]
    start: dict[str, Any] = {"connection": connection.name}
    if use == RUBRIC:
        edited = rubric_editor(workspace, dataset, cls)
        if edited is None:
            return None
        start |= edited
        hidden += list(edited)
    form = _fields(cls, start, hidden, key=f"judge.form.{use}")
    if form is None:
        return None
    ports: dict[str, Any] = {}
    if cls.ports():
        ports, missing = ask_ports(dataset, cls, key=f"judge.port.{use}")
        if missing:
            st.warning(missing, icon=":material/edit:")
            return None
    return Judge(use, {**form.changed, "connection": connection.name}, ports, cast(Asking, form.method), connection)


def _no_choice(info: FieldInfo) -> bool:
    """True for a field that `resolve` fills in, and for one with a single value."""
    filled_in = info.annotation is str and info.default == AUTO_FILLED
    return filled_in or (get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1)


def _fields(cls: type[Method], start: Mapping[str, Any], hidden: list[str], *, key: str) -> MethodForm | None:
    """The method's first own fields, the others folded away; None while something is wrong."""
    shown = [f for f in cls.model_fields if f not in hidden]
    own = [f for f in shown if f in cls.__annotations__]
    first = own[:MAIN_FIELDS]
    rest = [f for f in shown if f not in first]
    form = method_form(cls, key=key, values=start, hide=[*hidden, *rest])
    if form.method is None or not rest:
        return form if form.method is not None else None
    with st.expander(f"More settings ({len(rest)})", icon=":material/tune:"):
        form = method_form(cls, key=key, values={**start, **form.values}, hide=[*hidden, *first])
    if form.method is None:
        st.error("Something under “More settings” is wrong.", icon=":material/error:")
        return None
    return form
