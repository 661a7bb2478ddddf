"""The last layer reads scored places only, unless a layer inside it is asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from curation.core.runtime import Runtime
from curation.models._lora import with_adapters
from curation.models.gradients.features import gradient_norms
from curation.models.gradients.passes import sum_of_row_losses
from curation.models.gradients.taps import lora_layers


def test_both_ways_have_the_same_loss(lm, rows) -> None:
    some, factors = [row for row in rows if not row.reason], np.linspace(0.5, 2, 8)
    whole, narrow = (sum_of_row_losses(lm.model, some, "cpu", factors, narrow=n) for n in (False, True))
    assert float(whole) == pytest.approx(float(narrow), rel=1e-12)


def test_the_last_layer_reads_nothing_else(lm, rows) -> None:
    some, read = [row for row in rows if not row.reason], []
    hook = lm.model.get_output_embeddings().register_forward_hook(lambda m, args, out: read.append(args[0].shape[:2]))
    gradient_norms(lm, lora_layers(lm.model), rows, Runtime())
    hook.remove()
    assert read == [(1, sum(int(row.scored.sum()) for row in some))]


def test_adapters_of_the_last_layer_keep_rows_apart(lm, rows) -> None:
    lm.model.get_output_embeddings().weight = torch.nn.Parameter(lm.model.get_output_embeddings().weight.clone())
    wrapped = with_adapters(lm.model, rank=2, alpha=4.0, dropout=0.0, targets="lm_head")
    there = dataclasses.replace(lm, model=wrapped.get_base_model().eval())
    layers = {name: layer for name, layer in lora_layers(there.model).items() if "lm_head" in name}
    assert layers
    together = gradient_norms(there, layers, rows, Runtime(), batch_tokens=4096)
    alone = gradient_norms(there, layers, rows, Runtime(batch_size=1))
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert (alone[:8] > 0).all()
