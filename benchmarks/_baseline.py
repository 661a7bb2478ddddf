"""What `browser.py` measures on the baseline, the plotly map of `_plotly_map.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _chromium import served, tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCRIPT = Path(__file__).resolve().parent / "_plotly_map.py"
COUNT = ".st-key-count"
SIDE = 6
"""Places of the mouse on each side of a lasso; plotly looks at all points for each of them."""


def border(left: float, top: float, right: float, bottom: float, side: int) -> list[tuple[float, float]]:
    """The way of the mouse around a box, from its left top and almost back."""
    down = [top + (bottom - top) * i / side for i in range(side)]
    across = [left + (right - left) * i / side for i in range(side)]
    return [
        *((x, top) for x in across),
        *((right, y) for y in down),
        *((left + right - x, bottom) for x in across),
        *((left, top + bottom - y) for y in down),
    ]


def draw(page: Page, places: Sequence[tuple[float, float]]) -> None:
    """Press at the first place, move over the others, and stop before the button is let go."""
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)


def rested(page: Page) -> dict[str, Any]:
    """Wait for what `release` of the probe began."""
    return dict(
        page.evaluate("Promise.race([benchmark.rested, new Promise((_, no) => setTimeout(no, 120000, 'no rest'))])")
    )


def measure_baseline(
    browser: Browser, workspace: Path, *, firsts: int, releases: int, port: int | None
) -> dict[str, Any]:
    """First map, bytes, lasso of half the points, and the release of a slider.

    Args:
        browser: An open Chromium.
        workspace: With one dataset.
        firsts: Times the first map is opened, each in a new context.
        releases: Gestures of each kind.
        port: Of the server.

    Returns:
        Lists of milliseconds and of bytes.
    """
    found: dict[str, Any] = {
        "first": [],
        "first_bytes": [],
        "lasso": [],
        "lasso_sent": [],
        "cut": [],
        "cut_received": [],
    }
    with served(workspace, script=SCRIPT, port=port) as server:
        with tab(browser) as (page, _):  # the server is warm from here on
            _open(page, server.url)
        for turn in range(firsts):
            with tab(browser) as (page, wire):
                found["first"].append(_open(page, server.url))
                found["first_bytes"].append(wire.received)
                if turn < firsts - 1:
                    continue
                for i in range(releases):
                    sent = wire.sent
                    found["lasso"].append(_lasso(page, i))
                    found["lasso_sent"].append(wire.sent - sent)
                page.reload()
                _ready(page)
                for i in range(releases):
                    received = wire.received
                    found["cut"].append(_cut(page, i))
                    found["cut_received"].append(wire.received - received)
        found["memory"], found["peak"] = server.memory(), server.peak
        if wire.errors:
            raise SystemExit(f"the baseline's page failed: {wire.errors[0]}")
    return found


def _open(page: Page, url: str) -> float:
    page.goto(url, wait_until="commit")
    return _ready(page)


def _ready(page: Page) -> float:
    page.wait_for_function("benchmark.ready !== null && document.querySelector('.st-key-count')?.textContent")
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    return float(page.evaluate("benchmark.ready"))


def _lasso(page: Page, turn: int) -> float:
    """Around the left half of the drawing, a little wider every time."""
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box is not None
    half = box["width"] * (0.5 + 0.01 * turn)
    draw(page, border(box["x"] + 3, box["y"] + 3, box["x"] + half, box["y"] + box["height"] - 3, SIDE))
    page.evaluate("selector => benchmark.releaseOther(selector, false)", COUNT)
    page.mouse.up()
    found = float(rested(page)["ms"])
    page.evaluate("selector => benchmark.releaseOther(selector, false)", COUNT)
    page.mouse.dblclick(box["x"] + box["width"] - 8, box["y"] + 8)  # takes the lasso away, the next one would move it
    rested(page)
    return found


def _cut(page: Page, turn: int) -> float:
    """One press of an arrow key on the slider, which is what letting it go is."""
    thumb = page.locator('[data-testid="stSlider"]').locator('input, [role="slider"]').first
    thumb.focus()
    page.evaluate("selector => benchmark.releaseOther(selector, true)", COUNT)
    page.keyboard.press("ArrowRight")
    return float(rested(page)["ms"])
