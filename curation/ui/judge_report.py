"""How far a judge can be trusted: does it agree with itself, does it like length, what foretells its scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from curation.comparison.predictors import Prediction, score_prediction
from curation.core.dataset import Dataset
from curation.ui.pool import Stored
from curation.ui.text import number, plain

FEW_TWICE = 30
"""Below so many rows judged twice the intervals are wide, which is said."""
FORETOLD = 0.5
"""From this R² on simple features explain a score to a large part, which is said."""
SHOWN = 6


def report_view(dataset: Dataset, stored: Stored) -> None:
    """The report of one judgement, folded away."""
    box = st.expander(
        "How far can this judge be trusted?", icon=":material/fact_check:", on_change="rerun",
        key=f"judge.report.{stored.key}",
    )  # fmt: skip
    if not box.open:
        return
    with box:
        _audit(stored.score.info)
        _foretold(dataset, stored)


def say(found: Mapping[str, Any] | None, *, percent: bool = False, digits: int = 2) -> str:
    """A number with its interval; a dash where it is not known."""
    if not found or found.get("value") is None or found["value"] != found["value"]:
        return "–"

    def one(value: float | None) -> str:
        if value is None or value != value:
            return "?"
        return f"{100 * value:.0f} %" if percent else f"{value:.{digits}f}"

    if one(found["low"]) == one(found["high"]) == "?":
        return one(found["value"])
    return f"{one(found['value'])} ({one(found['low'])} to {one(found['high'])})"


def lines_of(audit: Mapping[str, Any]) -> list[dict[str, str]]:
    """The audit as lines of a table."""
    lines = []
    for name, part in (("asked again", audit.get("again")), ("in another order", audit.get("swapped"))):
        if not part or not part.get("rows"):
            continue
        lines += [
            {"what": f"{name}: the same score", "with its interval": say(part["exact"], percent=True)},
            {"what": f"{name}: at most a step apart", "with its interval": say(part["within"], percent=True)},
            {"what": f"{name}: mean distance", "with its interval": say(part["difference"])},
            {"what": f"{name}: mean shift", "with its interval": say(part["shift"])},
            {"what": f"{name}: weighted kappa", "with its interval": say(part["kappa"])},
        ]
    lines += [
        {"what": "shift by the order of the parts", "with its interval": say(audit.get("position"))},
        {"what": "rank correlation with length", "with its interval": say(audit.get("length_rho"))},
        {"what": "points for twice the length", "with its interval": say(audit.get("length_slope"))},
    ]
    return lines


def findings_of(audit: Mapping[str, Any]) -> list[str]:
    """What stands out, in sentences; only what its interval confirms."""
    found = []
    step = float(audit.get("step") or 1.0)
    again = audit.get("again") or {}
    within = again.get("within") or {}
    if again.get("rows") and within.get("high") is not None and within["high"] < 0.9:
        found.append(f"Asked again, it often moves by more than {number(step)}: a threshold cuts partly by chance.")
    place = audit.get("position") or {}
    low, high = place.get("low"), place.get("high")
    if low is not None and high is not None and (low > 0 or high < 0):
        found.append("The order in which it sees the parts moves its scores.")
    rho = audit.get("length_rho") or {}
    if rho.get("low") is not None and rho.get("high") is not None and (rho["low"] > 0.3 or rho["high"] < -0.3):
        word = "longer" if rho["low"] > 0.3 else "shorter"
        found.append(f"It likes {word} responses; that may be right for these rows, or a habit.")
    return found


def _audit(info: Mapping[str, Any]) -> None:
    st.markdown("**Does it agree with itself?**")
    audit = info.get("audit")
    if not audit:
        st.caption("This method judges no row twice.")
        return
    twice = int((audit.get("again") or {}).get("rows") or 0), int((audit.get("swapped") or {}).get("rows") or 0)
    st.caption(
        f"{number(twice[0])} rows were judged again with the same prompt, {number(twice[1])} with the parts in another "
        "order; 95 % intervals in brackets."
        + (" These are few, so the intervals are wide: raise `audit` for more." if sum(twice) < FEW_TWICE else "")
    )
    st.dataframe(lines_of(audit), hide_index=True, alt="Agreement of the judge with itself")
    for sentence in findings_of(audit):
        st.warning(plain(sentence), icon=":material/warning:")
    unread = info.get("replies that could not be read")
    if unread:
        st.caption(f":material/unknown_document: {number(unread)} replies could not be read.")


def _foretold(dataset: Dataset, stored: Stored) -> None:
    st.markdown(
        "**What foretells its scores?**",
        help="Trees are fitted to what can be counted in a text without understanding it, and tested on rows left out. "
        "The more of the score they explain, the less of it needed a judge",
    )
    found = _predicted(dataset.fingerprint, stored.key, dataset, stored)
    if isinstance(found, str):
        st.caption(plain(f"This cannot be said: {found}."))
        return
    counts = f"Counts such as length, lines and digits explain {{}} of the order of {number(found.rows)} rows left out"
    if found.trees_r2 > 0:
        st.caption(counts.format(f"R² = {found.trees_r2:.2f}") + ": 0 is nothing, 1 all of it.")
    else:
        st.caption(counts.format("nothing") + f": R² = {found.trees_r2:.2f}, no better than guessing the mean.")
    lines = [
        {"feature": name, "R² lost without it": round(fall, 3), "rank correlation": round(rho, 2)}
        for name, fall, rho in zip(found.columns, found.falls, found.correlations, strict=True)
    ][:SHOWN]
    st.dataframe(lines, hide_index=True, alt="Features that foretell the score")
    if found.trees_r2 >= FORETOLD:
        st.warning(
            "Much of this score can be had by counting: a score of length or form costs nothing and would do "
            "almost the "
            "same.",
            icon=":material/warning:",
        )


@st.cache_resource(max_entries=16, show_spinner="Looking for what foretells the scores …")
def _predicted(fingerprint: str, key: str, _dataset: Dataset, _stored: Stored) -> Prediction | str:
    return score_prediction(_dataset, np.asarray(_stored.score.values, np.float64))
