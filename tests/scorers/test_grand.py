"""GraNd: the closed form against autograd, and the refusal of scores at initialisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curation.core.artifacts import Dynamics, Missing
from curation.core.dataset import from_pairs
from curation.core.errors import CurationError, ModelError
from curation.core.runtime import Runtime
from curation.scorers.el2n import el2n
from curation.scorers.grand import GraNd, last_layer_grand


def test_in_a_linear_model_it_is_el2n_times_the_length_of_the_input():
    logits, labels, x = np.log([[0.7, 0.2, 0.1]]), np.array([0]), np.array([[3.0, 4.0]])
    assert last_layer_grand(logits, labels, x)[0] == pytest.approx(1.907880, abs=5e-6)  # with a bias
    assert el2n(logits, labels)[0] * 5.0 == pytest.approx(1.870829, abs=1e-6)  # without
    rng = np.random.default_rng(0)
    logits, labels, x = rng.normal(size=(20, 4)), rng.integers(0, 4, 20), rng.normal(size=(20, 6))
    expected = el2n(logits, labels) * np.sqrt(1 + (x**2).sum(axis=1))
    np.testing.assert_allclose(last_layer_grand(logits, labels, x), expected, rtol=1e-12)


def test_it_equals_a_loop_of_backward_passes():
    torch_rng = torch.Generator().manual_seed(0)
    weight = torch.randn(5, 7, generator=torch_rng, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, generator=torch_rng, dtype=torch.float64, requires_grad=True)
    inputs = torch.randn(12, 7, generator=torch_rng, dtype=torch.float64)
    labels = torch.arange(12) % 5
    expected = []
    for h, label in zip(inputs, labels, strict=True):
        loss = torch.nn.functional.cross_entropy((weight @ h + bias)[None], label[None])
        gradients = torch.autograd.grad(loss, [weight, bias])
        expected.append(float(torch.sqrt(sum((g**2).sum() for g in gradients))))
    logits = (inputs @ weight.T + bias).detach().numpy()
    np.testing.assert_allclose(last_layer_grand(logits, labels.numpy(), inputs.numpy()), expected, rtol=1e-12)


def test_runs_are_averaged():
    rng = np.random.default_rng(1)
    logits, labels, x = rng.normal(size=(3, 8, 4)), rng.integers(0, 4, 8), rng.normal(size=(3, 8, 6))
    each = [last_layer_grand(logits[run], labels, x[run]) for run in range(3)]
    np.testing.assert_allclose(last_layer_grand(logits, labels, x), np.mean(each, axis=0), rtol=1e-13)


def scored(epochs, **parameters):
    values = np.tile(np.array(epochs, np.float32)[None, :, None], (2, 1, 3)) * np.array([1, 2, 3], np.float32)
    pool = from_pairs([(f"q{i}", "a") for i in range(3)])
    dynamics = Dynamics(
        pool.fingerprint, Missing.none(3), {"grand": values}, np.array(epochs, float), {"grand": "last-layer"}
    )
    return GraNd(**parameters).score(pool, Runtime(), dynamics=dynamics)


def test_a_training_that_recorded_no_gradients_is_named():
    pool = from_pairs([("q", "a")])
    dynamics = Dynamics(pool.fingerprint, Missing.none(1), {"loss": np.ones((1, 1, 1), np.float32)}, np.ones(1))
    with pytest.raises(ModelError, match="did not record 'grand', it recorded loss") as error:
        GraNd().score(pool, Runtime(), dynamics=dynamics)
    assert "scorer/gradient-norm" in error.value.hint


def test_the_default_is_early_but_not_the_start():
    found = scored([0, 1, 2])
    assert found.values.tolist() == [1, 2, 3]
    assert found.info["epoch"] == 1
    assert found.info["parameters"] == "last-layer"
    assert found.higher_is_better is None
    assert scored([1, 2], epoch=2).values.tolist() == [2, 4, 6]


def test_a_training_shorter_than_an_epoch_says_so():
    assert scored([0, 0.5]).info["caution"].startswith("Measured after 0.5 of the first epoch")
    assert "caution" not in scored([0, 0.5, 1]).info


def test_scores_at_the_start_are_refused_unless_one_insists():
    for parameters in ({"epoch": 0}, {}):
        with pytest.raises(CurationError, match="did not beat random") as error:
            scored([0.0], **parameters)
        assert "allow_init" in error.value.hint
    assert "did not beat random" in scored([0.0, 1.0], epoch=0, allow_init=True).info["caution"]
