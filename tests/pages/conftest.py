"""Pages are opened as the app opens them: from app.py, on a workspace named by the environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from curation import jobs
from curation.complete import complete
from curation.core.artifacts import Features, Labels, Layout, Missing
from curation.core.dataset import Dataset
from curation.core.spending import Caps
from curation.recipe import Recipe, plan
from curation.ui import guide
from curation.ui.indicators import Ordered, indicators_recipe
from curation.ui.select_recipe import Wish, selection_recipe
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


MADE_ROWS = 60


@pytest.fixture(scope="session")
def made_workspace(tmp_path_factory: pytest.TempPathFactory, demo_file: Path) -> Path:
    """A workspace with everything the pages show, in a second: vectors, graph, map and clusters are made up.

    They are stored under the keys that the default steps have, so the real methods take them for their own. Treat it as
    read-only.
    """
    folder = tmp_path_factory.mktemp("made")
    rows = json.loads(demo_file.read_text())[:MADE_ROWS]
    (folder / "made.json").write_text(json.dumps(rows))
    workspace = Workspace.open(folder / "workspace")
    dataset = workspace.add(folder / "made.json").dataset
    publish_made_up(workspace, dataset)
    pick = Wish("selector/k-center", {"budget": 20})
    recipe, bindings = selection_recipe(workspace, dataset.fingerprint, pick)
    jobs.run_here(workspace, recipe, bindings, title=f"Selection: {dataset.name}", device="cpu")
    scores = indicators_recipe(Ordered(["scorer/length", "scorer/compression", "labeller/near-duplicates"]))
    jobs.run_here(workspace, scores, {"pool": dataset.fingerprint}, title=f"Scores: {dataset.name}", device="cpu")
    return workspace.root


def publish_made_up(workspace: Workspace, dataset: Dataset) -> None:
    """Store made-up results for the default steps of the map by meaning."""
    n, name, none = len(dataset), dataset.fingerprint, Missing.none(len(dataset))
    rng = np.random.default_rng(0)
    code = (np.arange(n) % 3).astype(np.int32)
    centres = rng.normal(size=(3, 8))
    made = {
        "encoder/sentence": Features(name, (centres[code] + 0.2 * rng.normal(size=(n, 8))).astype(np.float32), none),
        "layout": Layout(name, (np.eye(3, 2)[code] * 9 + rng.normal(size=(n, 2))).astype(np.float32), none),
        "labeller/clusters": Labels(name, np.where(np.arange(n) < 3, -1, code).astype(np.int32), tuple("abc"), none),
    }
    recipe = complete("labeller/clusters", {})
    planned = plan(recipe, workspace, {"pool": name})
    for step in planned.steps:
        if step.use in made:
            facts = {
                "use": step.use, "step": step.name, "parameters": step.method.model_dump(mode="json"),
                "ports": step.ports, "within": None, "recipe": planned.resolved_yaml(), "bindings": planned.bindings,
            }  # fmt: skip
            workspace.publish(step.key, made[step.use], facts)


@pytest.fixture
def no_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages start no process that measures steps for an estimate."""

    class Finished:
        def poll(self) -> int:
            return 0

    monkeypatch.setattr("curation.ui.measure.start", lambda *args: Finished())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, dict[str, str], str]]:
    """Jobs that a page starts: recipe, bindings, title; none really runs."""
    found: list[tuple[Recipe, dict[str, str], str]] = []

    def start(
        workspace: Workspace,
        recipe: Recipe,
        bindings: dict[str, str],
        *,
        title: str = "",
        go_on: bool = False,
        caps: Caps | None = None,
    ) -> None:
        plan(recipe, workspace, bindings)
        found.append((recipe, dict(bindings), title))

    monkeypatch.setattr("curation.jobs.start", start)
    return found
