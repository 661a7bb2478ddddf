"""The health of all scores: a table of what they hold, and what to beware of in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from curation.core.dataset import Dataset
from curation.scorers import _health
from curation.scorers._health import Finding
from curation.ui.pool import Stored
from curation.ui.rows import paged
from curation.ui.score_facts import facts_of, findings
from curation.ui.text import plain

PER_PAGE = 20


def health_panel(dataset: Dataset, found: Sequence[Stored]) -> str | None:
    """The panel; returns the key of the score whose row was clicked."""
    told = {s.key: findings(s, found, dataset) for s in found}
    sick = [s for s in found if told[s.key]]
    severe = [s for s in sick if any(f.severe for f in told[s.key])]
    if severe:
        st.error(
            f"{_scores(len(severe))} should not be selected by: {', '.join(plain(s.name) for s in severe[:5])}.",
            icon=":material/heart_broken:",
        )
    elif sick:
        st.info(f"{_scores(len(sick))} of {len(found)} have something to beware of.", icon=":material/ecg_heart:")
    else:
        st.success("Nothing to beware of was found in any score.", icon=":material/favorite:")
    clicked = _table(dataset, found, told)
    for stored in sick:
        with st.container(gap="xsmall", key=f"scores.health.{stored.key}"):
            st.markdown(f"**{plain(stored.name)}**")
            for finding in told[stored.key]:
                finding_line(finding)
    with st.expander("What is looked for", icon=":material/rule:", key="scores.health.rules"):
        st.markdown("\n".join(f"- {line}" for line in _rules()))
    return clicked


def finding_line(finding: Finding) -> None:
    """One finding: what it means and what to do."""
    icon = ":red[:material/heart_broken:]" if finding.severe else ":orange[:material/warning:]"
    st.markdown(f"{icon} {plain(finding.meaning)} :gray[{plain(finding.advice)}]")


def _table(dataset: Dataset, found: Sequence[Stored], told: dict[str, list[Finding]]) -> str | None:
    place = st.container()
    part = paged(len(found), key="scores.health.page", per_page=PER_PAGE)
    shown = list(found)[part]
    lines = []
    for stored in shown:
        facts = facts_of(stored, dataset)
        lines.append(
            {
                "score": stored.name,
                "distribution": facts.histogram,
                "beware": ", ".join(dict.fromkeys(f.kind for f in told[stored.key])) or "–",
                "median": facts.quantile(0.5),
                "5 %": facts.quantile(0.05),
                "95 %": facts.quantile(0.95),
                "missing": facts.gaps / facts.n if facts.n else 0.0,
                "ρ length": None if np.isnan(facts.rho) else round(facts.rho, 2),
            }
        )
    key = f"scores.health.table.{part.start}.{len(found)}"
    with place:
        st.dataframe(
            lines, hide_index=True, key=key, on_select="rerun", selection_mode="single-row",
            column_config={
                "score": st.column_config.TextColumn("score", width="medium"),
                "distribution": st.column_config.BarChartColumn("distribution", y_min=0, y_max=1, width="small"),
                "beware": st.column_config.TextColumn("beware", width="medium"),
                "median": st.column_config.NumberColumn("median", format="%.4g"),
                "5 %": st.column_config.NumberColumn("5 %", format="%.4g"),
                "95 %": st.column_config.NumberColumn("95 %", format="%.4g"),
                "missing": st.column_config.NumberColumn("missing", format="percent"),
                "ρ length": st.column_config.NumberColumn(
                    "ρ length", format="%.2f", help="Rank correlation with the length of the response, −1 to 1"
                ),
            },
            alt="Scores of the dataset and their health",
        )  # fmt: skip
    rows = st.session_state[key]["selection"]["rows"] if key in st.session_state else []
    return shown[rows[0]].key if rows and rows[0] < len(shown) else None


def _scores(count: int) -> str:
    return "One score" if count == 1 else f"{count} scores"


def _rules() -> list[str]:
    return [
        f"**dead**: one value on more than {_health.DEAD_SHARE:.0%} of the rows",
        f"**saturated**: at least {_health.END_SHARE:.0%} exactly at the lowest or highest value (for few levels twice "
        "an even share)",
        f"**missing**: more than {_health.MISSING_SHARE:.0%} of the rows lack it; **not finite**: infinite values",
        f"**length**: rank correlation of {_health.LENGTH_RHO:g} or more with the length of prompt or response, up or "
        "down",
        f"**duplicate**: rank correlation of {_health.DUPLICATE_RHO:g} or more with another score, up or down",
        f"**few levels**: whole numbers with at most {_health.FEW_LEVELS} different values; **tie**: a cut at the best "
        f"{_health.TOP_SHARE:.0%} splits equal rows that are more than {_health.TIE_SHARE:.0%} of all",
        f"**unstable**: for scores that know their noise, less than {_health.STABLE_SHARE:.0%} of the best "
        f"{_health.TOP_SHARE:.0%} would be there again",
    ]
