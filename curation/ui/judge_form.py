"""The form of one connection: a starting point, its fields, what is wrong under each. Keys are typed nowhere."""

from __future__ import annotations

import os
from typing import Any

import streamlit as st
from pydantic import ValidationError

from curation.core.errors import CurationError
from curation.core.spending import Prices
from curation.models.chat.connections import (
    STAND_IN,
    Connection,
    connections,
    remove_connection,
    save_connection,
)
from curation.ui.components import error_box
from curation.ui.judge_servers import SERVERS
from curation.ui.text import plain, prose

CHOSEN = "judge.connection"
FORM = "judge.form"
NEW = ""
FIELDS = ("name", "kind", "address", "model", "key", "priced", "input", "output", "currency", "concurrency",
          "timeout", "structured")  # fmt: skip
STRUCTURED = {
    "auto": "as the server can",
    "schema": "JSON schema",
    "json": "JSON",
    "none": "free text",
}


def open_form(connection: Connection | None) -> None:
    """Fill the form with a connection, or for a new one; it is shown from the next run on."""
    if connection is None:
        first = SERVERS["vllm"]
        values: dict[str, Any] = {**_empty(), **first.values, "name": first.name}
        st.session_state[f"{FORM}.server"] = "vllm"
    else:
        prices = connection.prices or Prices()
        values = {
            "name": connection.name, "kind": connection.kind, "address": connection.address, "model": connection.model,
            "key": connection.key or "", "priced": connection.prices is not None, "input": prices.input,
            "output": prices.output, "currency": prices.currency, "concurrency": connection.concurrency,
            "timeout": connection.timeout, "structured": connection.structured,
        }  # fmt: skip
    for field, value in values.items():
        st.session_state[f"{FORM}.{field}"] = value
    st.session_state[f"{FORM}.of"] = NEW if connection is None else connection.name
    st.session_state[f"{FORM}.open"] = True


def close_form() -> None:
    """Show the form no more."""
    st.session_state[f"{FORM}.open"] = False


def _empty() -> dict[str, Any]:
    return {
        "name": "", "kind": "openai", "address": "", "model": "", "key": "", "priced": False, "input": 0.0,
        "output": 0.0, "currency": "USD", "concurrency": 64, "timeout": 60.0, "structured": "auto",
    }  # fmt: skip


def _begin_from() -> None:
    server = SERVERS[st.session_state[f"{FORM}.server"]]
    old = st.session_state.get(f"{FORM}.name", "")
    for field, value in server.values.items():
        st.session_state[f"{FORM}.{field}"] = value
    if not old or old in {s.name for s in SERVERS.values()}:
        st.session_state[f"{FORM}.name"] = server.name


def connection_form() -> None:
    """Draw the form, where it is open."""
    if not st.session_state.get(f"{FORM}.open"):
        return
    of = st.session_state[f"{FORM}.of"]
    with st.container(border=True, key=f"{FORM}.box"):
        st.markdown(f"**{'Add a connection' if of == NEW else f'Change “{plain(of)}”'}**")
        if of == NEW:
            name = st.selectbox(
                "What do you run?", list(SERVERS), key=f"{FORM}.server", on_change=_begin_from,
                format_func=lambda s: SERVERS[s].title,
                help="A starting point: it fills in the address that such servers usually have",
            )  # fmt: skip
            server = SERVERS[name]
            st.caption(prose(server.about))
            if server.start:
                st.code(server.start, language="bash")
        made, errors = _fields(of)
        for message in errors.get("", []):
            st.error(plain(message), icon=":material/error:")
        with st.container(horizontal=True):
            if st.button("Save", type="primary", icon=":material/save:", key=f"{FORM}.save", disabled=made is None):
                _save(made, of)
            st.button("Close", key=f"{FORM}.close", on_click=close_form)


def _fields(of: str) -> tuple[Connection | None, dict[str, list[str]]]:
    """The fields and what is wrong with them."""
    kind = st.session_state[f"{FORM}.kind"]
    places: dict[str, Any] = {}
    left, right = st.columns(2)
    below_left, below_right = st.columns(2)

    def text(column: Any, field: str, label: str, **more: Any) -> None:
        with column:
            st.text_input(label, key=f"{FORM}.{field}", persist_state="session", **more)
            places[field] = st.empty()

    text(left, "name", "Name", disabled=of != NEW, help="What recipes and this page call it")
    if kind != STAND_IN:
        server = SERVERS[st.session_state.get(f"{FORM}.server", "vllm")] if of == NEW else None
        text(right, "model", "Model", placeholder=server.model if server else "", help="Its name as the server knows "
             "it; for a model in this program its Hugging Face name or folder")  # fmt: skip
    if kind == "openai":
        text(below_left, "address", "Address", help="Of the server, with /v1 at the end where it has it")
        text(below_right, "key", "Variable that holds the key", placeholder="none: no key is sent", help="The NAME of "
             "an environment variable, such as OPENAI_API_KEY. The key itself is typed and stored nowhere")  # fmt: skip
        with st.expander("Prices, speed, form of the replies", icon=":material/tune:"):
            _more(places)
    made, errors = check()
    if made is not None and of == NEW and made.name in connections():
        name, made = made.name, None
        errors = {"name": [f"there is a connection “{name}” already: change it, or take another name"]}
    for field, messages in errors.items():
        if field in places and not st.session_state.get(f"{FORM}.{field}"):
            places[field].caption(":material/edit: Still to be filled in.")
        elif field in places:
            places[field].error(plain("; ".join(messages)), icon=":material/error:")
    key = str(st.session_state[f"{FORM}.key"] or "") if kind == "openai" else ""
    if key and not errors.get("key") and not os.environ.get(key):
        how_to_set(key)
    return made, {"": [m for f, ms in errors.items() if f not in places for m in ms]}


def _more(places: dict[str, Any]) -> None:
    priced = st.toggle(
        "It costs money", key=f"{FORM}.priced", persist_state="session",
        help="Without prices the page counts tokens and calls only, and a limit in money cannot be kept",
    )  # fmt: skip
    if priced:
        price_inputs(FORM)
        places["prices"] = st.empty()
    left, middle, right = st.columns(3)
    left.number_input(
        "Requests at once, at most", 1, 1024, key=f"{FORM}.concurrency", persist_state="session",
        help="It begins with a few and adapts to what the server bears",
    )  # fmt: skip
    middle.number_input(
        "Seconds a reply may take", 1.0, 3600.0, key=f"{FORM}.timeout", step=10.0, format="%.0f",
        persist_state="session",
    )  # fmt: skip
    right.selectbox(
        "Replies in JSON", list(STRUCTURED), key=f"{FORM}.structured", persist_state="session",
        format_func=STRUCTURED.__getitem__,
        help="How the server is told to reply in JSON, where a method asks for it",
    )  # fmt: skip


def price_inputs(key: str) -> None:
    """Prices per million tokens, as they stand in the session under `key`."""
    left, middle, right = st.columns(3)
    for place, label, name in ((left, "read", "input"), (middle, "written", "output")):
        place.number_input(
            f"Per million tokens {label}", 0.0, 1e6, key=f"{key}.{name}", format="%.4g", step=0.05,
            persist_state="session",
        )  # fmt: skip
    right.text_input("Currency", key=f"{key}.currency", max_chars=3, persist_state="session")


def check() -> tuple[Connection | None, dict[str, list[str]]]:
    """The connection that the form describes, or what is wrong by field ("" = as a whole)."""
    value = {f: st.session_state.get(f"{FORM}.{f}") for f in FIELDS}
    kind = value["kind"]
    fields: dict[str, Any] = {"name": str(value["name"] or "").strip(), "kind": kind}
    if kind != STAND_IN:
        fields["model"] = str(value["model"] or "").strip()
    if kind == "openai":
        fields |= {f: value[f] for f in ("concurrency", "timeout", "structured")}
        fields |= {"address": str(value["address"] or "").strip(), "key": str(value["key"] or "").strip() or None}
        if value["priced"]:
            fields["prices"] = {"input": value["input"], "output": value["output"],
                                "currency": str(value["currency"] or "").upper()}  # fmt: skip
    try:
        return Connection(**fields), {}
    except ValidationError as error:
        found: dict[str, list[str]] = {}
        for part in error.errors(include_url=False, include_context=False, include_input=False):
            message = str(part["msg"]).removeprefix("Value error, ")
            place = str(part["loc"][0]) if part["loc"] else ""
            head, _, rest = message.partition(": ")
            if not place and head in fields:
                place, message = head, rest
            found.setdefault(place, []).append(message)
        return None, found


def how_to_set(key: str) -> None:
    """What to do about a variable that is not set."""
    st.warning(
        f"The variable {plain(key)} is not set. Set it in the terminal in which you start the app, then start it "
        "again:",
        icon=":material/key_off:",
    )
    st.code(f"export {key}=…\ncurate app", language="bash")


def _save(made: Connection | None, of: str) -> None:
    if made is None:
        return
    try:
        save_connection(made)
    except CurationError as error:
        error_box(error)
        return
    close_form()
    st.session_state[f"{CHOSEN}.wanted"] = made.name
    st.rerun()


def remove(name: str) -> None:
    """Take a connection away, in the callback of a button."""
    try:
        remove_connection(name)
    except CurationError as error:
        st.session_state[f"{CHOSEN}.problem"] = (error.message, error.hint)
    close_form()
