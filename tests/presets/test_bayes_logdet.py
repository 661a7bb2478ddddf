"""The preset of Bayesian information gain, end to end on a small pool; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Score, Selection
from curation.core.dataset import Row
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
    """120 rows about cooking or the sky, three of them about law instead; answers of many lengths."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        topic = "law" if i % 40 == 7 else "sky" if i % 2 else "cooking"
        prompt = f"Tell me about {' '.join(rng.choice(TOPICS[topic], 4))}"
        response = f"{' '.join(rng.choice(TOPICS[topic], int(rng.integers(6, 40))))} {i}"
        record = {"instruction": prompt, "output": response, "topic": topic}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("bayes"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("bayes-logdet").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("bayes-logdet").about
    assert about["method_class"] == about["purpose"] == "bayesian"
    assert about["when"]
    assert "Untested" in about["scope"]
    assert set(about["defaults_marked"]) == {"published", "ours"}


def test_it_reaches_the_rare_topic_and_shows_how_well_a_linear_model_fits(workspace):
    done = go(workspace)
    picks, signal = done.artifact("pick"), done.artifact("signal")
    assert isinstance(picks, Selection)
    assert isinstance(signal, Score)
    assert len(picks) == 12
    topics = np.array(workspace.dataset("planted").field("topic"))[picks.order]
    assert set(topics) == set(TOPICS)
    assert (np.diff(picks.gains) <= 0).all()
    assert picks.info["fit_signal"] == signal.name
    assert picks.info["fit_rows"] == 120
    assert -1 < picks.info["fit_r2"] < 1
    assert len(picks.info["fit_r2_by_fold"]) == 5


def test_another_signal_changes_what_is_shown_and_not_the_picks(workspace):
    first, second = go(workspace), go(workspace, "signal.use=scorer/length")
    np.testing.assert_array_equal(first.artifact("pick").order, second.artifact("pick").order)
    assert first.artifact("pick").info["fit_r2"] != second.artifact("pick").info["fit_r2"]


def test_a_larger_budget_reuses_and_extends_the_order(workspace):
    short, long = go(workspace), go(workspace, "pick.budget=20")
    assert {s.name: s.reused for s in long.steps} == {"embed": True, "signal": True, "pick": False}
    assert long.artifact("pick").order[:12].tolist() == short.artifact("pick").order.tolist()
