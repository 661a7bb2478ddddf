"""LIFT, stage by stage, against a chat server on this machine; the encoder is the small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Derived
from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from tests.presets.lift_server import BLOCK

ROWS = 40
SMALL = ("embed.use=encoder/tfidf", "embed.dims=8", "quality.audit=0", "pick.budget=10")
TOPICS = (["bake", "bread", "flour", "oven", "butter"], ["court", "judge", "appeal", "jury", "clause"])


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """40 rows of two topics."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(ROWS):
        words = TOPICS[i % 2]
        record = {
            "instruction": f"Tell me of {' '.join(rng.choice(words, 3))} {i}.",
            "input": "",
            "output": "So be it.",
        }
        messages = [{"role": "user", "content": record["instruction"]}, {"role": "assistant", "content": "So be it."}]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path / "workspace")
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str):
    recipe = Recipe.read("lift").with_settings((*SMALL, *settings))
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, Runtime())


def asked_of(server) -> dict[str, int]:
    """Requests by what they were for."""
    counts = {"rewriting": 0, "judging": 0, "answering": 0}
    for text, times in server.stats(texts=True)["seen"].items():
        kind = "rewriting" if BLOCK.search(text) else "judging" if "larity" in text else "answering"
        counts[kind] += times
    return counts


def test_each_stage_and_the_judge_reads_exactly_what_variety_kept(workspace, loopback):
    server = loopback(judge="tests.presets.lift_server:reply")
    done = go(workspace)
    expand, variety, keep, quality, length, total, pick = (
        done.artifact(name) for name in ("expand", "variety", "keep", "quality", "length", "total", "pick")
    )
    assert isinstance(expand, Derived)
    wide = workspace.dataset(expand.rows)
    assert len(wide) == 3 * ROWS
    assert (expand.children() == 3).all()
    assert [r["lift_round"] for r in wide.records()] == [0] * ROWS + [1] * ROWS + [2] * ROWS

    kept = np.flatnonzero(variety.values > np.percentile(variety.values, 80))
    assert sorted(keep.order.tolist()) == kept.tolist()
    assert len(kept) == 24
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(quality.values)), kept)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(length.values)), kept)
    assert asked_of(server) == {"rewriting": 2 * ROWS, "answering": 3 * ROWS, "judging": len(kept)}

    characters = wide.lengths("prompt")[kept] + wide.lengths("response")[kept]
    cap = np.quantile(characters, 0.98)
    np.testing.assert_allclose(length.values[kept], 100 * np.minimum(1, characters / cap))
    np.testing.assert_allclose(total.values[kept], 0.9 * quality.values[kept] + 0.1 * length.values[kept])
    best = kept[np.argsort(-total.values[kept], kind="stable")][:10]
    assert pick.order.tolist() == best.tolist()


def test_what_was_paid_for_is_not_asked_again(workspace, loopback):
    server = loopback(judge="tests.presets.lift_server:reply")
    go(workspace)
    before = server.stats()["calls"]
    go(workspace, "pick.budget=5")
    go(workspace, "keep.above_quantile=0.9")  # fewer rows, all of them judged before
    assert server.stats()["calls"] == before
    more = go(workspace, "keep.above_quantile=0.7").artifact("keep")
    assert len(more) > 24
    assert server.stats()["calls"] == before + len(more) - 24
    go(workspace, "expand.regenerate=false", "pick.budget=5")
    assert asked_of(server)["rewriting"] == 2 * ROWS


def test_rows_that_fail_stay_out_and_the_rest_goes_on(workspace, loopback):
    loopback(
        judge="tests.presets.lift_server:reply",
        faults=[{"fault": "says", "text": "<new_prompt>half", "match": "bread", "per": "text"}],
    )
    done = go(workspace)
    expand = done.artifact("expand")
    lost = sum("bread" in text for text in workspace.dataset("planted").texts("prompt"))
    assert lost > 5
    assert expand.info["not made"]["round 1: the new prompt has no end"] == lost
    assert len(done.artifact("pick")) > 0


def test_the_stand_in_shows_the_steps_and_says_what_it_is(workspace):
    done = go(workspace, "keep.above_quantile=0.5")
    assert len(done.artifact("pick")) == 10
    assert done.artifact("expand").info["stand_in"] is True


def test_it_says_where_it_comes_from_and_what_is_ours():
    about = Recipe.read("lift").about
    assert "2312.11508" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
