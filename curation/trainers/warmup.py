"""The warm-up of LESS: adapters trained on a sample, kept after every pass with the optimizer's moments."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from curation.core.artifacts import Missing, Model
from curation.core.dataset import Dataset
from curation.core.errors import DataError, ModelError
from curation.core.method import MethodClass, Size, Trainer
from curation.core.runtime import Runtime
from curation.models.causal import causal_precision, load_causal, save_causal
from curation.models.finetune import TrainSettings, fine_tune, learning_rate_for, steps_of
from curation.models.gradients.checkpoints import kept_in, write_adapters, write_checkpoint
from curation.models.rendering import encode_rows
from curation.trainers._trainings import TRAINING_COST

CHECKPOINTS = "checkpoints"
PUBLISHED_RATE = 2e-5


class Warmup(TrainSettings, Trainer):
    """Trains adapters (LoRA) on a sample of the rows and keeps them after every pass, with the moments of Adam.

    What comes out is the fine-tuned model, and beside it the checkpoints from which `encoder/gradients` reads what
    every row would do to the adapters. The defaults are those of LESS: rank 128, alpha 512, dropout 0.1 on the
    projections of the attention, 4 passes over 5 % of the rows (draw these with selector/random), batches of 128, a
    peak learning rate of 2e-5. It falls linearly, as the learning rates that the authors give with their code do; their
    paper says cosine. The scratch model takes 5e-3.
    """

    title: ClassVar[str] = "Warm-up of LESS"
    method_class: ClassVar[MethodClass] = "first-order"
    weakness: ClassVar[str] = (
        "Gradients tell something only after this training: without it they select as chance does."
    )
    source: ClassVar[str] = "LESS: Xia et al. 2024 (ICML), arXiv 2402.04333, and its released code"

    method: Literal["lora"] = Field("lora", description="adapters; the only way here")
    epochs: float = Field(4.0, ge=1, le=100, description="passes over the rows; each leaves a checkpoint")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="how the learning rate falls after its rise"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="its peak; empty: 2e-5, and 5e-3 for the small scratch model"
    )
    loss_over: Literal["tokens", "rows"] = Field(
        "tokens", description="mean over all response tokens of a batch, or over rows, so that short rows count as much"
    )
    lora_rank: int = Field(128, ge=1, le=4096, description="rank of the adapters")
    lora_alpha: float = Field(512.0, gt=0, le=1e5, description="adapters are scaled by this over their rank")
    lora_dropout: float = Field(0.1, ge=0, lt=1, description="share of an adapter's inputs dropped in training")
    lora_targets: str = Field(
        "q_proj,k_proj,v_proj,o_proj",
        min_length=1,
        description="all-linear, or names of modules with adapters, separated by commas",
    )
    template: Literal["auto", "chat", "alpaca", "plain", "chatml"] = Field(
        "auto", description="how rows are written; auto = the model's chat template if it has one, else alpaca"
    )
    max_tokens: int = Field(2048, ge=8, le=1_000_000, description="longer rows keep their first tokens")

    def resolve(self, runtime: Runtime) -> Self:
        """Fixes the precision, which the result depends on."""
        if self.precision != "auto":
            return self
        half = causal_precision(runtime.device) == "bf16"
        return self.model_copy(update={"precision": "bf16" if half else "fp32"})

    def train(self, pool: Dataset, runtime: Runtime, *, model: Model) -> Model:
        """Train; killed, it goes on from its last checkpoint and ends with the same adapters.

        Args:
            pool: The rows to train on; limit them with `within`.
            runtime: Device, progress, a folder for checkpoints.
            model: What training starts from, a single network.

        Raises:
            DataError: no row can be trained on.
            ModelError: the model is no single causal language model, has no such modules, or training diverges.
        """
        if model.role != "causal" or model.folds > 1:
            raise ModelError(f"'{model.name}' is not one causal language model", "start from trainer/base")
        resolved = self.resolve(runtime)
        lm = load_causal(model.folder(), device=runtime.device, precision=resolved.precision)
        lm = dataclasses.replace(lm, name=model.name or lm.name)
        rows = encode_rows(lm, pool, template=self.template, max_tokens=self.max_tokens)
        missing = Missing.from_list([row.reason or None for row in rows])
        if missing.mask.all():
            why = "; ".join(f"{count:,} rows: {reason}" for reason, count in missing.counts().items())
            raise DataError("no row can be trained on", why or "the dataset has no rows")
        used = int((~missing.mask).sum())
        settings = self._settings(model.weak)
        folder = runtime.keep or Path(tempfile.mkdtemp(prefix="curation-warmup-"))
        made, kept = folder / "model", folder / CHECKPOINTS
        write_adapters(kept, settings)
        tuned = fine_tune(
            lm, rows, settings, runtime, keep=folder / "training", at_epoch=lambda state: write_checkpoint(kept, state)
        )
        shutil.rmtree(made, ignore_errors=True)
        save_causal(tuned, made)
        kept.replace(made / CHECKPOINTS)
        checkpoints = kept_in(made / CHECKPOINTS)
        return Model(
            pool.fingerprint,
            missing,
            {},
            np.empty(0),
            {
                "model": model.name,
                "weak": model.weak,
                "parameters": lm.parameters,
                "adapter_parameters": _adapter_weights(made / CHECKPOINTS),
                "rows": used,
                "steps": steps_of(used, settings),
                "method": self.method,
                "learning_rate": settings.learning_rate,
                "checkpoints": len(checkpoints),
                "mean_rates": [k.mean_rate for k in checkpoints],
                "template": self.template,
            },
            path=str(made),
            role="causal",
            name=f"{model.name}, warmed up on {used:,} rows",
            weak=model.weak,
            seen=np.asarray(model.seen),
        )

    def _settings(self, weak: bool) -> TrainSettings:
        fields = {name: getattr(self, name) for name in TrainSettings.model_fields}
        rate = self.learning_rate or (learning_rate_for("lora", weak) if weak else PUBLISHED_RATE)
        return TrainSettings(**{**fields, "learning_rate": rate})

    def shortened(self) -> Self:
        """Two small steps."""
        return self.model_copy(update={"max_steps": 2, "batch_rows": min(self.batch_rows, 32)})

    def work(self, size: Size) -> float:
        """Characters read, a training pass as three, times the network's weights."""
        passes = self.max_steps * self.batch_rows / max(size.rows, 1) if self.max_steps else self.epochs
        return float((size.chars + 1) * size.parameters * TRAINING_COST * passes)

    def memory(self, size: Size) -> float:
        """PyTorch, the model, adapters with gradients and moments, activations, ids of all rows."""
        return 1e9 + size.parameters * 8.0 + 3.0 * size.chars

    def disk(self, size: Size) -> float:
        """The model, and for every pass the adapters with two moments, some 2 % of it at the published rank."""
        return size.parameters * (4.0 + 12.0 * 0.02 * self.epochs) + 1e5


def _adapter_weights(folder: Path) -> int:
    from safetensors import safe_open

    first = kept_in(folder)[0]
    with safe_open(folder / str(first.epoch) / "weights.safetensors", "np") as file:
        return int(sum(np.prod(file.get_slice(name).get_shape()) for name in file.keys()))  # noqa: SIM118
