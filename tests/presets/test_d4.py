"""The D4 preset, stage by stage, on a pool with planted copies; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Labels, Selection
from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.linalg.distances import unit_rows
from curation.linalg.prototypes import centroid_distances
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TOPICS = {
    "cooking": ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast", "knead", "whisk"],
    "sky": ["planet", "orbit", "star", "comet", "telescope", "moon", "galaxy", "eclipse", "meteor", "dust"],
}
SMALL = ("embed.use=encoder/tfidf", "embed.dims=12", "clusters.k=2", "again.k=3")
COPIES = 20


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """100 rows: 80 of two topics, and 20 whose text is that of rows 0 to 19."""
    rng = np.random.default_rng(0)
    pairs = []
    for i in range(80):
        words = TOPICS[list(TOPICS)[i % 2]]
        pairs.append((f"Tell me about {' '.join(rng.choice(words, 4))}", " ".join(rng.choice(words, 9))))
    rows = []
    for i, (prompt, response) in enumerate([*pairs, *pairs[:COPIES]]):
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        rows.append(Row(messages, json.dumps({"instruction": prompt, "output": response}), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("d4"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("d4").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("d4").about
    assert "2308.12284" in about["source"]
    assert about["method_class"] == "statistical"
    assert about["purpose"] == "duplicates"
    assert about["when"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}


def test_the_two_shares_multiply(workspace):
    done = go(workspace)
    assert len(done.artifact("unique")) == 75
    assert len(done.artifact("pick")) == 50  # 67 % of 75, rounded half up
    done = go(workspace, "unique.budget=80%", "pick.budget=25%")
    assert (len(done.artifact("unique")), len(done.artifact("pick"))) == (80, 20)


def test_copies_go_first(workspace):
    done = go(workspace, "unique.budget=80%")
    unique = done.artifact("unique")
    texts = np.array(workspace.dataset("planted").texts())
    assert len(set(texts[unique.order])) == 80
    assert set(texts[unique.order]) == set(texts)


def test_survivors_are_clustered_anew_and_nothing_else(workspace):
    done = go(workspace)
    unique, again, first = (done.artifact(s) for s in ("unique", "again", "clusters"))
    assert isinstance(again, Labels)
    np.testing.assert_array_equal(again.codes >= 0, unique.mask)
    assert again.info["k"] == 3
    assert (first.codes >= 0).all()
    out = int(np.flatnonzero(~unique.mask)[0])
    assert "outside `unique`" in str(again.missing.reason(out))


def test_the_rows_closest_to_their_new_centroids_are_dropped(workspace):
    done = go(workspace)
    features, again, unique, difficulty, picks = (
        done.artifact(s) for s in ("embed", "again", "unique", "difficulty", "pick")
    )
    apart = centroid_distances(unit_rows(features.values).values, np.asarray(again.codes, np.int64))
    np.testing.assert_allclose(difficulty.values[unique.mask], apart[unique.mask])
    assert difficulty.missing.mask.sum() == 25
    assert isinstance(picks, Selection)
    assert unique.mask[picks.order].all()
    dropped = np.setdiff1d(unique.order, picks.order)
    assert apart[dropped].max() <= apart[picks.order].min()
    assert (np.diff(picks.gains) <= 0).all()


def test_every_row_that_is_out_says_at_which_stage(workspace):
    done = go(workspace)
    unique, picks = done.artifact("unique"), done.artifact("pick")
    for row in np.flatnonzero(~picks.mask):
        assert ("beyond the budget" if unique.mask[row] else "outside `unique`") in picks.why(int(row))


def test_another_share_of_the_second_stage_repeats_nothing_before_it(workspace):
    go(workspace)
    done = go(workspace, "pick.budget=20%")
    assert {s.name for s in done.steps if not s.reused} == {"pick"}
