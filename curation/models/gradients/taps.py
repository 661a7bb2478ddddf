"""What linear layers read, and the gradient at their outputs, layer by layer while one backward pass goes through.

A tap is an identity at a layer's output that keeps the layer's input among the tensors saved for the backward pass. So
the input is freed when autograd frees it, and under gradient checkpointing it is computed anew like any other: a plain
forward hook would hold on to every input instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from curation.core.errors import ModelError

if TYPE_CHECKING:
    import torch

Sink = Callable[[str, "torch.Tensor", "torch.Tensor"], None]
"""Called with a layer's name, its inputs `[B, T, in]` and the gradient at its outputs `[B, T, out]`."""


@lru_cache(1)
def _tap() -> Any:
    """The autograd function; made on first use, since it needs torch."""
    import torch

    class Tap(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, output: Any, read: Any, name: str, sink: Sink) -> Any:
            ctx.save_for_backward(read)
            ctx.name, ctx.sink = name, sink
            return output.view_as(output)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            (read,) = ctx.saved_tensors
            ctx.sink(ctx.name, read.detach(), grads[0])
            return grads[0], None, None, None

    return Tap


@contextlib.contextmanager
def taps(layers: Mapping[str, torch.nn.Module], sink: Sink) -> Iterator[set[str]]:
    """Inside, every backward pass through these layers calls `sink` once for each.

    Args:
        layers: Linear layers by name. Outputs that need no gradient are passed over.
        sink: See `Sink`; runs inside the backward pass, so it should not start another.

    Yields:
        Names of the layers met so far in this pass; clear it before the next pass.

    Raises:
        ModelError: in the pass, if it goes through one layer twice, whose gradient would then be a sum of both.
    """
    tap, met = _tap(), set[str]()

    def once(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
        if name in met:
            raise ModelError(f"the model uses the layer {name} twice", "leave it out of the layers")
        met.add(name)
        sink(name, read, delta)

    def hook(name: str) -> Callable[..., Any]:
        def forward(module: Any, args: tuple[Any, ...], output: torch.Tensor) -> Any:
            return tap.apply(output, args[0], name, once) if output.requires_grad else None

        return forward

    with contextlib.ExitStack() as stack:
        for name, module in layers.items():
            stack.callback(module.register_forward_hook(hook(name)).remove)
        yield met


def linear_layers(model: Any, names: Callable[[str], bool] = lambda name: True) -> dict[str, torch.nn.Linear]:
    """Linear layers by name, in the order of the model's parameters.

    Args:
        model: Any module.
        names: Which of them.
    """
    import torch

    return {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and names(n)}


def lora_layers(model: Any) -> dict[str, torch.nn.Linear]:
    """The A and B of every adapter that PEFT put into a model, by name; the scale is inside B's output gradient.

    Raises:
        ModelError: if there is none.
    """
    found = linear_layers(model, lambda name: ".lora_A." in name or ".lora_B." in name)
    if not found:
        raise ModelError("the model has no adapters", "train some first, with trainer/warmup")
    return found
