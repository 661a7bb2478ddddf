"""The preset of prototype pruning on planted topics with a few odd rows; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

WORDS = ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast", "knead", "whisk"]
ODD = ["planet", "court", "engine", "violin", "harvest", "marble"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """60 rows about baking; every tenth is about anything else as well."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        words = list(rng.choice(WORDS, 8)) if i % 10 else [ODD[i // 10]] * 8
        messages = [
            {"role": "user", "content": " ".join(words)},
            {"role": "assistant", "content": f"{' '.join(words[:3])} bread flour"},
        ]
        rows.append(Row(messages, json.dumps({"i": i}), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("prototypes"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    small = ("embed.use=encoder/tfidf", "embed.dims=8", "clusters.k=1", *settings)
    recipe = Recipe.read("prototype-pruning").with_settings(small)
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("prototype-pruning").about
    assert "2206.14486" in about["source"]
    assert about["purpose"] == "by score"
    assert about["when"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}


def test_abundant_data_keeps_the_odd_rows_and_scarce_data_the_typical_ones(workspace):
    hard, easy = go(workspace).artifact("pick"), go(workspace, "pick.keep=lowest").artifact("pick")
    assert len(hard) == len(easy) == 30
    odd = set(range(0, 60, 10))
    assert odd <= set(hard.order[:10].tolist())
    assert not odd & set(easy.order.tolist())
    assert not set(hard.order.tolist()) & set(easy.order.tolist())


def test_a_smaller_budget_is_a_prefix(workspace):
    long, short = go(workspace).artifact("pick"), go(workspace, "pick.budget=7").artifact("pick")
    assert short.order.tolist() == long.order[:7].tolist()


def test_by_place_every_cluster_is_pruned_alike(workspace):
    done = go(workspace, "clusters.k=2", "pick.column=place")
    clusters, picks = done.artifact("clusters"), done.artifact("pick")
    sizes = np.bincount(clusters.codes)
    assert (np.abs(np.bincount(clusters.codes[picks.order]) - sizes / 2) <= 1).all()
