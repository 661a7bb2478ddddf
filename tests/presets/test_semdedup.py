"""The SemDeDup preset on a pool of planted repeats; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Labels, Selection
from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

WORDS = ["bake", "bread", "orbit", "comet", "court", "judge", "river", "stone", "lamp", "cloud", "seven", "quiet"]
SMALL = ("embed.use=encoder/tfidf", "embed.dims=10")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """60 rows; each of the last 20 repeats one of the first 20 with its words in another order."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(40)]
    texts += [" ".join(rng.permutation(text.split())) for text in texts[:20]]
    rows = []
    for i, text in enumerate(texts):
        record = {"instruction": text, "output": "Done.", "rank": i}
        messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Done."}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("semdedup"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("semdedup").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("semdedup").about
    assert "2303.09540" in about["source"]
    assert about["purpose"] == "duplicates"
    assert set(about["defaults_marked"]) == {"published", "ours"}
    pick, clusters = Recipe.read("semdedup").steps["pick"], Recipe.read("semdedup").steps["clusters"]
    assert "published" in str(pick)
    assert "1234" in str(clusters)


def test_one_of_each_planted_pair_stays(workspace):
    done = go(workspace, "pick.epsilon=0.000001")
    picks, clusters = done.artifact("pick"), done.artifact("clusters")
    assert isinstance(picks, Selection)
    assert isinstance(clusters, Labels)
    assert len(clusters.names) == 1
    assert len(picks) == 40
    assert set(picks.order.tolist()) >= set(range(20, 40))
    for row in range(20):
        gone = row if row not in picks.order else row + 40
        assert picks.covered_by[gone] == (row + 40 if gone == row else row)
        assert picks.distance[gone] < 1e-6


def test_a_larger_epsilon_keeps_fewer_and_greedy_keeps_more(workspace):
    sizes = [len(go(workspace, f"pick.epsilon={e}").artifact("pick")) for e in (0.01, 0.2, 0.5)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    greedy = len(go(workspace, "pick.epsilon=0.5", "pick.rule=greedy").artifact("pick"))
    assert greedy > sizes[-1]


def test_clusters_as_published_and_a_number_of_rows(workspace):
    done = go(workspace, "clusters.k=6", "pick.down_to=30", "pick.epsilon=1")
    picks, codes = done.artifact("pick"), done.artifact("clusters").codes
    assert 25 <= len(picks) <= 30
    gone = np.flatnonzero(picks.covered_by >= 0)
    assert len(gone) == 60 - len(picks)
    assert (codes[gone] == codes[picks.covered_by[gone]]).all()
    assert {s.name: s.reused for s in go(workspace, "clusters.k=6", "pick.epsilon=0.3").steps} == {
        "embed": True, "clusters": True, "pick": False,
    }  # fmt: skip
