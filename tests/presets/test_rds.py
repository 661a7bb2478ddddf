"""The presets rds and tsds from end to end on two files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.errors import CurationError, RecipeError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TOPICS = {
    "cooking": ["bake bread", "knead the dough", "whisk butter and sugar", "heat the oven", "roll out pastry"],
    "sky": ["watch a comet", "find the north star", "measure an orbit", "see the moon eclipse", "map a galaxy"],
    "law": ["sign a contract", "appeal a verdict", "call a witness", "read the statute", "ask the jury"],
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """60 rows of three topics, and a file of four queries about the first two; the first query is row 30 as well."""
    folder = tmp_path_factory.mktemp("rds")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        topic = list(TOPICS)[i % 3]
        first, second = rng.choice(TOPICS[topic], 2, replace=False)
        rows.append(
            {"instruction": f"How do I {first}?", "output": f"Before you {second}, {first} {i}.", "topic": topic}
        )
    queries = [
        {**rows[30], "task": "kitchen"},
        {"instruction": "How do I knead bread dough?", "output": "Slowly, then bake it.", "task": "kitchen"},
        {"instruction": "Where is the moon tonight?", "output": "Near a star.", "task": "night"},
        {"instruction": "Which comet comes next?", "output": "Its orbit tells.", "task": "night"},
    ]
    (folder / "pool.json").write_text(json.dumps(rows))
    (folder / "queries.json").write_text(json.dumps(queries))
    made = Workspace.open(folder / "ws")
    made.add(folder / "pool.json", name="pool")
    return made


def go(workspace: Workspace, preset: str, *settings: str):
    recipe = Recipe.read(preset).with_settings(settings)
    bound = {"pool": "pool", "queries": str(workspace.root.parent / "queries.json")}
    return run(plan(recipe, workspace, bound), workspace, Runtime())


def topics(workspace: Workspace) -> np.ndarray:
    return np.array(workspace.dataset("pool").field("topic"))


def test_a_copy_of_a_query_comes_first_and_picks_are_of_the_queries_topics(workspace):
    done = go(workspace, "rds", "pick.budget=12")
    picks = done.artifact("pick")
    assert picks.order[0] == 30
    assert picks.gains[0] == pytest.approx(1, abs=1e-3)
    assert np.bincount(picks.info["served"]).tolist() == [3, 3, 3, 3]
    by_query = topics(workspace)[picks.order].reshape(3, 4)
    assert (by_query[:, :2] == "cooking").all()
    assert (by_query[:, 2:] == "sky").all()
    assert len(picks.covered_by) == 60
    assert {s.name: s.rows + s.rows_reused for s in done.steps} == {"embed": 60, "embed_queries": 4, "pick": 60}


def test_a_larger_budget_goes_on_and_computes_no_vector_again(workspace):
    short, long = go(workspace, "rds", "pick.budget=12"), go(workspace, "rds", "pick.budget=20")
    assert [s.reused for s in long.steps] == [True, True, False]
    assert long.artifact("pick").order[:12].tolist() == short.artifact("pick").order.tolist()


def test_tasks_of_the_query_file_take_turns(workspace):
    recipe = Recipe.read("rds").with_settings(("pick.budget=6", "pick.query_tasks=$tasks"))
    steps = {"tasks": {"use": "labeller/column", "on": "$queries", "field": "task"}, **recipe.steps}
    bound = {"pool": "pool", "queries": str(workspace.root.parent / "queries.json")}
    done = run(plan(recipe.model_copy(update={"steps": steps}), workspace, bound), workspace, Runtime())
    picks = done.artifact("pick")
    assert picks.info["tasks"] == ["kitchen", "night"]
    assert topics(workspace)[picks.order].tolist() == ["cooking", "sky"] * 3


def test_targets_of_the_pool_instead_of_a_file(workspace):
    steps = {
        "embed": {"use": "encoder/sentence", "on": "$pool"},
        "mine": {"use": "selector/rows", "rows": "0, 3", "on": "$pool"},
        "pick": {"use": "selector/rds", "features": "$embed", "targets": "$mine", "budget": 10},
    }
    recipe = Recipe.read({"inputs": {"pool": "Dataset"}, "steps": steps, "result": "$pick"})
    picks = run(plan(recipe, workspace, {"pool": "pool"}), workspace, Runtime()).artifact("pick")
    assert (topics(workspace)[picks.order] == "cooking").all()
    assert not np.isin([0, 3], picks.order).any()


def test_word_counts_of_two_files_are_refused_and_a_missing_file_is_named(workspace):
    words = ("embed.use=encoder/tfidf", "embed_queries.use=encoder/tfidf", "embed.dims=3", "embed_queries.dims=3")
    with pytest.raises(CurationError, match="step 'pick'.*word counts"):
        go(workspace, "rds", *words)
    with pytest.raises(RecipeError, match="'queries' is not bound"):
        plan(Recipe.read("rds"), workspace, {"pool": "pool"})


def test_tsds_draws_from_rows_near_the_queries(workspace):
    picks = go(workspace, "tsds", "pick.budget=8", "pick.scale=1.0").artifact("pick")
    assert 0 < len(picks) <= 8
    assert len(picks) + picks.short_by == 8
    assert set(topics(workspace)[picks.order]) <= {"cooking", "sky"}
    assert picks.info["queries"] == 4


@pytest.mark.parametrize("preset", ["rds", "tsds"])
def test_it_says_where_it_comes_from_and_which_defaults_are_ours(preset):
    about = Recipe.read(preset).about
    assert "arXiv" in about["source"]
    assert about["purpose"] == "targeted"
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
