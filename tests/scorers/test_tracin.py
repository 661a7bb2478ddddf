"""TracIn: against one step of gradient descent in float64, and on gradient features against its definition."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.core.artifacts import Features, Labels, Missing, Model
from curation.core.dataset import Dataset, from_pairs
from curation.core.errors import DataError
from curation.core.runtime import Runtime
from curation.encoders.gradients import Gradients
from curation.models.causal import load_causal, row_measures
from curation.models.gradients.checkpoints import Checkpoints
from curation.models.gradients.features import gradient_norms, streamed_products, target_gradients
from curation.models.rendering import encode_rows
from curation.scorers.tracin import TracIn, scaled_up, self_influence

RATES = np.array([3e-3, 1e-3])


@pytest.fixture(scope="module")
def pool() -> Dataset:
    return from_pairs(
        [("a river", "runs over green stone"), ("the lamp", "is seven"), ("", "stone"), ("nothing", ""), ("a", "river")]
    )


@pytest.fixture
def models(pool: Dataset, tiny_causal: Path, tiny_warmup: Path) -> dict[str, Model]:
    none = Missing.none(len(pool))
    base, warm = (Model(pool.fingerprint, none, path=str(p), name=p.name) for p in (tiny_causal, tiny_warmup))
    return {"model": base, "warmup": warm}


def test_it_is_the_first_order_of_a_step_on_the_row(pool: Dataset, tiny_causal: Path, tiny_warmup: Path) -> None:
    """L_z(θ) − L_z(θ − η g_x) = η ⟨g_x, g_z⟩ + O(η²): of a row on itself, and on another row."""
    lm = load_causal(tiny_causal)
    there = Checkpoints(dataclasses.replace(lm, model=copy.deepcopy(lm.model).double()), tiny_warmup / "checkpoints")
    at, _ = there.at(1)
    rows = [row for row in encode_rows(at, pool, max_tokens=64) if not row.reason]
    each = target_gradients(at, there.layers, rows, np.arange(len(rows)), Runtime(), unit_rows=False)
    products, norms = streamed_products(at, there.layers, rows, each, Runtime())
    before = row_measures(at, rows, Runtime())["loss"]
    rate = 1e-4
    for x in range(len(rows)):
        with torch.no_grad():
            for name, layer in there.layers.items():
                layer.weight -= rate * each[name][x]
        change = before - row_measures(at, rows, Runtime())["loss"]
        at, _ = there.at(1)
        assert np.allclose(change, rate * products[:, x], rtol=0.02, atol=1e-7 * rate * products.max() + 1e-9)
        own = self_influence(norms[x : x + 1, None], np.array([rate]))[0]
        assert change[x] == pytest.approx(own, rel=0.02) and own > 0
    assert np.allclose(norms, gradient_norms(at, there.layers, rows, Runtime()))
    assert np.linalg.eigvalsh((products + products.T) / 2).min() > -1e-9 * products.max()


def test_features_scaled_up_multiply_to_the_definition() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(7, 2, 30)) * rng.uniform(0.1, 5, (7, 2, 1))
    norms = np.linalg.norm(raw, axis=2)
    weights = RATES / RATES.sum()
    units = (raw / norms[:, :, None] * np.sqrt(weights)[None, :, None]).reshape(7, -1)
    found = scaled_up(units, norms, RATES)
    wanted = np.einsum("c,icd,jcd->ij", RATES, raw, raw)
    assert np.allclose(found @ found.T, wanted, rtol=1e-4, atol=1e-7)
    assert np.allclose(self_influence(norms, RATES), np.diag(wanted))
    assert np.linalg.eigvalsh(wanted).min() > -1e-12


@pytest.mark.parametrize("projection", ["rademacher", "countsketch"])
def test_projected_features_tell_the_length_of_the_gradient(
    pool: Dataset, models: dict[str, Model], projection: str, tiny_causal: Path, tiny_warmup: Path
) -> None:
    method = Gradients(direction="sgd", width=4096, max_tokens=64, projection=projection)  # type: ignore[arg-type]
    features = method.encode(pool, Runtime(), **models)
    found = TracIn().score(pool, Runtime(), features=features)
    there = Checkpoints(load_causal(tiny_causal), tiny_warmup / "checkpoints")
    rows, norms = [], []
    for kept in there.kept:
        at, _ = there.at(kept.epoch)
        rows = encode_rows(at, pool, max_tokens=64)
        norms.append(gradient_norms(at, there.layers, rows, Runtime()))
    wanted = self_influence(np.stack(norms, 1), np.array([kept.mean_rate for kept in there.kept]))
    assert np.nanmax(np.abs(found.values / wanted - 1)) < 5 * (2 / 4096) ** 0.5
    assert np.isnan(found.values[3]) and found.missing.reason(3) and found.higher_is_better is None


def test_targets_are_what_training_on_the_row_would_lower(pool: Dataset, models: dict[str, Model]) -> None:
    target = from_pairs([("the lamp", "is seven"), ("stone", "over stone"), ("a", "lamp")])
    method = Gradients(direction="sgd", width=4096, max_tokens=64)
    ours, theirs = (method.encode(rows, Runtime(), **models) for rows in (pool, target))
    tasks = Labels.from_values(target.fingerprint, ["b", "a", "a"])
    found = TracIn().score(pool, Runtime(), features=ours, target_features=theirs, subtasks=tasks)
    rates = np.array(ours.info["rates"])
    raw = [
        np.asarray(f.values, np.float64).reshape(len(f), 2, -1)
        / np.sqrt(rates / rates.sum())[None, :, None]
        * np.stack([f.columns["norm_1"], f.columns["norm_2"]], 1)[:, :, None]
        / 4096**0.5
        for f in (ours, theirs)
    ]
    each = np.einsum("c,icd,jcd->ij", rates, raw[0], raw[1])
    good = ~ours.missing.mask
    assert np.allclose(found.columns["on a"][good], each[good][:, 1:].mean(axis=1), rtol=0.01, atol=1e-6)
    assert np.allclose(found.columns["on b"][good], each[good][:, 0], rtol=0.01, atol=1e-6)
    assert np.allclose(found.values[good], np.maximum(found.columns["on a"], found.columns["on b"])[good])
    assert found.columns["target"][good].tolist() == each[good].argmax(axis=1).tolist()
    own = TracIn().score(pool, Runtime(), features=ours)
    assert found.columns["on b"][1] == pytest.approx(own.values[1], rel=0.01)  # the row itself is that target


def test_other_features_are_refused(pool: Dataset, models: dict[str, Model]) -> None:
    paper = Gradients(width=64, max_tokens=64).encode(pool, Runtime(), **models)
    with pytest.raises(DataError, match="features are of paper"):
        TracIn().score(pool, Runtime(), features=paper)
    words = Features(pool.fingerprint, np.ones((5, 3), np.float32), Missing.none(5), {}, {"encoder": "tfidf"})
    with pytest.raises(DataError, match="features are of tfidf"):
        TracIn().score(pool, Runtime(), features=words)
