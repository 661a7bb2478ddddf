"""The preset judge-distilled, stage by stage, with a column of the file as the judge."""

from __future__ import annotations

import json

import numpy as np
import pytest

from curation.core.dataset import Row
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

GOOD = ["river", "stone", "lamp", "seven", "bread", "cloud"]
BAD = ["um", "whatever", "dunno", "stuff", "thing", "meh"]
N = 420
SMALL = (
    "embed.use=encoder/tfidf", "embed.dims=16", "drawn.budget=150", "check.budget=110",
    *(f"next_{k}.budget=20" for k in (1, 2, 3)),
)  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    """Rows whose share of good words a judge would go by; it said nothing of rows 0, 40, 80, ..."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(N):
        share = rng.random()
        words = [str(rng.choice(GOOD if rng.random() < share else BAD)) for _ in range(14)]
        rating = round(2 * np.clip(5.6 * np.mean([w in GOOD for w in words]) + 0.3 * rng.normal(), 0, 5)) / 2
        record = {"instruction": f"Say it {i}", "output": " ".join(words), "truth": rating}
        if i % 40:
            record["rating"] = rating
        messages = [
            {"role": "user", "content": record["instruction"]},
            {"role": "assistant", "content": record["output"]},
        ]
        rows.append(Row(messages, json.dumps(record), "planted.json", i, "alpaca"))
    made = Workspace.open(tmp_path_factory.mktemp("judge-distilled"))
    made.add_rows(rows, "planted")
    return made


def go(workspace: Workspace, *settings: str, judge: bool = False):
    recipe = Recipe.read("judge-distilled")
    column = () if judge else recipe.about["without_network"]
    return run(
        plan(recipe.with_settings([*column, *SMALL, *settings]), workspace, {"pool": "planted"}), workspace, Runtime()
    )


@pytest.fixture(scope="module")
def done(workspace):
    return go(workspace, "pick.rate=0.2")


def truth(workspace):
    return np.array(workspace.dataset("planted").field("truth"), float)


def test_each_round_judges_new_rows_and_never_those_kept_for_calibration(done):
    check, begin = done.artifact("check").order, done.artifact("begin").order
    assert len(check) == 110
    assert len(begin) == 40
    assert set(check).isdisjoint(begin)
    known = set(begin)
    for k in (1, 2, 3):
        new = done.artifact(f"next_{k}").order
        assert len(new) == 20
        assert known.isdisjoint(new)
        assert set(check).isdisjoint(new)
        known |= set(new)
        # the judge is asked about the union, so that what it said before is read again and nothing else
        present = np.flatnonzero(~done.artifact(f"judge_{k + 1}").missing.mask)
        assert set(present) == {row for row in known if row % 40}


def test_the_final_model_learns_what_was_judged_and_is_measured_on_the_rest(done, workspace):
    final, check = done.artifact("final"), done.artifact("check").order
    rated = [row for row in check if row % 40]
    assert final.info["n_cal"] == len(rated)
    assert final.info["n_train"] == sum(row % 40 != 0 for row in done.artifact("asked_3").order)
    assert final.info["calibration"]["spearman"] > 0.8
    assert final.info["calibration"]["auc"] > 0.9
    assert final.info["more"]["more"] == 200
    open_rows = final.columns["judged"] == 0
    inside = (final.columns["low"] <= truth(workspace)) & (truth(workspace) <= final.columns["high"])
    assert inside[open_rows].mean() > 0.8
    judged = ~open_rows
    np.testing.assert_array_equal(final.values[judged], truth(workspace)[judged])


def test_the_picks_are_good_at_about_the_rate_and_judged_ones_surely(done, workspace):
    pick, final = done.artifact("pick"), done.artifact("final")
    good = truth(workspace) >= 4.5
    judged = final.columns["judged"] == 1
    mask = pick.mask
    np.testing.assert_array_equal(mask[judged], good[judged])
    assert pick.info["taken_by_test"] == mask[~judged].sum() > 5
    assert (~good[mask]).mean() <= 0.3


def test_another_round_and_another_rate_keep_what_is_there(workspace, done):
    again = go(workspace, "pick.rate=0.2")
    assert all(step.reused for step in again.steps)
    wider = go(workspace, "pick.rate=0.3")
    assert [step.name for step in wider.steps if not step.reused] == ["pick"]
    assert len(wider.artifact("pick")) >= len(done.artifact("pick"))


def test_it_runs_with_the_judge_of_the_tests_and_marks_what_comes_of_it(workspace):
    made = go(workspace, judge=True)
    final = made.artifact("final")
    assert final.info["stand_in"] is True
    assert final.info["weak"] is True
    assert made.artifact("judge_4").name in final.name


def test_it_says_what_is_ours():
    about = Recipe.read("judge-distilled").about
    assert set(about["defaults_marked"]) == {"published", "ours"}
    assert "2307.08701" in about["source"]
