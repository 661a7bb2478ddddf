"""Drives the Map page with a mouse, as a person would, and measures what comes back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from _baseline import border, draw, rested
from _chromium import Wire

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CANVAS = "canvas.pm-points"
COUNT = '[class*="st-key-map-rows-tab"]'
"""Where the page says how many rows are in view: the tabs over its table."""
LASSO_SIDE = 15
STEP_S = 60
NEAR = 3


@dataclass
class Release:
    """What came of letting go.

    Args:
        ms: From the pointer's release until the page showed the new count and no script ran.
        kept: The count.
        sent: Bytes, browser to server.
        received: Bytes, server to browser.
    """

    ms: float
    kept: int
    sent: int
    received: int


@dataclass
class MapPage:
    """The page in one tab.

    Args:
        page: The tab.
        wire: Of it.
        count: Selector of the element that holds the count.
    """

    page: Page
    wire: Wire
    count: str = COUNT

    # ------------------------------------------------------------------ opening

    def open(self, url: str) -> float:
        """Go there; milliseconds from the navigation to the first complete map, once the page is at rest."""
        self.page.goto(url, wait_until="commit")
        self.page.wait_for_function("benchmark.ready !== null")
        self.rest()
        return float(self.page.evaluate("benchmark.ready"))

    def rest(self) -> None:
        """Wait until no script runs, and the map has nothing left to prepare."""
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        self.page.evaluate("new Promise((done) => requestIdleCallback(done, {timeout: 5000}))")

    def tool(self, name: str) -> None:
        """Press a button of the map's toolbar."""
        self.page.locator(f'button[data-act="{name}"]').first.click()

    def inner(self) -> dict[str, float]:
        """The canvas in the window, scrolled to."""
        self.page.locator(CANVAS).first.scroll_into_view_if_needed()
        box = self.page.locator(CANVAS).first.bounding_box()
        assert box is not None
        return dict(box)

    # ------------------------------------------------------------------ frames

    def _step(self, does: Any, cause: str) -> float:
        """Milliseconds from an input to the frame drawn for it, the graphics card waited for."""
        self.page.evaluate("cause => benchmark.step(cause)", cause)
        does()
        late = f"new Promise((_, no) => setTimeout(no, {1000 * STEP_S}, 'no frame was drawn for this step'))"
        return float(self.page.evaluate(f"Promise.race([benchmark.stepped, {late}])"))

    def drag(self, handle: Locator, steps: int, span: tuple[float, float]) -> list[float]:
        """Take a handle and move it back and forth over a part of its track; it stays held.

        Args:
            handle: Of a slider on the map.
            steps: Moves.
            span: The part, as shares of the track.
        """
        track, y = self._take(handle)
        found = []
        for share in _sweep(steps, span[0] + 0.013, span[1]):  # not where it may stand already
            x = track["x"] + share * track["width"]
            found.append(self._step(lambda x=x: self.page.mouse.move(x, y), "step"))
        return found

    def _take(self, handle: Locator) -> tuple[dict[str, float], float]:
        """Press the mouse on a handle; returns its track in the window, and the height it stands at."""
        handle.scroll_into_view_if_needed()
        track, own = handle.locator("xpath=..").bounding_box(), handle.bounding_box()
        assert track is not None
        assert own is not None
        y = own["y"] + own["height"] / 2
        self.page.mouse.move(own["x"] + own["width"] / 2, y)
        self.page.mouse.down()
        return dict(track), y

    def pan(self, steps: int) -> list[float]:
        """Move the map about, the button held."""
        self.tool("pan")
        box = self.inner()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 6, y)  # further than a click may wander
        found = []
        for i in range(steps):
            place = (x + 60 * math.sin(i + 1), y + 40 * math.cos(i + 1))
            found.append(self._step(lambda place=place: self.page.mouse.move(*place), "view"))
        self.page.mouse.up()
        return found

    def zoom(self, steps: int) -> list[float]:
        """Turn the wheel in and out again."""
        box = self.inner()
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        turns = [-120] * (steps // 2) + [120] * (steps // 2)
        return [self._step(lambda turn=turn: self.page.mouse.wheel(0, turn), "view") for turn in turns]

    # ------------------------------------------------------------------ gestures that reach the server

    def release(self) -> Release:
        """Let the mouse go, and wait until the page has come to rest with the new count."""
        sent, received = self.wire.sent, self.wire.received
        self.page.evaluate("selector => benchmark.release(selector)", self.count)
        self.page.mouse.up()
        found = rested(self.page)
        return Release(found["ms"], int(found["kept"]), self.wire.sent - sent, self.wire.received - received)

    def releases(self, handle: Locator, times: int, span: tuple[float, float]) -> list[Release]:
        """Drag a handle to another place and let it go, again and again."""
        found = []
        for i, share in enumerate(_sweep(times, *span)):
            track, y = self._take(handle)
            for part in (0.02, 0.01, 0.002 * (i + 1) / times):  # never back to where it was
                self.page.mouse.move(track["x"] + (share + part) * track["width"], y)
            found.append(self.release())
            self.rest()
        return found

    def lasso(self, corner: Sequence[float], opposite: Sequence[float]) -> Release:
        """Draw around a box given in data coordinates, as far as it is on the screen."""
        self.tool("lasso")
        self.tool("replace")
        box = self.inner()
        (x0, y0), (x1, y1) = self.on_screen(*corner), self.on_screen(*opposite)
        left, right = max(min(x0, x1), box["x"] + NEAR), min(max(x0, x1), box["x"] + box["width"] - NEAR)
        top, bottom = max(min(y0, y1), box["y"] + NEAR), min(max(y0, y1), box["y"] + box["height"] - NEAR)
        draw(self.page, border(left, top, right, bottom, LASSO_SIDE))
        found = self.release()
        self.rest()
        return found

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the map is in the window."""
        asked = "([x, y]) => [...curationPointMap.maps.values()][0].screenOf(x, y)"
        found = self.page.evaluate(asked, [float(x), float(y)])
        return float(found[0]), float(found[1])

    def hover(self, x: float, y: float) -> float:
        """Rest the mouse on a point; milliseconds until its text stands beside it."""
        self.inner()
        at = self.on_screen(x, y)
        self.page.mouse.move(at[0] + 40, at[1] + 40)
        self.page.evaluate("benchmark.hover()")
        self.page.mouse.move(*at)
        late = f"new Promise((_, no) => setTimeout(no, {1000 * STEP_S}, 'no text came for the row under the pointer'))"
        return float(self.page.evaluate(f"Promise.race([benchmark.hovered, {late}])"))


def _sweep(steps: int, low: float, high: float) -> list[float]:
    """Places from low to high and back, no two in a row alike."""
    half = max(1, steps // 2)
    return [low + (high - low) * (i if i <= half else 2 * half - i) / half for i in range(steps)]
