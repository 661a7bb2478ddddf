"""Data: what is in the dataset, what could not be read, and more files."""

import streamlit as st

from curation.ui import session
from curation.ui.components import empty_state, page_header
from curation.ui.data_view import counts, datasets_view, fields_view, rejected_view, rows_view
from curation.ui.decide_apply import TITLE
from curation.ui.import_panel import import_panel
from curation.ui.run_panel import follow

page_header(
    "Data", "Every row as it was read, what its fields hold, and what could not be read.", icon=":material/table_rows:"
)
workspace = session.workspace()
dataset, info = session.dataset(), session.dataset_info()
if dataset is None or info is None:
    empty_state(
        ":material/inbox:",
        "There are no rows here yet.",
        hint="Add a file below, or try the demo on the Start page.",
        action="Go to Start",
        page="pages/start.py",
    )
    import_panel(workspace, key="data.import")
else:
    follow(workspace, dataset, TITLE, key="data.edit")
    counts(dataset, info)
    views = {
        "rows": ":material/table_rows: Rows",
        "fields": ":material/data_object: Fields and sources",
        "rejected": f":material/block: Rejected ({info.rejected:,})",
        "add": ":material/add: Add files",
        "all": ":material/database: All datasets",
    }
    view = st.segmented_control(
        "View",
        list(views),
        default="rows",
        required=True,
        format_func=views.__getitem__,
        key="data.view",
        label_visibility="collapsed",
        bind="query-params",
    )
    if view == "rows":
        rows_view(workspace, dataset)
    elif view == "fields":
        fields_view(dataset)
    elif view == "rejected":
        rejected_view(workspace, info)
    elif view == "add":
        import_panel(workspace, key="data.import")
    else:
        datasets_view(workspace, info)
