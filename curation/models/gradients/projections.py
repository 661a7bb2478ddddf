"""Random projections of gradients: the same matrix whatever the batch, the device and the checkpoint.

Signs come from a counter: 64 of them are the bits of one number made by mixing (seed, layer, row of the matrix, block
of 64 columns). Nothing is drawn in sequence, so any block can be made anywhere, at any time, in any order. Integer
arithmetic alone is used, which wraps in the same way on every device.

Source: the mixing is SplitMix64 (Steele, Lea & Flood 2014); Rademacher projections: Achlioptas 2003; CountSketch:
Charikar, Chen & Farach-Colton 2002.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import torch

Kind = Literal["rademacher", "countsketch"]

WORD = 64
BLOCK_BYTES = 16 << 20
"""Of a block of the matrix in the numbers that are multiplied: little enough to stay near the processor."""
GPU_BLOCK_BYTES = 256 << 20
MIXED_BYTES = 2 << 20
"""Of a block's words while they are mixed."""


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


def words(name: str, rows: range, width: int, seed: int, device: str = "cpu") -> torch.Tensor:
    """Rows of a layer's matrix, a bit for a sign: int64 `[len(rows), ⌈width / 64⌉]`; see `signs`."""
    import torch

    count = -(-width // WORD)
    word = torch.arange(count, device=device, dtype=torch.int64)[None] * _GOLDEN
    found = torch.empty(len(rows), count, device=device, dtype=torch.int64)
    step = len(rows) if device.startswith("cuda") else max(1, MIXED_BYTES // (8 * count))
    for start in range(0, len(rows), max(step, 1)):
        here = range(rows.start + start, min(rows.start + start + step, rows.stop))
        place = torch.arange(here.start, here.stop, device=device, dtype=torch.int64)[:, None]
        found[start : start + len(here)] = mixed(mixed(place * _GOLDEN + layer_key(name, seed)) + word)
    return found


@lru_cache(8)
def _bytes_as_signs(kind: torch.dtype, device: str) -> torch.Tensor:
    """The eight signs of every byte, lowest bit first: `[256, 8]`."""
    import torch

    bits = torch.arange(256, device=device)[:, None] >> torch.arange(8, device=device)[None] & 1
    return (bits * 2 - 1).to(kind)


def unpacked(numbers: torch.Tensor, width: int, kind: torch.dtype) -> torch.Tensor:
    """The signs that words stand for, as numbers of a kind: `[rows, width]`."""
    import torch

    octets = numbers.view(torch.uint8)  # little-endian everywhere that torch runs
    table = _bytes_as_signs(kind, str(numbers.device))
    found = torch.index_select(table, 0, octets.flatten().int())
    return found.view(len(numbers), -1)[:, :width]


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

    return unpacked(words(name, rows, width, seed, device), width, torch.int8)


class Projection(Protocol):
    """Adds the projection of one layer's directions to the features of a batch."""

    width: int
    scale: float
    """Mean of a feature's squared length over that of the gradient it stands for."""

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        """`into` float32 `[B, d]` += `values` `[B, p]` times the layer's block of the matrix."""


class Rademacher:
    """Dense signs, block by block: products of every coordinate with a sign, accumulated in float32.

    On CUDA a coordinate is taken as the sum of two numbers in bf16, which is exact to 2⁻¹⁷ of it and runs on tensor
    cores; elsewhere in float32.

    Cost: B · p · d multiply-adds, and p · d signs made anew for every call, a bit each, which costs as much as some 60
    rows do: hand over as many rows as there is memory for.

    Args:
        width: d.
        seed: Of the matrix.
        device: Where it works.
        keep_bytes: Signs of layers are kept, eight in a byte, while they fit into this.
    """

    def __init__(self, width: int, seed: int = 0, device: str = "cpu", keep_bytes: int = 0) -> None:
        self.width, self.seed, self.device, self.left = width, seed, device, keep_bytes
        self.scale = float(width)
        self._kept: dict[str, torch.Tensor] = {}

    def add(self, into: torch.Tensor, name: str, values: torch.Tensor) -> None:
        """See Projection."""
        import torch

        size, fast = values.shape[1], values.is_cuda and values.dtype == torch.float32
        kind = torch.bfloat16 if fast else values.dtype
        step = max(1, (GPU_BLOCK_BYTES if values.is_cuda else BLOCK_BYTES) // (kind.itemsize * self.width))
        for start in range(0, size, step):
            rows = range(start, min(start + step, size))
            block = unpacked(self._words(name, rows, size), self.width, kind)
            part = values[:, rows.start : rows.stop]
            if fast:
                both = torch.mm(torch.cat(halves(part)), block, out_dtype=torch.float32)
                into += both[: len(part)] + both[len(part) :]
            else:
                into.addmm_(part, block)

    def _words(self, name: str, rows: range, size: int) -> torch.Tensor:
        kept = self._kept.get(name)
        held = size * -(-self.width // WORD) * 8
        if kept is None and held <= self.left:
            self.left -= held
            kept = self._kept[name] = words(name, range(size), self.width, self.seed, self.device)
        if kept is not None:
            return kept[rows.start : rows.stop]
        return words(name, rows, self.width, self.seed, self.device)


def halves(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two numbers in bf16 whose sum is each value, to 2⁻¹⁷ of it."""
    import torch

    high = values.to(torch.bfloat16)
    return high, (values - high.to(values.dtype)).to(torch.bfloat16)


class CountSketch:
    """Every coordinate goes to one place with one sign: d additions become one, at a cosine error of like size.

    An approximation of the same kind as the dense projection, not of it: features of the two do not compare.

    Args:
        width: d.
        seed: Of places and signs.
        device: Where it works.
    """

    def __init__(self, width: int, seed: int = 0, device: str = "cpu") -> None:
        self.width, self.seed, self.device, self.scale = width, seed, device, 1.0

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
