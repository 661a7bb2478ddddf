"""Presets that ask a chat model, as jobs on real rows; then the same recipe asks another server."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from curation import jobs
from curation.api import load
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Plan, Recipe, plan
from curation.workspace import Workspace
from tests.loopback import Loopback
from tests.presets.lift_server import BLOCK

ROWS = 40
JUDGE = "tests.presets.lift_server:reply"
SMALL = ("embed.use=encoder/tfidf", "embed.dims=16", "pick.budget=12")


@pytest.fixture
def workspace(shared_data: Path, tmp_path: Path) -> Workspace:
    """The first rows of a file of 9,229."""
    file = tmp_path / "alpaca.json"
    file.write_text(json.dumps(json.loads((shared_data / "alpaca_9k.json").read_text("utf-8"))[:ROWS]))
    made = Workspace.open(tmp_path / "workspace")
    load(file, name="alpaca", workspace=made)
    return made


def recipe_of(name: str) -> Recipe:
    return Recipe.read(name).with_settings(SMALL if name == "lift" else ())


def run_job(workspace: Workspace, recipe: Recipe) -> jobs.Status:
    """Start it as a process of its own and wait."""
    job = jobs.start(workspace, recipe, {"pool": "alpaca"}, device="cpu")
    end = time.monotonic() + 120
    while not (status := jobs.status(workspace, job.id)).ended:
        assert time.monotonic() < end, jobs.read_log(workspace, job.id)
        time.sleep(0.1)
    assert status.state == "done", f"{status.message}\n{jobs.read_log(workspace, job.id)}"
    return status


def planned(workspace: Workspace, recipe: Recipe) -> Plan:
    return plan(recipe, workspace, {"pool": "alpaca"})


def means(path: Path, **servers: Loopback) -> None:
    """From now on, these names mean these servers."""
    path.write_text(yaml.safe_dump({name: server.connection() for name, server in servers.items()}))


@pytest.mark.parametrize("name", ["alpagasus", "lift"])
def test_it_runs_and_another_server_changes_the_endpoint_and_nothing_else(
    name: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = tmp_path / "connections.yaml"
    monkeypatch.setenv("CURATION_CONNECTIONS", str(connections))
    recipe = recipe_of(name)
    with Loopback(judge=JUDGE) as one, Loopback(judge=JUDGE) as two:
        means(connections, judge=one)
        before = planned(workspace, recipe)
        done = run_job(workspace, recipe)
        calls = one.stats()["calls"]
        assert done.spent["calls"] == calls > ROWS
        picked = np.array(workspace.load(done.result).order)
        assert len(picked) > 0
        if name == "lift":
            expand = workspace.load(before.step("expand").key)
            wide = workspace.dataset(expand.rows)
            made = 3 * ROWS - sum(expand.info["not made"].values())
            assert len(wide) == made == len(expand.parents)
            texts = one.stats(texts=True)["seen"]
            assert sum(bool(BLOCK.search(text)) for text in texts) == 2 * ROWS
            pool = workspace.dataset("alpaca")
            assert [r["lift_parent"] for r in wide.records()] == [pool.row_id(i) for i in expand.parents]
            inputs = [r["input"] for r in wide.records() if r["lift_round"] == 0]
            assert inputs == [r["input"].strip() for r in pool.records()]

        means(connections, judge=two)
        after = planned(workspace, recipe)
        changed = set()
        for old, new in zip(before.steps, after.steps, strict=True):
            was, now = old.method.key_parameters(), new.method.key_parameters()
            different = {field for field in was if was[field] != now[field]}
            assert different <= {"endpoint", "answer_endpoint"}
            changed |= different
        assert "endpoint" in changed
        again = run(after, workspace, Runtime())
        assert two.stats()["calls"] == calls  # another server's replies are other replies
        assert one.stats()["calls"] == calls
        assert again.artifact(after.result).order.tolist() == picked.tolist()

        # the first server under another name: the very same keys, and nothing is asked
        means(connections, judge=two, other=one)
        asking = [step.name for step in before.steps if "connection" in type(step.method).model_fields]
        renamed = recipe.with_settings([f"{step}.connection=other" for step in asking])
        back = planned(workspace, renamed)
        assert [s.key for s in back.steps] == [s.key for s in before.steps]
        run(back, workspace, Runtime())
        assert (one.stats()["calls"], two.stats()["calls"]) == (calls, calls)
