"""InsTag with tags by a chat model, stage by stage: the model is the stand-in, then a server that knows the tags."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

TAGS = [f"subject {chr(97 + i)}" for i in range(9)]


@pytest.fixture
def planted(tmp_path):
    """40 rows, each asking for 0 to 4 of nine subjects; the replies that name them, by the text of the row."""
    rng = np.random.default_rng(0)
    rows, replies = [], {}
    for i in range(40):
        tags = sorted(rng.choice(TAGS, int(rng.integers(0, 5)), replace=False).tolist())
        prompt = f"This is the request number {i:02} of them"
        replies[prompt] = {"tags": [{"tag": tag, "explanation": "planted"} for tag in tags]}
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "Yes."}]
        rows.append(Row(messages, "{}", "planted.json", i, "messages"))
    workspace = Workspace.open(tmp_path / "workspace")
    workspace.add_rows(rows, "planted")
    path = tmp_path / "tags.json"
    path.write_text(json.dumps(replies))
    return workspace, path, [{t["tag"] for t in r["tags"]} for r in replies.values()]


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("instag-judge").with_settings(settings)
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def in_passes(tags: list[set[str]]) -> list[int]:
    """The published loop, word for word."""
    left = sorted((i for i, t in enumerate(tags) if t), key=lambda i: (-len(tags[i]), i))
    order: list[int] = []
    while left:
        covered: set[str] = set()
        rest = []
        for i in left:
            if tags[i] - covered:
                covered |= tags[i]
                order.append(i)
            else:
                rest.append(i)
        left = rest
    return order


def test_the_selection_is_the_one_of_the_tags_that_the_model_knows(planted, loopback):
    workspace, path, tags = planted
    server = loopback(judge="planted", planted=str(path))
    done = go(workspace)
    assert done.artifact("pick").order.tolist() == in_passes(tags)
    labels = done.artifact("tags")
    assert set(labels.names) == set().union(*tags)
    assert labels.info["proxy"] is False
    assert server.stats()["calls"] == 40
    assert labels.missing.counts() == {"no tags": sum(not t for t in tags)}


def test_other_parameters_ask_nothing_again(planted, loopback):
    workspace, path, _ = planted
    server = loopback(judge="planted", planted=str(path))
    go(workspace)
    done = go(workspace, "tags.min_count=9", "pick.budget=5")
    assert server.stats()["calls"] == 40
    assert len(done.artifact("tags").names) < len(TAGS)


def test_another_attempt_asks_only_about_rows_that_failed(planted, loopback):
    workspace, path, _ = planted
    odd = {"fault": "says", "text": "no idea", "match": "number 07", "times": 2}
    server = loopback(judge="planted", planted=str(path), faults=[odd])
    assert go(workspace).artifact("tags").missing.reason(7) == "the reply has no JSON"
    assert server.stats()["calls"] == 41
    done = go(workspace, "tags.attempt=1")
    assert server.stats()["calls"] == 42
    assert done.artifact("tags").missing.reason(7) in (None, "no tags")


def test_the_stand_in_shows_the_steps_and_says_what_it_is(planted):
    workspace, _, _ = planted
    done = go(workspace)
    assert len(done.artifact("pick")) == 40
    assert done.artifact("tags").info["stand_in"] is True


def test_mig_takes_the_same_tags(planted):
    workspace, _, _ = planted
    recipe = Recipe.read("mig").with_settings(("tags.use=labeller/instag", "embed.use=encoder/tfidf", "pick.budget=5"))
    done = run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())
    assert len(done.artifact("pick")) == 5
    assert done.artifact("tags").info["stand_in"] is True


def test_it_says_where_it_comes_from_and_what_is_ours():
    about = Recipe.read("instag-judge").about
    assert "2308.07074" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
