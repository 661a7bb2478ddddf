"""The warm-up of LESS: checkpoints hold the adapters and Adam's moments as the optimizer had them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from curation.core.artifacts import Missing, Model
from curation.core.dataset import Dataset, from_pairs
from curation.core.errors import DataError, JobCancelled, ModelError
from curation.core.runtime import Runtime
from curation.models.causal import load_causal
from curation.models.finetune import EpochState, fine_tune
from curation.models.gradients.checkpoints import Checkpoints, kept_in
from curation.models.rendering import encode_rows
from curation.trainers.warmup import Warmup

QUICK = Warmup(epochs=3, batch_rows=4, lora_rank=2, lora_alpha=4, learning_rate=0.01, max_tokens=64, warmup=0.0)


@pytest.fixture
def pool() -> Dataset:
    return from_pairs([(f"river {i}", f"stone {i % 3}") for i in range(9)] + [("nothing", "")])


def base_of(pool: Dataset, folder: Path, **more: object) -> Model:
    facts = {"path": str(folder), "name": "tiny", "seen": np.empty(0, "S16"), **more}
    return Model(pool.fingerprint, Missing.none(len(pool)), **facts)  # type: ignore[arg-type]


def test_every_pass_leaves_a_checkpoint(pool: Dataset, tiny_causal: Path, tmp_path: Path) -> None:
    made = QUICK.train(pool, Runtime(keep=tmp_path), model=base_of(pool, tiny_causal))
    kept = kept_in(made.folder() / "checkpoints")
    assert [(k.epoch, k.step) for k in kept] == [(1, 3), (2, 6), (3, 9)]
    # linear decay without a rise: rate · (1 − step/steps), the mean of each pass
    wanted = [np.mean([0.01 * (1 - s / 9) for s in range(3 * e, 3 * e + 3)]) for e in range(3)]
    assert np.allclose([k.mean_rate for k in kept], wanted)
    assert np.allclose(made.info["mean_rates"], wanted)
    assert made.missing.counts() and made.missing.reason(9)
    assert made.info["adapter_parameters"] == sum(
        t.numel() for t in load_file(made.folder() / "checkpoints" / "1" / "weights.safetensors").values()
    )


def test_moments_are_those_of_the_optimizer(pool: Dataset, tiny_causal: Path, tmp_path: Path) -> None:
    made = QUICK.train(pool, Runtime(keep=tmp_path / "a"), model=base_of(pool, tiny_causal))
    states: list[EpochState] = []
    lm = load_causal(tiny_causal)
    rows = encode_rows(lm, pool, max_tokens=64)

    def note(state: EpochState) -> None:
        copies = {k: {n: t.clone() for n, t in getattr(state, k).items()} for k in ("weights", "mean", "square")}
        states.append(dataclasses.replace(state, **copies))

    fine_tune(lm, rows, QUICK._settings(False), Runtime(), at_epoch=note)
    there = Checkpoints(lm, made.folder() / "checkpoints")
    for state in states:
        at, moments = there.at(state.epoch)
        own = dict(at.model.named_parameters())
        assert set(moments) == {name.removesuffix(".weight") for name in state.weights}
        for name, weight in state.weights.items():
            layer = moments[name.removesuffix(".weight")]
            assert torch.equal(own[name], weight)
            assert torch.equal(layer.mean, state.mean[name]) and torch.equal(layer.square, state.square[name])
            assert layer.step == state.step


def test_the_model_is_the_base_with_its_last_adapters(pool: Dataset, tiny_causal: Path, tmp_path: Path) -> None:
    made = QUICK.train(pool, Runtime(keep=tmp_path), model=base_of(pool, tiny_causal))
    at, _ = Checkpoints(load_causal(tiny_causal), made.folder() / "checkpoints").at(3)
    ids = torch.arange(10, 30)[None]
    with torch.no_grad():
        adapted, merged = at.model(ids).logits, load_causal(made.folder()).model(ids).logits
        plain = load_causal(tiny_causal).model(ids).logits
    assert torch.allclose(adapted, merged, atol=1e-5) and not torch.allclose(plain, merged, atol=1e-3)


def test_a_killed_warm_up_ends_with_the_same_checkpoints(pool: Dataset, tiny_causal: Path, tmp_path: Path) -> None:
    base = base_of(pool, tiny_causal)
    whole = QUICK.train(pool, Runtime(keep=tmp_path / "whole"), model=base)
    calls = 0

    def stop(done: float, total: float, note: str = "") -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise JobCancelled("stop")

    with pytest.raises(JobCancelled):
        QUICK.train(pool, Runtime(keep=tmp_path / "cut", progress=stop), model=base)
    again = QUICK.train(pool, Runtime(keep=tmp_path / "cut"), model=base)
    for epoch in (1, 2, 3):
        for name in ("weights", "moments"):
            a, b = (load_file(m.folder() / "checkpoints" / str(epoch) / f"{name}.safetensors") for m in (whole, again))
            assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_errors_say_what_to_do(pool: Dataset, tiny_causal: Path, tmp_path: Path) -> None:
    base = base_of(pool, tiny_causal)
    with pytest.raises(ModelError, match="no modules named nowhere"):
        QUICK.model_copy(update={"lora_targets": "nowhere"}).train(pool, Runtime(keep=tmp_path), model=base)
    silent = from_pairs([("a", ""), ("b", "")])
    with pytest.raises(DataError, match="no row can be trained on"):
        QUICK.train(silent, Runtime(keep=tmp_path), model=base_of(silent, tiny_causal))
    with pytest.raises(ModelError, match="not one causal"):
        QUICK.train(pool, Runtime(keep=tmp_path), model=base_of(pool, tiny_causal, folds=2))
    with pytest.raises(ModelError, match="no checkpoints"):
        kept_in(tmp_path / "nowhere")


def test_scratch_learns_at_its_own_rate() -> None:
    assert Warmup()._settings(weak=False).learning_rate == 2e-5
    assert Warmup()._settings(weak=True).learning_rate == 5e-3
    assert Warmup(learning_rate=1e-4)._settings(weak=True).learning_rate == 1e-4
