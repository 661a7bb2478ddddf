"""Who is asked: the list of connections, whether the key is there, and a test in one click."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from curation.core.errors import CurationError
from curation.models.chat.connections import STAND_IN, Connection, connections
from curation.ui.components import error_box, errors_shown
from curation.ui.judge_apart import ask_apart, found, problem, waiting
from curation.ui.judge_form import CHOSEN, FORM, close_form, connection_form, how_to_set, open_form, remove
from curation.ui.text import duration, plain, prose
from curation.workspace import Workspace

TEST = "judge.test"
NOBODY = (
    "**The stand-in asks nobody.** It makes replies up at once, so that you can see a recipe run without a model and "
)
NOBODY += "without cost. Its scores say nothing about your rows."


def connect_panel(workspace: Workspace) -> Connection | None:
    """Choose, add, change and test connections.

    Returns:
        The chosen one, None when the file of connections cannot be read.
    """
    wrong = st.session_state.pop(f"{CHOSEN}.problem", None)
    if wrong:
        error_box(CurationError(*wrong))
    there: dict[str, Connection] = {}
    with errors_shown():
        there = connections()
    if not there:
        return None
    chosen = _choose(there)
    _facts(chosen)
    _tested(workspace, chosen)
    connection_form()
    return chosen


def _choose(there: Mapping[str, Connection]) -> Connection:
    wanted = st.session_state.pop(f"{CHOSEN}.wanted", None)
    if wanted in there:
        st.session_state[CHOSEN] = wanted
    if st.session_state.get(CHOSEN) not in there:
        st.session_state[CHOSEN] = next(iter(there))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="judge.connect.row"):
        name = st.selectbox(
            "Connection", list(there), key=CHOSEN, persist_state="session", width="stretch",
            format_func=lambda n: _line(there[n]), help="Kept in a file of your own, outside any workspace",
        )  # fmt: skip
        # a form for another connection than the chosen one would be confusing
        fixed = name == STAND_IN
        st.button("Add", icon=":material/add:", key="judge.connect.add", on_click=open_form, args=(None,))
        st.button(
            "Change", icon=":material/edit:", key="judge.connect.edit", disabled=fixed,
            on_click=open_form, args=(there[name],),
        )  # fmt: skip
        with st.popover("Remove", icon=":material/delete:", disabled=fixed, key="judge.connect.gone"):
            st.markdown(f"Take “{plain(name)}” out of the list? Replies that are stored stay.")
            st.button("Remove it", key="judge.connect.remove", type="primary", on_click=remove, args=(name,))
    if st.session_state.get(f"{FORM}.open") and st.session_state.get(f"{FORM}.of") not in ("", name):
        close_form()
    return there[name]


def _line(connection: Connection) -> str:
    if connection.kind == STAND_IN:
        return connection.name if connection.name == STAND_IN else f"{connection.name} · stand-in"
    where = "in this program" if connection.kind == "local" else urlsplit(connection.endpoint).netloc
    return f"{connection.name} · {connection.model} · {where}"


def _facts(chosen: Connection) -> None:
    if chosen.kind == STAND_IN:
        st.warning(NOBODY, icon=":material/theater_comedy:")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="judge.connect.facts"):
        if chosen.kind == "openai":
            st.caption(prose(f"`{chosen.endpoint}`"), width="content")  # as code: else it would become a link
            if chosen.key is None:
                st.badge("no key is sent", icon=":material/key_off:", color="gray")
            elif os.environ.get(chosen.key):
                st.badge(f"{plain(chosen.key)} is set", icon=":material/key:", color="green")
            else:
                st.badge(f"{plain(chosen.key)} is not set", icon=":material/key_off:", color="red")
        if chosen.prices is not None:
            p = chosen.prices
            said = f"{p.input:g} / {p.output:g} {p.currency} per million tokens read / written"
            st.caption(f":material/payments: {plain(said)}", width="content")
        elif chosen.kind == "openai":
            st.caption(":material/payments: prices not known", width="content")
    if chosen.kind == "openai" and chosen.key and not os.environ.get(chosen.key):
        how_to_set(chosen.key)
    if chosen.warning():
        st.warning(plain(chosen.warning()[0].upper() + chosen.warning()[1:] + "."), icon=":material/no_encryption:")


# ------------------------------------------------------------------ the test


def _tested(workspace: Workspace, chosen: Connection) -> None:
    """One click: is the server there, does it have the model, what can it do?"""
    if chosen.kind == STAND_IN or (chosen.key and not os.environ.get(chosen.key)):
        return
    here = found(TEST)
    mine = here is not None and here.asked.get("identity") == _identity(chosen)
    if here is not None and mine and waiting(TEST, "Testing the connection"):
        return
    st.button(
        "Test the connection", icon=":material/network_check:", key=f"{TEST}.go",
        on_click=ask_apart, args=(workspace, TEST, _asked(chosen)),
        help="Asks one short question" + ("; loads the model, which may take a while" * (chosen.kind == "local")),
    )  # fmt: skip
    if here is not None and mine:
        _told(here.answer)


def _identity(chosen: Connection) -> dict[str, Any]:
    return chosen.model_dump(mode="json")


def _asked(chosen: Connection) -> dict[str, Any]:
    return {"verb": "test", "connection": chosen.name, "identity": _identity(chosen)}


def _told(answer: Mapping[str, Any]) -> None:
    if problem(answer):
        return
    with st.container(horizontal=True, gap="small", key=f"{TEST}.facts"):
        _fact(answer.get("reached"), "reached", "not reached")
        if answer.get("reached"):
            unknown = "its list names other models" if answer.get("models") else "it does not list its models"
            _fact(answer.get("model_there"), "model is there", "model is not there", unknown)
        if answer.get("seconds") is not None:
            st.badge(f"replies in {duration(float(answer['seconds']))}", icon=":material/timer:", color="gray")
        _fact(answer.get("structured"), "structured replies", "no structured replies: plain text is read")
        _fact(answer.get("logprobs"), "log-probabilities", "no log-probabilities")
        if answer.get("thinks"):
            st.badge(
                "thinks aloud first", icon=":material/psychology:", color="orange",
                help="Give it more tokens in the method's settings, or switch thinking off: it is paid for",
            )  # fmt: skip
    if answer.get("message"):
        error_box(CurationError(str(answer["message"]), str(answer.get("hint") or "")))
    if answer.get("given_up"):
        st.caption(plain(f"The server does not take: {', '.join(map(str, answer['given_up']))}. It is left out."))
    if answer.get("models") and not answer.get("model_there"):
        st.caption("Models in its list:")
        st.code("\n".join(map(str, answer["models"][:30])), language=None)


def _fact(value: Any, yes: str, no: str, unknown: str = "") -> None:
    if value is None or value == "":
        if unknown:
            st.badge(unknown, icon=":material/help:", color="gray")
        return
    said = yes if value is True or not isinstance(value, str) else f"{yes}: {value}"
    if value:
        st.badge(plain(said), icon=":material/check:", color="green")
    else:
        st.badge(no, icon=":material/close:", color="orange")
