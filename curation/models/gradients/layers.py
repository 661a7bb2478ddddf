"""A linear layer's gradient for every row of a batch, its length, and products, from inputs and output gradients.

For y = W x the gradient of row i is G_i = Σ_t δ_it x_itᵀ, `[out, in]`. Lengths and products need not form it: ‖G_i‖² =
Σ_{t,t'} (x_t·x_t')(δ_t·δ_t'), "ghost" for short, costs tokens² · (in + out) instead of tokens · in · out. Padded places
have δ = 0 and count for nothing.

Source: ghost norms: Goodfellow 2015, arXiv 1510.01799; Li et al. 2022, arXiv 2110.05679 (the mixed rule).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FORMED_BYTES = 256 << 20
"""Of the gradients that are formed at once where only their lengths are wanted."""


def exact(device: str) -> torch.dtype:
    """In what sums are kept: float64, or float32 on Apple's GPUs, which have no other."""
    import torch

    return torch.float32 if device.startswith("mps") else torch.float64


def sums(values: torch.Tensor) -> torch.Tensor:
    """Sum over all of every row, float64 `[B]` (see `exact`)."""
    return values.flatten(1).sum(1, dtype=exact(values.device.type))


def gradients(read: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
    """G of every row: `[B, out, in]` from `[B, T, in]` and `[B, T, out]`. Cost: B·T·in·out multiply-adds."""
    return delta.transpose(1, 2) @ read


def ghost_is_cheaper(tokens: int, read_width: int, delta_width: int) -> bool:
    """True where two tables of tokens × tokens cost less than a gradient."""
    return tokens * (read_width + delta_width) < read_width * delta_width


def squared_norms(read: torch.Tensor, delta: torch.Tensor, *, ghost: bool | None = None) -> torch.Tensor:
    """‖G_i‖² of every row, float64 `[B]`.

    Args:
        read: `[B, T, in]`.
        delta: `[B, T, out]`.
        ghost: Without forming G; None = whichever costs less.
    """
    import torch

    if ghost is None:
        ghost = ghost_is_cheaper(read.shape[1], read.shape[2], delta.shape[2])
    if ghost:
        return sums((read @ read.transpose(1, 2)) * (delta @ delta.transpose(1, 2))).clamp_min(0)
    each = max(1, FORMED_BYTES // (read.element_size() * read.shape[2] * delta.shape[2]))
    parts = zip(read.split(each), delta.split(each), strict=True)  # a large layer's gradients of a few rows at once
    return torch.cat([sums(gradients(x, d).square()) for x, d in parts])


def products(
    read: torch.Tensor, delta: torch.Tensor, others: tuple[torch.Tensor, torch.Tensor], *, ghost: bool | None = None
) -> torch.Tensor:
    """⟨G_i, G_j⟩ of every row i with every row j of another batch, float64 `[B, C]`.

    Args:
        read: `[B, T, in]`.
        delta: `[B, T, out]`.
        others: The same of the other batch, `[C, S, …]`.
        ghost: Without forming either G; None = whichever costs less.
    """
    import torch

    x, d = others
    if ghost is None:
        ghost = ghost_is_cheaper(read.shape[1], read.shape[2], delta.shape[2])
    if not ghost:
        return (gradients(read, delta).flatten(1) @ gradients(x, d).flatten(1).T).to(exact(read.device.type))
    found = torch.zeros(len(read), len(x), dtype=exact(read.device.type), device=read.device)
    for j in range(len(x)):  # one row of the other batch at a time: tables of B × T × S
        found[:, j] = sums((read @ x[j].T) * (delta @ d[j].T))
    return found


def forms(read: torch.Tensor, delta: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """⟨G_i, M_j⟩ with fixed matrices, float64 `[B, J]`, as bilinear forms: no gradient is formed.

    Args:
        read: `[B, T, in]`.
        delta: `[B, T, out]`.
        matrices: `[J, out, in]`.
    """
    import torch

    return torch.stack([sums((read @ m.T) * delta) for m in matrices], 1)
