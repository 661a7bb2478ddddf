"""Start: a file in, a training set out, in five steps."""

import streamlit as st

from curation.ui import guide, session
from curation.ui.components import next_step, page_header
from curation.ui.import_panel import demo_card, hero, import_panel, path_ahead
from curation.ui.start_export import export_card
from curation.ui.start_view import ask_look, ask_pick, ask_unique, dataset_card, show_look, show_pick, show_unique
from curation.ui.start_view import stage_card as stage

workspace = session.workspace()
dataset = session.dataset()

if dataset is None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        page_header(
            "Keep the rows that teach",
            "Bring the data you want to fine-tune on. See it, drop what repeats, pick what covers it, and export what "
            "your trainer reads. Everything happens on this machine.",
        )
        import_panel(workspace, key="start.import")
    with right:
        hero()
        demo_card(workspace)
    path_ahead()
else:
    page_header(
        "Start",
        "Five steps from a file to a training set. Each one shows what it found before the next.",
        icon=":material/rocket_launch:",
    )
    done = guide.progress(workspace, dataset)
    dataset_card(workspace, dataset, 1)
    stage(workspace, dataset, 2, done["look"], ready=True, ask=ask_look, show=show_look)
    stage(workspace, dataset, 3, done["unique"], ready=done["look"].done, ask=ask_unique, show=show_unique)
    stage(workspace, dataset, 4, done["pick"], ready=done["unique"].done, ask=ask_pick, show=show_pick)
    export_card(workspace, dataset, 5, done["pick"])
    next_step("Compare other ways to select", "pages/select.py", primary=False)
