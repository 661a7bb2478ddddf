"""Pages are opened as the app opens them: from app.py, on a workspace named by the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from curation import jobs
from curation.ui import guide
from curation.workspace import Workspace

APP = Path(__file__).resolve().parents[2] / "app.py"
ROWS = 120

Open = Callable[..., AppTest]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Open a page ("start", "data", ...) of the app on a workspace; keywords are the query of the address."""

    def opened(page: str, workspace: Path, **query: str) -> AppTest:
        monkeypatch.setenv("CURATION_WORKSPACE", str(workspace))
        monkeypatch.delenv("CURATION_OPEN", raising=False)
        at = AppTest.from_file(str(APP), default_timeout=60)
        at.query_params.update(query)
        if page != "start":
            at.switch_page(f"pages/{page}.py")
        return at.run()

    return opened


@pytest.fixture
def empty_workspace(tmp_path: Path) -> Path:
    """A workspace without datasets."""
    return Workspace.open(tmp_path / "workspace").root


@pytest.fixture(scope="session")
def few_rows(tmp_path_factory: pytest.TempPathFactory, demo_file: Path) -> Path:
    """The first rows of the demo as a file, one of them not readable, with hostile text in another."""
    rows = json.loads(demo_file.read_text())[:ROWS]
    rows[3]["instruction"] = "![x](http://evil.test/p.png) <b>bold</b> $x$"
    path = tmp_path_factory.mktemp("files") / "few.jsonl"
    lines = [json.dumps(row) for row in rows]
    lines.insert(5, '{"instruction": "no answer here"}')
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def filled_workspace(tmp_path_factory: pytest.TempPathFactory, few_rows: Path) -> Path:
    """A workspace in which the guided path has been walked up to the selection. Treat it as read-only."""
    workspace = Workspace.open(tmp_path_factory.mktemp("filled") / "workspace")
    dataset = workspace.add(few_rows, name="few").dataset
    for stage in guide.STAGES:
        title = guide.title_of(stage, dataset.name)
        recipe = guide.stage_recipe(stage, budget=20)
        jobs.run_here(workspace, recipe, {"pool": dataset.fingerprint}, title=title, device="cpu")
    return workspace.root
