"""Estimates: start-up apart from work, history before calibration, nothing from damaged lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from curation.complete import complete
from curation.core.method import Size, find
from curation.core.runtime import Runtime
from curation.engine import run
from curation.estimates import calibration, estimate, predict, timing_entry, total
from curation.recipe import Recipe, plan
from curation.workspace import Workspace
from tests.test_engine import LENGTHS, rows


def timing(work: float, seconds: float, **facts: object) -> dict:
    return {"work": work, "seconds": seconds, "calibrated": True, "startup": None, "cold": False, **facts}


def test_a_linear_cost_with_start_up_is_found_again():
    known = [timing(w, 0.1 + 0.002 * w) for w in (100, 200, 400)]
    known[0]["startup"] = 3.0
    for work in (250, 4000, 100_000):
        assert predict(known, work)[0] == pytest.approx(3.1 + 0.002 * work)
        assert predict(known, work, cold=False)[0] == pytest.approx(0.1 + 0.002 * work)


def test_a_near_real_run_decides_without_the_start_up_that_it_paid():
    known = [timing(100, 5.0, startup=2.0), timing(1000, 12.0, calibrated=False, cold=True)]
    seconds, basis, _ = predict(known, 2000)
    assert (seconds, basis) == (pytest.approx(2.0 + 20.0), "history")
    assert predict(known, 2000, cold=False)[0] == pytest.approx(20.0)


def test_one_slow_run_among_three_does_not_decide():
    known = [timing(100, s, calibrated=False) for s in (1.0, 9.0, 1.2)]
    assert predict(known, 100)[0] == pytest.approx(1.2)


def test_costs_never_fall_with_work():
    known = [timing(100, 1.0), timing(400, 0.5)]
    assert predict(known, 10_000)[0] >= 0.5
    assert all(predict([timing(50, 0.2)], w)[0] > 0 for w in (1, 50, 5000))


def test_far_beyond_what_was_measured_the_range_is_wider():
    known = [timing(100, 1.0), timing(200, 2.0)]
    assert predict(known, 300)[2] < predict(known, 300_000)[2]


def test_the_first_run_of_a_method_in_a_process_is_marked():
    method = find("scorer/type-token-ratio")()
    from curation.estimates import timings

    timings._begun.discard(method.use())
    first, second = (timing_entry(method, Size(1, 10), 1.0, "cpu") for _ in range(2))
    assert (first["cold"], second["cold"]) == (True, False)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    ws = Workspace.open(tmp_path / "ws")
    ws.add_rows(rows(60), "rows")
    return ws


def test_unknown_then_known_then_stored(workspace):
    made = plan(Recipe.read(LENGTHS), workspace, {"pool": "rows"})
    before = estimate(made, workspace, Runtime(), calibrate=False)
    assert {e.basis for e in before} == {"unknown"}
    assert all(math.isnan(e.seconds) for e in before)
    assert total(before)["unknown"] == 3
    run(made, workspace, Runtime())
    assert {e.basis for e in estimate(made, workspace, Runtime(), calibrate=False)} == {"stored"}
    workspace.add_rows(rows(80), "more")
    again = plan(Recipe.read(LENGTHS), workspace, {"pool": "more"})
    after = {e.step: e for e in estimate(again, workspace, Runtime(), calibrate=False)}
    assert {e.basis for e in after.values()} == {"history"}
    assert after["length"].rows == 20  # the other 60 are stored by content
    other = plan(Recipe.read(LENGTHS).with_settings(["length.text=prompt"]), workspace, {"pool": "more"})
    assert estimate(other, workspace, Runtime(), calibrate=False)[0].basis == "similar"


def test_damaged_timings_are_not_used(workspace):
    made = plan(Recipe.read(LENGTHS), workspace, {"pool": "rows"})
    run(made, workspace, Runtime())
    good = workspace.timings()
    (workspace.root / "timings.jsonl").unlink()
    for entry in good:
        for bad in ({"work": None}, {"seconds": "x"}, {"work": 0}, {"seconds": -1}, {"seconds": float("nan")}):
            workspace.record_timing({**entry, **bad})
    workspace.add_rows(rows(80), "more")
    again = plan(Recipe.read(LENGTHS), workspace, {"pool": "more"})
    assert {e.basis for e in estimate(again, workspace, Runtime(), calibrate=False)} == {"unknown"}


def test_calibration_measures_every_step_once(workspace):
    made = plan(Recipe.read(LENGTHS), workspace, {"pool": "rows"})
    found = {e.step: e for e in estimate(made, workspace, Runtime())}
    assert {e.basis for e in found.values()} == {"calibration"}
    assert all(e.seconds > 0 and e.low < e.seconds < e.high for e in found.values())
    lines = len(workspace.timings())
    estimate(made, workspace, Runtime())
    assert len(workspace.timings()) == lines


def test_disk_is_what_results_take(workspace):
    made = plan(Recipe.read(LENGTHS), workspace, {"pool": "rows"})
    foreseen = {e.step: e.disk for e in estimate(made, workspace, Runtime())}
    fact = run(made, workspace, Runtime()).steps[0]
    used = sum(
        f.stat().st_size
        for f in [
            *(workspace.root / "results" / fact.key).iterdir(),
            *(workspace.root / "rows" / fact.rows_key).glob("*/*"),
        ]
    )
    assert 0.5 * used < foreseen["length"] < 2 * used


def test_waiting_for_another_job_is_not_counted(workspace):
    import threading
    import time

    made = plan(Recipe.read(LENGTHS), workspace, {"pool": "rows"})
    held = threading.Event()

    def hold() -> None:
        with workspace.lock(f"rows-{made.steps[0].rows_key}"):
            held.set()
            time.sleep(1.2)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    fact = run(made, workspace, Runtime()).steps[0]
    thread.join()
    assert fact.seconds < 1.0


def test_steps_that_read_a_network_are_measured_by_one_that_stands_in(workspace):
    small = {"training_tokens": 2000, "layers": 1, "width": 32, "vocabulary": 300, "window": 64}
    recipe = complete("lobass", {f"base.{name}": value for name, value in small.items()})
    planned = plan(recipe, workspace)
    jobs = [
        {
            "use": step.use,
            "parameters": step.method.model_dump(mode="json"),
            "dataset": step.dataset,
            "ports": step.ports,
            "maker": calibration._maker(step, planned),
        }
        for step in planned.steps
        if step.name in ("before", "tune", "pick")
    ]
    calibration.calibrate_here(workspace, jobs, "cpu", "startup")
    assert {t["use"] for t in workspace.timings()} == {"scorer/loss", "trainer/causal", "selector/top-k"}


def test_steps_that_read_of_other_rows_are_measured_before_and_after_those_are_there(workspace):
    workspace.add_rows(rows(9, 100), "others")
    steps = {
        "embed": {"use": "encoder/tfidf", "on": "$pool", "dims": 6},
        "asked": {"use": "encoder/tfidf", "on": "$queries", "dims": 6},
        "labels": {
            "use": "labeller/contamination",
            "on": "$pool",
            "evaluation": "$queries",
            "features": "$embed",
            "evaluation_features": "$asked",
        },
        "pick": {"use": "selector/rds", "features": "$embed", "queries": "$asked", "budget": 5},
    }
    recipe = Recipe.read({"inputs": {"pool": "Dataset", "queries": "Dataset"}, "steps": steps, "result": "$pick"})
    planned = plan(recipe, workspace, {"pool": "rows", "queries": "others"})
    jobs = [
        {
            "use": step.use,
            "parameters": step.method.model_dump(mode="json"),
            "dataset": step.dataset,
            "ports": step.ports,
            "maker": None,
            "elsewhere": calibration._elsewhere(step, planned),
        }
        for step in planned.steps
        if step.name in ("labels", "pick")
    ]
    others = workspace.dataset("others").fingerprint
    assert [job["elsewhere"] for job in jobs] == [{"evaluation_features": others}, {"queries": others}]
    for what in ("nothing is stored", "the queries are stored"):
        calibration.calibrate_here(workspace, jobs, "cpu", "startup")
        uses = [t["use"] for t in workspace.timings() if t["calibrated"]]
        assert sorted(set(uses)) == ["labeller/contamination", "selector/rds"], what
        run(plan(recipe.upto("asked"), workspace, {"pool": "rows", "queries": "others"}), workspace, Runtime())
    assert len(uses) == 4
