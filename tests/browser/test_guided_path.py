"""From a file to a training set in a real browser: at most eight clicks, no key, no request to anywhere else."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

CLICKS_ALLOWED = 8
JOB_MS = 240_000

PAGES = [
    "Start", "Data", "Map", "Scores", "Judge", "Learnability", "Influence", "Deduplicate", "Select", "Compare", "Trial",
    "Export", "Jobs",
]  # fmt: skip


@pytest.fixture
def small_file(tmp_path, demo_file):
    """150 rows of the demo, with a text that would phone home if it were read as Markdown or HTML."""
    rows = json.loads(demo_file.read_text())[:150]
    rows[0]["instruction"] = "![x](http://evil.test/a.png) <img src='http://evil.test/b.png'> $x$"
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(rows))
    return path


def test_a_file_becomes_a_training_set_in_eight_clicks(page, app, small_file):
    clicks = 0

    def click(name):
        nonlocal clicks
        clicks += 1
        page.get_by_role("button", name=name).first.click()

    page.locator("input[type=file]").set_input_files(small_file)  # dropping counts as a click below
    clicks += 1
    click("Add these rows")
    click("Draw the map")
    page.get_by_role("button", name="Read rows on the map").wait_for(timeout=JOB_MS)
    page.locator("canvas.pm-points").first.wait_for()
    click("Find and remove duplicates")
    page.get_by_text("Empty answers").first.wait_for(timeout=JOB_MS)
    click("Select rows")
    page.get_by_text("Covering radius").first.wait_for(timeout=JOB_MS)
    page.get_by_role("button", name=re.compile(r"Export$")).last.click()
    clicks += 1
    page.get_by_text("llamafactory-cli train").first.wait_for()
    assert clicks <= CLICKS_ALLOWED

    with page.expect_download() as download:
        page.get_by_role("button", name="Download all files").click()
    assert download.value.suggested_filename == "mine.zip"
    written = [Path(p) for p in (app.workspace / "exports").rglob("mine.json")]
    records = json.loads(written[0].read_text())
    originals = {json.dumps(r, sort_keys=True) for r in json.loads(small_file.read_text())}
    assert 10 <= len(records) <= 15
    assert all(r["output"] for r in records)
    fields = ("instruction", "output")
    texts = {tuple(json.loads(o)[f] for f in fields) for o in originals}
    assert {tuple(r[f] for f in fields) for r in records} <= texts


def test_a_link_is_right_on_a_server_that_nobody_opened_yet(tab, serve, tmp_path, small_file):
    from curation.workspace import Workspace

    Workspace.open(tmp_path / "workspace").add(small_file, name="mine")
    tab.goto(serve(tmp_path / "workspace") + "/data?dataset=mine")
    tab.get_by_role("heading", name="Data").wait_for()
    navigation = tab.get_by_test_id("stSidebarNavLink").all_inner_texts()
    assert [n.splitlines()[-1] for n in navigation] == PAGES


def test_both_themes_are_used(browser, app):
    from curation.figures.palette import colours

    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(app.url)
        page.get_by_role("heading", name="Keep the rows that teach").wait_for()
        shown = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
        wanted = colours(scheme).background
        assert shown == f"rgb({', '.join(str(int(wanted[i : i + 2], 16)) for i in (1, 3, 5))})"
        context.close()
