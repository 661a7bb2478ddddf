"""The judge on five rows: what is sent, what comes back word for word, what is read off it, and what that cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.spending import Prices
from curation.ui import view_state
from curation.ui.components import error_box
from curation.ui.judge_apart import ask_apart, found, problem, waiting
from curation.ui.judge_facts import random_rows
from curation.ui.judge_method import Judge
from curation.ui.map_panel import open_key
from curation.ui.text import duration, money, number, one_line, plain, visible
from curation.workspace import Workspace

TRY = "judge.try"
ROWS = 5
LETTERS_SHOWN = 20_000
WAYS = {"random": "at random", "first": "the first", "view": "from the view", "open": "the open row"}


def try_panel(workspace: Workspace, dataset: Dataset, judge: Judge | None) -> None:
    """Choose rows, ask about them, and read everything; nothing is stored but the replies."""
    if judge is None:
        st.caption(":material/edit: First the connection and the method.")
        return
    key = _key(dataset)
    here = found(key)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"{TRY}.ask"):
        way = _way(dataset)
        turn = int(st.session_state.get(f"{TRY}.turn", 0))
        rows, why = rows_of(dataset, way, turn)
        running = here is not None and here.running
        again = here is not None and not running and "rows" in here.answer
        label = f"Try it on {'this row' if len(rows) == 1 else f'{len(rows)} rows'}"
        if st.button(
            label, icon=":material/play_arrow:", key=f"{TRY}.go", disabled=running or not len(rows),
            type="secondary" if again else "primary",
            help="Asks about these rows only. Replies are kept: a run that follows does not pay for them again",
        ):  # fmt: skip
            _start(workspace, key, dataset, judge, rows)
        if st.button(
            "Another 5", icon=":material/casino:", key=f"{TRY}.another", disabled=running or way == "open",
            help="Asks about five other rows",
        ):  # fmt: skip
            turn += 1
            st.session_state[f"{TRY}.turn"] = turn
            _start(workspace, key, dataset, judge, rows_of(dataset, way, turn)[0])
    if why:
        st.caption(f":material/info: {why}")
    if here is None:
        st.caption(
            ":material/lightbulb: Read some replies before you ask about every row: does the judge follow the "
            "scale, and "
            "do you agree with it?"
        )
        return
    if waiting(key, "Asking the judge"):
        return
    if here.asked.get("values") != judge.values or here.asked.get("use") != judge.use:
        st.caption(":orange[:material/history:] These replies are to other settings than those above.")
    answer = here.answer
    if not problem(answer):
        results(dataset, answer, judge.connection.prices)


def _key(dataset: Dataset) -> str:
    return f"{TRY}.{dataset.fingerprint}"


def _way(dataset: Dataset) -> str:
    ways = [w for w in WAYS if w not in ("open", "view")]
    if view_state.current(dataset).conditions:
        ways.append("view")
    if st.session_state.get(open_key(dataset)) is not None:
        ways.append("open")
    chosen = st.segmented_control(
        "Rows", ways, default="random", required=True, key=f"{TRY}.way", format_func=WAYS.__getitem__,
        help="The view and the open row are those of the Map and Data pages",
    )  # fmt: skip
    return str(chosen)


def rows_of(dataset: Dataset, way: str, turn: int) -> tuple[np.ndarray, str]:
    """Five rows in one of the ways; another turn gives five others. And a word about them, "" for none."""
    everything = np.arange(len(dataset))
    if way == "open":
        return np.array([int(st.session_state[open_key(dataset)])]), ""
    if way == "view":
        try:
            everything = np.flatnonzero(view_state.mask_of(dataset, view_state.current(dataset)))
        except CurationError as error:
            error_box(error)
            return everything[:0], ""
        if not len(everything):
            return everything, "No row is in the view."
    if way != "first":
        everything = random_rows(everything, len(everything), seed=1)
    begin = ROWS * turn % max(len(everything), 1)
    return np.concatenate([everything[begin : begin + ROWS], everything[: max(0, begin + ROWS - len(everything))]])[
        : min(ROWS, len(everything))
    ], ""


def _start(workspace: Workspace, key: str, dataset: Dataset, judge: Judge, rows: np.ndarray) -> None:
    asked = {
        "verb": "try", "use": judge.use, "values": judge.values, "ports": judge.ports, "dataset": dataset.fingerprint,
        "rows": [int(r) for r in rows],
    }  # fmt: skip
    ask_apart(workspace, key, asked)
    st.rerun()


# ------------------------------------------------------------------ what came back


def results(dataset: Dataset, answer: Mapping[str, Any], prices: Prices | None) -> None:
    """Row by row, and the sum."""
    for told in answer["rows"]:
        _row(dataset, told, prices)
    spent = answer.get("spent", {})
    parts = [
        f"{number(spent.get('calls', 0))} calls", f"{number(spent.get('reused', 0))} replies were stored already",
        f"{number(spent.get('tokens_in', 0))} tokens read, {number(spent.get('tokens_out', 0))} written",
    ]  # fmt: skip
    if prices is not None:
        parts.append(money(spent.get("money", 0.0), prices.currency))
    st.caption(f":material/receipt_long: {plain(' · '.join(parts))}")


def verdict(told: Mapping[str, Any]) -> str:
    """What was read off the reply, in a word."""
    if told.get("score") is not None:
        return f"{told['score']:.4g}"
    return str(told.get("label") or "")


def _row(dataset: Dataset, told: Mapping[str, Any], prices: Prices | None) -> None:
    row = int(told["row"])
    with st.container(border=True, key=f"{TRY}.row.{row}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            said = verdict(told)
            if said:
                st.markdown(f":primary-badge[**{plain(said)}**]", width="content")
            else:
                st.badge(plain(str(told.get("missing") or "no score")), icon=":material/block:", color="orange")
            st.markdown(f"**Row {row:,}**", width="content")
            st.caption(
                plain(one_line(dataset.texts("prompt")[row] if row < len(dataset) else "", 110)), width="stretch"
            )
        left, right = st.columns(2, gap="medium")
        with left:
            st.caption("The judge's reply, word for word")
            _replies(told, prices)
        with right:
            st.caption("Read off it")
            _read(told)
        with st.expander("The row", icon=":material/article:"):
            st.caption("Prompt")
            st.text(visible(dataset.texts("prompt")[row][:LETTERS_SHOWN]))
            st.caption("Response")
            st.text(visible(dataset.texts("response")[row][:LETTERS_SHOWN]))
        with st.expander("What was sent", icon=":material/outgoing_mail:"):
            requests_view(told.get("asked", []))


def _replies(told: Mapping[str, Any], prices: Prices | None) -> None:
    replies = [r for r in told.get("replies", []) if r]
    if not told.get("asked"):
        st.caption(":material/block: Nothing is asked about this row.")
    elif not replies:
        st.caption(":material/block: No reply came.")
    for reply in replies:
        text = str(reply["text"])
        st.code(visible(text[:LETTERS_SHOWN]) or "(empty)", language=None, wrap_lines=True)
        parts = [f"{number(reply['tokens_in'])} tokens read", f"{number(reply['tokens_out'])} written"]
        if prices is not None:
            parts.append(money(prices.of(reply["tokens_in"], reply["tokens_out"]), prices.currency))
        if reply["seconds"]:
            parts.append(duration(reply["seconds"]))
        if reply["finish"] != "stop":
            parts.append(f"ended by: {reply['finish']}")
        if reply["refusal"]:
            parts.append(f"refused: {one_line(str(reply['refusal']), 80)}")
        st.caption(plain(" · ".join(parts)))


def _read(told: Mapping[str, Any]) -> None:
    said = verdict(told)
    if said:
        st.markdown(f"**{plain(said)}**")
    if told.get("missing"):
        st.markdown(f":orange[:material/block:] Missing: {plain(str(told['missing']))}")
    for name, value in told.get("columns", {}).items():
        if value is not None:
            st.caption(plain(f"{name.replace('_', ' ')}: {value:.4g}"))
    explanation = str(told.get("explanation") or "")
    if explanation and explanation.strip() not in {str(r["text"]).strip() for r in told.get("replies", []) if r}:
        st.text(visible(explanation[:LETTERS_SHOWN]))  # else it is the reply, which stands beside it


def requests_view(requests: list[Mapping[str, Any]]) -> None:
    """Requests as they go out, every letter as text."""
    if not requests:
        st.caption("Nothing.")
    for request in requests:
        for role, text in request["messages"]:
            st.caption(plain(str(role)))
            st.code(visible(str(text)[:LETTERS_SHOWN]), language=None, wrap_lines=True)
        facts = [f"temperature {request['temperature']:g}", f"at most {number(request['max_tokens'])} tokens written"]
        if request.get("logprobs"):
            facts.append("with log-probabilities")
        if request.get("schema"):
            facts.append("as JSON of this form:")
        st.caption(plain(" · ".join(facts)))
        if request.get("schema"):
            st.code(json.dumps(json.loads(request["schema"]), indent=1), language="json", wrap_lines=True)
