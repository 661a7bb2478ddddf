"""The main job in a real Chromium: load, map, lasso, threshold, select, export, and the file that comes out."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROWS, BUDGET = 260, 200
MAP = 'canvas.pm-points[data-ready="1"]'


@pytest.fixture
def small_file(tmp_path, demo_file) -> Path:
    """The first rows of the demo."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(json.loads(demo_file.read_text())[:ROWS]))
    return path


def go(page, name):
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=re.compile(rf"{name}$"), level=1).wait_for()


def metric(page, label):
    """The number of a tile."""
    tile = page.get_by_test_id("stMetric").filter(has_text=label).first
    return tile.get_by_test_id("stMetricValue").inner_text()


def selected(page) -> int:
    """The number on the tab of the rows that are drawn around."""
    text = page.get_by_role("radio", name=re.compile(r"^Selected \d")).inner_text()
    return int(text.split()[1].replace(",", ""))


def lasso(page):
    """Drag a loop around the middle of the map."""
    page.locator("button[data-act=lasso]").first.click()
    box = page.locator(MAP).bounding_box()
    at = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.5, 0.9), (0.2, 0.8), (0.2, 0.25)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in at]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.get_by_role("radio", name=re.compile(r"^Selected \d")).wait_for()


def quiet(page):
    """Wait until no script runs."""
    page.wait_for_timeout(250)  # a click needs a moment to reach the server
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
        " && !document.querySelector('[data-testid=stSkeleton]') && !document.querySelector('[data-stale=true]')"
    )


def test_from_a_file_to_an_export(known_costs, page, app, small_file, tmp_path):
    # load
    page.get_by_role("textbox", name=re.compile("or name a file")).fill(
        small_file.name
    )  # relative to where the app was started
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add these rows").click()
    page.get_by_text(f"{ROWS} rows").first.wait_for()

    # the map: the preview first
    go(page, "Map")
    page.get_by_role("button", name="Only the preview").click()
    page.locator(MAP).wait_for(timeout=180_000)
    page.get_by_text("Preview by the words used").wait_for()
    quiet(page)
    lasso(page)
    count = selected(page)
    assert 0 < count < ROWS

    # the encoder's map takes its place and the rows drawn around stay
    page.get_by_role("button", name="Draw the map by meaning").click()
    page.get_by_text("the distance between islands means little").wait_for(timeout=240_000)
    quiet(page)
    assert selected(page) == count

    # a threshold
    go(page, "Scores")
    quiet(page)
    before = metric(page, "Kept")
    page.get_by_test_id("stSlider").get_by_role("slider").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("before => !document.body.innerText.includes(`Keep these ${before} rows`)", arg=before)
    quiet(page)
    kept, dropped = (int(metric(page, label)) for label in ("Kept", "Dropped"))
    assert 0 < kept < ROWS
    assert kept + dropped + int(metric(page, "Missing")) == ROWS

    # select
    go(page, "Select")
    quiet(page)
    form = page.get_by_test_id("stMain")
    form.get_by_role("radio", name="rows", exact=True).first.click()
    quiet(page)
    form.get_by_role("spinbutton", name="rows", exact=True).first.fill(str(BUDGET))
    page.keyboard.press("Enter")
    quiet(page)
    page.get_by_role("button", name=re.compile("^(checklist )?Select")).last.click(timeout=120_000)
    page.get_by_test_id("stMetric").filter(has_text="Selected rows").first.wait_for(timeout=240_000)
    quiet(page)
    assert metric(page, "Selected rows") == str(BUDGET)

    # a smaller budget is there at once, and said not to be stored
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("out of date until this one is stored").wait_for()
    assert metric(page, "Selected rows") == str(BUDGET - 1)

    # export
    go(page, "Export")
    quiet(page)
    page.get_by_text(re.compile(f"of {BUDGET} will be used")).first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Download as .zip")).click()
    with zipfile.ZipFile(download.value.path()) as packed:
        names = packed.namelist()
        data = next(n for n in names if n.endswith(".json") and "/" not in n)
        downloaded = json.loads(packed.read(data))
    assert {f"{data}.d/{n}" for n in ("README.md", "recipe.yaml", "decisions.parquet", "checksums.txt")} <= set(names)

    page.get_by_role("button", name=re.compile("Write")).last.click()
    page.get_by_text(f"{BUDGET} rows written").wait_for()
    written = next((app.workspace / "exports").rglob("*-200.json"))
    records = json.loads(written.read_text())
    assert records == downloaded
    assert len(records) == BUDGET
    originals = [json.dumps(r, sort_keys=True) for r in json.loads(small_file.read_text())]
    assert all(json.dumps(r, sort_keys=True) in originals for r in records)
