"""Gradient features over the checkpoints of a warm-up, against the loop over checkpoints and rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from curation.core.artifacts import Features, Missing, Model
from curation.core.dataset import Dataset, from_pairs
from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.encoders.gradients import Gradients
from curation.models.causal import load_causal
from curation.models.gradients.checkpoints import Checkpoints
from curation.models.gradients.directions import direction
from curation.models.gradients.projections import signs
from curation.models.rendering import encode_rows

WIDTH = 128


@pytest.fixture
def pool() -> Dataset:
    texts = ["stone", "a river runs over green stone and the lamp is seven", "seven seven", "the lamp"]
    return from_pairs([*((t, texts[-1 - i]) for i, t in enumerate(texts)), ("nothing", "")])


def models(pool: Dataset, base: Path, warm: Path) -> dict[str, Model]:
    none = Missing.none(len(pool))
    made = {
        name: Model(pool.fingerprint, none, path=str(path), name=name) for name, path in (("tiny", base), ("w", warm))
    }
    return {"model": made["tiny"], "warmup": made["w"]}


def features_naive(pool: Dataset, base: Path, warm: Path, variant: str) -> np.ndarray:
    """Checkpoint by checkpoint, row by row, `.backward()`, the whole matrix of signs."""
    lm = load_causal(base)
    there = Checkpoints(lm, warm / "checkpoints")
    rates = np.array([kept.mean_rate for kept in there.kept])
    parts = []
    for kept, weight in zip(there.kept, rates / rates.sum(), strict=True):
        at, moments = there.at(kept.epoch)
        layers = there.layers
        out = np.full((len(pool), WIDTH), np.nan)
        for i, row in enumerate(encode_rows(at, pool, max_tokens=64)):
            if row.reason:
                continue
            for layer in layers.values():
                layer.weight.requires_grad_(True)
            ids = torch.from_numpy(row.ids).long()[None]
            losses = torch.nn.functional.cross_entropy(at.model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
            loss = losses[torch.from_numpy(row.scored[1:])].mean()
            grads = torch.autograd.grad(loss, [layer.weight for layer in layers.values()])
            into = torch.zeros(WIDTH)
            for (name, layer), g in zip(layers.items(), grads, strict=True):
                step = direction(g[None], moments[name], variant).flatten()  # type: ignore[arg-type]
                into += step @ signs(name, range(layer.weight.numel()), WIDTH, 0).float()
                layer.weight.requires_grad_(False)
            out[i] = (into / into.norm() * weight**0.5).numpy()
        parts.append(out)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("variant", ["sgd", "paper", "repo", "adam"])
def test_features_equal_the_loop(pool: Dataset, tiny_causal: Path, tiny_warmup: Path, variant: str) -> None:
    method = Gradients(width=WIDTH, max_tokens=64, direction=variant)  # type: ignore[arg-type]
    found = method.encode(pool, Runtime(), **models(pool, tiny_causal, tiny_warmup))
    wanted = features_naive(pool, tiny_causal, tiny_warmup, variant)
    assert found.values.dtype == np.float16 and found.values.shape == (5, 2 * WIDTH)
    assert np.nanmax(np.abs(found.values - wanted)) < 1e-3 and np.isnan(found.values[4]).all()
    assert found.missing.reason(4) and not found.missing.mask[:4].any()
    # half precision keeps the order of who is like whom
    alike = wanted[:4] @ wanted[:4].T
    assert (
        np.abs(np.asarray(found.values[:4], np.float64) @ np.asarray(found.values[:4], np.float64).T - alike).max()
        < 2e-3
    )


def test_parts_make_the_whole(pool: Dataset, tiny_causal: Path, tiny_warmup: Path) -> None:
    method, given = Gradients(width=WIDTH, max_tokens=64), models(pool, tiny_causal, tiny_warmup)
    whole = method.encode(pool, Runtime(), **given)
    for rows in ([2], [3, 0]):
        part = method.encode(pool.take(np.array(rows)), Runtime(batch_size=1), **given)
        assert np.allclose(part.values, whole.values[rows], atol=1e-3)


def test_one_checkpoint_alone_has_the_whole_weight(pool: Dataset, tiny_causal: Path, tiny_warmup: Path) -> None:
    given = models(pool, tiny_causal, tiny_warmup)
    last = Gradients(width=WIDTH, max_tokens=64, checkpoints="last").encode(pool, Runtime(), **given)
    whole = Gradients(width=WIDTH, max_tokens=64).encode(pool, Runtime(), **given)
    assert last.values.shape == (5, WIDTH) and last.info["weights"] == [1.0]
    share = whole.info["weights"][1] ** 0.5
    assert np.allclose(np.asarray(last.values[:4], float) * share, whole.values[:4, WIDTH:], atol=1e-3)


def test_the_sketch_is_labelled_and_keeps_cosines_roughly(pool: Dataset, tiny_causal: Path, tiny_warmup: Path) -> None:
    given = models(pool, tiny_causal, tiny_warmup)

    def alike(kind: str) -> np.ndarray:
        made: Features = Gradients(width=2048, max_tokens=64, projection=kind).encode(pool, Runtime(), **given)  # type: ignore[arg-type]
        assert made.info["projection"].startswith(kind)
        return np.asarray(made.values[:4], float) @ np.asarray(made.values[:4], float).T

    assert np.abs(alike("rademacher") - alike("countsketch")).max() < 8 / 2048**0.5


def test_a_model_without_checkpoints_is_refused(pool: Dataset, tiny_causal: Path, tiny_warmup: Path) -> None:
    given = models(pool, tiny_causal, tiny_causal)
    with pytest.raises(ModelError, match="no checkpoints of adapters"):
        Gradients(width=WIDTH).encode(pool, Runtime(), **given)
