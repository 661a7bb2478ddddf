"""A cut on the Scores page in a real Chromium: counted while it is dragged, told once, the same count on the server."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from curation.core.artifacts import Missing, Score
from curation.workspace import Workspace

pytestmark = pytest.mark.browser

ROWS = 260
FACTS = {"parameters": {}, "ports": {}, "within": None, "seconds": 1.0, "use": "scorer/imported"}


@pytest.fixture
def planted(tmp_path, demo_file, serve, tab):
    """The Scores page on rows with two planted scores; the tab, the values, and the frames that the browser sends."""
    (tmp_path / "rows.json").write_text(json.dumps(json.loads(demo_file.read_text())[:ROWS]))
    workspace = Workspace.open(tmp_path / "workspace")
    dataset = workspace.add(tmp_path / "rows.json").dataset
    rng = np.random.default_rng(0)
    values = {"alpha": rng.normal(size=ROWS), "beta": rng.lognormal(3, 1.5, ROWS)}
    values["alpha"][:13] = np.nan
    for i, (name, column) in enumerate(values.items()):
        missing = Missing.where(np.isnan(column), "planted")
        workspace.publish(f"{i}" * 32, Score(dataset.fingerprint, column, missing, name, True), {**FACTS, "step": name})
    sent: list[int] = []
    tab.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(len(data))))
    tab.goto(f"{serve(workspace.root)}/scores")
    card(tab, "alpha").wait_for()
    quiet(tab)
    return tab, values, sent


def quiet(page):
    page.wait_for_timeout(400)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
        " && !document.querySelector('[data-testid=stSkeleton]') && !document.querySelector('[data-stale=true]')"
    )


def card(page, name):
    return page.locator(f".grid section[aria-label='{name}']")


def handle(page, name, which):
    return page.get_by_role("slider", name=f"{name}: {which} value kept")


def kept(page, name):
    return int(re.search(r"[\d,]+", card(page, name).locator(".kept").inner_text())[0].replace(",", ""))


def bound(page, name, which):
    return float(handle(page, name, which).get_attribute("aria-valuenow"))


def together(page):
    text = page.get_by_text("With all conditions:").first.inner_text()
    return int(re.search(r"([\d,]+) rows", text)[1].replace(",", ""))


def test_a_cut_is_counted_while_it_is_dragged_and_told_once(planted):
    page, values, sent = planted
    alpha = values["alpha"]
    assert kept(page, "alpha") == ROWS - 13
    assert "5.0 % missing" in card(page, "alpha").inner_text()
    box = card(page, "alpha").locator(".plot").bounding_box()
    low = handle(page, "alpha", "lowest").bounding_box()
    before = len(sent)
    page.mouse.move(low["x"] + low["width"] / 2, low["y"] + 20)
    page.mouse.down()
    for share in (0.2, 0.35, 0.5):
        page.mouse.move(box["x"] + share * box["width"], low["y"] + 20, steps=4)
        cut = bound(page, "alpha", "lowest")
        assert cut in alpha, "a stop is a value of a row"
        assert kept(page, "alpha") == (alpha >= cut).sum()
    assert len(sent) == before, "nothing is sent while the handle moves"
    page.mouse.up()
    quiet(page)
    assert len(sent) == before + 1
    assert sent[-1] < 10_000
    first = alpha >= cut
    assert bound(page, "alpha", "lowest") == cut
    assert together(page) == first.sum()

    # a second score by keys: one message, and both cuts hold together
    handle(page, "beta", "highest").focus()
    before = len(sent)
    for _ in range(3):
        page.keyboard.press("PageDown")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    high = bound(page, "beta", "highest")
    assert high in values["beta"]
    assert kept(page, "beta") == (values["beta"] <= high).sum() < ROWS
    page.wait_for_timeout(900)
    quiet(page)
    assert len(sent) == before + 1
    assert together(page) == (first & (values["beta"] <= high)).sum()

    # taken back
    card(page, "alpha").get_by_role("button", name="remove the cut").click()
    quiet(page)
    assert together(page) == (values["beta"] <= high).sum()
    page.get_by_role("button", name="Remove all cuts").click()
    quiet(page)
    assert kept(page, "beta") == ROWS
    assert page.get_by_text("With all conditions:").count() == 0


def test_a_box_on_two_scores_becomes_two_cuts_also_on_a_logarithmic_axis(planted):
    page, values, _ = planted
    page.get_by_test_id("stButtonGroup").get_by_text("Two scores").click()
    page.get_by_text("Draw a box").wait_for()
    quiet(page)
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
    page.mouse.up()
    page.get_by_text("With all conditions:").wait_for()
    quiet(page)
    ends = {n: [bound(page, n, w) for w in ("lowest", "highest")] for n in values}
    inside = np.ones(ROWS, bool)
    for name, column in values.items():
        low, high = ends[name]
        assert np.nanmin(column) < low < high < np.nanmax(column)
        inside &= (column >= low) & (column <= high)
    assert ends["beta"][1] > 20, "values, not their logarithms"
    assert 0 < inside.sum() < ROWS
    assert together(page) == inside.sum()


def test_a_name_opens_its_score(planted):
    page, _, _ = planted
    card(page, "beta").get_by_role("button", name="beta", exact=True).click()
    quiet(page)
    page.get_by_role("heading", name="beta").wait_for()
