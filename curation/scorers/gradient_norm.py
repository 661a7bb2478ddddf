"""Gradient norm: how far one row alone would push a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from curation.core.dataset import Dataset
from curation.core.method import MethodClass, Size
from curation.core.runtime import Runtime
from curation.models.causal import CausalLM
from curation.models.gradients.features import gradient_norms
from curation.models.rendering import Encoded, encode_rows
from curation.models.row_gradients import own_layers, row_gradient_norms
from curation.scorers._causal import CausalScorer, Numbers

Scope = Literal["last-layer", "lora", "layers", "all"]

COST: dict[Scope, float] = {"last-layer": 1.0, "lora": 2.5, "layers": 3.0, "all": 4.0}
"""Of reading a row with its gradient, in readings without one."""


class GradientNorm(CausalScorer):
    """Length of the gradient of a row's own loss in a language model's weights (GraNd), exact for every row.

    The loss is the mean over the row's response tokens. High: the row disagrees with the model, being hard, unusual or
    wrong; low: the model knows it. Published for classifiers early in training, as the mean over several trained
    networks: score with a model that was fine-tuned for at least an epoch. `last-layer` is the output projection's
    gradient and needs no backward pass; `lora` is what fresh adapters on all linear layers would see, averaged over
    `seeds` draws of them; `layers` is the weight matrices of all linear layers themselves, many rows at once and
    without forming gradients where that is cheaper (ghost norms): embeddings, norms and biases are left out, and an
    output projection that is tied to the embeddings counts as if it were not. `all` is every weight, row by row, and
    slow.

    Columns: `tokens` scored and, for `lora`, `std` over the draws (ddof 1; there is none of one draw).
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Gradient norm"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = "Short responses have long gradients, and wrong rows come out on top with the hard ones."
    source: ClassVar[str] = (
        "GraNd: Paul, Ganguli & Dziugaite 2021 (NeurIPS), arXiv 2107.07075; the form for token sequences and for "
        "adapters is ours"
    )

    scope: Scope = Field(
        "last-layer", description="in which weights: output projection, fresh adapters, all linear layers, or all"
    )
    seeds: int = Field(3, ge=1, le=64, description="draws of adapters that are averaged, for scope lora")
    seed: int = Field(0, ge=0, lt=2**32, description="the first draw of adapters, for scope lora")
    rank: int = Field(8, ge=1, le=1024, description="rank of the adapters, for scope lora")

    def read_with(self, lm: CausalLM, pool: Dataset, runtime: Runtime) -> tuple[Numbers, list[str]]:
        """One reading of every row with its gradient."""
        rows = encode_rows(lm, pool, template=self.template, max_tokens=self.max_tokens)
        norms = self._norms(lm, rows, runtime)
        tokens = np.array([np.nan if row.reason else row.scored.sum() for row in rows], np.float64)
        numbers: Numbers = {"gradient_norm": norms.mean(axis=0), "tokens": tokens}
        if self.scope == "lora":
            numbers["std"] = norms.std(axis=0, ddof=1) if len(norms) > 1 else np.full(len(rows), np.nan)
        return numbers, [row.reason for row in rows]

    def _norms(self, lm: CausalLM, rows: Sequence[Encoded], runtime: Runtime) -> np.ndarray:
        """`[draws, n]`."""
        if self.scope == "layers":
            return gradient_norms(lm, own_layers(lm), rows, runtime)[None]
        draws = range(self.seed, self.seed + self.seeds)
        return row_gradient_norms(lm, rows, runtime, scope=self.scope, seeds=draws, rank=self.rank)

    def made(self, numbers: Numbers) -> tuple[np.ndarray, str, bool | None]:
        """The mean over draws."""
        return numbers["gradient_norm"], "gradient norm", None

    def work(self, size: Size) -> float:
        """Characters read, more for a backward pass."""
        return COST[self.scope] * super().work(size)
