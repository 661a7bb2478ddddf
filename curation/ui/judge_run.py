"""A run of the judge: started with its limits, followed while scores arrive, and gone on with when a limit ended it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from curation import jobs
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.saving import to_json
from curation.core.spending import Caps
from curation.estimates.asking import Cost, compare
from curation.estimates.extrapolate import Range
from curation.jobs import Status
from curation.models.chat.live import BIN, HIGH, LOW
from curation.recipe import Recipe
from curation.ui.components import Tile, chart, error_box, errors_shown, mode, stat_tiles
from curation.ui.job_card import elapsed, job_card, seconds_left, was_capped
from curation.ui.judge_method import Judge
from curation.ui.judge_rows import Which, judge_recipe
from curation.ui.run_panel import newest_job
from curation.ui.text import duration, money, number, percent, plain
from curation.workspace import Workspace, write_atomically
from curation.workspace.files import read_facts

JUDGE = "Judge"
"""Kind of the jobs of this page: the part of their titles before the colon."""
POLL_S = 1.5
EXPECTED = "expected.json"
"""In the job's folder: what was expected before it began."""


def run_button(
    workspace: Workspace, dataset: Dataset, judge: Judge, which: Which, cost: Cost | None, caps: Caps | None,
    *, running: bool = False,
) -> None:  # fmt: skip
    """The button that starts the job, and the recipe that it runs; not while a run of this page is under way."""
    try:
        recipe, bindings = judge_recipe(workspace, dataset, judge, which)
    except CurationError as error:
        error_box(error)
        return
    rows = which.count(dataset)
    free = cost is not None and cost.basis == "stored"
    with st.container(horizontal=True, vertical_alignment="center", key="judge.run.row"):
        if st.button(
            f"Judge {number(rows)} rows", type="primary", icon=":material/gavel:", key="judge.run",
            disabled=caps is None or not rows or running, shortcut="Ctrl+Enter",
            help="Runs in a process of its own: this page can be closed",
        ):  # fmt: skip
            start_judge(workspace, dataset, recipe, bindings, judge.method.title, caps or Caps(), cost)
        if running:
            st.caption(":material/hourglass_top: The run above comes first.", width="content")
        elif free:
            st.caption(":material/bolt: Every reply is stored: nothing is sent.", width="content")
        elif caps == Caps():
            st.caption(":material/all_inclusive: No limit is set.", width="content")
    with st.expander("The recipe that this button runs", icon=":material/receipt_long:"):
        st.code(recipe.yaml(), language="yaml")


def start_judge(
    workspace: Workspace, dataset: Dataset, recipe: Recipe, bindings: Mapping[str, str], what: str, caps: Caps,
    cost: Cost | None = None,
) -> None:  # fmt: skip
    """Start a job of this page and rerun it.

    Args:
        workspace: Where.
        dataset: On what.
        recipe: What.
        bindings: Its inputs.
        what: For the title.
        caps: What it may cost.
        cost: What it is expected to cost, kept beside the job.
    """
    with errors_shown(stop=True):
        job = jobs.start(workspace, recipe, bindings, title=f"{JUDGE}: {dataset.name}, {what}", caps=caps)
        if cost is not None:
            write_atomically(job.folder / EXPECTED, to_json(_facts(cost)))
        st.session_state["judge.started"] = True
    st.rerun()


def _facts(cost: Cost) -> dict[str, Any]:
    ranges = {name: getattr(cost, name) for name in ("calls", "tokens_in", "tokens_out", "money")}
    found = {n: [r.value, r.low, r.high] for n, r in ranges.items() if r is not None}
    return {"rows": cost.rows, "basis": cost.basis, "currency": cost.currency, "ranges": found}


def expected_of(workspace: Workspace, job_id: str) -> Cost | None:
    """What was expected of a job before it began, None where nobody asked."""
    facts = read_facts(workspace.root / "jobs" / job_id / EXPECTED)
    if not facts:
        return None
    # an end that is not known was written as null
    ranges = {n: Range(*(float("inf") if v is None else float(v) for v in r)) for n, r in facts["ranges"].items()}
    zero = Range(0.0, 0.0, 0.0)
    return Cost(
        int(facts["rows"]), ranges.get("calls", zero), ranges.get("tokens_in", zero), ranges.get("tokens_out", zero),
        ranges.get("money"), str(facts["currency"]), None, str(facts["basis"]),
    )  # fmt: skip


# ------------------------------------------------------------------ following


def follow_judge(workspace: Workspace, dataset: Dataset) -> Status | None:
    """The newest run: live while it goes on, with its reason where it did not end well.

    Returns:
        Its status when the page was drawn; None where there is no run.
    """
    status = newest_job(workspace, dataset, JUDGE)
    if status is None:
        return None
    if not status.ended:
        _live(workspace, status)
    elif status.state != "done":
        _stopped(workspace, status)
    elif st.session_state.get("judge.started"):
        _ended(workspace, status)
    return status


def _live(workspace: Workspace, status: Status) -> None:
    expected = expected_of(workspace, status.id)

    @st.fragment(run_every=POLL_S)
    def follow() -> None:
        now = jobs.status(workspace, status.id)
        if now.ended:
            st.rerun()
        with st.container(border=True, key="judge.live"):
            job_card(workspace, now, details=False)
            live_numbers(workspace, now, expected)

    follow()


def live_numbers(workspace: Workspace, status: Status, expected: Cost | None) -> None:
    """Tiles, the histogram so far and failures of one run."""
    metrics = jobs.metrics(workspace, status.id)
    measured = latest(metrics)
    # the job's progress is that of its present step, which may ask nobody
    whole = status.total if "judged" in metrics.get(status.step, {}) else 0.0
    if "judged" not in measured and not status.spent:
        st.caption(":material/hourglass_empty: Nobody has been asked yet.")
        return
    spent = {**{k: v for k, v in measured.items() if not k.startswith(BIN)}, **status.spent}
    stat_tiles(tiles_of(status, spent, measured, whole, expected))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _histogram(measured)
    with right:
        failures_table(spent.get("failures") or {}, "Failed calls so far", key="judge.live.failures")


def latest(metrics: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """The last value of everything that steps which ask recorded."""
    found: dict[str, float] = {}
    for values in metrics.values():
        for name, column in values.items():
            numbers = np.asarray(column, np.float64)
            numbers = numbers[np.isfinite(numbers)]
            if len(numbers):
                found[name] = float(numbers[-1])
    return found


def tiles_of(
    status: Status, spent: Mapping[str, Any], measured: Mapping[str, float], total: float, expected: Cost | None
) -> list[Tile]:
    """What a running job has done and spent, each number beside what was expected or allowed."""
    done = float(measured.get("judged", 0.0))
    caps = {k: v for k, v in status.caps.items() if v is not None}
    tokens = float(spent.get("tokens_in", 0)) + float(spent.get("tokens_out", 0))
    currency = str(spent.get("currency") or (expected.currency if expected else "") or "")
    share = f"{percent(done, total)} of {number(total)}" if total else None
    tiles = [Tile("Judged", number(done), "Rows, by the step that asked last", share)]
    if (expected is not None and expected.money is not None) or "money" in caps or spent.get("money"):
        notes = [_about(expected, expected.money, lambda v: money(v, currency))] if expected and expected.money else []
        notes += [f"limit {money(caps['money'], currency)}"] if "money" in caps else []
        tiles.append(
            Tile("Spent", money(float(spent.get("money", 0.0)), currency), None, "; ".join(filter(None, notes)) or None)
        )
    told = expected is not None and expected.basis != "stored"
    notes = [_about(expected, expected.tokens, lambda v: number(round(v)))] if expected and told else []
    notes += [f"limit {number(caps['tokens'])}"] if "tokens" in caps else []
    tiles.append(Tile("Tokens", number(tokens), "Read and written", "; ".join(filter(None, notes)) or None))
    again = int(spent.get("retries", 0))
    notes = [f"limit {number(caps['calls'])}"] if "calls" in caps else []
    notes += [f"{number(again)} sent again"] if again else []
    notes += [f"{number(spent['reused'])} stored before"] if spent.get("reused") else []
    tiles.append(Tile("Calls", number(spent.get("calls", 0)), "Requests sent", "; ".join(notes) or None))
    if not status.ended:
        at_once, most = measured.get("in_flight", 0.0), measured.get("concurrency", 0.0)
        tiles.append(Tile("At once", number(at_once), "Requests under way; the limit adapts to the server",
                          f"limit {number(most)} now" if most else None))  # fmt: skip
        tiles.append(Tile("Time left", duration(seconds_left(status)), None, f"{duration(elapsed(status))} so far"))
    return tiles


def _about(expected: Cost, what: Range, say: Callable[[float], str]) -> str:
    """What was expected; from the lengths of the texts alone only a limit is known."""
    if expected.basis != "text":
        return f"of about {say(what.value)}"
    return f"of at most {say(what.high)}" if np.isfinite(what.high) else ""


def _histogram(measured: Mapping[str, float]) -> None:
    from curation.figures.judge_scores import arriving_figure

    bins = sorted((int(k[len(BIN) :]), v) for k, v in measured.items() if k.startswith(BIN))
    counts = np.array([v for _, v in bins])
    low, high = measured.get(LOW, 0.0), measured.get(HIGH, 1.0)
    chart(
        arriving_figure(counts, low, high, mode=mode()), key=f"judge.live.scores.{int(counts.sum())}",
        alt="Scores so far",
    )  # fmt: skip


def failures_table(reasons: Mapping[str, int], title: str, *, key: str) -> None:
    """Reasons with their counts, most frequent first."""
    st.markdown(f"**{title}**")
    lines = [{"reason": str(r), "times": int(c)} for r, c in sorted(reasons.items(), key=lambda i: -i[1])]
    if not lines:
        st.caption(":material/check: None.")
        return
    st.dataframe(
        lines, hide_index=True, key=key, alt=title,
        column_config={"times": st.column_config.NumberColumn(format="localized", width=70)},
    )  # fmt: skip


# ------------------------------------------------------------------ ended


def _caps_set(status: Status) -> dict[str, float]:
    return {k: v for k, v in status.caps.items() if v is not None}


def _stopped(workspace: Workspace, status: Status) -> None:
    with st.container(border=True, key="judge.stopped"):
        job_card(workspace, status, details=False)
        if status.spent:
            live_numbers(workspace, status, expected_of(workspace, status.id))
        if was_capped(status):
            _raise_caps(workspace, status)


def _raise_caps(workspace: Workspace, status: Status) -> None:
    """Go on with other limits; what was answered is not asked again."""
    st.markdown("**Go on with a higher limit.** What was answered is stored and not paid for again.")
    caps, names = _caps_set(status), {"money": "Money", "tokens": "Tokens", "calls": "Calls"}
    wanted: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="bottom", key="judge.raise"):
        for name, cap in caps.items():
            whole = name != "money"
            wanted[name] = st.number_input(
                f"{names[name]} for the rest", min_value=1 if whole else 0.0, value=int(cap) if whole else float(cap),
                key=f"judge.raise.{status.id}.{name}", width=180, format=None if whole else "%.2f",
                help="Counted from now on",
            )  # fmt: skip
        if st.button("Go on", type="primary", icon=":material/play_arrow:", key="judge.raise.go"):
            _go_on(workspace, status, Caps(**wanted))
        if st.button("Go on without limits", key="judge.raise.all", type="tertiary"):
            _go_on(workspace, status, Caps())


def _go_on(workspace: Workspace, status: Status, caps: Caps) -> None:
    with errors_shown(stop=True):
        jobs.resume(workspace, status.id, caps=caps)
        st.session_state["judge.started"] = True
    st.rerun()


def _ended(workspace: Workspace, status: Status) -> None:
    """What it cost beside what was expected, until another page is opened."""
    with st.container(border=True, key="judge.ended"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":green[:material/check_circle:] **{plain(status.title)}**", width="content")
            st.caption(f"took {duration(elapsed(status))}", width="stretch")
            if st.button("Close", icon=":material/close:", type="tertiary", key="judge.ended.close"):
                st.session_state.pop("judge.started", None)
                st.rerun()
        expected = expected_of(workspace, status.id)
        if not status.spent:
            st.caption("Nobody had to be asked: everything was stored.")
        elif expected is None or expected.basis in ("stored", "text"):
            st.caption(plain(_spent_line(status.spent)))
        else:
            _beside(expected, status.spent)


def _spent_line(spent: Mapping[str, Any]) -> str:
    said = f"{number(spent.get('calls', 0))} calls, {number(spent.get('reused', 0))} replies stored before, "
    said += f"{number(spent.get('tokens_in', 0))} tokens read, {number(spent.get('tokens_out', 0))} written"
    return said + (f", {money(spent['money'], str(spent.get('currency', '')))}" if spent.get("money") else "")


def _beside(expected: Cost, spent: Mapping[str, Any]) -> None:
    names = {"calls": "calls", "tokens_in": "tokens read", "tokens_out": "tokens written", "money": "money"}
    lines = []
    for each in compare(expected, spent):
        digits = (lambda v: f"{v:,.4g}") if each.name == "money" else (lambda v: number(round(v)))
        finite = dataclasses.replace(each.expected, high=min(each.expected.high, 1e15))
        lines.append({
            "": names[each.name], "expected": digits(finite.value),
            "95 % interval": f"{digits(finite.low)} to {digits(finite.high)}", "actual": digits(each.actual),
            "inside": "yes" if each.inside else "no",
        })  # fmt: skip
    st.dataframe(lines, hide_index=True, alt="Expected and actual cost")
