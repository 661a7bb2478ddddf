"""The loops that people write for gradients of single rows: baselines of `gradients.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from curation.models.gradients.projections import signs

BLOCK = 16 << 20
"""Bytes of signs that are turned into numbers at once."""


class Matrix:
    """The matrix of signs as a loop has it: made once and kept, or made anew for every product.

    Args:
        sizes: Weights of each layer, by name.
        width: d.
        seed: Of the matrix; it has the numbers of our own with the same seed.
        device: Where it lies.
        kept: Keep it: in float32 while that takes no more than `most` bytes, else in int8.
        most: See `kept`.
    """

    def __init__(
        self, sizes: Mapping[str, int], width: int, seed: int, device: str, *, kept: bool, most: int = 0
    ) -> None:
        self.sizes, self.width, self.seed, self.device = dict(sizes), width, seed, device
        self.kind = torch.float32 if 4 * self.weights * width <= most else torch.int8
        self._kept: dict[str, torch.Tensor] = {}
        if kept:
            for name, size in self.sizes.items():
                self._kept[name] = torch.empty(size, width, dtype=self.kind, device=device)
                for rows in self._blocks(size):
                    self._kept[name][rows.start : rows.stop] = signs(name, rows, width, seed, device)

    @property
    def weights(self) -> int:
        """All of the layers'."""
        return sum(self.sizes.values())

    @property
    def stored(self) -> str:
        """How it is kept, in words."""
        if not self._kept:
            return "made anew"
        each = 4 if self.kind == torch.float32 else 1
        return f"{str(self.kind).removeprefix('torch.')}, {each * self.weights * self.width / 1e9:.1f} GB"

    def times(self, values: torch.Tensor) -> torch.Tensor:
        """`[k, p]` times the matrix: float32 `[k, d]`."""
        found = torch.zeros(len(values), self.width, device=self.device)
        start = 0
        for name, size in self.sizes.items():
            part = values[:, start : start + size]
            start += size
            if self._kept and self.kind == torch.float32:
                found.addmm_(part, self._kept[name])
                continue
            for rows in self._blocks(size):
                if self._kept:
                    block = self._kept[name][rows.start : rows.stop]
                else:
                    block = signs(name, rows, self.width, self.seed, self.device)
                found.addmm_(part[:, rows.start : rows.stop], block.float())
        return found

    def _blocks(self, size: int) -> Iterator[range]:
        step = max(1, BLOCK // (4 * self.width))
        return (range(start, min(start + step, size)) for start in range(0, size, step))


def features(lm: Any, layers: Mapping[str, Any], rows: Sequence[Any], matrix: Matrix, at_once: int) -> np.ndarray:
    """Each row alone through `loss.backward()`; gradients of `at_once` rows are stacked and projected together.

    Returns:
        float32 `[n, d]`, each of length one.
    """
    weights = [layer.weight for layer in layers.values()]
    found, waiting = [], []
    with _needing(lm.model, weights):
        for row in rows:
            _backward(lm, row)
            waiting.append(torch.cat([weight.grad.flatten() for weight in weights]).float())
            if len(waiting) == at_once or row is rows[-1]:
                found.append(torch.nn.functional.normalize(matrix.times(torch.stack(waiting))).cpu())
                waiting.clear()
    return torch.cat(found).numpy()


def norms(lm: Any, layers: Mapping[str, Any], rows: Sequence[Any]) -> np.ndarray:
    """Length of each row's gradient, each row alone: float64 `[n]`."""
    weights = [layer.weight for layer in layers.values()]
    found = []
    with _needing(lm.model, weights):
        for row in rows:
            _backward(lm, row)
            found.append(sum(float(weight.grad.float().square().sum()) for weight in weights) ** 0.5)
    return np.array(found)


def _backward(lm: Any, row: Any) -> None:
    """Mean loss of a row's response as the transformers package computes it, and its gradient."""
    ids = torch.from_numpy(row.ids).long()[None]
    labels = torch.where(torch.from_numpy(row.scored)[None], ids, -100)
    lm.model.zero_grad(set_to_none=True)
    with torch.autocast(lm.device.partition(":")[0], torch.bfloat16, enabled=lm.precision == "bf16"):
        loss = lm.model(input_ids=ids.to(lm.device), labels=labels.to(lm.device), use_cache=False).loss
    loss.backward()


class _needing:  # noqa: N801 - reads as a word in a with statement
    """Inside, these weights alone have gradients; afterwards none has."""

    def __init__(self, model: Any, weights: Sequence[Any]) -> None:
        self.model, self.weights = model.eval(), weights

    def __enter__(self) -> None:
        self.model.requires_grad_(False)
        for weight in self.weights:
            weight.requires_grad_(True)

    def __exit__(self, *error: object) -> None:
        self.model.zero_grad(set_to_none=True)
        self.model.requires_grad_(False)
