"""Gradient norms of rows as a score; the norms themselves are tested in tests/models/test_row_gradients.py."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from curation.core.artifacts import Missing, Model
from curation.core.dataset import from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.causal import load_causal
from curation.models.gradients.features import gradient_norms
from curation.models.rendering import encode_rows
from curation.models.row_gradients import own_layers
from curation.scorers.gradient_norm import GradientNorm

PAIRS = [
    ("a river", "runs over green stone"),
    ("the lamp", "is seven"),
    ("", "stone"),
    ("nothing", ""),
    ("a", "river a"),
]


@pytest.fixture(scope="module")
def pool():
    return from_pairs(PAIRS)


@pytest.fixture
def model(pool, tiny_causal):
    return Model(pool.fingerprint, Missing.none(len(pool)), path=str(tiny_causal), name="tiny", owned=False, weak=True)


def test_it_is_the_length_of_each_rows_own_gradient(pool, model, tiny_causal):
    made = GradientNorm(scope="all").score(pool, Runtime(), model=model)
    lm = load_causal(tiny_causal)
    for i, row in enumerate(encode_rows(lm, pool)):
        if row.reason:
            assert np.isnan(made.values[i])
            assert made.missing.reason(i) == row.reason
            continue
        ids = torch.from_numpy(row.ids).long()[None]
        at = np.flatnonzero(row.scored)
        loss = torch.nn.functional.cross_entropy(lm.model(input_ids=ids).logits[0, at - 1], ids[0, at])
        gradients = torch.autograd.grad(loss, list(lm.model.parameters()))
        assert made.values[i] == pytest.approx(float(sum((g**2).sum() for g in gradients).sqrt()), rel=1e-4)
        assert made.columns["tokens"][i] == len(at)
    assert made.missing.counts() == {"the response is empty": 1}
    assert (made.name, made.higher_is_better) == ("gradient norm", None)
    assert made.info["weak"] is True


@pytest.mark.parametrize("scope", ["last-layer", "lora", "layers", "all"])
def test_a_row_does_not_depend_on_its_neighbours(pool, model, scope):
    method = GradientNorm(scope=scope)
    whole = method.score(pool, Runtime(batch_size=5), model=model)
    rows = np.array([4, 0, 3])
    part = method.score(pool.take(rows), Runtime(batch_size=1), model=model)
    np.testing.assert_allclose(part.values, whole.values[rows], rtol=1e-4)


@pytest.mark.parametrize("formed", [1, 1 << 28])
@pytest.mark.parametrize("tokens", [4096, 1])
def test_all_linear_layers_equal_the_loop_in_float64(pool, tiny_causal, tokens, formed, monkeypatch):
    monkeypatch.setattr("curation.models.gradients.layers.FORMED_BYTES", formed)  # one gradient at once, or many
    loaded = load_causal(tiny_causal)
    lm = dataclasses.replace(loaded, model=copy.deepcopy(loaded.model).double())
    rows = encode_rows(lm, pool)
    layers = own_layers(lm)
    assert len(layers) == 2 * 7 + 1
    found = gradient_norms(lm, layers, rows, Runtime(), batch_tokens=tokens)
    for i, row in enumerate(rows):
        if row.reason:
            assert np.isnan(found[i])
            continue
        ids = torch.from_numpy(row.ids).long()[None]
        at = np.flatnonzero(row.scored)
        loss = torch.nn.functional.cross_entropy(lm.model(input_ids=ids).logits[0, at - 1], ids[0, at])
        gradients = torch.autograd.grad(loss, [layer.weight for layer in layers.values()])
        assert found[i] == pytest.approx(float(sum((g**2).sum() for g in gradients).sqrt()), rel=1e-9)


def test_the_scope_of_all_linear_layers_is_most_of_all_weights(pool, model):
    layers, everything = (
        GradientNorm(scope=scope).score(pool, Runtime(), model=model).values for scope in ("layers", "all")
    )
    good = ~np.isnan(everything)
    assert (layers[good] < everything[good]).all() and (layers[good] > 0.5 * everything[good]).all()


def test_draws_are_averaged_and_their_spread_is_said(pool, model):
    one, two, both = (
        GradientNorm(scope="lora", seed=seed, seeds=seeds).score(pool, Runtime(), model=model)
        for seed, seeds in ((5, 1), (6, 1), (5, 2))
    )
    np.testing.assert_allclose(both.values, (one.values + two.values) / 2, rtol=1e-6)
    np.testing.assert_allclose(both.columns["std"], np.abs(one.values - two.values) / 2**0.5, rtol=1e-3, atol=1e-6)
    assert np.isnan(one.columns["std"]).all()  # one draw has no spread
    assert not np.allclose(one.values[0], two.values[0], rtol=1e-3)
    assert "std" not in GradientNorm().score(pool, Runtime(), model=model).columns


def test_rows_the_model_saw_have_no_score(pool, model):
    made = GradientNorm().score(pool, Runtime(), model=dataclasses.replace(model, seen=pool.contents[[1]]))
    assert made.missing.reason(1) == "the scratch model was pre-trained on this row"


def test_a_classifier_is_refused(pool, model):
    with pytest.raises(ModelError, match="no causal language model"):
        GradientNorm().score(pool, Runtime(), model=dataclasses.replace(model, role="classifier"))
