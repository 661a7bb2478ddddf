"""The preset decontaminate from end to end, and what a card says of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Export, Labels
from curation.core.runtime import Runtime
from curation.engine import run
from curation.labellers.contamination import evidence
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

QUESTION = "A farmer has seventeen sheep and all but nine of them run away, so how many sheep are left now?"
SHORT = "Which planet in our solar system has the most moons?"
PARAPHRASED = "Which planet has the most moons of all in our solar system?"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    folder = tmp_path_factory.mktemp("decontaminate")
    rows = [
        {"instruction": f"Write a short poem about number {i}.", "output": f"A poem of {i} lines."} for i in range(20)
    ]
    rows[3] = {"instruction": QUESTION.upper(), "output": "Nine."}
    rows[7] = {"instruction": "Solve the riddle.", "output": f"The riddle was: {QUESTION} The answer is nine."}
    rows[11] = {"instruction": PARAPHRASED, "output": "Saturn."}
    evaluation = [
        {"instruction": SHORT, "output": "Saturn"},
        {"instruction": QUESTION, "output": "9"},
        {"instruction": "How tall is the highest mountain on Mars, in metres?", "output": "21900"},
    ]
    (folder / "pool.json").write_text(json.dumps(rows))
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    made = Workspace.open(folder / "ws")
    made.add(folder / "pool.json", name="pool")
    return made


def go(workspace: Workspace, *settings: str, more: dict | None = None, result: str = "clean"):
    recipe = Recipe.read("decontaminate").with_settings(settings)
    recipe = recipe.model_copy(update={"steps": {**recipe.steps, **(more or {})}, "result": f"${result}"})
    bound = {"pool": "pool", "evaluation": str(workspace.root.parent / "evaluation.json")}
    return run(plan(recipe, workspace, bound), workspace, Runtime())


def test_each_rule_finds_its_row_and_the_gate_leaves_them_out(workspace):
    done = go(workspace, "check.min_similarity=0.9")
    labels, clean = done.artifact("check"), done.artifact("clean")
    assert isinstance(labels, Labels)
    found = {(e.row, e.evaluation_row, e.rule) for e in evidence(labels)}
    assert found == {(3, 1, "exact"), (7, 1, "n-gram"), (11, 0, "semantic")}
    np.testing.assert_array_equal(clean.order, [i for i in range(20) if i not in (3, 7, 11)])
    assert clean.why(7) == "out: its label is not among: clean"
    assert labels.info["evaluation"] == "evaluation"


def test_without_the_encoder_only_texts_are_compared(workspace):
    labels = go(workspace, "check.features=null", "check.evaluation_features=null").artifact("check")
    assert [e.row for e in evidence(labels)] == [3, 7]
    assert len(labels.info["rules"]) == 3


def test_the_export_s_card_tells_what_was_found(workspace):
    more = {"files": {"use": "exporter/alpaca", "selection": "$clean", "labels": {"check": "$check"}}}
    made = go(workspace, "check.min_similarity=0.9", more=more, result="files").artifact("files")
    assert isinstance(made, Export)
    card = Path(made.info["companions"], "README.md").read_text()
    assert "- 3 of 20 rows match evaluation (3 rows, of which 2 were found): 1 contaminated (exact)," in card
    assert "0 of them are in the file" in card
    assert "a cosine of at least 0.9" in card


def test_it_says_where_it_comes_from():
    about = Recipe.read("decontaminate").about
    assert "2005.14165" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
