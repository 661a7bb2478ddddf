"""Gradient features: what every row would do to a model's adapters, projected and brought to length one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from curation.core.errors import ModelError
from curation.core.runtime import Runtime
from curation.models.gradients.directions import Moments, Variant, direction
from curation.models.gradients.layers import exact, forms, gradients, squared_norms, sums
from curation.models.gradients.passes import backward_over
from curation.models.gradients.projections import Projection
from curation.models.gradients.taps import Sink

if TYPE_CHECKING:
    import torch

    from curation.models.causal import CausalLM
    from curation.models.rendering import Encoded


HELD_SHARE = 4
"""One part of so many of the memory that a method may take holds gradients that wait for their projection."""
MOST_ROWS = 512
"""Rows that are projected at once at most: signs are made anew for every such group, and cost as much as 60 rows."""


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
    batch_rows: int | None = None,
) -> np.ndarray:
    """Projected directions of every row in the weights of some layers.

    A batch holds the gradients of one layer at once. Small models' gradients are gathered over several batches, as many
    as a quarter of `runtime.memory_bytes` holds, and projected together.

    Cost: a forward and a backward pass, and 2 · p · d operations a row for p weights with a dense projection.

    Args:
        lm: The model, with the adapters in it.
        layers: See `taps.lora_layers`.
        rows: Encoded; those with a reason come out as NaN.
        runtime: Progress in tokens, memory.
        projection: Of width d.
        moments: Adam's state of each layer's weight by layer name, for the variants of Adam.
        variant: See `directions`.
        normalise: Bring each to length one; zero gradients are NaN.
        batch_tokens: Tokens of a padded batch.
        batch_rows: Rows of a batch at most; None = as many as their gradients of one layer fit into memory.

    Returns:
        float32 `[n, d]`; float64 for a model in float64.

    Raises:
        ModelError: gradients are not finite, or a row does not fit into memory.
    """
    whole = sum(layer.weight.numel() for layer in layers.values())
    room = int(runtime.memory_bytes // HELD_SHARE // (_kind(lm).itemsize * whole))
    waiting = _Waiting(lm, projection, len(rows), normalise, min(MOST_ROWS, room))

    def begin(here: np.ndarray) -> Sink:
        add = waiting.begin(here)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            each = direction(gradients(read, delta), None if moments is None else moments[name], variant)
            add(name, each.flatten(1).to(_kind(lm)))

        return sink

    most = batch_rows or rows_that_fit(layers, runtime)
    backward_over(lm, layers, rows, runtime, begin=begin, end=waiting.end, batch_tokens=batch_tokens, batch_rows=most)
    waiting.finish()
    _check(lm, waiting.found, rows, zero=normalise)
    return waiting.found


class _Waiting:
    """Gradients that wait until there are enough rows to be projected together.

    Args:
        lm: The model.
        projection: What they wait for.
        rows: Of the result.
        normalise: See `gradient_features`.
        group: Rows that may wait; a batch of more is projected as it comes, layer by layer.
    """

    def __init__(self, lm: CausalLM, projection: Projection, rows: int, normalise: bool, group: int) -> None:
        import torch

        self.lm, self.projection, self.normalise, self.group = lm, projection, normalise, group
        kind = np.float64 if _kind(lm) == torch.float64 else np.float32
        self.found = np.full((rows, projection.width), np.nan, kind)
        self.held: list[tuple[np.ndarray, dict[str, torch.Tensor]]] = []
        self.batch: dict[str, torch.Tensor] = {}
        self.into: torch.Tensor | None = None

    def begin(self, here: np.ndarray) -> Callable[[str, torch.Tensor], None]:
        """A batch begins; what one that failed has left is forgotten. Returns where its directions go."""
        self.batch = {}
        self.into = None if len(here) <= self.group else self._zeros(len(here))

        def add(name: str, each: torch.Tensor) -> None:
            if self.into is None:
                self.batch[name] = each
            else:
                self.projection.add(self.into, name, each)

        return add

    def end(self, here: np.ndarray) -> None:
        if self.into is not None:
            self._write(here, self.into)
            return
        if sum(len(other) for other, _ in self.held) + len(here) > self.group:
            self.finish()
        self.held.append((here, self.batch))

    def finish(self) -> None:
        """Project what waits."""
        import torch

        if not self.held:
            return
        members = np.concatenate([here for here, _ in self.held])
        into = self._zeros(len(members))
        with torch.no_grad():
            for name in list(self.held[0][1]):
                self.projection.add(into, name, torch.cat([batch.pop(name) for _, batch in self.held]))
        self.held.clear()
        self._write(members, into)

    def _zeros(self, rows: int) -> torch.Tensor:
        import torch

        return torch.zeros(rows, self.projection.width, device=self.lm.device, dtype=_kind(self.lm))

    def _write(self, here: np.ndarray, values: torch.Tensor) -> None:
        import torch

        if self.normalise:
            norms = sums(values.square()).sqrt()
            values = values / torch.where(norms > 0, norms, torch.nan)[:, None].to(values.dtype)
        self.found[here] = values.cpu().numpy()


def _kind(lm: CausalLM) -> torch.dtype:
    import torch

    return torch.float64 if lm.model.dtype == torch.float64 else torch.float32


def rows_that_fit(layers: Mapping[str, torch.nn.Linear], runtime: Runtime) -> int:
    """Rows whose gradients of the largest layer, with what Adam makes of them, take a quarter of the memory."""
    largest = max(layer.weight.numel() for layer in layers.values())
    return runtime.batch_size or max(1, min(MOST_ROWS, int(runtime.memory_bytes // HELD_SHARE // (16 * largest))))


def _check(lm: CausalLM, values: np.ndarray, rows: Sequence[Encoded], *, zero: bool = False) -> None:
    """Raises ModelError for numbers that are not finite; NaN may stand for a gradient of length zero."""
    good = values[[i for i, row in enumerate(rows) if not row.reason]]
    if np.isinf(good).any() or (np.isnan(good).any() and not zero):
        raise ModelError(f"{lm.name} gave gradients that are not finite in {lm.precision}", "set the precision to fp32")


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

    Raises:
        ModelError: gradients are not finite, or a row does not fit into memory.
    """
    import torch

    out = np.full(len(rows), np.nan)
    total = torch.empty(0)

    def begin(here: np.ndarray) -> Sink:
        nonlocal total
        total = torch.zeros(len(here), dtype=exact(lm.device), device=lm.device)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            total.add_(squared_norms(read, delta))

        return sink

    def end(here: np.ndarray) -> None:
        out[here] = total.sqrt().cpu().numpy()

    backward_over(
        lm, layers, rows, runtime, begin=begin, end=end, batch_tokens=batch_tokens, batch_rows=runtime.batch_size
    )
    _check(lm, out, rows)
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
        groups: int64 `[n]`, 0 … J − 1, the subtask of each row; −1 = of none.
        runtime: Progress.
        unit_rows: Divide each row's gradient by its length before the mean (the mean of cosines); a first pass takes
            the lengths by ghost norms.
        batch_tokens: Tokens of a padded batch.

    Returns:
        Layer → float32 `[J, out, in]`; float64 for a model in float64.
    """
    import torch

    factors = np.ones(len(rows))
    if unit_rows:
        norms = gradient_norms(lm, layers, rows, runtime, batch_tokens=batch_tokens)
        factors = np.divide(1.0, norms, out=np.zeros(len(rows)), where=norms > 0)
    good = np.array([not row.reason for row in rows]) & (groups >= 0)
    counts = np.bincount(groups[good], minlength=int(groups.max()) + 1)
    factors = np.where(good, factors / np.maximum(counts, 1)[groups], 0.0)
    found = {
        name: torch.zeros(len(counts), *layer.weight.shape, device=lm.device, dtype=_kind(lm))
        for name, layer in layers.items()
    }

    def begin(here: np.ndarray) -> Sink:
        which = torch.from_numpy(np.maximum(groups[here], 0)).to(lm.device)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            found[name].index_add_(0, which, gradients(read, delta).to(found[name].dtype))

        return sink

    backward_over(
        lm, layers, rows, runtime, begin=begin, end=lambda here: None, factors=factors, batch_tokens=batch_tokens,
        batch_rows=rows_that_fit(layers, runtime),
    )  # fmt: skip
    return found


def streamed_products(
    lm: CausalLM,
    layers: Mapping[str, torch.nn.Linear],
    rows: Sequence[Encoded],
    targets: Mapping[str, torch.Tensor],
    runtime: Runtime,
    *,
    moments: Mapping[str, Moments] | None = None,
    variant: Variant = "sgd",
    batch_tokens: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """⟨Γ_i, T_j⟩ for every row and known targets, Γ being ∇L_i or Adam's step, without storing or projecting any.

    For plain gradients these are bilinear forms, and no gradient is formed where that is cheaper; a step of Adam is
    made layer by layer. Cost: a forward and a backward pass, and 2 · p · J operations a row for p weights with Adam.

    Args:
        lm: The model.
        layers: Of interest.
        rows: Encoded.
        targets: Layer → `[J, out, in]`.
        runtime: Progress.
        moments: Adam's state by layer name, for the variants of Adam.
        variant: See `directions`.
        batch_tokens: Tokens of a padded batch.

    Returns:
        float64 `[n, J]`, and ‖Γ_i‖ `[n]`, for cosines; NaN for unscorable rows.

    Raises:
        ModelError: gradients are not finite, or a row does not fit into memory.
    """
    import torch

    count = len(next(iter(targets.values())))
    out, norms = np.full((len(rows), count), np.nan), np.full(len(rows), np.nan)
    dots, squares = torch.empty(0), torch.empty(0)

    def begin(here: np.ndarray) -> Sink:
        nonlocal dots, squares
        dots = torch.zeros(len(here), count, dtype=exact(lm.device), device=lm.device)
        squares = torch.zeros(len(here), dtype=exact(lm.device), device=lm.device)

        def sink(name: str, read: torch.Tensor, delta: torch.Tensor) -> None:
            if variant == "sgd":
                dots.add_(forms(read, delta, targets[name].to(read.dtype)))
                squares.add_(squared_norms(read, delta))
                return
            each = direction(gradients(read, delta), None if moments is None else moments[name], variant).flatten(1)
            dots.add_(each @ targets[name].flatten(1).to(each.dtype).T)
            squares.add_(sums(each.square()))

        return sink

    def end(here: np.ndarray) -> None:
        out[here], norms[here] = dots.cpu().numpy(), squares.sqrt().cpu().numpy()

    most = runtime.batch_size if variant == "sgd" else rows_that_fit(layers, runtime)
    backward_over(lm, layers, rows, runtime, begin=begin, end=end, batch_tokens=batch_tokens, batch_rows=most)
    _check(lm, out, rows)
    _check(lm, norms, rows)
    return out, norms
