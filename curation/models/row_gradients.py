"""Length of the gradient of every row's own loss in the weights of a causal language model (GraNd for conversations).

A weight that is used as `u = W h` at every token has the row gradient G = Σ_t δ_t h_tᵀ, with δ_t the gradient of the
row's loss in u. Two of the three scopes never form a table of the size of W for a row:

- last layer: ‖G‖² = Σ_{t,s} (δ_t·δ_s)(h_t·h_s), two tables of tokens × tokens. δ is taken from autograd at the output
  of the last layer, so caps and scales that a model puts on its logits are included.
- LoRA: beside W an adapter B A is put, with A `[r, in]` drawn at random and B = 0, so that the model is unchanged. The
  gradient in A is then 0 and that in B is G Aᵀ. With A's entries of variance 1/r, ‖G Aᵀ‖² is ‖G‖² on average: a random
  projection of the gradient in all the layers' own weights. All rows of a batch and all seeds share one backward pass.

The third, all weights, is autograd row by row.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.batching import default_batch_tokens, model_inputs, run_batches
from curation.models.causal import CausalLM
from curation.models.rendering import Encoded

if TYPE_CHECKING:
    import torch

Scope = Literal["last-layer", "lora", "all"]

TABLES = 4  # of scored tokens × vocabulary that live at once


def row_gradient_norms(
    lm: CausalLM,
    rows: Sequence[Encoded],
    runtime: Runtime,
    *,
    scope: Scope = "last-layer",
    seeds: Sequence[int] = (0,),
    rank: int = 8,
    batch_tokens: int | None = None,
) -> np.ndarray:
    """‖∇ L_i‖₂ for every row, L_i being the mean loss of its own scored tokens, in nats.

    Does not depend on the other rows of a batch. Costs a forward pass and, for "lora", half of a training step's
    backward pass; "all" costs a whole training step a row, with batches of one.

    Args:
        lm: The model; its weights and flags are left as they were.
        rows: From `encode_rows` of the same model; unscorable ones come out as NaN.
        runtime: Progress is told in tokens.
        scope: "last-layer": the output projection, with its bias, as if it were not tied to the embeddings; "lora": see
            the module, over every linear layer between embeddings and output projection; "all": every weight.
        seeds: Of A, for "lora"; the other scopes have no chance in them.
        rank: r of A, for "lora".
        batch_tokens: Tokens of a padded batch; None = by the device and `runtime.memory_bytes`.

    Returns:
        float64 `[runs, n]`: one run per seed for "lora", else one.

    Raises:
        ModelError: a row does not fit into memory, or the model's last layer is not to be found.
    """
    import torch

    good = np.array([i for i, row in enumerate(rows) if not row.reason], np.int64)
    out = np.full((len(seeds) if scope == "lora" else 1, len(rows)), np.nan)
    if not len(good):
        return out
    lengths = np.array([len(rows[i]) for i in good], np.int64)
    total, done = int(lengths.sum()), 0
    lm.model.eval()

    def run(batch: np.ndarray) -> None:
        nonlocal done
        here = good[batch]
        inputs, marks = model_inputs([rows[i] for i in here], lm.device, lm.model.dtype)
        scored = torch.from_numpy(marks).to(lm.device)
        if scope == "last-layer":
            out[:, here] = _last_layer(lm, inputs, scored)
        elif scope == "lora":
            out[:, here] = _adapters(lm, inputs, scored, seeds, rank)
        else:
            out[:, here] = _all_weights(lm, inputs, scored)
        done += int(lengths[batch].sum())
        runtime.progress(done, total, f"{done:,} of {total:,} tokens read")

    vocabulary = int(lm.model.config.get_text_config().vocab_size)
    fits = max(1, runtime.memory_bytes // (4 * TABLES * vocabulary))
    size = min(batch_tokens or default_batch_tokens(lm.device), fits)
    pictured = np.array([bool(rows[i].extra) for i in good], bool)
    plain_rows = 1 if scope == "all" else runtime.batch_size
    for group, most in ((~pictured, plain_rows), (pictured, 1)):  # images of different sizes cannot share a batch
        run_batches(lengths, size, run, device=lm.device, only=np.flatnonzero(group), rows=most)
    if not np.isfinite(out[:, good]).all():
        raise ModelError(
            f"{lm.name} gave gradients that are not finite in {lm.precision}", "set the precision to bf16 or fp32"
        )
    return out


# ---------------------------------------------------------------------- the three scopes


def _last_layer(lm: CausalLM, inputs: dict[str, Any], scored: torch.Tensor) -> np.ndarray:
    import torch

    caught: dict[str, torch.Tensor] = {}

    def cut(module: Any, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        caught["h"], caught["u"] = args[0].detach(), output.detach().requires_grad_()
        return caught["u"]

    head = _head_of(lm)
    with _weights_need_gradients(lm.model, False), _hooked((head.register_forward_hook, cut)):
        loss, owner = _loss(lm, inputs, scored)
        if "u" not in caught:
            raise ModelError(f"{lm.name} does not use its last layer", "choose scope all")
        (delta,) = torch.autograd.grad(loss, caught["u"])
    states, deltas = caught["h"][0], _wide(delta[0])  # [t, d], [t, V]
    extra = 0.0 if getattr(head, "bias", None) is None else 1.0  # the bias is a weight whose input is always 1
    norms = np.empty(len(scored))
    for row in range(len(scored)):
        mine = (owner == row).nonzero()[:, 0]
        h, d = _wide(states[mine]), deltas[mine]
        likeness = (h @ h.T).cpu().double() + extra  # Apple's GPUs have no float64
        norms[row] = float((likeness * (d @ d.T).cpu().double()).sum().clamp_min(0).sqrt())
    return norms[None]


def _adapters(
    lm: CausalLM, inputs: dict[str, Any], scored: torch.Tensor, seeds: Sequence[int], rank: int
) -> np.ndarray:
    import torch

    squares = torch.zeros(len(seeds), len(scored), dtype=torch.float64)
    met: set[str] = set()
    hooks: list[tuple[Callable[..., Any], Callable[..., Any]]] = []

    def watch(name: str) -> Callable[..., None]:
        def forward(module: Any, args: tuple[Any, ...], output: torch.Tensor) -> None:
            if output.requires_grad:  # layers before the embeddings (a vision tower) have no gradient here
                before = args[0].detach()
                output.register_hook(lambda delta: backward(before, delta))

        def backward(before: torch.Tensor, delta: torch.Tensor) -> None:
            if name in met:
                raise ModelError(f"{lm.name} uses the layer {name} twice", "choose scope last-layer or all")
            met.add(name)
            h, d = _wide(before), _wide(delta).transpose(1, 2)  # [B, T, in], [B, out, T]
            for place, seed in enumerate(seeds):
                projected = d @ (h @ adapter(name, h.shape[2], rank, seed).to(h.device, h.dtype).T)  # [B, out, r]
                squares[place] += projected.square().sum((1, 2)).cpu()

        return forward

    for name, module in adapted_layers(lm.model).items():
        hooks.append((module.register_forward_hook, watch(name)))

    def begin(module: Any, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return output.requires_grad_()

    hooks.append((lm.model.get_input_embeddings().register_forward_hook, begin))
    with _weights_need_gradients(lm.model, False), _hooked(*hooks):
        _loss(lm, inputs, scored)[0].backward()
    if not met:
        raise ModelError(f"{lm.name} has no linear layer to adapt", "choose scope last-layer or all")
    return squares.sqrt().numpy()


def _all_weights(lm: CausalLM, inputs: dict[str, Any], scored: torch.Tensor) -> np.ndarray:
    import torch

    with _weights_need_gradients(lm.model, True):
        weights = [w for w in lm.model.parameters() if w.is_floating_point()]
        loss, _ = _loss(lm, inputs, scored)
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    total = sum(float(_wide(g).square().sum()) for g in gradients if g is not None)
    return np.array([[total**0.5]])


# ---------------------------------------------------------------------- pieces


def adapter(name: str, width: int, rank: int, seed: int) -> torch.Tensor:
    """A of one layer's adapter: float32 `[rank, width]`, independent normal entries of variance 1/rank.

    The same on every device, and for every layer another one.
    """
    import torch

    chance = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
    return torch.randn(rank, width, generator=chance) / rank**0.5


def adapted_layers(model: Any) -> dict[str, Any]:
    """The linear layers that a LoRA over all layers adapts, by name: all but the output projection."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    }


def own_layers(lm: CausalLM) -> dict[str, Any]:
    """All linear layers by name, the output projection among them."""
    head = _head_of(lm)
    name = next(name for name, module in lm.model.named_modules() if module is head)
    return {**adapted_layers(lm.model), name: head}


def _loss(lm: CausalLM, inputs: dict[str, Any], scored: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum over rows of the mean loss of each row's scored tokens, and the row of each scored token, int64 `[t]`.

    The last layer is used at the places before scored tokens only.
    """
    import torch

    row, token = scored.nonzero(as_tuple=True)
    targets = inputs["input_ids"][row, token]

    def narrow(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0][row, token - 1][None], *args[1:])  # [1, t, d]

    with _hooked((_head_of(lm).register_forward_pre_hook, narrow)):
        logits = lm.model(**inputs, use_cache=False).logits
    if logits.shape[:2] != (1, len(row)):
        raise ModelError(f"{lm.name} does not use its last layer", "use another model, or a score without gradients")
    each = torch.nn.functional.cross_entropy(_wide(logits[0]), targets, reduction="none")
    tokens = scored.sum(1)
    return (each / tokens[row]).sum(), row


def _head_of(lm: CausalLM) -> Any:
    head = lm.model.get_output_embeddings()
    if head is None:
        raise ModelError(f"the last layer of {lm.name} is not to be found", "use a causal language model")
    return head


def _wide(values: torch.Tensor) -> torch.Tensor:
    """float32, or float64 where it is that already."""
    import torch

    return values if values.dtype == torch.float64 else values.float()


@contextlib.contextmanager
def _weights_need_gradients(model: Any, needed: bool) -> Iterator[None]:
    """Inside, the weights have gradients or have none; afterwards as before. Gradients are on in any case."""
    import torch

    flags = [(w, w.requires_grad) for w in model.parameters()]
    try:
        for weight, _ in flags:
            if weight.is_floating_point():
                weight.requires_grad_(needed)
        with torch.enable_grad():
            yield
    finally:
        for weight, flag in flags:
            weight.requires_grad_(flag)


@contextlib.contextmanager
def _hooked(*hooks: tuple[Callable[..., Any], Callable[..., Any]]) -> Iterator[None]:
    """Hooks that are gone afterwards, also after an error."""
    with contextlib.ExitStack() as stack:
        for register, hook in hooks:
            stack.callback(register(hook).remove)
        yield
