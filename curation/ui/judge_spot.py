"""Read 40 random drops: rows below the threshold, one after the other, without their score, and what that tells.

Every answer is on the disk at once. The score is shown after the answer, so that it cannot lead it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.ui.components import Tile, error_box, errors_shown, stat_tiles
from curation.ui.conversation import conversation
from curation.ui.judge_facts import LEVEL, exact_interval, random_rows
from curation.ui.judge_result import Cut, go_to
from curation.ui.judge_spot_log import Check, Said, SpotChecks
from curation.ui.text import number, plain, visible
from curation.workspace import Workspace

SPOT = "judge.spot"
ROWS = 40
LETTERS_SHOWN = 4000
WORDS: tuple[tuple[Said, str, str, str, str], ...] = (
    ("right", "Rightly dropped", "K", ":material/thumb_up:", "Training on this row would not help"),
    ("wrong", "Wrongly dropped", "W", ":material/thumb_down:", "This row should have stayed"),
    ("skip", "Skip", "S", ":material/skip_next:", "You cannot tell; it counts for nothing"),
)
SAID: dict[str, str] = {"right": "rightly dropped", "wrong": "wrongly dropped", "skip": "skipped"}


def spot_view(workspace: Workspace, dataset: Dataset, cut: Cut) -> None:
    """The whole check of one threshold; a fragment, so that an answer redraws nothing else."""
    dropped = cut.drops()
    if not len(dropped):
        st.caption(":material/check: This threshold drops no row that has a score.")
        return
    log = SpotChecks(workspace, dataset.fingerprint, len(dataset))

    @st.fragment
    def body() -> None:
        with errors_shown():
            check = log.of(cut.stored.key, cut.side, cut.at)
            wrong = st.session_state.pop(f"{SPOT}.problem", None)
            if wrong:
                error_box(CurationError(*wrong))
            if check is None:
                _begin(log, cut, dropped)
                return
            _estimate(check)
            if check.next is None:
                _done(dataset, log, check, cut, dropped)
            else:
                _read(dataset, log, check, check.next)
            _last(dataset, cut, check)
            _restore(dataset, cut, check)

    body()


def restored_rows(workspace: Workspace, dataset: Dataset, cut: Cut) -> list[int]:
    """Rows below the threshold that were called wrongly dropped and are wanted back."""
    if not st.session_state.get(_restore_key(cut)):
        return []
    try:
        check = SpotChecks(workspace, dataset.fingerprint, len(dataset)).of(cut.stored.key, cut.side, cut.at)
    except CurationError:
        return []  # the check itself says so
    return [] if check is None else check.wrong


def _restore_key(cut: Cut) -> str:
    return f"{SPOT}.restore.{cut.stored.key}.{cut.at:g}"


# ------------------------------------------------------------------ parts


def _begin(log: SpotChecks, cut: Cut, dropped: np.ndarray) -> None:
    count = min(ROWS, len(dropped))
    st.markdown(
        f"How many of the **{number(len(dropped))}** dropped rows should have stayed? Read **{count}** of them, "
        "drawn at "
        "random, and say so of each. You see the row first and the judge's score afterwards. It takes some ten "
        "minutes, "
        "can be left and gone on with at any time, and gives the share with its interval."
    )
    older = [c for c in log.all() if c.score == cut.stored.key and c.answers]
    if older:
        with st.expander(f"{len(older)} earlier check{'s' if len(older) > 1 else ''} of this judgement"):
            for check in reversed(older):
                with st.container(horizontal=True, vertical_alignment="center", key=f"{SPOT}.older.{check.id}"):
                    st.caption(f"Threshold {check.cut:.4g}: {_sentence(check)}", width="stretch")
                    if st.button(
                        "Look at it" if check.next is None else "Go on with it", key=f"{SPOT}.back.{check.id}",
                        icon=":material/arrow_forward:", help="Sets the threshold back to that of this check",
                    ):  # fmt: skip
                        go_to(check.score, check.cut)
                        st.rerun()
    st.button(
        f"Read {count} random drops", type="primary", icon=":material/menu_book:", key=f"{SPOT}.begin",
        on_click=_act, args=(_draw, log, cut, dropped),
    )  # fmt: skip


def _draw(log: SpotChecks, cut: Cut, dropped: np.ndarray) -> None:
    seed = int(np.random.default_rng().integers(2**31))
    log.begin(cut.stored.key, cut.side, cut.at, len(dropped), random_rows(dropped, ROWS, seed).tolist(), seed)


def _read(dataset: Dataset, log: SpotChecks, check: Check, row: int) -> None:
    done = len(check.answers)
    with st.container(border=True, key=f"{SPOT}.card"):
        st.progress(done / len(check.rows), f"{done} of {len(check.rows)} read")
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{SPOT}.actions"):
            for said, label, shortcut, icon, about in WORDS:
                st.button(
                    label, icon=icon, shortcut=shortcut, key=f"{SPOT}.{said}", help=about,
                    type="tertiary" if said == "skip" else "secondary",
                    on_click=_act, args=(log.answer, check.id, row, said),
                )  # fmt: skip
            st.button(
                "Undo", icon=":material/undo:", shortcut="U", key=f"{SPOT}.undo", type="tertiary",
                disabled=not check.answers, on_click=_act, args=(log.undo, check.id), help="Takes the last answer back",
            )  # fmt: skip
            st.space("stretch")
            st.caption(f"Row {row:,} · the score is hidden until you have answered", width="content")
        conversation(dataset.messages(row), key=f"{SPOT}.conversation", tools=dataset.tools(row), label=f"Row {row:,}")


def _act(what: Callable[..., object], *args: object) -> None:
    try:
        what(*args)
    except CurationError as error:
        st.session_state[f"{SPOT}.problem"] = (error.message, error.hint)


def _last(dataset: Dataset, cut: Cut, check: Check) -> None:
    """The row that was answered last, now with what the judge said."""
    row = check.last
    if row is None:
        return
    score = float(cut.stored.score.values[row])
    explained = cut.stored.score.columns.get("explanation")
    with st.container(border=True, key=f"{SPOT}.last"):
        st.markdown(
            f":gray[Before:] row {row:,}, **{SAID[check.answers[row]]}** by you. The judge gave it **{number(score)}**."
        )
        if explained is not None and explained[row]:
            st.text(visible(str(explained[row])[:LETTERS_SHOWN]))


def _estimate(check: Check) -> None:
    """The share so far, with its interval, and what that is in rows."""
    read, wrong = check.read, check.count("wrong")
    low, high = exact_interval(wrong, read)
    share = f"{100 * wrong / read:.0f} %" if read else "–"
    stat_tiles([
        Tile("Read", f"{read} of {len(check.rows)}", None, f"{check.count('skip')} skipped"),
        Tile("Wrongly dropped", share, "Of the rows that you read", f"{wrong} of {read}" if read else "none read yet"),
        Tile(
            f"{100 * LEVEL:.0f} % interval", f"{100 * low:.0f} to {100 * high:.0f} %",
            "Exact, by Clopper and Pearson: it holds the true share at least so often, for rows drawn at random",
            "of all dropped rows",
        ),
        Tile("In rows", f"{number(round(low * check.dropped))} to {number(round(high * check.dropped))}",
             "Rows that the threshold wrongly drops", f"of {number(check.dropped)} dropped"),
    ])  # fmt: skip


def _sentence(check: Check) -> str:
    read, wrong = check.read, check.count("wrong")
    low, high = exact_interval(wrong, read)
    return (
        f"{wrong} of {read} were wrongly dropped, so between {100 * low:.0f} and {100 * high:.0f} % of the "
        f"{number(check.dropped)} dropped rows."
    )


def _done(dataset: Dataset, log: SpotChecks, check: Check, cut: Cut, dropped: np.ndarray) -> None:
    with st.container(border=True, key=f"{SPOT}.done"):
        st.markdown(
            f":green[:material/check_circle:] **All {len(check.rows)} rows are read.** {plain(_sentence(check))}"
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            further = random_rows(dropped, len(check.rows) + ROWS, check.seed)[len(check.rows) :]
            st.button(
                f"Read {len(further)} more", icon=":material/add:", key=f"{SPOT}.more", disabled=not len(further),
                on_click=_act, args=(log.more, check.id, further.tolist()), help="The interval becomes narrower",
            )  # fmt: skip
            st.button(
                "Undo", icon=":material/undo:", shortcut="U", key=f"{SPOT}.undo", type="tertiary",
                on_click=_act, args=(log.undo, check.id), help="Takes the last answer back",
            )  # fmt: skip


def _rows(count: int) -> str:
    return "the row" if count == 1 else f"the {number(count)} rows"


def _restore(dataset: Dataset, cut: Cut, check: Check) -> None:
    """Bring wrongly dropped rows back when the cut is kept as a selection."""
    if not check.wrong:
        return
    key = _restore_key(cut)
    on = st.toggle(
        f"Restore {_rows(len(check.wrong))} that you called wrongly dropped", key=f"{key}.widget", value=bool(
            st.session_state.get(key)), help="They join the selection when you keep the rows",
    )  # fmt: skip
    if on != bool(st.session_state.get(key)):
        st.session_state[key] = on
        st.rerun()
