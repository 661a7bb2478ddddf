"""The presets of LESS on real rows: from a few rows of one task to the rows that serve it, killed on the way."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from curation import jobs
from curation.core.artifacts import Features, Score, Selection
from curation.core.errors import CurationError, RecipeError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.workspace import Workspace

NAMES = ("less", "less-round-robin", "less-own-rows")
ROWS, OF_THE_FAMILY, TARGETS = 160, 16, 10
TINY = (
    "base.training_tokens=60000", "base.share=0.4", "base.layers=2", "base.width=96", "base.vocabulary=600",
    "base.window=128", "sample.budget=40%", "warm.lora_rank=8", "warm.lora_alpha=32", "warm.batch_rows=4",
    "warm.max_tokens=128", "rows.width=512", "rows.max_tokens=128", "aims.width=512", "aims.max_tokens=128",
)  # fmt: skip


def family_of(record: dict[str, str]) -> str:
    return record["template"].partition("_")[0]


def real_rows(file: Path, family: str) -> dict[str, list[dict[str, str]]]:
    """160 short rows of many tasks, a tenth of them of one family, and 10 other rows of it."""
    every = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    short = [
        {**row, "family": family_of(row)}
        for row in every
        if len(row["prompt"]) + len(row["completion"]) < 260 and row["completion"].replace("<|endoftext|>", "").strip()
    ]
    rng = np.random.default_rng(0)
    mixed = [short[i] for i in rng.permutation(len(short))]
    mine = [row for row in mixed if row["family"] == family]
    others = [row for row in mixed if row["family"] != family]
    pool = mine[TARGETS : TARGETS + OF_THE_FAMILY] + others[: ROWS - OF_THE_FAMILY]
    return {"pool": [pool[i] for i in rng.permutation(len(pool))], "target": mine[:TARGETS]}


def filled(folder: Path, rows: dict[str, list[dict[str, str]]]) -> Workspace:
    made = Workspace.open(folder / "workspace")
    for name, part in rows.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)), "utf-8")
        made.add(folder / f"{name}.jsonl", name=name)
    return made


@pytest.fixture(scope="module")
def workspace(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Headlines are the target."""
    return filled(tmp_path_factory.mktemp("less"), real_rows(shared_data / "t0_tasks.jsonl", "gigaword"))


def go(workspace: Workspace, name: str, *settings: str):
    recipe = Recipe.read(name).with_settings((*TINY, *settings))
    bound = {n: n for n in recipe.inputs}
    return run(plan(recipe, workspace, bound), workspace, Runtime())


def share_of(workspace: Workspace, picks: Selection, family: str) -> float:
    records = list(workspace.dataset("pool").records())
    return float(np.mean([records[i]["family"] == family for i in picks.order]))


def test_a_job_that_is_killed_while_it_reads_gradients_goes_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURATION_SEGMENT_SECONDS", "0.2")
    recipe = Recipe.read("less").with_settings((*TINY, "rows.width=4096", "aims.width=4096"))
    bound = {"pool": "pool", "target": "target"}
    job = jobs.start(workspace, recipe, bound, device="cpu")
    end = time.monotonic() + 120
    planned = plan(recipe, workspace, bound)
    store = workspace.row_store(planned.step("rows").rows_key)
    contents = workspace.dataset("pool").contents
    while not store.folder.is_dir() or not store.find(contents).any():
        status = jobs.status(workspace, job.id)
        assert not status.ended and time.monotonic() < end, jobs.read_log(workspace, job.id)
        time.sleep(0.02)
    os.kill(jobs.status(workspace, job.id).pid, signal.SIGKILL)
    while not jobs.status(workspace, job.id).ended:
        time.sleep(0.05)
    done = run(planned, workspace, Runtime())
    steps = {step.name: step for step in done.steps}
    assert steps["base"].reused and steps["warm"].reused and not steps["rows"].reused
    assert 0 < steps["rows"].rows_reused < ROWS
    assert share_of(workspace, done.artifact("pick"), "gigaword") > 3 * OF_THE_FAMILY / ROWS


def test_every_stage(workspace: Workspace) -> None:
    done = go(workspace, "less")
    names = [step.name for step in done.steps]
    assert names == ["base", "sample", "warm", "rows", "aims", "value", "pick"]
    rows, aims, value, picks = (done.artifact(name) for name in ("rows", "aims", "value", "pick"))
    assert isinstance(rows, Features) and isinstance(aims, Features) and isinstance(value, Score)
    assert isinstance(picks, Selection)
    assert rows.values.shape == (ROWS, 4 * 512) and aims.values.shape == (TARGETS, 4 * 512)
    assert (rows.info["direction"], aims.info["direction"]) == ("paper", "sgd")
    assert len(rows.info["rates"]) == 4 and rows.info["rates"][0] > rows.info["rates"][-1] > 0
    assert value.info["targets"] == TARGETS and value.info["weak"] is True
    present = ~value.missing.mask
    assert len(picks) == round(0.05 * present.sum())
    assert (
        picks.order.tolist() == np.argsort(-np.where(present, value.values, -9), kind="stable")[: len(picks)].tolist()
    )
    assert share_of(workspace, picks, "gigaword") > 3 * OF_THE_FAMILY / ROWS
    assert all(step.reused for step in go(workspace, "less").steps)
    # what the estimate of a new run says of the disk, and what it really was
    method = plan(Recipe.read("less").with_settings(TINY), workspace, {n: n for n in ("pool", "target")}).step("rows")
    said = method.method.disk(_size(ROWS))
    stored = sum(f.stat().st_size for f in (workspace.root / "results" / method.key).iterdir())
    assert 0.9 * stored < said < 1.1 * stored


def _size(rows: int):
    from curation.core.method import Size

    return Size(rows, rows * 100)


def test_another_family_finds_its_own_rows(shared_data: Path, tmp_path: Path) -> None:
    own = filled(tmp_path, real_rows(shared_data / "t0_tasks.jsonl", "rotten"))
    picks = go(own, "less").artifact("pick")
    assert share_of(own, picks, "rotten") > 3 * OF_THE_FAMILY / ROWS


def test_without_a_store_the_same_rows_come_out(workspace: Workspace) -> None:
    """As the preset's `use` says: one step in place of three."""
    recipe = Recipe.read("less").with_settings(TINY)
    steps = {name: step for name, step in recipe.steps.items() if name not in ("rows", "aims")}
    steps["value"] = {
        "use": "scorer/gradient-match", "on": "$pool", "model": "$base", "warmup": "$warm", "target": "$target",
        "max_tokens": 128,
    }  # fmt: skip
    bound = {"pool": "pool", "target": "target"}
    value = run(plan(recipe.model_copy(update={"steps": steps}), workspace, bound), workspace).artifact("value")
    stored = go(workspace, "less").artifact("value")
    good = ~stored.missing.mask
    assert np.array_equal(good, ~value.missing.mask)
    # cosines of four checkpoints, projected to 512 numbers: off by some 1/√512 each
    assert np.abs(value.values - stored.values)[good].max() < 5 / 512**0.5
    assert np.corrcoef(value.values[good], stored.values[good])[0, 1] > 0.9


def test_turns_serve_every_example_alike(workspace: Workspace) -> None:
    done = go(workspace, "less-round-robin", "pick.budget=20")
    assert [s.name for s in done.steps if not s.reused] in (["pick"], ["rows", "aims", "pick"], [*_all(done)])
    picks, features, aims = (done.artifact(name) for name in ("pick", "rows", "aims"))
    assert np.bincount(picks.info["served"], minlength=TARGETS).tolist() == [2] * TARGETS
    assert share_of(workspace, picks, "gigaword") > 2 * OF_THE_FAMILY / ROWS
    # the first turn: each example's best row that is left, by the product of features in half precision
    alike = np.asarray(aims.values, np.float64) @ np.nan_to_num(np.asarray(features.values, np.float64)).T
    taken: list[int] = []
    for query in range(TARGETS):
        order = [row for row in np.argsort(-alike[query], kind="stable") if row not in taken]
        row = picks.order[query]
        assert alike[query, row] > alike[query, order[0]] - 2e-3  # rows are brought to length one before
        taken.append(int(row))
    assert np.allclose(picks.gains[:TARGETS], alike[np.arange(TARGETS), picks.order[:TARGETS]], atol=3e-3)
    with pytest.raises(CurationError, match="numbers each"):
        go(workspace, "less-round-robin", "aims.width=256")


def _all(done) -> list[str]:
    return [step.name for step in done.steps]


def test_rows_of_the_pool_as_targets(workspace: Workspace) -> None:
    records = list(workspace.dataset("pool").records())
    mine = np.array([record["family"] == "gigaword" for record in records])
    above = []
    for seed in range(4):
        settings = ("labels.field=family", "family.values=[gigaword]", "aim.budget=8", f"aim.seed={seed}")
        done = go(workspace, "less-own-rows", *settings)
        aim, picks, value = done.artifact("aim"), done.artifact("pick"), done.artifact("value")
        assert len(aim) == 8 and mine[aim.order].all() and value.info["targets"] == 8
        assert not np.isin(aim.order, picks.order).any() and len(picks) > 0
        known = np.isfinite(value.values) & ~aim.mask
        above.append((value.values[known & mine][:, None] > value.values[known & ~mine][None]).mean())
    assert np.mean(above) > 0.7  # pairs in which the family's other rows stand above a row of another; chance: a half
    # rows named by number in place of a label's
    named = go(workspace, "less-own-rows", "family.use=selector/rows", "family.rows=3, 10-12", "labels.field=family")
    assert sorted(named.artifact("aim").order) == [3, 10, 11, 12]
    with pytest.raises(CurationError, match="no label is named"):
        go(workspace, "less-own-rows", "labels.field=family")


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_it_comes_from_and_which_defaults_are_ours(name: str) -> None:
    recipe = Recipe.read(name)
    assert "arXiv 2402.04333" in recipe.about["source"]
    assert (recipe.about["purpose"], recipe.about["method_class"]) == ("targeted", "first-order")
    assert set(recipe.about["defaults_marked"]) == {"published", "reported, unverified", "ours"}
    assert {recipe.steps["rows"]["width"], recipe.steps["aims"]["width"]} == {8192}


def test_a_missing_file_is_named(workspace: Workspace) -> None:
    with pytest.raises(RecipeError, match="'target' is not bound"):
        plan(Recipe.read("less"), workspace, {"pool": "pool"})
