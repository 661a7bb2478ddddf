"""A tiny model in float64 with trained-looking adapters, and rows of mixed lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.core.dataset import from_pairs
from curation.models._lora import with_adapters
from curation.models.causal import CausalLM, load_causal
from curation.models.rendering import Encoded, encode_rows


@pytest.fixture
def lm(tiny_causal: Path) -> CausalLM:
    """Adapters of rank 4 whose B is not zero, so that A has a gradient as well."""
    import copy
    import dataclasses

    import torch

    loaded = load_causal(tiny_causal)
    model = copy.deepcopy(loaded.model).double()
    model.requires_grad_(False)
    wrapped = with_adapters(model, rank=4, alpha=8.0, dropout=0.1, targets="q_proj,v_proj,o_proj")
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=chance, dtype=weight.dtype) * 0.3)
    return dataclasses.replace(loaded, model=wrapped.get_base_model().eval())


@pytest.fixture
def rows(lm: CausalLM) -> list[Encoded]:
    """Nine rows of 6 to some 60 tokens; one has no response."""
    words = ["a", "river", "runs", "over", "green", "stone", "and", "the", "lamp", "is", "seven"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, size)) for size in (1, 3, 9, 2, 14, 5, 30, 4)]
    pairs = [(texts[i], texts[-1 - i]) for i in range(8)]
    encoded = encode_rows(lm, from_pairs([*pairs, ("no answer", "")]))
    assert encoded[8].reason and not any(row.reason for row in encoded[:8])
    return encoded
