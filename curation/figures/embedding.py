"""Figures inside an HTML file of one's own: the library once, every figure as data that no parser can break out of."""

from __future__ import annotations

from functools import lru_cache

import plotly
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

_BREAKS_OUT = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@lru_cache(1)
def plotly_js() -> str:
    """The library, about 4.5 MB of JavaScript; no part of it ends a `<script>` element.

    Raises:
        ValueError: if this version of the library does.
    """
    text = get_plotlyjs()
    if "</script" in text.lower():
        raise ValueError("plotly.js holds the end of a script element, it cannot be written into a page")
    return text


def plotly_version() -> str:
    """Of the Python package."""
    return str(plotly.__version__)


def figure_json(figure: go.Figure) -> str:
    """A figure as JSON that may stand inside a `<script>` element: it holds no `<`, `>` or `&`."""
    return str(figure.to_json()).translate(_BREAKS_OUT)
