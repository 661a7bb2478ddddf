"""The AlpaGasus preset from end to end, against a judge on this machine that knows which rows of the demo are sound."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.artifacts import Score, Selection
from curation.core.runtime import Runtime
from curation.core.spending import Meter
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from tests.presets.knows_demo import BAD, value

ROWS = 200
KNOWS = "tests.presets.knows_demo:judge"


@pytest.fixture(scope="module")
def demo(demo_file, tmp_path_factory):
    """A workspace with 200 rows of the demo dataset, good and bad in turns, and the records."""
    records = json.loads(demo_file.read_text())
    bad = [r for r in records if r["planted"] in BAD][:60]
    good = [r for r in records if not r["planted"]][: ROWS - len(bad) - 3]
    empty = [r for r in records if r["planted"] == "empty"][:3]
    chosen = [r for pair in zip(good, bad, strict=False) for r in pair] + good[len(bad) :] + empty
    folder = tmp_path_factory.mktemp("alpagasus")
    (folder / "demo.json").write_text(json.dumps(chosen))
    workspace = Workspace.open(folder / "ws")
    workspace.add([folder / "demo.json"], name="demo")
    return workspace, chosen


def go(workspace, *settings, meter=None):
    recipe = Recipe.read("alpagasus").with_settings(settings)
    runtime = Runtime(replies=workspace.root / "replies.sqlite", meter=meter or Meter())
    return run(plan(recipe, workspace, {"pool": "demo"}), workspace, runtime)


def kept(done) -> set[int]:
    keep = done.artifact("keep")
    assert isinstance(keep, Selection)
    return set(keep.order.tolist())


def test_a_judge_who_knows_the_answers_keeps_exactly_the_known_rows(demo, loopback):
    workspace, chosen = demo
    server = loopback(judge=KNOWS)
    done = go(workspace, "judge.audit=0")
    judge = done.artifact("judge")
    assert isinstance(judge, Score)
    expected = np.array([value(r) if r["output"].strip() else np.nan for r in chosen])
    np.testing.assert_array_equal(judge.values, expected)
    sound = {i for i, r in enumerate(chosen) if not r["planted"]}
    assert kept(done) == sound == {i for i, v in enumerate(expected) if v >= 4.5}
    assert 0 < len(sound) < len(chosen)
    assert server.stats()["calls"] == np.isfinite(expected).sum()
    assert judge.missing.counts() == {"no response to judge": 3}
    assert judge.columns["explanation"][0].startswith(f"{expected[0]:g}\n")
    assert judge.info["model"] == "loopback"
    assert "stand_in" not in judge.info


def test_a_second_run_asks_nobody_and_another_question_asks_anew(demo, loopback):
    workspace, chosen = demo
    server = loopback(judge=KNOWS)
    readable = sum(bool(r["output"].strip()) for r in chosen)
    first = go(workspace, "judge.seed=1")  # another result, so that the engine does not just remember it
    before = server.stats()["calls"]
    assert before >= readable
    meter = Meter()
    again = go(workspace, "judge.seed=1", "keep.above=4", meter=meter)
    assert server.stats()["calls"] == before
    assert meter.calls == 0
    assert kept(first) <= kept(again)
    judge = Recipe.read("alpagasus").with_settings(["judge.seed=1"])
    asked = plan(judge, workspace, {"pool": "demo"})
    method = next(step.method for step in asked.steps if step.name == "judge")
    meter = Meter()
    made = method.score(workspace.dataset("demo"), Runtime(replies=workspace.root / "replies.sqlite", meter=meter))
    assert meter.calls == 0
    assert meter.reused >= readable
    np.testing.assert_array_equal(made.values, first.artifact("judge").values)
    go(workspace, "judge.audit=0", "judge.dimension=helpfulness")
    assert server.stats()["calls"] == before + readable


def test_a_quantile_and_quotas_in_place_of_the_value(demo):
    workspace, _ = demo
    stand_in = ("judge.connection=stand-in", "embed.use=encoder/tfidf", "embed.dims=8", "groups.k=4")
    done = go(workspace, *stand_in, "keep.above=null", "keep.above_quantile=0.8")
    values = done.artifact("judge").values
    there = values[np.isfinite(values)]
    assert kept(done) == {i for i, v in enumerate(values) if v >= np.quantile(there, 0.8)}
    share = go(workspace, *stand_in, "keep.use=selector/top-k", "keep.budget=18%")
    assert len(kept(share)) == round(0.18 * len(there))
    quota = go(workspace, *stand_in, "keep.quota=$groups", "keep.above=2", "keep.at_most=5")
    labels = quota.artifact("groups").codes
    counts = np.bincount(labels[sorted(kept(quota))], minlength=4)
    assert counts.max() == 5
    assert done.artifact("judge").info["stand_in"] is True
    assert done.artifact("judge").info["weak"] is True


def test_thresholds_nest_and_are_inclusive(demo):
    workspace, _ = demo
    found = [kept(go(workspace, "judge.connection=stand-in", f"keep.above={t}")) for t in (0, 2, 4, 4.5, 5)]
    for lower, higher in zip(found, found[1:], strict=False):
        assert higher <= lower
    values = go(workspace, "judge.connection=stand-in").artifact("judge").values
    assert found[0] == set(np.flatnonzero(np.isfinite(values)).tolist())
    assert found[3] == set(np.flatnonzero(values >= 4.5).tolist())
    assert (values == 4.5).any()


def test_it_says_where_it_comes_from_and_which_defaults_are_ours():
    about = Recipe.read("alpagasus").about
    assert "2307.08701" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    assert "code" in about["scope"]
    assert Recipe.read("alpagasus").steps["keep"]["above"] == 4.5
