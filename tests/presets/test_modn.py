"""The MODN preset, stage by stage, on a pool of two planted tasks; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Labels, Selection
from curation.core.dataset import Row
from curation.core.errors import CurationError, RecipeError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TOPICS = {
    "cooking": ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast", "knead", "whisk"],
    "sky": ["planet", "orbit", "star", "comet", "telescope", "moon", "galaxy", "eclipse", "meteor", "dust"],
    "law": ["court", "judge", "contract", "appeal", "statute", "jury", "verdict", "clause", "tenant", "claim"],
}
SMALL = ("embed.use=encoder/tfidf", "embed.dims=8", "pick.budget=12")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """120 rows of three topics; the task `explain` is mostly about cooking."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        topic = list(TOPICS)[i % 3]
        prompt = f"Tell me about {' '.join(rng.choice(TOPICS[topic], 4))}"
        response = f"{' '.join(rng.choice(TOPICS[topic], 8))} {i}"
        task = "explain" if rng.random() < {"cooking": 0.9, "sky": 0.1, "law": 0.2}[topic] else "list"
        record = {"instruction": prompt, "output": response, "task": task, "topic": topic}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("modn"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("modn").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def field(workspace: Workspace, name: str) -> np.ndarray:
    return np.array(workspace.dataset("planted").field(name))


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("modn").about
    assert "2305.09246" in about["source"]
    assert about["method_class"] == "statistical"
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}


def test_by_default_every_cluster_gets_its_share(workspace):
    done = go(workspace, "clusters.k=3")
    picks, clusters = done.artifact("pick"), done.artifact("clusters")
    assert isinstance(picks, Selection)
    assert isinstance(clusters, Labels)
    assert len(picks) == 12
    share = np.bincount(clusters.codes, minlength=3) * 12 / 120
    assert (np.abs(np.bincount(clusters.codes[picks.order], minlength=3) - share) < 1).all()
    assert set(field(workspace, "topic")[picks.order]) == set(TOPICS)


def test_the_published_mode_picks_from_one_task_around_its_cluster(workspace):
    done = go(workspace, "clusters.k=3", "tasks.field=task", "pick.mode=task", "pick.task=explain")
    picks, clusters = done.artifact("pick"), done.artifact("clusters")
    assert set(field(workspace, "task")[picks.order]) == {"explain"}
    first = picks.order[0]
    assert field(workspace, "topic")[first] == "cooking"
    assert clusters.names[clusters.codes[first]] == picks.info["cluster"]


def test_a_larger_budget_reuses_and_extends_the_order(workspace):
    settings = ("clusters.k=3", "tasks.field=task", "pick.mode=task", "pick.task=list")
    short = go(workspace, *settings)
    long = go(workspace, *settings, "pick.budget=20")
    assert {s.name: s.reused for s in long.steps} == {"embed": True, "clusters": True, "tasks": True, "pick": False}
    assert long.artifact("pick").order[:12].tolist() == short.artifact("pick").order.tolist()


def test_a_wrong_task_is_named_before_or_after_the_run(workspace):
    with pytest.raises(RecipeError, match="needs 'task'"):
        go(workspace, "pick.mode=task")
    with pytest.raises(CurationError, match="no task is named 'sing'"):
        go(workspace, "tasks.field=task", "pick.mode=task", "pick.task=sing")
