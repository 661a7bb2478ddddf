"""What only a browser can tell of the Judge page: a run from the first click to the spot check by keys."""

from __future__ import annotations

import json
import re

import pytest

from curation.ui.judge_spot_log import SpotChecks
from curation.workspace import Workspace

pytestmark = pytest.mark.browser

ROWS = 60
JOB_MS = 120_000


@pytest.fixture
def workspace(tmp_path, demo_file):
    """A workspace with a few rows, one of them hostile."""
    rows = json.loads(demo_file.read_text())[:ROWS]
    rows[0]["output"] = "<img src='http://evil.test/a.png'> ![x](http://evil.test/b.png)"
    (tmp_path / "few.json").write_text(json.dumps(rows))
    made = Workspace.open(tmp_path / "workspace")
    made.add(tmp_path / "few.json")
    return made


def test_from_the_first_reply_to_a_spot_check_by_keys(serve, tab, workspace):
    tab.goto(f"{serve(workspace.root)}/judge?dataset=few")
    tab.get_by_text("The stand-in asks nobody").wait_for()
    tab.get_by_text("the first", exact=True).click()
    tab.get_by_role("button", name="Try it on 5 rows").click()
    tab.get_by_text("The judge's reply, word for word").first.wait_for()
    tab.get_by_text("The row", exact=True).first.click()
    tab.get_by_text("<img src='http://evil.test/a.png'>").first.wait_for()

    tab.get_by_text("Ask about all rows").click()
    tab.get_by_role("button", name=re.compile(rf"^Judge {ROWS} rows")).click()
    tab.get_by_text("What stays of every category").wait_for(timeout=JOB_MS)
    tab.get_by_text("These scores are made up by the stand-in").wait_for()

    tab.get_by_text("Read random drops", exact=True).click()
    tab.get_by_role("button", name=re.compile(r"^Read \d+ random drops")).click()
    tab.get_by_text("the score is hidden until you have answered").wait_for()
    assert not tab.get_by_text("The judge gave it").count()
    for key, read in (("k", 1), ("w", 2), ("k", 3)):
        tab.keyboard.press(key)
        tab.get_by_text(re.compile(rf"^{read} of \d+ read")).wait_for()
    tab.get_by_text("The judge gave it").wait_for()
    tab.keyboard.press("u")
    tab.get_by_text(re.compile(r"^2 of \d+ read")).wait_for()
    dataset = workspace.dataset("few")
    check = SpotChecks(workspace, dataset.fingerprint, len(dataset)).all()[0]
    assert list(check.answers.values()) == ["right", "wrong"]
