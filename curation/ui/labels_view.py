"""Labels of the rows: the share of each, and what the method noted."""

from __future__ import annotations

import numpy as np
import streamlit as st

from curation.core.artifacts import Labels
from curation.ui.components import chart, mode
from curation.ui.pool import Stored, is_duplicates
from curation.ui.text import number, percent, plain


def labels_panel(found: list[Stored]) -> None:
    """One labelling at a time."""
    with st.container(border=True, key="labels.panel"):
        st.markdown("#### :primary[:material/label:] Labels")
        names = {s.key: s for s in found}
        key = st.pills(
            "Labels", list(names), default=found[0].key, required=True, format_func=lambda k: plain(names[k].name),
            key=f"labels.chosen.{len(found)}", label_visibility="collapsed",
        )  # fmt: skip
        stored = names[key]
        if is_duplicates(stored):
            _duplicates(stored.labels)
        else:
            _shares(stored.labels)


def _shares(labels: Labels) -> None:
    from curation.figures.shares import shares_figure

    codes = np.asarray(labels.codes)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels.names))
    chart(shares_figure(labels.names, counts, mode=mode()), key="labels.shares", alt="Share of each label")
    without = int((codes < 0).sum())
    if without:
        reasons = labels.missing.counts() or {"noise: between the clusters": without}
        st.caption(
            f"{number(without)} rows have none: " + "; ".join(f"{number(c)} {plain(r)}" for r, c in reasons.items())
        )


def _duplicates(labels: Labels) -> None:
    codes = np.asarray(labels.codes)
    sizes = np.bincount(codes[codes >= 0]) if (codes >= 0).any() else np.empty(0, np.int64)
    removable = int(sizes.sum() - len(sizes))
    st.markdown(
        f"**{number(len(sizes))} groups** with {number(int(sizes.sum()))} rows; the largest has "
        f"{number(int(sizes.max()) if len(sizes) else 0)}. Keeping one of each leaves out {number(removable)} rows "
        f"({percent(removable, len(codes))}): *Remove duplicates* on the Select page does that."
    )
