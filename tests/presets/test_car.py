"""The CaR preset, stage by stage, on a pool of planted topics; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Selection
from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.labellers.kmeans import default_k
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TOPICS = {
    "cooking": ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast", "knead", "whisk"],
    "sky": ["planet", "orbit", "star", "comet", "telescope", "moon", "galaxy", "eclipse", "meteor", "dust"],
    "law": ["court", "judge", "contract", "appeal", "statute", "jury", "verdict", "clause", "tenant", "claim"],
}
N = 150
SMALL = ("embed.use=encoder/tfidf", "embed.dims=12", "overall.budget=20")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """150 rows of three topics; those of law have the shortest responses, so that none is among the best of all."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(N):
        topic = list(TOPICS)[i % 3]
        words = 3 if topic == "law" else int(rng.integers(5, 20))
        prompt, answer = (" ".join(rng.choice(TOPICS[topic], count)) for count in (4, words))
        record = {"instruction": prompt, "output": answer, "topic": topic, "rating": i % 7}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("car"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("car").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("car").about
    assert "2402.18191" in about["source"]
    assert about["purpose"] == "diversity and quality"
    assert about["when"]
    assert set(about["defaults_marked"]) == {"published", "ours"}
    assert any("stand-in" in line for line in about["defaults_marked"]["ours"])


def test_clusters_are_of_reduced_vectors_by_the_root_of_half_the_rows(workspace):
    done = go(workspace)
    embed, reduced, clusters = (done.artifact(name) for name in ("embed", "reduced", "clusters"))
    assert isinstance(reduced, Features)
    assert isinstance(clusters, Labels)
    assert reduced.values.shape[1] < embed.values.shape[1]
    assert reduced.info["variance kept"] >= 0.95
    assert clusters.info["k"] == default_k(N) == 9
    assert clusters.info["seed"] == 42


@pytest.mark.parametrize("settings", [(), ("per_cluster.each=3",), ("overall.budget=1",), ("clusters.k=3",)])
def test_the_best_of_all_with_the_best_of_every_cluster(workspace, settings):
    done = go(workspace, *settings)
    best, each, pick, clusters = (done.artifact(name) for name in ("overall", "per_cluster", "pick", "clusters"))
    assert isinstance(pick, Selection)
    assert len(np.unique(pick.order)) == len(pick)
    assert set(pick.order) == set(best.order) | set(each.order)
    k = clusters.info["clusters"]
    assert set(clusters.codes[pick.order]) == set(range(k))
    n2 = 3 if settings == ("per_cluster.each=3",) else 1
    assert max(len(best), k) <= len(pick) <= len(best) + n2 * k
    for code in range(k):
        members = np.flatnonzero(clusters.codes == code)
        top = np.sort(done.artifact("quality").values[members])[::-1][:n2]
        picked = each.order[clusters.codes[each.order] == code]
        np.testing.assert_array_equal(np.sort(done.artifact("quality").values[picked])[::-1], top)
    topics = np.array(workspace.dataset("planted").field("topic"))
    assert set(topics[pick.order]) == set(TOPICS)  # also that of which no row is among the best of all
    if not settings:
        assert "law" not in topics[best.order]
        out = int(np.setdiff1d(np.arange(N), pick.order)[0])
        assert pick.why(out).startswith("out: beyond the budget; not among the best of its label")


def test_the_score_can_be_another(workspace):
    done = go(workspace, "quality.use=scorer/column", "quality.field=rating")
    rating = np.array(workspace.dataset("planted").field("rating"))
    assert (rating[done.artifact("overall").order] == 6).all()


def test_a_second_run_computes_nothing(workspace):
    go(workspace)
    assert all(step.reused for step in go(workspace).steps)
