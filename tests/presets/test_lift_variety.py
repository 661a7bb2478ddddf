"""LIFT's variety, stage by stage, on a pool with planted outliers and copies; the encoder is the small one."""

from __future__ import annotations

import numpy as np
import pytest

from curation.core.artifacts import Features, Score, Selection
from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

USUAL = [
    ["bake", "bread", "flour", "oven", "butter", "dough", "sugar", "yeast", "knead", "whisk"],
    ["court", "judge", "contract", "appeal", "statute", "jury", "verdict", "clause", "tenant", "claim"],
    ["river", "stone", "valley", "bridge", "forest", "meadow", "cliff", "delta", "lake", "dune"],
    ["violin", "chord", "melody", "rhythm", "opera", "tempo", "sonata", "choir", "flute", "cello"],
]
ODD = ["comet", "orbit", "telescope", "galaxy", "meteor", "nebula", "quasar", "eclipse"]
ROWS, COPIES = 100, [40, 70]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """96 rows of four topics, four about the sky: row 7, its copies 40 and 70, and row 90."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(ROWS):
        words = ODD if i in (7, 90) else USUAL[i % 4]
        prompt, answer = f"Tell me of {' '.join(rng.choice(words, 5))}", " ".join(rng.choice(words, 10))
        if i in COPIES:
            prompt, answer = (turn["content"] for turn in rows[7].messages)
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        rows.append(Row(turns, "{}", "planted.json", i, "messages"))
    made = Workspace.open(tmp_path_factory.mktemp("lift"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    small = ("embed.use=encoder/tfidf", "embed.dims=8", *settings)
    return run(
        plan(Recipe.read("lift-variety").with_settings(small), workspace, {"pool": "planted"}), workspace, Runtime()
    )


def test_it_says_where_it_comes_from_what_it_picks_and_which_defaults_are_ours():
    about = Recipe.read("lift-variety").about
    assert "2312.11508" in about["source"]
    assert about["method_class"] == "statistical"
    assert about["purpose"] == "diversity and quality"
    assert about["when"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    scope = " ".join(about["scope"].split())
    assert "outliers" in scope
    assert "does not remove redundancy" in scope
    assert "near-duplicates" in about["use"]


def test_rows_strictly_above_the_80th_percentile_of_variety_are_kept(workspace):
    done = go(workspace)
    embed, variety, keep = (done.artifact(name) for name in ("embed", "variety", "keep"))
    assert isinstance(embed, Features)
    assert isinstance(variety, Score)
    assert isinstance(keep, Selection)
    points = np.asarray(embed.values, np.float64)
    standard = (points - points.mean(axis=0)) / points.std(axis=0)
    energy = (standard**2).sum(axis=1)
    assert np.corrcoef(energy, variety.values)[0, 1] > 0.7  # it is in effect the distance from the mean
    assert sorted(keep.order.tolist()) == np.flatnonzero(variety.values > np.percentile(variety.values, 80)).tolist()
    assert len(keep) <= 20
    assert {7, 90, *COPIES} <= set(keep.order.tolist())  # outliers, all copies of one among them
    assert "the quantile 0.8" in keep.why(int(np.argmin(variety.values)))


def test_copies_go_when_the_filter_is_switched_on(workspace):
    done = go(workspace, "variety.within=$unique")
    variety, keep = done.artifact("variety"), done.artifact("keep")
    assert 7 in keep.order
    assert not set(COPIES) & set(keep.order.tolist())
    assert np.isnan(variety.values[COPIES]).all()
    assert "near-duplicate" in keep.why(40)
    there = variety.values[np.isfinite(variety.values)]
    assert len(keep) == (there > np.percentile(there, 80)).sum()


def test_the_papers_count_and_the_other_form_can_be_had(workspace):
    usual = go(workspace).artifact("variety")
    paper = go(workspace, "variety.components=paper").artifact("variety")
    energy = go(workspace, "variety.variety=energy").artifact("variety")
    assert paper.info["components"] == usual.info["components"] - 1
    assert energy.values.tolist() == usual.columns["energy"].tolist()
