"""Random projections of gradients: the same matrix whatever the batch, the device and the checkpoint.

Signs come from a counter: 64 of them are the bits of one number made by mixing (seed, layer, row of the matrix, block
of 64 columns). Nothing is drawn in sequence, so any block can be made anywhere, at any time, in any order. Integer
arithmetic alone is used, which wraps in the same way on every device.

Source: the mixing is SplitMix64 (Steele, Lea & Flood 2014); Rademacher projections: Achlioptas 2003; CountSketch:
Charikar, Chen & Farach-Colton 2002.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import torch

Kind = Literal["rademacher", "countsketch"]

WORD = 64
BLOCK_BYTES = 64 << 20
"""Of a block of the matrix in the numbers that are multiplied."""


def _signed(value: int) -> int:
    """An unsigned 64-bit number as torch holds it."""
    return value - (1 << 64) if value >= 1 << 63 else value


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def _shifted(values: torch.Tensor, by: int) -> torch.Tensor:
    """A logical shift to the right; torch's own copies the sign."""
    return (values >> by) & ((1 << (64 - by)) - 1)


def mixed(values: torch.Tensor) -> torch.Tensor:
    """SplitMix64's mixing of int64 numbers, elementwise."""
    values = (values ^ _shifted(values, 30)) * _MIX1
    values = (values ^ _shifted(values, 27)) * _MIX2
    return values ^ _shifted(values, 31)


def layer_key(name: str, seed: int) -> int:
    """Where a layer's numbers begin, as a signed 64-bit number."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def signs(name: str, rows: range, width: int, seed: int, device: str = "cpu") -> torch.Tensor:
    """Rows of a layer's matrix: int8 `[len(rows), width]` of −1 and 1.

    Args:
        name: Of the layer.
        rows: Which of the layer's weights, counted along the flattened `[out, in]`.
        width: d, columns.
        seed: Of the whole projection.
        device: Where it is made; the numbers do not depend on it.
    """
    import torch

    words = -(-width // WORD)
    place = torch.arange(rows.start, rows.stop, device=device, dtype=torch.int64)[:, None]
    word = torch.arange(words, device=device, dtype=torch.int64)[None]
    numbers = mixed(mixed(place * _GOLDEN + layer_key(name, seed)) + word * _GOLDEN)
    bits = torch.arange(WORD, device=device, dtype=torch.int64)
    ones = (numbers[:, :, None] >> bits) & 1
    return (ones.to(torch.int8) * 2 - 1).flatten(1)[:, :width]


class Projection(Protocol):
    """Adds the projection of one layer's directions to the features of a batch."""

    width: int

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        """`into` float32 `[B, d]` += `values` `[B, p]` times the layer's block of the matrix."""


class Rademacher:
    """Dense signs, block by block: exact products of every coordinate with a sign, accumulated in float32.

    Cost: B · p · d multiply-adds, and p · d signs made anew for every batch unless `keep_bytes` holds them.

    Args:
        width: d.
        seed: Of the matrix.
        device: Where it works.
        keep_bytes: Signs of layers are kept, one byte each, while they fit into this.
    """

    def __init__(self, width: int, seed: int = 0, device: str = "cpu", keep_bytes: int = 0) -> None:
        self.width, self.seed, self.device, self.left = width, seed, device, keep_bytes
        self._kept: dict[str, torch.Tensor] = {}

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        """See Projection."""
        size = values.shape[1]
        step = max(1, BLOCK_BYTES // (4 * self.width))
        for start in range(0, size, step):
            rows = range(start, min(start + step, size))
            into += values[:, rows.start : rows.stop] @ self._block(name, rows, size).to(values.dtype)

    def _block(self, name: str, rows: range, size: int) -> torch.Tensor:
        import torch

        kept = self._kept.get(name)
        if kept is None and size * self.width <= self.left:
            self.left -= size * self.width
            kept = torch.empty(size, self.width, dtype=torch.int8, device=self.device)
            step = max(1, BLOCK_BYTES // (8 * WORD * -(-self.width // WORD)))
            for start in range(0, size, step):
                part = range(start, min(start + step, size))
                kept[part.start : part.stop] = signs(name, part, self.width, self.seed, self.device)
            self._kept[name] = kept
        if kept is not None:
            return kept[rows.start : rows.stop]
        return signs(name, rows, self.width, self.seed, self.device)


class CountSketch:
    """Every coordinate goes to one place with one sign: d additions become one, at a cosine error of like size.

    An approximation of the same kind as the dense projection, not of it: features of the two do not compare.

    Args:
        width: d.
        seed: Of places and signs.
        device: Where it works.
    """

    def __init__(self, width: int, seed: int = 0, device: str = "cpu") -> None:
        self.width, self.seed, self.device = width, seed, device

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        """See Projection. Cost: B · p additions."""
        import torch

        place = torch.arange(values.shape[1], device=self.device, dtype=torch.int64)
        numbers = mixed(place * _GOLDEN + layer_key(f"sketch/{name}", self.seed))
        sign = ((numbers & 1) * 2 - 1).to(values.dtype)
        into.index_add_(1, _shifted(numbers, 1) % self.width, (values * sign).to(into.dtype))


def projection(kind: Kind, width: int, seed: int, device: str, keep_bytes: int = 0) -> Projection:
    """The projection of a name."""
    return CountSketch(width, seed, device) if kind == "countsketch" else Rademacher(width, seed, device, keep_bytes)
