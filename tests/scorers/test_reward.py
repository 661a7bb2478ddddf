"""Reward: rows of a pool, and the reasons of those without."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import Row, from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.models.reward import load_reward
from curation.recipe import Recipe, plan
from curation.scorers.reward import DEFAULT_MODEL, Reward
from curation.workspace import Workspace

PAIRS = [("What is a river?", "Water that flows."), ("Say more.", ""), ("And a lamp?", "A lamp gives light. " * 10)]


def test_every_row_gets_what_the_model_says(tiny_reward):
    pool = from_pairs(PAIRS)
    method = Reward(model=str(tiny_reward)).resolve(Runtime())
    made = method.score(pool, Runtime())
    expected = load_reward(str(tiny_reward)).score([pool.messages(i) for i in range(3)])
    np.testing.assert_array_equal(made.values, expected.values)
    assert made.missing.reason(1) == "no response"
    assert made.higher_is_better is True
    assert made.columns["tokens"][0] > 0
    assert made.info["template"] == "pair"


def test_the_weights_are_part_of_the_recipe(tiny_reward):
    method = Reward(model=str(tiny_reward)).resolve(Runtime())
    assert len(method.revision) == 16
    assert method.precision == "fp32"
    with pytest.raises(ModelError, match="made with"):
        Reward(model=str(tiny_reward), revision="0" * 16).score(from_pairs(PAIRS), Runtime())


def test_a_model_that_is_not_here_is_an_error_before_anything_runs(tmp_path):
    with pytest.raises(ModelError, match="there is no folder"):
        Reward(model=str(tmp_path / "nothing")).resolve(Runtime())


RECIPE = """
inputs: {{pool: Dataset}}
steps:
  raw:       {{use: scorer/reward, on: $pool, model: "{model}"}}
  topic:     {{use: labeller/column, on: $pool, field: topic}}
  length:    {{use: scorer/length, on: $pool, text: response, unit: characters}}
  by_topic:  {{use: scorer/adjusted, score: $raw, labels: $topic, least: 3}}
  no_length: {{use: scorer/adjusted, score: $raw, length: $length, standardise: false}}
  both:      {{use: scorer/adjusted, score: $raw, labels: $topic, length: $length, least: 3}}
  good:      {{use: selector/threshold, score: $raw, above: {alpha!r}, inclusive: neither}}
  best:      {{use: selector/top-k, score: $both, within: $good, budget: 5}}
result: $best
"""


def test_in_a_recipe_it_is_raw_standardised_by_category_and_free_of_length(tiny_reward, tmp_path):
    rng = np.random.default_rng(0)
    words = ["river", "stone", "lamp", "seven", "bread"]
    pairs = [(" ".join(rng.choice(words, 4)), " ".join(rng.choice(words, int(n)))) for n in rng.integers(1, 40, 60)]
    topics = [("sky", "sea", "law")[i % 3] for i in range(60)]
    workspace = Workspace.open(tmp_path / "ws")
    pool = from_pairs(pairs, topic=topics)
    workspace.add_rows([Row(pool.messages(i), json.dumps(pool.record(i)), "p", i, "alpaca") for i in range(60)], "pool")
    raw = load_reward(str(tiny_reward)).score([pool.messages(i) for i in range(60)]).values
    alpha = float(np.sort(raw)[29])
    text = RECIPE.format(model=tiny_reward, alpha=alpha)
    done = run(plan(Recipe.read(text), workspace, {"pool": "pool"}), workspace, Runtime())
    # raw, and MoDS's first stage: strictly above the threshold
    np.testing.assert_allclose(done.artifact("raw").values, raw, atol=1e-5)
    assert 0 < len(done.artifact("good")) <= 30
    assert (done.artifact("raw").values[done.artifact("good").order] > alpha).all()
    # z-scores of every category
    for topic in set(topics):
        here = np.array([t == topic for t in topics])
        for name in ("by_topic", "both"):
            values = done.artifact(name).values[here]
            assert values.mean() == pytest.approx(0, abs=1e-9)
            assert values.std() == pytest.approx(1)
    # nothing that length explains
    lengths = np.log1p([len(answer) for _, answer in pairs])
    assert abs(np.corrcoef(done.artifact("no_length").values, lengths)[0, 1]) < 1e-9
    assert abs(np.corrcoef(raw, lengths)[0, 1]) > 0.01
    assert set(done.artifact("best").order) <= set(done.artifact("good").order)


def test_the_models_of_mods_and_instruct_mining_are_the_ones_named():
    assert DEFAULT_MODEL == "OpenAssistant/reward-model-deberta-v3-large-v2"  # MoDS
    steps = Recipe.read("instruct-mining-v1").steps
    assert steps["reward"]["model"].startswith("OpenAssistant/oasst-rm-2.1-pythia-1.4b")
