"""How much is held at once changes no result: rows in groups, checkpoints that stay open, half precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from curation.core.dataset import from_pairs
from curation.core.runtime import Runtime
from curation.models.causal import CausalLM, load_causal
from curation.models.gradients import checkpoints
from curation.models.gradients.checkpoints import Checkpoints
from curation.models.gradients.features import HELD_SHARE, gradient_features, target_gradients
from curation.models.gradients.projections import CountSketch, Rademacher, halves, signs, unpacked, words
from curation.models.gradients.taps import lora_layers
from curation.models.rendering import Encoded, encode_rows


@pytest.mark.parametrize("rows_held", [0, 1, 3, 5, 100])
def test_rows_that_wait_for_their_projection_come_out_as_they_are(
    lm: CausalLM, rows: list[Encoded], rows_held: int
) -> None:
    layers = lora_layers(lm.model)
    whole = gradient_features(lm, layers, rows, Runtime(), Rademacher(64), normalise=False)
    memory = HELD_SHARE * 8 * rows_held * sum(layer.weight.numel() for layer in layers.values())
    for most in (1, 2, 9):
        found = gradient_features(
            lm, layers, rows, Runtime(memory_bytes=memory + 1), Rademacher(64), normalise=False, batch_rows=most,
            batch_tokens=1 if rows_held == 0 else 2048,
        )  # fmt: skip
        assert np.allclose(found, whole, rtol=1e-9, atol=1e-12, equal_nan=True)


def test_rows_of_no_group_count_for_nothing(lm: CausalLM, rows: list[Encoded]) -> None:
    layers = lora_layers(lm.model)
    some = target_gradients(lm, layers, rows, np.array([-1, 0, 1, 0, -1, -1, -1, -1, -1]), Runtime(), unit_rows=False)
    alone = target_gradients(lm, layers, rows[1:4], np.array([0, 1, 0]), Runtime(), unit_rows=False)
    assert all(torch.allclose(some[name], alone[name]) for name in layers)


def test_words_hold_the_signs_and_halves_the_numbers() -> None:
    numbers = words("layer", range(3, 40), 100, seed=4)
    assert numbers.shape == (37, 2)
    for kind in (torch.int8, torch.float32, torch.bfloat16):
        found = unpacked(numbers, 100, kind)
        assert found.dtype == kind and torch.equal(found.to(torch.int8), signs("layer", range(3, 40), 100, seed=4))
    values = torch.randn(1000) * torch.logspace(-20, 5, 1000)
    high, low = halves(values)
    assert ((high.double() + low.double() - values.double()).abs() <= 2.0**-16 * values.abs().double()).all()


@pytest.mark.parametrize("made", [Rademacher(4096, 1), CountSketch(4096, 1)])
def test_the_scale_is_what_lengths_grow_by(made: Rademacher | CountSketch) -> None:
    values = torch.randn(20, 3000, dtype=torch.float64)
    into = torch.zeros(20, 4096, dtype=torch.float64)
    made.add(into, "layer", values)
    grown = into.square().sum(1) / values.square().sum(1) / made.scale
    assert float((grown - 1).abs().max()) < 6 * (2 / 4096) ** 0.5


def test_checkpoints_share_the_weights_and_stay_open(
    tiny_causal: Path, tiny_warmup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = load_causal(tiny_causal)
    before = {n: (w.data_ptr(), w.requires_grad, w.clone()) for n, w in lm.model.named_parameters()}
    there = Checkpoints(lm, tiny_warmup / "checkpoints")
    base = {w.data_ptr() for n, w in there.lm.model.named_parameters() if ".lora_" not in n}
    assert base == {pointer for pointer, _, _ in before.values()}
    opened: list[int] = []
    read = there._open
    monkeypatch.setattr(there, "_open", lambda epoch: opened.append(epoch) or read(epoch))
    there._read.clear()
    weights = [{n: p.clone() for n, p in there.at(e)[0].model.named_parameters()} for e in (1, 2, 1, 2)]
    assert opened == [1, 2]
    assert all(torch.equal(weights[0][n], weights[2][n]) for n in weights[0])
    assert any(not torch.equal(weights[0][n], weights[1][n]) for n in weights[0])
    monkeypatch.setattr(checkpoints, "KEPT_BYTES", 0)
    there._read.clear()
    again = {n: p.clone() for n, p in there.at(1)[0].model.named_parameters()}
    assert not there._read and all(torch.equal(weights[0][n], again[n]) for n in again)
    after = {n: (w.data_ptr(), w.requires_grad) for n, w in lm.model.named_parameters()}
    assert after == {n: (pointer, flag) for n, (pointer, flag, _) in before.items()}
    assert all(torch.equal(w, before[n][2]) for n, w in lm.model.named_parameters())


def test_half_precision_points_the_same_way(tiny_causal: Path, tiny_warmup: Path) -> None:
    pool = from_pairs([("a river", "runs over green stone"), ("the lamp", "is seven"), ("a", "river a stone")])
    found = []
    for precision in ("fp32", "bf16"):
        there = Checkpoints(load_causal(tiny_causal, precision=precision), tiny_warmup / "checkpoints")  # type: ignore[arg-type]
        at, moments = there.at(2)
        assert all(layer.weight.dtype == torch.float32 for layer in there.layers.values())
        rows = encode_rows(at, pool, max_tokens=64)
        found.append(gradient_features(at, there.layers, rows, Runtime(), Rademacher(256), moments=moments))
    assert ((found[0] * found[1]).sum(axis=1) > 0.98).all() and not np.array_equal(*found)


@pytest.mark.gpu
def test_cuda_projects_as_a_cpu_does() -> None:
    values = torch.randn(5, 3000)
    made = []
    for device in ("cpu", "cuda"):
        into = torch.zeros(5, 200, device=device)
        Rademacher(200, 3, device).add(into, "layer", values.to(device))
        made.append(into.cpu())
    assert torch.allclose(*made, rtol=1e-4, atol=1e-2)
