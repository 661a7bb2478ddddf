"""Asking for quotas: how many rows of every cluster, source, language or length band a selection must and may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.core.dataset import Dataset
from curation.core.errors import CurationError
from curation.core.quota import EVERY, Quota, values_of
from curation.ui import pool
from curation.ui.components import error_box
from curation.ui.text import plain

NONE = ""
WORDS = {
    "cluster": "clusters of the map",
    "language": "language",
    "length": "length of the response, in bands",
    "source": "source file",
}
FIELD = "field:"
"""What the name of a field of the records follows in a wish."""
MOST_VALUES = 60
"""Values that get a line of their own; the others are reached by "each"."""


@dataclass(frozen=True)
class QuotaWish:
    """What was asked for.

    Args:
        of: A word that recipes know ("cluster"), the key of stored labels, or `FIELD` and a field of the records.
        at_least: Value → amount.
        at_most: Value → amount.
    """

    of: str
    at_least: Mapping[str, int | str] = field(default_factory=dict)
    at_most: Mapping[str, int | str] = field(default_factory=dict)


def ask_quota(
    dataset: Dataset, *, key: str, fields: Mapping[str, Labels] | None = None
) -> tuple[QuotaWish | None, bool]:
    """Ask for a quota.

    Args:
        dataset: Whose rows are shared out.
        key: Of this place on the page.
        fields: Fields of the records that may be named, with their values as labels.

    Returns:
        The quota, None when there is none; and whether what was typed is sound.
    """
    stored = {s.key: s for s in pool.labels(dataset.fingerprint) if not pool.is_duplicates(s)}
    words = {w: name for w, name in WORDS.items() if w != "source" or len(dataset.facts.get("sources", [])) > 1}
    own = {f"{FIELD}{name}": labels for name, labels in (fields or {}).items()}
    words |= {f: f"field: {f.removeprefix(FIELD)}" for f in own}
    of = st.selectbox(
        "Share the picks out over", [NONE, *words, *stored], key=f"{key}.of", persist_state="session",
        format_func=lambda k: "nothing: no quotas" if k == NONE else words.get(k) or f"{stored[k].name} (stored)",
        help="Minimum and maximum for every value of a label. The method's own order is kept as far as they allow",
    )  # fmt: skip
    if of == NONE:
        return None, True
    left, right = st.columns(2)
    bounds = {
        "at_least": left.text_input(
            "Each at least", key=f"{key}.least", persist_state="session", placeholder="no minimum", help=_AMOUNT
        ),
        "at_most": right.text_input(
            "Each at most", key=f"{key}.most", persist_state="session", placeholder="no maximum", help=_AMOUNT
        ),
    }
    amounts: dict[str, dict[str, Any]] = {w: {EVERY: t.strip()} if t.strip() else {} for w, t in bounds.items()}
    named = own.get(of, stored[of].labels if of in stored else None)
    if named is not None:
        for line in _lines(dataset, named, key=f"{key}.lines.{of}"):
            for word, column in (("at_least", "at least"), ("at_most", "at most")):
                if line.get(column):
                    amounts[word][str(line["value"])] = str(line[column]).strip()
    else:
        st.caption("Single values can be named once these labels are stored: compute them on the Scores page.")
    if not amounts["at_least"] and not amounts["at_most"]:
        st.caption(":material/edit: Say a minimum or a maximum.")
        return None, False
    try:
        Quota.read(amounts["at_least"] or None, amounts["at_most"] or None)
    except CurationError as error:
        error_box(error)
        return None, False
    return QuotaWish(of, amounts["at_least"], amounts["at_most"]), True


_AMOUNT = "A count such as 50, or a percentage of the rows to pick such as 5%"


def _lines(dataset: Dataset, labels: Labels, *, key: str) -> list[dict[str, Any]]:
    """A table with the values, how many rows have each, and room for a minimum and a maximum."""
    value, names = values_of(labels)
    counts = np.bincount(value, minlength=len(names))
    shown = [i for i in np.argsort(-counts, kind="stable")[:MOST_VALUES] if counts[i]]
    lines = [{"value": names[i], "rows": int(counts[i]), "at least": "", "at most": ""} for i in shown]
    if len(np.flatnonzero(counts)) > len(shown):
        st.caption(f"The {len(shown)} largest of {int((counts > 0).sum())} values; the others follow “each”.")
    edited = st.data_editor(
        lines, key=key, hide_index=True, num_rows="fixed", disabled=["value", "rows"],
        height=min(320, 40 + 35 * len(lines)),
        column_config={
            "value": st.column_config.TextColumn(width=220),
            "rows": st.column_config.NumberColumn(format="localized", width=80),
            "at least": st.column_config.TextColumn(width=90, help=_AMOUNT),
            "at most": st.column_config.TextColumn(width=90, help=_AMOUNT),
        },
    )  # fmt: skip
    return cast(list[dict[str, Any]], edited)


def quota_note(info: Mapping[str, Any]) -> None:
    """What a stored selection's quota came to: a table of values."""
    quota = info.get("quota")
    if not quota:
        return
    lines = [
        {
            "value": plain(str(value)),
            "picked": facts["picked"],
            "eligible": facts["eligible"],
            "at least": facts["at_least"],
            "at most": facts["at_most"],
        }
        for value, facts in quota.items()
    ]
    with st.expander(f"Quotas: {len(lines)} values", icon=":material/balance:"):
        st.dataframe(lines, hide_index=True, key="select.quota.table", alt="Quotas")
