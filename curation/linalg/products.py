"""Small helpers around matrix products: rows widened block by block, and true float32 on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def block_of(points: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """Some rows in the precision of products: half precision becomes float32, the rest stays as it is.

    Args:
        points: `[n, d]` float16, float32 or float64; may be memory-mapped.
        rows: A slice, or int64 indices.
    """
    block = points[rows]
    return block.astype(np.float32) if block.dtype == np.float16 else block


@contextmanager
def full_precision() -> Iterator[None]:
    """Products of torch in true float32: with shortened ones (TF32) error bounds would not hold."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
