"""Classifier heads: gradients against autograd, training, files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from curation.core.errors import ModelError
from curation.models import heads
from curation.models.heads import (
    MEASURES,
    Heads,
    HeadSettings,
    forward,
    gradient_norms,
    load_heads,
    measure,
    predict,
    save_heads,
    scaling,
    train_head,
)


def layers_of(widths, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(
        (rng.normal(size=(out, wide)), rng.normal(size=out)) for wide, out in zip(widths[:-1], widths[1:], strict=True)
    )


def blobs(n=240, classes=4, d=6, seed=0, spread=0.5):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, d)) * 2
    codes = np.arange(n) % classes
    return (centres[codes] + spread * rng.normal(size=(n, d))).astype(np.float32), codes


def autograd_norms(layers, x, codes, scope):
    """One backward pass per row, in float64."""
    found = []
    parameters = [torch.tensor(p, dtype=torch.float64, requires_grad=True) for pair in layers for p in pair]
    for row, code in zip(x, codes, strict=True):
        h = torch.tensor(row, dtype=torch.float64)
        for place in range(0, len(parameters), 2):
            h = torch.nn.functional.linear(h if place == 0 else torch.relu(h), parameters[place], parameters[place + 1])
        wanted = parameters if scope == "all" else parameters[-2:]
        loss = torch.nn.functional.cross_entropy(h[None], torch.tensor([code]))
        gradients = torch.autograd.grad(loss, wanted)
        found.append(float(torch.sqrt(sum((g**2).sum() for g in gradients))))
    return np.array(found)


@pytest.mark.parametrize("widths", [(5, 3), (5, 7, 3), (5, 7, 6, 3)])
@pytest.mark.parametrize("scope", ["last-layer", "all"])
def test_gradient_lengths_equal_a_loop_of_backward_passes(widths, scope):
    rng = np.random.default_rng(1)
    x, codes = rng.normal(size=(9, 5)), rng.integers(0, 3, 9)
    layers = layers_of(widths)
    expected = autograd_norms(layers, x, codes, scope)
    np.testing.assert_allclose(gradient_norms(layers, x, codes, scope), expected, rtol=1e-12)


def test_with_a_linear_head_all_parameters_are_those_of_the_last_layer():
    x, codes = blobs(20)
    layers = layers_of((6, 4))
    np.testing.assert_array_equal(gradient_norms(layers, x, codes, "all"), gradient_norms(layers, x, codes))


def test_many_classes_make_small_blocks_which_do_not_matter(tmp_path, monkeypatch):
    """One class a row, as when the field is an id: a table of all rows and classes would not fit."""
    rng = np.random.default_rng(0)
    x, codes = rng.normal(size=(40, 5)).astype(np.float32), np.arange(40)
    layers = tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers_of((5, 6, 40)))
    save_heads(Heads(tuple(map(str, codes)), np.zeros(5, np.float32), np.ones(5, np.float32), (layers,)), tmp_path)
    whole, shares, sizes = measure(layers, x, codes, "all"), predict(tmp_path, x), []

    def watched(layers, x):
        sizes.append(len(x))
        return forward(layers, x)

    monkeypatch.setattr(heads, "forward", watched)
    monkeypatch.setattr(heads, "BLOCK_CELLS", 7 * 40 + 1)
    for name, values in measure(layers, x, codes, "all").items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose(predict(tmp_path, x), shares, rtol=1e-5)
    assert max(sizes) == 7


def test_a_head_learns_and_every_pass_is_measured():
    x, codes = blobs()
    made = train_head(x, codes, 4, HeadSettings(epochs=6, learning_rate=0.02), seed=(0, 0))
    assert set(made.measures) == set(MEASURES)
    assert made.epochs.tolist() == [1, 2, 3, 4, 5, 6]
    assert made.measures["loss"].shape == (6, 240)
    assert (np.diff(made.loss) < 0).all()
    assert made.measures["correct"][-1].mean() > 0.95
    # the last record is what the parameters say
    again = measure(made.layers, x, codes)
    np.testing.assert_array_equal(made.measures["el2n"][-1], again["el2n"])
    np.testing.assert_allclose(made.measures["loss"][-1], -np.log(made.measures["p_true"][-1]), rtol=1e-4)


def test_measuring_changes_nothing_and_the_start_can_be_measured_too():
    x, codes = blobs(80)
    plain, start, silent = (
        train_head(x, codes, 4, HeadSettings(epochs=2, **more), seed=(3,))
        for more in ({}, {"record_start": True}, {"measure": False})
    )
    for other in (start, silent):
        for a, b in zip(plain.layers, other.layers, strict=True):
            np.testing.assert_array_equal(a[0], b[0])
    assert start.epochs.tolist() == [0, 1, 2]
    assert np.isnan(start.measures["presented"][0]).all()
    np.testing.assert_array_equal(start.measures["margin"][1:], plain.measures["margin"])
    assert silent.measures == {}


@pytest.mark.parametrize("hidden", [0, 8])
def test_the_first_updates_are_those_of_pytorch(hidden):
    """The whole loop again with nn.Linear, cross_entropy and SGD from the same beginning, in one batch per pass."""
    x, codes = blobs(30)
    settings = HeadSettings(epochs=0, steps=1, hidden=hidden, batch_rows=30, optimiser="sgd", learning_rate=1e-12)
    begun = train_head(x, codes, 4, settings, seed=(1,)).layers  # a rate of nothing leaves the beginning
    parts = []
    for place, (weight, bias) in enumerate(begun):
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = torch.tensor(weight), torch.tensor(bias)
        parts += [linear] if place == 0 else [torch.nn.ReLU(), linear]
    network = torch.nn.Sequential(*parts)
    sgd = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(network(torch.tensor(x)), torch.tensor(codes))
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    made = train_head(
        x,
        codes,
        4,
        HeadSettings(epochs=3, hidden=hidden, batch_rows=30, optimiser="sgd", learning_rate=0.1, weight_decay=0.01),
        seed=(1,),
    )
    np.testing.assert_allclose(
        forward(made.layers, x)[-1], network(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("hidden", [0, 8])
def test_passes_of_shuffled_mini_batches_are_those_of_a_plain_loop(optimiser, hidden):
    """From the same numbers of chance: the beginning, then an order for every pass; the last batch is smaller."""
    x, codes = blobs(50)
    rng, widths = np.random.default_rng((4, 2)), [6, *([hidden] if hidden else []), 4]
    parameters = []
    for wide, out in zip(widths[:-1], widths[1:], strict=True):
        for shape in ((out, wide), (out,)):
            drawn = rng.uniform(-(wide**-0.5), wide**-0.5, shape).astype(np.float32)
            parameters.append(torch.tensor(drawn, requires_grad=True))
    kind = torch.optim.AdamW if optimiser == "adam" else torch.optim.SGD
    more = {} if optimiser == "adam" else {"momentum": 0.9, "nesterov": True}
    steps = kind(parameters, lr=0.01, weight_decay=0.02, **more)
    losses, right = [], np.full((3, 50), np.nan)
    for number in range(3):
        order = rng.permutation(50)
        each = []
        for begin in range(0, 50, 16):
            batch = order[begin : begin + 16]
            h = torch.tensor(x[batch])
            for place in range(0, len(parameters), 2):
                h = (h if place == 0 else torch.relu(h)) @ parameters[place].T + parameters[place + 1]
            right[number, batch] = h.argmax(1).numpy() == codes[batch]
            loss = torch.nn.functional.cross_entropy(h, torch.tensor(codes[batch]))
            steps.zero_grad()
            loss.backward()
            steps.step()
            each.append(float(loss.detach()))
        losses.append(np.mean(each))
    settings = HeadSettings(
        epochs=3, hidden=hidden, batch_rows=16, optimiser=optimiser, learning_rate=0.01, weight_decay=0.02
    )
    made = train_head(x, codes, 4, settings, seed=(4, 2))
    for place, (weight, bias) in enumerate(made.layers):
        np.testing.assert_allclose(weight, parameters[2 * place].detach().numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(bias, parameters[2 * place + 1].detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.loss, losses, rtol=1e-5)
    np.testing.assert_array_equal(made.measures["presented"], right)


def test_presented_is_what_the_batch_showed_before_its_update():
    """With one batch per pass, correctness when presented is that after the pass before."""
    x, codes = blobs(60, spread=2.0)
    made = train_head(x, codes, 4, HeadSettings(epochs=4, batch_rows=60, record_start=True), seed=(0,))
    np.testing.assert_array_equal(made.measures["presented"][1:], made.measures["correct"][:-1])


def test_steps_count_updates_and_the_last_pass_may_be_a_part():
    x, codes = blobs(100)
    seen = []
    settings = HeadSettings(steps=5, batch_rows=30)
    made = train_head(x, codes, 4, settings, seed=(0,), record=seen.append)
    assert made.epochs.tolist() == [1.0, 1.25]
    assert [m["step"] for m in seen] == [4, 5]
    assert np.isnan(made.measures["presented"][1]).sum() == 70
    assert not np.isnan(made.measures["presented"][0]).any()


def test_one_seed_is_one_result_and_nothing_global_is_touched():
    x, codes = blobs(64)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (train_head(x, codes, 4, HeadSettings(epochs=2), seed=seed) for seed in ((7, 0), (7, 0), (7, 1)))
    np.testing.assert_array_equal(one.measures["margin"], same.measures["margin"])
    assert not np.array_equal(one.measures["margin"], other.measures["margin"])
    assert torch.equal(before, torch.get_rng_state())


def test_a_loss_that_explodes_is_an_error():
    x, codes = blobs(64)
    with pytest.raises(ModelError, match="the loss is"):
        train_head(x * 1e20, codes, 4, HeadSettings(epochs=5, optimiser="sgd", learning_rate=100.0), seed=(0,))


def test_a_last_update_that_explodes_is_an_error_too():
    """The only batch has a finite loss; what its update makes of the rows has none."""
    x, codes = blobs(64)
    settings = HeadSettings(epochs=1, batch_rows=64, optimiser="sgd", learning_rate=100.0)
    with pytest.raises(ModelError, match="is not finite after epoch 1") as error:
        train_head(x * np.float32(1e19), codes, 4, settings, seed=(0,))
    assert "learning_rate" in error.value.hint


def test_a_column_that_does_not_vary_is_not_divided_by_rounding_errors():
    points = np.stack([np.full(1000, 0.1), np.arange(1000.0), np.zeros(1000)], axis=1).astype(np.float32)
    center, scale = scaling(points)
    assert scale[[0, 2]].tolist() == [1.0, 1.0]
    scaled = (points - center) / scale
    np.testing.assert_allclose(scaled.std(axis=0), [0, 1, 0], atol=1e-5)


def test_saved_heads_predict_the_mean_of_their_runs(tmp_path):
    x, codes = blobs(50)
    runs = tuple(train_head(x, codes, 4, HeadSettings(epochs=1, hidden=5), seed=(s,)).layers for s in range(3))
    made = Heads(("a", "b", "ü", "d"), np.full(6, 0.5, np.float32), np.full(6, 2.0, np.float32), runs, {"rows": 50})
    save_heads(made, tmp_path / "made")
    loaded = load_heads(tmp_path / "made")
    assert loaded.classes == ("a", "b", "ü", "d")
    assert loaded.facts == {"rows": 50}
    found = predict(tmp_path / "made", np.vstack([x, np.full((1, 6), np.nan, np.float32)]))
    logits = np.stack([forward(layers, (x - 0.5) / 2.0)[-1] for layers in runs]).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(found[:50], shares.mean(axis=0), rtol=1e-5)
    assert np.isnan(found[50]).all()
    assert {p.name for p in (tmp_path / "made").iterdir()} == {"heads.json", "heads.safetensors"}
    assert json.loads((tmp_path / "made" / "heads.json").read_text(encoding="utf-8"))["classes"][2] == "ü"


def test_what_cannot_be_read_or_does_not_fit_is_said(tmp_path):
    with pytest.raises(ModelError, match="holds no classifier head"):
        predict(tmp_path, np.zeros((1, 6)))
    x, codes = blobs(20)
    run = train_head(x, codes, 4, HeadSettings(epochs=1), seed=(0,)).layers
    save_heads(Heads(tuple("abcd"), np.zeros(6, np.float32), np.ones(6, np.float32), (run,)), tmp_path)
    with pytest.raises(ModelError, match="reads 6 numbers a row, the features have 3"):
        predict(tmp_path, np.zeros((1, 3)))
    assert predict(tmp_path, np.empty((0, 6), np.float32)).shape == (0, 4)
    (tmp_path / "heads.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="holds no classifier head"):
        predict(tmp_path, x)
