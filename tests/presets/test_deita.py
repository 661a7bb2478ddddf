"""The DEITA presets from end to end: against a chat server on this machine that judges by a known rule."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.core.spending import Meter
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from tests.presets.deita_server import HARD, worth

WORDS = ["river", "stone", "lamp", "bread", "cloud", "green", "quiet", "engine", "window", "salt", "paper", "court"]
SERVER = "tests.presets.deita_server:reply"
N = 60


def hard(rng) -> str:
    return " ".join(HARD[: rng.integers(0, 6)])


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """60 rows, of which row 7 has two turns, row 9 no answer, and row 59 equals row 0."""
    rows = []
    for i in range(N):
        rng = np.random.default_rng(0 if i == N - 1 else i)
        texts = [
            f"Tell {' '.join(rng.choice(WORDS, 4))} {hard(rng)}?",
            f"So {' '.join(rng.choice(WORDS, 6))} {hard(rng)}.",
        ]
        if i == 7:
            texts += [f"And {hard(rng)}?", f"It is {hard(rng)}."]
        if i == 9:
            texts[1] = ""
        messages = [{"role": "assistant" if k % 2 else "user", "content": text} for k, text in enumerate(texts)]
        rows.append(Row(messages, json.dumps({"messages": messages}), "planted.json", i, "messages"))
    made = Workspace.open(tmp_path / "workspace")
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, preset: str, *settings: str):
    recipe = Recipe.read(preset).with_settings(settings)
    runtime = Runtime(replies=workspace.root / "replies.sqlite", meter=Meter())
    return run(plan(recipe, workspace, {"pool": "planted"}), workspace, runtime), runtime.meter


def known(workspace: Workspace) -> np.ndarray:
    """Σ complexity · quality of every row, as the server's rule says."""
    pool = workspace.dataset("planted")
    values = []
    for row in range(N):
        texts = [m["content"] for m in pool.messages(row)]
        values.append(sum(worth(q) * worth(a) for q, a in zip(texts[::2], texts[1::2], strict=True)))
    return np.array([np.nan if row == 9 else value for row, value in enumerate(values)])


def test_a_judge_that_knows_gives_the_exact_scores_and_the_filter_drops_the_copy(workspace, loopback):
    server = loopback(judge=SERVER)
    done, meter = go(workspace, "deita", "pick.budget=100%", "pick.max_similarity=0.999")
    quality, pick = done.artifact("quality"), done.artifact("pick")
    expected = known(workspace)
    np.testing.assert_array_equal(quality.values, expected)
    assert quality.missing.reason(9) == "no response to judge"
    assert quality.columns["turns"][7] == 2
    assert (
        server.stats()["calls"] == 2 * (N - 1) == meter.calls + meter.reused - 2
    )  # two rows are equal: two are reused
    order = [int(i) for i in np.argsort(-expected, kind="stable") if i not in (9, N - 1)]
    assert pick.order.tolist() == order
    assert int(pick.covered_by[N - 1]) == 0
    again, meter = go(workspace, "deita", "pick.budget=5", "pick.max_similarity=0.999")
    assert again.artifact("pick").order.tolist() == order[:5]
    assert meter.calls == 0


def test_scorers_are_trained_on_families_that_were_ranked_together(workspace, loopback):
    server = loopback(judge=SERVER)
    done, _ = go(workspace, "deita-scorer", "seed.budget=40", "pick.budget=20")
    seed, questions, answers = (done.artifact(name) for name in ("seed", "questions", "answers"))
    inside = set(seed.order.tolist())
    assert len(inside) == 40
    evolved = workspace.dataset(questions.rows)
    assert set(questions.parents.tolist()) == inside - {7}
    assert set(answers.parents.tolist()) == inside - {7, 9}
    assert evolved.field("evol_score") == [worth(text) for text in evolved.texts("prompt")]
    assert len(evolved) == 6 * len(inside - {7})
    assert server.stats()["calls"] <= 6 * (len(inside - {7}) + len(inside - {7, 9}))
    complexity, quality, score = (done.artifact(name) for name in ("complexity", "quality", "score"))
    for made in (complexity, quality):
        assert ((made.values >= 1) & (made.values <= 6)).all()
        assert made.info["siblings_in_order"] > 0.8  # the rule is in the words
        assert made.info["left_out_r2"] > 0.3
    assert complexity.info["families"] == len(inside - {7})
    np.testing.assert_allclose(score.values, complexity.values * quality.values)
    picks = done.artifact("pick")
    assert 0 < len(picks) <= 20
    assert (np.diff(score.values[picks.order]) <= 0).all()


@pytest.mark.parametrize("preset", ["deita", "deita-scorer"])
def test_without_network_it_runs_on_the_stand_in_and_says_so(workspace, preset):
    about = Recipe.read(preset).about
    small = ("seed.budget=12",) if preset == "deita-scorer" else ()
    done, _ = go(workspace, preset, *about["without_network"], "pick.budget=5", *small)
    judged = "quality" if preset == "deita" else "questions"
    assert done.artifact(judged).info["stand_in"] is True
    assert 0 < len(done.artifact("pick")) <= 5


@pytest.mark.parametrize("preset", ["deita", "deita-scorer"])
def test_what_is_published_and_what_is_ours_is_told_apart(preset):
    about = Recipe.read(preset).about
    assert "2312.15685" in about["source"]
    assert set(about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    assert any("0.9" in line for line in about["defaults_marked"]["published"])
    assert any("encoder" in line for line in about["defaults_marked"]["ours"])
