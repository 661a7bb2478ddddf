"""The map in a real browser: every gesture, drawn by our own loop and by WebGL, counted as numpy counts."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.figures.geometry import inside_polygon
from curation.figures.map import outside_view
from curation.serve import home

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

N = 3000

DATA = f"""
import numpy as np
N = {N}
rng = np.random.default_rng(3)
code = rng.integers(0, 3, N).astype(np.int32)
xy = (np.array([[0, 0], [10, 0], [5, 8]])[code] + rng.normal(0, 1, (N, 2))).astype(np.float32)
code[:40] = -1
xy[40:50] = np.nan
xy[50:52] = 500.0
score = (rng.normal(0, 1, N) + code).astype(np.float32)
score[100:130] = np.nan
order = rng.permutation(N)[: N // 2]
rank = np.full(N, 2**31 - 1)
rank[order] = np.arange(len(order))
"""

PAGE = (
    DATA
    + """
import json
import streamlit as st
from curation.figures.geometry import inside_polygon
from curation.ui.components import mode
from curation.ui.point_map import *

st.set_page_config(layout="wide")
asked, ss = st.query_params, st.session_state
points, codes, numbers = feed_points("xy", xy), feed_codes("code", code), feed_numbers("score", score)
ranks = feed_ranks("rank", order, N)
names = ["<b>first</b>", "second", "third"]
colour = Categories(codes, names, ["#ff0000", "#00aa00", "#0000ff"], "#888888", "no cluster")
if asked.get("colour") == "number":
    colour = Numbers(numbers, "quality", -2.0, 4.0, ["#000000", "#ffffff"], False)
at_first = {"log": [], "mask": None, "cut": (None, None), "k": len(order), "open": None, "shapes": [], "runs": 0}
for name, first in at_first.items():
    ss.setdefault(name, first)
places = [(0, "<i>first place</i>", 3), (10, "second place", 2), (10.2, "hidden", 1)]
live = 0.4 if asked.get("live") else None


@st.fragment(run_every=live)
def body():
    ss.runs += 1
    lit = None if ss.mask is None else feed_mask(f"mask{hash(ss.mask.tobytes())}", ss.mask)
    limits = [] if asked.get("bare") else [Cut(numbers, "quality", *ss.cut, better=True)]
    budget = None if asked.get("bare") else BudgetCut(ranks, len(order), ss.k, "Order")
    if asked.get("budget") == "none":
        budget = None
    told = point_map(
        key="map", points=points, n=N, mode=mode(), colour=colour, lit=lit, cuts=limits, budget=budget,
        shapes=ss.shapes, open_row=ss.open, group="both", height=460, alt=f"Map {ss.runs if live else ''}",
        names=[PlaceName(x, 0, text, weight) for x, text, weight in places],
    )
    if told.region:
        found = inside_polygon(xy, *zip(*told.region.points))
        mask = np.zeros(N, bool) if ss.mask is None else ss.mask
        ss.mask = {"replace": found, "add": mask | found, "subtract": mask & ~found}[told.region.op]
        ss.shapes = ([] if told.region.op == "replace" else ss.shapes) + [Shape(told.region.op, told.region.points)]
        ss.log = [*ss.log, ["region", told.region.op, told.region.points]]
    if told.cut:
        ss.cut = (told.cut.low, told.cut.high)
        ss.log = [*ss.log, ["cut", *ss.cut]]
    if told.budget:
        ss.k = told.budget.value
        ss.log = [*ss.log, ["budget", ss.k]]
    if told.clicked:
        ss.open = told.clicked.row
        ss.log = [*ss.log, ["clicked", ss.open]]
    if told:
        st.rerun(scope="fragment")
    lit_now = None if ss.mask is None else int(ss.mask.sum())
    st.text("log " + json.dumps({"log": ss.log, "runs": ss.runs, "lit": lit_now}))


if st.checkbox("Shown", True, key="shown"):
    body()
    hover_text(lambda row: Hovered(f"<img src=x onerror=alert(1)> text of {row}", {"source": "a.json"}), key="map", n=N)
if asked.get("two"):
    point_map(key="other", points=points, n=N, mode=mode(), group="both", tools=False, height=200)
"""
)

given: dict[str, np.ndarray] = {}
exec(DATA, given)  # noqa: S102 - the same arrays as the page's


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with one map, served on its own."""
    script = tmp_path_factory.mktemp("map") / "page.py"
    script.write_text(PAGE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"port": port, "headless": "true", "address": "127.0.0.1", "fileWatcherType": "none"}
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--browser.gatherUsageStats=false"]
    command += [f"--server.{name}={value}" for name, value in options.items()]
    server = subprocess.Popen(command, cwd=home(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
            break
        except OSError:
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(20)


class Map:
    """A tab with the map, and what a test asks of it.

    Args:
        tab: A new tab.
        url: Of the page.
        drawing: "cpu" or "gpu".
        query: Of the page.
    """

    def __init__(self, tab: Page, url: str, drawing: str = "cpu", query: str = "") -> None:
        self.tab = tab
        self.sent: list[int] = []
        self.errors: list[str] = []
        tab.on("websocket", lambda ws: ws.on("framesent", lambda frame: self.sent.append(len(frame))))
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.add_init_script(f"globalThis.curationPointMap = {{drawing: '{drawing}'}}")
        tab.goto(f"{url}/?{query}")
        self.canvas = tab.locator("canvas.pm-points[data-key=map]")
        self.ready()
        self.root = tab.locator(".pm-root").first

    def ready(self) -> None:
        self.tab.wait_for_selector('canvas.pm-points[data-key=map][data-ready="1"]', state="attached")
        self.tab.wait_for_function("() => curationPointMap.maps.get('map')?.pointing.gridOf")

    def get(self, name: str) -> str:
        return self.canvas.get_attribute(f"data-{name}") or ""

    def number(self, name: str) -> int:
        return int(self.get(name))

    def js(self, expression: str):
        return self.tab.evaluate(f"() => {{ const map = curationPointMap.maps.get('map'); return {expression}; }}")

    def screen(self, x: float, y: float) -> tuple[float, float]:
        return tuple(self.js(f"map.screenOf({x}, {y})"))

    def pixel(self, row: int) -> list[int]:
        x, y = given["xy"][row]
        return self.js(f"map.pixel(...map.screenOf({x}, {y}))")[:3]

    def log(self) -> dict:
        text = self.tab.get_by_test_id("stText").first.inner_text()
        return json.loads(text.removeprefix("log "))

    def wait(self, entries: int) -> dict:
        """The page's log once it has so many entries and the map shows them."""
        for _ in range(200):
            found = self.log()
            if len(found["log"]) >= entries and self.get("seen") == self.get("sent"):
                self.settle()
                return self.log()
            time.sleep(0.1)
        raise AssertionError(f"the page has {self.log()}")

    def settle(self) -> None:
        """Until no frame was drawn for a while."""
        last = -1
        while last != self.number("frames"):
            last = self.number("frames")
            time.sleep(0.35)

    def press(self, act: str) -> None:
        self.root.locator(f"button[data-act={act}]").click()

    def draw(self, corners: list[tuple[float, float]], held: str | None = None) -> None:
        """Drag through places in data coordinates."""
        path = [self.screen(x, y) for x, y in corners]
        if held:
            self.tab.keyboard.down(held)
        self.tab.mouse.move(*path[0])
        self.tab.mouse.down()
        for place in path[1:]:
            self.tab.mouse.move(*place, steps=2)
        self.tab.mouse.up()
        if held:
            self.tab.keyboard.up(held)


def circle(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    return [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in np.linspace(0, 6.2, 40)]


def kept(
    low: float | None = None, high: float | None = None, k: int | None = N // 2, lit: np.ndarray | None = None
) -> int:
    """Rows that numpy keeps."""
    mask = np.ones(N, bool) if lit is None else lit
    if low is not None or high is not None:
        score = given["score"]
        mask = mask & (score >= (-np.inf if low is None else low)) & (score <= (np.inf if high is None else high))
    return int((mask & (given["rank"] < k)).sum()) if k is not None else int(mask.sum())


def a_row(code: int, away: float = 1.6) -> int:
    """A row of a category at its rim, where few points lie."""
    middle = np.array([[0, 0], [10, 0], [5, 8]])[code]
    far = np.linalg.norm(given["xy"] - middle, axis=1)
    rows = np.flatnonzero((given["code"] == code) & (far > away) & (far < away + 1) & (given["rank"] < N // 2))
    return int(rows[0])


# ------------------------------------------------------------------ drawing


@pytest.mark.parametrize("drawing", ["cpu", "gpu"])
def test_points_have_their_colours_and_unlit_ones_are_grey(tab: Page, url: str, drawing: str) -> None:
    page = Map(tab, url, drawing, "bare=1")
    assert page.get("drawing") == drawing
    assert (page.number("points"), page.number("placed"), page.number("kept")) == (N, N - 10, N)
    first, third = a_row(0), a_row(2)
    red, _, blue = page.pixel(first)
    assert red > 150 > blue + 60
    red, _, blue = page.pixel(third)
    assert blue > 150 > red + 60
    page.root.locator(".pm-legend-entry[data-code='0']").click()
    page.settle()
    assert max(page.pixel(third)) - min(page.pixel(third)) < 40  # grey
    assert page.pixel(first)[0] > 150 > page.pixel(first)[2] + 60
    assert page.number("kept") == N  # only shown alone
    assert not page.log()["log"]
    assert not page.errors


def test_a_lost_graphics_card_comes_back(tab: Page, url: str) -> None:
    page = Map(tab, url, "gpu", "bare=1")
    row = a_row(0)
    page.js("void (map.lost = map.scene.gl.getExtension('WEBGL_lose_context'), map.lost.loseContext())")
    page.root.locator(".pm-message").get_by_text("graphics card").wait_for()
    page.js("map.lost.restoreContext()")
    page.root.locator(".pm-message").wait_for(state="hidden")
    page.settle()
    assert page.pixel(row)[0] > 150


def test_the_colour_of_numbers_has_a_bar_and_a_direction(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1&colour=number")
    legend = page.root.locator(".pm-legend")
    assert "quality" in legend.inner_text()
    assert "lower is better" in legend.inner_text()
    assert "30 without a number" in legend.inner_text()
    assert [t for t in legend.locator(".pm-scale span").all_inner_texts()] == ["-2", "0", "2", "4"]


def test_names_do_not_overlap_and_are_text(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    assert page.number("names") == 2  # the third lies on the second
    page.js("map.toolbar.panel.querySelector('[data-set=names]').click()")
    page.settle()
    assert page.js("map.settings.names") is False


def test_far_points_are_left_out_at_first_and_fit_all_shows_them(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    assert f"{outside_view(given['xy'])} far points" in page.root.locator(".pm-far").inner_text()
    assert "10 rows have no place" in page.root.locator(".pm-far").inner_text()
    page.press("all")
    page.settle()
    assert "far points" not in page.root.locator(".pm-far").inner_text()
    frame = page.root.locator(".pm-frame").bounding_box()
    x, y = page.screen(500, 500)
    assert frame["x"] < x < frame["x"] + frame["width"]
    assert frame["y"] < y < frame["y"] + frame["height"]
    page.press("fit")
    page.settle()
    assert float(page.get("zoom")) == 1


def test_the_theme_is_followed(browser: Browser, url: str) -> None:
    found = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 1200, "height": 800}, color_scheme=scheme)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        page = Map(tab, url, query="bare=1")
        box = page.root.locator(".pm-frame").bounding_box()
        found[page.get("mode")] = page.js(f"map.pixel({box['x'] + 5}, {box['y'] + box['height'] / 2})")
        context.close()
    assert set(found) == {"light", "dark"}
    assert min(found["light"][:3]) > 200 > 60 > max(found["dark"][:3])


# ------------------------------------------------------------------ moving


def test_wheel_drag_and_keys_move_and_zoom(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    at = [round(v) for v in page.screen(10, 0)]
    below = page.js(f"map.dataOf({at[0]}, {at[1]})")
    tab.mouse.move(*at)
    tab.mouse.wheel(0, -300)
    page.settle()
    assert float(page.get("zoom")) > 2
    assert np.allclose(page.screen(*below), at, atol=0.5)  # about the pointer
    tab.mouse.down()
    tab.mouse.move(at[0] - 80, at[1] + 30, steps=4)
    tab.mouse.up()
    assert np.allclose(page.screen(*below), (at[0] - 80, at[1] + 30), atol=0.5)
    page.root.locator(".pm-stage").focus()
    tab.keyboard.press("0")
    page.settle()
    before = page.screen(5, 3)
    tab.keyboard.press("ArrowLeft")
    assert page.screen(5, 3)[0] - before[0] == pytest.approx(60)
    tab.keyboard.press("+")
    page.settle()
    assert float(page.get("zoom")) == pytest.approx(1.4, rel=1e-3)
    for key, tool in (("l", "lasso"), ("b", "box"), ("v", "pan")):
        tab.keyboard.press(key)
        assert page.js("map.settings.tool") == tool
    assert not page.log()["log"]
    assert not page.errors


def test_maps_of_a_group_share_their_zoom(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1&two=1")
    other = tab.locator("canvas.pm-points[data-key=other]")
    tab.wait_for_selector('canvas.pm-points[data-key=other][data-ready="1"]', state="attached")
    page.press("in")
    page.settle()
    assert other.get_attribute("data-zoom") == page.get("zoom") == "1.6000"
    assert tab.evaluate("() => curationPointMap.maps.get('other').view()") == page.js("map.view()")


def test_zoom_survives_reruns_and_leaving(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    page.press("in")
    page.settle()
    view = page.js("map.view()")
    box = tab.get_by_test_id("stCheckbox").locator("label")
    box.click()
    tab.wait_for_function("() => curationPointMap.maps.size === 0")
    box.click()
    page.ready()
    assert page.js("map.view()") == view
    assert not page.errors


def test_the_map_fits_a_smaller_window(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    wide = page.canvas.bounding_box()["width"]
    tab.set_viewport_size({"width": 700, "height": 800})
    page.settle()
    assert page.canvas.bounding_box()["width"] < wide - 300
    assert page.js("map.canvas.width === Math.round(map.width * map.ratio)")
    red, _, blue = page.pixel(a_row(0))
    assert red > 150 > blue + 60


# ------------------------------------------------------------------ drawing around points


def test_lasso_add_and_subtract_are_counted_as_numpy_counts(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    page.press("lasso")
    steps = [
        ("replace", circle(0, 0, 1.1), None),
        ("add", circle(10, 0, 0.9), "Shift"),
        ("subtract", circle(0, 0, 0.5), "Alt"),
    ]
    mask = np.zeros(N, bool)
    for number, (op, corners, held) in enumerate(steps, 1):
        frames = len(page.sent)
        page.draw(corners, held)
        said = page.wait(number)["log"][-1]
        assert said[:2] == ["region", op]
        assert 3 <= len(said[2]) <= 200
        inside = inside_polygon(given["xy"], *zip(*said[2], strict=True))
        assert 50 < inside.sum() == page.number("inside")
        mask = {"replace": inside, "add": mask | inside, "subtract": mask & ~inside}[op]
        assert mask.sum() == page.number("lit") == page.number("kept") == page.log()["lit"]
        assert len(page.sent) - frames == 1  # one message for a gesture
        assert page.sent[-1] < 10_000
    assert not page.errors


def test_a_box_and_the_buttons_for_add_and_subtract(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    page.press("box")
    page.draw([(-1, -1), (0.5, 0), (1, 1)])
    first = page.wait(1)["log"][0]
    assert first[1] == "replace"
    assert len(first[2]) == 4
    assert page.number("lit") == inside_polygon(given["xy"], *zip(*first[2], strict=True)).sum()
    page.press("subtract")
    page.draw([(-0.5, -0.5), (0, 0), (0.5, 0.5)])
    assert page.wait(2)["log"][1][1] == "subtract"


def test_a_long_lasso_has_few_corners_and_says_what_is_inside_while_drawn(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    page.press("lasso")
    rng = np.random.default_rng(0)
    corners = [(x + 0.3 * rng.normal(), y + 0.3 * rng.normal()) for x, y in circle(5, 3, 4) for _ in range(12)]
    path = [page.screen(x, y) for x, y in corners]
    sent = len(page.sent)
    tab.mouse.move(*path[0])
    tab.mouse.down()
    for place in path[1:]:
        tab.mouse.move(*place)
    near = page.root.locator(".pm-cursor")
    near.wait_for()
    assert near.inner_text().replace(",", "").isdigit()
    assert len(page.sent) == sent
    tab.mouse.up()
    points = page.wait(1)["log"][0][2]
    assert len(points) <= 200
    assert page.number("inside") == inside_polygon(given["xy"], *zip(*points, strict=True)).sum()
    assert page.sent[-1] < 10_000


def test_escape_leaves_a_lasso_and_space_moves(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    page.press("lasso")
    x, y = page.screen(5, 3)
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 100, y, steps=3)
    tab.mouse.move(x + 100, y + 100, steps=3)
    tab.keyboard.press("Escape")
    tab.mouse.up()
    assert page.js("map.lasso.drawing") is None
    tab.keyboard.down("Space")
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x + 50, y, steps=3)
    tab.mouse.up()
    tab.keyboard.up("Space")
    assert page.screen(5, 3)[0] == pytest.approx(x + 50, abs=0.5)
    page.settle()
    assert not page.log()["log"]


# ------------------------------------------------------------------ pointing


def test_hover_brings_the_text_and_reruns_nothing_else(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    row = a_row(1)
    runs = page.log()["runs"]
    x, y = page.screen(*given["xy"][row])
    tab.mouse.move(x + 1, y)
    tip = page.root.locator(".pm-tooltip")
    tip.get_by_text(f"text of {page.get('row')}").wait_for()
    met = int(page.get("row"))
    assert np.linalg.norm(np.subtract(page.screen(*given["xy"][met]), (x + 1, y))) <= 8
    assert "<img src=x onerror=alert(1)>" in tip.inner_text()
    assert "second" in tip.inner_text()
    assert tip.locator("img").count() == 0
    assert page.log()["runs"] == runs
    tab.mouse.move(x, page.root.bounding_box()["y"] - 3)
    tip.wait_for(state="hidden")


def test_a_click_opens_the_nearest_row_and_enter_the_one_in_the_middle(tab: Page, url: str) -> None:
    page = Map(tab, url, query="bare=1")
    at = [round(v) for v in page.screen(10, 0)]
    below = page.js(f"map.dataOf({at[0]}, {at[1]})")
    tab.mouse.click(*at)
    row = page.wait(1)["log"][0][1]
    scale = np.abs(np.subtract(page.screen(11, 1), page.screen(10, 0)))
    far = np.linalg.norm((given["xy"] - below) * scale, axis=1)
    assert far[row] == pytest.approx(np.nanmin(far), abs=0.02)
    page.root.locator(".pm-stage").focus()
    page.js("map.setView({cx: 0, cy: 0, zoom: 3})")
    tab.keyboard.press("Enter")
    second = page.wait(2)["log"][1][1]
    assert np.linalg.norm(given["xy"][second]) < 0.5


# ------------------------------------------------------------------ cuts and budget


def drag(page: Map, handle, shares: list[float], release: bool = True) -> list[int]:
    """Drag a handle over its track; kept rows after each step."""
    track = handle.locator("xpath=..").bounding_box()
    box = handle.bounding_box()
    y = box["y"] + box["height"] / 2
    page.tab.mouse.move(box["x"] + box["width"] / 2, y)
    page.tab.mouse.down()
    counts = []
    for share in shares:
        page.tab.mouse.move(track["x"] + share * track["width"], y)
        page.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        counts.append(page.number("kept"))
    if release:
        page.tab.mouse.up()
    return counts


@pytest.mark.parametrize("drawing", ["cpu", "gpu"])
def test_a_cut_acts_while_it_is_dragged_and_is_sent_once(tab: Page, url: str, drawing: str) -> None:
    page = Map(tab, url, drawing, "budget=none")
    page.settle()
    frames, first = len(page.sent), page.number("frames")
    low = page.root.locator('.pm-cut .pm-handle[data-end="low"]')
    dropped = int(np.flatnonzero((given["code"] == 0) & (given["score"] < -1.2) & np.isfinite(given["xy"][:, 0]))[0])
    before = page.js("[...Array(40).keys()].map(i => map.pixel(...map.screenOf(i / 3 - 2, 0)).join())")
    counts = drag(page, low, [0.1, 0.2, 0.3, 0.4, 0.5], release=False)
    typed = page.root.locator('.pm-cut input[data-end="low"]').input_value()
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 5
    assert counts[-1] == kept(low=np.float32(float(typed)), k=None)
    assert page.number("frames") - first >= 5
    assert len(page.sent) == frames  # nothing was sent
    after = page.js("[...Array(40).keys()].map(i => map.pixel(...map.screenOf(i / 3 - 2, 0)).join())")
    assert sum(a != b for a, b in zip(before, after, strict=True)) > 10
    assert max(page.pixel(dropped)) - min(page.pixel(dropped)) < 200
    tab.mouse.up()
    said = page.wait(1)["log"]
    assert len(said) == 1
    assert said[0] == ["cut", float(np.float32(float(typed))), None]
    assert page.number("kept") == counts[-1]
    assert len(page.sent) == frames + 1
    assert page.root.locator(".pm-cut-count").first.inner_text().startswith(f"{counts[-1]:,} kept")
    assert not page.errors


def test_a_cut_by_keys_and_by_typing(tab: Page, url: str) -> None:
    page = Map(tab, url, query="budget=none")
    high = page.root.locator('.pm-cut .pm-handle[data-end="high"]')
    assert high.get_attribute("aria-valuetext") == "no limit"
    high.focus()
    for _ in range(20):
        tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("PageDown")
    said = page.wait(1)["log"]
    assert len(said) == 1
    assert page.number("kept") == kept(high=said[0][2], k=None) < N
    field = page.root.locator('.pm-cut input[data-end="high"]')
    field.fill("0.25")
    field.press("Enter")
    assert page.wait(2)["log"][1] == ["cut", None, 0.25]
    assert page.number("kept") == kept(high=0.25, k=None)
    field.fill("much")
    field.press("Enter")
    assert field.get_attribute("aria-invalid") == "true"
    page.root.locator(".pm-cut button").click()
    assert page.wait(3)["log"][2] == ["cut", None, None]
    assert page.number("kept") == N


def test_the_budget_acts_while_it_is_dragged(tab: Page, url: str) -> None:
    page = Map(tab, url)
    frames = len(page.sent)
    assert page.number("kept") == N // 2
    handle = page.root.locator(".pm-budget .pm-handle")
    counts = drag(page, handle, [0.9, 0.6, 0.3], release=False)
    shown = int(page.root.locator(".pm-budget input").input_value().replace(",", ""))
    assert counts[-1] == shown == kept(k=shown) < counts[0]
    assert len(page.sent) == frames
    tab.mouse.up()
    assert page.wait(1)["log"] == [["budget", shown]]
    low = page.root.locator('.pm-cut .pm-handle[data-end="low"]')
    counts = drag(page, low, [0.2, 0.5])
    cut = page.wait(2)["log"][1]
    assert counts[-1] == page.number("kept") == kept(low=cut[1], k=shown)


def test_a_lasso_within_a_cut_counts_both(tab: Page, url: str) -> None:
    page = Map(tab, url, query="budget=none")
    drag(page, page.root.locator('.pm-cut .pm-handle[data-end="low"]'), [0.2, 0.4])
    cut = page.wait(1)["log"][0]
    page.press("lasso")
    page.draw(circle(0, 0, 1.5))
    region = page.wait(2)["log"][1]
    inside = inside_polygon(given["xy"], *zip(*region[2], strict=True))
    assert page.number("inside") == inside.sum()
    assert page.number("inside-kept") == kept(low=cut[1], k=None, lit=inside) == page.number("kept")


def test_a_rerun_does_not_disturb_a_drag(tab: Page, url: str) -> None:
    page = Map(tab, url, query="live=1&budget=none")
    low = page.root.locator('.pm-cut .pm-handle[data-end="low"]')
    counts = drag(page, low, [0.2, 0.4], release=False)
    runs = page.log()["runs"]
    tab.wait_for_function(
        f"() => JSON.parse(document.querySelector('[data-testid=stText]').innerText.slice(4)).runs > {runs + 2}"
    )
    assert page.number("kept") == counts[-1]  # the server still says: no limit
    tab.mouse.up()
    for _ in range(100):
        if page.log()["log"]:
            break
        time.sleep(0.1)
    assert [entry[0] for entry in page.log()["log"]] == ["cut"]
    assert page.number("kept") == counts[-1]


# ------------------------------------------------------------------ legend and reading aloud


def test_the_legend_counts_what_is_kept_and_shows_one_alone(tab: Page, url: str) -> None:
    page = Map(tab, url, query="budget=none")
    entries = page.root.locator(".pm-legend-entry")
    totals = np.bincount(given["code"] + 1, minlength=4)
    shown = {int(e.get_attribute("data-code")): e.locator(".pm-number").inner_text() for e in entries.all()}
    assert {code: int(text.replace(",", "")) for code, text in shown.items()} == {
        c - 1: t for c, t in enumerate(totals)
    }
    assert entries.locator(".pm-name").first.locator("b").count() == 0
    drag(page, page.root.locator('.pm-cut .pm-handle[data-end="low"]'), [0.5])
    cut = page.wait(1)["log"][0]
    keep = given["score"] >= cut[1]
    page.settle()
    assert int(entries.first.locator(".pm-number").inner_text().replace(",", "")) == np.sum(
        keep & (given["code"] == int(entries.first.get_attribute("data-code")))
    )
    sent = len(page.sent)
    entries.first.click()
    page.settle()
    assert page.js("map.counts().drawn") < page.number("kept") == keep.sum()
    assert len(page.sent) == sent
    page.root.locator(".pm-stage").focus()
    tab.keyboard.press("Escape")
    page.settle()
    assert page.js("map.limits.alone") is None


def test_a_screen_reader_hears_the_counts(tab: Page, url: str) -> None:
    page = Map(tab, url)
    live = page.root.locator(".pm-live")
    tab.wait_for_function("() => curationPointMap.maps.get('map').live.textContent.includes('kept')")
    assert f"{N:,} rows" in live.text_content()
    assert f"{N // 2:,} kept" in live.text_content()
    assert "Arrow keys" in page.root.locator(".pm-stage").get_attribute("aria-label")
    for button in page.root.locator("button").all():
        assert button.get_attribute("aria-label") or button.text_content()
