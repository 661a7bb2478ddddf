"""Jobs as cards: progress with time left, estimate beside actual, log, cancel and resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import streamlit as st

from curation import jobs
from curation.estimates import Estimate
from curation.jobs import Status
from curation.ui.components import errors_shown
from curation.ui.metrics_view import job_curves
from curation.ui.text import ago, duration, money, number, plain, size
from curation.workspace import Workspace

POLL_S = 1.5
LOOKS: dict[str, tuple[str, Literal["blue", "green", "red", "orange", "gray"]]] = {
    "queued": (":material/hourglass_top:", "gray"),
    "running": (":material/play_circle:", "blue"),
    "done": (":material/check_circle:", "green"),
    "failed": (":material/error:", "red"),
    "cancelled": (":material/cancel:", "orange"),
    "lost": (":material/help:", "orange"),
}
MEANINGS = {
    "queued": "Waits for another job, or is just starting.",
    "running": "Works in a process of its own: this page can be closed.",
    "done": "Finished; its results are stored.",
    "failed": "Stopped by a problem; what was finished is stored.",
    "cancelled": "Stopped by you; what was finished is stored.",
    "lost": "Its process is gone (killed, or the machine was switched off); what was finished is stored.",
}


CAPPED = "Stopped before it went beyond what it may cost; what was answered is stored."


def was_capped(status: Status) -> bool:
    """True where a limit ended the run."""
    limited = any(v is not None for v in status.caps.values())
    return status.state in ("cancelled", "failed") and limited and "the cap of" in status.message


def seconds_left(status: Status) -> float | None:
    """Seconds until the whole job is done, None when unknown: this step as measured, later ones as estimated."""
    if status.ended or not status.step_count:
        return None
    later = [e for e in status.estimates[status.step_index + 1 :] if not e["reused"]]
    if any(e["basis"] == "unknown" for e in later):
        return None
    here = status.seconds_left
    if here is None and status.step_index < len(status.estimates):
        now = status.estimates[status.step_index]
        here = None if now["basis"] == "unknown" else float(now["seconds"])
    return None if here is None else here + sum(float(e["seconds"]) for e in later)


def elapsed(status: Status) -> float:
    """Seconds from start to end; of a running job to now, of a lost one to its last word."""
    end = status.finished or (status.updated if status.ended else time.time())
    return max(end - status.started, 0.0)


def progress_line(status: Status) -> str:
    """One sentence about where a running job is."""
    if status.state == "queued":
        return status.note or "starting"
    parts = [f"step {status.step_index + 1} of {status.step_count}: {status.step}"]
    if status.note and status.note != status.step:
        parts.append(status.note)
    left = seconds_left(status)
    parts.append(f"about {duration(left)} left" if left is not None else f"{duration(elapsed(status))} so far")
    return " · ".join(parts)


def spent_line(status: Status) -> str:
    """What asking chat models took so far, beside what it may take; "" for jobs that ask nobody."""
    spent, caps = status.spent, {k: v for k, v in status.caps.items() if v is not None}
    if not spent:
        return ""

    def of(name: str, text: str) -> str:
        return f"{text} of {caps[name]:,}" if name in caps else text

    tokens = int(spent.get("tokens_in", 0)) + int(spent.get("tokens_out", 0))
    parts = [of("calls", f"{int(spent.get('calls', 0)):,}") + " calls", of("tokens", f"{tokens:,}") + " tokens"]
    if spent.get("money") or "money" in caps:
        most = f" of {caps['money']:,.2f}" if "money" in caps else ""
        parts.append(money(float(spent.get("money", 0.0)), f"{most} {spent.get('currency', '')}".strip()))
    if spent.get("retries"):
        parts.append(f"{int(spent['retries']):,} sent again")
    if spent.get("reused"):
        parts.append(f"{int(spent['reused']):,} replies were stored already")
    return " · ".join(parts)


def job_card(workspace: Workspace, status: Status, *, details: bool = True) -> None:
    """One job.

    Args:
        workspace: Where it lives.
        status: Its status.
        details: Also its curves, steps, recipe and log.
    """
    icon, colour = LOOKS[status.state]
    with st.container(border=True, key=f"job.{status.id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{plain(status.title)}**", width="content")
            if was_capped(status):
                st.badge("stopped at its limit", icon=":material/vertical_align_top:", color="orange", help=CAPPED)
            else:
                st.badge(status.state, icon=icon, color=colour, help=MEANINGS[status.state])
            where = f"{plain(status.dataset)} · " if status.dataset else ""
            st.caption(f"{where}{ago(status.started)} · {duration(elapsed(status))}", width="stretch")
            _buttons(workspace, status)
        if not status.ended:
            st.progress(status.share, plain(progress_line(status)))
        if line := spent_line(status):
            st.caption(f":material/payments: {plain(line)}")
        if status.message:
            if status.state == "cancelled":  # as it was wanted, so nothing went wrong
                st.info(plain(status.message), icon=":material/info:")
            else:
                st.error(plain(status.message), icon=":material/error:")
            if status.hint:
                st.caption(f":material/lightbulb: {plain(status.hint)}")
        if details:
            job_curves(workspace, status)
        if details and (status.steps or status.estimates):
            with st.expander("Steps: estimate and actual", icon=":material/format_list_numbered:"):
                steps_table(status)
        if details:
            left, right = st.columns(2)
            with left.expander("Log", icon=":material/subject:"):
                st.code(jobs.read_log(workspace, status.id) or "(nothing yet)", language=None, wrap_lines=True)
            with right.expander("Recipe", icon=":material/receipt_long:"):
                st.code(jobs.recipe_of(workspace, status.id), language="yaml")


def _buttons(workspace: Workspace, status: Status) -> None:
    actions: list[tuple[str, str, Callable[[Workspace, str], object], str]] = []
    if not status.ended:
        actions.append(
            ("Cancel", ":material/stop_circle:", jobs.cancel, "Stops at its next report; stored work stays.")
        )
    else:
        if status.state != "done" or status.failed:
            actions.append(
                ("Resume", ":material/replay:", jobs.resume, "The same recipe; stored work is not repeated.")
            )
        actions.append(("Forget", ":material/delete:", jobs.delete, "Removes it from this list; its results stay."))
    for label, icon, act, help_text in actions:
        if st.button(label, icon=icon, key=f"job.{status.id}.{label}", help=help_text, type="tertiary"):
            with errors_shown():
                act(workspace, status.id)
                st.rerun()


def steps_table(status: Status) -> None:
    """Each step with what was estimated and what it took."""
    done = {s["name"]: s for s in status.steps}
    names = [e["step"] for e in status.estimates] or list(done)
    expected = {e["step"]: e for e in status.estimates}
    rows = []
    for name in names:
        fact, guess = done.get(name), expected.get(name)
        reused = (fact or guess or {}).get("reused", False)
        rows.append(
            {
                "step": name,
                "method": (fact or guess or {}).get("use", ""),
                "estimate": "stored" if guess and guess["reused"] else _guess(guess),
                "actual": "" if fact is None else "reused" if reused else duration(fact["seconds"]),
                "rows": "" if fact is None else number(fact["rows"]),
                "of these reused": "" if fact is None or not fact["rows_reused"] else number(fact["rows_reused"]),
                "peak memory": "" if fact is None or reused else size(fact["peak_mb"] * 2**20),
                "note": "" if fact is None else _notes(fact),
            }
        )
    st.dataframe(rows, hide_index=True, alt="Steps of the job")


def _guess(guess: Mapping[str, Any] | None) -> str:
    return "unknown" if guess is None or guess["basis"] == "unknown" else duration(guess["seconds"])


def _notes(fact: Mapping[str, Any]) -> str:
    missing = [f"{count:,} rows: {reason}" for reason, count in fact["missing"].items()]
    return "; ".join([*([fact["note"]] if fact["note"] else []), *missing])


def watch_job(workspace: Workspace, job_id: str, *, key: str, details: bool = False) -> Status:
    """A card that follows one job; the page reruns once when the job has ended.

    It polls only while the job runs, in a fragment of its own, so the rest of the page stays as it is.

    Returns:
        The status at the time the page was drawn.
    """
    status = jobs.status(workspace, job_id)
    if status.ended:
        job_card(workspace, status, details=details)
        return status

    @st.fragment(run_every=POLL_S)
    def follow() -> None:
        now = jobs.status(workspace, job_id)
        if now.ended:
            st.rerun()
        job_card(workspace, now, details=details)

    with st.container(key=f"{key}.watch"):
        follow()
    return status


def _loads_model(use: str) -> bool:
    return use.startswith("encoder/") and use not in ("encoder/tfidf", "encoder/pca")


def estimate_table(estimates: Sequence[Estimate]) -> None:
    """What a plan will cost, step by step, with its sum in one sentence."""
    todo = [e for e in estimates if not e.reused]
    known = [e for e in todo if e.basis != "unknown"]
    unknown = len(todo) - len(known)
    if not todo:
        st.success("Everything is stored already: nothing has to be computed.", icon=":material/bolt:")
    else:
        low, high = duration(sum(e.low for e in known)), duration(sum(e.high for e in known))
        likely = duration(sum(e.seconds for e in known))
        line = f"**{low} to {high}**, most likely {likely}" if known else "**Time not known yet**"
        line += (
            f"; {size(max((e.memory for e in todo), default=0))} of memory, {size(sum(e.disk for e in todo))} on disk"
        )
        if unknown:
            line += f"; {unknown} step{'s' if unknown > 1 else ''} not known yet"
        st.markdown(f":material/timer: {line}.")
        if any(_loads_model(e.use) and e.basis != "history" for e in todo):
            st.caption("The first run on this machine also loads and prepares the model; later ones begin at once.")
    with st.expander("Step by step", icon=":material/format_list_numbered:"):
        rows = [
            {
                "step": e.step,
                "method": e.use,
                "time": "stored" if e.reused else "unknown" if e.basis == "unknown" else duration(e.seconds),
                "from": "" if e.reused else e.basis,
                "rows": number(e.rows),
                "memory": "" if e.reused else size(e.memory),
                "disk": "" if e.reused else size(e.disk),
            }
            for e in estimates
        ]
        st.dataframe(rows, hide_index=True, alt="Estimate of each step")
