"""Backward passes over rows in batches, in which every row's gradient is its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.core.runtime import Runtime
from curation.models._gradients import scored_logits
from curation.models.batching import default_batch_tokens, model_inputs, run_batches
from curation.models.gradients.taps import Sink, taps
from curation.models.row_gradients import _weights_need_gradients, _wide

if TYPE_CHECKING:
    import torch

    from curation.models.causal import CausalLM
    from curation.models.rendering import Encoded


def sum_of_row_losses(
    model: Any, rows: Sequence[Encoded], device: str, factors: np.ndarray, *, narrow: bool = False
) -> torch.Tensor:
    """Σ_i factor_i · L_i, L_i being the mean loss of row i's scored tokens in nats.

    Its gradient at any place of row i is factor_i times row i's own. The mean over a batch's tokens, which libraries
    report, is another number.

    Args:
        model: A causal language model.
        rows: Of one batch.
        device: Where the model lies.
        factors: float64 `[B]`.
        narrow: Let the last layer read the places before scored tokens only, rows one after another. Not where its own
            gradients are wanted, which need the rows apart.
    """
    import torch

    counts = np.array([int(row.scored.sum()) for row in rows])
    logits, targets = _narrow_logits(model, rows, device) if narrow else scored_logits(model, rows, device)
    each = torch.nn.functional.cross_entropy(_wide(logits), targets, reduction="none")
    share = torch.from_numpy(np.repeat(factors / counts, counts)).to(device, each.dtype)
    return (each * share).sum()


def _narrow_logits(model: Any, rows: Sequence[Encoded], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """As `scored_logits`, and the last layer reads nothing else."""
    import torch

    inputs, marks = model_inputs(rows, device, model.dtype)
    row, token = torch.from_numpy(np.argwhere(marks)).to(device).T

    def cut(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][row, token - 1][None], *args[1:])  # [1, t, width]

    hook = model.get_output_embeddings().register_forward_pre_hook(cut)
    try:
        logits = model(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    # a model that computes its logits in another way has them everywhere
    logits = logits[0] if logits.shape[:2] == (1, len(row)) else logits[row, token - 1]
    return logits, inputs["input_ids"][row, token]


CPU_TOKENS = 1024
"""Tokens of a batch on a CPU: activations stay near the processor; 4,096 take a third more time."""
TABLES = 4
"""Of scored tokens × vocabulary that live at once."""
ACCELERATOR_TABLES = 8 << 30
"""Bytes that those may take on a GPU."""
HALF_SCALE = 1024.0
"""What losses are multiplied by in fp16, where the gradients of long rows would else be too small to hold."""


def backward_over(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    rows: Sequence[Encoded],
    runtime: Runtime,
    *,
    begin: Callable[[np.ndarray], Sink],
    end: Callable[[np.ndarray], None],
    factors: np.ndarray | None = None,
    batch_tokens: int | None = None,
    batch_rows: int | None = None,
) -> None:
    """Read every row once, forward and backward, and hand out what the layers saw.

    The model is in eval mode (no dropout) and unchanged afterwards. A batch that does not fit into memory is halved and
    begun again, so `end` alone may keep anything.

    Args:
        lm: The model.
        layers: Those of interest, by name; see `taps`.
        rows: Encoded rows; those with a reason are passed over.
        runtime: Progress in tokens.
        begin: Called with the row numbers of a batch; returns its sink.
        end: Called after the batch's backward pass.
        factors: float64 `[n]`: each row's gradient is multiplied by it; None = 1.
        batch_tokens: Tokens of a padded batch; None = by the device.
        batch_rows: Rows of a batch at most.

    Raises:
        ModelError: one row does not fit into memory, or a layer is used twice.
    """
    import torch

    good = np.array([i for i, row in enumerate(rows) if not row.reason], np.int64)
    lengths = np.array([len(rows[i]) for i in good], np.int64)
    total, done = int(lengths.sum()), 0
    scale = np.ones(len(rows)) if factors is None else factors
    larger = HALF_SCALE if lm.precision == "fp16" else 1.0
    head = lm.model.get_output_embeddings()
    inside = set() if head is None else set(head.modules())  # an adapter of the last layer lies in it
    narrow = head is not None and inside.isdisjoint(layers.values())
    lm.model.eval()

    def run(batch: np.ndarray) -> None:
        nonlocal done
        here = good[batch]
        sink = begin(here)

        def scaled(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            sink(name, _wide(read), _wide(delta) / larger if larger != 1 else _wide(delta))

        hook = lm.model.get_input_embeddings().register_forward_hook(lambda module, args, out: out.requires_grad_())
        try:
            with _weights_need_gradients(lm.model, False), taps(layers, scaled) as met:
                met.clear()
                with _autocast(lm):
                    factor = scale[here] * larger
                    loss = sum_of_row_losses(lm.model, [rows[i] for i in here], lm.device, factor, narrow=narrow)
                loss.backward()
        finally:
            hook.remove()
        with torch.no_grad():
            end(here)
        done += int(lengths[batch].sum())
        runtime.progress(done, total, f"{done:,} of {total:,} tokens read")

    pictured = np.array([bool(rows[i].extra) for i in good], bool)
    vocabulary = int(lm.model.config.get_text_config().vocab_size)
    room = runtime.memory_bytes if lm.device == "cpu" else max(runtime.memory_bytes, ACCELERATOR_TABLES)
    usual = CPU_TOKENS if lm.device == "cpu" else default_batch_tokens(lm.device)
    size = min(batch_tokens or usual, max(1, room // (4 * TABLES * vocabulary)))
    for group, most in ((~pictured, batch_rows), (pictured, 1)):  # images of different sizes cannot share a batch
        run_batches(lengths, size, run, device=lm.device, only=np.flatnonzero(group), rows=most)


def _autocast(lm: CausalLM) -> contextlib.AbstractContextManager[Any]:
    """Adapters are kept in fp32 beside a model in bf16, and multiplied in bf16, as in their training."""
    import torch

    if lm.precision != "bf16":
        return contextlib.nullcontext()
    return torch.autocast(lm.device.partition(":")[0], torch.bfloat16)
