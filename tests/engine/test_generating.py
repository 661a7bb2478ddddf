"""Steps that make rows: a Dataset of its own, whose rows know their parents, and on which later steps work."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from curation import jobs
from curation.core.artifacts import Derived, Export, Missing, Score, Selection
from curation.core.dataset import Dataset
from curation.core.errors import CurationError, RecipeError
from curation.core.generated import Made
from curation.core.method import Generator, Method, find
from curation.core.row import Row
from curation.core.runtime import Runtime
from curation.engine import estimate, run
from curation.recipe import Recipe, plan
from curation.recipe import planning as planning_module
from curation.workspace import Workspace

CALLS: list[int] = []


class Twice(Generator):
    """Every row in two longer forms, but for rows that say "no"."""

    title = "Twice"

    def generate(self, pool: Dataset, runtime: Runtime) -> Made:
        """Two rows for each."""
        CALLS.append(len(pool))
        rows: list[Row] = []
        parents: list[int] = []
        reasons: list[str | None] = []
        for row, text in enumerate(pool.texts("prompt")):
            reasons.append("says no" if text == "no" else None)
            for times in (2, 3) if text != "no" else ():
                record = {"instruction": text * times, "input": "", "output": "done", "times": times}
                messages = [{"role": "user", "content": text * times}, {"role": "assistant", "content": "done"}]
                rows.append(Row(messages, json.dumps(record), "", 0, "alpaca"))  # type: ignore[arg-type]
                parents.append(row)
        return Made(rows, np.array(parents, np.int64), Missing.from_list(reasons), "twice", {"calls": len(pool)})


USE = Twice.use()
RECIPE = f"""
inputs: {{pool: Dataset}}
steps:
  first: {{use: selector/rows, on: $pool, rows: "0-3"}}
  more: {{use: {USE}, on: $pool, within: $first}}
  times: {{use: scorer/column, on: $more, field: times}}
  best: {{use: selector/top-k, score: $times, budget: 2}}
result: $best
"""


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()

    def with_ours(use: str) -> type[Method]:
        return Twice if use == USE else find(use)

    monkeypatch.setattr(planning_module, "find", with_ours)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    ws = Workspace.open(tmp_path / "ws")
    records = [{"instruction": text, "input": "", "output": "yes"} for text in ("a", "b", "no", "d", "e")]
    (tmp_path / "pool.json").write_text(json.dumps(records))
    ws.add(tmp_path / "pool.json")
    return ws


def test_rows_become_a_dataset_that_later_steps_work_on(workspace: Workspace) -> None:
    made = plan(Recipe.read(RECIPE), workspace, {"pool": "pool"})
    assert made.datasets == [workspace.dataset("pool").fingerprint]
    outcome = run(made, workspace)
    derived = outcome.artifact("more")
    assert isinstance(derived, Derived)
    pool, new = workspace.dataset("pool"), workspace.dataset(derived.rows)
    assert new.name == "pool (twice)" and len(new) == 6
    assert derived.parents.tolist() == [0, 0, 1, 1, 3, 3]
    assert derived.children().tolist() == [2, 2, 0, 2, 0]
    assert [derived.missing.reason(i) for i in (2, 4)] == ["says no", "outside `first`: not named"]
    assert new.column("parent").to_pylist() == [pool.row_id(int(i)) for i in derived.parents]
    best = outcome.artifact("best")
    assert isinstance(best, Selection)
    assert best.dataset == new.fingerprint and sorted(new.texts("prompt")[i] for i in best.order) == ["aaa", "bbb"]
    manifest = workspace.manifest(outcome.result.key)
    assert manifest["dataset"] == new.fingerprint
    assert outcome.steps[1].note == "6 rows made from 3"


def test_a_second_run_makes_nothing_and_removed_rows_are_made_again(workspace: Workspace) -> None:
    made = plan(Recipe.read(RECIPE), workspace, {"pool": "pool"})
    first = run(made, workspace)
    again = run(plan(Recipe.read(RECIPE), workspace, {"pool": "pool"}), workspace)
    assert all(step.reused for step in again.steps) and CALLS == [4]
    workspace.remove_dataset("pool (twice)")
    third = run(plan(Recipe.read(RECIPE), workspace, {"pool": "pool"}), workspace)
    assert CALLS == [4, 4]
    assert third.result.key == first.result.key and not third.result.reused
    assert [s.reused for s in third.steps] == [True, False, False, False]


def test_estimates_before_and_after(workspace: Workspace) -> None:
    made = plan(Recipe.read(RECIPE), workspace, {"pool": "pool"})
    before = {e.step: e for e in estimate(made, workspace, Runtime(), calibrate=False)}
    assert before["best"].basis == "unknown" and not before["best"].reused
    run(made, workspace)
    after = estimate(made, workspace, Runtime(), calibrate=False)
    assert all(e.reused for e in after)


def test_artifacts_of_new_rows_do_not_mix_with_the_pool(workspace: Workspace) -> None:
    mixed = RECIPE.replace("score: $times, budget: 2", "score: $times, budget: 2, on: $pool")
    with pytest.raises(RecipeError, match="mixes datasets"):
        plan(Recipe.read(mixed), workspace)


def test_not_one_row_is_an_error_with_the_reasons(workspace: Workspace) -> None:
    nothing = RECIPE.replace('"0-3"', '"2"')
    with pytest.raises(CurationError, match="not one row was made") as error:
        run(plan(Recipe.read(nothing), workspace), workspace)
    assert "says no" in error.value.hint


def test_a_step_that_reads_rows_of_a_failed_one_is_left_out(workspace: Workspace) -> None:
    both = RECIPE.replace('"0-3"', '"2"').replace(
        "result: $best", "  long: {use: scorer/length, on: $pool}\nresult: $long"
    )
    outcome = run(plan(Recipe.read(both), workspace), workspace, go_on=True)
    assert [(f.name, f.because) for f in outcome.failed] == [("more", ""), ("times", "more"), ("best", "more")]


def test_as_a_job(workspace: Workspace) -> None:
    job, outcome = jobs.run_here(workspace, Recipe.read(RECIPE), {})
    assert jobs.status(workspace, job.id).state == "done"
    # what the job made is kept by prune
    workspace.prune()
    assert workspace.holds(outcome.artifact("best").dataset)


@pytest.mark.parametrize("form", ["alpaca", "original", "messages"])
def test_made_rows_are_exported_like_any(workspace: Workspace, form: str, tmp_path: Path) -> None:
    text = RECIPE.replace(
        "result: $best", f"  file: {{use: exporter/{form}, on: $more, selection: $best}}\nresult: $file"
    )
    outcome = run(plan(Recipe.read(text), workspace, {"pool": "pool"}), workspace, outputs=tmp_path / "out")
    export = outcome.artifact("file")
    assert isinstance(export, Export) and export.rows == 2
    written = Path(export.path).read_text(encoding="utf-8")
    assert "aaa" in written and "bbb" in written


def test_rows_of_a_stand_in_say_so_in_every_score_of_their_fields(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Twice.generate
    weak = {"weak": True, "stand_in": True}
    monkeypatch.setattr(
        Twice, "generate", lambda self, pool, runtime: dataclasses.replace(made(self, pool, runtime), info=weak)
    )
    outcome = run(plan(Recipe.read(RECIPE), workspace, {"pool": "pool"}), workspace)
    score = outcome.artifact("times")
    assert isinstance(score, Score) and score.info == weak


def test_origin_is_told(workspace: Workspace) -> None:
    outcome = run(plan(Recipe.read(RECIPE), workspace, {"pool": "pool"}), workspace)
    facts = workspace.dataset(outcome.artifact("best").dataset).facts
    assert facts["made_from"] == workspace.dataset("pool").fingerprint and facts["made_by"] == USE
    assert [(s["name"], s["form"], s["rows"]) for s in facts["sources"]] == [("pool (twice)", "alpaca", 6)]


def test_made_rows_do_not_make_it_unclear_which_file_is_meant(workspace: Workspace) -> None:
    run(plan(Recipe.read(RECIPE), workspace), workspace)
    assert len(workspace.datasets()) == 2
    assert plan(Recipe.read(RECIPE), workspace).datasets == [workspace.dataset("pool").fingerprint]


def test_nothing_left_to_pick_from_is_an_empty_pick_with_its_reason(workspace: Workspace) -> None:
    text = """
inputs: {pool: Dataset}
steps:
  length: {use: scorer/length, on: $pool}
  none: {use: selector/threshold, score: $length, above: 1000}
  some: {use: selector/random, on: $pool, within: $none, budget: 3}
  all: {use: selector/rows, on: $pool, rows: "0-1"}
  both: {use: selector/union, of: [$all, $some]}
result: $both
"""
    outcome = run(plan(Recipe.read(text), workspace), workspace)
    some, both = outcome.artifact("some"), outcome.artifact("both")
    assert isinstance(some, Selection) and isinstance(both, Selection)
    assert len(some) == 0 and some.short_by == 3 and some.short_reason == "`none` is empty"
    assert both.order.tolist() == [0, 1]
