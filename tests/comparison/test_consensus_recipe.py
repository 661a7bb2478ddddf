"""The recipe of a consensus makes the rows that the comparison counts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.comparison.arms import load_comparison
from curation.comparison.consensus import consensus_recipe
from curation.comparison.membership import agreed
from curation.core.errors import CurationError
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

N = 40


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    folder = tmp_path_factory.mktemp("consensus")
    rows = [{"instruction": f"Question {i}?", "output": f"Answer {i} " * (1 + i % 9)} for i in range(N)]
    (folder / "rows.json").write_text(json.dumps(rows))
    made = Workspace.open(folder / "workspace")
    made.add(folder / "rows.json")
    return made


def selected(workspace, **step) -> str:
    dataset = workspace.datasets()[0].fingerprint
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": {"pick": {"on": "$pool", **step}}, "result": "$pick"})
    planned = plan(recipe, workspace, {"pool": dataset})
    run(planned, workspace)
    return planned.steps[-1].key


@pytest.fixture(scope="module")
def keys(workspace) -> list[str]:
    return [selected(workspace, use="selector/random", budget=20, seed=seed) for seed in (4, 5, 6)]


@pytest.mark.parametrize("budget", [None, 12])
@pytest.mark.parametrize("votes", [1, 2, 3])
def test_it_makes_the_rows_that_are_counted(workspace, keys, budget, votes):
    compared = load_comparison(workspace, keys, budget=budget)
    recipe, bindings = consensus_recipe(workspace, compared, votes)
    planned = plan(recipe, workspace, bindings)
    run(planned, workspace)
    made = workspace.load(next(s.key for s in planned.steps if s.name == planned.result))
    assert np.asarray(made.order).tolist() == agreed(compared, votes).tolist()


def test_an_arm_that_another_stands_on_stays_whole(workspace, keys):
    dataset = workspace.datasets()[0].fingerprint
    steps = {
        "pick": {"use": "selector/random", "on": "$pool", "budget": 20, "seed": 4},
        "inside": {"use": "selector/random", "on": "$pool", "budget": 10, "seed": 0, "within": "$pick"},
    }
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$inside"})
    planned = plan(recipe, workspace, {"pool": dataset})
    run(planned, workspace)
    compared = load_comparison(workspace, [keys[0], planned.steps[-1].key], budget=5)
    again, bindings = consensus_recipe(workspace, compared, 1)
    planned = plan(again, workspace, bindings)
    run(planned, workspace)
    made = workspace.load(next(s.key for s in planned.steps if s.name == planned.result))
    assert np.asarray(made.order).tolist() == agreed(compared, 1).tolist()


def test_more_votes_than_arms_are_refused_when_it_runs(workspace, keys):
    recipe, bindings = consensus_recipe(workspace, load_comparison(workspace, keys), 4)
    with pytest.raises(CurationError, match="4 votes"):
        run(plan(recipe, workspace, bindings), workspace)
