"""What a plan's asking steps will cost: limits, then what a probe, a stopped run or a finished run taught."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation import jobs
from curation.core.errors import CapReached
from curation.core.runtime import Runtime
from curation.core.spending import Caps
from curation.estimates import as_dicts, estimate, total
from curation.estimates.forecast import probe_steps
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from tests.test_engine import rows

JUDGE = """
inputs: {pool: Dataset}
steps:
  judge: {use: scorer/alpagasus, on: $pool, audit: 0}
result: $judge
"""
WITHIN = """
inputs: {pool: Dataset}
steps:
  some: {use: selector/random, on: $pool, budget: 20}
  judge: {use: scorer/alpagasus, on: $pool, audit: 0, within: $some}
result: $judge
"""
EXPANDED = """
inputs: {pool: Dataset}
steps:
  expand: {use: generator/lift-expand, on: $pool, rounds: 1}
  judge: {use: scorer/alpagasus, on: $expand, audit: 0}
result: $judge
"""
N = 80


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    file = tmp_path / "connections.yaml"
    file.write_text("judge: {kind: stand-in, prices: {input: 1.0, output: 2.0, currency: EUR}}\n")
    monkeypatch.setenv("CURATION_CONNECTIONS", str(file))
    ws = Workspace.open(tmp_path / "ws")
    ws.add_rows(rows(N), "rows")
    return ws


def judged(workspace: Workspace, text: str = JUDGE, name: str = "rows"):
    made = plan(Recipe.read(text), workspace, {"pool": name})
    return made, {e.step: e for e in estimate(made, workspace, Runtime(), calibrate=False)}


def test_before_anything_only_limits_are_known(workspace):
    _, found = judged(workspace)
    cost = found["judge"].asks
    assert (cost.basis, cost.rows, cost.calls.value) == ("text", N, N)
    assert found["judge"].basis == "unknown"  # of its time nothing is known
    assert found["judge"].money == cost.money.value > 0
    assert cost.stand_in
    assert not (workspace.root / "replies.sqlite").exists()


def test_a_probe_is_remembered_and_not_repeated(workspace):
    made, _ = judged(workspace)
    first = probe_steps(made, workspace, Runtime())["judge"]
    assert (first.spent["calls"], first.rows) == (30, N - 30)
    _, found = judged(workspace)
    assert (found["judge"].asks.basis, found["judge"].basis) == ("probe", "probe")
    assert found["judge"].asks.tokens_in == first.tokens_in
    again = probe_steps(made, workspace, Runtime())["judge"]
    assert again.spent == {}
    assert again.tokens_in == first.tokens_in


def test_a_stopped_run_teaches_what_the_rest_costs(workspace):
    recipe = Recipe.read(JUDGE)
    with pytest.raises(CapReached):
        jobs.run_here(workspace, recipe, {"pool": "rows"}, caps=Caps(calls=40))
    _, found = judged(workspace)
    cost = found["judge"].asks
    assert (cost.basis, cost.rows, cost.calls.value) == ("replies", 40, 40)
    _, outcome = jobs.run_here(workspace, recipe, {"pool": "rows"})
    spent = outcome.steps[0].spent
    assert cost.tokens_in.holds(spent["tokens_in"])
    assert spent["calls"] == 40
    assert spent["reused"] == 40


def test_a_finished_run_teaches_what_other_rows_cost(workspace):
    jobs.run_here(workspace, Recipe.read(JUDGE), {"pool": "rows"})
    made, found = judged(workspace)
    assert found["judge"].basis == "stored"
    assert found["judge"].asks is None
    assert total(list(found.values()))["money"] == 0
    workspace.add_rows(rows(200, start=1000), "other")
    _, found = judged(workspace, name="other")
    cost = found["judge"].asks
    assert (cost.basis, cost.rows) == ("history", 200)
    _, outcome = jobs.run_here(workspace, Recipe.read(JUDGE), {"pool": "other"})
    spent = outcome.steps[0].spent
    assert cost.calls.value == spent["calls"] == 200
    assert cost.tokens_in.holds(spent["tokens_in"])
    assert cost.money.holds(spent["money"])


def test_rows_that_a_selection_will_leave_are_counted_before_and_after(workspace):
    _, before = judged(workspace, WITHIN)
    assert before["judge"].asks.rows == 20
    assert before["judge"].asks.calls.value == pytest.approx(20)
    jobs.run_here(workspace, Recipe.read(WITHIN).upto("some"), {"pool": "rows"})
    made, after = judged(workspace, WITHIN)
    assert (after["judge"].asks.rows, after["judge"].asks.calls.value) == (20, 20)
    probed = probe_steps(made, workspace, Runtime(), rows=10)["judge"]
    assert (probed.spent["calls"], probed.rows) == (10, 10)


def test_rows_still_to_be_made_are_not_guessed(workspace):
    made, found = judged(workspace, EXPANDED)
    assert found["judge"].asks is None
    assert found["judge"].money != found["judge"].money
    assert total(list(found.values()))["money_unknown"] == 1
    told = probe_steps(made, workspace, Runtime(), rows=3, steps=("judge",))
    assert "made by a step that has not run yet" in told["judge"]


def test_a_damaged_probe_is_passed_over(workspace):
    made, _ = judged(workspace)
    probe_steps(made, workspace, Runtime())
    path = workspace.root / "timings.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines() if line]
    lines[-1]["groups"] = [{"name": "x"}]
    path.write_text("\n".join(map(json.dumps, lines)))
    _, found = judged(workspace)
    assert found["judge"].asks.basis == "replies"  # what it asked is stored all the same


def test_another_wording_is_another_cost(workspace):
    made, _ = judged(workspace)
    probe_steps(made, workspace, Runtime())
    _, found = judged(workspace, JUDGE.replace("audit: 0", "audit: 0, dimension: helpfulness"))
    assert found["judge"].asks.basis == "text"


def test_sums_and_plain_data(workspace):
    _, found = judged(workspace)
    made = list(found.values())
    sums = total(made)
    assert sums["money_low"] < sums["money"] <= sums["money_high"]
    assert sums["currency"] == "EUR"
    plain = as_dicts(made)[0]
    assert plain["asks"]["calls"] == {"value": N, "low": N, "high": N}
