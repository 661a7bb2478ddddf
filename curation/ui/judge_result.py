"""What the judge said of all rows: where to cut, what that keeps of every category, and the cut as a selection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from curation.complete.stored import Parts
from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.models.chat.asking import Asking
from curation.models.chat.shown import NO_RESPONSE
from curation.ui import pool
from curation.ui.components import Tile, chart, error_box, mode, stat_tiles
from curation.ui.judge_facts import Retention, retention
from curation.ui.judge_run import failures_table
from curation.ui.pool import Stored
from curation.ui.run_panel import start_now
from curation.ui.score_facts import Facts, Side, facts_of, stops
from curation.ui.score_groups import Groups, groups_of
from curation.ui.text import number, percent, plain
from curation.workspace import Workspace

CHOSEN = "judge.result"
DISTILLED = "scorer/distilled"
LEARNING_STEP = re.compile(r"measure|judge_\d+")
"""Steps that ask, in the preset that learns a judge."""
ALPAGASUS_CUT = 4.5
"""Published; a judge that gives whole numbers only makes it mean "only the highest"."""
FEW_VALUES = 60
"""A field of the records with at most so many different values is offered as categories."""
ROWS_EACH = 5
"""And when on average at least so many rows share a value: prompts of a small dataset are no categories."""
LONGEST = 60
"""Letters of such a value."""


@dataclass(frozen=True)
class Cut:
    """Where a score is cut.

    Args:
        stored: The score.
        side: The side that is kept.
        at: Rows exactly there are kept.
    """

    stored: Stored
    side: Side
    at: float

    def keeps(self) -> np.ndarray:
        """Bool `[n]`; rows without a score are not kept."""
        values = np.asarray(self.stored.score.values, np.float64)
        present = np.isfinite(values)
        return present & (values >= self.at if self.side == "above" else values <= self.at)

    def drops(self) -> np.ndarray:
        """Rows with a score that are not kept, int64."""
        return np.flatnonzero(np.isfinite(self.stored.score.values) & ~self.keeps())


def judged(fingerprint: str) -> list[Stored]:
    """Scores that came from asking a chat model, newest first; those that only a learnt judge needed come last."""
    found = [s for s in pool.scores(fingerprint) if (c := s.method) is not None and issubclass(c, Asking)]
    return sorted(found, key=lambda s: (_for_learning(s), -s.info.created))


def _for_learning(stored: Stored) -> bool:
    """True for the judgements of a few rows on the way to a learnt judge."""
    return DISTILLED in str(stored.info.manifest.get("recipe", "")) and bool(LEARNING_STEP.fullmatch(stored.info.step))


def choose_result(found: Sequence[Stored]) -> Stored:
    """Which of the judgements is looked at; the newest at first, and again when a new one has come."""
    names = {s.key: s.name for s in found}
    if st.session_state.get(f"{CHOSEN}.newest") != found[0].key or st.session_state.get(CHOSEN) not in names:
        st.session_state[CHOSEN] = st.session_state[f"{CHOSEN}.newest"] = found[0].key
    key = st.selectbox(
        "Judgement", list(names), key=CHOSEN, format_func=lambda k: _line(next(s for s in found if s.key == k)),
        persist_state="session", help="Everything that was asked about these rows, newest first",
    )  # fmt: skip
    return next(s for s in found if s.key == key)


def _line(stored: Stored) -> str:
    model = str(stored.parameters.get("model", ""))
    values = stored.score.values
    return f"{stored.name} · {model} · {number(int(np.isfinite(values).sum()))} rows"


def weak_warning(stored: Stored) -> None:
    """Say loudly that nobody was asked, where nobody was."""
    if stored.score.info.get("stand_in"):
        st.warning(
            "**These scores are made up by the stand-in: nobody was asked.** They show how the page works and "
            "say nothing "
            "about your rows.",
            icon=":material/theater_comedy:",
        )


# ------------------------------------------------------------------ the cut


def ask_cut(dataset: Dataset, stored: Stored) -> tuple[Cut, Facts] | None:
    """Ask for a threshold, as a score or as a share of the rows; None where no row has a score."""
    facts = facts_of(stored, dataset, None)
    if not len(facts.ordered):
        st.warning("No row has a score.", icon=":material/block:")
        return None
    side: Side = "below" if stored.score.higher_is_better is False else "above"
    key = f"judge.cut.{stored.key}"
    wanted = st.session_state.pop(f"{key}.wanted", None)
    if wanted is not None:
        st.session_state[f"{key}.way"], st.session_state[f"{key}.at"] = "score", wanted
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key=f"{key}.row"):
        way = st.segmented_control(
            "Cut by", ["score", "share"], default="score", required=True, key=f"{key}.way", persist_state="session",
            format_func={"score": "a score", "share": "a share of the rows"}.__getitem__,
            help="Judges differ in how they use a scale: some never give halves. A share does not depend on that",
        )  # fmt: skip
        if way == "share":
            share = st.slider(
                "Keep about the best, in %", 1, 99, 20, key=f"{key}.share", persist_state="session",
                help="Rows with equal scores stay together, so it may be more or fewer",
            )  # fmt: skip
            at = nearest_cut(facts.ordered, share / 100, side)
        else:
            # a threshold that was chosen by its share need not be a stop
            chosen = st.session_state.get(f"{key}.at")
            places = sorted({*stops(facts), *([chosen] if isinstance(chosen, float) else [])})
            if len(places) > 1:
                at = st.select_slider(
                    "Keep from" if side == "above" else "Keep up to", places, _usual(stored, facts, places, side),
                    key=f"{key}.at", format_func=lambda v: f"{v:,.4g}", persist_state="session",
                )  # fmt: skip
            else:
                at = places[0]
                st.caption("All rows have the same score.")
    return Cut(stored, side, float(at)), facts


def go_to(stored_key: str, at: float) -> None:
    """Set the threshold of a judgement, from the next run of the page on."""
    st.session_state[f"judge.cut.{stored_key}.wanted"] = float(at)


def nearest_cut(ordered: np.ndarray, share: float, side: Side) -> float:
    """The score from which on (up to which, for "below") the share of rows is nearest to the wanted one.

    Args:
        ordered: float `[n]`, ascending, n ≥ 1.
        share: 0 to 1.
        side: The side that is kept.
    """
    different = np.unique(ordered)
    if side == "above":
        kept = len(ordered) - np.searchsorted(ordered, different, side="left")
    else:
        kept = np.searchsorted(ordered, different, side="right")
    return float(different[np.argmin(np.abs(kept / len(ordered) - share))])


def _usual(stored: Stored, facts: Facts, places: list[float], side: Side) -> float:
    """Where the handle stands at first: at the published threshold on the published scale, else the best fifth."""
    info = stored.score.info
    published = stored.info.use == "scorer/alpagasus" and (info.get("low"), info.get("high")) == (0.0, 5.0)
    wanted = ALPAGASUS_CUT if published else facts.quantile(0.8 if side == "above" else 0.2)
    return min(places, key=lambda p: (abs(p - wanted), p))


def cut_view(dataset: Dataset, cut: Cut, facts: Facts) -> None:
    """Histogram and counts."""
    from curation.figures.distribution import distribution_figure

    values = np.append(facts.ordered, np.full(facts.gaps, np.nan))
    chart(
        distribution_figure(values, name=cut.stored.name, cut=cut.at, keep=cut.side, height=260, mode=mode()),
        key=f"judge.distribution.{cut.stored.key}", alt="Scores and what the cut keeps",
    )  # fmt: skip
    kept = facts.kept(cut.at, cut.side)
    dropped = len(facts.ordered) - kept
    rho = "–" if facts.rho != facts.rho else f"ρ = {facts.rho:.2f}"
    stat_tiles([
        Tile("Kept", number(kept), "Rows at the threshold are kept", percent(kept, facts.n)),
        Tile("Dropped", number(dropped), None, percent(dropped, facts.n)),
        Tile("Without a score", number(facts.gaps), "Never kept; reasons stand below", percent(facts.gaps, facts.n)),
        Tile("With length", rho, "Rank correlation with the length of the response, −1 to 1. Near 1 the judge mostly "
             "likes long answers", "follows length" if abs(facts.rho) >= 0.5 else "no warning"),
    ])  # fmt: skip


# ------------------------------------------------------------------ retention


def categories_of(dataset: Dataset, *, each: float = ROWS_EACH) -> list[Groups]:
    """Stored labels, the source, and fields of the records with a few different values, of `each` rows on average."""
    found = groups_of(dataset)
    for name, labels in fields_of(dataset, each=each).items():
        found.append(Groups(f"field:{name}", f"field: {name}", labels))
    return found


def fields_of(dataset: Dataset, *, each: float = ROWS_EACH) -> dict[str, Labels]:
    """Fields of the records with a few different short values, which may be categories."""
    return _fields(dataset.fingerprint, each, dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _fields(fingerprint: str, each: float, _dataset: Dataset) -> dict[str, Labels]:
    found = {}
    for name in _dataset.field_names():
        values = _dataset.field(name)
        texts = [v if isinstance(v, str) and 0 < len(v) <= LONGEST else None for v in values]
        different = len(set(texts) - {None})
        filled = sum(t is not None for t in texts)
        if 2 <= different <= min(FEW_VALUES, filled / each) and filled > len(texts) / 2:
            found[name] = Labels.from_values(fingerprint, texts)
    return found


def retention_view(dataset: Dataset, cut: Cut) -> None:
    """How many rows of every category stay."""
    st.markdown(
        "##### What stays of every category",
        help="A judge that does not know a subject well gives it low scores: a threshold then takes that subject away. "
        "The authors of AlpaGasus saw coding rows suffer most",
    )
    every = {g.key: g for g in categories_of(dataset)}
    if not every:
        st.caption(
            ":material/label: There are no categories yet. Draw the map for clusters, or compute labels on the "
            "Scores page."
        )
        return
    key = st.selectbox(
        "Categories", list(every), key=f"judge.categories.{dataset.fingerprint}", persist_state="session", width=320,
        format_func=lambda k: every[k].name,
    )  # fmt: skip
    labels = every[key].labels
    values = np.asarray(cut.stored.score.values, np.float64)
    found = retention(labels.codes, labels.names, values, cut.keeps())
    left, right = st.columns(2, gap="medium")
    with left:
        _bars(found, f"judge.retention.{key}")
    with right:
        _table(found, key)
    low = [n for n, bad in zip(found.names, found.low.tolist(), strict=True) if bad]
    if low:
        shown = ", ".join(f"“{n[:40]}”" for n in low[:4]) + (f" and {len(low) - 4} more" if len(low) > 4 else "")
        st.warning(
            plain(f"Of {shown} far fewer rows stay than overall, and chance does not explain it. Read some of them, or "
                  "give them a minimum when you keep rows."),
            icon=":material/balance:",
        )  # fmt: skip


def _bars(found: Retention, key: str) -> None:
    from curation.figures.judge_retention import retention_figure

    chart(
        retention_figure(found.names, found.kept, found.scored, found.low, mode=mode()), key=key,
        alt="Share kept of every category",
    )  # fmt: skip


def _table(found: Retention, key: str) -> None:
    lines = [
        {"category": n, "rows": int(s), "kept": int(k), "share": float(h) * 100 if h == h else None,
         "no score": int(m), "": "far below" if bad else ""}
        for n, s, k, h, m, bad in zip(
            found.names, found.scored, found.kept, found.share, found.missing, found.low, strict=True
        )
    ]  # fmt: skip
    st.dataframe(
        lines, hide_index=True, key=f"judge.table.{key}", alt="Kept of every category",
        height=min(420, 40 + 35 * len(lines)),
        column_config={
            "rows": st.column_config.NumberColumn(format="localized", width=60, help="With a score"),
            "kept": st.column_config.NumberColumn(format="localized", width=60),
            "share": st.column_config.NumberColumn(format="%.1f %%", width=70),
            "no score": st.column_config.NumberColumn(format="localized", width=70),
            "": st.column_config.TextColumn(width=80),
        },
    )  # fmt: skip


# ------------------------------------------------------------------ failures


def failures_view(workspace: Workspace, dataset: Dataset, stored: Stored) -> None:
    """Rows that ended without a score, by reason, and asking about them again."""
    reasons = {r: c for r, c in stored.score.missing.counts().items() if not r.startswith("outside ")}
    if not reasons:
        return
    failures_table(reasons, "Rows without a score, by reason", key=f"judge.missing.{stored.key}")
    if set(reasons) <= {NO_RESPONSE}:
        return  # no judge can help there
    try:
        recipe, bindings = again_recipe(workspace, dataset, stored)
    except CurationError as error:
        error_box(error)
        return
    if st.button(
        "Ask again about these", icon=":material/replay:", key=f"judge.again.{stored.key}",
        help="The same recipe with one more attempt: rows that have a score keep it, at no cost",
    ):  # fmt: skip
        from curation.ui.judge_run import JUDGE

        st.session_state["judge.started"] = True
        start_now(workspace, recipe, bindings, title=f"{JUDGE}: {dataset.name}, again")


def again_recipe(workspace: Workspace, dataset: Dataset, stored: Stored) -> tuple[Any, dict[str, str]]:
    """The recipe of a stored judgement with one more attempt, and its bindings."""
    parts = Parts(workspace, dataset.fingerprint)
    name = parts.add(stored.key).removeprefix("$")
    if name not in parts.steps:
        raise CurationError("this judgement came from another recipe's rows", "ask anew with the same settings")
    parts.steps[name] = {**parts.steps[name], "attempt": int(stored.parameters.get("attempt", 0)) + 1}
    return parts.recipe(f"${name}"), parts.bindings
