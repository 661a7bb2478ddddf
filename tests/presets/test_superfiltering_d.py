"""Superfiltering.D, stage by stage, with the tiny model and the small encoder."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Selection
from curation.core.dataset import Row
from curation.core.method import Purpose
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.selectors.facility_location import facility_location
from curation.workspace import Workspace

WORDS = ["a", "river", "runs", "over", "green", "stone", "and", "the", "lamp", "is", "seven"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """60 rows of words."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        prompt, answer = " ".join(rng.choice(WORDS, 4)), " ".join(rng.choice(WORDS, rng.integers(3, 8)))
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        rows.append(Row(turns, "{}", "planted.json", i, "messages"))
    made = Workspace.open(tmp_path_factory.mktemp("superfiltering-d"))
    made.add_rows(rows, "planted")
    return made


def test_it_says_where_it_comes_from_what_it_is_for_and_which_defaults_are_ours():
    about = Recipe.read("superfiltering-d").about
    assert "2402.00530" in about["source"]
    assert about["method_class"] == "zero-order"
    assert about["purpose"] in Purpose.__args__
    assert about["when"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}


def test_the_hardest_rows_are_thinned_by_facility_location(workspace, tiny_causal):
    settings = (
        f"base.name={tiny_causal}",
        "embed.use=encoder/tfidf",
        "embed.dims=4",
        "hard.budget=50%",
        "pick.budget=5",
    )
    recipe = Recipe.read("superfiltering-d").with_settings(settings)
    done = run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())
    ifd, fits, hard, embed, pick = (done.artifact(name) for name in ("ifd", "fits", "hard", "embed", "pick"))
    assert isinstance(pick, Selection)
    below = np.flatnonzero(ifd.values < 1)
    assert sorted(fits.order.tolist()) == below.tolist()
    share = int(len(below) / 2 + 0.5)
    assert hard.order.tolist() == below[np.argsort(-ifd.values[below], kind="stable")][:share].tolist()
    assert sorted(np.flatnonzero(~embed.missing.mask)) == sorted(hard.order)  # the others are not encoded
    rows = np.sort(hard.order)
    assert pick.order.tolist() == rows[facility_location(embed.values[rows], 5).order].tolist()


def test_the_shares_as_they_stand(workspace, tiny_causal):
    settings = (f"base.name={tiny_causal}", "embed.use=encoder/tfidf", "embed.dims=4")
    recipe = Recipe.read("superfiltering-d").with_settings(settings)
    done = run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())
    hard = max(1, int(0.2 * len(done.artifact("fits")) + 0.5))
    assert len(done.artifact("hard")) == hard
    assert len(done.artifact("pick")) == max(1, int(0.1 * hard + 0.5))
