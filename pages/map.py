"""Map: every row a point; draw around some to read them."""

import streamlit as st

from curation.ui import pool, session
from curation.ui.map_ask import FULL, PREVIEW, ask_first, ask_full
from curation.ui.map_panel import map_panel
from curation.ui.run_panel import follow

ABOUT = (
    "Every row is a point, near the rows that are like it. Draw around points with the lasso to read their rows, and "
    "keep what you find as a selection."
)

head = st.container(horizontal=True, vertical_alignment="top", gap="large", key="map.head")
with head:
    st.title(":primary[:material/bubble_chart:] Map", anchor=False, width="content", help=ABOUT)
dataset = session.need_dataset()
workspace = session.workspace()
running = follow(workspace, dataset, PREVIEW, FULL, key="map")
stored = pool.best_layout(dataset.fingerprint)
if stored is None:
    if running:
        st.skeleton(420)
    else:
        ask_first(workspace, dataset)
else:
    if pool.is_preview(stored.info):
        ask_full(workspace, dataset)
    map_panel(workspace, dataset, stored, head)
