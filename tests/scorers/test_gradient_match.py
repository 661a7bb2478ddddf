"""LESS without a store: against stored gradients that were not projected, and against projected features."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.core.artifacts import Labels, Missing, Model, Selection
from curation.core.dataset import Dataset, from_pairs
from curation.core.errors import CurationError, DataError, JobCancelled, ModelError
from curation.core.runtime import Runtime
from curation.encoders.gradients import Gradients
from curation.models.causal import CausalLM, load_causal
from curation.models.gradients.checkpoints import Checkpoints
from curation.models.gradients.features import gradient_features
from curation.models.rendering import Encoded, encode_rows
from curation.scorers import gradient_match
from curation.scorers.gradient_match import GradientMatch, matched
from curation.scorers.less import Less, influence, subtask_vectors

GROUPS = np.array([0, 0, 1, 2, 2, 2])
VARIANTS = ["sgd", "paper", "repo", "adam"]


class Everything:
    """A projection that keeps every coordinate."""

    scale = 1.0

    def __init__(self, layers: dict[str, torch.nn.Linear]) -> None:
        sizes = [layer.weight.numel() for layer in layers.values()]
        self.width = sum(sizes)
        self.starts = dict(zip(layers, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        into[:, self.starts[name] : self.starts[name] + values.shape[1]] += values


@pytest.fixture(scope="module")
def pool() -> Dataset:
    words = ["a", "river", "runs", "over", "green", "stone", "and", "the", "lamp", "is", "seven"]
    rng = np.random.default_rng(0)
    pairs = [(" ".join(rng.choice(words, 1 + i % 7)), " ".join(rng.choice(words, 2 + i % 11))) for i in range(14)]
    return from_pairs([*pairs, ("nothing", "")])


@pytest.fixture(scope="module")
def target() -> Dataset:
    texts = ["green stone", "the lamp is seven", "seven", "a river", "over and over", "stone"]
    return from_pairs([(text, texts[-1 - i]) for i, text in enumerate(texts)])


@pytest.fixture
def ports(pool: Dataset, target: Dataset, tiny_causal: Path, tiny_warmup: Path) -> dict[str, object]:
    none = Missing.none(len(pool))
    base, warm = (Model(pool.fingerprint, none, path=str(p), name=p.name) for p in (tiny_causal, tiny_warmup))
    return {"model": base, "warmup": warm, "target": target}


def in_double(tiny_causal: Path, tiny_warmup: Path) -> Checkpoints:
    """The checkpoints over the model in float64."""
    lm = load_causal(tiny_causal)
    wide: CausalLM = dataclasses.replace(lm, model=copy.deepcopy(lm.model).double())
    return Checkpoints(wide, tiny_warmup / "checkpoints")


def rows_of(lm: CausalLM, rows: Dataset) -> list[Encoded]:
    return list(encode_rows(lm, rows, max_tokens=64))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("aggregate", ["mean_cos", "cos_mean"])
@pytest.mark.parametrize("apart", [True, False])
def test_it_is_what_scorer_less_says_of_gradients_that_were_not_projected(
    pool: Dataset, target: Dataset, tiny_causal: Path, tiny_warmup: Path, variant: str, aggregate: str, apart: bool
) -> None:
    there = in_double(tiny_causal, tiny_warmup)
    rates = np.array([kept.mean_rate for kept in there.kept])
    weights = rates / rates.sum()
    found, blocks = [], []
    for kept, weight in zip(there.kept, weights, strict=True):
        at, moments = there.at(kept.epoch)
        moments = {
            name: dataclasses.replace(m, mean=m.mean.double(), square=m.square.double()) for name, m in moments.items()
        }
        rows, examples = rows_of(at, pool), rows_of(at, target)
        found.append(
            matched(
                at, there.layers, [rows[:9], rows[9:]], examples, GROUPS, Runtime(),
                aggregate=aggregate, apart=apart, moments=moments, variant=variant,
            )
        )  # fmt: skip
        keep = Everything(there.layers)
        mine = gradient_features(at, there.layers, rows, Runtime(), keep, moments=moments, variant=variant)  # type: ignore[arg-type]
        theirs = gradient_features(at, there.layers, examples, Runtime(), keep, normalise=False)
        norms = np.linalg.norm(theirs, axis=1)
        blocks.append((mine * weight**0.5, theirs / norms[:, None] * weight**0.5, norms))
    stored, examples_stored = (np.concatenate([b[i] for b in blocks], axis=1) for i in (0, 1))
    vectors = subtask_vectors(
        examples_stored, np.stack([b[2] for b in blocks], 1), GROUPS, len(blocks), aggregate  # type: ignore[arg-type]
    )  # fmt: skip
    wanted = influence(stored[:14], vectors, examples_stored)
    mine = sum(w * f.by_subtask for w, f in zip(weights, found, strict=True))
    assert np.abs(mine[:14] - stored[:14] @ vectors.astype(np.float64).T).max() < 1e-7  # vectors are float32
    assert np.isnan(mine[14]).all()
    if apart:
        each = sum(w * f.by_example for w, f in zip(weights, found, strict=True))[:14]
        assert np.array_equal(each.argmax(axis=1), wanted.nearest)
        assert np.abs(each - stored[:14] @ examples_stored.T).max() < 1e-9
    else:
        assert found[0].by_example.shape == (15, 0)


@pytest.mark.parametrize("direction", ["sgd", "paper"])
def test_features_of_a_wide_projection_come_close(
    pool: Dataset, target: Dataset, ports: dict[str, object], direction: str
) -> None:
    tasks = Labels.from_values(target.fingerprint, ["b", "a", "a", None, "b", "a"])
    found = GradientMatch(direction=direction, max_tokens=64).score(pool, Runtime(), subtasks=tasks, **ports)  # type: ignore[arg-type]
    given = {name: ports[name] for name in ("model", "warmup")}
    wide = {"width": 16384, "max_tokens": 64}
    mine = Gradients(direction=direction, **wide).encode(pool, Runtime(), **given)  # type: ignore[arg-type]
    theirs = Gradients(direction="sgd", **wide).encode(target, Runtime(), **given)  # type: ignore[arg-type]
    stored = Less().score(pool, Runtime(), features=mine, target_features=theirs, subtasks=tasks)
    assert set(found.columns) == set(stored.columns)
    for name in ("on a", "on b", "likeness"):
        assert np.nanmax(np.abs(found.columns[name] - stored.columns[name])) < 5 / 16384**0.5
    assert np.array_equal(np.isnan(found.values), np.isnan(stored.values)) and found.missing.reason(14)
    assert 3 not in found.columns["target"] and found.info["subtasks"] == stored.info["subtasks"] == ["a", "b"]
    assert np.nanmax(np.abs(found.values)) <= 1 + 1e-6


def test_many_targets_are_kept_as_subtasks_only(
    pool: Dataset, ports: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for aggregate in ("mean_cos", "cos_mean"):
        method = GradientMatch(aggregate=aggregate, max_tokens=64)  # type: ignore[arg-type]
        apart = method.score(pool, Runtime(), **ports)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr(gradient_match, "EXAMPLES", 3)
            together = method.score(pool, Runtime(), **ports)  # type: ignore[arg-type]
        assert np.allclose(apart.values, together.values, atol=1e-5, equal_nan=True)
        assert "target" in apart.columns and "target" not in together.columns


def test_rows_of_the_pool_can_be_the_targets(pool: Dataset, ports: dict[str, object]) -> None:
    stage = np.ones(len(pool), np.int16)
    stage[[4]] = 0
    picked = Selection(pool.fingerprint, len(pool), np.array([4]), stage=stage, stages=("not picked",))
    own = {**ports, "target": pool, "targets": picked}
    found = GradientMatch(direction="sgd", max_tokens=64).score(pool, Runtime(), **own)  # type: ignore[arg-type]
    assert int(np.nanargmax(found.values)) == 4 and abs(found.values[4] - 1) < 1e-5
    assert (found.columns["target"][:14] == 4).all()
    with pytest.raises(DataError, match="targets are of 15 rows"):
        GradientMatch().score(pool, Runtime(), **{**ports, "targets": picked})  # type: ignore[arg-type]


def test_a_killed_run_goes_on_where_it_was(
    pool: Dataset, ports: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_match, "PART_ROWS", 4)
    method = GradientMatch(max_tokens=64)
    whole = method.score(pool, Runtime(), **ports)  # type: ignore[arg-type]
    read: list[int] = []
    streamed = gradient_match.streamed_products

    def counted(*args: object, **more: object) -> tuple[np.ndarray, np.ndarray]:
        if len(read) == 5:
            raise JobCancelled("stop")
        read.append(len(args[2]))  # type: ignore[arg-type]
        return streamed(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(gradient_match, "streamed_products", counted)
    with pytest.raises(JobCancelled):
        method.score(pool, Runtime(keep=tmp_path), **ports)  # type: ignore[arg-type]
    first, read[:] = len(read), []
    again = method.score(pool, Runtime(keep=tmp_path), **ports)  # type: ignore[arg-type]
    assert first + len(read) == 2 * 4  # four parts at two checkpoints, none read twice
    assert np.array_equal(again.values, whole.values, equal_nan=True)


def test_errors_say_what_to_do(pool: Dataset, ports: dict[str, object]) -> None:
    silent = {**ports, "target": from_pairs([("a", ""), ("b", "")])}
    with pytest.raises(CurationError, match="no target"):
        GradientMatch().score(pool, Runtime(), **silent)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no checkpoints"):
        GradientMatch().score(pool, Runtime(), **{**ports, "warmup": ports["model"]})  # type: ignore[arg-type]
    wrong = Labels.from_values("other", ["a", "b"])
    with pytest.raises(DataError, match="2 labels for 6"):
        GradientMatch().score(pool, Runtime(), subtasks=wrong, **ports)  # type: ignore[arg-type]
