"""States of a language model as features: what the model that will be trained makes of a row."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal, Self

from pydantic import Field

from curation.core.artifacts import Features, Missing, Model
from curation.core.dataset import Dataset
from curation.core.errors import ModelError
from curation.core.method import Encoder, MethodClass, Size
from curation.core.runtime import Runtime
from curation.models.causal import Precision, causal_precision, load_causal
from curation.models.hidden import Pooling, hidden_features
from curation.models.rendering import encode_rows

USUAL_DIMS = 1024


class Hidden(Encoder):
    """Last-layer states of a causal language model over prompt and response, pooled and brought to length one.

    `weighted` is RDS+: later tokens, which have seen more, count more (token l of L counts l / (1 + … + L)). `last` is
    the last token, as the baseline RDS of LESS takes it; `mean` counts all tokens alike. Give them to selector/rds with
    the features of your targets. Rows without a response are missing.
    """

    title: ClassVar[str] = "Language model's states"
    method_class: ClassVar[MethodClass] = "zero-order"
    weakness: ClassVar[str] = "Alike in the model's states is not helpful for the target; large models take long."
    source: ClassVar[str] = "RDS+: Ivison et al. 2025, arXiv 2503.01807; RDS as in LESS, arXiv 2402.04333"
    row_wise: ClassVar[bool] = True
    elsewhere: ClassVar[tuple[str, ...]] = ("model",)  # queries are read with the model of the pool

    pooling: Pooling = Field("weighted", description="weighted: later tokens count more; last: the last token; mean")
    template: Literal["auto", "chat", "alpaca", "plain", "chatml"] = Field(
        "auto", description="how rows are written; auto = the model's chat template if it has one, else alpaca"
    )
    max_tokens: int = Field(2048, ge=8, le=1_000_000, description="longer rows keep their first tokens")
    precision: Precision = Field("auto", description="auto = fp32 on a CPU, bf16 on CUDA, fp16 on Apple GPUs")

    def resolve(self, runtime: Runtime) -> Self:
        """Fixes the precision, which the key depends on."""
        return self.model_copy(update={"precision": causal_precision(runtime.device, self.precision)})

    def encode(self, pool: Dataset, runtime: Runtime, *, model: Model) -> Features:
        """Read every row once.

        Args:
            pool: The rows.
            runtime: Device, progress, rows of a batch at most.
            model: From trainer/base, or fine-tuned without folds.

        Raises:
            ModelError: the model is no single causal language model, or one row does not fit into memory.
        """
        if model.role != "causal" or model.folds > 1:
            raise ModelError(f"'{model.name}' is not one causal language model", "give the model of trainer/base")
        lm = load_causal(model.folder(), device=runtime.device, precision=self.precision)
        lm = dataclasses.replace(lm, name=model.name or lm.name)
        rows = encode_rows(lm, pool, template=self.template, max_tokens=self.max_tokens)
        values = hidden_features(lm, rows, runtime, self.pooling)
        facts = {"encoder": f"states of {model.name}", "pooling": self.pooling, "precision": self.precision}
        missing = Missing.from_list([row.reason or None for row in rows])
        return Features(pool.fingerprint, values, missing, {}, {**facts, "weak": model.weak})

    def work(self, size: Size) -> float:
        """Characters read, times the network's weights."""
        return float((size.chars + 1) * size.parameters)

    def memory(self, size: Size) -> float:
        """PyTorch, the model, a batch, token ids of all rows, and the vectors."""
        return 1e9 + 4.0 * size.parameters + 2.0 * size.chars + self.disk(size)

    def disk(self, size: Size) -> float:
        """Vectors of a usual width."""
        return 4.0 * USUAL_DIMS * size.rows
