"""The DEFT-UCS preset, stage by stage, on a pool of planted topics and edit intents; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Labels, Selection
from curation.core.dataset import Row
from curation.core.errors import RecipeError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.linalg.distances import unit_rows
from curation.linalg.prototypes import centroid_distances
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TOPICS = {
    "cooking": ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast", "knead", "whisk"],
    "sky": ["planet", "orbit", "star", "comet", "telescope", "moon", "galaxy", "eclipse", "meteor", "dust"],
    "law": ["court", "judge", "contract", "appeal", "statute", "jury", "verdict", "clause", "tenant", "claim"],
}
SMALL = ("embed.use=encoder/tfidf", "embed.dims=8", "clusters.k=3", "strata.field=intent")
INTENTS = ("fluency", "clarity", "style")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """120 rows of three topics; responses are noise that must not matter."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(120):
        topic = list(TOPICS)[i % 3]
        prompt = f"Tell me about {' '.join(rng.choice(TOPICS[topic], 5))}"
        response = " ".join(rng.choice(sum(TOPICS.values(), []), 12))
        intent = str(rng.choice(INTENTS, p=[0.6, 0.3, 0.1]))
        record = {"instruction": prompt, "output": response, "intent": intent, "topic": topic}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("deft"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("deft-ucs").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def field(workspace: Workspace, name: str) -> np.ndarray:
    return np.array(workspace.dataset("planted").field(name))


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    recipe = Recipe.read("deft-ucs")
    assert "2310.16776" in recipe.about["source"]
    assert recipe.about["method_class"] == "statistical"
    assert recipe.about["purpose"] == "coverage"
    assert recipe.about["when"]
    assert set(recipe.about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    assert recipe.steps["clusters"]["k"] == 7
    assert recipe.steps["pick"]["budget"] == "32.5%"
    assert recipe.steps["embed"]["text"] == "prompt"


def test_the_base_is_stratified_and_only_the_remainder_is_clustered_and_picked_from(workspace):
    done = go(workspace, "base.budget=20%")
    base, remain, picks = (done.artifact(s) for s in ("base", "remain", "pick"))
    clusters = done.artifact("clusters")
    assert isinstance(base, Selection)
    assert isinstance(picks, Selection)
    assert isinstance(clusters, Labels)
    intents = field(workspace, "intent")
    for intent in INTENTS:
        assert abs((intents[base.order] == intent).sum() - (intents == intent).mean() * 24) < 1
    assert len(base) == 24
    assert sorted([*base.order, *remain.order]) == list(range(120))
    # labels inside the remainder only, with the reason elsewhere
    np.testing.assert_array_equal(clusters.missing.mask, base.mask)
    np.testing.assert_array_equal(clusters.codes >= 0, remain.mask)
    assert all("outside `remain`" in str(clusters.missing.reason(row)) for row in base.order)
    # base first, then 39 − 24 = 15 rows, 5 of each cluster: ⌊2.5⌋ near and ⌊2.5⌋ far
    assert picks.order[:24].tolist() == base.order.tolist()
    core = picks.order[24:]
    assert np.bincount(clusters.codes[core]).tolist() == [4, 4, 4]
    assert picks.short_by == 3
    assert "rounded down" in picks.short_reason
    assert not np.isin(core, base.order).any()


def test_easy_rows_are_the_nearest_and_hard_rows_the_farthest_of_each_cluster(workspace):
    for easy, hard in ((1, 0), (0, 1)):
        done = go(workspace, f"pick.easy={easy}", f"pick.hard={hard}")
        features, clusters, picks = (done.artifact(s) for s in ("embed", "clusters", "pick"))
        apart = centroid_distances(unit_rows(features.values).values, np.asarray(clusters.codes, np.int64))
        core = picks.order[12:]
        assert len(picks) == 39
        assert np.bincount(clusters.codes[core]).tolist() == [9, 9, 9]
        for code in range(3):
            own = np.flatnonzero(clusters.codes == code)
            inside, outside = apart[np.intersect1d(own, core)], apart[np.setdiff1d(own, core)]
            assert inside.max() <= outside.min() if easy else inside.min() >= outside.max()
        np.testing.assert_allclose(picks.gains[12:], apart[core], atol=1e-6)
        assert np.isnan(picks.gains[:12]).all()


def test_the_random_mode_and_refilling_meet_the_budget(workspace):
    assert len(go(workspace, "pick.easy=0", "pick.hard=0").artifact("pick")) == 39
    assert len(go(workspace, "pick.refill=proportional", "base.budget=20%").artifact("pick")) == 39


def test_moving_the_shares_reuses_base_and_clusters(workspace):
    go(workspace)
    done = go(workspace, "pick.easy=0.25", "pick.hard=0.25")
    assert {s.name for s in done.steps if not s.reused} == {"pick"}


def test_shares_above_one_are_named_before_the_run(workspace):
    with pytest.raises(RecipeError, match="more than 1 together"):
        go(workspace, "pick.easy=0.8", "pick.hard=0.3")
