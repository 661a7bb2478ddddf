"""Compare: selections side by side, random always among them."""

import streamlit as st

from curation.ui import compare_data as data
from curation.ui import pool, session
from curation.ui.compare_choice import choose, sizes_note
from curation.ui.compare_maps import maps_panel
from curation.ui.compare_more import difference_panel, report_panel, weakness_panel
from curation.ui.compare_presets import ask_presets, at_one_budget, take_over
from curation.ui.compare_rows import agreement_panel, rows_panel
from curation.ui.compare_view import (
    JOBS,
    arm_cards,
    coverage_panel,
    every_spread_panel,
    overlap_panel,
    patterns_panel,
    shares_panel,
    spread_panel,
)
from curation.ui.components import empty_state, errors_shown, next_step, page_header
from curation.ui.run_panel import follow

page_header(
    "Compare",
    "Selections side by side: what they share, what they cover, what each costs and where each is weak. Random "
    "always stands among them.",
    icon=":material/compare_arrows:",
)
dataset = session.need_dataset()
workspace = session.workspace()
running = follow(workspace, dataset, *JOBS, key="compare")
take_over(workspace, dataset)
stored = pool.selections(dataset.fingerprint)
what = choose(dataset) if stored else None
form = st.expander(
    "Run every preset at one budget", icon=":material/playlist_play:", expanded=not stored and not running,
    on_change="rerun", key=f"compare.form.{bool(stored)}",
)  # fmt: skip
if form.open:
    with form:
        ask_presets(workspace, dataset)
if not stored and not running:
    empty_state(
        ":material/compare_arrows:", "Nothing has been selected from these rows yet.",
        hint="The form above makes one with every method whose inputs are there; the Select page makes a single one.",
        action="Go to Select", page="pages/select.py",
    )  # fmt: skip
elif what is None and stored:
    empty_state(
        ":material/compare_arrows:", "Choose at least one selection above.", hint="Two to six make a comparison."
    )
if what is None:
    st.stop()
with errors_shown(stop=True):
    found = data.comparison(what)
if len(found.arms) == 1:
    st.info("With one selection, only random stands beside it. Choose another above, or run the presets.",
            icon=":material/info:")  # fmt: skip
sizes_note(what, [len(arm) for arm in found.arms])
if what.budget is not None and (others := [arm.name for arm in found.arms if len(arm) != what.budget]):
    at_one_budget(workspace, what, dataset, what.budget, others)
arm_cards(found)
maps_panel(workspace, dataset, what)
left, right = st.columns(2, gap="large")
with left:
    overlap_panel(what)
with right:
    coverage_panel(workspace, dataset, what)
if len(found.arms) > 1:
    left, right = st.columns(2, gap="large")
    with left:
        patterns_panel(what)
    with right:
        agreement_panel(workspace, dataset, what)
left, right = st.columns(2, gap="large")
with left:
    spread_panel(dataset, what)
with right:
    shares_panel(workspace, dataset, what)
every_spread_panel(dataset, what)
weak = st.container()  # measured last: a fit may take seconds
if len(found.arms) > 1:
    rows_panel(dataset, what)
difference_panel(workspace, dataset, what)
report_panel(dataset, what)
next_step("Export", "pages/export.py")
with weak:
    weakness_panel(workspace, dataset, what)
