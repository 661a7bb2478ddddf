"""Before anything is asked: what would be sent, what of it is stored, what the rest will cost, and what it may cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.method import parse_budget
from curation.core.runtime import Runtime
from curation.core.spending import Caps, Prices
from curation.estimates.asking import Calls, Cost, Group, Range, cost_from_groups, plan_calls
from curation.models.chat.connections import STAND_IN, Connection, save_connection
from curation.ui.components import Tile, error_box, stat_tiles
from curation.ui.judge_apart import ask_apart, found, problem, waiting
from curation.ui.judge_form import price_inputs
from curation.ui.judge_method import Judge
from curation.ui.judge_rows import Which
from curation.ui.judge_try import requests_view
from curation.ui.text import duration, money, number, plain
from curation.workspace import Workspace

COST = "judge.cost"
PROBE_ROWS = 30
BASES = {
    "stored": "every reply is stored already",
    "probe": "measured on {sample} of these rows",
    "replies": "from {sample} replies that are stored",
    "history": "from the last run of this method",
    "text": "from the lengths of the texts alone: limits, not an estimate",
}


def cost_panel(workspace: Workspace, dataset: Dataset, judge: Judge, which: Which) -> tuple[Cost | None, Caps | None]:
    """Count, estimate, and ask for limits.

    Returns:
        What is known of the cost, and the limits; None where something has to be mended first.
    """
    calls = counted(workspace, dataset, judge, which)
    if calls is None:
        return None, None
    cost = _cost(workspace, dataset, judge, which, calls)
    _tiles(calls, cost, judge.connection)
    _probe(workspace, dataset, judge, which, calls)
    left, right = st.columns(2, gap="medium")
    with left, st.expander("What would be sent for one row", icon=":material/outgoing_mail:"):
        _example(calls)
    with right, st.expander("Prices", icon=":material/payments:"):
        _prices(judge.connection)
    return cost, _caps(judge.connection, cost)


# ------------------------------------------------------------------ counting


def counted(workspace: Workspace, dataset: Dataset, judge: Judge, which: Which) -> Calls | None:
    """What would be asked; counted once for the same settings, rows and stored replies."""
    place = (judge.use, json.dumps(judge.values, sort_keys=True, default=str), judge.connection.model_dump_json())
    try:
        return _counted(dataset.fingerprint, place, which.digest, _stamp(workspace), workspace, dataset, judge, which)
    except CurationError as error:
        error_box(error)
        return None


def _stamp(workspace: Workspace) -> tuple[int, ...]:
    """Changes whenever replies are stored."""
    files = (workspace.root / f"replies.sqlite{end}" for end in ("", "-wal"))
    return tuple(f.stat().st_mtime_ns if f.exists() else 0 for f in files)


@st.cache_resource(max_entries=16, show_spinner="Counting what would be asked …")
def _counted(
    fingerprint: str, place: tuple[str, ...], rows: str, stamp: tuple[int, ...], _workspace: Workspace,
    _dataset: Dataset, _judge: Judge, _which: Which,
) -> Calls:  # fmt: skip
    return plan_calls(_judge.method, _part(_dataset, _which), Runtime(replies=_workspace.root / "replies.sqlite"))


def _part(dataset: Dataset, which: Which) -> Dataset:
    return dataset if which.rows is None else dataset.take(which.rows)


# ------------------------------------------------------------------ the estimate


def _place(dataset: Dataset) -> str:
    return f"{COST}.{dataset.fingerprint}"


def _about(judge: Judge, which: Which) -> dict[str, Any]:
    """What a probe is about; another one does not hold for it. Prices may change: they are applied afterwards."""
    model = judge.connection.model_dump(mode="json", exclude={"prices", "concurrency", "timeout"})
    return {"use": judge.use, "values": judge.values, "digest": which.digest, "model": model}


def _cost(workspace: Workspace, dataset: Dataset, judge: Judge, which: Which, calls: Calls) -> Cost:
    """From the probe of these settings and rows, else the limits that follow from the texts."""
    here = found(_place(dataset))
    groups: list[Group] = []
    if here is not None and here.asked.get("about") == _about(judge, which):
        groups = [Group(**g) for g in here.answer.get("groups", [])]
    return cost_from_groups(judge.method, calls, groups)


def _probe(workspace: Workspace, dataset: Dataset, judge: Judge, which: Which, calls: Calls) -> None:
    key = _place(dataset)
    here = found(key)
    mine = here is not None and here.asked.get("about") == _about(judge, which)
    if mine and waiting(key, f"Asking about {PROBE_ROWS} rows"):
        return
    if here is not None and mine and not problem(here.answer):
        st.caption(f":material/receipt_long: {plain(_spent(here.answer, judge.connection.prices))}")
    if not calls.open or (here is not None and mine and here.answer.get("groups")):
        return
    asked = {
        "verb": "probe", "use": judge.use, "values": judge.values, "ports": judge.ports, "about": _about(judge, which),
        "dataset": dataset.fingerprint, "sample": PROBE_ROWS,
        "rows": None if which.rows is None else which.rows.tolist(),
    }  # fmt: skip
    st.button(
        f"Measure on {min(PROBE_ROWS, calls.open)} rows", icon=":material/straighten:", key=f"{COST}.probe",
        on_click=ask_apart, args=(workspace, key, asked),
        help="Really asks about some of these rows, so it costs a little. Their replies are kept: the run does not ask "
        "about them again",
    )  # fmt: skip


def _spent(answer: Mapping[str, Any], prices: Prices | None) -> str:
    spent = answer.get("spent", {})
    said = f"Measuring took {number(spent.get('calls', 0))} calls"
    return said + (f", {money(spent.get('money', 0.0), prices.currency)}" if prices is not None else "")


def _tiles(calls: Calls, cost: Cost, connection: Connection) -> None:
    silent = calls.rows - calls.asked
    stored_rows = int((calls.counts > 0).sum()) - calls.open
    copies = calls.asked - stored_rows - calls.open
    asked = f"of {number(calls.rows)}"
    others = [f"{number(stored_rows)} have stored replies"] if stored_rows else []
    others += [f"{number(copies)} ask the same as an earlier row"] if copies > 0 else []
    others += [f"{number(silent)} ask nothing"] if silent else []
    tiles = [
        Tile(
            "Rows to ask about",
            number(calls.open),
            "Rows whose reply is not stored yet. Copies ask the "
            "same as an earlier row and take over its reply; a row without a response asks nothing",
            asked,
        ),
        Tile(
            "Calls", _about_number(cost.calls), "Requests that will be sent", f"{number(calls.stored)} stored already"
        ),
        Tile("Tokens", _about_number(cost.tokens), "Read and written together", _span(cost.tokens)),
    ]
    if cost.money is not None:
        upto = cost.basis == "text"
        value = ("up to " if upto else "") + money(cost.money.high if upto else cost.money.value, cost.currency)
        note = f"{money(cost.money.low, '').strip()} to {money(cost.money.high, cost.currency)}"
        tiles.append(Tile("Cost", value, "With a 95 % interval, once it is measured", note))
    else:
        nothing = connection.kind != "openai"
        tiles.append(Tile("Cost", "nothing" if nothing else "not known", "Enter prices below to see it",
                          "no server is paid" if nothing else "no prices are set"))  # fmt: skip
    if cost.seconds is not None and cost.basis != "stored":
        note = f"{duration(cost.seconds.low)} to {duration(cost.seconds.high)}"
        tiles.append(Tile("Time", duration(cost.seconds.value), "At the speed that was measured", note))
    stat_tiles(tiles)
    basis = BASES.get(cost.basis, cost.basis).format(sample=number(cost.sample))
    rest = f" Of the other rows {', '.join(others)}." if others else ""
    st.caption(f":material/straighten: {basis[0].upper() + basis[1:]}.{rest}")
    if cost.stand_in:
        st.caption(
            ":orange[:material/theater_comedy:] The stand-in counts four letters as a token: these numbers tell "
            "nothing "
            "about a model."
        )


def _about_number(value: Range) -> str:
    return number(round(value.value))


def _span(value: Range) -> str:
    return f"{number(round(value.low))} to {number(round(value.high))}" if value.low < value.high else "known exactly"


def _example(calls: Calls) -> None:
    if calls.example is None:
        st.caption("Nothing is asked about any of these rows.")
        return
    request = calls.example
    st.caption(
        f"{number(sum(len(t) for _, t in request.messages))} characters; the longest request has "
        f"{number(calls.longest)}. All that are not stored together: {number(calls.bytes)} bytes of text."
    )
    requests_view([{
        "messages": request.messages, "temperature": request.temperature, "max_tokens": request.max_tokens,
        "schema": request.schema, "logprobs": request.logprobs,
    }])  # fmt: skip


# ------------------------------------------------------------------ prices and limits


def _prices(connection: Connection) -> None:
    """Prices are facts of the connection, so they are kept with it."""
    if connection.kind != "openai" or connection.name == STAND_IN:
        st.caption("No server is paid here, so there are no prices.")
        return
    key = f"{COST}.price.{connection.name}"
    prices = connection.prices or Prices()
    for field in ("input", "output", "currency"):
        st.session_state.setdefault(f"{key}.{field}", getattr(prices, field))
    price_inputs(key)
    now = Prices(*(st.session_state[f"{key}.{field}"] for field in ("input", "output", "currency")))
    st.caption("From the price list of whoever runs the server. Kept with the connection.")
    if st.button("Save prices", icon=":material/save:", key=f"{key}.save", disabled=now == connection.prices):
        try:
            fields = {**connection.model_dump(), "prices": asdict(now)}
            save_connection(Connection.model_validate(fields))
        except (CurationError, ValueError) as error:
            shown = error if isinstance(error, CurationError) else CurationError("these are no prices", "currency: USD")
            error_box(shown)
            return
        st.rerun()


def _caps(connection: Connection, cost: Cost) -> Caps | None:
    """Limits of the run; None where what was typed is no number."""
    st.markdown("**Stop at**", help="The run stops cleanly before it would go beyond; what was answered is kept")
    left, middle, right, most = st.columns([1, 1, 1, 1], vertical_alignment="bottom")
    priced = connection.prices is not None
    currency = connection.prices.currency if connection.prices is not None else ""
    amount = left.number_input(
        f"Money{f' ({currency})' if currency else ''}", 0.0, None, None, key=f"{COST}.cap.money", format="%.2f",
        placeholder="no limit" if priced else "prices not known", disabled=not priced, persist_state="session",
        help="Needs prices" if not priced else "In the currency of the prices",
    )  # fmt: skip
    tokens = middle.text_input(
        "Tokens", key=f"{COST}.cap.tokens", placeholder="no limit", persist_state="session",
        help="Read and written together: 500000, 500k or 2M",
    )  # fmt: skip
    calls = right.number_input(
        "Calls", 1, None, None, key=f"{COST}.cap.calls", placeholder="no limit", persist_state="session",
        help="Requests sent, repeats included",
    )  # fmt: skip
    if priced and cost.money is not None and np.isfinite(cost.money.high) and cost.money.high > 0:
        high = float(np.ceil(cost.money.high * 100) / 100)
        most.button(
            f"At most {high:,.2f} {currency}", icon=":material/vertical_align_top:", key=f"{COST}.cap.high",
            on_click=lambda: st.session_state.update({f"{COST}.cap.money": high}),
            help="The upper end of the estimate",
        )  # fmt: skip
    read: int | None = None
    if tokens and tokens.strip():
        try:
            read = int(parse_budget(f"{tokens.strip()} tokens")[1])
        except CurationError:
            middle.error("Write 500000, 500k or 2M", icon=":material/error:")
            return None
    return Caps(amount if priced else None, read, int(calls) if calls else None)
