"""Gradients of rows in batches against autograd, one row at a time, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.causal import CausalLM
from curation.models.gradients.directions import Moments, direction, small_share
from curation.models.gradients.features import (
    gradient_features,
    gradient_norms,
    streamed_products,
    target_gradients,
)
from curation.models.gradients.layers import forms, ghost_is_cheaper, gradients, products, squared_norms
from curation.models.gradients.projections import CountSketch, Rademacher, signs
from curation.models.gradients.taps import linear_layers, lora_layers, taps
from curation.models.rendering import Encoded

SIZES = [(4096, None), (1, None), (60, None), (4096, 3)]
"""Tokens and rows of a batch: all together, one by one, and in between."""


def one_by_one(lm: CausalLM, layers: dict[str, torch.nn.Linear], rows: list[Encoded]) -> list[dict[str, torch.Tensor]]:
    """The textbook loop: each row alone, its mean loss, `.backward()`."""
    found = []
    weights = [layer.weight for layer in layers.values()]
    for row in rows:
        if row.reason:
            found.append({name: torch.full_like(layer.weight, torch.nan) for name, layer in layers.items()})
            continue
        for weight in weights:
            weight.requires_grad_(True)
        ids = torch.from_numpy(row.ids).long()[None]
        logits = lm.model(input_ids=ids).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        loss = losses[torch.from_numpy(row.scored[1:])].mean()
        each = torch.autograd.grad(loss, weights)
        found.append({name: g.detach() for name, g in zip(layers, each, strict=True)})
        for weight in weights:
            weight.requires_grad_(False)
    return found


def flat(row: dict[str, torch.Tensor]) -> np.ndarray:
    return torch.cat([g.flatten() for g in row.values()]).numpy()


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.nanmax(np.abs(a - b)) <= 1e-6 * np.nanmax(np.abs(b))) and bool((np.isnan(a) == np.isnan(b)).all())


class Everything:
    """A projection that keeps every coordinate."""

    def __init__(self, layers: dict[str, torch.nn.Linear]) -> None:
        sizes = [layer.weight.numel() for layer in layers.values()]
        self.width = sum(sizes)
        self.starts = dict(zip(layers, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        start = self.starts[name]
        into[:, start : start + values.shape[1]] += values


@pytest.mark.parametrize(("tokens", "most"), SIZES)
def test_features_are_the_gradients_of_single_rows(lm: CausalLM, rows: list[Encoded], tokens: int, most: int) -> None:
    layers = lora_layers(lm.model)
    wanted = np.array([flat(row) for row in one_by_one(lm, layers, rows)])
    found = gradient_features(
        lm, layers, rows, Runtime(), Everything(layers), normalise=False, batch_tokens=tokens, batch_rows=most
    )
    assert close(found, wanted)


def test_full_layers_too(lm: CausalLM, rows: list[Encoded]) -> None:
    layers = linear_layers(lm.model, lambda name: name.endswith("gate_proj"))
    wanted = np.array([flat(row) for row in one_by_one(lm, layers, rows)])
    assert close(gradient_features(lm, layers, rows, Runtime(), Everything(layers), normalise=False), wanted)


def test_order_and_company_do_not_matter(lm: CausalLM, rows: list[Encoded]) -> None:
    layers = lora_layers(lm.model)
    whole = gradient_features(lm, layers, rows, Runtime(), Rademacher(64))
    turned = gradient_features(lm, layers, rows[::-1], Runtime(), Rademacher(64))
    assert close(turned[::-1], whole)
    assert close(gradient_features(lm, layers, rows[3:4], Runtime(), Rademacher(64)), whole[3:4])
    assert np.allclose(np.linalg.norm(whole[:8], axis=1), 1, atol=1e-6) and np.isnan(whole[8]).all()


def test_checkpointed_layers_give_the_same(lm: CausalLM, rows: list[Encoded]) -> None:
    layers = lora_layers(lm.model)
    wanted = gradient_features(lm, layers, rows, Runtime(), Everything(layers), normalise=False)
    lm.model.gradient_checkpointing_enable({"use_reentrant": False})
    lm.model.train()
    for module in lm.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lm.model, "eval", lambda: lm.model)  # checkpointing works in train mode only
        found = gradient_features(lm, layers, rows, Runtime(), Everything(layers), normalise=False)
    assert close(found, wanted)


def test_the_model_is_left_as_it_was(lm: CausalLM, rows: list[Encoded]) -> None:
    flags = {n: w.requires_grad for n, w in lm.model.named_parameters()}
    weights = {n: w.clone() for n, w in lm.model.named_parameters()}
    gradient_norms(lm, lora_layers(lm.model), rows, Runtime())
    assert {n: w.requires_grad for n, w in lm.model.named_parameters()} == flags
    assert all(torch.equal(w, weights[n]) and w.grad is None for n, w in lm.model.named_parameters())


def test_no_adapters_are_an_error(tiny_causal: object) -> None:
    with pytest.raises(ModelError, match="no adapters"):
        lora_layers(torch.nn.Sequential(torch.nn.Linear(2, 2)))


def test_a_layer_that_is_used_twice_is_an_error() -> None:
    layer = torch.nn.Linear(3, 3)
    with taps({"twice": layer}, lambda *args: None), pytest.raises(ModelError, match="uses the layer twice twice"):
        layer(layer(torch.randn(2, 4, 3, requires_grad=True))).sum().backward()


# ---------------------------------------------------------------------- lengths and products


@pytest.mark.parametrize("tokens", [4096, 1, 60])
def test_norms_equal_those_of_the_loop(lm: CausalLM, rows: list[Encoded], tokens: int) -> None:
    layers = {**lora_layers(lm.model), **linear_layers(lm.model, lambda name: "mlp" in name)}
    wanted = np.array([np.linalg.norm(flat(row)) for row in one_by_one(lm, layers, rows)])
    assert close(gradient_norms(lm, layers, rows, Runtime(), batch_tokens=tokens), wanted)


@pytest.mark.parametrize("seed", range(3))
def test_ghosts_equal_what_they_stand_for(seed: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    x, d, y, e = (
        torch.randn(b, t, w, generator=chance, dtype=torch.float64)
        for b, t, w in ((4, 7, 5), (4, 7, 6), (3, 9, 5), (3, 9, 6))
    )
    assert torch.allclose(squared_norms(x, d, ghost=True), squared_norms(x, d, ghost=False))
    assert torch.allclose(squared_norms(x, d), gradients(x, d).square().sum((1, 2)))
    wanted = torch.einsum("bto,bti,cso,csi->bc", d, x, e, y)
    assert torch.allclose(products(x, d, (y, e), ghost=True), wanted)
    assert torch.allclose(products(x, d, (y, e), ghost=False), wanted)
    matrices = torch.randn(2, 6, 5, generator=chance, dtype=torch.float64)
    assert torch.allclose(forms(x, d, matrices), torch.einsum("bto,joi,bti->bj", d, matrices, x))


def test_the_cheaper_way_is_taken() -> None:
    assert ghost_is_cheaper(64, 4096, 4096) and not ghost_is_cheaper(512, 64, 8)


# ---------------------------------------------------------------------- known targets, streamed


@pytest.mark.parametrize("unit", [False, True])
def test_streamed_products_equal_stored_features(lm: CausalLM, rows: list[Encoded], unit: bool) -> None:
    layers = lora_layers(lm.model)
    groups = np.array([0, 1, 1, 0, 2, 2, 2, 1, 0])
    each = np.array([flat(row) for row in one_by_one(lm, layers, rows)])
    scaled = each / np.linalg.norm(each, axis=1, keepdims=True) if unit else each
    means = np.array([np.nanmean(scaled[groups == j], axis=0) for j in range(3)])
    targets = target_gradients(lm, layers, rows, groups, Runtime(), unit_rows=unit)
    found, norms = streamed_products(lm, layers, rows, targets, Runtime(), batch_tokens=60)
    assert close(np.concatenate([t.flatten(1).double().numpy() for t in targets.values()], 1), means)
    assert close(found, each @ means.T) and close(norms, np.linalg.norm(each, axis=1))


# ---------------------------------------------------------------------- directions


def test_directions_follow_their_formulas() -> None:
    chance = torch.Generator().manual_seed(0)
    g = torch.randn(3, 5, generator=chance, dtype=torch.float64) * 1e-4
    m = torch.randn(5, generator=chance, dtype=torch.float64) * 1e-4
    v = torch.rand(5, generator=chance, dtype=torch.float64) * 1e-8
    moments = Moments(m, v, 7)
    m1, v1 = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    assert torch.equal(direction(g, None, "sgd"), g)
    assert torch.allclose(direction(g, moments, "repo"), m1 / torch.sqrt(v1 + 1e-8))
    paper = (m1 / (1 - 0.9**7)) / (torch.sqrt(v1 / (1 - 0.999**7)) + 1e-8)
    assert torch.allclose(direction(g, moments, "paper"), paper)
    adam = (m1 / (1 - 0.9**8)) / (torch.sqrt(v1 / (1 - 0.999**8)) + 1e-8)
    assert torch.allclose(direction(g, moments, "adam"), adam)
    with pytest.raises(ValueError, match="needs moments"):
        direction(g, None, "adam")


def test_adam_is_the_step_that_the_optimizer_takes() -> None:
    weight = torch.nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.AdamW([weight], lr=1.0, weight_decay=0.0)
    chance = torch.Generator().manual_seed(3)
    for _ in range(5):
        weight.grad = torch.randn(4, generator=chance, dtype=torch.float64)
        optimizer.step()
    state = optimizer.state[weight]
    moments = Moments(state["exp_avg"].clone(), state["exp_avg_sq"].clone(), int(state["step"]))
    gradient = torch.randn(4, generator=chance, dtype=torch.float64)
    before = weight.detach().clone()
    weight.grad = gradient
    optimizer.step()
    assert torch.allclose(before - weight.detach(), direction(gradient[None], moments, "adam")[0])


def test_without_moments_repo_is_a_sign_with_a_bound() -> None:
    g = torch.tensor([[1.0, -1e-3, 1e-6, 0.0]], dtype=torch.float64)
    still = Moments(torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64), 1)
    found = direction(g, still, "repo")
    assert torch.allclose(found, 0.1 * g / torch.sqrt(0.001 * g**2 + 1e-8))
    assert float(found.abs().max()) <= 0.1 / 0.001**0.5
    assert torch.allclose(direction(-g, still, "repo"), -found)
    assert small_share({"a": still}) == 1.0


# ---------------------------------------------------------------------- projections


def test_signs_do_not_depend_on_the_blocks() -> None:
    whole = signs("layer", range(0, 200), 100, seed=5)
    assert set(whole.unique().tolist()) == {-1, 1} and whole.shape == (200, 100)
    assert torch.equal(torch.cat([signs("layer", range(a, a + 50), 100, seed=5) for a in range(0, 200, 50)]), whole)
    assert torch.equal(signs("layer", range(0, 200), 64, seed=5), whole[:, :64])
    other = signs("layer", range(0, 200), 100, seed=6), signs("another", range(0, 200), 100, seed=5)
    assert all(abs(float((o * whole).float().mean())) < 0.03 for o in other)


def test_signs_are_fair_and_unrelated() -> None:
    found = signs("layer", range(0, 4096), 256, seed=0).double()
    assert abs(float(found.mean())) < 4 / found.numel() ** 0.5
    inner = found.T @ found / len(found)
    inner.fill_diagonal_(0)
    assert float(inner.abs().max()) < 6 / len(found) ** 0.5
    across = found[:512] @ found[:512].T / found.shape[1]
    across.fill_diagonal_(0)
    assert float(across.abs().max()) < 7 / found.shape[1] ** 0.5


def test_projection_by_blocks_equals_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    from curation.models.gradients import projections

    values = torch.randn(3, 500, dtype=torch.float64)
    wanted = values @ signs("layer", range(0, 500), 70, seed=2).double()
    monkeypatch.setattr(projections, "BLOCK_BYTES", 70 * 4 * 64)
    for keep in (0, 10_000, 1 << 20):
        into = torch.zeros(3, 70, dtype=torch.float64)
        Rademacher(70, 2, keep_bytes=keep).add(into, "layer", values)
        assert torch.allclose(into, wanted)


@pytest.mark.parametrize("kind", [Rademacher, CountSketch])
def test_cosines_survive_as_far_as_theory_says(kind: type) -> None:
    """Standard deviation of a projected cosine ≈ (1 − ρ²)/√d."""
    rng, width, rho = np.random.default_rng(0), 1024, 0.3
    errors = []
    for seed in range(40):
        a = rng.normal(size=20_000)
        b = rho * a + (1 - rho**2) ** 0.5 * rng.normal(size=20_000)
        into = torch.zeros(2, width, dtype=torch.float64)
        kind(width, seed).add(into, "layer", torch.from_numpy(np.array([a, b])))
        x, y = into.numpy()
        errors.append(x @ y / np.linalg.norm(x) / np.linalg.norm(y) - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    theory = (1 - rho**2) / width**0.5
    assert 0.6 * theory < float(np.std(errors)) < 1.5 * theory and abs(np.mean(errors)) < 4 * theory / 40**0.5
