"""Fine-tuning a causal language model, whole or by adapters: seeded, and resumed bit for bit after a kill.

The loop is our own: it keeps checkpoints without pickles, cuts a batch into as many pieces as memory asks for without
changing its gradient, weighs rows, and stops at every epoch so that rows can be measured.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from curation.core.errors import DataError, ModelError
from curation.core.runtime import Runtime
from curation.models._backbone import OutOfMemory, raise_if_out_of_memory
from curation.models._checkpoint import load_checkpoint, save_checkpoint
from curation.models._gradients import LossOver, accumulate, token_factors
from curation.models._lora import ALL_LINEAR, merged, save_adapter, with_adapters
from curation.models._training_meter import TrainingMeter
from curation.models.batching import empty_cache
from curation.models.causal import CausalLM
from curation.models.rendering import Encoded

__all__ = ["EpochState", "TrainSettings", "fine_tune", "learning_rate_for", "measured_at", "steps_of"]

log = logging.getLogger(__name__)

CPU_TOKENS, ACCELERATOR_TOKENS = 2048, 8192
"""Tokens of one piece of a batch: enough to keep the device busy, and a third of what scoring may take."""
WRITING_SHARE = 0.05
"""Of the time at most that goes into checkpoints."""
EPOCH_SECONDS = 1.0
"""Between checkpoints at the ends of epochs; what takes less is quicker done again than written."""

RATES: dict[tuple[str, bool], float] = {
    ("full", False): 2e-5,  # the Alpaca recipe
    ("lora", False): 2e-4,  # ten times that, as is usual for adapters
    ("full", True): 1e-3,  # a network of a few million weights, hardly past its pre-training
    ("lora", True): 5e-3,
}


class TrainSettings(BaseModel):
    """How a causal language model is fine-tuned. The defaults are the Alpaca recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    method: Literal["full", "lora"] = Field("full", description="train all weights, or low-rank adapters beside them")
    epochs: float = Field(3.0, gt=0, le=1000, description="passes over the rows")
    max_steps: int | None = Field(None, ge=1, description="optimizer steps instead of epochs; empty: by the epochs")
    batch_rows: int = Field(128, ge=1, le=65_536, description="rows in one optimizer step")
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="its peak; empty: 2e-5, adapters 2e-4, and for the small scratch model 1e-3, adapters 5e-3",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="how the learning rate falls after the warm-up"
    )
    warmup: float = Field(0.03, ge=0, le=1, description="share of the steps in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's decay of matrices")
    max_grad_norm: float = Field(1.0, gt=0, le=1e6, description="longer gradients are shortened to this norm")
    loss_over: LossOver = Field(
        "tokens", description="mean over all response tokens of a batch, or over rows, so that short rows count as much"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the order of rows, adapters and dropout")
    lora_rank: int = Field(16, ge=1, le=4096, description="rank of the adapters")
    lora_alpha: float = Field(32.0, gt=0, le=1e5, description="adapters are scaled by this over their rank")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="share of an adapter's inputs dropped in training")
    lora_targets: str = Field(
        ALL_LINEAR, min_length=1, description="all-linear, or names of modules with adapters, separated by commas"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="number format of the computation; auto: bf16 on GPUs that have it, else fp32"
    )


@dataclass(frozen=True)
class EpochState:
    """A training at the end of a pass; the tensors are the training's own, so copy what is to stay.

    Args:
        epoch: Passes begun, from 1.
        step: Optimizer steps done.
        mean_rate: Mean learning rate of this pass.
        weights: What is trained, by name.
        mean: First moments of Adam, by name.
        square: Second moments.
    """

    epoch: int
    step: int
    mean_rate: float
    weights: dict[str, Any]
    mean: dict[str, Any]
    square: dict[str, Any]


def learning_rate_for(method: str, weak: bool) -> float:
    """What an empty learning rate means: see `RATES`. `weak` is true for the scratch model."""
    return RATES[method, weak]


def steps_of(rows: int, settings: TrainSettings) -> int:
    """Optimizer steps over `rows` rows."""
    return settings.max_steps or math.ceil(settings.epochs * _per_epoch(rows, settings))


def measured_at(rows: int, settings: TrainSettings) -> list[float]:
    """Passes over the rows after which `after_epoch` is called: each whole one, and the end."""
    per_epoch, steps = _per_epoch(rows, settings), steps_of(rows, settings)
    whole = [float(e) for e in range(1, steps // per_epoch + 1)]
    return whole if steps % per_epoch == 0 else [*whole, steps / per_epoch]


def _per_epoch(rows: int, settings: TrainSettings) -> int:
    return math.ceil(rows / settings.batch_rows)


def fine_tune(
    lm: CausalLM,
    rows: Sequence[Encoded],
    settings: TrainSettings,
    runtime: Runtime,
    *,
    keep: Path | None = None,
    after_epoch: Callable[[int, CausalLM], None] | None = None,
    weights: np.ndarray | None = None,
    every_seconds: float = 30.0,
    adapter: Path | None = None,
    at_epoch: Callable[[EpochState], None] | None = None,
) -> CausalLM:
    """Train a copy of a model on the scored tokens of rows.

    AdamW (β 0.9 and 0.999, decay on matrices only) on batches of `batch_rows` rows in a new seeded order each epoch;
    weights are trained in fp32, whatever precision the model came in. A batch is read in pieces that shrink until they
    fit into memory. The same model, rows and settings give the same weights, and on a CPU with as many threads the
    same bits, also after a kill.

    Cost: about 6 · parameters operations a token; memory 18 bytes a weight (adapters: the model and 16 bytes a weight
    of theirs), and the activations of `CPU_TOKENS` or `ACCELERATOR_TOKENS` tokens.

    Args:
        lm: The model to start from; not changed.
        rows: From `encode_rows`; those with a reason are left out.
        settings: See there.
        runtime: Progress is told in tokens; loss, learning rate, epoch and tokens a second are recorded.
        keep: Folder for checkpoints, or None. `after_epoch` is not called again for epochs that lie before the
            checkpoint that is found there.
        after_epoch: Called with the number of passes begun so far (1 after the first) and the model at that moment, in
            eval mode; the last call is at the end, which may be in the middle of a pass (see `measured_at`).
        weights: float `[n]`, 0 or more: how much each row counts; None = all alike. Rows of weight 0 are left out.
        every_seconds: Between checkpoints inside an epoch, at its end one second; more where writing takes long.
        adapter: Folder in which the adapters are kept by themselves as well.
        at_epoch: Called at the end of every pass with what is trained and the optimizer's moments; not again, as
            `after_epoch`, for passes before a checkpoint.

    Returns:
        A new model in eval mode, in the precision of the old; adapters are merged into it.

    Raises:
        DataError: no row can be trained on.
        ModelError: one row does not fit into memory, the loss is not finite, or adapters have no such targets.
    """
    import torch

    counts = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
    used = [i for i, row in enumerate(rows) if not row.reason and counts[i] > 0]
    if not used:
        why = next((row.reason for row in rows if row.reason), "there are no rows")
        raise DataError("no row can be trained on", f"the first is left out because: {why}")
    devices = [lm.device] if lm.device.startswith("cuda") else []
    with torch.random.fork_rng(devices), _quiet():
        torch.manual_seed(settings.seed)
        training = _Training(lm, [rows[i] for i in used], counts[used], settings, runtime)
        training.run(keep, after_epoch, every_seconds, at_epoch)
        return training.finished(adapter)


class _Training:
    """A training on its way."""

    def __init__(
        self, lm: CausalLM, rows: list[Encoded], weights: np.ndarray, settings: TrainSettings, runtime: Runtime
    ) -> None:
        import torch
        from transformers import get_scheduler

        self.lm, self.rows, self.weights, self.settings, self.runtime = lm, rows, weights, settings, runtime
        self.steps, self.per_epoch = steps_of(len(rows), settings), _per_epoch(len(rows), settings)
        self.rate = settings.learning_rate or learning_rate_for(settings.method, weak=False)
        self.identity = _identity(lm, rows, weights, settings)
        self.wrapped: Any = None
        model = copy.deepcopy(lm.model)
        if settings.method == "lora":
            model.requires_grad_(False)
            self.wrapped = with_adapters(
                model,
                rank=settings.lora_rank,
                alpha=settings.lora_alpha,
                dropout=settings.lora_dropout,
                targets=settings.lora_targets,
            )
            model = self.wrapped.get_base_model()
        else:
            model.requires_grad_(True)
            model = model.float() if model.dtype in (torch.float16, torch.bfloat16) else model
        self.model: Any = model
        self.trained: dict[str, Any] = {n: p for n, p in model.named_parameters() if p.requires_grad}
        groups = [
            {"params": [p for p in self.trained.values() if p.ndim >= 2], "weight_decay": settings.weight_decay},
            {"params": [p for p in self.trained.values() if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=self.rate)
        scheduler = get_scheduler(
            settings.schedule if settings.schedule != "constant" else "constant_with_warmup",
            self.optimizer,
            num_warmup_steps=math.ceil(settings.warmup * self.steps),
            num_training_steps=self.steps,
        )
        self.shape: Callable[[int], float] = scheduler.lr_lambdas[0]
        self.piece = CPU_TOKENS if lm.device == "cpu" else ACCELERATOR_TOKENS
        self.lengths = np.array([len(row) for row in rows], np.int64)
        self.meter = TrainingMeter(runtime, self)

    # ------------------------------------------------------------------ the loop

    def run(
        self,
        keep: Path | None,
        after_epoch: Callable[[int, CausalLM], None] | None,
        every_seconds: float,
        at_epoch: Callable[[EpochState], None] | None,
    ) -> None:
        start = self._restore(keep)
        self.meter.begin(start)
        written, writing = time.monotonic(), 0.0

        def pause(ended: bool) -> float:
            return max(min(every_seconds, EPOCH_SECONDS) if ended else every_seconds, writing / WRITING_SHARE)

        for step in range(start, self.steps):
            batch = self.batch(step)
            loss = self._step(step, batch)
            epoch, last = step // self.per_epoch, step + 1 == self.steps
            ended = last or (step + 1) % self.per_epoch == 0
            self.meter.step(step, loss, batch, ended)
            if ended and at_epoch is not None:
                at_epoch(self._epoch_state(step))
            if ended and after_epoch is not None:
                after_epoch(epoch + 1, self._as_given())
            since = time.monotonic() - written
            if keep is not None and since >= pause(ended):
                begun = time.monotonic()
                self._save(keep, step + 1)
                written = time.monotonic()
                writing = written - begun

    def _epoch_state(self, step: int) -> EpochState:
        begun = step // self.per_epoch * self.per_epoch
        states = {name: self.optimizer.state[p] for name, p in self.trained.items()}
        return EpochState(
            epoch=step // self.per_epoch + 1,
            step=step + 1,
            mean_rate=float(np.mean([self.rate * self.shape(s) for s in range(begun, step + 1)])),
            weights={name: p.detach() for name, p in self.trained.items()},
            mean={name: state["exp_avg"] for name, state in states.items()},
            square={name: state["exp_avg_sq"] for name, state in states.items()},
        )

    def _as_given(self) -> CausalLM:
        """The model at this moment in the precision in which it will be read later."""
        model = self.model.eval()
        if self.wrapped is None and model.dtype != self.lm.model.dtype:
            model = copy.deepcopy(model).to(self.lm.model.dtype)
        return dataclasses.replace(self.lm, model=model)

    def batch(self, step: int) -> np.ndarray:
        """Rows of one step, int64: each epoch has its own order, which follows from the seed and its number."""
        epoch, k = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(self.rows))
        return order[k * self.settings.batch_rows : (k + 1) * self.settings.batch_rows]

    def _step(self, step: int, batch: np.ndarray) -> float:
        import torch

        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * self.shape(step)
        loss = self._gradient(batch)
        if not math.isfinite(loss):
            raise ModelError(
                f"the loss is no longer finite at step {step + 1} of {self.steps}",
                f"lower the learning rate (it is {self.rate:g}), or train in fp32",
            )
        torch.nn.utils.clip_grad_norm_(list(self.trained.values()), self.settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _gradient(self, batch: np.ndarray) -> float:
        """Loss of a batch; its gradient lies in the parameters. Pieces are halved until they fit into memory."""
        rows = [self.rows[i] for i in batch]
        factors = token_factors(rows, self.weights[batch], self.settings.loss_over)
        longest = max(len(row) for row in rows)
        while True:
            try:
                return self._attempt(rows, factors)
            except OutOfMemory as error:
                if self.piece <= longest:
                    raise ModelError(
                        f"training on one row of {longest} tokens does not fit into the memory of {self.lm.device}",
                        "set method to lora, lower max_tokens, or use a smaller model",
                    ) from error
                self.piece = max(longest, self.piece // 2)
                log.info("memory does not suffice; pieces of a batch shrink to %d tokens", self.piece)
                self.optimizer.zero_grad(set_to_none=True)  # what a failed pass left behind
                empty_cache(self.lm.device)

    def _attempt(self, rows: list[Encoded], factors: list[float]) -> float:
        try:
            return accumulate(self.model, rows, factors, self.piece, device=self.lm.device, autocast=self._autocast())
        except (RuntimeError, MemoryError) as error:
            raise_if_out_of_memory(error)
            raise

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        import torch

        kind = self.lm.device.partition(":")[0]
        half = self.settings.precision == "bf16"
        if self.settings.precision == "auto":
            half = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.autocast(kind, torch.bfloat16) if half else contextlib.nullcontext()

    # ------------------------------------------------------------------ state

    def _save(self, keep: Path, step: int) -> None:
        import torch

        tensors = {f"weight/{name}": p for name, p in self.trained.items()}
        for name, p in self.trained.items():
            tensors |= {f"{moment}/{name}": value for moment, value in self.optimizer.state[p].items()}
        tensors["generator/cpu"] = torch.get_rng_state()
        if self.lm.device.startswith("cuda"):
            tensors["generator/cuda"] = torch.cuda.get_rng_state(self.lm.device)
        save_checkpoint(keep, step, tensors, {"identity": self.identity, "piece": self.piece})

    def _restore(self, keep: Path | None) -> int:
        import torch

        found = load_checkpoint(keep, self.identity) if keep is not None and keep.is_dir() else None
        if found is None:
            return 0
        step, tensors, facts = found
        state: dict[Any, dict[str, Any]] = {p: {} for p in self.trained.values()}
        with torch.no_grad():
            for key, tensor in tensors.items():
                kind, _, name = key.partition("/")
                if kind == "weight":
                    self.trained[name].copy_(tensor)
                elif kind != "generator":
                    moved = tensor if kind == "step" else tensor.to(self.lm.device)
                    state[self.trained[name]][kind] = moved
        self.optimizer.state.update(state)
        torch.set_rng_state(tensors["generator/cpu"])
        if "generator/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["generator/cuda"], self.lm.device)
        self.piece = int(facts["piece"])
        log.info("training goes on after step %d of %d", step, self.steps)
        return step

    def finished(self, adapter: Path | None) -> CausalLM:
        if self.wrapped is not None:
            if adapter is not None:
                save_adapter(self.wrapped, adapter, self.lm.name)
            self.model = merged(self.wrapped)
        model = self.model.to(self.lm.model.dtype).requires_grad_(False).eval()
        return dataclasses.replace(self.lm, model=model)


def _identity(lm: CausalLM, rows: Sequence[Encoded], weights: np.ndarray, settings: TrainSettings) -> str:
    """Tells one training from another: settings, rows in order, weights, and the ends of the model's parameters."""
    digest = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=16)
    digest.update(weights.tobytes())
    for row in rows:
        digest.update(f"{len(row)}\0".encode() + row.ids.tobytes() + row.scored.tobytes())
    for name, p in lm.model.named_parameters():
        ends = p.detach().flatten()[:: max(1, p.numel() // 64)]
        digest.update(f"{name} {tuple(p.shape)}\0".encode() + ends.float().cpu().numpy().tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """PEFT and transformers tell users of notebooks things that are no news here."""
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(peft|transformers)\b")
        yield
