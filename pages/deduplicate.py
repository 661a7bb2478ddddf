"""Deduplicate: the funnel from exact copies to rows that say the same, with thresholds that act at once."""

import streamlit as st

from curation.ui import session
from curation.ui.components import empty_state, next_step, page_header
from curation.ui.contamination_view import CHECKED, ask_check, checks, evidence_panel
from curation.ui.dedup_ask import FIND, ask_duplicates
from curation.ui.dedup_view import KEEP, found_note, funnel_panel, kept_note, stages
from curation.ui.run_panel import follow

page_header(
    "Deduplicate",
    "Copies cost training time and count their content twice. Move the thresholds, read the pairs that decide, and "
    "store what stays.",
    icon=":material/content_copy:",
)
dataset = session.need_dataset()
workspace = session.workspace()
running = follow(workspace, dataset, FIND, KEEP, CHECKED, key="dedup")
found = stages(dataset.fingerprint)
if not found and not running:
    empty_state(
        ":material/content_copy:", "Nobody has looked for duplicates in these rows yet.",
        hint="One run finds all three kinds; after that, every threshold is free to move.",
    )  # fmt: skip
form = st.expander(
    "Look for duplicates", icon=":material/search:", expanded=not found and not running, on_change="rerun",
    key=f"dedup.form.{bool(found)}.{bool(running)}",
)  # fmt: skip
if form.open:
    with form:
        ask_duplicates(workspace, dataset)
kept_note(workspace, dataset)
if found:
    st.caption(found_note(found))
    funnel_panel(workspace, dataset, found)

st.subheader(":material/policy: Evaluation files", anchor=False)
st.markdown(
    ":gray[Rows that hold a question of your evaluation set make its result worthless. Add its file on the Data page, "
    "look for its rows here, and read every pair before you leave them out.]"
)
checked = checks(dataset.fingerprint)
again = st.expander(
    "Look for evaluation rows", icon=":material/search:", expanded=not checked, on_change="rerun",
    key=f"contamination.form.{bool(checked)}",
)  # fmt: skip
if again.open:
    with again:
        ask_check(workspace, dataset)
if checked:
    evidence_panel(dataset, checked)
if found or checked:
    next_step("Select rows", "pages/select.py")
