"""Gradient features: what every row would do to the adapters of a warmed-up model."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Features, Missing, Model
from curation.core.dataset import Dataset
from curation.core.errors import ModelError
from curation.core.method import Encoder, MethodClass, Size
from curation.core.runtime import Runtime
from curation.models.causal import Precision, causal_precision, load_causal
from curation.models.gradients.checkpoints import checkpoints_in, opened
from curation.models.gradients.directions import Variant, small_share
from curation.models.gradients.features import gradient_features
from curation.models.gradients.projections import Kind, Projection, projection
from curation.models.rendering import encode_rows

ZERO = "its gradient is zero"
SIGNS_SHARE = 4
"""One part of so many of the memory that a step may take holds signs of the projection, eight in a byte."""
CHECKPOINTS = 4
"""Of a warm-up, before it is known: as published."""


class Gradients(Encoder):
    """Projected gradients of every row at every checkpoint of a warm-up, as LESS compares them.

    At each checkpoint the gradient of the row's mean loss in the adapters is turned into the step that Adam would take
    (`direction`), projected to `width` numbers by a matrix of random signs that is the same for all checkpoints and
    rows, and brought to length 1. The parts are weighted by √(η_c/Σ η), with η the mean learning rates of the passes,
    and stand one after another: the product of two rows' features is therefore LESS's influence of one on the other,
    and any selector that reads features runs on them. Columns `norm_1` … hold the lengths before.

    Pool and targets must come from the same warm-up, width, projection and seed. LESS takes `repo` or `paper` for the
    pool and plain gradients (`sgd`) for the targets. Numbers are stored in half precision: of unit vectors it keeps
    three digits.

    Cost: a forward and a backward pass a checkpoint, and 2 · p · d operations a row for the projection of p weights.
    """

    title: ClassVar[str] = "Gradient features"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = (
        "Belong to one model and one training; a projection to few numbers blurs small differences."
    )
    version: ClassVar[int] = 2
    source: ClassVar[str] = "LESS: Xia et al. 2024 (ICML), arXiv 2402.04333; `sgd` is TracIn, Pruthi et al. 2020"
    row_wise: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("model", "warmup")  # the rows of a target are not those of the warm-up

    direction: Variant = Field(
        "paper",
        description="paper, repo, adam: the step of Adam as in LESS's paper, its code, or the optimizer; sgd: as it is",
    )
    width: int = Field(8192, ge=16, le=65_536, description="numbers that a gradient is projected to")
    projection: Kind = Field(
        "rademacher", description="rademacher: random signs, dense; countsketch: an approximation that costs nothing"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the projection")
    checkpoints: Literal["all", "last"] = Field("all", description="at which checkpoints of the warm-up")
    template: Literal["auto", "chat", "alpaca", "plain", "chatml"] = Field(
        "auto", description="how rows are written; auto = the model's chat template if it has one, else alpaca"
    )
    max_tokens: int = Field(2048, ge=8, le=1_000_000, description="longer rows keep their first tokens")
    precision: Precision = Field("auto", description="auto = fp32 on a CPU, bf16 on CUDA, fp16 on Apple GPUs")

    def resolve(self, runtime: Runtime) -> Self:
        """Fixes the precision, which the key depends on."""
        return self.model_copy(update={"precision": causal_precision(runtime.device, self.precision)})

    def encode(self, pool: Dataset, runtime: Runtime, *, model: Model, warmup: Model) -> Features:
        """Read every row at every checkpoint.

        Args:
            pool: The rows.
            runtime: Device, progress, memory.
            model: The network that the warm-up started from.
            warmup: From trainer/warmup.

        Raises:
            ModelError: the two do not belong together, or gradients are not finite.
        """
        if model.role != "causal" or model.folds > 1:
            raise ModelError(f"'{model.name}' is not one causal language model", "give the model of trainer/base")
        lm = load_causal(model.folder(), device=runtime.device, precision=self.precision)
        there = opened(dataclasses.replace(lm, name=model.name or lm.name), model.folder(), checkpoints_in(warmup))
        rows = encode_rows(lm, pool, template=self.template, max_tokens=self.max_tokens)
        used = there.kept if self.checkpoints == "all" else there.kept[-1:]
        rates = np.array([kept.mean_rate for kept in used])
        weights = rates / rates.sum()
        signs = _projection(self.projection, self.width, self.seed, runtime.device, runtime.memory_bytes)
        values = np.full((len(pool), len(used) * self.width), np.nan, np.float16)
        columns, small = {}, []
        for place, kept in enumerate(used):
            here = dataclasses.replace(runtime, progress=_share(runtime, place, len(used)))
            at, moments = there.at(kept.epoch)
            found = gradient_features(
                at, there.layers, rows, here, signs, moments=moments, variant=self.direction, normalise=False
            )  # fmt: skip
            norms = np.linalg.norm(found.astype(np.float64), axis=1)
            columns[f"norm_{place + 1}"] = norms.astype(np.float32)
            unit = found / np.where(norms > 0, norms, np.nan)[:, None]
            values[:, place * self.width : (place + 1) * self.width] = unit * np.sqrt(weights[place])
            small.append(small_share(moments))
        gone = np.asarray(np.isnan(values).any(axis=1))
        values[gone] = np.nan
        reasons = [row.reason or (ZERO if gone[i] else None) for i, row in enumerate(rows)]
        return Features(
            pool.fingerprint,
            values,
            Missing.from_list(reasons),
            columns,
            {
                "encoder": "gradients",
                "model": warmup.name,
                "weak": warmup.weak,
                "warmup": warmup_identity(warmup),
                "direction": self.direction,
                "projection": f"{self.projection}, width {self.width}, seed {self.seed}",
                "blocks": len(used),
                "weights": weights.tolist(),
                "rates": rates.tolist(),
                "scale": signs.scale,
                "precision": self.precision,
                "share_of_small_moments": small,
            },
        )

    def work(self, size: Size) -> float:
        """Characters read forward and backward at every checkpoint, times the network's weights."""
        return float((size.chars + 1) * size.parameters * 3.0 * self._blocks())

    def memory(self, size: Size) -> float:
        """PyTorch, gradients, signs and activations; the model, adapters and moments of some 2 % of it; the features.

        These once as they are gathered, and once more where the step works on some rows only.
        """
        return 2.5e9 + (4.0 + 12.0 * 0.02 * CHECKPOINTS) * size.parameters + 2.0 * self._bytes(size)

    def disk(self, size: Size) -> float:
        """Half-precision numbers and single-precision lengths of the four checkpoints of LESS: 64 KiB a row at 8,192.

        Estimates count them twice, since row-wise results are kept by content as well. A warm-up of other than four
        passes takes more or less in proportion.
        """
        return self._bytes(size)

    def _bytes(self, size: Size) -> float:
        return size.rows * self._blocks() * (2.0 * self.width + 4.0) + 2.0 * size.rows + 2000.0

    def _blocks(self) -> int:
        return CHECKPOINTS if self.checkpoints == "all" else 1


def warmup_identity(warmup: Model) -> str:
    """What tells features of different warm-ups apart."""
    facts = [warmup.dataset, warmup.name, warmup.info.get("mean_rates"), warmup.info.get("steps")]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


_signs: dict[tuple[Kind, int, int, str, int], Projection] = {}


def _projection(kind: Kind, width: int, seed: int, device: str, memory: int) -> Projection:
    """The projection, with the signs that were kept for the last part of the rows."""
    key = (kind, width, seed, device, memory)
    if key not in _signs:
        _signs.clear()
        _signs[key] = projection(kind, width, seed, device, memory // SIGNS_SHARE)
    return _signs[key]


def _share(runtime: Runtime, place: int, parts: int) -> Callable[..., None]:
    def progress(done: float, of: float, note: str = "") -> None:
        runtime.progress(place + done / max(of, 1), parts, f"checkpoint {place + 1} of {parts}: {note}")

    return progress
