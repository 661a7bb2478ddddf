"""States of a language model: pooling against its definition, rows alone and in company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from curation.core.artifacts import Missing, Model
from curation.core.dataset import Dataset, from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.encoders.hidden import Hidden
from curation.models.causal import load_causal
from curation.models.hidden import pool_states
from curation.models.rendering import encode_rows


@pytest.fixture
def pool() -> Dataset:
    texts = ["stone", "a river runs over green stone and the lamp is seven", "seven seven", "the lamp"]
    return from_pairs([*((t, texts[-1 - i]) for i, t in enumerate(texts)), ("nothing", "")])


def base(pool: Dataset, folder: Path, folds: int = 1) -> Model:
    return Model(pool.fingerprint, Missing.none(len(pool)), path=str(folder), name="tiny", folds=folds)


def pooled_naive(states: np.ndarray, pooling: str) -> np.ndarray:
    length = len(states)
    if pooling == "last":
        return states[-1]
    if pooling == "mean":
        return states.mean(axis=0)
    return sum((place + 1) / (length * (length + 1) / 2) * states[place] for place in range(length))


@pytest.mark.parametrize("pooling", ["weighted", "last", "mean"])
def test_features_equal_the_loop_over_rows(pool: Dataset, tiny_causal: Path, pooling: str) -> None:
    found = Hidden(pooling=pooling).encode(pool, Runtime(), model=base(pool, tiny_causal))  # type: ignore[arg-type]
    lm = load_causal(tiny_causal)
    for i, row in enumerate(encode_rows(lm, pool)):
        if row.reason:
            assert found.missing.reason(i) == row.reason and np.isnan(found.values[i]).all()
            continue
        with torch.no_grad():
            made = lm.model(torch.from_numpy(row.ids).long()[None], output_hidden_states=True)
        wanted = pooled_naive(made.hidden_states[-1][0].double().numpy(), pooling)
        assert np.allclose(found.values[i], wanted / np.linalg.norm(wanted), atol=1e-5)


def test_weights_grow_and_sum_to_one() -> None:
    eye = torch.eye(5, dtype=torch.float64)[None]
    weights = pool_states(eye, torch.tensor([4]), "weighted")[0]
    assert torch.allclose(weights, torch.tensor([1, 2, 3, 4, 0], dtype=torch.float64) / 10)


def test_company_and_order_do_not_matter(pool: Dataset, tiny_causal: Path) -> None:
    whole = Hidden().encode(pool, Runtime(), model=base(pool, tiny_causal)).values
    rows = np.array([3, 0, 1])
    part = pool.take(rows)
    alone = Hidden().encode(part, Runtime(batch_size=1), model=base(part, tiny_causal)).values
    assert np.allclose(alone, whole[rows], atol=1e-5)


def test_folds_are_refused(pool: Dataset, tiny_causal: Path) -> None:
    with pytest.raises(ModelError, match="not one causal"):
        Hidden().encode(pool, Runtime(), model=base(pool, tiny_causal, folds=2))
