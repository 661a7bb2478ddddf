"""Ask about a few hundred rows and learn the rest: what that would give, what it gave, and what more would buy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.core.spending import Caps
from curation.recipe import Recipe, preset_names
from curation.ui import pool, session
from curation.ui.components import Tile, next_step, stat_tiles
from curation.ui.judge_method import Judge
from curation.ui.judge_result import DISTILLED
from curation.ui.judge_run import start_judge
from curation.ui.pool import Stored
from curation.ui.text import number, percent, plain
from curation.workspace import Workspace

PRESET = "judge-distilled"
CONFORMAL = "selector/conformal"
STAGE = "scorer/alpagasus"
"""The method of the preset's steps that ask; the chosen one takes its place."""
KEY = "judge.few"
LEAST_AUC, LEAST_RANK = 0.6, 0.2
"""Below both, a learnt judge is called not learnt."""
LEARNT = "learnt from few"
"""What the title of such a job ends with."""
ROUNDS = 3
CHECKED, BEGUN = 200, 100
"""Rows at random for calibration, and to begin with, as the preset has them."""
MEASURES = {"spearman": "rank correlation with the judge", "auc": "AUC at the threshold",
            "half_width": "half-width of the interval"}  # fmt: skip


def few_view(workspace: Workspace, dataset: Dataset, judge: Judge | None, *, running: bool = False) -> None:
    """What was learnt before, and the form for another time."""
    if PRESET not in preset_names():
        st.info("The recipe that learns a judge is not in this version.", icon=":material/extension_off:")
        return
    found = learnt(dataset.fingerprint)
    if found:
        key = st.selectbox(
            "Learnt judge", [s.key for s in found], key=f"{KEY}.which", persist_state="session",
            format_func=lambda k: next(s.name for s in found if s.key == k),
        )  # fmt: skip
        learnt_view(dataset, next(s for s in found if s.key == key))
    box = st.expander("Learn the judge again", icon=":material/model_training:") if found else st.container()
    with box:
        _ask(workspace, dataset, judge, running)


def learnt(fingerprint: str) -> list[Stored]:
    """Distilled judges, newest first, but for those of the rounds on the way."""
    results = [s for s in pool.scores(fingerprint) if s.info.use == DISTILLED and s.info.step not in ROUND_STEPS]
    return sorted(results, key=lambda s: -s.info.created)


ROUND_STEPS = tuple(f"model_{i}" for i in range(1, 10))


# ------------------------------------------------------------------ asking


def _ask(workspace: Workspace, dataset: Dataset, judge: Judge | None, running: bool) -> None:
    st.markdown(
        "Instead of every row the judge reads some hundred: **200 at random** to measure by, some to begin with, "
        "and then "
        "in rounds those that teach most. A small model of their vectors and a few counts foretells the score of every "
        "other row, with an interval, and rows are kept with a stated share of wrong ones. The promises are about the "
        "judge's scores, not about the truth."
    )
    if judge is None:
        st.caption(":material/edit: First the connection and the method.")
        return
    if judge.ports or judge.method.family != "scorer":
        st.caption(":material/block: This method cannot be learnt: choose one that gives every row a score.")
        return
    left, middle, right = st.columns(3)
    threshold = left.number_input(
        "Good from a score of", value=_usual(judge), key=f"{KEY}.threshold.{judge.use}", step=0.5, format="%.4g",
        persist_state="session", help="On the judge's own scale",
    )  # fmt: skip
    each = middle.number_input(
        "Rows of each round", 20, 2000, 100, 20, key=f"{KEY}.each", persist_state="session",
        help=f"{ROUNDS} rounds follow the first {CHECKED + BEGUN} rows",
    )  # fmt: skip
    rate = right.slider(
        "Wrong picks at most, in %", 1, 50, 10, key=f"{KEY}.rate", persist_state="session",
        help="On average: the false-discovery rate",
    )  # fmt: skip
    total = CHECKED + BEGUN + ROUNDS * int(each)
    if total >= len(dataset):
        st.info(f"There are only {number(len(dataset))} rows: ask about all of them instead.", icon=":material/info:")
        return
    st.markdown(
        f":material/savings: **{number(total)}** judgements instead of {number(len(dataset))}, "
        f"{percent(total, len(dataset))}. What one costs stands under “Ask about all rows”."
    )
    recipe = distilled_recipe(judge, float(threshold), int(each), rate / 100)
    most = total if judge.method.calls_per_row() <= 1 else None
    if st.button(
        f"Ask about {number(total)} rows and learn", type="primary", icon=":material/model_training:", key=f"{KEY}.run",
        disabled=running, help="The run above comes first" if running else None,
    ):  # fmt: skip
        # twice the calls: replies that cannot be read are asked for again, and some rows are judged twice
        start_judge(workspace, dataset, recipe, {"pool": dataset.fingerprint}, LEARNT,
                    Caps(calls=2 * most) if most else Caps())  # fmt: skip
    with st.expander("The recipe that this button runs", icon=":material/receipt_long:"):
        st.code(recipe.yaml(), language="yaml")


def _usual(judge: Judge) -> float:
    """From which score a row counts as good: nine tenths of the scale."""
    low, high = getattr(judge.method, "low", None), getattr(judge.method, "high", None)
    if low is None or high is None:
        return 4.5 if judge.use == STAGE else 80.0
    return float(low + 0.9 * (high - low))


def distilled_recipe(judge: Judge, threshold: float, each: int, rate: float) -> Recipe:
    """The preset with another judge in its place, and these settings."""
    whole = Recipe.read(PRESET)
    steps: dict[str, dict[str, Any]] = {}
    for name, step in whole.steps.items():
        made = dict(step)
        if made["use"] == STAGE:
            kept = {k: v for k, v in made.items() if k in ("on", "within")}
            made = {"use": judge.use, **kept, **judge.values}
        elif made["use"] == "selector/acquire":
            made |= {"budget": each, "threshold": threshold}
        elif made["use"] in (DISTILLED, CONFORMAL):
            made["threshold"] = threshold
        if made["use"] == CONFORMAL:
            made["rate"] = rate
        steps[name] = made
    return Recipe.read(
        {"about": dict(whole.about), "inputs": {"pool": "Dataset"}, "steps": steps, "result": whole.result}
    )


# ------------------------------------------------------------------ what came of it


def learnt_view(dataset: Dataset, stored: Stored) -> None:
    """How good the learnt judge is, on rows that it did not learn from."""
    info, score = stored.score.info, stored.score
    seen = int(np.nansum(np.asarray(score.columns.get("judged", np.zeros(len(score))))))
    good = info.get("calibration") or {}
    tiles = [
        Tile("Judged", number(seen), "Rows that the judge itself has read", f"of {number(len(score))}"),
        Tile("With the judge", _or_dash(good.get("spearman")), "Rank correlation of what is foretold with what it "
             "said, on the calibration rows", f"on {number(info.get('n_cal', 0))} rows at random"),
        Tile("AUC", _or_dash(good.get("auc")), "How well good rows are told from others: 0.5 is chance, 1 always right",
             f"good from {number(float(info.get('threshold', 0)))}"),
        Tile("Interval", _plus_minus(info.get("half_width")), "Half of the width that holds the promised share",
             _coverage(info)),
    ]  # fmt: skip
    stat_tiles(tiles)
    if not learnt_well(good):
        st.warning(
            "**The judge could not be learnt from these rows:** what is foretold tells good rows hardly better than "
            "chance. Keep rows by what the judge itself said, or ask it about all rows.",
            icon=":material/psychology_alt:",
        )
    if info.get("interval"):
        st.warning(plain(f"Intervals: {info['interval']}."), icon=":material/straighten:")
    length = good.get("spearman_judge_length")
    if length is not None:
        said = f"Rank correlation with length: the judge {length:.2f}, what is foretold "
        st.caption(f":material/straighten: {said}{_or_dash(good.get('spearman_predicted_length'))}.")
    _selected(dataset, stored)
    _more(info.get("more"))


def learnt_well(good: Mapping[str, Any]) -> bool:
    """False where the calibration rows show that next to nothing was learnt; where they cannot tell, True."""
    found = [(good.get(name), least) for name, least in (("auc", LEAST_AUC), ("spearman", LEAST_RANK))]
    told = [float(value) >= least for value, least in found if value is not None and value == value]
    return not told or any(told)


def _or_dash(value: Any) -> str:
    return "–" if value is None or value != value else f"{float(value):.2f}"


def _plus_minus(value: Any) -> str:
    return "–" if value is None else f"± {float(value):.2f}"


def _coverage(info: Mapping[str, Any]) -> str:
    promised, measured = info.get("coverage_promised"), info.get("coverage_measured")
    if promised is None:
        return "no promise"
    return f"holds {100 * promised:.0f} %" + (f"; measured {100 * measured:.0f} %" if measured is not None else "")


def _selected(dataset: Dataset, stored: Stored) -> None:
    """What conformal selection took by this score."""
    for info in session.results(dataset.fingerprint, "selection"):
        if info.use == CONFORMAL and info.manifest.get("ports", {}).get("distilled") == stored.key:
            made: Any = session.artifact(info.key)
            facts = made.info
            taken, others = int(facts.get("taken_by_test", 0)), number(facts.get("tested", 0))
            said = f"{number(len(made))} rows are kept: {number(facts.get('taken_as_judged', 0))} that the judge "
            said += f"called good, and {number(taken)} of {others} others"
            if taken:
                said += f", of which on average at most {100 * float(facts.get('rate', 0)):.0f} % are not good by the "
                said += "judge"
            st.markdown(f":material/bookmark: {plain(said)}.")
            if facts.get("note"):
                note = str(facts["note"])
                st.info(plain(f"{note[:1].upper()}{note[1:]}."), icon=":material/info:")
            with st.container(horizontal=True, key=f"{KEY}.next"):
                next_step("See them on the Select page", "pages/select.py", primary=False)
                next_step("Export them", "pages/export.py", primary=False)
            return


def _more(more: Mapping[str, Any] | None) -> None:
    """What further judgements would buy."""
    if not more:
        return
    st.markdown(
        f"##### What {number(more['more'])} more judgements would buy",
        help="Read onwards from the learning curve so far, with 90 % intervals; a promise only where they are narrow",
    )
    lines = []
    for name, found in (more.get("measures") or {}).items():
        if found.get("then") is None:
            continue
        lines.append({
            "": MEASURES.get(name, name), f"now, {number(more['judged'])} to learn from": round(found["values"][-1], 3),
            f"with {number(more['more'])} more": round(found["then"], 3),
            "gain": f"{found['gain']:+.3f} ({_or_dash(found.get('gain_low'))} to {_or_dash(found.get('gain_high'))})",
        })  # fmt: skip
    if lines:
        st.dataframe(lines, hide_index=True, alt="What more judgements would buy")
    now, then = more.get("sd_now"), more.get("sd_then")
    if now and then is not None:
        st.caption(
            f":material/query_stats: The model's own doubt about the rows not judged would go from {now:.3f} to "
            f"{then:.3f} "
            f"points ({100 * (1 - then / now):.0f} % less); the judge's scores spread by "
            f"{_or_dash(more.get('spread'))}."
        )
