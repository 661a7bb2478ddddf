"""What `browser.py` measures on the Map page, part by part, each in a tab of its own."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import numpy as np
from _chromium import Server, served, tab
from _map_page import CANVAS, MapPage, Release
from _workspaces import Made

from curation.core.artifacts import Layout, Score
from curation.ui.point_map.feeds import OUTER
from curation.views import Picked, Range, View
from curation.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@dataclass(frozen=True)
class Times:
    """How often each thing is done."""

    steps: int = 44
    releases: int = 22
    lassos: int = 6
    firsts: int = 3
    hovers: int = 10
    frames: int = 20


QUICK = Times(6, 3, 2, 1, 2, 4)
"""To try the script out."""

CUTS = ("scorer/compression", "scorer/column")
"""Whose score is cut, real rows and synthetic ones; of several, the one named `quality`."""
ORDERS = ("selector/k-center", "selector/top-k")

Found = dict[str, Any]


@dataclass(frozen=True)
class Places:
    """What the measures need to know of a workspace.

    Args:
        xy: Of the map.
        cut: Key of the score that is cut.
        low: A value of it that nearly all rows have or exceed.
        span: The part of its slider over which the handle is moved: between the values that 5 % and 80 % of the rows
            do not exceed, as shares of the track.
        order: Key of the selection with a nested order.
        name: Of the dataset.
    """

    xy: np.ndarray
    cut: str
    low: float
    span: tuple[float, float]
    order: str
    name: str

    def address(self, url: str, *conditions: Any) -> str:
        """The page with a view."""
        query = {"dataset": self.name}
        if conditions:
            query["view"] = View(conditions=conditions).encode()
        return f"{url}/map?{urlencode(query)}"


def places_of(made: Made) -> Places:
    """Map, score and order of a workspace of `_workspaces`."""
    workspace = Workspace(Path(made.root))
    results = workspace.results(made.dataset)
    layout = next(r.key for r in results if r.kind == "layout")
    scores = [(r.key, cast(Score, workspace.load(r.key))) for r in results if r.use in CUTS]
    key, score = next((s for s in scores if s[1].name == "quality"), scores[0])
    values = np.asarray(score.values)
    known = values[np.isfinite(values)]
    first, begin, end, last = np.quantile(known, [OUTER, 0.05, 0.8, 1 - OUTER])
    span = (float((begin - first) / (last - first)), float((end - first) / (last - first)))
    order = next(r.key for r in results if r.use in ORDERS)
    xy = np.asarray(cast(Layout, workspace.load(layout)).xy)
    return Places(xy, key, float(np.quantile(known, 0.02)), span, order, made.name)


def measure_map(browser: Browser, made: Made, *, times: Times, port: int | None, say: Callable[[str], None]) -> Found:
    """All parts; one that fails is said to have failed and the others go on.

    Args:
        browser: An open Chromium.
        made: The workspace.
        times: How often each thing is done.
        port: Of the server; None = a free one.
        say: Told what happens.

    Returns:
        Lists of milliseconds and bytes by part, memory, and `failed`: part → message.
    """
    places = places_of(made)
    found: Found = {"rows": made.rows, "note": made.note, "failed": {}}
    with served(Path(made.root), port=port) as server:
        found["memory_start"] = server.memory()
        with tab(browser) as (page, wire):  # from here on the server is warm
            MapPage(page, wire).open(places.address(server.url))
        for name, part in PARTS.items():
            try:
                found[name] = part(browser, server, places, times)
                say(f"{made.rows:,} rows, {name}: done")
            except Exception as error:  # noqa: BLE001 - said in the table; the other parts go on
                traceback.print_exc(file=sys.stderr)
                found["failed"][name] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
                say(f"{made.rows:,} rows, {name}: FAILED, {found['failed'][name]}")
        found["memory"], found["peak"] = server.memory(), server.peak
    return found


# ------------------------------------------------------------------ parts


def _first(browser: Browser, server: Server, places: Places, times: Times) -> Found:
    found: Found = {"ms": [], "at_rest": [], "received": []}
    for _ in range(times.firsts):
        with tab(browser) as (page, wire):
            found["ms"].append(MapPage(page, wire).open(places.address(server.url)))
            found["at_rest"].append(page.evaluate("performance.now()"))
            found["received"].append(wire.received)
            found["drawn_by"] = page.locator(CANVAS).first.get_attribute("data-drawing")
            _no_errors(wire.errors)
    return found


def _cut(browser: Browser, server: Server, places: Places, times: Times) -> Found:
    with tab(browser) as (page, wire):
        one = MapPage(page, wire)
        one.open(places.address(server.url, Range(score=places.cut, column=None, low=places.low, high=None)))
        handle = page.locator('.pm-cut:not(.pm-budget) .pm-handle[data-end="low"]').first
        sent = wire.sent
        steps = one.drag(handle, times.steps, places.span)
        while_dragged = wire.sent - sent
        one.release()
        one.rest()
        releases = one.releases(handle, times.releases, places.span)
        _no_errors(wire.errors)
    return {"steps": steps, "sent_while_dragged": while_dragged, **_of(releases)}


def _budget(browser: Browser, server: Server, places: Places, times: Times) -> Found:
    with tab(browser) as (page, wire):
        one = MapPage(page, wire)
        one.open(places.address(server.url, Picked(selection=places.order, budget=None, keep="in")))
        handle = page.locator(".pm-budget .pm-handle").first
        steps = one.drag(handle, times.steps, (0.3, 0.95))
        one.release()
        one.rest()
        releases = one.releases(handle, times.releases // 2, (0.3, 0.9))
        _no_errors(wire.errors)
    return {"steps": steps, **_of(releases)}


def _frames(browser: Browser, server: Server, places: Places, times: Times) -> Found:
    with tab(browser) as (page, wire):
        one = MapPage(page, wire)
        one.open(places.address(server.url))
        found = {"pan": one.pan(times.frames), "zoom": one.zoom(times.frames)}
        _no_errors(wire.errors)
    return found


def _lasso(browser: Browser, server: Server, places: Places, times: Times) -> Found:
    """Around the left half of the points, every time a little more or less of it."""
    (left, bottom), (right, top) = np.nanmin(places.xy, axis=0), np.nanmax(places.xy, axis=0)
    middle, width = float(np.nanmedian(places.xy[:, 0])), float(right - left)
    releases = []
    with tab(browser) as (page, wire):
        one = MapPage(page, wire)
        one.open(places.address(server.url))
        one.tool("all")
        for i in range(times.lassos):
            releases.append(one.lasso((left - 1, top + 1), (middle + 0.004 * (i - 2) * width, bottom - 1)))
        _no_errors(wire.errors)
    return _of(releases)


def _hover(browser: Browser, server: Server, places: Places, times: Times) -> Found:
    rows = np.random.default_rng(0).choice(np.flatnonzero(np.isfinite(places.xy).all(1)), times.hovers, replace=False)
    with tab(browser) as (page, wire):
        one = MapPage(page, wire)
        one.open(places.address(server.url))
        one.tool("all")
        one.rest()
        found = [one.hover(float(places.xy[row, 0]), float(places.xy[row, 1])) for row in rows]
        _no_errors(wire.errors)
    return {"ms": found}


PARTS: dict[str, Callable[[Any, Server, Places, Times], Found]] = {
    "first": _first,
    "cut": _cut,
    "budget": _budget,
    "frames": _frames,
    "lasso": _lasso,
    "hover": _hover,
}


def _of(releases: list[Release]) -> Found:
    return {name: [getattr(r, name) for r in releases] for name in ("ms", "kept", "sent", "received")}


def _no_errors(errors: list[str]) -> None:
    if errors:
        raise RuntimeError(f"an error in the page: {errors[0]}")
