"""LESS: influence from gradient features, against its definition and against planted tasks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from curation.core.artifacts import Features, Labels, Missing, Score
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, DataError
from curation.core.runtime import Runtime
from curation.engine import run
from curation.recipe import Recipe, plan
from curation.scorers.less import Less, influence, subtask_vectors
from curation.workspace import Workspace

BLOCKS, WIDTH = 3, 10
INFO = {"encoder": "gradients", "warmup": "w", "projection": "p", "blocks": BLOCKS, "direction": "paper"}


def unit_blocks(rng: np.random.Generator, n: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw gradients `[n, C, d]`, features `[n, C·d]`, norms `[n, C]`."""
    raw = rng.normal(size=(n, BLOCKS, WIDTH)) * rng.uniform(0.1, 5, (n, BLOCKS, 1))
    norms = np.linalg.norm(raw, axis=2)
    unit = raw / norms[:, :, None] * np.sqrt(weights)[None, :, None]
    return raw, unit.reshape(n, -1).astype(np.float32), norms


def less_naive(pool: np.ndarray, target: np.ndarray, groups: np.ndarray, weights: np.ndarray, how: str) -> np.ndarray:
    """The textbook loop: checkpoints, rows, subtasks."""
    out = np.zeros((len(pool), groups.max() + 1))
    for i, row in enumerate(pool):
        for j in range(out.shape[1]):
            mine = target[groups == j]
            for c, weight in enumerate(weights):
                z = row[c] / np.linalg.norm(row[c])
                if how == "mean_cos":
                    out[i, j] += weight * np.mean([z @ v[c] / np.linalg.norm(v[c]) for v in mine])
                else:
                    mean = np.mean([v[c] for v in mine], axis=0)
                    out[i, j] += weight * (z @ mean / np.linalg.norm(mean))
    return out


@pytest.mark.parametrize("how", ["mean_cos", "cos_mean"])
@pytest.mark.parametrize("seed", range(3))
def test_influence_equals_the_definition(how: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(BLOCKS))
    pool, rows, _ = unit_blocks(rng, 20, weights)
    target, examples, norms = unit_blocks(rng, 9, weights)
    groups = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    found = influence(rows, subtask_vectors(examples, norms, groups, BLOCKS, how), examples)  # type: ignore[arg-type]
    assert np.allclose(found.by_subtask, less_naive(pool, target, groups, weights, how), atol=1e-5)
    each = less_naive(pool, target, np.arange(9), weights, "mean_cos")
    assert np.array_equal(found.nearest, each.argmax(axis=1)) and np.allclose(
        found.similarity, each.max(axis=1), atol=1e-5
    )


def test_one_example_a_subtask_makes_both_ways_equal() -> None:
    rng = np.random.default_rng(0)
    _, examples, norms = unit_blocks(rng, 4, np.array([0.2, 0.3, 0.5]))
    groups = np.arange(4)
    both = [subtask_vectors(examples, norms, groups, BLOCKS, how) for how in ("mean_cos", "cos_mean")]  # type: ignore[arg-type]
    assert np.allclose(*both, atol=1e-6)


def made(rng: np.random.Generator, n: int, name: str, weights: np.ndarray, **info: object) -> Features:
    _, values, norms = unit_blocks(rng, n, weights)
    columns = {f"norm_{c + 1}": norms[:, c].astype(np.float32) for c in range(BLOCKS)}
    return Features(name, values.astype(np.float16), Missing.none(n), columns, {**INFO, **info})


def test_the_score_is_the_best_subtask_and_says_whom_a_row_serves() -> None:
    rng, weights = np.random.default_rng(1), np.array([0.5, 0.3, 0.2])
    pool = from_pairs([(f"q{i}", "a") for i in range(12)])
    ours, theirs = made(rng, 12, pool.fingerprint, weights), made(rng, 6, "other", weights, direction="sgd")
    tasks = Labels.from_values("other", ["b", "a", "a", None, "b", "a"])
    found = Less().score(pool, Runtime(), features=ours, target_features=theirs, subtasks=tasks)
    on = np.stack([found.columns["on a"], found.columns["on b"]], 1)
    assert np.allclose(found.values, on.max(axis=1)) and np.array_equal(found.columns["subtask"], on.argmax(axis=1))
    assert 3 not in found.columns["target"]  # the row without a label is no target
    alone = Less().score(pool, Runtime(), features=ours, target_features=theirs)
    more = Labels.from_values("other", ["b", "a", "a", "c", "b", "a"])
    wider = Less().score(pool, Runtime(), features=ours, target_features=theirs, subtasks=more)
    assert (wider.values >= found.values - 1e-4).all() and "on target" not in alone.columns


def test_features_that_do_not_compare_are_refused() -> None:
    rng, weights = np.random.default_rng(1), np.array([0.5, 0.3, 0.2])
    pool = from_pairs([(f"q{i}", "a") for i in range(5)])
    ours = made(rng, 5, pool.fingerprint, weights)
    for wrong in ({"warmup": "another"}, {"projection": "q"}, {"encoder": "sentence"}):
        with pytest.raises(DataError, match="differ"):
            Less().score(pool, Runtime(), features=ours, target_features=made(rng, 3, "other", weights, **wrong))
    nobody = made(rng, 3, "other", weights)
    gone = Features("other", nobody.values, Missing.where(np.ones(3, bool), "no response"), nobody.columns, nobody.info)
    with pytest.raises(CurationError, match="no target"):
        Less().score(pool, Runtime(), features=ours, target_features=gone)


# ---------------------------------------------------------------------- planted tasks, end to end

RECIPE = """
inputs: {pool: Dataset, target: Dataset}
steps:
  base:
    {use: trainer/base, on: $pool, name: scratch, share: 0.5, training_tokens: 60000, layers: 2, width: 96,
     vocabulary: 400, window: 64}
  sample: {use: selector/random, on: $pool, budget: 30%}
  warm:
    {use: trainer/warmup, on: $pool, model: $base, within: $sample, epochs: 3, batch_rows: 16, lora_rank: 8,
     lora_alpha: 32, max_tokens: 64}
  rows: {use: encoder/gradients, on: $pool, model: $base, warmup: $warm, width: 512, max_tokens: 64}
  aims:
    {use: encoder/gradients, on: $target, model: $base, warmup: $warm, width: 512, max_tokens: 64, direction: sgd}
  value: {use: scorer/less, features: $rows, target_features: $aims}
  pick: {use: selector/top-k, score: $value, budget: 5%}
result: $pick
"""


def tasks(seed: int, n: int) -> list[tuple[str, dict[str, str]]]:
    rng = np.random.default_rng(seed)
    words = ["red", "blue", "stone", "lamp", "river", "seven", "cat", "moon", "bread", "sand"]
    rows = []
    for i in range(n):
        picked = [str(w) for w in rng.choice(words, 4)]
        kind = ("copy", "reverse", "arithmetic")[i % 3]
        a, b = int(rng.integers(10, 99)), int(rng.integers(10, 99))
        question = f"add {a} and {b}" if kind == "arithmetic" else f"{kind}: {' '.join(picked)}"
        answer = {"copy": " ".join(picked), "reverse": " ".join(picked)[::-1], "arithmetic": f"the sum is {a + b}"}
        rows.append((kind, {"instruction": question, "input": "", "output": answer[kind], "kind": kind}))
    return rows


def test_a_planted_task_is_found_and_a_second_run_computes_nothing(tmp_path: Path) -> None:
    ws = Workspace.open(tmp_path / "ws")
    pool = tasks(0, 480)
    (tmp_path / "pool.json").write_text(json.dumps([row for _, row in pool]))
    (tmp_path / "target.json").write_text(json.dumps([row for kind, row in tasks(1, 60) if kind == "reverse"][:8]))
    fingerprints = {n: ws.add(tmp_path / f"{n}.json").dataset.fingerprint for n in ("pool", "target")}
    made_plan = plan(Recipe.read(RECIPE), ws, fingerprints)
    outcome = run(made_plan, ws)
    kinds = np.array([row["kind"] for _, row in pool])
    picked = kinds[outcome.artifact("pick").order]
    assert (picked == "reverse").mean() >= 0.8
    value = outcome.artifact("value")
    assert isinstance(value, Score) and value.info["weak"] is True
    features = outcome.artifact("rows")
    assert isinstance(features, Features)
    assert features.values.dtype == np.float16 and features.values.shape == (480, 3 * 512)
    assert np.allclose(np.linalg.norm(np.asarray(features.values, np.float64), axis=1), 1, atol=2e-3)
    # the value is computed from what is stored, row by row
    again = run(plan(Recipe.read(RECIPE), ws, fingerprints), ws)
    assert all(step.reused for step in again.steps)


def test_a_target_row_in_the_pool_ranks_first_with_plain_gradients(tmp_path: Path) -> None:
    ws = Workspace.open(tmp_path / "ws")
    rows = [row for _, row in tasks(2, 90)]
    (tmp_path / "pool.json").write_text(json.dumps(rows))
    ws.add(tmp_path / "pool.json")
    recipe = RECIPE.replace("inputs: {pool: Dataset, target: Dataset}", "inputs: {pool: Dataset}")
    recipe = recipe.replace("on: $target,", "on: $pool, within: $aim,")
    recipe = recipe.replace("  value:", '  aim: {use: selector/rows, on: $pool, rows: "7"}\n  value:')
    recipe = recipe.replace("width: 512, max_tokens: 64}\n", "width: 512, max_tokens: 64, direction: sgd}\n")
    outcome = run(plan(Recipe.read(recipe), ws), ws)
    value = outcome.artifact("value")
    assert isinstance(value, Score)
    assert int(np.argmax(value.values)) == 7 and abs(value.values[7] - 1) < 2e-3
    assert (value.columns["target"] == 7).all()
