"""The InsTag preset, stage by stage, on a pool with a field of tags."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import Row
from curation.core.errors import CurationError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """60 rows with 0 to 4 of 12 tags."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        tags = [f"Tag {t}" for t in rng.choice(12, int(rng.integers(0, 5)), replace=False)]
        record = {"instruction": f"Ask {i}", "output": f"So be it {i}.", "tags": ", ".join(tags)}
        messages = [{"role": "user", "content": record["instruction"]}, {"role": "assistant", "content": "Yes."}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("instag"))
    made.add_rows(rows, "planted")
    return made


TAGGED = ("tags.field=tags", "tags.labels=null")


def go(workspace: Workspace, *settings: str, of: tuple[str, ...] = TAGGED):
    recipe = Recipe.read("instag").with_settings([*of, *settings])
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def test_without_tags_the_picks_go_round_the_clusters(workspace):
    done = go(workspace, "clusters.k=6", "pick.budget=12", of=())
    clusters = np.asarray(done.artifact("clusters").codes)
    order = done.artifact("pick").order
    assert sorted(clusters[order[:6]]) == list(range(6))
    assert len(order) == 12


def test_it_says_where_it_comes_from_and_what_is_ours():
    about = Recipe.read("instag").about
    assert "2308.07074" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}


def test_rows_with_many_tags_come_first_and_few_rows_cover_all_tags(workspace):
    done = go(workspace, "pick.budget=20")
    picks, tags = done.artifact("pick"), done.artifact("tags")
    table = tags.columns["tags"]
    size = (table >= 0).sum(axis=1)
    assert picks.order[0] == size.argmax()
    first = picks.order[: picks.info["picks_for_all"]]
    assert set(table[first].ravel()) - {-1} == set(range(len(tags.names)))
    assert picks.info["vocabulary"] == len(tags.names) == 12
    assert len(first) < 12
    assert (size[picks.order] > 0).all()


def test_a_budget_beyond_the_tagged_rows_is_short_and_says_so(workspace):
    done = go(workspace)
    picks = done.artifact("pick")
    untagged = int((done.artifact("tags").codes < 0).sum())
    assert untagged
    assert len(picks) == 60 - untagged
    assert picks.short_by == 6000 - len(picks)
    assert "no tags" in picks.short_reason


def test_a_field_that_is_not_there_is_named(workspace):
    with pytest.raises(CurationError, match="no record has the field 'topics'"):
        go(workspace, "tags.field=topics")
