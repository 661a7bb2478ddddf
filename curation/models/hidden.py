"""Last-layer states of a causal language model, pooled to one vector a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.batching import default_batch_tokens, model_inputs, run_batches

if TYPE_CHECKING:
    import torch

    from curation.models.causal import CausalLM
    from curation.models.rendering import Encoded

Pooling = Literal["weighted", "last", "mean"]


def pool_states(states: torch.Tensor, lengths: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """One vector a row, of its own tokens only.

    Args:
        states: `[B, T, d]`, rows padded on the right.
        lengths: int64 `[B]`, tokens of each row.
        pooling: "weighted": token l of L counts l / (1 + … + L); "last": the last token; "mean": all alike.

    Returns:
        float32 (float64 for such states) `[B, d]`.
    """
    import torch

    wide = states if states.dtype == torch.float64 else states.float()
    place = torch.arange(1, states.shape[1] + 1, device=states.device)[None]
    there = place <= lengths[:, None]
    if pooling == "last":
        return wide[torch.arange(len(wide), device=states.device), lengths - 1]
    weights = (place * there if pooling == "weighted" else there).to(wide.dtype)
    return (wide * (weights / weights.sum(1, keepdim=True))[:, :, None]).sum(1)


def hidden_features(
    lm: CausalLM, rows: Sequence[Encoded], runtime: Runtime, pooling: Pooling, *, batch_tokens: int | None = None
) -> np.ndarray:
    """Pooled last-layer states of every row, brought to length one.

    Cost: one forward pass without the last layer's product with the vocabulary.

    Args:
        lm: The model.
        rows: Encoded; those with a reason come out as NaN.
        runtime: Progress in tokens.
        pooling: See `pool_states`.
        batch_tokens: Tokens of a padded batch; None = by the device.

    Returns:
        float32 `[n, d]`.

    Raises:
        ModelError: the model hides its states, states are not finite, or one row does not fit into memory.
    """
    import torch

    good = np.array([i for i, row in enumerate(rows) if not row.reason], np.int64)
    lengths = np.array([len(rows[i]) for i in good], np.int64)
    total, done = int(lengths.sum()), 0
    out: np.ndarray | None = None
    body = getattr(lm.model, "base_model", None)
    if body is None or body is lm.model:
        raise ModelError(f"{lm.name} hides the states below its last layer", "use another causal language model")
    lm.model.eval()

    def run(batch: np.ndarray) -> None:
        nonlocal done, out
        here = good[batch]
        inputs, _ = model_inputs([rows[i] for i in here], lm.device, lm.model.dtype)
        with torch.inference_mode():
            states = body(**inputs, use_cache=False).last_hidden_state
            pooled = pool_states(states, torch.from_numpy(lengths[batch]).to(lm.device), pooling)
            unit = pooled / pooled.norm(dim=1, keepdim=True)
        if out is None:
            out = np.full((len(rows), unit.shape[1]), np.nan, np.float32)
        out[here] = unit.float().cpu().numpy()
        done += int(lengths[batch].sum())
        runtime.progress(done, total, f"{done:,} of {total:,} tokens read")

    pictured = np.array([bool(rows[i].extra) for i in good], bool)
    size = batch_tokens or default_batch_tokens(lm.device)
    for group, most in ((~pictured, runtime.batch_size), (pictured, 1)):
        run_batches(lengths, size, run, device=lm.device, only=np.flatnonzero(group), rows=most)
    if out is None:
        width = int(lm.model.config.get_text_config().hidden_size)
        out = np.full((len(rows), width), np.nan, np.float32)
    if not np.isfinite(out[good]).all():
        raise ModelError(f"{lm.name} gave states that are not finite in {lm.precision}", "set the precision to fp32")
    return out
