"""Gradient features: what every row would do to a model's adapters, projected and brought to length one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.gradients.directions import Moments, Variant, direction
from curation.models.gradients.layers import forms, gradients, squared_norms
from curation.models.gradients.passes import backward_over
from curation.models.gradients.projections import Projection
from curation.models.gradients.taps import Sink

if TYPE_CHECKING:
    import torch

    from curation.models.causal import CausalLM
    from curation.models.rendering import Encoded


def gradient_features(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    rows: Sequence[Encoded],
    runtime: Runtime,
    projection: Projection,
    *,
    moments: Mapping[str, Moments] | None = None,
    variant: Variant = "sgd",
    normalise: bool = True,
    batch_tokens: int | None = None,
    batch_rows: int | None = 64,
) -> np.ndarray:
    """Projected directions of every row in the weights of some layers.

    A batch never holds more than one layer's gradients at once. Cost: a forward and a backward pass, and 2 · p · d
    operations a row for p weights with a dense projection.

    Args:
        lm: The model, with the adapters in it.
        layers: See `taps.lora_layers`.
        rows: Encoded; those with a reason come out as NaN.
        runtime: Progress in tokens.
        projection: Of width d.
        moments: Adam's state of each layer's weight by layer name, for the variants of Adam.
        variant: See `directions`.
        normalise: Bring each to length one; zero gradients are NaN.
        batch_tokens: Tokens of a padded batch.
        batch_rows: Rows of a batch at most: B gradients of one layer are held at once.

    Returns:
        float32 `[n, d]`; float64 for a model in float64.

    Raises:
        ModelError: gradients are not finite, or a row does not fit into memory.
    """
    import torch

    kind = torch.float64 if lm.model.dtype == torch.float64 else torch.float32
    out = np.full((len(rows), projection.width), np.nan, np.float64 if kind == torch.float64 else np.float32)
    into = torch.empty(0)

    def begin(here: np.ndarray) -> Sink:
        nonlocal into
        into = torch.zeros(len(here), projection.width, device=lm.device, dtype=kind)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            each = direction(gradients(read, delta), None if moments is None else moments[name], variant)
            projection.add(into, name, each.flatten(1).to(kind))

        return sink

    def end(here: np.ndarray) -> None:
        values = into
        if normalise:
            norms = into.double().square().sum(1).sqrt()
            values = into / torch.where(norms > 0, norms, torch.nan)[:, None].to(kind)
        out[here] = values.cpu().numpy()

    backward_over(lm, layers, rows, runtime, begin=begin, end=end, batch_tokens=batch_tokens, batch_rows=batch_rows)
    good = [i for i, row in enumerate(rows) if not row.reason]
    if np.isinf(out[good]).any():
        raise ModelError(f"{lm.name} gave gradients that are not finite in {lm.precision}", "set the precision to fp32")
    return out


def gradient_norms(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    rows: Sequence[Encoded],
    runtime: Runtime,
    *,
    batch_tokens: int | None = None,
) -> np.ndarray:
    """‖∇L_i‖₂ over some layers for every row, by ghost norms where they are cheaper.

    Returns:
        float64 `[n]`; NaN = unscorable.
    """
    import torch

    out = np.full(len(rows), np.nan)
    total = torch.empty(0)

    def begin(here: np.ndarray) -> Sink:
        nonlocal total
        total = torch.zeros(len(here), dtype=torch.float64, device=lm.device)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            total.add_(squared_norms(read, delta))

        return sink

    def end(here: np.ndarray) -> None:
        out[here] = total.sqrt().cpu().numpy()

    backward_over(lm, layers, rows, runtime, begin=begin, end=end, batch_tokens=batch_tokens)
    return out


def target_gradients(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    rows: Sequence[Encoded],
    groups: np.ndarray,
    runtime: Runtime,
    *,
    unit_rows: bool,
    batch_tokens: int | None = None,
) -> dict[str, torch.Tensor]:
    """Mean gradient of every group of target rows, whole and unprojected.

    Args:
        lm: The model.
        layers: Of interest.
        rows: Target rows; those with a reason count for nothing.
        groups: int64 `[n]`, 0 … J − 1, the subtask of each row.
        runtime: Progress.
        unit_rows: Divide each row's gradient by its length before the mean (the mean of cosines); a first pass takes
            the lengths by ghost norms.
        batch_tokens: Tokens of a padded batch.

    Returns:
        Layer → float32 `[J, out, in]`.
    """
    import torch

    factors = np.ones(len(rows))
    if unit_rows:
        norms = gradient_norms(lm, layers, rows, runtime, batch_tokens=batch_tokens)
        factors = np.divide(1.0, norms, out=np.zeros(len(rows)), where=norms > 0)
    good = np.array([not row.reason for row in rows])
    counts = np.bincount(groups[good], minlength=int(groups.max()) + 1)
    factors = factors / np.maximum(counts, 1)[groups]
    found = {name: torch.zeros(len(counts), *layer.weight.shape, device=lm.device) for name, layer in layers.items()}

    def begin(here: np.ndarray) -> Sink:
        which = torch.from_numpy(groups[here]).to(lm.device)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            found[name].index_add_(0, which, gradients(read, delta).to(found[name].dtype))

        return sink

    backward_over(
        lm, layers, rows, runtime, begin=begin, end=lambda here: None, factors=factors, batch_tokens=batch_tokens,
        batch_rows=64,
    )  # fmt: skip
    return found


def streamed_products(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    rows: Sequence[Encoded],
    targets: Mapping[str, torch.Tensor],
    runtime: Runtime,
    *,
    batch_tokens: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """⟨∇L_i, T_j⟩ for every row and known targets, without storing or projecting a gradient.

    Args:
        lm: The model.
        layers: Of interest.
        rows: Encoded.
        targets: Layer → `[J, out, in]`.
        runtime: Progress.
        batch_tokens: Tokens of a padded batch.

    Returns:
        float64 `[n, J]`, and ‖∇L_i‖ `[n]`, for cosines; NaN for unscorable rows.
    """
    import torch

    count = len(next(iter(targets.values())))
    out, norms = np.full((len(rows), count), np.nan), np.full(len(rows), np.nan)
    dots, squares = torch.empty(0), torch.empty(0)

    def begin(here: np.ndarray) -> Sink:
        nonlocal dots, squares
        dots = torch.zeros(len(here), count, dtype=torch.float64, device=lm.device)
        squares = torch.zeros(len(here), dtype=torch.float64, device=lm.device)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            dots.add_(forms(read, delta, targets[name].to(read.dtype)))
            squares.add_(squared_norms(read, delta))

        return sink

    def end(here: np.ndarray) -> None:
        out[here], norms[here] = dots.cpu().numpy(), squares.sqrt().cpu().numpy()

    backward_over(lm, layers, rows, runtime, begin=begin, end=end, batch_tokens=batch_tokens)
    return out, norms
