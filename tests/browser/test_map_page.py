"""The Map page in a real browser: gestures, sliders, searches, decisions and links, counted as numpy counts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from curation import jobs
from curation.figures.geometry import inside_polygon
from curation.ui.select_recipe import Wish, selection_recipe
from curation.views import Picked, Range, Region, View, Words
from curation.workspace import Workspace
from tests.pages.conftest import publish_made_up

pytestmark = pytest.mark.browser

N, BUDGET = 160, 40
ATTACK = "<img src=x onerror=\"document.title='hacked'\"> **bold** [click](http://evil.test) river"
FIRST, SECOND = (9.0, 0.0), (0.0, 9.0)
"""Where two of the three islands of the made-up map are."""


@pytest.fixture(scope="module")
def made(tmp_path_factory, demo_file) -> Path:
    """A workspace with a made-up map of three islands, vectors, clusters, and a nested selection."""
    folder = tmp_path_factory.mktemp("map")
    rows = json.loads(demo_file.read_text())[:N]
    for row in rows:
        row.pop("input", None)
        for part in ("instruction", "output"):
            row[part] = re.sub("river", "stream", row[part], flags=re.IGNORECASE)
    rows[4]["instruction"], rows[7]["output"] = ATTACK, "A River, and <b>RIVERS</b>."
    (folder / "rows.json").write_text(json.dumps(rows))
    workspace = Workspace.open(folder / "workspace")
    dataset = workspace.add(folder / "rows.json", name="rows").dataset
    publish_made_up(workspace, dataset)
    recipe, bindings = selection_recipe(workspace, dataset.fingerprint, Wish("selector/k-center", {"budget": BUDGET}))
    jobs.run_here(workspace, recipe, bindings, title="Selection: rows", device="cpu")
    return workspace.root


class MapPage:
    """The page in a tab, and what numpy says of it.

    Args:
        tab: A new tab.
        url: Of the app.
        root: Of its workspace.
        query: Of the address.
    """

    def __init__(self, tab, url: str, root: Path, query: str = "") -> None:
        self.tab, self.url = tab, url
        self.workspace = Workspace.open(root)
        self.dataset = self.workspace.dataset(self.workspace.datasets()[0].fingerprint)
        layout = next(r for r in self.workspace.results() if r.kind == "layout")
        self.xy = np.asarray(self.workspace.load(layout.key).xy)
        self.sent: list[int] = []
        self.errors: list[str] = []
        tab.on("websocket", lambda ws: ws.on("framesent", lambda frame: self.sent.append(len(frame))))
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.goto(f"{url}/map{query}")
        self.ready()
        self.root = tab.locator(".pm-root").first
        self.box_of_panel = tab.locator('[class*="st-key-map-rows-panel-box"]')

    def ready(self) -> None:
        self.tab.wait_for_selector('canvas.pm-points[data-key=map][data-ready="1"]', state="attached")
        self.tab.wait_for_function("() => curationPointMap.maps.get('map')?.pointing.gridOf")
        self.rest()

    def rest(self) -> None:
        """Until no script has run for a while and the map's last gesture was taken."""
        self.tab.wait_for_timeout(300)
        self.tab.wait_for_function(
            """async () => {
                const still = () => document.querySelector('[data-testid=stApp]').dataset.testScriptState
                    === 'notRunning';
                const canvas = document.querySelector('canvas.pm-points');
                for (let i = 0; i < 6; i++) {
                    if (!still()) return false;
                    await new Promise((done) => setTimeout(done, 60));
                }
                return true;
            }"""
        )

    def tabs(self) -> dict[str, int | None]:
        """Count on each tab."""
        found = {}
        for radio in self.tab.locator('[class*="st-key-map-rows-tab"]').get_by_role("radio").all():
            name, *count = radio.inner_text().split()
            found[name] = int(count[0].replace(",", "")) if count else None
        return found

    def chosen(self) -> str:
        radios = self.tab.locator('[class*="st-key-map-rows-tab"]').get_by_role("radio", checked=True)
        return str(radios.first.inner_text().split()[0])

    def pills(self) -> list[str]:
        return [p.inner_text() for p in self.tab.locator('[class*="st-key-view-pill"]').get_by_role("button").all()]

    def view(self) -> View:
        """What the address says."""
        found = re.search(r"[?&]view=([^&]+)", self.tab.url)
        return View.decode(found[1]) if found else View()

    def drag_box(self, middle: tuple[float, float], half: float, held: str | None = None) -> None:
        self.root.locator("button[data-act=box]").click()
        x, y = middle
        ends = [
            self.tab.evaluate(f"() => curationPointMap.maps.get('map').screenOf({a}, {b})")
            for a, b in ((x - half, y - half), (x + half, y + half))
        ]
        self.path(ends, held)

    def path(self, places, held: str | None = None) -> None:
        if held:
            self.tab.keyboard.down(held)
        self.tab.mouse.move(*places[0])
        self.tab.mouse.down()
        for place in places[1:]:
            self.tab.mouse.move(*place, steps=3)
        self.tab.mouse.up()
        if held:
            self.tab.keyboard.up(held)
        self.rest()

    def regions(self) -> np.ndarray:
        """The rows of the regions in the address."""
        (region,) = [c for c in self.view().conditions if isinstance(c, Region)]
        mask = np.zeros(len(self.xy), bool)
        for shape in region.shapes:
            inside = inside_polygon(self.xy, *zip(*shape.points, strict=True))
            mask = mask & ~inside if shape.op == "subtract" else mask | inside
        return mask

    def open_row(self, row: int) -> None:
        """Click a point of the map."""
        self.root.locator("button[data-act=pan]").click()
        self.tab.mouse.click(*self.tab.evaluate(
            f"() => curationPointMap.maps.get('map').screenOf({self.xy[row, 0]}, {self.xy[row, 1]})"
        ))  # fmt: skip
        self.box_of_panel.wait_for()
        self.rest()

    def lone_row(self) -> int:
        """The row that is farthest from its nearest neighbour, so that a click on it means it."""
        apart = np.linalg.norm(self.xy[:, None] - self.xy[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        inner = np.abs(self.xy - np.median(self.xy, 0)).max(1) < 11
        return int(np.argmax(np.where(inner, apart.min(1), 0)))

    def opened(self) -> int:
        """The row in the panel."""
        head = self.tab.locator('[class*="st-key-map-rows-panel-head"]').inner_text()
        found = re.search(r"Row ([\d,]+)", head)
        assert found, head
        return int(found[1].replace(",", ""))

    def search(self, mode: str, text: str) -> None:
        box = self.tab.locator(".st-key-map-search-box")
        box.get_by_role("radio", name=mode).click()
        self.rest()
        field = box.get_by_role("textbox")
        field.fill(text)
        field.press("Enter")
        self.rest()


@pytest.fixture
def page(tab, serve, made, tmp_path) -> MapPage:
    root = tmp_path / "workspace"
    shutil.copytree(made, root)
    return MapPage(tab, serve(root), root)


def test_regions_are_counted_as_numpy_counts_and_one_view_is_undone_and_linked(page: MapPage, browser) -> None:
    tab = page.tab
    centre = tab.evaluate("() => curationPointMap.maps.get('map').screenOf(9, 0)")
    page.root.locator("button[data-act=lasso]").click()
    frames = len(page.sent)
    page.path([(centre[0] + 70 * np.cos(a), centre[1] + 70 * np.sin(a)) for a in np.linspace(0, 6.2, 24)])
    lassoed = page.regions()
    assert 5 < lassoed.sum() == page.tabs()["Selected"]
    assert page.chosen() == "Selected"
    assert len(page.sent) - frames == 1, "one message for a gesture"
    page.drag_box(SECOND, 1.5, "Shift")
    added = page.regions()
    assert lassoed.sum() < added.sum() == page.tabs()["Selected"]
    page.drag_box(FIRST, 0.7, "Alt")
    less = page.regions()
    assert less.sum() == page.tabs()["Selected"] < added.sum()
    assert len(page.pills()) == 1

    tab.keyboard.press("Control+z")
    page.rest()
    assert page.tabs()["Selected"] == added.sum()
    tab.keyboard.press("Control+Shift+Z")
    page.rest()
    assert page.tabs()["Selected"] == less.sum()

    other = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    other.set_default_timeout(60_000)
    again = MapPage(other, page.url, page.workspace.root, "?" + tab.url.split("?")[1])
    assert again.tabs() == page.tabs()
    assert again.view() == page.view()
    other.context.close()

    page.tab.locator('[class*="st-key-view-pill"]').get_by_role("button").click()
    page.rest()
    assert page.tabs() == {"All": N, "Filtered": None, "Selected": None}
    assert "view=" not in tab.url
    tab.wait_for_timeout(2200)  # an address that was replaced a moment ago may still be on its way
    tab.go_back()
    page.rest()
    assert page.tabs()["Selected"] == less.sum(), "the browser's way back leads to the view before"
    assert not page.errors


def test_sliders_send_nothing_while_they_are_dragged(page: MapPage) -> None:
    tab = page.tab
    values = page.dataset.lengths("response")
    handle = page.root.locator('.pm-cut .pm-handle[data-end="low"]')
    handle.scroll_into_view_if_needed()
    box = page.root.locator(".pm-cut .pm-track").bounding_box()
    at = handle.bounding_box()
    y = at["y"] + at["height"] / 2
    tab.mouse.move(at["x"] + at["width"] / 2, y)
    tab.mouse.down()
    frames = len(page.sent)
    counts = []
    for share in (0.1, 0.2, 0.3, 0.4):
        tab.mouse.move(box["x"] + share * box["width"], y, steps=3)
        tab.wait_for_timeout(150)
        counts.append(int(page.root.locator("canvas.pm-points").get_attribute("data-kept")))
    assert len(page.sent) == frames, "nothing is sent while the slider is dragged"
    assert N > counts[0] >= counts[-1] > 0
    tab.mouse.up()
    page.rest()
    assert len(page.sent) == frames + 1, "one message on release"
    assert sum(page.sent[frames:]) < 10_000
    (cut,) = page.view().conditions
    assert isinstance(cut, Range)
    assert (values >= cut.low).sum() == counts[-1] == page.tabs()["Filtered"]
    assert page.chosen() == "Filtered"
    assert "length" in page.pills()[0]

    tab.get_by_role("button", name="Clear", exact=True).click()
    page.rest()
    tab.locator('[class*="st-key-map-selection"]').get_by_role("combobox").click()
    tab.get_by_role("option").nth(1).click()
    page.rest()
    (picked,) = page.view().conditions
    order = page.workspace.load(picked.selection).order
    assert page.tabs()["Filtered"] == BUDGET
    field = page.root.locator(".pm-budget input")
    field.fill("12")
    field.press("Enter")
    page.rest()
    (picked,) = page.view().conditions
    assert isinstance(picked, Picked)
    assert picked.budget == 12 == page.tabs()["Filtered"]
    assert len(set(order[:12].tolist())) == 12
    assert not page.errors


def test_searches_and_filters_join_the_view(page: MapPage) -> None:
    tab = page.tab
    texts = [f"{p}\n{r}" for p, r in zip(page.dataset.texts("prompt"), page.dataset.texts("response"), strict=True)]
    rivers = [row for row, text in enumerate(texts) if "river" in text.lower()]
    assert {4, 7} <= set(rivers)
    page.search("Words", "river")
    (words,) = page.view().conditions
    assert isinstance(words, Words)
    assert page.tabs()["Filtered"] == len(rivers)

    table = tab.locator('[class*="st-key-map-rows-Filtered"] [data-testid=stDataFrame]').first
    table.locator("canvas").first.wait_for()
    tab.wait_for_timeout(1500)
    where = table.bounding_box()
    tab.mouse.click(where["x"] + 150, where["y"] + 35 + 17)
    page.box_of_panel.wait_for()
    page.rest()
    assert page.opened() == rivers[0] == 4
    marks = tab.locator(".conversation mark")
    marks.first.wait_for()
    assert {m.lower() for m in marks.all_inner_texts()} == {"river"}
    assert tab.locator(".conversation article.user .text").inner_text() == ATTACK
    assert tab.locator(".conversation :is(img, a, strong)").count() == 0
    assert tab.title() != "hacked"
    tab.keyboard.press("Escape")
    page.rest()
    assert page.box_of_panel.count() == 0

    page.search("Filter", "response_letters >> 10")
    assert len(page.view().conditions) == 1, "a wrong expression changes nothing"
    box = tab.locator(".st-key-map-search-box")
    box.get_by_text("^", exact=False).first.wait_for()  # under the letter that is not understood
    assert box.get_by_role("textbox").input_value() == "response_letters >> 10", "to be mended"
    page.search("Filter", "response_letters > 30")
    lengths = page.dataset.lengths("response")
    assert page.tabs()["Filtered"] == sum(lengths[row] > 30 for row in rivers)
    assert len(page.pills()) == 2

    tab.get_by_role("button", name="Clear", exact=True).click()
    page.rest()
    page.search("Meaning", "row 5")
    assert page.tabs()["Filtered"] == 100
    assert page.view().conditions[0].rows == (5,)
    assert not page.errors


def test_rows_are_kept_and_dropped_by_keys_one_by_one_and_many(page: MapPage) -> None:
    tab, row = page.tab, page.lone_row()
    log = page.workspace.decisions(page.dataset)
    page.open_row(row)
    assert page.opened() == row
    tab.keyboard.press("k")
    page.rest()
    assert log.state().kept.tolist() == [row]
    assert page.opened() == row + 1, "the next row follows"
    tab.keyboard.press("d")
    page.rest()
    assert log.state().dropped.tolist() == [row + 1]
    tab.keyboard.press("Control+z")
    page.rest()
    assert log.state().dropped.tolist() == []
    assert not page.view(), "while a row is open, undo is of decisions"

    tab.locator('[class*="st-key-map-rows-alike"]').get_by_role("button").click()
    page.rest()
    assert page.tabs()["Filtered"] == 100
    assert page.box_of_panel.count() == 0
    page.drag_box(FIRST, 1.0)
    inside = page.tabs()["Selected"]
    assert inside
    tab.keyboard.press("Shift+D")
    page.rest()
    assert len(log.state().dropped) == inside
    tab.locator('[class*="st-key-map-rows-decide-outcome-undo"]').get_by_role("button").click()
    page.rest()
    assert log.state().dropped.tolist() == []
    assert log.state().kept.tolist() == [row]
    assert not page.errors


def test_a_view_is_kept_as_a_selection_of_the_same_rows(page: MapPage) -> None:
    tab = page.tab
    page.drag_box(FIRST, 1.2)
    mask = page.regions()
    tab.keyboard.press("s")
    tab.get_by_text("Kept as a selection").wait_for(timeout=120_000)
    page.rest()
    newest = max((r for r in page.workspace.results() if r.kind == "selection"), key=lambda r: r.created)
    assert sorted(page.workspace.load(newest.key).order.tolist()) == np.flatnonzero(mask).tolist()
    assert page.tabs()["Selected"] == mask.sum(), "the view stays"
    assert not page.errors


def test_the_map_is_worked_with_by_keys_alone(page: MapPage) -> None:
    tab = page.tab
    canvas = page.root.locator("canvas.pm-points")
    tab.locator(".st-key-map-search-box").get_by_role("textbox").focus()
    for _ in range(40):
        tab.keyboard.press("Tab")
        if page.root.locator(".pm-stage:focus").count():
            break
    assert page.root.locator(".pm-stage:focus").count(), "Tab leads to the map"
    before = tab.evaluate("() => curationPointMap.maps.get('map').view()")
    for key in ("ArrowRight", "ArrowUp", "+", "+"):
        tab.keyboard.press(key)
    after = tab.evaluate("() => curationPointMap.maps.get('map').view()")
    assert after["cx"] != before["cx"] and after["cy"] != before["cy"]
    assert after["zoom"] > before["zoom"]
    tab.keyboard.press("-")
    assert tab.evaluate("() => curationPointMap.maps.get('map').view()")["zoom"] < after["zoom"]
    tab.keyboard.press("l")
    tab.wait_for_timeout(200)
    assert canvas.get_attribute("data-tool") == "lasso"

    for _ in range(30):
        tab.keyboard.press("Tab")
        if page.root.locator('.pm-cut .pm-handle[data-end="low"]:focus').count():
            break
    assert page.root.locator('.pm-cut .pm-handle[data-end="low"]:focus').count(), "Tab leads to the slider"
    tab.keyboard.press("PageUp")
    tab.keyboard.press("ArrowRight")
    tab.locator('[class*="st-key-view-pill"]').first.wait_for()  # keys are taken together, a moment after the last
    page.rest()
    (cut,) = page.view().conditions
    assert isinstance(cut, Range)
    assert page.tabs()["Filtered"] == int((page.dataset.lengths("response") >= cut.low).sum()) < N
    tab.keyboard.press("Control+z")
    page.rest()
    assert not page.errors


def test_text_beside_the_pointer_and_in_the_table_is_text(page: MapPage) -> None:
    tab = page.tab
    x, y = tab.evaluate(f"() => curationPointMap.maps.get('map').screenOf({page.xy[4, 0]}, {page.xy[4, 1]})")
    tab.evaluate("() => curationPointMap.maps.get('map').pointing.hover(4)")
    tip = page.root.locator(".pm-tooltip")
    tab.mouse.move(x, y)
    tip.get_by_text("<img src=x").wait_for()
    assert tip.locator("img, a, b, i").count() == 0
    page.search("Words", "bold river")
    assert page.tabs()["Filtered"] == 1
    tab.wait_for_timeout(1500)
    assert tab.locator("img[src=x]").count() == 0
    assert tab.title() != "hacked"
    assert not page.errors
