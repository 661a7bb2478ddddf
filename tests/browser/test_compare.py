"""The Compare page in a real browser: choose, look at the maps, agree, keep, and save a report that phones nobody."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest

from curation import jobs
from curation.recipe import Recipe
from curation.ui import guide
from curation.workspace import Workspace

pytestmark = pytest.mark.browser

ROWS, LONG, FEW = 200, 30, 20
HOSTILE = "![x](http://evil.test/a.png) <img src='http://evil.test/b.png' onerror='window.hacked=1'> </script><script>"


@pytest.fixture
def filled(tmp_path, demo_file):
    """A workspace with a quick map and two selections: the longest answers, one of them hostile, and random rows."""
    rows = json.loads(demo_file.read_text())[:ROWS]
    rows[7]["output"] = HOSTILE + " word" * 2_000
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(rows))
    workspace = Workspace.open(tmp_path / "workspace")
    dataset = workspace.add(path).dataset
    look = guide.stage_recipe("look")
    jobs.run_here(workspace, look, {"pool": dataset.fingerprint}, title="Quick map: mine", device="cpu")
    steps = {
        "length": {"use": "scorer/length", "on": "$pool"},
        "longest": {"use": "selector/top-k", "score": "$length", "keep": "highest", "budget": LONG},
        "few": {"use": "selector/random", "on": "$pool", "budget": FEW, "seed": 9},
    }
    for result, names in (("longest", ("length", "longest")), ("few", ("few",))):
        whole = {"inputs": {"pool": "Dataset"}, "steps": {n: steps[n] for n in names}, "result": f"${result}"}
        recipe = Recipe.read(whole)
        jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title="Selection: mine", device="cpu")
    return workspace


def choose(tab, name):
    """Take a selection in the list."""
    tab.get_by_role("combobox", name=re.compile("Selections to compare")).click()
    tab.get_by_role("option", name=re.compile(name)).first.click()
    tab.keyboard.press("Escape")


def test_two_selections_are_compared_and_saved(tab, serve, filled, tmp_path):
    url = serve(filled.root)
    tab.goto(f"{url}/compare?dataset=mine")
    tab.get_by_role("heading", name=re.compile("Compare$"), level=1).wait_for()

    # both are chosen when the page opens; without any it says so, and they can be chosen again
    tab.get_by_text("Save as a report").wait_for()
    tab.get_by_role("button", name="Clear all").click()
    tab.get_by_text("Choose at least one selection").wait_for()
    choose(tab, "Top k")
    tab.get_by_text("only random stands beside it").wait_for()
    choose(tab, "Random")
    tab.get_by_text("Who takes which rows").wait_for()
    ready = tab.locator("canvas.pm-points[data-ready='1']")
    for place in range(3):
        ready.nth(place).wait_for()
    assert "arms=" in tab.url
    lit = sorted(int(ready.nth(i).get_attribute("data-lit")) for i in range(3))
    assert lit == [FEW, LONG, LONG], "two selections and a random draw"

    # one zoom for all
    before = tab.evaluate("[...globalThis.curationPointMap.maps.values()].map((m) => JSON.stringify(m.view()))")
    box = ready.nth(0).bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.wheel(0, -400)
    tab.wait_for_timeout(1_000)
    after = tab.evaluate("[...globalThis.curationPointMap.maps.values()].map((m) => JSON.stringify(m.view()))")
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert len(set(after)) == 1

    # figures
    tab.get_by_text("Rows in common").wait_for()
    tab.locator(".js-plotly-plot").nth(2).wait_for()

    # the consensus slider counts at once
    tab.get_by_text(re.compile(r"rows are chosen by at least 2 of 2")).wait_for()
    tab.get_by_role("slider", name="Chosen by at least").focus()
    tab.keyboard.press("ArrowLeft")
    tab.get_by_text(re.compile(r"rows are chosen by at least 1 of 2")).wait_for()

    # the report
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save the report").click()
    assert download.value.suggested_filename == "mine-comparison.html"
    target = tmp_path / "report.html"
    download.value.save_as(target)
    assert target.stat().st_size < 12_000_000

    # its figures as PNG
    tab.get_by_role("button", name="Draw PNG files").click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save the PNG files").click(timeout=120_000)
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert {"overlap.png", "map-a.png", "map-random.png"} <= set(archive.namelist())

    # kept as a selection, by a job
    tab.get_by_role("button", name="Keep as a selection").click()
    tab.get_by_text(re.compile(r"chosen by at least 1")).first.wait_for()
    deadline = 120
    while deadline and not any(r.use == "selector/consensus" for r in filled.results()):
        tab.wait_for_timeout(1_000)
        deadline -= 1
    made = next(r for r in filled.results() if r.use == "selector/consensus")
    assert len(filled.load(made.key)) >= LONG


def test_a_saved_report_is_inert(browser, filled, tmp_path):
    from curation.comparison.arms import load_comparison
    from curation.comparison.membership import only, overlap, patterns
    from curation.comparison.report import Report, examples_of, html_report
    from curation.comparison.spread import length_spread

    keys = [r.key for r in filled.results() if r.kind == "selection"]
    compared = load_comparison(filled, keys)
    dataset = filled.dataset(compared.dataset)
    longest = next(arm.name for arm in compared.arms if len(arm) == LONG)
    examples = {HOSTILE: examples_of(dataset, only(compared, longest))}
    assert any("evil.test" in e.response for e in examples[HOSTILE])
    path = tmp_path / "report.html"
    report = Report(
        compared, overlap(compared), patterns(compared), None, (length_spread(dataset, compared),), examples=examples,
        recipes={longest: HOSTILE},
    )  # fmt: skip
    path.write_text(html_report(report), encoding="utf-8")

    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    asked, said = [], []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert page.locator(".js-plotly-plot").count() == page.locator(".chart").count() == 4
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src*=evil]").count() == 0
    page.locator("summary").first.click()
    page.get_by_text("evil.test").first.wait_for()
    with page.expect_download() as download:  # a figure saves itself, without a server
        page.locator(".modebar-btn").first.click(force=True)
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    # what the page may not do, it cannot do: the policy holds
    assert page.evaluate("fetch('http://127.0.0.1:9/x').then(() => 'sent').catch(() => 'refused')") == "refused"
    context.close()
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert said, "the attempt above is reported"
    assert all("Content Security Policy" in line for line in said)
