"""Figures as PNG files, drawn by kaleido in a Chrome of this machine, which is cut off from every network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import plotly.graph_objects as go

from curation.core.errors import CurationError, MissingDependency
from curation.figures import palette
from curation.figures.palette import Mode

WIDTH, HEIGHT, SCALE = 900, 420, 2
"""Pixels of a figure, and of the picture for each of them."""
SECONDS = 90.0
"""For one figure, then it is given up."""
NOWHERE = "http://127.0.0.1:9"
"""Proxy of the browser: nothing listens there."""
HINT = (
    "install Chrome or Chromium (Debian: apt install chromium), or name its file in BROWSER_PATH; without one, the "
    "report's HTML file saves each figure as PNG with its own button"
)


def png_pictures(
    figures: Mapping[str, go.Figure], *, width: int = WIDTH, scale: float = SCALE, mode: Mode = "light"
) -> dict[str, bytes]:
    """Draw figures as PNG; about 3 s for the browser to start and 0.3 s a figure.

    Args:
        figures: By name.
        width: Pixels; heights are the figures' own.
        scale: Pixels of the picture for each of them.
        mode: Theme, whose background fills the pictures.

    Returns:
        Name → PNG file.

    Raises:
        MissingDependency: kaleido is not installed.
        CurationError: there is no Chrome, or it does not draw.
    """
    try:
        import kaleido  # noqa: F401
    except ImportError as error:
        raise MissingDependency("kaleido", "report") from error
    filled = {name: _filled(figure, mode) for name, figure in figures.items()}
    with ThreadPoolExecutor(1) as own_thread:  # the caller may run inside an event loop of its own
        return own_thread.submit(asyncio.run, _draw(filled, width, scale)).result()


def _filled(figure: go.Figure, mode: Mode) -> go.Figure:
    copy = go.Figure(figure)
    copy.update_layout(paper_bgcolor=palette.colours(mode).background)
    return copy


async def _draw(figures: Mapping[str, go.Figure], width: int, scale: float) -> dict[str, bytes]:
    from choreographer.errors import BrowserClosedError, BrowserFailedError, ChromeNotFoundError
    from kaleido import Kaleido

    drawn: dict[str, bytes] = {}
    try:
        # mathjax would be fetched from a server
        async with Kaleido(mathjax=False, timeout=SECONDS, proxy_server=NOWHERE) as browser:
            for name, figure in figures.items():
                size: dict[str, Any] = {"width": width, "height": figure.layout.height or HEIGHT}
                drawn[name] = await browser.calc_fig(figure, opts={"format": "png", "scale": scale, **size})
    except ChromeNotFoundError as error:
        raise CurationError("no Chrome or Chromium was found to draw PNG files with", HINT) from error
    except (BrowserClosedError, BrowserFailedError, OSError, TimeoutError) as error:
        raise CurationError(f"the browser that draws PNG files failed: {error}", HINT) from error
    return drawn
