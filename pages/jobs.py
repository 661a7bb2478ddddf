"""Jobs: what runs and what ran."""

import streamlit as st

from curation import jobs
from curation.ui import session
from curation.ui.components import empty_state, page_header
from curation.ui.job_card import job_card, watch_job
from curation.ui.rows import paged

page_header(
    "Jobs",
    "Everything that was computed, newest first. A job works in a process of its own: you can close this page, and "
    "resume a job that was stopped without losing what it had finished.",
    icon=":material/pending_actions:",
)
session.dataset()
workspace = session.workspace()
found = sorted(jobs.listing(workspace), key=lambda s: -s.started)
running = [s for s in found if not s.ended]
ended = [s for s in found if s.ended]

if not found:
    empty_state(
        ":material/pending_actions:",
        "Nothing has run yet.",
        hint="Drawing a map, scoring or selecting starts a job, and it appears here.",
        action="Go to Start",
        page="pages/start.py",
    )
for status in running:
    watch_job(workspace, status.id, key=status.id, details=True)
if ended:
    states = ["all", *sorted({s.state for s in ended})]
    state = st.segmented_control(
        "Finished", states, default="all", required=True, key="jobs.state", bind="query-params"
    )
    shown = [s for s in ended if state in ("all", s.state)]
    cards = st.container()
    part = paged(len(shown), key="jobs.page", per_page=10)
    with cards:
        for status in shown[part]:
            job_card(workspace, status)
