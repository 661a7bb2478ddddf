"""The app: page config and navigation, nothing else. Started by `curate app`, which passes every safety option."""

from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="Curate", page_icon=str(ASSETS / "icon.svg"), layout="wide", initial_sidebar_state=240)
st.html(ASSETS / "app.css")  # margins, and what stays in view
st.logo(str(ASSETS / "logo.svg"), icon_image=str(ASSETS / "icon.svg"), size="large")
st.navigation(
    [
        st.Page("pages/start.py", title="Start", icon=":material/rocket_launch:", default=True),
        st.Page("pages/data.py", title="Data", icon=":material/table_rows:"),
        st.Page("pages/map.py", title="Map", icon=":material/bubble_chart:"),
        st.Page("pages/scores.py", title="Scores", icon=":material/bar_chart:"),
        st.Page("pages/judge.py", title="Judge", icon=":material/gavel:"),
        st.Page("pages/learnability.py", title="Learnability", icon=":material/school:"),
        st.Page("pages/influence.py", title="Influence", icon=":material/my_location:"),
        st.Page("pages/deduplicate.py", title="Deduplicate", icon=":material/content_copy:"),
        st.Page("pages/select.py", title="Select", icon=":material/checklist:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page("pages/trial.py", title="Trial", icon=":material/science:"),
        st.Page("pages/export.py", title="Export", icon=":material/ios_share:"),
        st.Page("pages/jobs.py", title="Jobs", icon=":material/pending_actions:"),
    ],
    expanded=True,  # more than twelve pages would be folded
).run()
