"""From a row's gradient to the step that Adam would take for it, with the moments of a training as they were.

Three ways are in use. With m, v the saved moments after t steps, and β₁ = 0.9, β₂ = 0.999:

| variant | m', v' | step |
|---|---|---|
| paper | β₁ m + (1 − β₁) g, β₂ v + (1 − β₂) g², each divided by 1 − βᵗ⁺¹ | m' / (√v' + ε) |
| repo | the same, not divided | m' / √(v' + ε): the denominator is never below √ε = 1e-4 |
| adam | as paper; named for what an optimizer step does | m' / (√v' + ε) |

"paper" keeps the bias correction of the saved step t, "adam" takes that of the next one, t + 1, as the optimizer would.

Source: LESS, Xia et al. 2024 (ICML), arXiv 2402.04333, and its released code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Variant = Literal["sgd", "paper", "repo", "adam"]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Moments:
    """Adam's state of one parameter.

    Args:
        mean: m, of the parameter's shape.
        square: v.
        step: Optimizer steps done.
    """

    mean: torch.Tensor
    square: torch.Tensor
    step: int


def direction(gradient: torch.Tensor, moments: Moments | None, variant: Variant) -> torch.Tensor:
    """What each row's gradient would add to the weights, up to the learning rate.

    Args:
        gradient: `[B, *shape]`.
        moments: Of the parameter; not needed for "sgd".
        variant: "sgd" is the gradient itself; the others see the module.

    Raises:
        ValueError: if a variant of Adam has no moments.
    """
    if variant == "sgd":
        return gradient
    if moments is None:
        raise ValueError(f"the direction '{variant}' needs moments")
    mean = BETA1 * moments.mean + (1 - BETA1) * gradient
    square = BETA2 * moments.square + (1 - BETA2) * gradient.square()
    if variant == "repo":
        return mean / (square + EPSILON).sqrt()
    step = max(moments.step, 1) if variant == "paper" else moments.step + 1
    mean, square = mean / (1 - BETA1**step), square / (1 - BETA2**step)
    return mean / (square.sqrt() + EPSILON)


def small_share(moments: dict[str, Moments]) -> float:
    """Share of coordinates with v < 1e-8, for which "repo" behaves like plain gradients."""
    total = sum(m.square.numel() for m in moments.values())
    return sum(int((m.square < EPSILON).sum()) for m in moments.values()) / max(total, 1)
