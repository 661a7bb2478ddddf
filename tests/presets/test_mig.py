"""The MIG preset, stage by stage: clusters stand in for tags, real tags and a quality score take their places."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Missing, Score
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
SMALL = ("embed.use=encoder/tfidf", "embed.dims=8", "clusters.k=3", "pick.budget=12")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """120 rows of three topics, four fifths of them about cooking; `tags` is a list."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        topic = "cooking" if i % 5 else ["sky", "law"][i % 2]
        prompt = f"Tell me about {' '.join(rng.choice(TOPICS[topic], 5))}"
        record = {"instruction": prompt, "output": f"So be it {i}.", "topic": topic, "tags": [topic, f"form {i % 3}"]}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": record["output"]}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("mig"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str, **inputs: str):
    recipe = Recipe.read("mig").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted", **inputs}), workspace, Runtime())


def topics(workspace: Workspace, order: np.ndarray) -> dict[str, int]:
    found = np.array(workspace.dataset("planted").field("topic"))[order]
    return {str(name): int(count) for name, count in zip(*np.unique(found, return_counts=True), strict=True)}


def test_it_says_where_it_comes_from_and_what_is_ours():
    about = Recipe.read("mig").about
    assert "2504.13835" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    assert any("clusters" in line for line in about["defaults_marked"]["ours"])


def test_clusters_stand_in_for_tags_and_all_are_drawn_from_alike(workspace):
    done = go(workspace)
    picks, tags = done.artifact("pick"), done.artifact("tags")
    assert tags.names == tuple(sorted(done.artifact("clusters").names))
    assert tags.info["proxy"] is True
    assert picks.info["proxy"] is True
    assert len(picks) == 12
    # without a score or links, each cluster brings as much as any other, whatever its size
    assert picks.info["links"] == 0
    sizes = np.bincount(done.artifact("clusters").codes)
    assert sizes.max() > 2 * sizes.min()
    assert np.bincount(done.artifact("clusters").codes[picks.order]).tolist() == [4, 4, 4]


def test_tags_of_the_file_take_their_place(workspace):
    done = go(workspace, "tags.field=tags", "tags.labels=null", "pick.gamma=0", "pick.gain=first-order")
    picks, tags = done.artifact("pick"), done.artifact("tags")
    assert tags.names == ("cooking", "form 0", "form 1", "form 2", "law", "sky")
    assert picks.info["proxy"] is False
    assert topics(workspace, picks.order) == {"cooking": 4, "law": 4, "sky": 4}
    forms = tags.columns["tags"][picks.order, 1]
    assert np.bincount(forms)[1:].tolist() == [4, 4, 4]


def test_a_quality_score_decides_within_a_tag(workspace):
    quality = np.random.default_rng(1).random(120) + 0.5
    fingerprint = workspace.dataset("planted").fingerprint
    workspace.publish("a" * 32, Score(fingerprint, quality, Missing.none(120), "quality", True), {"use": "scorer/x"})
    done = go(workspace, quality="a" * 32)
    picks, codes = done.artifact("pick"), done.artifact("clusters").codes
    for cluster in range(3):
        mine = picks.order[codes[picks.order] == cluster]
        best = np.flatnonzero(codes == cluster)[np.argsort(-quality[codes == cluster])]
        assert mine.tolist() == best[: len(mine)].tolist()


def test_a_larger_budget_goes_on(workspace):
    short, long = go(workspace), go(workspace, "pick.budget=30")
    assert long.artifact("pick").order[:12].tolist() == short.artifact("pick").order.tolist()
    assert {s.name for s in long.steps if not s.reused} == {"pick"}
