"""The baseline of `browser.py`: the map that Streamlit gives without a component of one's own, on the same rows.

One `Scattergl` trace with `on_select`, a slider that cuts by a score, a count and a page of rows, all in one fragment,
as its users build it: one trace, float32 arrays, no text with the points.
"""

import os

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from curation.workspace import Workspace

COLOURS = ("#118C87", "#F78C0B", "#3FACFD", "#9044BF", "#BE3643", "#E65719", "#D55CBF", "#D493BE", "#8475F9", "#8CA079")
USES = ("layout", "labeller/clusters", "scorer/compression")
PER_PAGE = 25


@st.cache_resource
def opened():
    """Rows, places, colours of the clusters and a score."""
    workspace = Workspace.open(os.environ["CURATION_WORKSPACE"])
    dataset = workspace.dataset(workspace.datasets()[0].fingerprint)
    results = {r.kind: workspace.load(r.key) for r in workspace.results(dataset.fingerprint) if r.use in USES}
    colours = np.array([*COLOURS, "#BBB7AC"])[np.where(results["labels"].codes < 0, 10, results["labels"].codes % 10)]
    return dataset, np.asarray(results["layout"].xy), colours, np.asarray(results["score"].values)


st.set_page_config(layout="wide")
dataset, xy, colours, score = opened()


@st.fragment
def body():
    """Map, cut, count and rows."""
    known = score[np.isfinite(score)]
    low, high = (float(v) for v in np.quantile(known, [0.01, 0.99]))
    if low == high:
        low, high = low - 1, high + 1
    cut = st.slider("cut", low, high, low, key="cut", step=(high - low) / 100)
    kept = score >= cut
    trace = go.Scattergl(
        x=xy[:, 0], y=xy[:, 1], mode="markers", hoverinfo="none",
        marker={"size": 3, "color": np.where(kept, colours, "#CFCBC0")},
    )  # fmt: skip
    figure = go.Figure(trace, layout={"height": 620, "dragmode": "lasso", "uirevision": "map", "showlegend": False})
    state = st.plotly_chart(figure, on_select="rerun", key="map", theme=None)
    points = np.asarray(state["selection"]["point_indices"], np.int64)
    rows = points[kept[points]] if len(points) else np.flatnonzero(kept)
    with st.container(key="count"):
        st.markdown(f"{len(rows):,} rows")
    part = dataset.take(rows[:PER_PAGE])
    st.dataframe({"row": rows[:PER_PAGE], "prompt": part.texts("prompt"), "response": part.texts("response")})


body()
